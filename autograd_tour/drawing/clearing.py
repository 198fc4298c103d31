"""Labels moved to where no other link runs through them, and near their own link.

The engine keeps labels off cards and off each other, but between two ranks it lets links pass where
it likes. A label that is clear and near stays where the engine put it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

from autograd_tour.drawing.sizes import label_width
from autograd_tour.views.picture import Label

__all__ = ["Box", "clear_of_links", "crossing"]

Point = tuple[float, float]
Piece = tuple[Point, Point, Point, Point]
Box = tuple[float, float, float, float]
"""Left, top, right, bottom."""

NEAR = 12.0
"""Farther than this from its link, a label looks like that of another one, px."""
HALF = 9.0
"""Half the height of a label, px."""
MARGIN, NARROW = 4.0, 1.0
"""Room around a label, px: in a crowd a little is enough."""
FINE = 2.0
"""A piece of a line this small is as good as a point, px."""
GAPS = (3.0, 6.0, 10.0)
"""How far beside its link a label may stand, px."""
STATIONS = 16
"""Places tried along each piece of a link."""


def clear_of_links(
    labels: Sequence[Label],
    lines: Sequence[Sequence[Point]],
    centres: Sequence[Point | None],
    cards: Sequence[Box],
    size: Point,
) -> list[Point | None]:
    """New centres for the labels of links whose Bézier points are ``lines``; ``size`` is the picture's."""
    new_centres = list(centres)
    pieces = [list(_pieces(line)) for line in lines]
    bounds = [_bounds(line) for line in lines]
    boxes = [_box(at, label_width(label)) if at else None for at, label in zip(centres, labels, strict=True)]

    order = list(range(len(lines)))

    def crossed(box: Box, own: int) -> bool:
        for position, j in enumerate(order):
            if _overlap(bounds[j], box) and j != own and _runs_through(pieces[j], box):
                order.insert(0, order.pop(position))  # what is in the way here is in the way nearby
                return True
        return False

    def free_centre(own: int, line: Sequence[Point], at: Point, width: float) -> Point | None:
        """The first with room around it, or else the first that is clear at all; the links are asked last."""
        left, top, right, bottom = _bounds(line)
        far = GAPS[-1] + width + 2 * HALF + 2 * MARGIN  # no place beside the line reaches farther
        reach = (left - far, top - far, right + far, bottom + far)
        labels_there = (other for j, other in enumerate(boxes) if other and j != own)
        others = [other for other in (*cards, *labels_there) if _overlap(other, reach)]
        narrow = None
        for (x, y), on_line in _candidate_centres(line, at, width):
            centre = (round(x, 1), round(y, 1))
            box = left, top, right, bottom = _box(centre, width)
            if left < 0 or top < 0 or right > size[0] or bottom > size[1]:
                continue
            wide, tight = _grown(box, MARGIN), _grown(box, NARROW)
            around = [other for other in others if _overlap(other, wide)]
            if around and (narrow or any(_overlap(other, tight) for other in around)):
                continue
            if crossed(box, own) or (not on_line and _runs_through(pieces[own], _box((x, y), width))):
                continue
            if not around:
                return centre
            narrow = centre
        return narrow

    for i, (at, line) in enumerate(zip(centres, lines, strict=True)):
        box = boxes[i]
        if at is None or box is None or len(line) < 4:
            continue
        if _distance(line, box) <= NEAR and not crossed(box, i):
            continue
        width = label_width(labels[i])
        centre = free_centre(i, line, at, width)
        if centre is not None:
            new_centres[i], boxes[i] = centre, _box(centre, width)
    return new_centres


def crossing(lines: Iterable[Sequence[Point]], box: Box) -> bool:
    """Whether one of the links with the Bézier points ``lines`` comes into ``box``, or too close to it."""
    return any(_runs_through(list(_pieces(line)), box) for line in lines)


def _box(centre: Point, width: float) -> Box:
    x, y = centre
    return (x - width / 2, y - HALF, x + width / 2, y + HALF)


def _grown(box: Box, margin: float) -> Box:
    return (box[0] - margin, box[1] - margin, box[2] + margin, box[3] + margin)


def _overlap(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _bounds(line: Sequence[Point]) -> Box:
    """A box around the control points holds the whole line."""
    xs, ys = [x for x, _ in line], [y for _, y in line]
    return (min(xs), min(ys), max(xs), max(ys)) if line else (0.0, 0.0, 0.0, 0.0)


def _pieces(line: Sequence[Point]) -> Iterator[Piece]:
    for i in range(0, len(line) - 3, 3):
        yield line[i], line[i + 1], line[i + 2], line[i + 3]


def _runs_through(pieces: Sequence[Piece], box: Box) -> bool:
    """Whether a line comes into the box, or so close that the eye cannot tell."""
    left, top, right, bottom = box
    pending = list(pieces)
    while pending:
        a, b, c, d = pending.pop()
        (ax, ay), (bx, by), (cx, cy), (dx, dy) = a, b, c, d
        west, east = min(ax, bx, cx, dx), max(ax, bx, cx, dx)
        if west > right or east < left:
            continue
        north, south = min(ay, by, cy, dy), max(ay, by, cy, dy)
        # A straight line has no height: touching counts, or it would never be found.
        if north > bottom or south < top:
            continue
        if (east - west < FINE and south - north < FINE) or (left <= ax <= right and top <= ay <= bottom):
            return True
        ab, bc, cd = _middle(a, b), _middle(b, c), _middle(c, d)
        abc, bcd = _middle(ab, bc), _middle(bc, cd)
        half = _middle(abc, bcd)
        pending += [(a, ab, abc, half), (half, bcd, cd, d)]
    return False


def _middle(a: Point, b: Point) -> Point:
    return ((a[0] + b[0]) / 2, (a[1] + b[1]) / 2)


def _along(line: Sequence[Point]) -> Iterator[tuple[Point, Point]]:
    """Points of the line, each with the direction of the line there."""
    for a, b, c, d in _pieces(line):
        for k in range(STATIONS + 1):
            t = k / STATIONS
            s = 1 - t
            x, y = (
                s * s * s * a[i] + 3 * s * s * t * b[i] + 3 * s * t * t * c[i] + t * t * t * d[i]
                for i in (0, 1)
            )
            u, v = (s * s * (b[i] - a[i]) + 2 * s * t * (c[i] - b[i]) + t * t * (d[i] - c[i]) for i in (0, 1))
            yield (x, y), (u, v)


def _distance(line: Sequence[Point], box: Box) -> float:
    left, top, right, bottom = box
    return min(
        math.sqrt(max(left - x, 0, x - right) ** 2 + max(top - y, 0, y - bottom) ** 2)
        for (x, y), _ in _along(line)
    )


def _candidate_centres(line: Sequence[Point], at: Point, width: float) -> list[tuple[Point, bool]]:
    """Where a label could stand: beside its line, closest to ``at`` first; then on it, which is told."""
    beside: list[Point] = []
    on: list[Point] = []
    for (x, y), (dx, dy) in _along(line):
        length = math.sqrt(dx * dx + dy * dy) or 1.0
        u, v = dx / length, dy / length
        # So far across the line that the box, seen from the line, begins 4 px away from it.
        for gap in GAPS:
            away = gap + abs(v) * width / 2 + abs(u) * HALF
            beside += [(x - v * away, y + u * away), (x + v * away, y - u * away)]
        on.append((x, y))

    def by_distance(centre: Point) -> float:
        return (centre[0] - at[0]) ** 2 + (centre[1] - at[1]) ** 2

    middle = on[len(on) // 2]
    on.sort(key=lambda centre: (centre[0] - middle[0]) ** 2 + (centre[1] - middle[1]) ** 2)
    return [(centre, False) for centre in sorted(beside, key=by_distance)] + [(centre, True) for centre in on]
