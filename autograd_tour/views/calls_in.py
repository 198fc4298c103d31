"""Which operations of a graph one call in the program made."""

from __future__ import annotations

from collections.abc import Collection

from autograd_tour.record.graph import Graph
from autograd_tour.record.node import Node
from autograd_tour.rules.titles import expression
from autograd_tour.views.quotient import Pair

__all__ = ["calls_in"]


def calls_in(graph: Graph, pairs: list[Pair], functions: Collection[str] = ()) -> dict[str, str]:
    """Operation -> the operation that made the result of its call, or one of its results.

    ``functions``: calls of these alone; of all if there are none.
    """
    keys = {
        node.id: (node.group, node.where, node.expression)
        for node in graph.nodes
        if node.kind == "operation" and node.where is not None and node.expression
        if not functions or node.call in functions
    }
    users: dict[str, list[str]] = {}
    for maker, user in pairs:
        if maker in keys and keys[maker] == keys.get(user):
            users.setdefault(maker, []).append(user)
    joined: dict[str, str] = {}

    def call_of(node: str) -> str:
        while joined[node] != node:
            joined[node] = joined[joined[node]]
            node = joined[node]
        return node

    for node in reversed(graph.nodes):
        if node.id in keys:
            joined[node.id] = node.id
            # What has the title of the whole expression is a result: in a loop the next round uses it.
            calls = {call_of(user) for user in users.get(node.id, ())} if not _is_result(node) else set()
            named = sorted(calls, key=lambda last: (not _is_result(graph.node(last)), last))
            joined |= dict.fromkeys([node.id, *named], named[0] if named else node.id)
    return {node: call_of(node) for node in joined}


def _is_result(node: Node) -> bool:
    whole = expression(node.expression)
    return whole is not None and whole.title() == node.op
