"""A large graph on one screen: modules, functions, repeated blocks and long chains become cards.

Folding looks at the structure alone. It goes as deep into modules and functions as fits the screen, and
blocks that repeat themselves stay folded. What has neither is folded where a loop repeated itself, then
along its chains, by the lines of the program, and what is left in runs of its order. No way of folding makes
a loop. What comes from outside, the program's inputs, stays in sight.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping

from msgspec.structs import replace

from autograd_tour.record.graph import Graph
from autograd_tour.record.node import Node
from autograd_tour.views import by_order
from autograd_tour.views.by_modules import Modules
from autograd_tour.views.calls_in import calls_in
from autograd_tour.views.contract import contract
from autograd_tour.views.homes import Homes, Title, operations_in
from autograd_tour.views.pause import collector_paused
from autograd_tour.views.quotient import Pair, flow, loops_between, split_loops
from autograd_tour.views.units import Units

__all__ = ["MORE", "SCREEN", "as_cards", "composites", "fold", "inputs_alike", "noted", "visible"]

SCREEN = 40
"""So many cards are readable at once."""

MORE = 1.5
"""So many times more are better than cards of operations that have nothing in common."""

SEVERAL = 3
"""So many inputs of one name are one card."""

CROWD = 13
"""So many leaves that go to the same place would make a row that no screen has room for."""

Parts = tuple[dict[str, str], dict[str, Title]]


def visible(graph: Graph) -> int:
    """How many cards a picture of ``graph`` has (a leaf and its accumulator are one)."""
    return len(graph.nodes) - [node.kind for node in graph.nodes].count("accumulate")


@collector_paused()
def fold(
    graph: Graph,
    depth: int | None = None,
    limit: int = SCREEN,
    *,
    rows: bool = True,
    runs: bool = True,
    calls: bool = True,
    homes: Homes | None = None,
    opened: Collection[str] = (),
    apart: Collection[str] = (),
) -> Graph:
    """``graph`` with at most ``limit`` cards, or with modules folded at ``depth`` levels.

    A graph that fits is returned as it is, unless a depth is asked for. Where there are no modules a
    depth changes nothing. ``meta.folding`` says what was folded. ``rows`` makes equal neighbours one card;
    without ``runs`` what has no module, loop or chain stays in sight, also where that is more than ``limit``;
    ``homes`` is told which node went into which card. The units ``opened`` stay open, and those ``apart`` are
    in no row; see :func:`autograd_tour.views.opening.with_open`. What an einsum is made of is one card at
    any size, but not without ``calls``.
    """
    graph = composites(graph, homes) if calls else graph
    if depth is None and visible(graph) <= limit:
        pairs = flow(graph) if _crowded(graph) else []
        return noted(_apply(graph, by_order.inputs(graph, pairs, fewest=CROWD), pairs, limit, homes))
    pairs = flow(graph)
    modules = Modules(graph, pairs, rows=rows, opened=opened, apart=apart) if _has_units(graph) else None
    deepest = modules.deepest if modules is not None else 0
    if depth is not None and modules is not None and deepest:
        return noted(_apply(graph, modules.parts(depth), pairs, limit, homes))
    folded = graph
    if modules is not None and deepest:
        folded = _apply(folded, _deepest_that_fits(graph, modules, pairs, limit), pairs, limit, homes)
    for stage in (by_order.inputs, by_order.repeats, by_order.chains, by_order.lines):
        if visible(folded) > limit:
            pairs = pairs if folded is graph else flow(folded)
            folded = _apply(folded, stage(folded, pairs), pairs, limit, homes, every_leaf=True)
    if runs and visible(folded) > limit * MORE:
        folded = _runs(folded, limit, homes)
    if depth is not None:
        note = "the program has no modules or functions to fold, so a depth changes nothing"
        folded = replace(folded, meta=replace(folded.meta, notes=(*folded.meta.notes, note)))
    return noted(folded)


def _has_units(graph: Graph) -> bool:
    """Whether anything was made in a module or a function: of a bare structure, maybe large, nothing was."""
    return any(node.group or node.scope is not None for node in graph.nodes)


COMPOSITES = frozenset({"einsum"})
"""Functions of one idea that torch makes many small operations of."""


def composites(graph: Graph, homes: Homes | None = None) -> Graph:
    """``graph`` with each call of :data:`COMPOSITES` that made several operations as one card."""
    if not any(node.call in COMPOSITES and node.kind == "operation" for node in graph.nodes):
        return graph
    pairs = flow(graph)
    calls = calls_in(graph, pairs, COMPOSITES)
    sizes = Counter(calls.values())
    parts = {node: last for node, last in calls.items() if sizes[last] > 1}
    titles = {
        last: Title(graph.title(last), graph.node(last).group, call=graph.node(last), whole=True)
        for last in set(parts.values())
    }
    return noted(as_cards(graph, parts, titles, pairs, homes)) if parts else graph


def noted(graph: Graph) -> Graph:
    """``graph`` with a remark on what is folded in it by now."""
    cards = sum(node.kind == "group" and operations_in(node) > 0 for node in graph.nodes)
    if not cards:
        return graph
    total = sum(map(operations_in, graph.nodes))
    inside = sum(operations_in(node) for node in graph.nodes if node.kind == "group")
    note = f"{inside} of {total} operations are folded into {cards} card{'s' * (cards != 1)}"
    return replace(graph, meta=replace(graph.meta, folding=note))


def _apply(
    graph: Graph,
    parts: Parts,
    pairs: list[Pair],
    limit: int,
    homes: Homes | None,
    *,
    every_leaf: bool = False,
) -> Graph:
    """The parts as cards. While they fit, leaves of several operations stay in sight, or every leaf.

    A module's own parameters do not: its card counts them.
    """
    members, titles = parts
    if not members:
        return graph
    inside = _with_inputs(graph, members, titles, pairs)
    del parts, members  # with a million nodes each table counts
    leaves = {node.id for node in graph.nodes if node.kind == "leaf"}
    uses = Counter([maker for maker, _ in pairs if maker in leaves])
    if not every_leaf:
        leaves -= _own_parameters(graph, inside, titles)
    for fewest in (1, 2) if every_leaf else (2,):
        in_sight = [leaf for leaf in leaves if leaf in inside and uses[leaf] >= fewest]
        kept = inside.copy() if in_sight else inside
        for leaf in in_sight:
            del kept[leaf]
        if in_sight and _cards(graph, kept) <= limit:
            return as_cards(graph, kept, titles, pairs, homes)
    return as_cards(graph, inside, titles, pairs, homes)


def _own_parameters(graph: Graph, inside: Mapping[str, str], titles: Mapping[str, Title]) -> set[str]:
    """The leaves inside a card of the module that they belong to, or of one around it."""
    units = Units(graph)
    return {
        node.id
        for node in graph.nodes
        if node.kind == "leaf"
        and node.group
        and node.id in inside
        and set(titles[inside[node.id]].units) & set(units.chain((node.group, None)))
    }


def as_cards(
    graph: Graph, parts: dict[str, str], titles: dict[str, Title], pairs: list[Pair], homes: Homes | None
) -> Graph:
    """The parts as cards, one that would stand on a loop (through a chain of cuts) as several."""
    if not loops_between(pairs, parts):
        return contract(graph, parts, titles, homes)
    split = split_loops([node.id for node in graph.nodes], pairs, parts)
    names = {(part, level): f"{part}#{level}" for part, level in set(split.values())}
    places = {node: names[part_and_level] for node, part_and_level in split.items()}
    del split
    return contract(graph, places, {name: titles[part] for (part, _), name in names.items()}, homes)


def _with_inputs(
    graph: Graph, parts: dict[str, str], titles: dict[str, Title], pairs: list[Pair]
) -> dict[str, str]:
    """Leaves and constants that only one part uses go inside it, and so do their accumulators.

    What a module or a function was given from outside stays in sight; of much that is called alike, as one
    card, whose title is added.
    """
    inputs = {node.id: node for node in graph.nodes if node.kind in ("leaf", "constant")}
    results = {node for node, _ in graph.outputs}
    users: dict[str, set[str]] = {}
    for maker, user in pairs:
        if maker in inputs and maker not in results:
            users.setdefault(maker, set()).add(parts.get(user, ""))
    makers: dict[str, set[str]] = {}
    for maker, user in pairs:
        if user in users:
            makers.setdefault(user, set()).add(parts.get(maker, ""))
    units = Units(graph)
    inside: dict[str, str] = {}
    given: dict[tuple[str, str, str], list[str]] = {}
    for node, user_parts in users.items():
        # A constant that was computed (a cut) stays in sight between two cards.
        homes = user_parts & makers[node] if node in makers else user_parts if len(user_parts) == 1 else set()
        if len(homes) != 1 or "" in homes:
            continue
        (home,) = homes
        if node not in makers and _from_outside(inputs[node], titles[home].units, units):
            given.setdefault((home, inputs[node].kind, graph.title(node)), []).append(node)
        else:
            inside[node] = home
    for (home, _, title), alike in given.items():
        if len(alike) >= SEVERAL:
            name = f"given {title} to {home}"
            titles[name] = Title(f"{title} × {len(alike)}")
            inside |= dict.fromkeys(alike, name)
    return inside | parts


def _from_outside(node: Node, around: Collection[str], units: Units) -> bool:
    """Whether the units ``around`` were given a leaf or constant: it has a name, and is not their own."""
    return bool(node.name) and bool(around) and not set(around) & set(units.chain((node.group, node.scope)))


def _crowded(graph: Graph) -> bool:
    return sum(node.kind in ("leaf", "constant") for node in graph.nodes) >= CROWD


def _cards(graph: Graph, parts: Mapping[str, str]) -> int:
    """How many cards there would be."""
    kept = [node for node in graph.nodes if node.id not in parts]
    return sum(node.kind != "accumulate" for node in kept) + len(set(parts.values()))


def _deepest_that_fits(graph: Graph, modules: Modules, pairs: list[Pair], limit: int) -> Parts:
    best = modules.parts(1, blocks=True)
    for depth in range(2, modules.deepest + 1):
        candidate = modules.parts(depth, blocks=True)
        if _cards(graph, _with_inputs(graph, *candidate, pairs)) > limit:
            break
        best = candidate
    return best


def inputs_alike(graph: Graph, fewest: int = 4) -> Graph:
    """``graph`` with leaves that the same operations use as one card, if they are so many."""
    pairs = flow(graph)
    parts, titles = by_order.inputs(graph, pairs, fewest=fewest)
    return as_cards(graph, parts, titles, pairs, None) if parts else graph


def _runs(graph: Graph, limit: int, homes: Homes | None) -> Graph:
    pairs = flow(graph)
    for count in (limit, limit * 3 // 4, limit // 2):
        parts = by_order.runs(graph, pairs, max(2, count))
        if _cards(graph, _with_inputs(graph, *parts, pairs)) <= limit:
            return _apply(graph, parts, pairs, 0, homes)
    folded = _apply(graph, by_order.runs(graph, pairs, max(2, limit // 2)), pairs, 0, homes)
    pairs = flow(folded)
    folded = _apply(folded, by_order.inputs(folded, pairs, alike=False), pairs, 0, homes)
    if visible(folded) > limit:  # thousands of cuts, or of nodes of another kind
        pairs = flow(folded)
        folded = _apply(
            folded, by_order.runs(folded, pairs, max(2, limit // 2), everything=True), pairs, 0, homes
        )
    return folded
