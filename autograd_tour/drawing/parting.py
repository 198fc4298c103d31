"""Lines moved apart: between two cards the engine lets one line run upon another, and nobody can tell them.

Only lines that run together are moved, to where they are clear of all others and of the cards. All here is
as if links ran down.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise

from autograd_tour.drawing.near import TOGETHER, Line, Point, Ports, Rectangle, Traffic
from autograd_tour.drawing.sizes import ARROW

__all__ = ["parted"]

LEAST = 12.0
"""A line that could go straight down may go so far aside, px."""
SHARES = (0.35, 0.25, 0.15)
"""Of its height, from where on such a line is as far aside as it goes."""
CLEAR = 4.0
"""Between a line that was moved and a card, px."""
RADIUS = 16.0
"""Of the bends of a line that was moved, px at most."""
LEVEL = 7.0
"""Between the places tried for what runs across, px."""
LEVELS = 5
"""Places tried near either end of a line."""
SHIFTS = (0.0, 8.0, -8.0, 20.0, -20.0, 40.0, -40.0, 80.0, -80.0, 130.0, -130.0)
"""How far from its middle a line may go down, px."""


def parted(
    lines: Sequence[Line],
    ports: Sequence[Ports],
    cards: Sequence[Rectangle],
    labels: Sequence[Rectangle],
    *,
    lenient: bool,
) -> tuple[dict[int, Line], dict[int, float]]:
    """New ways for lines that run together without a common port, and those for which there is none.

    ``lines`` are Bézier points up to the tip of the arrow, whose head is their last piece. New ways avoid
    ``labels``, where they can if this is ``lenient``. What is still not clear of others is told with the
    height at which it is not.
    """
    traffic = Traffic(lines, ports)
    moved: dict[int, Line] = {}
    pending = traffic.together()
    for i in sorted(pending, key=lambda i: (-pending[i], i)):
        least = traffic.of(i)
        corners = _best(traffic, i, lines[i], (*cards, *labels), least) if least else None
        if corners is None and least and lenient:
            corners = _best(traffic, i, lines[i], cards, least)
        if corners is not None:
            moved[i] = _bent(corners)
            traffic.move(i, moved[i])
    for i, line in enumerate(lines):
        if i in moved or _aside(line) <= LEAST:
            continue
        near = _within(_around(line), (*cards, *labels))
        for corners in _straighter(line):
            if not _hits(corners, near):
                traffic.move(i, _bent(corners))
                if not traffic.of(i, TOGETHER // 2):
                    moved[i] = traffic.lines[i]
                    break
                traffic.move(i, line)
    return moved, {i: traffic.height(i) for i in pending if traffic.of(i)}


def _aside(line: Line) -> float:
    """How far a line from one port to another right below it goes aside; 0 for other lines."""
    (x, _), (u, _) = line[0], line[-1]
    return max(abs(px - x) for px, _ in line) if abs(u - x) < 1 else 0.0


def _straighter(line: Line) -> Iterator[tuple[Point, ...]]:
    """Ways for a line between ports above each other: the engine leads it far around a label between them."""
    (x, y), (u, v) = line[0], line[-1]
    yield (x, y), (u, v)
    for shift in SHIFTS[1:]:
        if abs(shift) < _aside(line):
            for share in SHARES:
                a, b = y + (v - y) * share, v - (v - y) * share
                yield (x, y), (x + shift, a), (x + shift, b), (u, v)


def _best(
    traffic: Traffic, own: int, line: Line, obstacles: Sequence[Rectangle], least: int
) -> tuple[Point, ...] | None:
    """The first way that is clear of all lines, or else the best that is better than ``least``."""
    best: tuple[Point, ...] | None = None
    costs: dict[tuple[Point, Point], int] = {}  # many ways have pieces in common
    near = _within(_around(line), obstacles)
    for corners in _ways(line):
        if _hits(corners, near):
            continue
        together = 0
        for piece in sorted(pairwise(corners), key=_is_down):
            if piece not in costs:
                costs[piece] = traffic.beside(own, *piece)
            together += costs[piece]
            if together >= least:
                break
        if together < least:
            least, best = together, corners
        if not least:
            break
    return best


def _is_down(piece: tuple[Point, Point]) -> bool:
    return piece[0][0] == piece[1][0]


def _around(line: Line) -> Rectangle:
    """Where all ways of a line are."""
    far = max(SHIFTS) + CLEAR
    xs, ys = [x for x, _ in line], [y for _, y in line]
    return min(xs) - far, min(ys), max(xs) + far, max(ys)


def _within(around: Rectangle, boxes: Sequence[Rectangle]) -> list[Rectangle]:
    left, top, right, bottom = around
    return [box for box in boxes if box[0] < right and left < box[2] and box[1] < bottom and top < box[3]]


# ---- ways ------------------------------------------------------------------------------------------


def _ways(line: Line) -> Iterator[tuple[Point, ...]]:
    """Corners of ways from the start of a line to its tip: across at one height, or down in between."""
    (x, y), (u, v) = line[0], line[-1]
    sign = 1.0 if v > y else -1.0
    room = abs(v - y) - ARROW
    count = int(room / LEVEL)
    if abs(u - x) < 1:
        yield ((x, y), (u, v))
    levels = sorted(range(1, count), key=lambda k: abs(2 * k - count))
    for k in levels[: 2 * LEVELS]:
        yield ((x, y), (x, y + sign * k * LEVEL), (u, y + sign * k * LEVEL), (u, v))
    middle = sorted(px for px, _ in line[1:-1])[(len(line) - 2) // 2]
    near = range(1, min(count, LEVELS + 1))
    for first, last in sorted(((a, b) for a in near for b in near if a + b < count), key=sum):
        a, b = y + sign * first * LEVEL, v - sign * (ARROW + last * LEVEL)
        for shift in SHIFTS:
            yield ((x, y), (x, a), (middle + shift, a), (middle + shift, b), (u, b), (u, v))


def _hits(corners: Sequence[Point], boxes: Sequence[Rectangle]) -> bool:
    """Whether a way comes near a card, but where it starts and ends."""
    (x, y), (u, v) = corners[0], corners[-1]
    inset = (CLEAR + 0.5) * (1.0 if v > y else -1.0)
    inner = [(x, y + inset), *corners[1:-1], (u, v - inset)]
    for (a, b), (c, d) in pairwise(inner):
        left, right = (a - CLEAR, c + CLEAR) if a < c else (c - CLEAR, a + CLEAR)
        top, bottom = (b - CLEAR, d + CLEAR) if b < d else (d - CLEAR, b + CLEAR)
        for box in boxes:
            if left < box[2] and box[0] < right and top < box[3] and box[1] < bottom:
                return True
    return False


def _bent(corners: Sequence[Point]) -> Line:
    """Straight from corner to corner, each of them round."""
    points = [corners[0]]
    for before, corner, after in zip(corners, corners[1:], corners[2:], strict=False):
        radius = min(RADIUS, math.dist(before, corner) / 2, math.dist(corner, after) / 2)
        start, end = _towards(corner, before, radius), _towards(corner, after, radius)
        points += [*_straight(points[-1], start), *_round(start, corner, end)]
    neck = _towards(corners[-1], points[-1], ARROW)
    return (*points, *_straight(points[-1], neck), *_straight(neck, corners[-1]))


def _towards(start: Point, end: Point, length: float) -> Point:
    whole = math.dist(start, end) or 1.0
    return (start[0] + (end[0] - start[0]) * length / whole, start[1] + (end[1] - start[1]) * length / whole)


def _straight(start: Point, end: Point) -> tuple[Point, Point, Point]:
    third = math.dist(start, end) / 3
    return _towards(start, end, third), _towards(end, start, third), end


def _round(start: Point, corner: Point, end: Point) -> tuple[Point, Point, Point]:
    half = 0.55 * math.dist(start, corner)
    return _towards(start, corner, half), _towards(end, corner, half), end
