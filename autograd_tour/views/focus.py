"""One part of a graph and its surroundings; all the rest is left out or folded."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from msgspec.structs import replace

from autograd_tour.errors import UsageError, suggestion
from autograd_tour.record.graph import Graph
from autograd_tour.record.node import Node
from autograd_tour.text import friendly_name
from autograd_tour.views.by_modules import paths_around
from autograd_tour.views.contract import operations_in
from autograd_tour.views.fold import fold

__all__ = ["called", "focus", "with_neighbours"]

MOST_LISTED = 30
"""Of more names than this only the closest is told."""


def focus(graph: Graph, name: str) -> Graph:
    """The nodes called ``name`` and their direct neighbours.

    ``name`` is a module path (all of the module), a variable or parameter, an operation as its card
    calls it or in short (``mul``), a grad_fn or a node id. It is folded if it does not fit one screen.
    Steps of backward keep the numbers that they have in the whole.

    Raises:
        UsageError: nothing has that name; the message has the closest ones.
    """
    chosen = called(graph, name)
    whole = replace(graph, passes=tuple(run.numbered for run in graph.passes))
    part = whole.only(with_neighbours(graph, chosen))
    left = sum(map(operations_in, graph.nodes)) - sum(map(operations_in, part.nodes))
    notes = graph.meta.notes
    if left:
        others = "1 other operation is" if left == 1 else f"{left} other operations are"
        notes = (*notes, f"focus on {name[:60]}: {others} not shown")
    return fold(replace(part, meta=replace(graph.meta, notes=notes)))


def called(graph: Graph, name: str) -> set[str]:
    """The ids of the nodes that are called ``name``; see :func:`focus`.

    Raises:
        UsageError: nothing has that name; the message has the closest ones.
    """
    chosen = {node.id for node in graph.nodes if _matches(node, name)}
    if not chosen:
        modules = sorted(_paths(graph.nodes))
        names = sorted({text for node in graph.nodes for text in _names(node)}.union(modules))
        few = modules or [graph.title(node.id) for node in graph.nodes if node.kind == "leaf"]
        hint = suggestion(name, names, MOST_LISTED)
        if few and not hint:
            hint = f"Some names in it: {', '.join(few[:8])}; the report (-f txt) has all"
        raise UsageError(f"nothing in this graph is called {name[:60]!r}", hint)
    return chosen


def with_neighbours(graph: Graph, ids: Collection[str]) -> set[str]:
    """``ids`` and what an edge joins them to. A leaf and its accumulator stay together."""
    around = set(ids)
    for edge in graph.edges:
        if edge.src in ids or edge.dst in ids:
            around |= {edge.src, edge.dst}
    pairs = {pair for node in around for pair in (graph.card_of(node), graph.accumulator_of(node)) if pair}
    return around | pairs


def _names(node: Node) -> Iterable[str]:
    if node.kind == "accumulate":
        return []
    called = friendly_name(node.grad_fn) if node.kind == "operation" else ""
    return [text for text in (node.id, node.op, called, node.grad_fn, *node.names) if text]


def _matches(node: Node, name: str) -> bool:
    return name in _names(node) or node.group == name or node.group.startswith(name + ".")


def _paths(nodes: Iterable[Node]) -> set[str]:
    groups = {node.group for node in nodes if node.group}
    return groups.union(*map(paths_around, groups))
