"""How a chart of accumulation stands in its room: what of it is beside or below each other, or left out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from autograd_tour.drawing.axes import nice_ticks
from autograd_tour.drawing.bars import range_of, whose
from autograd_tour.drawing.metrics import text_width
from autograd_tour.drawing.room import Room
from autograd_tour.drawing.run_layout import wrapped
from autograd_tour.record.ledger import Policy
from autograd_tour.text import number
from autograd_tour.views.picture import Chart, ChartRow

__all__ = ["HEADINGS", "Block", "Layout", "below", "fitting"]

NARROWEST: Final = 640.0
"""What stands below the title needs so much where nothing is short, px."""
NARROW: Final = 240.0
"""The same where room is short: the names of policies, px."""
MOST_CALLS, FEW_CALLS, FEWEST_CALLS = 6, 4, 3
GAIN: Final = 1.03
"""Text that is larger by less than this is not worth what was left out for it."""
ODD: Final = 24.0
"""Above zero stand a cross and a word where there is no number to draw, px."""
WHOSE: Final = 52.0

HEADINGS: dict[Policy, tuple[str, str]] = {
    "keep": ("without zeroing", "each call adds to what is there"),
    "zero_": (".grad.zero_()", "a 0 is put there before each call"),
    "none": ("zero_grad(set_to_none=True)", "the slot is emptied before each call"),
    "program": ("as the program does it", "what it zeroes or changes itself is seen before a call"),
}


@dataclass(frozen=True)
class Style:
    """Distances in px.

    ``lines`` go from the foot of the bars down: to the call, what was thrown away, what was there before and
    after, and the end.
    """

    margin: float
    gap: float
    slot: float
    inset: float
    name: float
    start: float
    lines: tuple[float, float, float, float, float]


ROOMY: Final = Style(28.0, 44.0, 64.0, 6.0, 24.0, 42.0, (20.0, 26.0, 26.0, 26.0, 32.0))
TIGHT: Final = Style(16.0, 13.0, 44.0, 2.5, 18.0, 28.0, (15.0, 19.0, 21.0, 24.0, 15.0))
PLOTS: Final = (110.0, 84.0, 61.0)
BETWEEN: Final = 8.0  # above the name of a policy that is below another one


@dataclass(frozen=True)
class Details:
    """What a chart tells: ``whose`` the parts of a bar are, what is ``gone``, so many calls and rows."""

    whose: bool = True
    gone: bool = True
    calls: int = MOST_CALLS
    rows: int = 0


@dataclass(frozen=True)
class Block:
    """One row under some policies, ``columns`` being their places; their bars begin at ``starts``."""

    row: ChartRow
    columns: tuple[int, ...]
    left: float
    top: float
    starts: tuple[float, ...]


class Layout:
    """Where all of a chart stands: policies ``together`` or below each other, so many blocks ``across``."""

    def __init__(
        self,
        chart: Chart,
        style: Style = ROOMY,
        details: Details | None = None,
        *,
        plot: float = 0.0,
        together: bool = True,
        across: int = 1,
    ) -> None:
        details = details or Details(rows=len(chart.rows))
        self.chart, self.style, self.details = chart, style, details
        self.tight = style is TIGHT
        self.rows = chart.rows[: details.rows]
        self.plot = plot or (150.0 if len(self.rows) <= 2 else 116.0 if len(self.rows) <= 4 else 92.0)
        calls, policies = chart.ledger.calls, chart.ledger.policies
        self.own = policies == ("program",)
        self.bar_calls = _bar_calls(calls, details.calls)
        self.slot = min(108.0, max(style.slot, 4 + 2 * style.inset + max(self._widths())))
        grad = "" if details.calls == FEWEST_CALLS else ".grad "  # a block is called w.grad
        self.names = ("no longer there" if self.own else "thrown away", f"{grad}before", f"{grad}after")
        self.gutter = 96.0 if not self.tight else self._gutter()
        groups: list[tuple[int, ...]] = [(i,) for i in range(len(policies))]
        if together:
            groups = [tuple(range(len(policies)))]
        self.headings: list[tuple[float, float, str, str]] = []
        self.blocks: list[Block] = []
        self._place(groups, across)

    def _place(self, groups: list[tuple[int, ...]], across: int) -> None:
        style = self.style
        widths = {group: self._column_widths(group) for group in groups}
        widest = max(self.gutter + sum(row) + style.gap * (len(row) - 1) for row in widths.values())
        width = 2 * style.margin + across * widest + (across - 1) * style.gap
        self.width = max(width, NARROW if self.tight else NARROWEST)
        self.subtitle = self._subtitle()
        top = 24.0 + 17 * len(self.subtitle) + 14 if self.tight else 90.0
        for group in groups:
            top = self._head(group, widths[group], top + (BETWEEN if self.blocks else 0.0))
            for first in range(0, len(self.rows), across):
                line = self.rows[first : first + across]
                for k, row in enumerate(line):
                    left = style.margin + k * (widest + style.gap)
                    self.blocks.append(
                        Block(row, group, left, top, self._starts(left + self.gutter, widths[group]))
                    )
                top += max(self.start(row) + self.plot_of(row) for row in line) + self.below
        self.lines = len({block.top for block in self.blocks})
        self.bottom = top
        self.notes = list(self._notes())
        self.height = top + 17 * len(self.notes) + (11 if self.notes else 0) + 4

    def _head(self, group: tuple[int, ...], widths: tuple[float, ...], top: float) -> float:
        """Names of policies above what is under them."""
        starts = self._starts(self.style.margin + self.gutter, widths)
        one_line = self.tight and len(group) == 1
        for x, column in zip(starts, group, strict=True):
            name, meaning = HEADINGS[self.chart.ledger.policies[column]]
            left = self.style.margin if one_line else x
            baseline = top + (14 if self.tight else 22)
            self.headings.append((left, baseline, name, ""))
            beside = left + text_width(name, 14, True) + 10
            if not one_line:
                self.headings.append((left, baseline + (16 if self.tight else 18), "", meaning))
            elif beside + text_width(meaning, 12) <= self.width - self.style.margin:
                self.headings.append((beside, baseline, "", meaning))
        return top + ((22 if one_line else 38) if self.tight else 58)

    @staticmethod
    def _joined(widths: tuple[float, ...], gap: float) -> float:
        return sum(widths) + gap * (len(widths) - 1)

    def _starts(self, left: float, widths: tuple[float, ...]) -> tuple[float, ...]:
        return tuple(left + self._joined(widths[:i], 0) + i * self.style.gap for i in range(len(widths)))

    def _column_widths(self, group: tuple[int, ...]) -> tuple[float, ...]:
        bars = self.slot * len(self.bar_calls)
        whose = self._whose() if self.chart.ledger.calls > 1 and self.details.whose else 0.0
        if len(group) == 1 and (self.tight or not self.own):
            return (bars + whose,)
        texts = [HEADINGS[self.chart.ledger.policies[i]] for i in group]
        widths = [max(text_width(a, 14, True), text_width(b, 12), bars) for a, b in texts]
        return (max(widths[0], bars + whose), *widths[1:])

    def _whose(self) -> float:
        """What stands beside the last bar, px."""
        if not self.tight:
            return WHOSE
        lasts = [row.bars[0][1][-1] for row in self.rows if row.bars[0][1]]
        texts = [whose(part, bar) for bar in lasts if len(bar.parts) > 1 for part in bar.parts]
        return max((text_width(text, 12) + 6 for text in texts), default=0.0)

    def _gutter(self) -> float:
        names = [name for name in self.names if self.details.gone or name is not self.names[0]]
        ticks = [number(tick) for row in self.rows for tick in nice_ticks(*range_of(row), 4)]
        return max(text_width(text, 12) for text in (*names, *ticks)) + 10

    def _subtitle(self) -> list[str]:
        """What stands below the title, a line each."""
        chart, inner = self.chart, self.width - 2 * self.style.margin
        lines = 3 if self.tight else 1
        brief = self.details.calls == FEWEST_CALLS or text_width(below(chart), 13) > lines * inner
        texts = (below(chart, brief=brief), *([chart.unchanged] if chart.unchanged else ()))
        return [line for text in texts for line in wrapped(text, inner, 13, lines)]

    def _notes(self) -> Iterator[str]:
        inner = self.width - 2 * self.style.margin
        texts = []
        if self.tight and any(row.norm and not row.stacked for row in self.rows):
            texts.append("Norms do not add up, so their bars are not stacked.")
        texts += [f"left out to fit: {', '.join(self.left_out)}"] if self.left_out else []
        cut, leaves = len(self.chart.rows) - len(self.rows), self.chart.left_out
        parts = [_amount(cut, "row", "rows")] if cut else []
        parts += [_amount(leaves, "leaf", "leaves")] if leaves else []
        texts += [f"… and {' and '.join(parts)} in the report"] if parts else []
        for text in texts:
            yield from wrapped(text, inner, 13, 3)

    @property
    def left_out(self) -> tuple[str, ...]:
        """What had no room."""
        gone = [] if self.details.gone else [f"what is {self.names[0]}"]
        gone += [] if self.details.whose else ["which call brought which part"]
        if len(self.bar_calls) == FEWEST_CALLS < self.chart.ledger.calls:
            first, last = FEWEST_CALLS, self.chart.ledger.calls - 1
            gone.append(f"call {first}" if first == last else f"calls {first} to {last}")
        return tuple(gone)

    # ---- one block ------------------------------------------------------------------------------

    def start(self, row: ChartRow) -> float:
        """From the top of a block to that of its bars, px."""
        odd = self.tight and any(bar.state == "odd" for _, bars in row.bars for bar in bars)
        return self.style.start + (ODD if odd else 0.0)

    def plot_of(self, row: ChartRow) -> float:
        """The height of the bars of ``row``, px: nothing is drawn of nothing but zeros."""
        low, high = range_of(row)
        return self.plot if low < high else 30.0

    def line(self, name: int) -> float:
        """From the foot of the bars to the baseline of a line below them, px; 0 is that of the calls."""
        lines = self.style.lines
        return sum(lines[k] for k in range(name + 1) if k != 1 or self.details.gone)

    @property
    def below(self) -> float:
        """From the foot of the bars to the next block, px."""
        return self.line(3) + self.style.lines[4]

    def _widths(self) -> Iterator[float]:
        for row in self.rows:
            for _, bars in row.bars:
                for bar in bars[:3] + bars[-2:]:
                    yield text_width(bar.after, 12, True)
                    yield from (text_width(part.text, 12) + 4 for part in bar.parts)
                    yield text_width(bar.before or "", 12)


def below(chart: Chart, *, brief: bool = False) -> str:
    """What the calls were, and what is shown of each unless it is to be ``brief``."""
    own = chart.ledger.policies == ("program",)
    before = "made by the program itself" if own else "a fresh forward before each"
    about = "" if brief else ": what is in .grad before and after, and what each call brought"
    text = f"{chart.ledger.extent}, {before}{about}"
    return text[0].upper() + text[1:]


def fitting(chart: Chart, room: Room | None) -> Layout:
    """The layout with the most in it whose text is large enough in ``room``, or else where text is largest.

    Of those with as much in them the one with the fewest lines of blocks is taken, then the tallest bars.
    """
    usual = Layout(chart)
    if room is None or room.endless or room.text((usual.width, usual.height)) >= room.least:
        return usual
    best, worth = usual, GAIN * room.text((usual.width, usual.height))
    for details in _stages(chart):
        layouts = sorted(_layouts(chart, details), key=lambda layout: (layout.lines, -layout.plot))
        for layout in layouts:
            text = room.text((layout.width, layout.height))
            if text >= room.least:
                return layout
            if text > worth:
                best, worth = layout, GAIN * text
    return best


def _stages(chart: Chart) -> Iterator[Details]:
    details = Details(rows=len(chart.rows))
    steps: list[Callable[[Details], Details]] = [
        lambda details: details,
        lambda details: replace(details, gone=False),
        lambda details: replace(details, whose=False),
        lambda details: replace(details, calls=FEW_CALLS),
        lambda details: replace(details, calls=FEWEST_CALLS),
    ]
    for step in steps:
        details = step(details)
        yield details
    for rows in range(len(chart.rows) - 1, 0, -1):
        yield replace(details, rows=rows)


def _layouts(chart: Chart, details: Details) -> Iterator[Layout]:
    ways = [(True, 1)]
    ways += [(len(chart.ledger.policies) == 1, across) for across in range(1, details.rows + 1)]
    for together, across in ways:
        yield Layout(chart, ROOMY, details, together=together, across=across)
        for plot in PLOTS:
            yield Layout(chart, TIGHT, details, plot=plot, together=together, across=across)


def _bar_calls(calls: int, most: int) -> tuple[int | None, ...]:
    """The calls that have a bar; ``None`` stands for those in the middle of many."""
    if calls <= most:
        return tuple(range(1, calls + 1))
    if most == FEWEST_CALLS:
        return (1, 2, calls)
    return (1, 2, 3, None, calls - 1, calls) if most >= MOST_CALLS else (1, 2, None, calls)


def _amount(count: int, noun: str, nouns: str) -> str:
    return f"{count} more {noun if count == 1 else nouns}"
