"""Hundreds of cards: the engine gets bare boxes and one line for each pair of cards.

Labels and double lines are what makes a layout slow, a hundred times over. Here they are added after
it: the links of a pair run side by side, and a label stands in the gap before the card its link
enters.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from autograd_tour.drawing.sizes import label_width
from autograd_tour.views.picture import Direction, Link, Scene

__all__ = [
    "CROWDED",
    "LARGE",
    "Pair",
    "direct",
    "labels",
    "pairs_dot",
    "pairs_of",
    "ranks_of",
    "routed",
    "side_by_side",
]

LARGE = 300
"""From this many cards on."""
CROWDED = 400
"""Or from this many links on."""

PASSED = 20_000
"""Ranks that all lines together may pass: each is a place that the engine has to find."""
PASSED_EACH = 10
"""Or so many for each card, if that is more."""

BESIDE = 12.0
"""Distance between two links of one pair, px."""
LINE = 22.0
"""Height of a label with the room around it, px."""
ROOM = 10.0
_SHORT = 5_000

Point = tuple[float, float]
Pair = tuple[int, int]


def pairs_of(scene: Scene) -> dict[Pair, list[int]]:
    """The links between each two cards, by the places of the cards in the direction of the layout."""
    places = {card.id: i for i, card in enumerate(scene.cards)}
    pairs: dict[Pair, list[int]] = {}
    for i, link in enumerate(scene.links):
        a, b = (link.dst, link.src) if link.reverse else (link.src, link.dst)
        pairs.setdefault((places[a], places[b]), []).append(i)
    return pairs


def routed(pairs: Collection[Pair], count: int) -> list[Pair]:
    """The pairs of ``count`` cards whose lines the engine lays out: all, or else the shortest.

    One tensor that every one of 1,500 steps uses has lines across a million ranks. Those that are left out
    are drawn straight to where they end, see :func:`direct`.
    """
    rank = ranks_of(pairs, count)
    most, total = max(PASSED, PASSED_EACH * count), 0
    short: set[Pair] = set()
    for pair in sorted(pairs, key=lambda pair: rank[pair[1]] - rank[pair[0]]):
        total += max(0, rank[pair[1]] - rank[pair[0]] - 1)
        if total > most:
            break
        short.add(pair)
    return [pair for pair in pairs if pair in short]


def ranks_of(pairs: Iterable[Pair], count: int) -> list[int]:
    """The rank of each card: behind all before it; what nothing is before stands close to its first user."""
    users: list[list[int]] = [[] for _ in range(count)]
    before = [0] * count
    for a, b in pairs:
        users[a].append(b)
        before[b] += 1
    starts = [card for card in range(count) if not before[card]]
    rank = [0] * count
    pending = list(starts)
    while pending:  # what stands on a loop keeps rank 0
        card = pending.pop()
        for user in users[card]:
            rank[user] = max(rank[user], rank[card] + 1)
            before[user] -= 1
            if not before[user]:
                pending.append(user)
    for card in starts:
        rank[card] = min((rank[user] for user in users[card]), default=1) - 1
    return rank


def direct(a: Point, b: Point, sizes: tuple[Point, Point], direction: Direction) -> tuple[Point, ...]:
    """A line from a card with the centre ``a`` to one with the centre ``b``, without regard to others."""
    along = 0 if direction == "LR" else 1
    reach = [size[along] / 2 for size in sizes]
    start, end = list(a), list(b)
    start[along] += reach[0]
    end[along] -= reach[1]
    third = (end[along] - start[along]) / 3
    near, far = list(start), list(end)
    near[along] += third
    far[along] -= third
    return tuple((x, y) for x, y in (start, near, far, end))


def pairs_dot(scene: Scene, pairs: Collection[Pair], sizes: Sequence[Point]) -> str:
    """DOT for the engine; an edge is known by its two cards."""
    limit = "0.03" if len(scene.cards) < _SHORT else "0.02"
    distances = f"nodesep=0.3 ranksep={_gap(scene) / 72:.2f}"
    parts = [
        f"digraph g {{\ngraph [rankdir={scene.direction} {distances} nslimit={limit} nslimit1={limit}]\n"
        'node [shape=box fixedsize=true label=""]\nedge [dir=none]\n'
    ]
    parts += [
        f"c{i} [width={width / 72:.3f} height={height / 72:.3f}]\n" for i, (width, height) in enumerate(sizes)
    ]
    parts += [f"c{a}->c{b}\n" for a, b in pairs]
    parts.append("}\n")
    return "".join(parts)


def _gap(scene: Scene) -> float:
    """The distance between two ranks: the widest label has room there, and the heads of two arrows."""
    if scene.direction == "TB":
        return 2 * LINE
    return max((label_width(link.label) for link in scene.links), default=0.0) + 2 * ROOM


def side_by_side(points: Sequence[Point], index: int, count: int, direction: Direction) -> tuple[Point, ...]:
    """The course of link ``index`` of ``count`` that share one course."""
    shift = _shift(index, count)
    if not shift:
        return tuple(points)
    if direction == "LR":
        return tuple([(x, y + shift) for x, y in points])
    return tuple([(x + shift, y) for x, y in points])


def _shift(index: int, count: int) -> float:
    return (index - (count - 1) / 2) * BESIDE


def labels(
    scene: Scene,
    pairs: dict[Pair, list[int]],
    centres: Sequence[Point],
    sizes: Sequence[Point],
    courses: Sequence[Sequence[Point]],
) -> dict[int, Point]:
    """Link -> the centre of its label. Labels in one gap between two ranks keep clear of each other.

    ``courses`` are those of the pairs, in the direction of the layout.
    """
    along = 0 if scene.direction == "LR" else 1
    starts: dict[int, float] = {}
    for size, middle in zip(sizes, centres, strict=True):
        start = middle[along] - size[along] / 2
        rank = round(middle[along])
        starts[rank] = min(starts.get(rank, start), start)
    half = _gap(scene) / 2
    gaps: dict[int, list[tuple[float, int]]] = {}
    for ((_, b), members), course in zip(pairs.items(), courses, strict=True):
        labelled = [
            k for k, i in enumerate(members) if scene.links[i].label.runs or scene.links[i].label.step
        ]
        if labelled and course:
            rank = round(centres[b][along])
            across = _across(course, starts[rank] - half, along)
            row = gaps.setdefault(rank, [])
            row += [(across + _shift(k, len(members)), members[k]) for k in labelled]
    positions: dict[int, Point] = {}
    for rank, row in gaps.items():
        row.sort()
        end = -float("inf")
        for across, i in row:
            extent = _extent(scene.links[i], along)
            centre = max(across, end + extent / 2)
            end = centre + extent / 2
            positions[i] = (starts[rank] - half, centre) if along == 0 else (centre, starts[rank] - half)
    return positions


def _extent(link: Link, along: int) -> float:
    return label_width(link.label) + ROOM if along else LINE


def _across(points: Sequence[Point], at: float, along: int) -> float:
    """Where a Bézier line crosses ``at``, which is measured along the layout."""
    other = 1 - along
    for i in range(0, len(points) - 3, 3):
        low, high = points[i][along], points[i + 3][along]
        if low <= at <= high and high > low:
            t = (at - low) / (high - low)
            a, b, c, d = (points[i + k][other] for k in range(4))
            s = 1 - t
            return s * s * s * a + 3 * s * s * t * b + 3 * s * t * t * c + t * t * t * d
    return points[-1][other]
