"""Nodes and edges where nothing but the structure is read: there may be a million of them.

First all is read that they are made from, then they are made: in between the graph may be freed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from typing import Any, NamedTuple

from msgspec.structs import replace

from autograd_tour.record.graph import Edge
from autograd_tour.record.node import Node
from autograd_tour.text import friendly_name
from autograd_tour.tracer.assemble.edges import leaf_edges, slots_of
from autograd_tour.tracer.assemble.material import Material, Result
from autograd_tour.tracer.assemble.nodes import (
    formulas_of,
    is_compiled,
    is_custom,
    leaf_nodes,
    notes_of,
)
from autograd_tour.tracer.assemble.values import Facts, outlines, read_result, unnamed
from autograd_tour.tracer.measure import Recorder

__all__ = ["Bare", "bare_structure"]


class Kind(NamedTuple):
    """What all nodes of one type and name with as many inputs have in common."""

    op: str
    grad_fn: str
    slots: int
    formula: tuple[str, ...]
    particulars: Mapping[str, Any]


class Bare:
    """All that a structure needs to know of the live graph, which may be freed when this has been read.

    ``kinds`` and ``values`` have an entry for each node, the kind of an accumulator is ``None``. By the index
    of a node ``leaf_names`` has the name of a leaf, ``result_names`` those of the tensors that were returned.
    """

    def __init__(self, material: Material) -> None:
        self.next = material.skeleton.next
        self.kinds: list[Kind | None] = []
        self.values = outlines(material.skeleton.fns)
        self.leaf_names: dict[int, str] = {}
        self.result_names: dict[int, tuple[str, ...]] = {}
        self._read(material)

    def __len__(self) -> int:
        return len(self.kinds)

    def _read(self, material: Material) -> None:
        skeleton, recorder = material.skeleton, material.recorder
        kinds: dict[tuple[type, str, int], Kind] = {}
        add = self.kinds.append
        # No `enumerate` around `zip`: it would keep each of its tuples, and a new one had to be made.
        places = range(len(skeleton))
        for i, fn, name, inputs in zip(places, skeleton.fns, skeleton.names, self.next, strict=True):
            if name == "AccumulateGrad":
                leaf = fn.variable
                self.leaf_names[i] = material.leaf_names.get(id(leaf), "")
                self.values[i] = (recorder.measure(leaf),)
                add(None)
                continue
            key = type(fn), name, len(inputs)
            add(kinds.get(key) or kinds.setdefault(key, _kind(fn, name, len(inputs))))
        returned: dict[int, list[Result]] = {}
        for result in material.results:
            returned.setdefault(result.node, []).append(result)
        for i, results in returned.items():
            if self.kinds[i] is not None:
                self.values[i], self.result_names[i] = _as_returned(recorder, results, self.values[i])


def bare_structure(
    bare: Bare, hooked: Set[tuple[int, int]]
) -> tuple[tuple[Node, ...], tuple[Edge, ...], list[str]]:
    """The nodes, the edges, and the ids of the skeleton's nodes, in one go; ``bare`` is used up by it."""
    ids, sources = _ids(bare)
    edges = _edges(bare, ids, sources)  # first: nodes take what it frees
    nodes = _nodes(bare, ids, sources)
    if hooked:
        edges = _marked(edges, {(ids[j], k) for j, k in hooked})
    fixed, nodes = tuple(nodes), []  # one list after the other: both copies of all would be too much
    return fixed, tuple(edges), ids


def _ids(bare: Bare) -> tuple[list[str], list[str]]:
    """Of the skeleton's nodes, and of what a forward edge from each starts at: a leaf, not its accumulator.

    A leaf has the number right before that of its accumulator.
    """
    numbered = [f"n{number}" for number in range(len(bare) + len(bare.leaf_names))]
    ids: list[str] = []
    sources: list[str] = []
    start = 0
    for leaf in [i + earlier for earlier, i in enumerate(bare.leaf_names)]:
        ids += (*numbered[start:leaf], numbered[leaf + 1])
        sources += numbered[start : leaf + 1]
        start = leaf + 2
    return ids + numbered[start:], sources + numbered[start:]


def _nodes(bare: Bare, ids: Sequence[str], sources: Sequence[str]) -> list[Node]:
    nodes: list[Node] = []
    for i, node_id, kind, values in zip(range(len(bare)), ids, bare.kinds, bare.values, strict=True):
        if kind is None:
            nodes += leaf_nodes(sources[i], node_id, values, bare.leaf_names[i])
            continue
        op, grad_fn, slots, formula, particulars = kind
        # By position: with names it takes half as long again.
        node = Node(node_id, "operation", op, "", grad_fn, "", slots, values, unnamed(len(values)), formula)
        if i in bare.result_names:
            names = bare.result_names[i]
            node = replace(node, names=names, expr=next(filter(None, names), ""))
        nodes.append(replace(node, **particulars) if particulars else node)
    return nodes


def _edges(bare: Bare, ids: Sequence[str], sources: Sequence[str]) -> list[Edge]:
    edges: list[Edge] = []
    connect, first = edges.append, slots_of(0, 0)
    for i, node_id, kind, inputs in zip(range(len(bare)), ids, bare.kinds, bare.next, strict=True):
        if kind is None:
            edges += leaf_edges(sources[i], node_id)
            continue
        back = []
        slot = 0
        for j, k in inputs:
            if j >= 0:
                further = k or slot  # most go from a first output to a first input
                connect(Edge(sources[j], node_id, "forward", slots_of(k, slot) if further else first))
                back.append(Edge(node_id, ids[j], "gradient", slots_of(slot, k) if further else first))
            slot += 1  # noqa: SIM113 (of a million nodes, each with a new `enumerate`, that takes longer)
        edges += back
        bare.next[i] = ()  # the edges take its place in memory
    return edges


def _marked(edges: Sequence[Edge], hooked: Set[tuple[str, int]]) -> list[Edge]:
    """``edges``, marked where the gradient for an output in ``hooked`` comes in."""
    return [
        replace(edge, marks=("hooked",))
        if edge.kind == "gradient" and (edge.dst, edge.slot[1]) in hooked
        else edge
        for edge in edges
    ]


def _as_returned(
    recorder: Recorder, results: Sequence[Result], values: Facts
) -> tuple[Facts, tuple[str, ...]]:
    """Facts and names of the outputs of a node that made ``results``."""
    names = unnamed(len(values))
    for result in results:
        k = result.slot
        if k < len(values):
            facts, given = read_result(recorder, result, values[k])
            values = (*values[:k], facts or values[k], *values[k + 1 :])
            names = (*names[:k], names[k] or given, *names[k + 1 :])
    return values, names


def _kind(fn: Any, name: str, slots: int) -> Kind:
    # What few kinds of nodes have: remarks, and who wrote them.
    fields = {"notes": notes_of(fn, name), "custom": is_custom(fn, name), "compiled": is_compiled(name)}
    particulars = {field: value for field, value in fields.items() if value}
    return Kind(friendly_name(name), name, slots, formulas_of(name, slots), particulars)
