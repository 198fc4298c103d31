"""Parts where there are no modules: turns of a loop, chains, lines, and runs of the program's own order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby

from autograd_tour.record.graph import Graph
from autograd_tour.record.node import Node
from autograd_tour.rules.titles import expression
from autograd_tour.text import one_line
from autograd_tour.views.contents import contents, lines_of
from autograd_tour.views.homes import Title
from autograd_tour.views.quotient import Pair, is_topological

__all__ = ["chains", "in_program_order", "inputs", "lines", "repeats", "runs", "turns"]

Parts = tuple[dict[str, str], dict[str, Title]]

SHORTEST_CHAIN = 4
FEWEST_REPEATS = 3
LONGEST_PERIOD = 400
LONG_LINE = 3
"""A line of the program that made so many operations is one card."""
LONGEST_TITLE = 60
"""Characters of a line that is a title."""
LONG_RUN = 4
"""Runs of the program's order have at least so many operations: pairs tell nobody anything."""
SHORT_TURN = 12
"""The first and the last turn of a loop of so many operations are shown piece by piece."""
FEWEST_TURNS = 4
"""A loop of fewer turns is one card."""
_OPERATIONS = ("operation", "group")


def in_program_order(graph: Graph, pairs: list[Pair]) -> list[Node]:
    """The operations as the program ran them, as far as the record tells.

    The engine runs the youngest node first, so its order backwards is that of the program. Where it
    is not known for every node, the order of ``graph.nodes`` serves.
    """
    operations = [node for node in graph.nodes if node.kind in _OPERATIONS]
    if not all(node.id in graph.steps for node in operations):
        return operations
    ordered = sorted(operations, key=lambda node: -graph.steps[node.id][0])
    right = is_topological([node.id for node in ordered], _through_cuts(graph, pairs))
    return ordered if right else operations


def _through_cuts(graph: Graph, pairs: list[Pair]) -> Iterator[Pair]:
    """The pairs, and those that a constant hides: its maker comes before its users."""
    constants = {node.id for node in graph.nodes if node.kind == "constant"}
    makers = {user: maker for maker, user in pairs if user in constants}
    for maker, user in pairs:
        yield makers.get(maker, maker), user


def repeats(graph: Graph, pairs: list[Pair]) -> Parts:
    """What a loop did again and again: the longest stretches of the order that repeat themselves."""
    order = in_program_order(graph, pairs)
    parts: dict[str, str] = {}
    titles: dict[str, Title] = {}
    for start, stop, period in _stretches(_signs(order)):
        begin, count = _first_turn(graph, order, start, stop, period)
        if count >= FEWEST_TURNS and order[begin].where is not None and _is_loop(order, begin, period, count):
            middle = f"… {count - 2} turns"
            stages = [("first turn", 0, 1), (middle, 1, count - 1), ("last turn", count - 1, count)]
        else:
            begin, count = start, (stop - start) // period
            stages = [(f"{contents(order[start : start + period])} × {count}", 0, count)]
        for title, first, last in stages:
            if last - first == 1 and period <= SHORT_TURN:
                continue  # the first and the last turn are seen as they are
            members = order[begin + first * period : begin + last * period]
            name = f"repeat {begin} {first}"
            titles[name] = Title(title, notes=lines_of(graph, members))
            parts.update(dict.fromkeys([node.id for node in members], name))
    return parts, titles


def turns(graph: Graph, pairs: list[Pair], count: int) -> Parts:
    """At most ``count`` parts of whole turns, if ``graph`` is nothing but a loop."""
    order = in_program_order(graph, pairs)
    parts: dict[str, str] = {}
    titles: dict[str, Title] = {}
    if len({(node.group, node.scope) for node in order}) > 1:
        return parts, titles  # modules and functions are what it is made of
    for start, stop, period in _stretches(_signs(order)):
        if period == 1 or stop - start + period <= len(order):
            continue
        begin, total = _first_turn(graph, order, start, stop, period)
        if not _is_loop(order, begin, period, total):
            continue
        size = -(-total // count)
        for first in range(0, total, size):
            several = min(size, total - first)
            members = order[begin + first * period : begin + (first + several) * period]
            name = f"turns {first}"
            titles[name] = Title(f"{several} turn{'s' * (several != 1)}", notes=lines_of(graph, members))
            parts |= {node.id: name for node in members}
    return parts, titles


def _signs(order: Sequence[Node]) -> list[int]:
    """Equal numbers for operations of one kind that one line made."""
    kinds: dict[tuple[object, ...], int] = {}
    return [kinds.setdefault((node.kind, node.grad_fn, node.where), len(kinds)) for node in order]


def _first_turn(graph: Graph, order: Sequence[Node], start: int, stop: int, period: int) -> tuple[int, int]:
    """Where the first whole turn of a loop begins, and how many there are: at its line highest up."""

    def line(i: int) -> int:
        where = order[i].where
        return graph.source[where].line if where is not None else 0

    begins = [
        i for i in range(start, start + period) if line(i) < line(i - 1 if i > start else i + period - 1)
    ]
    begin = min(begins, key=lambda i: (line(i), i), default=start)
    return begin, (stop - begin) // period


def _is_loop(order: Sequence[Node], begin: int, period: int, count: int) -> bool:
    """Whether the program went round: a sum of like terms in one line is none, as its expressions tell."""
    if len({node.where for node in order[begin : begin + period]}) > 1:
        return True
    turns = [order[begin + k * period : begin + (k + 1) * period] for k in range(count)]
    return period > 1 and len({tuple(node.expression or node.op for node in turn) for turn in turns}) == 1


def _stretches(signs: list[int]) -> list[tuple[int, int, int]]:
    """(start, stop, period), not overlapping, in order; each holds its period at least three times.

    Only those count that hold one operation in a hundred: less saves no cards.
    """
    last: dict[int, int] = {}
    gaps: list[int] = []
    for i, sign in enumerate(signs):
        if sign in last:
            gaps.append(i - last[sign])
        last[sign] = i
    candidates: list[tuple[int, int, int]] = []
    for period, _ in Counter(gaps).most_common(8):
        if period > LONGEST_PERIOD:
            continue
        start = 0
        breaks = [i for i, (a, b) in enumerate(zip(signs[period:], signs, strict=False), period) if a != b]
        for i in (*breaks, len(signs)):
            times = (i - start) // period
            if times >= FEWEST_REPEATS and times * period >= max(SHORTEST_CHAIN, len(signs) // 100):
                candidates.append((start, start + times * period, period))
            start = i - period + 1
    taken = bytearray(len(signs))
    chosen = []
    for start, stop, period in sorted(candidates, key=lambda item: (item[0] - item[1], item[2], item[0])):
        if not (taken[start] or taken[stop - 1] or any(taken[start:stop])):
            taken[start:stop] = b"\1" * (stop - start)
            chosen.append((start, stop, period))
    return sorted(chosen)


def chains(graph: Graph, pairs: list[Pair]) -> Parts:
    """Operations in which each has one operation before and one behind it."""
    nodes = graph.by_id()
    before: dict[str, set[str]] = {}
    behind: dict[str, set[str]] = {}
    for maker, user in pairs:
        if nodes[maker].kind in _OPERATIONS and nodes[user].kind in _OPERATIONS:
            before.setdefault(user, set()).add(maker)
            behind.setdefault(maker, set()).add(user)
    results = {node for node, _ in graph.outputs}
    parts: dict[str, str] = {}
    titles: dict[str, Title] = {}
    started: set[str] = set()
    for node in graph.nodes:
        if node.kind != "operation" or node.id in started:
            continue
        run = [node]
        started.add(node.id)
        while run[-1].id not in results and len(nexts := behind.get(run[-1].id, set())) == 1:
            (follower,) = nexts
            if len(before[follower]) > 1 or follower in started or nodes[follower].kind != "operation":
                break
            started.add(follower)
            run.append(nodes[follower])
        if len(run) >= SHORTEST_CHAIN:
            name = f"chain {len(titles)}"
            titles[name] = Title(contents(run, chain=True), notes=lines_of(graph, run))
            parts.update(dict.fromkeys([member.id for member in run], name))
    return parts, titles


def lines(graph: Graph, pairs: list[Pair]) -> Parts:
    """What one line of the program did at one time, if that is several operations, by what it made last."""
    parts: dict[str, str] = {}
    titles: dict[str, Title] = {}
    for number, (where, group) in enumerate(groupby(in_program_order(graph, pairs), key=_line)):
        members = list(group)
        if where is not None and len(members) >= LONG_LINE and all(m.kind == "operation" for m in members):
            name = f"line {number}"
            text = graph.source[members[0].where or 0].text
            whole = expression(text)  # a long statement is shortened at its own seams
            text = whole.title(LONGEST_TITLE) if whole else one_line(text, LONGEST_TITLE)
            titles[name] = Title(text or graph.title(members[-1].id), notes=lines_of(graph, members))
            parts |= {node.id: name for node in members}
    return parts, titles


def _line(node: Node) -> object:
    return None if node.where is None else (node.where, node.scope, node.group)


def runs(graph: Graph, pairs: list[Pair], count: int, *, everything: bool = False) -> Parts:
    """At most ``count`` parts: equal runs of the program's order. Such a run never makes a loop.

    With ``everything`` they hold all nodes, not operations alone.
    """
    order = in_program_order(graph, pairs)
    if everything:
        order = [node for node in graph.nodes if node.kind != "accumulate"]
    size = max(LONG_RUN, -(-len(order) // count))
    parts: dict[str, str] = {}
    titles: dict[str, Title] = {}
    for start in range(0, len(order), size):
        members = order[start : start + size]
        if len(members) > 1:
            name = f"run {start}"
            where = lines_of(graph, members)
            titles[name] = Title(where[0] if where else contents(members))
            parts |= {node.id: name for node in members}
    return parts, titles


def inputs(graph: Graph, pairs: list[Pair], *, alike: bool = True, fewest: int = SHORTEST_CHAIN) -> Parts:
    """Leaves, and constants, as one part each; with ``alike`` only such as go to the same operations."""
    nodes = {node.id: node for node in graph.nodes if node.kind in ("leaf", "constant")}
    entered: set[str] = set()
    users: dict[str, set[str]] = {}
    for maker, user in pairs:  # there may be a million, and few inputs
        if maker in nodes:
            users.setdefault(maker, set()).add(user)
        if user in nodes:
            entered.add(user)
    together: dict[tuple[object, ...], list[str]] = {}
    for node in nodes.values():
        if node.id not in entered:
            key = frozenset(users.get(node.id, ())) if alike else ()
            together.setdefault((node.kind, key), []).append(node.id)
    parts: dict[str, str] = {}
    titles: dict[str, Title] = {}
    for (kind, _), members in together.items():
        if len(members) >= fewest:
            name = f"inputs {len(titles)}"
            first, last = nodes[members[0]].name, nodes[members[-1]].name
            count = f"{len(members)} {'leaves' if kind == 'leaf' else 'constants'}"
            titles[name] = Title(f"{first} … {last}", notes=(count,)) if first and last else Title(count)
            parts |= dict.fromkeys(members, name)
    return parts, titles
