"""Long lines made short for a picture: nothing that could be seen is lost."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

__all__ = ["Stretch", "stretches"]

Point = tuple[float, float]

WINDOW = 4  # px to either side
TURNS_PER_PX = 0.5


@dataclass(frozen=True)
class Stretch:
    """A piece of a line, in px. With ``lower`` it is a band: the line fills all between the two edges."""

    points: tuple[Point, ...]
    lower: tuple[Point, ...] = ()


@dataclass(frozen=True)
class _Column:
    """What falls on one px of width: at most four points, and how often the line turns there."""

    x: float
    points: tuple[Point, ...]
    top: float
    bottom: float
    turns: int


def stretches(run: Sequence[Point]) -> Iterator[Stretch]:
    """``run``, points in px by ascending x, as lines of at most four points per px, and bands.

    A column of pixels keeps its first, last, lowest and highest point. Where the line goes up and
    down within every two px, no eye can follow it, and it becomes a band between its extremes.
    """
    columns = _columns(run)
    swinging = [_turns_near(columns, i) > TURNS_PER_PX * (2 * WINDOW + 1) for i in range(len(columns))]
    ahead: list[Point] = []
    for band, group in groupby(zip(columns, swinging, range(len(columns)), strict=True), key=lambda c: c[1]):
        members = list(group)
        if band and len(members) > 2:
            places = [i for _, _, i in members]
            near = [columns[max(places[0], i - 2) : min(places[-1], i + 2) + 1] for i in places]
            upper = tuple(
                (columns[i].x, min(c.top for c in c_s)) for i, c_s in zip(places, near, strict=True)
            )
            lower = tuple(
                (columns[i].x, max(c.bottom for c in c_s)) for i, c_s in zip(places, near, strict=True)
            )
            yield Stretch(upper, lower)
            ahead = [members[-1][0].points[-1]]
        else:
            points = tuple(ahead + [point for column, _, _ in members for point in column.points])
            ahead = [points[-1]]
            yield Stretch(points)


def _columns(run: Sequence[Point]) -> list[_Column]:
    turning = {
        i + 1
        for i, ((_, a), (_, b), (_, c)) in enumerate(zip(run, run[1:], run[2:], strict=False))
        if (b - a) * (c - b) < 0 and min(abs(b - a), abs(c - b)) > 0.5
    }
    columns = []
    for _, group in groupby(enumerate(run), key=lambda item: math.floor(item[1][0])):
        members = list(group)
        points = [point for _, point in members]
        ys = [y for _, y in points]
        chosen = sorted({0, ys.index(min(ys)), ys.index(max(ys)), len(ys) - 1})
        turns = sum(i in turning for i, _ in members)
        columns.append(_Column(points[0][0], tuple(points[i] for i in chosen), min(ys), max(ys), turns))
    return columns


def _turns_near(columns: list[_Column], i: int) -> int:
    here = columns[i].x
    near = columns[max(0, i - WINDOW) : i + WINDOW + 1]
    return sum(column.turns for column in near if abs(column.x - here) <= WINDOW + 1)
