"""Cut the fonts of pictures down from Arimo and Cousine.

``python -m autograd_tour.formats.fonts.make FOLDER``, where FOLDER has ``Arimo-Regular.ttf``,
``Arimo-Bold.ttf`` and ``Cousine-Regular.ttf``, for instance ``/usr/share/fonts/truetype/croscore`` of
Debian's package fonts-croscore 20201225-1. Needs fontTools.

Left out are hints for the pixels of small screens, kerning (boxes are sized without it) and scripts
that only few names are written in. Four signs that we write are added. What is changed
gets a name of its own, so that nobody takes it for the original.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path

from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont

from autograd_tour.formats.fonts import FOLDER, MONO_FAMILY, SANS_FAMILY

__all__ = ["cut", "main"]

FONTS = (
    ("Arimo-Regular", SANS_FAMILY, "Regular"),
    ("Arimo-Bold", SANS_FAMILY, "Bold"),
    ("Cousine-Regular", MONO_FAMILY, "Regular"),
)
BLOCKS = (
    (0x0020, 0x007E),
    (0x00A0, 0x0530),  # Latin, phonetics, combining marks, Greek, Cyrillic
    (0x0590, 0x05FF),  # Hebrew
    (0x1D00, 0x1DBF),  # small letters above the line
    (0x2000, 0x27BF),  # punctuation, letters and digits above and below, arrows, mathematics, shapes
    (0xFFFD, 0xFFFD),
)
NAMES = {0: None, 1: "{family}", 2: "{style}", 3: "{family} {style}", 4: "{family} {style}", 5: None}
NAMES |= {6: "{joined}-{style}", 13: None, 14: None}
WIDTH = 0.62
"""Advance of the added signs, em: what boxes are sized with for a character of no table."""


def cut(source: Path, family: str, style: str) -> TTFont:
    """The font at ``source``, cut down and renamed."""
    font = TTFont(source, recalcTimestamp=False)
    options = Options(hinting=False, glyph_names=False, notdef_outline=True, name_IDs=[*NAMES])
    options.layout_features = ["ccmp", "mark", "mkmk"]  # accents in their places, and nothing that kerns
    options.drop_tables += ["DSIG", "gasp"]
    subsetter = Subsetter(options)
    subsetter.populate(unicodes=[code for first, last in BLOCKS for code in range(first, last + 1)])
    subsetter.subset(font)
    for record in font["name"].names:
        if (text := NAMES[record.nameID]) is not None:
            record.string = text.format(family=family, joined=family.replace(" ", ""), style=style)
    if family == SANS_FAMILY:
        _add(font, "\u2610", [("\u25a1", 0.9, 0.31)])
        _add(font, "\u2715", [("\u00d7", 1.1, 0.31)])
        _add(font, "\u2299", [("\u25cb", 0.94, 0.31), ("\u2022", 0.5, 0.31)])
        _add(font, "\u2297", [("\u25cb", 0.94, 0.31), ("\u00d7", 0.72, 0.31)])
    return font


def _add(font: TTFont, sign: str, parts: Iterable[tuple[str, float, float]]) -> None:
    """A sign of scaled glyphs, each centred ``up`` em above the baseline: (glyph, scale, up)."""
    em, glyphs, names = font["head"].unitsPerEm, font["glyf"], font.getBestCmap()
    pen = TTGlyphPen(glyphs)
    for char, scale, up in parts:
        box = glyphs[names[ord(char)]]
        x = WIDTH * em / 2 - scale * (box.xMin + box.xMax) / 2
        y = up * em - scale * (box.yMin + box.yMax) / 2
        pen.addComponent(names[ord(char)], (scale, 0, 0, scale, round(x), round(y)))
    name = f"uni{ord(sign):04X}"
    font.setGlyphOrder([*font.getGlyphOrder(), name])
    glyphs[name] = pen.glyph()
    glyphs[name].recalcBounds(glyphs)
    font["hmtx"][name] = (round(WIDTH * em), glyphs[name].xMin)
    for table in font["cmap"].tables:
        if table.isUnicode():
            table.cmap[ord(sign)] = name


def _ranges(codes: Iterable[int]) -> list[list[int]]:
    ranges: list[list[int]] = []
    for code in sorted(codes):
        if ranges and ranges[-1][1] == code - 1:
            ranges[-1][1] = code
        else:
            ranges.append([code, code])
    return ranges


def main(folder: str) -> None:
    """Write the fonts, and ``covered.json`` with the ranges of characters that both sans have."""
    common: set[int] | None = None
    for source, family, style in FONTS:
        font = cut(Path(folder) / f"{source}.ttf", family, style)
        font.save(FOLDER / f"{family.replace(' ', '')}-{style}.ttf")
        if family == SANS_FAMILY:
            codes = set(font.getBestCmap())
            common = codes if common is None else common & codes
    (FOLDER / "covered.json").write_text(json.dumps(_ranges(common or ())).replace(" ", "") + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
