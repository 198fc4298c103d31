"""SVG -> PNG, with our own fonts: the same bytes on every machine."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET

from autograd_tour.drawing.theme import FONT, MONO
from autograd_tour.errors import UsageError
from autograd_tour.formats.fonts import FOLDER, MONO_FAMILY, SANS_FAMILY, uncovered

__all__ = ["MOST_PIXELS", "png"]

MOST_PIXELS = 100_000_000
"""Pixels of the largest PNG: drawing it takes some 800 MB, and few programs open a larger one."""

_JOINERS = re.compile("[\u200d\ufe00-\ufe0f]")


def png(svg: str, scale: float = 2.0) -> bytes:
    """The picture ``svg`` as PNG, ``scale`` pixels for each px of it.

    A character that our fonts do not have is drawn in a font of the system, and as a box if none has
    it.

    Raises:
        UsageError: ``scale`` is no number above 0 that leaves a pixel, or the PNG would have more
            than :data:`MOST_PIXELS`.
    """
    from resvg_py import svg_to_bytes

    root = ET.fromstring(svg)  # noqa: S314 (of our own making)
    width, height = float(root.get("width", "0")), float(root.get("height", "0"))
    if not (math.isfinite(scale) and scale * min(width, height) >= 1):
        hint = "Use --scale 2, or another number above 0"
        raise UsageError(f"a picture of {width:g} × {height:g} px cannot be scaled by {scale}", hint)
    if width * height * scale**2 > MOST_PIXELS:
        fits = math.floor(100 * math.sqrt(MOST_PIXELS / (width * height))) / 100
        smaller = f"--scale {fits:g} or less fits; " if fits >= 0.1 else ""
        raise UsageError(
            f"a PNG of {width * scale:.0f} × {height * scale:.0f} pixels is too large to draw",
            f"{smaller}svg and pdf have no pixels",
        )
    svg = svg.replace(f'font-family="{FONT}"', f'font-family="{SANS_FAMILY}"')
    svg = svg.replace(f'font-family="{MONO}"', f'font-family="{MONO_FAMILY}"')
    foreign = bool(uncovered(svg))
    if foreign:
        # Sequences of emoji are not drawn, their members are; and where a text is stretched, a
        # sequence counts as one box, so that the text would leave its own.
        svg = _JOINERS.sub("", svg).replace('lengthAdjust="spacingAndGlyphs"', 'lengthAdjust="spacing"')
    paper = root.find("{http://www.w3.org/2000/svg}rect")  # 262.5 px end in the middle of a pixel
    return svg_to_bytes(
        svg_string=svg,
        zoom=scale,
        background=None if paper is None else paper.get("fill"),
        font_dirs=[str(FOLDER)],
        skip_system_fonts=not foreign,
    )
