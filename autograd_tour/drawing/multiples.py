"""Paths over one surface in panels beside each other, a path in each: who walked where, to be compared."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from autograd_tour.drawing.axes import Scale, label, line, n, nice_ticks
from autograd_tour.drawing.curves import Area
from autograd_tour.drawing.metrics import fit, text_width, wrapped
from autograd_tour.drawing.surface import Height, Point, Window, drawn
from autograd_tour.drawing.svg import frame, prefix_for
from autograd_tour.drawing.theme import LIGHT, ThemeName
from autograd_tour.text import number

__all__ = ["Walk", "multiples"]

SIZE: Final = (1280.0, 720.0)
"""A slide: in a page of 736 px its text still has 11 px."""
TEXT: Final = 21.0
MARGIN: Final = 24.0
TOP: Final = 66.0
HEAD: Final = 28.0
NUMBERS: Final = 31.0
GAP: Final = 22.0
COLUMNS: Final = 5
APART: Final = 2.5
"""Points of a path that are nearer to each other are one, px."""


@dataclass(frozen=True)
class Walk:
    """One path: whose it is, what is said of its end, and its points (w, b)."""

    name: str
    about: str
    points: Sequence[Point]


def multiples(
    heights: Sequence[Height],
    walks: Sequence[Walk],
    window: tuple[Point, Point],
    *,
    title: str,
    desc: str,
    lowest: Point,
    notes: Sequence[str] = (),
    theme: ThemeName = "auto",
    prefix: str | None = None,
) -> str:
    """A panel for each of ``walks``, 14 at most, as an SVG document as large as a slide.

    Each shows ``heights`` within ``window``, its lower left and upper right corner, in which a cross is at
    the ``lowest`` point. A path begins with a dot and ends with a ring; what lies outside is cut off.
    ``notes`` stand in the last cell of the grid.
    """
    prefix = prefix or prefix_for(repr((title, desc, window, tuple(walks))))
    areas = list(_areas(len(walks)))
    body = [label(MARGIN, 42, fit(title, SIZE[0] - 2 * MARGIN, 26, True), LIGHT.ink, size=26, bold=True)]
    clips = []
    first = _window(window, areas[0], "")
    rings = "".join(
        drawn(_apart([*item.ring, item.ring[0]], first), first, LIGHT.muted, "", 0.7) for item in heights
    )
    for index, (walk, area) in enumerate(zip(walks, areas, strict=False)):
        seen = _window(window, area, f"{prefix}-window-{index}")
        clips.append(_clip(seen, area))
        away = f'x="{n(area.left - areas[0].left)}" y="{n(area.top - areas[0].top)}"'
        body += _panel(walk, seen, area, f'<use href="#{prefix}-heights" {away}/>\n', lowest)
    body += _notes(notes, areas[-1])
    defs = f'<g id="{prefix}-heights">{rings}</g>{"".join(clips)}'
    return frame("".join(body), *SIZE, title=title, desc=desc, prefix=prefix, theme=theme, defs=defs)


def _areas(count: int) -> Iterator[Area]:
    """Where panels stand, and the cell of the notes after the last."""
    columns = min(COLUMNS, count + 1)
    rows = -(-(count + 1) // columns)
    width = (SIZE[0] - 2 * MARGIN - GAP * (columns - 1)) / columns
    height = (SIZE[1] - TOP - MARGIN / 2) / rows
    for index in range(count + 1):
        row, column = divmod(index, columns)
        left, top = MARGIN + column * (width + GAP), TOP + row * height
        rest = SIZE[0] - MARGIN - left if index == count else width
        yield Area(left, top + HEAD, rest, height - HEAD - NUMBERS)


def _window(window: tuple[Point, Point], area: Area, name: str) -> Window:
    (low_x, low_y), (high_x, high_y) = window
    return Window(
        Scale(low_x, high_x, area.left, area.right), Scale(low_y, high_y, area.bottom, area.top), name
    )


def _clip(seen: Window, area: Area) -> str:
    box = f'x="{n(area.left)}" y="{n(area.top)}" width="{n(area.width)}" height="{n(area.height)}"'
    return f'<clipPath id="{seen.id}"><rect {box}/></clipPath>'


def _panel(walk: Walk, seen: Window, area: Area, heights: str, lowest: Point) -> Iterator[str]:
    about = fit(walk.about, area.width, TEXT)
    room = area.width - text_width(about, TEXT) - 10
    yield label(area.left, area.top - 7, fit(walk.name, room, TEXT, True), LIGHT.ink, size=TEXT, bold=True)
    yield label(area.right, area.top - 7, about, LIGHT.muted, size=TEXT, anchor="end")
    yield f'<g clip-path="url(#{seen.id})">\n'
    yield heights
    x, y = seen.px(lowest)
    cross = f"M{n(x - 6)} {n(y)}h12M{n(x)} {n(y - 6)}v12"
    yield f'<path d="{cross}" stroke="{LIGHT.forward}" stroke-width="2"/>\n'
    yield drawn(_apart(walk.points, seen), seen, LIGHT.backward, "", 2.4)
    yield "</g>\n"
    box = f'x="{n(area.left)}" y="{n(area.top)}" width="{n(area.width)}" height="{n(area.height)}"'
    yield f'<rect {box} fill="none" stroke="{LIGHT.muted}" stroke-opacity="0.5"/>\n'
    start, end = walk.points[0], walk.points[-1]
    if seen.sees(start):
        x, y = seen.px(start)
        yield f'<circle cx="{n(x)}" cy="{n(y)}" r="5" fill="{LIGHT.backward}"/>\n'
    if seen.sees(end):
        x, y = seen.px(end)
        look = f'fill="none" stroke="{LIGHT.backward}" stroke-width="2.4"'
        yield f'<circle cx="{n(x)}" cy="{n(y)}" r="6" {look}/>\n'
    yield from _numbers(seen, area)


def _apart(points: Sequence[Point], seen: Window) -> list[Point]:
    """Those finite points that are at least :data:`APART` px from the one before, and the last."""
    finite = [point for point in points if all(map(math.isfinite, point))]
    kept = finite[:1]
    for point in finite:
        if math.dist(seen.px(kept[-1]), seen.px(point)) >= APART:
            kept.append(point)
    return [*kept, finite[-1]]


def _numbers(seen: Window, area: Area) -> Iterator[str]:
    """Numbers of w below, and of b inside at the left edge."""
    for tick in nice_ticks(seen.x.low, seen.x.high, 4):
        x, half = seen.x(tick), text_width(number(tick), TEXT) / 2
        yield line(x, area.bottom, x, area.bottom + 5, LIGHT.muted)
        if area.left <= x - half and x + half <= area.right:
            yield label(x, area.bottom + 23, number(tick), LIGHT.muted, size=TEXT, anchor="middle")
    for tick in nice_ticks(seen.y.low, seen.y.high, 3):
        y = seen.y(tick)
        yield line(area.left, y, area.left + 5, y, LIGHT.muted)
        if area.top + 10 <= y <= area.bottom - 10:
            yield label(area.left + 9, y + 7, number(tick), LIGHT.muted, size=TEXT)


def _notes(notes: Sequence[str], area: Area) -> Iterator[str]:
    y = area.top - 7
    for note in notes:
        for text in wrapped(note, area.width, TEXT):
            yield label(area.left, y, text, LIGHT.ink, size=TEXT)
            y += 26
        y += 8
