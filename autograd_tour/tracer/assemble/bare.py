"""Nodes and edges where nothing but the structure is read: there may be a million of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from typing import Any

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
from autograd_tour.tracer.assemble.values import Facts, Outlines, read_result, unnamed
from autograd_tour.tracer.measure import Recorder

__all__ = ["bare_structure"]


def bare_structure(
    material: Material, hooked: Set[tuple[int, int]]
) -> tuple[tuple[Node, ...], tuple[Edge, ...], list[str]]:
    """The nodes, the edges, and the ids of the skeleton's nodes, in one go; ``next`` is used up by it."""
    skeleton, recorder = material.skeleton, material.recorder
    returned: dict[int, list[int]] = {}
    for number, result in enumerate(material.results):
        returned.setdefault(result.node, []).append(number)
    ids = [""] * len(skeleton)
    sources = ids.copy()  # what a forward edge starts at: a leaf, not its accumulator
    nodes: list[Node] = []
    edges: list[Edge] = []
    connect = edges.append
    outline = Outlines().of
    kinds: dict[tuple[type, str, int], tuple[str, tuple[str, ...], Mapping[str, Any]]] = {}
    for i, (fn, name, inputs) in enumerate(zip(skeleton.fns, skeleton.names, skeleton.next, strict=True)):
        if name == "AccumulateGrad":
            sources[i], ids[i] = f"n{len(nodes)}", f"n{len(nodes) + 1}"
            leaf = fn.variable
            leaf_name = material.leaf_names.get(id(leaf), "")
            nodes += leaf_nodes(sources[i], ids[i], (recorder.measure(leaf),), leaf_name)
            edges += leaf_edges(sources[i], ids[i])
            continue
        count, values = len(inputs), outline(fn)
        names, expr = unnamed(len(values)), ""
        if i in returned:
            values, names = _as_returned(recorder, [material.results[k] for k in returned[i]], values)
            expr = next(filter(None, names), "")
        key = type(fn), name, count
        kind = kinds.get(key)
        if kind is None:
            kind = kinds[key] = friendly_name(name), formulas_of(name, count), _particulars(fn, name)
        op, formula, particulars = kind
        node_id = ids[i] = sources[i] = f"n{len(nodes)}"
        # By position: with names it takes half as long again.
        node = Node(node_id, "operation", op, expr, name, "", count, values, names, formula)
        nodes.append(replace(node, **particulars) if particulars else node)
        back = []
        for slot, (j, k) in enumerate(inputs):
            if j >= 0:
                connect(Edge(sources[j], node_id, "forward", slots_of(k, slot)))
                back.append(Edge(node_id, ids[j], "gradient", slots_of(slot, k)))
        edges += back
        skeleton.next[i] = ()  # the edges take its place in memory
    del connect
    if hooked:
        edges = _marked(edges, {(ids[j], k) for j, k in hooked})
    fixed, nodes = tuple(nodes), []  # one list after the other: both copies of all would be too much
    return fixed, tuple(edges), ids


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


def _particulars(fn: Any, name: str) -> Mapping[str, Any]:
    """What few kinds of nodes have: remarks, and who wrote them."""
    fields = {"notes": notes_of(fn, name), "custom": is_custom(fn, name), "compiled": is_compiled(name)}
    return {field: value for field, value in fields.items() if value}
