"""Widths of text, and texts that fit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograd_tour.drawing.metrics import _BOLD, _REGULAR, clean, escape, fit, text_width


@pytest.mark.parametrize(
    ("text", "bold", "thousandths"),
    [
        ("", False, 0),
        ("i", False, 222),
        ("W", False, 944),
        ("Wi", True, 944 + 278),
        ("−1", False, 584 + 556),
        ("Σ", False, 618),
        ("ᵀ", False, 360),
        ("温度", False, 2000),
        ("e\u0301", False, 556),
        ("ж", False, 620),
    ],
)
def test_a_text_is_as_wide_as_its_characters(text, bold, thousandths):
    assert text_width(text, 10, bold) == pytest.approx(thousandths / 100)


@pytest.mark.parametrize("table", [_REGULAR, _BOLD], ids=["regular", "bold"])
def test_every_character_has_one_width(table):
    chars = "".join(table.values())
    assert len(chars) == len(set(chars))
    assert set(map(chr, range(32, 127))) <= set(chars)


@given(st.text(max_size=80), st.floats(5, 300), st.booleans())
def test_what_is_fitted_fits(text, room, bold):
    fitted = fit(text, room, 12, bold)
    ellipsis = text_width("…", 12, bold)
    assert text_width(fitted, 12, bold) <= max(room, ellipsis)
    assert fitted == clean(text) or fitted.endswith("…")


def test_what_fits_is_left_alone():
    assert fit("w * t_u", 100, 12) == "w * t_u"
    assert fit("w * t_u + b", 40, 12) == "w * t…"
    assert fit("a      b", 25, 12) == "a…"
    assert fit("n" * 10_000, 1e9, 12) == "n" * 500  # nobody reads more


@given(st.text())
def test_cleaning_and_escaping_leave_nothing_dangerous(text):
    safe = clean(text)
    assert clean(safe) == safe
    safe.encode()
    assert not set(escape(text)) & set('<>"')


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain × Σ − 温度 👩", "plain × Σ − 温度 👩"),
        ("a\tb\nc\rd", "a b c d"),
        ("\0\x1b\x7f\x9f", "\ufffd" * 4),
        ("\ud800\ufffe\uffff", "\ufffd" * 3),
        ("a\u202eb\u2066", "a\ufffdb\ufffd"),
        ("👩\u200d🔬", "👩\u200d🔬"),
    ],
)
def test_clean(text, shown):
    assert clean(text) == shown
