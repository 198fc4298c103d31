"""What one statement of the program made, as one card: what has no name of its own goes inside."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile

from msgspec.structs import replace

from autograd_tour.record.graph import Graph, Group
from autograd_tour.record.node import Node
from autograd_tour.rules.titles import Expression, expression
from autograd_tour.views.fold import as_cards
from autograd_tour.views.homes import Title
from autograd_tour.views.naming import module_path
from autograd_tour.views.quotient import flow

__all__ = ["by_statements"]


def by_statements(graph: Graph, *, modules: bool = False, whole: bool = False) -> Graph:
    """``graph`` with a card for each line of the program and what it assigns: ``z``, ``kl``, ``loss``.

    An operation or a card whose result has no name and goes to operations of its own line stands in the
    card of these. What another module did stays as it is, unless ``modules`` joins those of a line:
    ``self.decoder(z)`` is one card then. With ``whole`` statements a layer called in
    one is inside its card.
    """
    pairs = flow(graph)
    nodes_by_id = graph.by_id()
    users: dict[str, set[str]] = {}
    for maker, user in pairs:
        users.setdefault(maker, set()).add(user)
    results = {node for node, _ in graph.outputs}
    last: dict[str, str] = {}
    for node in reversed(graph.nodes):
        if node.kind in ("operation", "group") and node.where is not None:
            last[node.id] = node.id
            if node.id not in results and not any(node.names):
                users_of = [last[user] for user in users.get(node.id, ()) if user in last]
                ends = {end for end in users_of if _together(node, nodes_by_id[end], modules, whole)}
                if len(ends) == 1:
                    (last[node.id],) = ends
    members: dict[str, list[Node]] = {}
    for node in graph.nodes:
        if node.id in last:
            members.setdefault(last[node.id], []).append(node)
    modules_whole = _modules(graph)
    titles: dict[str, Title] = {}
    for end_id, nodes in members.items():
        if len(nodes) > 1:
            end_node = graph.node(end_id)
            # Where room is short its variable says more of a long statement, unless that is one letter.
            brief = end_node.name if len(end_node.name) > 1 else end_node.brief
            module = modules_whole.get(frozenset(node.id for node in nodes))
            if module is not None:  # all that it did is one statement: it is called as it is elsewhere
                call = replace(end_node, brief="", expression="", call="")
                titles[end_id] = Title(module.type, module.path, call=call)
                continue
            title, path = _title(end_node), module_path(end_node)
            # What an expression heads is no module, even if its last call was one.
            function = end_node.call or (title.function or title.text if title else path)
            call = replace(end_node, brief=brief, call=function)
            text = title.title() if title else f"{path}(…)" if path else graph.title(end_id)
            titles[end_id] = Title(text, _around(nodes), call=call)
    parts = {node.id: end_id for end_id, nodes in members.items() if end_id in titles for node in nodes}
    return as_cards(graph, parts, titles, pairs, None) if parts else graph


def _modules(graph: Graph) -> dict[frozenset[str], Group]:
    """What each module did, its parts included, as a set of nodes -> the module, the outermost of several."""
    members: dict[str, set[str]] = {}
    for node in graph.nodes:
        if node.kind in ("operation", "group") and node.group:
            parts = node.group.split(".")
            for count in range(1, len(parts) + 1):
                members.setdefault(".".join(parts[:count]), set()).add(node.id)
    groups = sorted(graph.groups, key=lambda group: -len(group.path))
    return {frozenset(members[group.path]): group for group in groups if group.type and group.path in members}


def _title(end: Node) -> Expression | None:
    """What heads a card instead of the layer at its end: ``net(x)``; ``None`` if no layer ends it."""
    layer = end.kind == "group" and not end.call
    return expression(end.expression) if layer and end.expression else None


def _around(nodes: Sequence[Node]) -> str:
    """The innermost module that all of them are in: what several layers made is not of the last one."""
    levels = zip(*(node.group.split(".") for node in nodes), strict=False)
    return ".".join(names[0] for names in takewhile(lambda names: len(set(names)) == 1, levels))


def _together(node: Node, end: Node, modules: bool, whole: bool) -> bool:
    if node.where != end.where or whole:
        return node.where == end.where
    return node.group == end.group or (modules and bool(node.group and end.group))
