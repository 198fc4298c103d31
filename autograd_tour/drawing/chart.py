"""The accumulation ledger as a picture: what is in ``.grad`` after each backward call, zeroed and not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from autograd_tour.drawing.axes import Scale, label, line, n, nice_ticks
from autograd_tour.drawing.extents import note_size
from autograd_tour.drawing.metrics import fit, text_width
from autograd_tour.drawing.room import Room, reached
from autograd_tour.drawing.svg import frame, prefix_for
from autograd_tour.drawing.theme import LIGHT, ThemeName
from autograd_tour.record.ledger import Policy
from autograd_tour.text import number
from autograd_tour.views.picture import Bar, Chart, ChartRow, Part

__all__ = ["ledger_chart"]

SMALLEST: Final = 12.0
"""Size of the smallest text, px."""
MARGIN: Final = 28.0
GUTTER: Final = 96.0  # left of the first column: ticks and the names of the lines under the bars
GAP: Final = 44.0
MOST_CALLS: Final = 6
NARROWEST: Final = 640.0  # the line below the title needs so much
DASHES: Final = ' stroke-dasharray="4 3"'

_HEADINGS: dict[Policy, tuple[str, str]] = {
    "keep": ("without zeroing", "each call adds to what is there"),
    "zero_": (".grad.zero_()", "a 0 is put there before each call"),
    "none": ("zero_grad(set_to_none=True)", "the slot is emptied before each call"),
    "program": ("as the program does it", "what it zeroes or changes itself is seen before a call"),
}


def ledger_chart(
    chart: Chart, *, theme: ThemeName = "auto", prefix: str | None = None, room: Room | None = None
) -> str:
    """``chart`` as a standalone SVG document: a row per number, a column per policy.

    Leaves of up to four elements have a row for each element, larger ones a row for the norm of
    their ``.grad``; six rows at most, and a line that says how many leaves are left out. Bars are
    stacked from what the calls brought wherever that adds up, which norms seldom do. With more than
    six calls, those in the middle are left out. Numbers that are not finite stand as text.
    """
    prefix = prefix or prefix_for(repr((chart.title, chart.ledger)))
    title = chart.title or "What backward adds to .grad"
    if not chart.rows or not chart.ledger.calls:
        text = "Nothing to draw: no leaf, or no backward call."
        body = label(MARGIN, 50, text, LIGHT.muted, size=14)
        return frame(body, 360, 84, title=title, desc=text, prefix=prefix, theme=theme, room=room)
    return _Chart(chart).draw(title, prefix, theme, room)


class _Chart:
    def __init__(self, chart: Chart) -> None:
        self.rows, self.left_out, self.calls = chart.rows, chart.left_out, chart.ledger.calls
        calls, policies = self.calls, chart.ledger.policies
        self.own = policies == ("program",)
        self.unchanged = chart.unchanged
        self.headings = [_HEADINGS[policy] for policy in policies]
        many = calls > MOST_CALLS
        self.bar_calls = (1, 2, 3, None, calls - 1, calls) if many else tuple(range(1, calls + 1))
        self.slot = min(108.0, max(64.0, 16 + max(self._widths())))
        bars = self.slot * len(self.bar_calls)
        self.whose = 52.0 if calls > 1 else 0.0  # beside the last bar: which call brought which segment
        widths = [max(text_width(a, 14, True), text_width(b, 12), bars) for a, b in self.headings]
        widths[0] = max(widths[0], bars + self.whose)
        self.left = MARGIN + GUTTER
        self.starts = [self.left + sum(widths[:i]) + i * GAP for i in range(len(widths))]
        self.width = max(NARROWEST, self.starts[-1] + widths[-1] + MARGIN)
        self.plot = 150.0 if len(self.rows) <= 2 else 116.0 if len(self.rows) <= 4 else 92.0

    def _widths(self) -> Iterator[float]:
        for row in self.rows:
            for _, bars in row.bars:
                for bar in bars[:3] + bars[-2:]:
                    yield text_width(bar.after, 12, True)
                    yield from (text_width(part.text, 12) + 4 for part in bar.parts)
                    yield text_width(bar.before or "", 12)

    def draw(self, title: str, prefix: str, theme: ThemeName, room: Room | None) -> str:
        calls = f"{self.calls} backward call{'s' if self.calls != 1 else ''}"
        before = "made by the program itself" if self.own else "a fresh forward before each"
        below = f"{calls}, {before}: what is in .grad before and after, and what each call brought"
        body = [
            label(MARGIN, 40, fit(title, self.width - 2 * MARGIN, 20, True), LIGHT.ink, size=20, bold=True),
            label(MARGIN, 62, fit(below, self.width - 2 * MARGIN, 13), LIGHT.muted, size=13),
        ]
        if self.unchanged:
            body.append(
                label(MARGIN, 80, fit(self.unchanged, self.width - 2 * MARGIN, 13), LIGHT.muted, size=13)
            )
        for start, (name, meaning) in zip(self.starts, self.headings, strict=True):
            body.append(label(start, 112, name, LIGHT.ink, size=14, bold=True))
            body.append(label(start, 130, meaning, LIGHT.muted))
        top = 148.0
        for row in self.rows:
            drawn, top = self._row(row, top)
            body += drawn
        if self.left_out:
            noun = "leaf" if self.left_out == 1 else "leaves"
            body.append(
                label(
                    MARGIN, top + 12, f"… and {self.left_out} more {noun} in the report", LIGHT.muted, size=13
                )
            )
            top += 28
        desc = " ".join(
            [f"{below}.", *([f"{self.unchanged}."] if self.unchanged else ()), *map(_words, self.rows)]
        )
        size = (self.width, top + 4)
        reached(title, size, room)
        note_size(size, room, SMALLEST)
        return frame("".join(body), *size, title=title, desc=desc, prefix=prefix, theme=theme, room=room)

    # ---- one row ----------------------------------------------------------------------------

    def _row(self, row: ChartRow, top: float) -> tuple[list[str], float]:
        body = [line(MARGIN, top, self.width - MARGIN, top, LIGHT.muted, extra=' stroke-opacity="0.35"')]
        body.append(self._name(row, top + 24))
        low, high = _range(row)
        start = top + 42
        plot = self.plot if low < high else 30.0
        scale = Scale(low, high if low < high else 1.0, start + plot, start)
        foot = start + plot
        ticks = nice_ticks(low, high, 4 if self.plot > 100 else 3)
        body += [
            label(self.left - 10, scale(tick) + 4, number(tick), LIGHT.muted, anchor="end")
            for tick in ticks
            if tick == 0 or abs(scale(tick) - scale(0)) > 13
        ]
        gone = "no longer there" if self.own else "thrown away"
        names = ((gone, foot + 46), (".grad before", foot + 72), (".grad after", foot + 98))
        body += [label(self.left - 10, y, text, LIGHT.muted, anchor="end") for text, y in names]
        for (_, bars), column in zip(row.bars, self.starts, strict=True):
            right = column + self.slot * len(self.bar_calls)
            body += [
                line(column, scale(t), right, scale(t), LIGHT.muted, extra=' stroke-opacity="0.2"')
                for t in ticks
            ]
            for i, call in enumerate(self.bar_calls):
                x = column + (i + 0.5) * self.slot
                if call is None:
                    body.append(label(x, scale(0) - 8, "…", LIGHT.muted, size=16, anchor="middle"))
                    body.append(label(x, foot + 20, "…", LIGHT.muted, anchor="middle"))
                elif call <= len(bars):
                    body += self._bar(bars[call - 1], x, scale)
                    body += self._slot(bars[call - 1], x, foot)
            if bars and column == self.left:
                body += _whose(bars[-1], right, scale)
            body.append(line(column, scale(0), right, scale(0), LIGHT.ink, width=1.2))
        return body, foot + 130

    def _name(self, row: ChartRow, y: float) -> str:
        leaf = fit(row.leaf, 360, 15, True)
        name = f"‖{leaf}.grad‖" if row.norm else f"{leaf}.grad{row.index}"
        text = label(MARGIN, y, name, LIGHT.ink, size=15, bold=True)
        if row.norm and not row.stacked:
            x = MARGIN + text_width(name, 15, True) + 16
            text += label(x, y, "norms do not add up, so these bars are not stacked", LIGHT.muted)
        return text

    def _bar(self, bar: Bar, x: float, scale: Scale) -> Iterator[str]:
        half = self.slot / 2 - 6
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
        for part, low, high in _stack(parts):
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
        yield label(x, foot + 20, f"call {bar.call}", LIGHT.ink, anchor="middle")
        gone = fit(bar.gone, self.slot - 8, 12) if bar.gone is not None else "–"
        yield label(x, foot + 46, gone, LIGHT.muted, anchor="middle")
        if bar.gone is not None:
            half = text_width(gone, 12) / 2 + 2
            yield line(x - half, foot + 42, x + half, foot + 42, LIGHT.muted, width=1.2)
        yield _mailbox(bar.before, x, foot + 57, self.slot / 2 - 6)
        yield _mailbox(None if bar.state == "none" else bar.after, x, foot + 83, self.slot / 2 - 6, bold=True)


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
    for part, low, high in _stack(bar.parts):
        if scale(low) - scale(high) >= 12:
            text = (
                f"call {part.call}"
                if part.call > 0
                else "before"
                if part.call == 0
                else f"1 to {bar.call - 1}"
            )
            yield label(x + 2, (scale(low) + scale(high)) / 2 + 4.2, text, LIGHT.muted)


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


def _stack(parts: tuple[Part, ...]) -> Iterator[tuple[Part, float, float]]:
    """(part, low, high): positive parts upwards from zero, negative ones downwards; zeros have no height."""
    up = down = 0.0
    for part in parts:
        if part.value > 0:
            yield part, up, up + part.value
            up += part.value
        elif part.value < 0:
            yield part, down + part.value, down
            down += part.value


def _range(row: ChartRow) -> tuple[float, float]:
    low = high = 0.0
    for _, bars in row.bars:
        for bar in bars:
            ends = [end for _, a, b in _stack(bar.parts) for end in (a, b)]
            low, high = min(low, bar.level, *ends, 0.0), max(high, bar.level, *ends, 0.0)
    return low, high


def _words(row: ChartRow) -> str:
    name = f"norm of {row.leaf[:60]}.grad" if row.norm else f"{row.leaf[:60]}.grad{row.index}"
    parts = []
    for policy, bars in row.bars:
        after = [bar.after for bar in bars]
        text = ", ".join(after if len(after) <= MOST_CALLS else [*after[:3], "…", *after[-2:]])
        parts.append(f"{_HEADINGS[policy][0]}: {text}")
    return f"{name}: {'; '.join(parts)}."
