"""Paths over a surface that is seen from above: lines of one height, and who walked where."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from autograd_tour.drawing.axes import Scale, label, line, n, nice_ticks
from autograd_tour.drawing.curves import COLOURS, DASHES, Series
from autograd_tour.drawing.metrics import fit, text_width
from autograd_tour.drawing.room import Room, reached
from autograd_tour.drawing.svg import frame, prefix_for
from autograd_tour.drawing.theme import LIGHT, ThemeName
from autograd_tour.text import number

__all__ = ["Height", "Point", "Window", "drawn", "surface", "thinned"]

LEFT: Final = 76.0
TOP: Final = 62.0
PLOT: Final = (620.0, 380.0)
BELOW: Final = 60.0
TEXT: Final = 13.0
"""Fills a slide with 18 px and more."""
MOST: Final = 400
"""Points of a path that are drawn, evenly chosen."""

Point = tuple[float, float]


@dataclass(frozen=True)
class Height:
    """A line of one height: its value, and a closed ring of points."""

    value: float
    ring: Sequence[Point]


@dataclass(frozen=True)
class Window:
    """The part of the plane that is seen, with its place in px; ``id`` names its clip path."""

    x: Scale
    y: Scale
    id: str

    def sees(self, point: Point) -> bool:
        """Whether a point lies in it."""
        return self.x.low <= point[0] <= self.x.high and self.y.low <= point[1] <= self.y.high

    def px(self, point: Point) -> Point:
        """The place of a point."""
        return self.x(point[0]), self.y(point[1])


def surface(
    heights: Sequence[Height],
    paths: Sequence[Series],
    window: tuple[Point, Point],
    *,
    title: str,
    desc: str,
    labels: tuple[str, str],
    theme: ThemeName = "auto",
    prefix: str | None = None,
    room: Room | None = None,
) -> str:
    """Heights and paths within ``window``, its lower left and upper right corner, as an SVG document.

    A path begins with a dot and ends with a ring; what lies outside of the window is cut off. ``labels`` name
    the two axes.
    """
    prefix = prefix or prefix_for(repr((title, desc, window, tuple(paths))))
    (low_x, low_y), (high_x, high_y) = window
    scales = (Scale(low_x, high_x, LEFT, LEFT + PLOT[0]), Scale(low_y, high_y, TOP + PLOT[1], TOP))
    seen = Window(*scales, f"{prefix}-window")
    names = max([0.0, *(text_width(path.name, TEXT, True) for path in paths)])
    width, height = LEFT + PLOT[0] + 56 + names, TOP + PLOT[1] + BELOW
    body = [label(28, 38, fit(title, width - 56, 20, True), LIGHT.ink, size=20, bold=True)]
    body += _axes(seen, labels)
    body.append(f'<g clip-path="url(#{seen.id})">\n')
    body += [drawn([*item.ring, item.ring[0]], seen, LIGHT.muted, "", 0.7) for item in heights]
    for index, path in enumerate(paths):
        body.append(drawn(thinned(path.points), seen, _colour(index), DASHES[index % len(DASHES)], 2.2))
    body.append("</g>\n")
    body += [text for item in heights if (text := _height_label(item, seen))]
    for index, path in enumerate(paths):
        body += _ends(path, index, seen)
    box = f'<rect x="{n(LEFT)}" y="{n(TOP)}" width="{n(PLOT[0])}" height="{n(PLOT[1])}"/>'
    defs = f'<clipPath id="{seen.id}">{box}</clipPath>'
    reached(title, (width, height), room)
    return frame(
        "".join(body), width, height, title=title, desc=desc, prefix=prefix, theme=theme, defs=defs, room=room
    )


def _axes(seen: Window, labels: tuple[str, str]) -> Iterator[str]:
    left, right, bottom, top = seen.x.start, seen.x.end, seen.y.start, seen.y.end
    for tick in nice_ticks(seen.x.low, seen.x.high, 7):
        yield line(seen.x(tick), bottom, seen.x(tick), bottom + 5, LIGHT.muted)
        yield label(seen.x(tick), bottom + 20, number(tick), LIGHT.muted, size=TEXT, anchor="middle")
    for tick in nice_ticks(seen.y.low, seen.y.high, 6):
        yield line(left - 5, seen.y(tick), left, seen.y(tick), LIGHT.muted)
        yield label(left - 10, seen.y(tick) + 4.2, number(tick), LIGHT.muted, size=TEXT, anchor="end")
    yield line(left, bottom, right, bottom, LIGHT.muted)
    yield line(left, bottom, left, top, LIGHT.muted)
    yield label(right, bottom + 44, labels[0], LIGHT.muted, size=TEXT, anchor="end")
    yield label(left - 48, top - 8, labels[1], LIGHT.muted, size=TEXT)


def _colour(index: int) -> str:
    return COLOURS[index % len(COLOURS)]


def drawn(points: Sequence[Point], seen: Window, colour: str, dashes: str, width: float) -> str:
    """A line through ``points``, at least one, ``width`` px wide."""
    places = "L".join(f"{n(x)} {n(y)}" for x, y in (seen.px(_near(point, seen)) for point in points))
    dash = f' stroke-dasharray="{dashes}"' if dashes else ""
    look = f'fill="none" stroke="{colour}" stroke-width="{width:g}" stroke-linejoin="round"{dash}'
    return f'<path d="M{places}" {look}/>\n'


def _near(point: Point, seen: Window) -> Point:
    """``point``, or one on the same side that is not so far away that numbers of px grow without end."""
    x, y = point
    wide, high = seen.x.high - seen.x.low, seen.y.high - seen.y.low
    return (
        min(max(x, seen.x.low - 9 * wide), seen.x.high + 9 * wide),
        min(max(y, seen.y.low - 9 * high), seen.y.high + 9 * high),
    )


def thinned(points: Sequence[Point]) -> list[Point]:
    """Those of ``points`` that are finite, evenly chosen where they are many, and the last."""
    finite = [point for point in points if all(map(math.isfinite, point))]
    step = max(1, len(finite) // MOST)
    return [*finite[::step], finite[-1]]


def _height_label(item: Height, seen: Window) -> str:
    """The value beside the line, where it is seen and lowest in the picture."""
    inside = [point for point in item.ring if seen.sees(point)]
    if not inside:
        return ""
    x, y = seen.px(min(inside, key=lambda point: point[0]))
    return label(max(x, seen.x.start + 4), y - 4, number(item.value, 3), LIGHT.muted, size=TEXT)


def _ends(path: Series, index: int, seen: Window) -> Iterator[str]:
    """Where a path begins and ends, and its name in the list on the right."""
    start, end = path.points[0], path.points[-1]
    colour = _colour(index)
    if seen.sees(start):
        x, y = seen.px(start)
        yield f'<circle cx="{n(x)}" cy="{n(y)}" r="4" fill="{colour}"/>\n'
    if seen.sees(end):
        x, y = seen.px(end)
        yield f'<circle cx="{n(x)}" cy="{n(y)}" r="5" fill="none" stroke="{colour}" stroke-width="2"/>\n'
    top = TOP + 10 + 24 * index
    dash = f' stroke-dasharray="{DASHES[index % len(DASHES)]}"' if DASHES[index % len(DASHES)] else ""
    yield line(seen.x.end + 10, top, seen.x.end + 36, top, colour, width=2.2, extra=dash)
    yield label(seen.x.end + 42, top + 4.5, path.name, colour, size=TEXT, bold=True)
