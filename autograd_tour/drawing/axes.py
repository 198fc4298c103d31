"""What the charts share: scales, round ticks, lines and labels."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from autograd_tour.drawing.metrics import escape, text_width
from autograd_tour.drawing.shapes import BLANKS, GLYPHS

__all__ = ["SHORT", "Anchor", "Scale", "label", "line", "n", "nice_ticks"]

Anchor = Literal["start", "middle", "end"]

SHORT = 3
"""Signs that no font makes much wider: most are numbers at an axis, and a page has hundreds."""


def n(value: float) -> str:
    """A length for SVG: a tenth of a px, no trailing zero, never ``-0``."""
    text = f"{value:.1f}"
    return "0" if text == "-0.0" else text.removesuffix(".0")


def label(
    x: float,
    y: float,
    text: str,
    fill: str,
    *,
    size: float = 12,
    anchor: Anchor = "start",
    bold: bool = False,
    extra: str = "",
) -> str:
    """One ``<text>`` with its baseline at ``y``. ``extra`` is put among the attributes as it is.

    One of more than :data:`SHORT` signs is as wide as it was measured, whatever font draws it.
    """
    where = "" if anchor == "start" else f' text-anchor="{anchor}"'
    weight = ' font-weight="bold"' if bold else ""
    position = f'x="{n(x)}" y="{n(y)}" font-size="{size:g}"'
    width = text_width(text, size, bold) if len(text) > SHORT else 0.0
    length = f' textLength="{n(width)}"{GLYPHS}' if width else ""
    blanks = BLANKS if text.split(" ") != text.split() else ""  # they are a part of the width
    return f'<text {position} fill="{fill}"{where}{weight}{length}{blanks}{extra}>{escape(text)}</text>\n'


def line(
    x1: float, y1: float, x2: float, y2: float, stroke: str, *, width: float = 1, extra: str = ""
) -> str:
    """One ``<line>``. ``extra`` is put among the attributes as it is."""
    ends = f'x1="{n(x1)}" y1="{n(y1)}" x2="{n(x2)}" y2="{n(y2)}"'
    return f'<line {ends} stroke="{stroke}" stroke-width="{width:g}"{extra}/>\n'


@dataclass(frozen=True)
class Scale:
    """A map from data to px: ``low`` lies at ``start``, ``high`` at ``end``; ``log`` spaces by ratio."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """The place of a finite ``value`` (positive, if the scale is logarithmic), in px."""
        if self.log:
            low, high, here = math.log10(self.low), math.log10(self.high), math.log10(value)
        else:
            # Halves: the span of two huge numbers of opposite sign is not a float.
            low, high, here = self.low / 2, self.high / 2, value / 2
        share = (here - low) / (high - low) if high > low else 0.5
        return self.start + share * (self.end - self.start)


def nice_ticks(low: float, high: float, wanted: int = 5, log: bool = False) -> tuple[float, ...]:
    """About ``wanted`` round numbers within ``[low, high]``, ascending; both must be finite.

    Steps are 1, 2 or 5 times a power of ten. A logarithmic axis gets powers of ten, and 2 and 5
    times these where there is room.
    """
    if log:
        return _log_ticks(low, high, wanted)
    span = high / wanted - low / wanted
    # Tiny spans of large numbers: no step would tell neighbours apart.
    if not math.isfinite(span) or span <= 1e-12 * max(abs(low), abs(high), 1e-280):
        return (low,) if low == high else (low, high)
    power = 10.0 ** math.floor(math.log10(span))
    step = next((power * k for k in (1, 2, 5) if power * k >= span * 0.999), power * 10)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    # Through text, so that three steps of 0.1 are 0.3 and not 0.30000000000000004.
    return tuple(float(f"{i * step:.12g}") for i in range(first, last + 1))


def _log_ticks(low: float, high: float, wanted: int) -> tuple[float, ...]:
    first, last = math.floor(math.log10(low)), min(math.ceil(math.log10(high)), 307)
    ticks: tuple[float, ...] = ()
    for factors in ((1, 2, 5), (1, 5), (1,)):
        every = (float(f"{f}e{e}") for e in range(first, last + 1) for f in factors)
        ticks = tuple(tick for tick in every if low * 0.999999 <= tick <= high * 1.000001)
        if len(ticks) <= 1.6 * wanted:
            break
    return ticks[:: max(1, -(-len(ticks) // (2 * wanted)))] or (low, high)
