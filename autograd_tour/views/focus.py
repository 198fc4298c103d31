"""One part of a graph and its surroundings; all the rest is left out or folded."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from msgspec.structs import replace

from autograd_tour.errors import UsageError, suggestion
from autograd_tour.record.graph import Graph
from autograd_tour.record.node import Node
from autograd_tour.text import friendly_name
from autograd_tour.views.fold import as_cards, fold
from autograd_tour.views.homes import Homes, Title, operations_in
from autograd_tour.views.quotient import Pair, flow
from autograd_tour.views.units import Units, paths_around
from autograd_tour.views.wording import elements

__all__ = ["called", "focus", "with_neighbours"]

FEW = 4
"""So many values of one variable are cards of their own."""
MOST_VALUES = 60
"""Of more values of one variable the first and the last are told."""
MOST_LISTED = 30
"""Of more names than this only the closest is told."""


def focus(graph: Graph, name: str) -> Graph:
    """The nodes called ``name`` and their direct neighbours.

    ``name`` is a module path (all of the module), a variable or parameter, an operation as its card
    calls it or in short (``mul``), a grad_fn, a node id, or one call of a module or function (``block[2]``)
    as :func:`~autograd_tour.views.opening.with_open` knows it. A variable that a loop binds again and
    again is one card with all its values, and what lies between them is in it. The part is folded if it does
    not fit one screen. Steps of backward keep the numbers that they have in the whole.

    Raises:
        UsageError: nothing has that name; the message has the closest ones.
    """
    chosen = called(graph, name)
    graph = replace(graph, passes=tuple(run.numbered for run in graph.passes))
    operations = (node for node in graph.nodes if node.id in chosen and node.kind == "operation")
    values = [node for node in operations if name in node.names]
    if len(values) > FEW:
        graph, chosen = _as_one(graph, name, values)
    part = graph.only(with_neighbours(graph, chosen))
    left = sum(map(operations_in, graph.nodes)) - sum(map(operations_in, part.nodes))
    notes = graph.meta.notes
    if left:
        others = "1 other operation is" if left == 1 else f"{left} other operations are"
        notes = (*notes, f"focus on {name[:60]}: {others} not shown")
    return fold(replace(part, meta=replace(graph.meta, notes=notes)))


def _as_one(graph: Graph, name: str, values: Sequence[Node]) -> tuple[Graph, set[str]]:
    """``graph`` with ``values``, which the program called ``name`` one after the other, as one card."""
    pairs = flow(graph)
    ids = {node.id for node in values}
    between = _reached(ids, pairs) & _reached(ids, [(user, maker) for maker, user in pairs])
    kinds = {node.id: node.kind for node in graph.nodes}
    inside = {node for node in between if kinds[node] in ("operation", "constant", "group")}
    lines = [_value(graph, name, number, node) for number, node in enumerate(values)]
    if len(lines) > MOST_VALUES:
        half = MOST_VALUES // 2
        lines = [*lines[:half], f"… {len(lines) - 2 * half} more", *lines[-half:]]
    homes = Homes()
    title = Title(f"{name} × {len(values)}", notes=tuple(lines))
    folded = as_cards(graph, dict.fromkeys(inside, "values"), {"values": title}, pairs, homes)
    return folded, {homes.card[node] for node in ids}


def _reached(start: set[str], pairs: Iterable[Pair]) -> set[str]:
    """``start`` and all that the pairs lead to from there."""
    behind: dict[str, list[str]] = {}
    for a, b in pairs:
        behind.setdefault(a, []).append(b)
    reached, waiting = set(start), list(start)
    while waiting:
        for node in behind.get(waiting.pop(), ()):
            if node not in reached:
                reached.add(node)
                waiting.append(node)
    return reached


def _value(graph: Graph, name: str, number: int, node: Node) -> str:
    """``pos[3] = 0.9701, grad −2.1``: one of the values, and the gradient that came to it."""
    slot = node.names.index(name)
    facts = node.values[slot] if slot < len(node.values) else None
    _, step = graph.step(node.id)
    grad = step.received[slot] if step is not None and slot < len(step.received) else None
    text = f"{name}[{number}] = {elements(facts) if facts is not None else '?'}"
    return f"{text}, grad {elements(grad)}" if grad is not None else text


def called(graph: Graph, name: str) -> set[str]:
    """The ids of the nodes that are called ``name``; see :func:`focus`.

    Raises:
        UsageError: nothing has that name; the message has the closest ones.
    """
    chosen = {node.id for node in graph.nodes if _matches(node, name)}
    if chosen:
        return chosen
    units = Units(graph)
    chosen = _in_call(graph, units, name)
    if not chosen:
        modules = sorted(_paths(graph.nodes))
        calls = {units.name(unit) for unit in units.told_apart}
        names = sorted({text for node in graph.nodes for text in _names(node)}.union(modules, calls))
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


def _in_call(graph: Graph, units: Units, name: str) -> set[str]:
    """The nodes that were made in a call of a module or function called ``name``."""
    calls = units.called(name, units.told_apart)
    homes = {(node.group, node.scope) for node in graph.nodes if node.scope is not None} if calls else ()
    inside = {home for home in homes if not calls.isdisjoint(units.chain(home))}
    return {node.id for node in graph.nodes if (node.group, node.scope) in inside}


def _paths(nodes: Iterable[Node]) -> set[str]:
    groups = {node.group for node in nodes if node.group}
    return groups.union(*map(paths_around, groups))
