"""What one call in the program made, as one card: a layer with its parameters, a loss of two operations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec.structs import replace

from autograd_tour.record.graph import Graph
from autograd_tour.record.node import Node
from autograd_tour.views.calls_in import calls_in
from autograd_tour.views.extents import extents
from autograd_tour.views.fold import as_cards
from autograd_tour.views.homes import Title
from autograd_tour.views.quotient import Pair, flow

__all__ = ["by_calls"]

Call = tuple[str, int, str]
"""A module's path, a line of the program and an expression there: what the operations of a call share."""


def by_calls(graph: Graph) -> Graph:
    """``graph`` with a card for each call of the program that made several nodes, or that is a module.

    A module's card holds the parameters and buffers that nothing else uses, and its title is the path and the
    class. Only what one expression made is put together; a call that ran again has a card of its own.
    """
    pairs = flow(graph)
    calls = calls_in(graph, pairs)
    members: dict[str, list[Node]] = {}
    for node in graph.nodes:  # by the operation with the result
        if node.id in calls:
            members.setdefault(calls[node.id], []).append(node)
    modules = dict(_modules(graph))
    own = _own(graph, pairs, calls, members, modules)
    titles: dict[str, Title] = {}
    for last, nodes in members.items():
        module = modules.get(nodes[0].group, "")
        if module:
            result = graph.node(last)
            title = f"{module}{extents(nodes, [graph.node(node) for node in own.get(last, ())])}"
            titles[last] = Title(title, result.group, call=replace(result, brief="", call=""))
        elif len(nodes) > 1:
            result = graph.node(last)
            titles[last] = Title(graph.title(last), result.group, call=result)
    parts = {node.id: last for last, nodes in members.items() if last in titles for node in nodes}
    parts |= {node: last for last, nodes in own.items() for node in nodes}
    return as_cards(graph, parts, titles, pairs, None) if parts else graph


def _modules(graph: Graph) -> Iterator[tuple[str, str]]:
    """Path and class of each module whose operations one expression made, without others inside it."""
    expressions: dict[str, set[tuple[int | None, str]]] = {}
    outer: set[str] = set()
    for node in graph.nodes:
        if node.kind in ("operation", "group") and node.group:
            expressions.setdefault(node.group, set()).add((node.where, node.expression))
            outer.update(_around(node.group))
    for group in graph.groups:
        single = len(expressions.get(group.path, ())) == 1
        if group.type and single and group.path not in outer:
            yield group.path, group.type


def _around(path: str) -> Iterator[str]:
    while "." in path:
        path = path.rpartition(".")[0]
        yield path


def _own(
    graph: Graph,
    pairs: list[Pair],
    calls: Mapping[str, str],
    members: Mapping[str, list[Node]],
    modules: Mapping[str, str],
) -> dict[str, list[str]]:
    """Last operation of a module's call -> the parameters and buffers that only this call uses."""
    results = {node for node, _ in graph.outputs}
    users: dict[str, set[str]] = {}
    for maker, user in pairs:
        if graph.node(maker).kind in ("leaf", "constant"):
            users.setdefault(maker, set()).add(calls.get(user, ""))
    own: dict[str, list[str]] = {}
    for node, uses in users.items():
        last = next(iter(uses))
        if len(uses) > 1 or not last or node in results:
            continue
        path = members[last][0].group
        if path in modules and graph.node(node).name.startswith(f"{path}."):
            own.setdefault(last, []).append(node)
    return own
