"""Parts where there are no modules: what a loop repeated, chains, and runs of the program's own order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from autograd_tour.record.graph import Graph
from autograd_tour.record.node import Node
from autograd_tour.text import friendly_name
from autograd_tour.views.contract import Title, operations_in
from autograd_tour.views.quotient import Pair, is_topological

__all__ = ["chains", "in_program_order", "inputs", "repeats", "runs"]

Parts = tuple[dict[str, str], dict[str, Title]]

SHORTEST_CHAIN = 4
FEWEST_REPEATS = 3
LONGEST_PERIOD = 400
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
    kinds: dict[tuple[object, ...], int] = {}
    signs = [kinds.setdefault((node.kind, node.grad_fn, node.where), len(kinds)) for node in order]
    parts: dict[str, str] = {}
    titles: dict[str, Title] = {}
    for start, stop, period in _stretches(signs):
        name = f"repeat {start}"
        titles[name] = _repeated(graph, order[start : start + period], (stop - start) // period)
        parts |= {node.id: name for node in order[start:stop]}
    return parts, titles


def _repeated(graph: Graph, unit: Sequence[Node], times: int) -> Title:
    called = [friendly_name(node.grad_fn) if node.kind == "operation" else node.op for node in unit]
    name = ", ".join(called) if len(called) <= 3 else f"{sum(map(operations_in, unit))} operations"
    return Title(f"{name} × {times}", notes=_lines(graph, unit))


def _lines(graph: Graph, members: Sequence[Node]) -> tuple[str, ...]:
    """Where in the program: ``lines 4–9 in cell()``, if that is one file."""
    lines = [graph.source[node.where] for node in members if node.where is not None]
    if not lines or len({line.file for line in lines}) > 1:
        return ()
    first, last = min(line.line for line in lines), max(line.line for line in lines)
    functions = {line.function for line in lines}
    within = f" in {functions.pop()}()" if len(functions) == 1 and lines[0].function.isidentifier() else ""
    return (f"line {first}{within}" if first == last else f"lines {first}–{last}{within}",)


def _stretches(signs: list[int]) -> list[tuple[int, int, int]]:
    """(start, stop, period), not overlapping, in order; each holds its period at least three times.

    Only those count that hold one operation in a hundred: less saves no cards.
    """
    last: dict[int, int] = {}
    gaps: Counter[int] = Counter()
    for i, sign in enumerate(signs):
        if sign in last:
            gaps[i - last[sign]] += 1
        last[sign] = i
    candidates: list[tuple[int, int, int]] = []
    for period, _ in gaps.most_common(8):
        if period > LONGEST_PERIOD:
            continue
        start = 0
        for i in range(period, len(signs) + 1):
            if i < len(signs) and signs[i] == signs[i - period]:
                continue
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
            same = len({member.grad_fn for member in run}) == 1
            several = f"chain of {len(run)} operations"
            text = f"{friendly_name(node.grad_fn)} × {len(run)}" if same else several
            titles[name] = Title(text, notes=_lines(graph, run))
            parts |= {member.id: name for member in run}
    return parts, titles


def runs(graph: Graph, pairs: list[Pair], count: int, *, everything: bool = False) -> Parts:
    """At most ``count`` parts: equal runs of the program's order. Such a run never makes a loop.

    With ``everything`` they hold all nodes, not operations alone.
    """
    order = in_program_order(graph, pairs)
    if everything:
        order = [node for node in graph.nodes if node.kind != "accumulate"]
    size = max(2, -(-len(order) // count))
    parts: dict[str, str] = {}
    titles: dict[str, Title] = {}
    for start in range(0, len(order), size):
        members = order[start : start + size]
        if len(members) > 1:
            name = f"run {start}"
            total = sum(map(operations_in, members))
            titles[name] = Title(f"{total} operations", notes=_lines(graph, members))
            parts |= {member.id: name for member in members}
    return parts, titles


def inputs(graph: Graph, pairs: list[Pair], *, alike: bool) -> Parts:
    """Leaves, and constants, as one part each; with ``alike`` only such as go to the same operations."""
    kinds = {node.id: node.kind for node in graph.nodes}
    entered = {user for _, user in pairs}
    users: dict[str, set[str]] = {}
    for maker, user in pairs:
        if kinds[maker] in ("leaf", "constant") and maker not in entered:
            users.setdefault(maker, set()).add(user)
    together: dict[tuple[object, ...], list[str]] = {}
    for node in graph.nodes:
        if node.kind in ("leaf", "constant") and node.id not in entered:
            key = frozenset(users.get(node.id, ())) if alike else ()
            together.setdefault((node.kind, key), []).append(node.id)
    parts: dict[str, str] = {}
    titles: dict[str, Title] = {}
    for (kind, _), members in together.items():
        if len(members) >= SHORTEST_CHAIN:
            name = f"inputs {len(titles)}"
            titles[name] = Title(f"{len(members)} {'leaves' if kind == 'leaf' else 'constants'}")
            parts |= dict.fromkeys(members, name)
    return parts, titles
