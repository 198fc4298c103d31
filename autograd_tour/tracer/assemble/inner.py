"""Leaves that the graph does not lead to, but a backward that ran inside one of its nodes does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from msgspec.structs import replace

from autograd_tour.record.facts import TensorFacts
from autograd_tour.record.graph import Edge
from autograd_tour.record.node import Node
from autograd_tour.tracer.assemble.edges import leaf_edges, slots_of
from autograd_tour.tracer.assemble.nodes import leaf_nodes, listed

__all__ = ["Assembled", "InnerLeaf", "inner_leaf_nodes", "with_inner_leaves"]


class Assembled(NamedTuple):
    """The structure of one Graph; ``ids`` are those of the skeleton's nodes, then of inner accumulators."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    ids: list[str]


class InnerLeaf(NamedTuple):
    """A leaf that got its gradient from a backward inside node ``parent`` of the skeleton."""

    parent: int
    facts: TensorFacts
    name: str


def with_inner_leaves(built: Assembled, inner: Sequence[InnerLeaf]) -> Assembled:
    """The same with these leaves, each right before the node that uses it.

    There is a forward edge from leaf to node, outside its slots. A gradient edge there is none: none of
    the node's own leads to the leaf.
    """
    if not inner:
        return built
    by_id = {node.id: node for node in built.nodes}
    ids, edges = list(built.ids), list(built.edges)
    leaves: dict[str, list[Node]] = {}
    names: dict[str, list[str]] = {}
    for position, item in enumerate(inner):
        parent = by_id[built.ids[item.parent]]
        leaf, accumulator = inner_leaf_nodes(len(built.nodes), position, item.facts, item.name)
        note = f"its gradient comes from a backward inside {parent.grad_fn}"
        leaves.setdefault(parent.id, []).extend((replace(leaf, notes=(note,)), accumulator))
        names.setdefault(parent.id, []).append(item.name or "a leaf without a name")
        edges += leaf_edges(leaf.id, accumulator.id)
        edges.append(Edge(leaf.id, parent.id, "forward", slots_of(0, -1)))
        ids.append(accumulator.id)
    nodes: list[Node] = []
    for node in built.nodes:
        if node.id in leaves:
            nodes += leaves[node.id]
            note = f"a backward inside adds to .grad of {listed(names[node.id], 3)}"
            node = replace(node, notes=(*node.notes, note))  # noqa: PLW2901
        nodes.append(node)
    return Assembled(tuple(nodes), tuple(edges), ids)


def inner_leaf_nodes(count: int, position: int, facts: TensorFacts | None, name: str) -> tuple[Node, Node]:
    """Leaf and accumulator of the inner leaf at ``position``, in a graph of ``count`` nodes without them.

    They are numbered last: the other nodes have the same ids whether a backward was heard or not.
    """
    number = count + 2 * position
    return leaf_nodes(f"n{number}", f"n{number + 1}", (facts,), name)
