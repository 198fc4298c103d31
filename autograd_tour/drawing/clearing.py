"""Labels moved to where no other link runs through them, and near their own link.

The engine keeps labels off cards and off each other, but between two ranks it lets links pass where
it likes. A label that is clear and near stays where the engine put it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from autograd_tour.drawing.sizes import label_width
from autograd_tour.views.picture import Label

__all__ = ["clear_of_links"]

Point = tuple[float, float]
Box = tuple[float, float, float, float]
"""Left, top, right, bottom."""

NEAR = 12.0
"""Farther than this from its link, a label looks like that of another one, px."""
HALF = 9.0
"""Half the height of a label, px."""
MARGINS = (4.0, 1.0)
"""Room around a label, px: in a crowd a little is enough."""
FINE = 2.0
"""A piece of a line this small is as good as a point, px."""
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
    bounds = [_bounds(line) for line in lines]
    boxes = [_box(at, label_width(label)) if at else None for at, label in zip(centres, labels, strict=True)]

    def crossed(box: Box, own: int) -> bool:
        return any(
            _overlap(bounds[j], box) and _runs_through(lines[j], box) for j in range(len(lines)) if j != own
        )

    def free(box: Box, own: int, margin: float) -> bool:
        left, top, right, bottom = box
        if left < 0 or top < 0 or right > size[0] or bottom > size[1]:
            return False
        wide = (left - margin, top - margin, right + margin, bottom + margin)
        if any(_overlap(card, wide) for card in cards):
            return False
        if any(other and _overlap(other, wide) for j, other in enumerate(boxes) if j != own):
            return False
        return not crossed(box, own)

    for i, (at, line) in enumerate(zip(centres, lines, strict=True)):
        box = boxes[i]
        if at is None or box is None or len(line) < 4:
            continue
        if _distance(line, box) <= NEAR and not crossed(box, i):
            continue
        width = label_width(labels[i])
        centres_nearby = _candidate_centres(line, width, at)
        candidates = ((centre, margin) for margin in MARGINS for centre in centres_nearby)
        free_centre = next(
            (centre for centre, margin in candidates if free(_box(centre, width), i, margin)), None
        )
        if free_centre is not None:
            new_centres[i], boxes[i] = free_centre, _box(free_centre, width)
    return new_centres


def _box(centre: Point, width: float) -> Box:
    x, y = centre
    return (x - width / 2, y - HALF, x + width / 2, y + HALF)


def _overlap(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _bounds(line: Sequence[Point]) -> Box:
    """A box around the control points holds the whole line."""
    xs, ys = [x for x, _ in line], [y for _, y in line]
    return (min(xs), min(ys), max(xs), max(ys)) if line else (0.0, 0.0, 0.0, 0.0)


def _pieces(line: Sequence[Point]) -> Iterator[tuple[Point, Point, Point, Point]]:
    for i in range(0, len(line) - 3, 3):
        yield line[i], line[i + 1], line[i + 2], line[i + 3]


def _runs_through(line: Sequence[Point], box: Box) -> bool:
    pending = list(_pieces(line))
    while pending:
        a, b, c, d = pending.pop()
        left, top, right, bottom = _bounds((a, b, c, d))
        # A straight line has no height: touching counts, or it would never be found.
        if left > box[2] or right < box[0] or top > box[3] or bottom < box[1]:
            continue
        if right - left < FINE and bottom - top < FINE:
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


def _candidate_centres(line: Sequence[Point], width: float, at: Point) -> list[Point]:
    """Where a label could stand: beside its line, closest to ``at`` first; then on it."""
    beside: list[Point] = []
    on: list[Point] = []
    for (x, y), (dx, dy) in _along(line):
        length = math.sqrt(dx * dx + dy * dy) or 1.0
        u, v = dx / length, dy / length
        # So far across the line that the box, seen from the line, begins 4 px away from it.
        for gap in (3.0, 6.0, 10.0):
            away = gap + abs(v) * width / 2 + abs(u) * HALF
            beside += [(x - v * away, y + u * away), (x + v * away, y - u * away)]
        on.append((x, y))

    def by_distance(centre: Point) -> float:
        return (centre[0] - at[0]) ** 2 + (centre[1] - at[1]) ** 2

    middle = on[len(on) // 2]
    on.sort(key=lambda centre: (centre[0] - middle[0]) ** 2 + (centre[1] - middle[1]) ** 2)
    clear = [
        centre for centre in sorted(beside, key=by_distance) if not _runs_through(line, _box(centre, width))
    ]
    return [(round(x, 1), round(y, 1)) for x, y in clear + on]
