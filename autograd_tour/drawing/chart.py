"""The accumulation ledger as a picture: what is in ``.grad`` after each backward call, zeroed and not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from autograd_tour.drawing.axes import Scale, label, line, n, nice_ticks
from autograd_tour.drawing.bars import range_of, stack, whose
from autograd_tour.drawing.chart_layout import HEADINGS, Block, below, fitting
from autograd_tour.drawing.extents import note_size
from autograd_tour.drawing.metrics import fit, fit_heading, text_width
from autograd_tour.drawing.room import Room, reached
from autograd_tour.drawing.svg import frame, prefix_for
from autograd_tour.drawing.theme import LIGHT, ThemeName
from autograd_tour.text import number
from autograd_tour.views.picture import Bar, Chart, ChartRow, Part

__all__ = ["ledger_chart"]

SMALLEST: Final = 12.0
"""Size of the smallest text, px."""
MARGIN: Final = 28.0
MOST_WORDS: Final = 6
"""Calls that are told in words, for those who cannot see them."""
DASHES: Final = ' stroke-dasharray="4 3"'


def ledger_chart(
    chart: Chart, *, theme: ThemeName = "auto", prefix: str | None = None, room: Room | None = None
) -> str:
    """``chart`` as a standalone SVG document: a row per number, a column per policy.

    Leaves of up to four elements have a row for each element, larger ones a row for the norm of
    their ``.grad``; six rows at most, and a line that says how many leaves are left out. Bars are
    stacked from what the calls brought wherever that adds up, which norms seldom do. With more than
    six calls, those in the middle are left out. Numbers that are not finite stand as text. In a ``room``
    rows or policies stand beside or below each other so that text is large enough there; a line says what
    had no room at all.
    """
    prefix = prefix or prefix_for(repr((chart.title, chart.ledger)))
    title = chart.title or "What backward adds to .grad"
    if not chart.rows or not chart.ledger.calls:
        text = "Nothing to draw: no leaf, or no backward call."
        body = label(MARGIN, 50, text, LIGHT.muted, size=14)
        return frame(body, 360, 84, title=title, desc=text, prefix=prefix, theme=theme, room=room)
    return _Chart(chart, room).draw(title, prefix, theme)


class _Chart:
    def __init__(self, chart: Chart, room: Room | None) -> None:
        self.chart, self.room = chart, room
        self.layout = fitting(chart, room)
        self.slot, self.style = self.layout.slot, self.layout.style

    def draw(self, title: str, prefix: str, theme: ThemeName) -> str:
        layout, chart, room = self.layout, self.chart, self.room
        margin = self.style.margin
        inner, size = layout.width - 2 * margin, (layout.width, layout.height)
        head, below_it = (26.0, 44.0) if layout.tight else (40.0, 62.0)
        heading, large = fit_heading(title, inner)
        body = [label(margin, head, heading, LIGHT.ink, size=large, bold=True)]
        step = 17 if layout.tight else 18
        for k, text in enumerate(layout.subtitle):
            body.append(label(margin, below_it + step * k, text, LIGHT.muted, size=13))
        for x, y, name, meaning in layout.headings:
            body.append(label(x, y, name, LIGHT.ink, size=14, bold=True) if name else "")
            body.append(label(x, y, meaning, LIGHT.muted) if meaning else "")
        for block in layout.blocks:
            body += self._block(block)
        for k, note in enumerate(layout.notes):
            body.append(label(margin, layout.bottom + 12 + 17 * k, note, LIGHT.muted, size=13))
        desc = " ".join(
            [
                f"{below(chart)}.",
                *([f"{chart.unchanged}."] if chart.unchanged else ()),
                *map(_words, chart.rows),
            ]
        )
        reached(title, size, room)
        note_size(size, room, SMALLEST, left_out=layout.left_out)
        return frame("".join(body), *size, title=title, desc=desc, prefix=prefix, theme=theme, room=room)

    # ---- one block --------------------------------------------------------------------------

    def _block(self, block: Block) -> Iterator[str]:
        layout, row = self.layout, block.row
        top, begin = block.top, block.starts[0]
        if block.left == self.style.margin:
            end = layout.width - self.style.margin
            yield line(block.left, top, end, top, LIGHT.muted, extra=' stroke-opacity="0.35"')
        yield self._name(row, block)
        low, high = range_of(row)
        start, plot = top + layout.start(row), layout.plot_of(row)
        scale = Scale(low, high if low < high else 1.0, start + plot, start)
        foot = start + plot
        ticks = nice_ticks(low, high, 4 if plot > 100 else 3)
        for tick in ticks:
            if tick == 0 or abs(scale(tick) - scale(0)) > 13:
                yield label(begin - 10, scale(tick) + 4, number(tick), LIGHT.muted, anchor="end")
        for k, text in enumerate(layout.names, start=1):
            if k != 1 or layout.details.gone:
                yield label(begin - 10, foot + layout.line(k), text, LIGHT.muted, anchor="end")
        for column, left in zip(block.columns, block.starts, strict=True):
            yield from self._bars(row.bars[column][1], left, scale, ticks, foot)
            if column == 0 and layout.details.whose and row.bars[0][1]:
                yield from _whose(row.bars[0][1][-1], left + self.slot * len(layout.bar_calls), scale)

    def _bars(
        self, bars: tuple[Bar, ...], left: float, scale: Scale, ticks: tuple[float, ...], foot: float
    ) -> Iterator[str]:
        right = left + self.slot * len(self.layout.bar_calls)
        for t in ticks:
            yield line(left, scale(t), right, scale(t), LIGHT.muted, extra=' stroke-opacity="0.2"')
        for i, call in enumerate(self.layout.bar_calls):
            x = left + (i + 0.5) * self.slot
            if call is None:
                yield label(x, scale(0) - 8, "…", LIGHT.muted, size=16, anchor="middle")
                yield label(x, foot + self.layout.line(0), "…", LIGHT.muted, anchor="middle")
            elif call <= len(bars):
                yield from self._bar(bars[call - 1], x, scale)
                yield from self._slot(bars[call - 1], x, foot)
        yield line(left, scale(0), right, scale(0), LIGHT.ink, width=1.2)

    def _name(self, row: ChartRow, block: Block) -> str:
        y = block.top + self.style.name
        bars = block.starts[-1] + self.slot * len(self.layout.bar_calls) - block.left
        around = text_width(f"‖‖.grad{row.index}", 15, True)
        leaf = fit(row.leaf, min(360.0, max(bars - around, 40.0)), 15, True, keep_end=True)
        name = f"‖{leaf}.grad‖" if row.norm else f"{leaf}.grad{row.index}"
        text = label(block.left, y, name, LIGHT.ink, size=15, bold=True)
        if row.norm and not row.stacked and not self.layout.tight:
            x = block.left + text_width(name, 15, True) + 16
            text += label(x, y, "norms do not add up, so these bars are not stacked", LIGHT.muted)
        return text

    def _bar(self, bar: Bar, x: float, scale: Scale) -> Iterator[str]:
        half = self.slot / 2 - self.style.inset
        zero = scale(0)
        if bar.state == "none":
            return  # the slot below says so
        if bar.state == "odd":
            yield _cross(x, zero - 12)
            yield label(
                x, zero - 24, fit(bar.after, 2 * half, 12, True), LIGHT.error, anchor="middle", bold=True
            )
            return
        parts = bar.parts or (Part(bar.level, "", 0),)
        net = scale(bar.level)
        # Parts of both signs: the sum ends neither at the top nor at the bottom of the stack.
        mixed = any(part.value > 0 for part in parts) and any(part.value < 0 for part in parts)
        for part, low, high in stack(parts):
            y, bottom = scale(high), scale(low)
            new = part is bar.parts[-1] if bar.parts else False
            yield _segment(x, y, bottom, half, new)
            text = fit(part.text, 2 * half - 4, 12)
            if bottom - y >= 15 and not (mixed and abs((y + bottom) / 2 - net) < 9):
                ink = LIGHT.paper if new else LIGHT.ink
                yield label(x, (y + bottom) / 2 + 4.2, text, ink, anchor="middle")
        if mixed:
            yield line(x - half - 4, net, x + half + 4, net, LIGHT.ink, width=2.5)

    def _slot(self, bar: Bar, x: float, foot: float) -> Iterator[str]:
        """Under a bar: the call, what was thrown away before it, what lay in ``.grad`` before and after."""
        layout, half = self.layout, self.slot / 2 - self.style.inset
        yield label(x, foot + layout.line(0), f"call {bar.call}", LIGHT.ink, anchor="middle")
        if layout.details.gone:
            yield from self._gone(bar, x, foot + layout.line(1))
        yield _mailbox(bar.before, x, foot + layout.line(2) - 15, half)
        after = None if bar.state == "none" else bar.after
        yield _mailbox(after, x, foot + layout.line(3) - 15, half, bold=True)

    def _gone(self, bar: Bar, x: float, y: float) -> Iterator[str]:
        text = fit(bar.gone, self.slot - 4, 12) if bar.gone is not None else "–"
        yield label(x, y, text, LIGHT.muted, anchor="middle")
        if bar.gone is not None:
            half = text_width(text, 12) / 2 + 2
            yield line(x - half, y - 4, x + half, y - 4, LIGHT.muted, width=1.2)


def _segment(x: float, y: float, bottom: float, half: float, new: bool) -> str:
    # A hair of paper between segments keeps them apart without a frame.
    inset = 0.75 if bottom - y > 3 else 0.0
    box = f'x="{n(x - half)}" y="{n(y + inset)}" width="{n(2 * half)}" height="{n(bottom - y - 2 * inset)}"'
    if new:
        return f'<rect {box} fill="{LIGHT.backward}"/>\n'
    return f'<rect {box} fill="{LIGHT.accumulated_fill}" stroke="{LIGHT.backward}" stroke-width="1"/>\n'


def _whose(bar: Bar, x: float, scale: Scale) -> Iterator[str]:
    """Beside the last bar: the call that brought each segment, where there is room."""
    if len(bar.parts) < 2:
        return
    for part, low, high in stack(bar.parts):
        if scale(low) - scale(high) >= 12:
            yield label(x + 2, (scale(low) + scale(high)) / 2 + 4.2, whose(part, bar), LIGHT.muted)


def _mailbox(text: str | None, x: float, y: float, half: float, *, bold: bool = False) -> str:
    """The ``.grad`` slot: dashed and empty for ``None``, else a box with the number in it."""
    if text is None:
        look, words = f'fill="none" stroke="{LIGHT.muted}" stroke-width="1"{DASHES}', ("None", LIGHT.muted)
    else:
        look, words = f'fill="{LIGHT.paper}" stroke="{LIGHT.backward}" stroke-width="1.2"', (text, LIGHT.ink)
    box = f'<rect x="{n(x - half)}" y="{n(y)}" width="{n(2 * half)}" height="21" rx="3" {look}/>\n'
    return box + label(
        x, y + 14.8, fit(words[0], 2 * half - 4, 12, bold), words[1], anchor="middle", bold=bold
    )


def _cross(x: float, y: float) -> str:
    d = f"M{n(x - 5)} {n(y - 5)}l10 10m0 -10l-10 10"
    return f'<path d="{d}" fill="none" stroke="{LIGHT.error}" stroke-width="2"/>\n'


def _words(row: ChartRow) -> str:
    name = f"norm of {row.leaf[:60]}.grad" if row.norm else f"{row.leaf[:60]}.grad{row.index}"
    parts = []
    for policy, bars in row.bars:
        after = [bar.after for bar in bars]
        text = ", ".join(after if len(after) <= MOST_WORDS else [*after[:3], "…", *after[-2:]])
        parts.append(f"{HEADINGS[policy][0]}: {text}")
    return f"{name}: {'; '.join(parts)}."
