"""Which lines run together: nearer to each other than the eye can tell, and for longer than a crossing."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import cache

__all__ = ["TOGETHER", "Line", "Point", "Ports", "Rectangle", "Traffic"]

CELL = 2.5
"""Lines are told apart from this distance on, px: points in cells next to each other count as one."""
STEP = 2.5
"""Between the points of a line that are looked at, px."""
TOGETHER = 6
"""So many cells near another line are more than a crossing."""
_ROW = 1 << 20
"""A cell is a number: its column, and its row times this."""

Point = tuple[float, float]
Line = tuple[Point, ...]
"""Bézier points."""
Ports = frozenset[tuple[str, str]]
"""Where a link starts and ends: cards and their ports."""
Rectangle = tuple[float, float, float, float]
"""Left, top, right, bottom."""


class Traffic:
    """All lines of a picture, and which of them run together though they have no port in common."""

    def __init__(self, lines: Sequence[Line], ports: Sequence[Ports]) -> None:
        self.lines = list(lines)
        self.ports = ports
        self.cells: dict[int, set[int]] = {}
        self.wide: dict[int, set[int]] = {}
        self.passing: dict[int, set[int]] = {}
        self.boxes = [_box(line) for line in self.lines]
        self.strangers: dict[int, list[int]] = {}

    def together(self) -> dict[int, int]:
        """Line -> how far it runs together with others, in cells; lines that do not are left out."""
        lengths: dict[int, int] = {}
        for i, j in sorted(set(_near_pairs(self.lines))):
            length = self._common(self._cells(i), j) if self.ports[i].isdisjoint(self.ports[j]) else 0
            if length:
                lengths[i] = lengths.get(i, 0) + length
                lengths[j] = lengths.get(j, 0) + length
        return lengths

    def of(self, own: int, least: int = TOGETHER) -> int:
        """The same for one line; less than ``least`` beside another one does not count."""
        others = self._near(own, self.boxes[own])
        if not others:
            return 0
        wide = self._wide(own)
        counts = [len(wide & self._cells(j)) for j in others]
        return sum(count for count in counts if count >= least)

    def beside(self, own: int, start: Point, end: Point) -> int:
        """How far ``own`` would run together with others on a straight piece, across or down, in cells."""
        if not self._near(own, _box((start, end))):
            return 0
        (u, v), (s, t) = _column_row(start), _column_row(end)
        if v == t:
            low, high = min(u, s), max(u, s) + 1
            strips = [range(row * _ROW + low, row * _ROW + high) for row in (v - 1, v, v + 1)]
        else:
            low, high = min(v, t) * _ROW, (max(v, t) + 1) * _ROW
            strips = [range(low + column, high + column, _ROW) for column in (u - 1, u, u + 1)]
        ports, passing, counts = self.ports, self._by_cell(), dict[int, int]()
        passed = passing.keys()
        for strip in strips:
            for cell in passed & strip:
                for j in passing[cell]:
                    counts[j] = counts.get(j, 0) + 1
        return sum(
            count for j, count in counts.items() if count >= TOGETHER and ports[own].isdisjoint(ports[j])
        )

    def move(self, line: int, way: Line) -> None:
        """``line`` goes another way from now on."""
        passing = self._by_cell()
        for cell in self._cells(line):
            passing[cell].discard(line)
        self.lines[line], self.boxes[line] = way, _box(way)
        del self.cells[line]
        self.wide.pop(line, None)
        for cell in self._cells(line):
            if cell in passing:
                passing[cell].add(line)
            else:
                passing[cell] = {line}

    def height(self, own: int) -> float:
        """Where a line runs together with others, as a y."""
        wide = self._wide(own)
        near = sorted(set().union(*(wide & self._cells(j) for j in self._near(own, self.boxes[own]))))
        return near[len(near) // 2] // _ROW * CELL if near else self.lines[own][0][1]

    def _near(self, own: int, box: Rectangle) -> list[int]:
        """Lines without a port in common with ``own`` that may have cells near those in ``box``."""
        if own not in self.strangers:
            ports = self.ports[own]
            self.strangers[own] = [j for j, others in enumerate(self.ports) if ports.isdisjoint(others)]
        left, top, right, bottom = box
        boxes = self.boxes
        return [
            j
            for j in self.strangers[own]
            if (other := boxes[j])[0] <= right and left <= other[2] and other[1] <= bottom and top <= other[3]
        ]

    def _by_cell(self) -> dict[int, set[int]]:
        """Cell -> the lines that pass it."""
        if not self.passing:
            passing = self.passing
            for i in range(len(self.lines)):
                for cell in self._cells(i):
                    if cell in passing:
                        passing[cell].add(i)
                    else:
                        passing[cell] = {i}
        return self.passing

    def _common(self, cells: set[int], other: int) -> int:
        length = len(cells & self._wide(other))
        return length if length >= TOGETHER else 0

    def _cells(self, line: int) -> set[int]:
        if line not in self.cells:
            self.cells[line] = _cells(self.lines[line])
        return self.cells[line]

    def _wide(self, line: int) -> set[int]:
        """The cells of a line, and those around them."""
        if line not in self.wide:
            left, top, right, bottom = self.boxes[line]
            # First along the line, where the cells around one are mostly its own.
            steps = (1, _ROW) if right - left > bottom - top else (_ROW, 1)
            cells = self._cells(line)
            for step in steps:
                cells = cells.union([cell + step for cell in cells], [cell - step for cell in cells])
            self.wide[line] = cells
        return self.wide[line]


def _column_row(point: Point) -> tuple[int, int]:
    return int(point[0] // CELL), int(point[1] // CELL)


def _cells(line: Line) -> set[int]:
    """The cells that a line passes."""
    cells: set[int] = set()
    for i in range(0, len(line) - 3, 3):
        (ax, ay), (bx, by), (cx, cy), (dx, dy) = line[i : i + 4]
        length = math.hypot(bx - ax, by - ay) + math.hypot(cx - bx, cy - by) + math.hypot(dx - cx, dy - cy)
        cells |= {
            int((p * ay + q * by + r * cy + s * dy) // CELL) * _ROW
            + int((p * ax + q * bx + r * cx + s * dx) // CELL)
            for p, q, r, s in _weights(int(length / STEP) + 1)
        }
    return cells


@cache
def _weights(count: int) -> tuple[tuple[float, float, float, float], ...]:
    """What the four points of a Bézier piece weigh at places along it."""
    places = [(k + 0.5) / count for k in range(count)]
    return tuple(((1 - t) ** 3, 3 * (1 - t) ** 2 * t, 3 * (1 - t) * t * t, t * t * t) for t in places)


def _box(line: Sequence[Point]) -> Rectangle:
    """Where all cells near a line are."""
    left, top, right, bottom = _bounds(line)
    return left - CELL, top - CELL, right + CELL, bottom + CELL


def _bounds(line: Sequence[Point]) -> Rectangle:
    xs, ys = [x for x, _ in line], [y for _, y in line]
    return min(xs), min(ys), max(xs), max(ys)


def _near_pairs(lines: Sequence[Line]) -> Iterator[tuple[int, int]]:
    """Lines with pieces whose boxes touch, each pair in ascending order."""
    every: list[tuple[float, float, float, float, int]] = []
    for i, line in enumerate(lines):
        for k in range(0, len(line) - 3, 3):
            left, top, right, bottom = _bounds(line[k : k + 4])
            every.append((top - CELL, bottom + CELL, left - CELL, right + CELL, i))
    every.sort()
    active: list[tuple[float, float, float, float, int]] = []
    for item in every:
        top, _, left, right, i = item
        active = [other for other in active if other[1] >= top]
        for _, _, other_left, other_right, j in active:
            if other_left <= right and left <= other_right and i != j:
                yield (i, j) if i < j else (j, i)
        active.append(item)
