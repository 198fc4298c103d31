"""A run as a picture: a column for each moment, lanes for the value and the ``.grad`` of each leaf."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from msgspec.structs import replace

from autograd_tour.drawing.axes import label, line, n
from autograd_tour.drawing.curves import MOST_LABEL, Area, Series, plot
from autograd_tour.drawing.extents import note_size
from autograd_tour.drawing.metrics import fit, fit_heading, text_width
from autograd_tour.drawing.room import Room, reached
from autograd_tour.drawing.run_layout import (
    ABOUT,
    ABOVE,
    BESIDE,
    CODE,
    CURVES,
    GAP,
    HEAD,
    MARGIN,
    PAD,
    PLOT,
    ROW,
    Band,
    Heading,
    Layout,
    fitting,
    lane_height,
    wrapped,
)
from autograd_tour.drawing.shapes import texts
from autograd_tour.drawing.sizes import run_width
from autograd_tour.drawing.svg import frame, prefix_for
from autograd_tour.drawing.theme import LIGHT, ThemeName
from autograd_tour.views.picture import LossCurve, Role, Run, RunCell, RunChart, RunColumn, RunLane

__all__ = ["run_chart"]

SMALLEST = 11.0
"""Size of the smallest text, px."""

DASHES: Final = ' stroke-dasharray="2 4"'
LEAST_PLOT: Final = 240.0

_ROLES: dict[str, tuple[Role, Role]] = {
    "forward": ("leaf_fill", "forward"),
    "backward": ("accumulated_fill", "backward"),
    "zeroing": ("constant_fill", "muted"),
    "clipping": ("accumulated_fill", "backward"),
    "gradient": ("accumulated_fill", "backward"),
    "gap": ("paper", "muted"),
}
"""Band and text of a heading."""
_FILLS: dict[Role, Role] = {"forward": "leaf_fill", "backward": "accumulated_fill", "saved": "saved_fill"}
"""Behind what stands in a lane of this colour."""
_OF_VALUES: tuple[Role, Role] = ("leaf_fill", "forward")
"""The same of what changes values."""


def run_chart(
    chart: RunChart, *, theme: ThemeName = "auto", prefix: str | None = None, room: Room | None = None
) -> str:
    """``chart`` as a standalone SVG document of at most 1280 px; many columns continue in a band below.

    In a ``room`` there are fewer of them, and less in all, if text would be too small.
    """
    prefix = prefix or prefix_for(repr(replace(chart, less=())))
    title = chart.title or "A run"
    if not chart.columns:
        text = "Nothing to draw: nothing happened."
        body = texts((Run(text, "muted", size=14),), MARGIN, 50)
        return frame(body, 360, 84, title=title, desc=text, prefix=prefix, theme=theme, room=room)
    layout = fitting(chart, room)
    left_out = tuple(note for note in layout.chart.notes if note not in chart.notes)
    chart = layout.chart
    inner = layout.width - 2 * MARGIN
    heading, size = fit_heading(title, inner)
    drawn = [
        texts((Run(heading, "ink", True, size),), MARGIN, 38),
        *(
            texts((Run(text, "muted", size=13),), MARGIN, 60 + 17 * k)
            for k, text in enumerate(wrapped(chart.summary, inner, 13, 2))
        ),
    ]
    for band in layout.bands:
        drawn += _band(chart, layout, band)
    top = layout.bottom
    if chart.curves:
        drawn += _curves(chart.curves, layout.width, top)
        top += CURVES
    for k, text in enumerate(layout.notes):
        drawn.append(texts((Run(text, "muted", size=12),), MARGIN, top + 14 + 17 * k))
    reached(title, (layout.width, layout.height), room)
    note_size((layout.width, layout.height), room, SMALLEST, left_out=left_out)
    return frame(
        "".join(drawn),
        layout.width,
        layout.height,
        title=title,
        desc=chart.desc or chart.summary,
        prefix=prefix,
        theme=theme,
        room=room,
    )


# ---- one band --------------------------------------------------------------------------------------


def _band(chart: RunChart, layout: Layout, band: Band) -> Iterator[str]:
    for i in band.columns:
        yield from _heading(chart.columns[i], layout.headings[i], band.lefts[i], layout.widths[i], band.top)
    top = band.top + band.head
    for k, lane in enumerate(chart.lanes):
        if lane.content == "value":
            yield line(
                MARGIN, top - 4, layout.width - MARGIN, top - 4, LIGHT.muted, extra=' stroke-opacity="0.3"'
            )
        height = layout.heights[k]
        yield from _names(lane, layout, top + height / 2)
        yield from _lane(lane, layout, band, top + height / 2)
        if lane.in_grad:
            value = top - layout.heights[k - 1] / 2 if k else top
            for column in lane.used or chart.lanes[k - 1].used:
                if column in band.columns:
                    yield from _use(chart.lanes[k - 1], layout, band, column, (top + height / 2, value))
        top += height + (0 if lane.content == "value" else GAP)


def _heading(column: RunColumn, heading: Heading, left: float, width: float, top: float) -> Iterator[str]:
    fill, ink = _ROLES.get(column.kind, _OF_VALUES)
    middle = left + width / 2
    box = f'x="{n(left + 3)}" y="{n(top)}" width="{n(width - 6)}" height="{n(HEAD)}" rx="4"'
    yield f'<rect {box} fill="{getattr(LIGHT, fill)}"/>\n'
    yield _centred(Run(fit(column.head, width - 14, 12, True), ink, True), middle, top + HEAD / 2)
    y = top + HEAD + CODE
    for text in heading.code:
        yield _centred(Run(text), middle, y - 5)
        y += CODE
    for text in heading.about:
        yield _centred(Run(text, "muted", size=11), middle, y - 5)
        y += ABOUT


def _centred(run: Run, x: float, middle: float) -> str:
    return texts((run,), x - run_width(run) / 2, middle, 0.35)


def _names(lane: RunLane, layout: Layout, middle: float) -> Iterator[str]:
    """Left of a lane: whose it is, which element, and what of it."""
    what = Run(lane.content, _role(lane))
    yield texts((what,), layout.lane - run_width(what), middle, 0.35)
    if lane.content == "value":
        name = Run(fit(lane.leaf, layout.name, 13, True, keep_end=True), "ink", True, 13)
        yield texts((name,), MARGIN, middle, 0.35)
    elif lane.about:
        yield texts((Run(fit(lane.about, layout.name, 11), "muted", size=11),), MARGIN, middle, 0.35)


# ---- one lane --------------------------------------------------------------------------------------


def _lane(lane: RunLane, layout: Layout, band: Band, middle: float) -> Iterator[str]:
    """What stays is a quiet line; what happens breaks it."""
    first = band.columns[0]
    gaps = {i: layout.chart.columns[i].kind == "gap" for i in band.columns}
    start = lane.states[first]
    x = layout.lane + 10
    if start:
        role = "muted" if start == "None" else _role(lane)
        run = Run(fit(start, layout.start, 12), role)
        yield texts((run,), x, middle, 0.35)
        x += run_width(run) + 5
    for i in band.columns:
        cell = lane.cells[i]
        if gaps[i]:
            yield _stay(lane, i, x, band.lefts[i] + 6, middle)
            yield _centred(Run("…", "muted"), band.lefts[i] + layout.widths[i] / 2, middle)
            x = band.lefts[i] + layout.widths[i] - 6
        if cell is None:
            continue
        width = _cell_width(cell)
        left = band.lefts[i] + (layout.widths[i] - width) / 2
        yield _stay(lane, i, x, left, middle)
        yield from _cell(cell, lane, left, width, middle)
        x = left + width
    last = band.columns[-1]
    yield _stay(lane, last + 1, x, band.lefts[last] + layout.widths[last], middle)


def _role(lane: RunLane) -> Role:
    """The colour of what stands in a lane."""
    return "saved" if lane.kept else "backward" if lane.in_grad else "forward"


def _stay(lane: RunLane, state: int, start: float, end: float, y: float) -> str:
    text = lane.states[state]
    if not text or end - start < 3:
        return ""
    if text == "None":
        return line(start, y, end, y, LIGHT.muted, extra=f'{DASHES} stroke-opacity="0.6"')
    colour = getattr(LIGHT, _role(lane))
    return line(start, y, end, y, colour, width=1.5, extra=' stroke-opacity="0.45"')


def _cell_width(cell: RunCell) -> float:
    return max(sum(run_width(run) for run in runs) for runs in cell.lines) + 2 * PAD


def _cell(cell: RunCell, lane: RunLane, left: float, width: float, middle: float) -> Iterator[str]:
    height = lane_height(cell) - BESIDE
    top = middle - height / 2
    fill = LIGHT.constant_fill if cell.emptied else getattr(LIGHT, _FILLS[_role(lane)])
    box = f'x="{n(left)}" y="{n(top)}" width="{n(width)}" height="{n(height)}" rx="4"'
    yield f'<rect {box} fill="{fill}"/>\n'
    for k, runs in enumerate(cell.lines):
        long = sum(run_width(run) for run in runs)
        x, y = left + (width - long) / 2, top + 2 + ROW * (k + 0.5)
        yield texts(runs, x, y, 0.35)
        if cell.emptied and k == 0:
            yield line(x - 2, y, x + long + 2, y, LIGHT.muted, width=1.2)


def _use(value: RunLane, layout: Layout, band: Band, column: int, ends: tuple[float, float]) -> Iterator[str]:
    """From the ``.grad`` that a step used up to the value that it changed."""
    x = band.lefts[column] + layout.widths[column] / 2
    bottom, middle = ends
    cell = value.cells[column]
    top = middle + ((lane_height(cell) - BESIDE) / 2 if cell is not None else 4)
    yield f'<circle cx="{n(x)}" cy="{n(bottom)}" r="3.5" fill="{LIGHT.backward}"/>\n'
    yield line(x, bottom, x, top + 6, LIGHT.backward, width=1.6)
    yield f'<path d="M{n(x)} {n(top + 1)}l4.5 8h-9z" fill="{LIGHT.backward}"/>\n'


# ---- losses ------------------------------------------------------------------------------------------


def _curves(curves: Sequence[LossCurve], width: float, top: float) -> Iterator[str]:
    """The loss of every backward call, one line for each place that calls it."""
    names = max(min(MOST_LABEL, text_width(curve.name, 13, True)) for curve in curves)
    area = Area(MARGIN + 66, top + ABOVE, max(LEAST_PLOT, width - 2 * MARGIN - 66 - 14 - names), PLOT)
    losses = [loss for curve in curves for _, loss in curve.points if loss is not None]
    log = min(losses, default=0) > 0 and max(losses) > 30 * min(losses)
    nan = float("nan")
    series = [
        Series(curve.name, [(float(call), nan if loss is None else loss) for call, loss in curve.points])
        for curve in curves
    ]
    yield label(MARGIN, top + ABOVE - 18, "loss at each backward call", LIGHT.ink, size=13, bold=True)
    yield from plot(series, area, "backward call", log_y=log)
