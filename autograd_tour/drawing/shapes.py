"""Shapes and texts as SVG: coordinates, curves, bands, arrows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import chain

from autograd_tour.drawing.layout import Point
from autograd_tour.drawing.metrics import escape_once
from autograd_tour.drawing.sizes import ARROW, run_width
from autograd_tour.drawing.theme import LIGHT, MONO
from autograd_tour.views.picture import Run

__all__ = ["BLANKS", "GLYPHS", "arrow", "band", "n", "scissors", "text_element", "texts"]


BLANKS = ' xml:space="preserve"'
"""Every text has this attribute, which CSS can stand for: its blanks are part of it."""
GLYPHS = ' lengthAdjust="spacingAndGlyphs"'
"""So has every text of two characters and more: it is as wide as it says, in any font."""


def text_element(run: Run, x: float, y: float) -> str:
    """One piece of text from ``x``, on the baseline ``y``; it takes just the width it was given."""
    return texts((run,), x, y)


def texts(runs: Sequence[Run], x: float, middle: float, drop: float = 0.0) -> str:
    """Pieces of text one after the other from ``x``; the baseline lies ``drop`` em below ``middle``."""
    drawn = ""
    for run in runs:
        lead, width, element = _unplaced(run)
        if element:
            drawn += f'<text x="{n(x + lead)}" y="{n(middle + run.size * drop)}"{element}'
        x += width
    return drawn


@lru_cache(maxsize=4096)
def _unplaced(run: Run) -> tuple[float, float, str]:
    """How far right a text starts, how far it goes, and its element but for the place.

    Many cards have the same texts.
    """
    text = run.text.strip(" ")
    whole = run_width(run)
    if not text.strip():
        return 0.0, whole, ""
    lead, width = 0.0, whole
    if len(text) != len(run.text):
        blanks = len(run.text) - len(run.text.lstrip(" "))
        lead = run_width(Run(" " * blanks, run.role, run.bold, run.size, run.mono))
        width = run_width(Run(text, run.role, run.bold, run.size, run.mono))
    weight = ' font-weight="bold"' if run.bold else ""
    family = f' font-family="{MONO}"' if run.mono else ""
    length = f' textLength="{n(width)}"{GLYPHS}' if len(text) > 1 else ""
    colour = getattr(LIGHT, run.role)
    element = (
        f' font-size="{run.size:g}"{weight}{family}{length}'
        f'{BLANKS} fill="{colour}">{escape_once(text)}</text>'
    )
    return lead, whole, element


@lru_cache(maxsize=1024)
def n(value: float) -> str:
    """A coordinate: two decimals at most, the same text on every machine."""
    return f"{value:.2f}".rstrip("0").rstrip(".") if value != 0 else "0"


_ZERO = re.compile(r"(?<=\.[1-9])0")


def _numbers(template: str, points: Sequence[Point]) -> str:
    """``template`` with its places, each ``%.2f``, filled in as :func:`n` writes numbers."""
    text = template % tuple(chain.from_iterable(points))
    return _ZERO.sub("", text.replace(".00", ""))


_BEZIER = "C%.2f %.2f %.2f %.2f %.2f %.2f"
_HEAD = "M%.2f %.2fL%.2f %.2fL%.2f %.2fz"


def arrow(points: Sequence[Point], tip: Point, colour: str, stroke: str) -> str:
    """A line along Bézier points and its head; ``stroke`` are the attributes of its width and dashes."""
    pieces = (len(points) - 1) // 3
    template = _arrow_template(pieces, colour, stroke)
    return _numbers(template, (*points[: 3 * pieces + 1], *_head(points[-1], tip)))


@lru_cache(maxsize=256)
def _arrow_template(pieces: int, colour: str, stroke: str) -> str:
    return (
        f'<path d="M%.2f %.2f{_BEZIER * pieces}" fill="none" stroke="{colour}"{stroke}/>'
        f'<path d="{_HEAD}" fill="{colour}"/>'
    )


def band(x: float, y: float, w: float, h: float, upper: float, lower: float) -> str:
    """A rectangle whose upper and lower corners have their own radius."""
    return f"M{n(x)} {n(y + upper)}{_around(w, h, upper, lower)}"


@lru_cache(maxsize=4096)
def _around(w: float, h: float, upper: float, lower: float) -> str:
    """The way around a band from its upper left corner; few sizes come up in one picture."""
    if not upper and not lower:
        return f"h{n(w)}v{n(h)}h{n(-w)}z"
    u, b = n(upper), n(lower)
    return (
        f"a{u} {u} 0 0 1 {u} -{u}h{n(w - 2 * upper)}a{u} {u} 0 0 1 {u} {u}"
        f"v{n(h - upper - lower)}a{b} {b} 0 0 1 -{b} {b}h{n(2 * lower - w)}a{b} {b} 0 0 1 -{b} -{b}z"
    )


def _head(start: Point, tip: Point) -> tuple[Point, Point, Point]:
    """The corners of an arrow's head."""
    dx, dy = tip[0] - start[0], tip[1] - start[1]
    length = (dx * dx + dy * dy) ** 0.5 or 1.0
    dx, dy = dx / length, dy / length
    back = (tip[0] - ARROW * dx, tip[1] - ARROW * dy)
    side = (-dy * ARROW * 0.4, dx * ARROW * 0.4)
    return tip, (back[0] + side[0], back[1] + side[1]), (back[0] - side[0], back[1] - side[1])


def scissors(x: float, y: float) -> str:
    """Scissors as a drawing: few fonts have the character."""
    return (
        f'<g class="cut" fill="none" stroke="{LIGHT.ink}" stroke-width="1.3" '
        f'transform="translate({n(x)} {n(y)})"><circle cx="-3.5" cy="-3" r="2"/>'
        '<circle cx="-3.5" cy="3" r="2"/><path d="M-2 -2L6 3.6M-2 2L6 -3.6"/></g>'
    )
