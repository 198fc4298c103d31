"""A large graph on one screen: modules, repeated blocks and long chains become cards.

Folding looks at the structure alone. It goes as deep into the modules as fits the screen; what has
no module is folded along its chains, and what is left in runs of the topological order (such a run
never makes a cycle).
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from autograd_tour.graph import Graph, Node
from autograd_tour.text import friendly_name
from autograd_tour.views.contract import Title, contract

__all__ = ["SCREEN", "fold", "visible"]

SCREEN = 40
"""So many cards are readable at once."""

SHORTEST_CHAIN = 4

_OPERATIONS = ("operation", "group")


def visible(graph: Graph) -> int:
    """How many cards a picture of ``graph`` has (a leaf and its accumulator are one)."""
    return sum(node.kind != "accumulate" for node in graph.nodes)


def fold(graph: Graph, depth: int | None = None, limit: int = SCREEN) -> Graph:
    """``graph`` with at most ``limit`` cards, or with modules folded at ``depth`` levels.

    A graph that fits is returned as it is, unless a depth is asked for. ``meta.notes`` says what
    was folded.
    """
    if depth is None and visible(graph) <= limit:
        return graph
    before = sum(node.kind == "operation" for node in graph.nodes)
    folded = _by_modules(graph, depth, limit)
    if depth is None and visible(folded) > limit:
        folded = _apply(folded, _chains(folded))
    if depth is None and visible(folded) > limit:
        folded = _apply(folded, _runs(folded, limit))
    cards = sum(node.kind == "group" for node in folded.nodes)
    if not cards:
        return folded
    inside = before - sum(node.kind == "operation" for node in folded.nodes)
    note = f"{inside} of {before} operations are folded into {cards} card{'s' * (cards != 1)}"
    return replace(folded, meta=replace(folded.meta, notes=(*folded.meta.notes, note)))


Parts = tuple[dict[str, str], dict[str, Title]]


def _apply(graph: Graph, parts: Parts) -> Graph:
    members, titles = parts
    return contract(graph, members, titles) if members else graph


def _with_inputs(graph: Graph, parts: dict[str, str]) -> dict[str, str]:
    """Leaves and constants that only one part uses go inside it."""
    kinds = {node.id: node.kind for node in graph.nodes}
    users: dict[str, set[str]] = {}
    for edge in graph.select("forward"):
        if kinds[edge.dst] != "accumulate" and kinds[edge.src] in ("leaf", "constant"):
            users.setdefault(edge.src, set()).add(parts.get(edge.dst, ""))
    alone = {node: found.pop() for node, found in users.items() if len(found) == 1}
    return parts | {node: part for node, part in alone.items() if part}


# ---- by modules ---------------------------------------------------------------------------


def _by_modules(graph: Graph, depth: int | None, limit: int) -> Graph:
    deepest = max((node.group.count(".") + 1 for node in graph.nodes if node.group), default=0)
    if not deepest:
        return graph
    best = graph
    for level in [depth] if depth is not None else range(1, deepest + 1):
        candidate = _apply(graph, _modules(graph, level))
        if depth is not None or level == 1 or visible(candidate) <= limit:
            best = candidate
        else:
            break
    return best


def _modules(graph: Graph, depth: int) -> Parts:
    types = {group.path: group.type for group in graph.groups}
    inside: dict[str, list[Node]] = {}
    for node in graph.nodes:
        if node.kind in _OPERATIONS and node.group:
            inside.setdefault(".".join(node.group.split(".")[:depth]), []).append(node)
    merged, titles = _repeats(graph, inside, types, depth)
    parts: dict[str, str] = {}
    sizes: dict[str, int] = {}
    for path, members in inside.items():
        part = merged.get(path, path)
        sizes[part] = sizes.get(part, 0) + len(members)
        for node in members:
            parts[node.id] = part
        titles.setdefault(part, Title(types.get(path, "") or path, path))
    parts = {node: part for node, part in parts.items() if sizes[part] > 1}
    return _with_inputs(graph, parts), titles


def _repeats(
    graph: Graph, inside: Mapping[str, list[Node]], types: Mapping[str, str], depth: int
) -> tuple[dict[str, str], dict[str, Title]]:
    """Neighbours ``h.0``, ``h.1``, … of one class that did the same operations are one part."""
    merged: dict[str, str] = {}
    titles: dict[str, Title] = {}
    rows: dict[str, list[tuple[int, str]]] = {}
    for path in inside:
        parent, _, last = path.rpartition(".")
        if last.isdigit():
            rows.setdefault(parent, []).append((int(last), path))
    for row in rows.values():
        row.sort()
        run: list[str] = []
        for number, (index, path) in enumerate(row):
            same = bool(run) and _alike(inside, types, run[-1], path) and index == row[number - 1][0] + 1
            if not same:
                _merge(run, types, merged, titles)
                run = []
            run.append(path)
        _merge(run, types, merged, titles)
    return merged, titles


def _alike(inside: Mapping[str, list[Node]], types: Mapping[str, str], a: str, b: str) -> bool:
    return types.get(a) == types.get(b) and [n.grad_fn for n in inside[a]] == [n.grad_fn for n in inside[b]]


def _merge(run: list[str], types: Mapping[str, str], merged: dict[str, str], titles: dict[str, Title]) -> None:
    if len(run) < 2:
        return
    part = f"{run[0]} … {run[-1].rpartition('.')[2]}"
    titles[part] = Title(f"{types.get(run[0], '') or 'block'} × {len(run)}", part)
    merged.update(dict.fromkeys(run, part))


# ---- without modules ----------------------------------------------------------------------


def _chains(graph: Graph) -> Parts:
    """Runs of operations in which each has one operation before and one behind it."""
    kinds = {node.id: node.kind for node in graph.nodes}
    before: dict[str, set[str]] = {}
    behind: dict[str, set[str]] = {}
    for edge in graph.select("forward"):
        if kinds[edge.src] in _OPERATIONS and kinds[edge.dst] in _OPERATIONS:
            before.setdefault(edge.dst, set()).add(edge.src)
            behind.setdefault(edge.src, set()).add(edge.dst)
    results = {node for node, _ in graph.outputs}
    nodes = graph.by_id()
    parts: dict[str, str] = {}
    titles: dict[str, Title] = {}
    run: list[Node] = []

    def finish() -> None:
        if len(run) >= SHORTEST_CHAIN:
            part = f"chain {len(titles)}"
            same = len({node.grad_fn for node in run}) == 1 and run[0].kind == "operation"
            called = friendly_name(run[0].grad_fn) if same else ""
            titles[part] = Title(f"{called} × {len(run)}" if same else f"chain of {len(run)} operations")
            parts.update((node.id, part) for node in run)
        run.clear()

    started: set[str] = set()
    for node in graph.nodes:
        if node.kind not in _OPERATIONS or node.id in started:
            continue
        current: Node | None = node
        while current is not None:
            started.add(current.id)
            run.append(current)
            nexts = behind.get(current.id, set())
            follower = next(iter(nexts)) if len(nexts) == 1 else ""
            linked = follower and len(before[follower]) == 1 and follower not in started
            linked = linked and current.id not in results and current.kind == "operation"
            linked = linked and nodes[follower].kind == "operation"
            current = nodes[follower] if linked else None
        finish()
    return _with_inputs(graph, parts), titles


def _runs(graph: Graph, limit: int) -> Parts:
    """Equal runs of the topological order, so few that all fit."""
    operations = [node for node in graph.nodes if node.kind in _OPERATIONS]
    others = visible(_apply(graph, _cut(graph, operations, 2))) - 2
    wanted = max(2, limit - max(others, 0))
    return _cut(graph, operations, wanted)


def _cut(graph: Graph, operations: list[Node], count: int) -> Parts:
    size = max(2, -(-len(operations) // count))
    parts: dict[str, str] = {}
    titles: dict[str, Title] = {}
    for start in range(0, len(operations), size):
        members = operations[start : start + size]
        if len(members) < 2:
            continue
        part = f"run {start}"
        total = sum(max(1, node.folded) for node in members)
        titles[part] = Title(f"{total} operations")
        parts.update((node.id, part) for node in members)
    return _with_inputs(graph, parts), titles
