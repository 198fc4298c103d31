"""Line charts: losses over epochs, and what else moves along an axis."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, product
from typing import Final

from autograd_tour.drawing.axes import Scale, label, line, n, nice_ticks
from autograd_tour.drawing.extents import note_size
from autograd_tour.drawing.metrics import fit, text_width
from autograd_tour.drawing.room import Room, reached
from autograd_tour.drawing.svg import frame, prefix_for
from autograd_tour.drawing.theme import LIGHT, ThemeName
from autograd_tour.drawing.thinning import Stretch, stretches
from autograd_tour.text import number

__all__ = ["MOST_LABEL", "Area", "Panel", "Series", "curves", "plot"]

SMALLEST: Final = 12.0
"""Size of the smallest text, px."""
LEFT: Final = 76.0
PLOT: Final = (640.0, 330.0)
TOP: Final = 96.0
USUAL: Final = (False, PLOT[1], 1.0)
HEIGHTS: Final = (330.0, 270.0, 220.0, 170.0)
SHARES: Final = (1.0, 0.85, 0.7, 0.55, 0.45)
"""What is tried in a room: heights of panels, px, and shares of their widths."""
SHADED: Final = "Shaded: the line goes up and down faster than can be drawn."
MEANING: Final = "Marks and dashes tell the lines apart where colours do not; they mean nothing else."
BELOW: Final = 62.0
HEADED: Final = 26.0
"""Room for what stands over a panel, px."""
MOST_LABEL: Final = 230.0
COLOURS: Final = (LIGHT.forward, LIGHT.backward, LIGHT.saved, LIGHT.ink, LIGHT.muted, LIGHT.error)
DASHES: Final = ("", "9 4", "2 3", "12 4 2 4", "5 3", "1 5")
MARKS: Final = 5

Point = tuple[float, float]


@dataclass(frozen=True)
class Series:
    """One line: its name, which stands at its end, and its points in order of x."""

    name: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Area:
    """Where lines are drawn, in px: left of it stand the numbers of y, below it those of x."""

    left: float
    top: float
    width: float
    height: float

    @property
    def right(self) -> float:
        """Its right edge."""
        return self.left + self.width

    @property
    def bottom(self) -> float:
        """Its lower edge."""
        return self.top + self.height


@dataclass(frozen=True)
class Panel:
    """Lines with axes of their own, ``width`` px between them, and what stands above."""

    series: Sequence[Series]
    x_label: str
    log_x: bool = False
    log_y: bool = False
    heading: str = ""
    width: float = PLOT[0]

    @property
    def names(self) -> float:
        """Px that the names at the ends of the lines take."""
        drawn = (s for s in self.series if any(_drawable(p, self.log_x, self.log_y) for p in s.points))
        return max([80.0, *(min(MOST_LABEL, text_width(s.name, 13, True)) for s in drawn)])


def curves(
    panels: Sequence[Panel],
    *,
    title: str,
    desc: str,
    y_label: str,
    theme: ThemeName = "auto",
    prefix: str | None = None,
    room: Room | None = None,
) -> str:
    """Line charts beside each other as a standalone SVG document; ``y_label`` says what all of them show.

    Lines differ by dashes and markers as well as by colour, and carry their names at their ends. A
    point that is not finite, or not positive on a logarithmic axis, breaks its line. Long series
    are thinned, and a line that swings too fast to be seen becomes a band between its extremes.
    """
    prefix = prefix or prefix_for(repr((title, desc, y_label, tuple(panels))))
    placed, (width, height) = _fitting(panels, room)
    body: list[str] = []
    for panel, area in placed:
        lines = plot(panel.series, area, panel.x_label, log_x=panel.log_x, log_y=panel.log_y)
        if lines and panel.heading:
            heading = fit(panel.heading, panel.width + panel.names, 13, True)
            lines.append(label(area.left, area.top - 16, heading, LIGHT.ink, size=13, bold=True))
        body += lines
    if not body:
        body.append(label(28, TOP + 30, "Nothing to draw: no finite point.", LIGHT.muted, size=14))
        height = TOP + 60
    elif any(len(panel.series) > 1 for panel in panels) and LEFT + text_width(MEANING, 12) < width:
        body.append(label(LEFT, height - 2, MEANING, LIGHT.muted))
        height += 14
    head = label(28, 38, fit(title, width - 56, 20, True), LIGHT.ink, size=20, bold=True)
    head += label(28, TOP - 20, fit(y_label, width - 56, 13), LIGHT.muted, size=13)
    reached(title, (width, height), room)
    note_size((width, height), room, SMALLEST)
    return frame(
        "".join([head, *body]), width, height, title=title, desc=desc, prefix=prefix, theme=theme, room=room
    )


def _fitting(
    panels: Sequence[Panel], room: Room | None
) -> tuple[list[tuple[Panel, Area]], tuple[float, float]]:
    """Where panels stand, and the size of all: as they are, or below each other or smaller in a ``room``."""
    best = _placed(panels, *USUAL)
    if room is None or room.endless:
        return best
    ways = (True, False) if math.isinf(room.height) else (False, True)
    for trial in product(ways, HEIGHTS, SHARES):
        placed = _placed(panels, *trial)
        if room.text(best[1]) >= room.least:
            break
        if room.text(placed[1]) > room.text(best[1]):
            best = placed
    return best


def _placed(
    panels: Sequence[Panel], below: bool, height: float, share: float
) -> tuple[list[tuple[Panel, Area]], tuple[float, float]]:
    """Panels beside or ``below`` each other, of a ``share`` of their widths."""
    headed = HEADED if any(panel.heading for panel in panels) else 0.0
    placed: list[tuple[Panel, Area]] = []
    left, top, right = 0.0, TOP + headed, 0.0
    for panel in panels:
        slim = replace(panel, width=share * panel.width)
        area = Area(left + LEFT, top, slim.width, height)
        placed.append((slim, area))
        right = max(right, area.right + 14 + panel.names)
        left, top = (0.0, area.bottom + BELOW + headed) if below else (right, top)
    bottom = max((area.bottom for _, area in placed), default=TOP)
    return placed, (right + 14, bottom + BELOW)


def plot(
    series: Sequence[Series], area: Area, x_label: str, *, log_x: bool = False, log_y: bool = False
) -> list[str]:
    """The lines with their axes, as pieces of SVG; nothing if no point can be drawn.

    Names take up to :data:`MOST_LABEL` px to the right of ``area``, and what stands below it 62 px.
    """
    kept = [Series(curve.name, [p for p in curve.points if _drawable(p, log_x, log_y)]) for curve in series]
    every = [point for curve in kept for point in curve.points]
    if not every:
        return []
    x_scale = _scale([x for x, _ in every], area.left, area.right, log_x, pad=0.0)
    y_scale = _scale([y for _, y in every], area.bottom, area.top, log_y, pad=0.05)
    body = list(_grid(x_scale, y_scale, x_label))
    ends: list[tuple[float, str, str]] = []
    pieces = [list(_pieces(curve.points, x_scale, y_scale)) for curve in series]
    # Bands lie below all lines: they would hide them.
    for _, (stretch, colour) in _coloured(pieces):
        if stretch.lower:
            body.append(_band(stretch, colour))
    hint = text_width(SHADED, 12) + text_width(x_label, 13) + 10
    if hint <= area.width and any(stretch.lower for line_stretches in pieces for stretch in line_stretches):
        body.append(label(area.left, area.bottom + BELOW - 18, SHADED, LIGHT.muted))
    for i, (stretch, colour) in _coloured(pieces):
        if not stretch.lower:
            body.append(_path(stretch.points, colour, DASHES[i % len(DASHES)]))
    for i, curve in enumerate(kept):
        if curve.points:
            colour = COLOURS[i % len(COLOURS)]
            last = (x_scale(curve.points[-1][0]), y_scale(curve.points[-1][1]))
            body += [_mark(i, x, y, colour) for x, y in [*_marked(pieces[i]), last]]
            ends.append((y_scale(curve.points[-1][1]), curve.name, colour))
    return [*body, *_names(ends, area)]


def _drawable(point: Point, log_x: bool, log_y: bool) -> bool:
    x, y = point
    return math.isfinite(x) and math.isfinite(y) and (x > 0 or not log_x) and (y > 0 or not log_y)


def _scale(values: list[float], start: float, end: float, log: bool, pad: float) -> Scale:
    low, high = min(values), max(values)
    if log:
        if high / low < 1.5:
            low, high = low / 1.5, high * 1.5 if high < 1e300 else high
        grow = (high / low) ** pad
        return Scale(max(low / grow, 1e-307), min(high * grow, 1e308), start, end, log=True)
    if low == high:
        low, high = low - (abs(low) / 2 or 1.0), high + (abs(high) / 2 or 1.0)
    room = high * pad - low * pad
    bottom = 0.0 if 0 <= low < room * 2 else low - room
    return Scale(max(bottom, -1.7e308), min(high + room, 1.7e308), start, end)


def _grid(x_scale: Scale, y_scale: Scale, x_label: str) -> Iterator[str]:
    left, right, bottom = x_scale.start, x_scale.end, y_scale.start
    for tick in nice_ticks(y_scale.low, y_scale.high, _tick_count(bottom - y_scale.end), y_scale.log):
        y = y_scale(tick)
        yield line(left, y, right, y, LIGHT.muted, extra=' stroke-opacity="0.2"')
        yield label(left - 10, y + 4.2, number(tick), LIGHT.muted, anchor="end")
    end = -math.inf
    for tick in filter(_is_whole, nice_ticks(x_scale.low, x_scale.high, 8, x_scale.log)):  # of calls, epochs
        x = x_scale(tick)
        yield line(x, bottom, x, bottom + 5, LIGHT.muted)
        half = text_width(number(tick), 12) / 2
        if x - half > end + 3:
            yield label(x, bottom + 20, number(tick), LIGHT.muted, anchor="middle")
            end = x + half
    yield line(left, bottom, right, bottom, LIGHT.muted)
    yield label(right, bottom + 44, fit(x_label, right - left, 13), LIGHT.muted, size=13, anchor="end")


def _is_whole(tick: float) -> bool:
    return tick == round(tick)


def _tick_count(height: float) -> int:
    """About as many numbers of y as have room: 6, or fewer in a low picture."""
    return max(3, min(6, round(height / 40)))


def _pieces(points: Sequence[Point], x_scale: Scale, y_scale: Scale) -> Iterator[Stretch]:
    """The unbroken stretches of a line, in px."""
    for fine, group in groupby(points, key=lambda p: _drawable(p, x_scale.log, y_scale.log)):
        if fine:
            yield from stretches([(x_scale(x), y_scale(y)) for x, y in group])


def _coloured(pieces: list[list[Stretch]]) -> Iterator[tuple[int, tuple[Stretch, str]]]:
    for i, line_stretches in enumerate(pieces):
        yield from ((i, (stretch, COLOURS[i % len(COLOURS)])) for stretch in line_stretches)


def _path(points: Sequence[Point], colour: str, dashes: str) -> str:
    if len(points) == 1:
        x, y = points[0]
        return f'<circle cx="{n(x)}" cy="{n(y)}" r="2" fill="{colour}"/>\n'
    dash = f' stroke-dasharray="{dashes}"' if dashes else ""
    look = f'fill="none" stroke="{colour}" stroke-width="1.8" stroke-linejoin="round"{dash}'
    return f'<path d="M{_joined(points)}" {look}/>\n'


def _band(stretch: Stretch, colour: str) -> str:
    outline = f"M{_joined(stretch.points)}L{_joined(stretch.lower[::-1])}z"
    look = f'fill="{colour}" fill-opacity="0.22" stroke="{colour}" stroke-opacity="0.5" stroke-width="1"'
    return f'<path d="{outline}" {look}/>\n'


def _joined(points: Sequence[Point]) -> str:
    return "L".join(f"{n(x)} {n(y)}" for x, y in points)


def _marked(pieces: list[Stretch]) -> Iterator[Point]:
    """A few places along a line, for those who cannot tell its colour; none on a band."""
    points = [point for piece in pieces if not piece.lower for point in piece.points]
    if len(points) <= 2 * MARKS:
        return
    span = points[-1][0] - points[0][0]
    for i in range(1, MARKS):
        target = points[0][0] + span * i / MARKS
        yield min(points, key=lambda point: abs(point[0] - target))


def _mark(i: int, x: float, y: float, colour: str) -> str:
    look = f'fill="{LIGHT.paper}" stroke="{colour}" stroke-width="2"'
    shape = (
        f"M{n(x - 4)} {n(y)}a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z",
        f"M{n(x - 4)} {n(y - 4)}h8v8h-8z",
        f"M{n(x)} {n(y - 5)}l5 9h-10z",
        f"M{n(x)} {n(y - 5)}l5 5l-5 5l-5 -5z",
        f"M{n(x)} {n(y + 5)}l5 -9h-10z",
        f"M{n(x - 4)} {n(y - 4)}l8 8m0 -8l-8 8",
    )[i % 6]
    return f'<path d="{shape}" {look}/>\n'


def _names(ends: list[tuple[float, str, str]], area: Area) -> Iterator[str]:
    """Names beside the ends of their lines, moved apart where these meet."""
    low, gap = area.top + 4, 18.0
    ordered = sorted(ends, key=lambda end: end[0])
    places = [max(y + 4.5, low) for y, _, _ in ordered]
    for i in range(1, len(places)):
        places[i] = max(places[i], places[i - 1] + gap)
    # What was pushed out at the bottom pushes back.
    limit = area.bottom + 4
    for i in reversed(range(len(places))):
        places[i] = min(places[i], limit - gap * (len(places) - 1 - i))
    for y, (_, name, colour) in zip(places, ordered, strict=True):
        yield label(area.right + 14, y, fit(name, MOST_LABEL, 13, True), colour, size=13, bold=True)
