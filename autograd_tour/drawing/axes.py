"""What every chart shares: ticks, scales, the width of a text, safe text, and the SVG frame."""

from __future__ import annotations

import math
import unicodedata
from dataclasses import dataclass
from typing import Literal
from xml.sax.saxutils import escape as _escape

__all__ = [
    "FONT",
    "Scale",
    "ThemeName",
    "clean",
    "coordinate",
    "escape",
    "finish",
    "fit",
    "label",
    "line",
    "nice_ticks",
    "text_width",
]

ThemeName = Literal["light", "dark", "auto"]

FONT = "Arial, Helvetica, 'Liberation Sans', sans-serif"

_NARROW = dict.fromkeys("ijl'|", 0.24) | dict.fromkeys(" .,:;/\\!It[]f", 0.29) | dict.fromkeys("()-r{}`\"", 0.36)
_WIDE = dict.fromkeys("mMW@%…—", 1.0) | dict.fromkeys("wCDGHNOQRU&", 0.75) | dict.fromkeys("ABEKPSVXY", 0.67)
_WIDTHS = _NARROW | _WIDE
_BIDI = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def clean(text: str) -> str:
    """``text`` on one line, with every character that XML or the reader cannot bear as U+FFFD."""
    return "".join(" " if c in "\t\n\r" else "\ufffd" if _unfit(c) else c for c in text)


def _unfit(char: str) -> bool:
    # Cc: control, Cs: lone surrogate, Cn: among others U+FFFE and U+FFFF, which XML forbids.
    return char in _BIDI or unicodedata.category(char) in ("Cc", "Cs", "Cn") or char in "\u2028\u2029"


def escape(text: str) -> str:
    """``text`` for an XML text or a double-quoted attribute."""
    return _escape(clean(text), {'"': "&quot;"})


def text_width(text: str, size: float, bold: bool = False) -> float:
    """Width of ``text`` in px when set in Arial at ``size`` px; rather too wide than too narrow."""
    total = 0.0
    for char in text:
        if char in _WIDTHS:
            total += _WIDTHS[char]
        elif char.isascii() or char in "−×":
            total += 0.585
        elif unicodedata.combining(char):
            continue
        else:
            total += 1.35 if unicodedata.east_asian_width(char) in "WF" else 0.8
    return total * size * (1.08 if bold else 1.0)


def fit(text: str, width: float, size: float, bold: bool = False) -> str:
    """``text``, or its beginning and an ellipsis, so that it takes at most ``width`` px."""
    # Only so many characters can fit: measuring 10,000 of them one by one would be slow.
    text = clean(text[:2000])
    if text_width(text, size, bold) <= width:
        return text
    room = width - text_width("…", size, bold)
    used, kept = 0.0, 0
    for char in text:
        used += text_width(char, size, bold)
        if used > room:
            break
        kept += 1
    return text[:kept].rstrip() + "…"


def coordinate(value: float) -> str:
    """A length for SVG: a tenth of a px, no trailing zero, never ``-0``."""
    text = f"{value:.1f}"
    return "0" if text == "-0.0" else text.removesuffix(".0")


def label(
    x: float,
    y: float,
    text: str,
    *,
    fill: str,
    size: float = 12,
    anchor: Literal["start", "middle", "end"] = "start",
    bold: bool = False,
    extra: str = "",
) -> str:
    """One ``<text>`` with its baseline at ``y``. ``extra`` is put among the attributes as it is."""
    where = "" if anchor == "start" else f' text-anchor="{anchor}"'
    weight = ' font-weight="bold"' if bold else ""
    place = f'x="{coordinate(x)}" y="{coordinate(y)}"'
    return f'<text {place} font-size="{size:g}" fill="{fill}"{where}{weight}{extra}>{escape(text)}</text>'


def line(x1: float, y1: float, x2: float, y2: float, *, stroke: str, width: float = 1, extra: str = "") -> str:
    """One ``<line>``. ``extra`` is put among the attributes as it is."""
    ends = f'x1="{coordinate(x1)}" y1="{coordinate(y1)}" x2="{coordinate(x2)}" y2="{coordinate(y2)}"'
    return f'<line {ends} stroke="{stroke}" stroke-width="{width:g}"{extra}/>'


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
    if not span > 0 or not math.isfinite(span):
        return (low,) if low == high else (low, high)
    power = 10.0 ** math.floor(math.log10(span))
    step = next((power * k for k in (1, 2, 5) if power * k >= span * 0.999), power * 10)
    if not step > 0:
        return (low, high)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    # Rounding takes away what repeated steps of 0.1 leave behind.
    places = max(0, 2 - math.floor(math.log10(step)))
    return tuple(round(i * step, places) + 0.0 if places < 300 else i * step for i in range(first, last + 1))


def _log_ticks(low: float, high: float, wanted: int) -> tuple[float, ...]:
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    for factors in ((1, 2, 5), (1, 5), (1,)):
        every = [f * 10.0**e for e in range(first, last + 1) if e < 308 for f in factors]
        ticks = tuple(t for t in every if low * 0.999999 <= t <= high * 1.000001)
        if len(ticks) <= 1.6 * wanted:
            break
    return ticks[:: -(-len(ticks) // (2 * wanted))] if ticks else (low, high)


def finish(
    body: list[str], *, width: float, height: float, title: str, desc: str, theme: ThemeName, prefix: str
) -> str:
    """A whole SVG document around ``body``: title, description, paper, dark colours, prefixed ids."""
    from autograd_tour.drawing.theme import LIGHT, style_block

    size = f'viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}"'
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" id="{prefix}" role="img" '
        f'aria-labelledby="{prefix}-title {prefix}-desc" {size} font-family="{FONT}">'
    )
    front = [
        head,
        f'<title id="{prefix}-title">{escape(title)}</title>',
        f'<desc id="{prefix}-desc">{escape(desc)}</desc>',
        style_block(prefix, theme),
        f'<rect width="{width:g}" height="{height:g}" fill="{LIGHT.paper}"/>',
    ]
    return "\n".join([*(part for part in front if part), *body, "</svg>"]) + "\n"
