"""Nodes and edges where nothing but the structure is read: there may be a million of them."""

from __future__ import annotations

from collections.abc import Set

from autograd_tour.record.graph import Edge
from autograd_tour.record.node import Node
from autograd_tour.text import friendly_name
from autograd_tour.tracer.assemble.edges import leaf_edges, slots_of
from autograd_tour.tracer.assemble.material import Material
from autograd_tour.tracer.assemble.nodes import (
    formulas_of,
    is_compiled,
    is_custom,
    leaf_nodes,
    notes_of,
)
from autograd_tour.tracer.assemble.values import outline, read_result, unnamed

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
    leaf_ids: dict[int, str] = {}
    nodes: list[Node] = []
    edges: list[Edge] = []
    connect = edges.append
    kinds: dict[tuple[type, str, int], tuple[str, tuple[str, ...], tuple[str, ...], bool, bool]] = {}
    for i, (fn, name, inputs) in enumerate(zip(skeleton.fns, skeleton.names, skeleton.next, strict=True)):
        if name == "AccumulateGrad":
            leaf_ids[i], ids[i] = f"n{len(nodes)}", f"n{len(nodes) + 1}"
            leaf = fn.variable
            leaf_name = material.leaf_names.get(id(leaf), "")
            nodes += leaf_nodes(leaf_ids[i], ids[i], (recorder.measure(leaf),), leaf_name)
            edges += leaf_edges(leaf_ids[i], ids[i])
            continue
        values = outline(fn)
        names, expr = unnamed(len(values)), ""
        for number in returned.get(i, ()):
            result = material.results[number]
            k = result.slot
            if k < len(values):
                facts, given = read_result(recorder, result, values[k])
                values = (*values[:k], facts or values[k], *values[k + 1 :])
                names = (*names[:k], names[k] or given, *names[k + 1 :])
            expr = next(filter(None, names), "")
        kind = type(fn), name, len(inputs)
        if kind not in kinds:
            kinds[kind] = (
                friendly_name(name),
                formulas_of(name, len(inputs)),
                notes_of(fn, name),
                is_custom(fn, name),
                is_compiled(name),
            )
        op, formula, notes, custom, compiled = kinds[kind]
        node_id = ids[i] = f"n{len(nodes)}"
        nodes.append(
            Node(
                node_id,
                "operation",
                op,
                expr,
                name,
                slots=len(inputs),
                values=values,
                names=names,
                formula=formula,
                notes=notes,
                custom=custom,
                compiled=compiled,
            )
        )
        for slot, (j, k) in enumerate(inputs):
            if j >= 0:
                connect(Edge(leaf_ids.get(j) or ids[j], node_id, "forward", slots_of(k, slot)))
        for slot, (j, k) in enumerate(inputs):
            if j >= 0:
                marks = ("hooked",) if (j, k) in hooked else ()
                connect(Edge(node_id, ids[j], "gradient", slots_of(slot, k), None, marks))
        skeleton.next[i] = ()  # the edges take its place in memory
    del connect
    fixed, nodes = tuple(nodes), []  # one list after the other: both copies of all would be too much
    return fixed, tuple(edges), ids
