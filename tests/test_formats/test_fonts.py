"""Our fonts have every sign that we write, and the widths that boxes are sized with."""

from __future__ import annotations

import ast
import json
import string
from pathlib import Path

import pytest
from fontTools.ttLib import TTFont

import autograd_tour
from autograd_tour.drawing.metrics import _BOLD, _REGULAR, text_width
from autograd_tour.formats.fonts import FOLDER, MONO_FAMILY, SANS_FAMILY, uncovered

ROOT = Path(autograd_tour.__file__).parent
SANS = ("TourSans-Regular.ttf", "TourSans-Bold.ttf")
FONTS = {name: TTFont(FOLDER / name) for name in (*SANS, "TourMono-Regular.ttf")}


def written(path):
    """The texts of a Python file that are not docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    docs = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node)
    }
    texts = [
        node for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    return "".join(node.value for node in texts if id(node) not in docs)


def advance(font, char):
    return font["hmtx"][font.getBestCmap()[ord(char)]][0] / font["head"].unitsPerEm


@pytest.mark.slow
def test_every_sign_in_our_code_has_a_glyph_in_both_weights():
    # Text is made clean before it is drawn: what is between a space and its replacement never is.
    never_drawn = {"\u2028", "\u2029", "\u200d", "\ufe00", "\ufe0f", "\ufffe", "\uffff"}
    files = sorted(ROOT.rglob("*.py"))
    assert len(files) > 100
    drawn = set.intersection(*(set(map(chr, FONTS[name].getBestCmap())) for name in SANS))
    signs = {path: {char for char in written(path) if char.isprintable()} - never_drawn for path in files}
    assert {path: lost for path in files if (lost := signs[path] - drawn)} == {}
    assert uncovered("".join(set().union(*signs.values()))) == ""


def test_every_sign_of_the_formulas_has_a_glyph():
    assert uncovered((ROOT / "rules" / "formulas.json").read_text(encoding="utf-8")) == ""


def test_a_sign_that_is_missing_would_be_noticed():
    assert uncovered("a⊗b ✕ 温度 ÷ 🌡") == "度温🌡"


def test_what_is_said_to_be_covered_is():
    ranges = json.loads((FOLDER / "covered.json").read_text())
    codes = {code for first, last in ranges for code in range(first, last + 1)}
    for name in SANS:
        assert codes <= set(FONTS[name].getBestCmap())
    assert {ord(char) for char in string.printable.strip()} < codes
    assert len(codes) > 1_500


@pytest.mark.parametrize(("table", "name"), [(_REGULAR, SANS[0]), (_BOLD, SANS[1])])
def test_texts_are_as_wide_as_their_boxes_think(table, name):
    signs = "".join(table.values()) + "⊗✕☐"
    wrong = {
        char: advance(FONTS[name], char)
        for char in signs
        if abs(advance(FONTS[name], char) - text_width(char, 1.0, name == SANS[1])) > 0.001
    }
    assert wrong.keys() <= {"·"}  # wider than Liberation's


def test_nothing_in_a_font_moves_letters_together():
    for font in FONTS.values():
        assert "kern" not in font
        tags = {
            record.FeatureTag
            for key in ("GPOS", "GSUB")
            for record in font[key].table.FeatureList.FeatureRecord
        }
        assert tags <= {"ccmp", "mark", "mkmk"}


def test_the_mono_is_mono():
    font = FONTS["TourMono-Regular.ttf"]
    assert {round(advance(font, char), 2) for char in string.ascii_letters + string.punctuation} == {0.6}


def test_changed_fonts_have_names_of_their_own_and_their_licence():
    families = {str(font["name"].getDebugName(1)) for font in FONTS.values()}
    assert families == {SANS_FAMILY, MONO_FAMILY}
    for font in FONTS.values():
        told = " ".join(str(record) for record in font["name"].names)
        assert "Arimo" not in told
        assert "Cousine" not in told
        assert "Open Font License" in told
    assert "SIL OPEN FONT LICENSE Version 1.1" in (FOLDER / "LICENSE.txt").read_text()


def test_the_fonts_are_small():
    assert sum(path.stat().st_size for path in FOLDER.glob("*.ttf")) < 600_000
