"""The order of a folded graph: which cards lie on a loop, and how to take a loop apart."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence

from autograd_tour.record.graph import Graph

__all__ = ["flow", "is_topological", "loops_between", "on_loops", "split_loops", "topological"]

Pair = tuple[str, str]


def flow(graph: Graph) -> list[Pair]:
    """(maker, user) for every edge, forward and gradient alike, once each; accumulators left out."""
    skipped = {node.id for node in graph.nodes if node.kind == "accumulate"}
    leaf_of = graph.leaves
    pairs: dict[Pair, None] = {}
    for edge in graph.edges:
        maker, user, kind = edge.src, edge.dst, edge.kind
        if kind == "saved" or maker in skipped:
            continue
        if kind == "gradient":
            maker, user = leaf_of.get(user, user), maker
        if maker not in skipped and user not in skipped:
            pairs[maker, user] = None
    return list(pairs)


def loops_between(pairs: Iterable[Pair], parts: Mapping[str, str]) -> dict[str, int]:
    """The parts, and what is in none, that lie on a loop, see :func:`on_loops`."""
    part_of = parts.get
    between: dict[Pair, None] = {}
    for maker, user in pairs:
        a, b = part_of(maker, maker), part_of(user, user)
        if a != b:  # of a million few are left
            between[a, b] = None
    return on_loops(between)


def is_topological(order: Sequence[str], pairs: Iterable[Pair]) -> bool:
    """Whether in ``order`` no user comes before its maker (pairs outside of it do not count)."""
    position = {item: i for i, item in enumerate(order)}
    return all(position[a] < position[b] for a, b in pairs if a in position and b in position)


def topological(order: Sequence[str], pairs: Iterable[Pair]) -> list[str]:
    """``order``, changed where a user came before its maker; a loop is cut at its earliest item."""
    position = {item: i for i, item in enumerate(order)}
    users, waiting = _tables(order, pairs)
    ready = [position[item] for item in order if not waiting[item]]
    heapq.heapify(ready)
    result: list[str] = []
    done: set[str] = set()
    rest = iter(order)
    while len(result) < len(order):
        if not ready:
            ready.append(position[next(item for item in rest if item not in done)])
        item = order[heapq.heappop(ready)]
        if item in done:
            continue
        done.add(item)
        result.append(item)
        for user in users[item]:
            waiting[user] -= 1
            if not waiting[user] and user not in done:
                heapq.heappush(ready, position[user])
    return result


def _tables(order: Sequence[str], pairs: Iterable[Pair]) -> tuple[dict[str, list[str]], dict[str, int]]:
    users: dict[str, list[str]] = {item: [] for item in order}
    waiting = dict.fromkeys(order, 0)
    for maker, user in dict.fromkeys(pairs):
        if maker != user and maker in users and user in users:
            users[maker].append(user)
            waiting[user] += 1
    return users, waiting


def on_loops(pairs: Iterable[Pair]) -> dict[str, int]:
    """Every item that lies on a loop -> the number of its strongly connected component (Tarjan)."""
    users: dict[str, list[str]] = {}
    for maker, used in dict.fromkeys(pairs):
        if maker != used:
            users.setdefault(maker, []).append(used)
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    open_: set[str] = set()
    component_of: dict[str, int] = {}
    for root, first in users.items():
        if root in index:
            continue
        work: list[tuple[str, Iterator[str]]] = [(root, iter(first))]
        index[root] = low[root] = len(index)
        stack.append(root)
        open_.add(root)
        while work:
            item, remaining = work[-1]
            user = next(remaining, None)
            if user is None:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[item])
                if low[item] == index[item]:
                    _close(item, stack, open_, component_of)
            elif user not in index:
                index[user] = low[user] = len(index)
                stack.append(user)
                open_.add(user)
                work.append((user, iter(users.get(user, ()))))
            elif user in open_:
                low[item] = min(low[item], index[user])
    return component_of


def _close(item: str, stack: list[str], open_: set[str], component_of: dict[str, int]) -> None:
    component = []
    while True:
        last = stack.pop()
        open_.discard(last)
        component.append(last)
        if last == item:
            break
    if len(component) > 1:
        number = len(component_of)
        component_of.update(dict.fromkeys(component, number))


def split_loops(
    order: Sequence[str], pairs: Sequence[Pair], parts: Mapping[str, str]
) -> dict[str, tuple[str, int]]:
    """Every item of ``parts`` -> (its part, a number), such that these pairs make no loop.

    ``order`` is topological. An item of a part on a loop gets one number more for each time the way
    to it leaves a card of that loop, so the two uses of one module come apart.
    """
    loops = loops_between(pairs, parts)
    if not loops:
        whole = {part: (part, 0) for part in set(parts.values())}
        return {item: whole[part] for item, part in parts.items()}
    makers: dict[str, list[str]] = {}
    users: dict[str, list[str]] = {}
    for maker, user in pairs:
        if loops.get(parts.get(maker, maker), -1) == loops.get(parts.get(user, user), -2):
            makers.setdefault(user, []).append(maker)
            users.setdefault(maker, []).append(user)

    def apart(a: str, b: str) -> bool:
        return parts.get(a, a) != parts.get(b, b)

    level: dict[str, int] = {}
    free: set[str] = set()  # what needs nothing of the loop, like the transpose of a weight
    for item in order:
        before = makers.get(item, [])
        level[item] = max((level.get(maker, 0) + apart(maker, item) for maker in before), default=0)
        if all(maker in free for maker in before):
            free.add(item)
    for item in reversed(order):
        if item in free and item in users:  # it goes where it is used first
            level[item] = min(level[user] - apart(item, user) for user in users[item])
    return {item: (part, level.get(item, 0)) for item, part in parts.items()}
