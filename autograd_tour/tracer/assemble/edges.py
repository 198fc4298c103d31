"""The edges of a Graph: forward from the maker of a tensor to its user, gradients the other way."""

from __future__ import annotations

from collections.abc import Set
from functools import cache

from autograd_tour.record.graph import Edge
from autograd_tour.tracer.assemble.examined import Examined
from autograd_tour.tracer.assemble.nodes import Ids

__all__ = ["leaf_edges", "make_edges", "slots_of"]


def make_edges(examined: Examined, ids: Ids, hooked: Set[tuple[int, int]]) -> list[Edge]:
    """All edges, those of one node together. ``hooked``: see :func:`~.assembly.assemble`."""
    material, operands, rules = examined.material, examined.operands, examined.rules
    edges: list[Edge] = []
    for i, inputs in enumerate(material.skeleton.next):
        if material.is_leaf(i):
            edges += leaf_edges(ids.leaves[i], ids.nodes[i])
            continue
        node_id = ids.nodes[i]
        for slot, (j, k) in enumerate(inputs):
            if j >= 0:
                edges.append(Edge(ids.source(j), node_id, "forward", slots_of(k, slot)))
        for constant in operands[i].constants:
            source = ids.constants[constant.number]
            edges.append(Edge(source, node_id, "forward", slots_of(0, constant.slot)))
        for slot, (j, k) in enumerate(inputs):
            if j >= 0:
                rule = rules[i].rules[slot] if rules else None
                marks = rules[i].marks[slot] if rules else ()
                marks = (*marks, "hooked") if (j, k) in hooked else marks
                whole = rules[i].whole[slot] if rules and rules[i].whole else None
                edges.append(
                    Edge(node_id, ids.nodes[j], "gradient", slots_of(slot, k), rule, marks, whole=whole)
                )
    return edges


def leaf_edges(leaf: str, accumulator: str) -> tuple[Edge, Edge]:
    """A leaf's value goes into the graph by its accumulator; the gradient comes back from there."""
    return Edge(leaf, accumulator, "forward"), Edge(accumulator, leaf, "gradient")


@cache
def slots_of(a: int, b: int) -> tuple[int, int]:
    """One tuple for all edges with these slots: a million edges need only a few."""
    return a, b
