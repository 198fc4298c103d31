"""What ``render`` and ``diff`` say of pictures that were made for a room."""

from __future__ import annotations

import pytest

from autograd_tour.cli import fitting
from autograd_tour.drawing.room import Fit, room_for


def fit(text: float, words: str = "16:9") -> Fit:
    room = room_for(words)
    assert room is not None
    return Fit("Autograd graph of loss", room, text)


def test_text_that_is_large_enough_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    fitting.say_fits("net", [fit(19.27)], quiet=False)
    assert capsys.readouterr().err == "net: Autograd graph of loss fits 1280×720 with text of 19.2 px\n"
    fitting.say_fits("net", [fit(19.27)], quiet=True)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("quiet", [False, True])
def test_text_that_is_too_small_is_a_warning_with_what_to_do(
    capsys: pytest.CaptureFixture[str], quiet: bool
) -> None:
    fitting.say_fits("net", [fit(10), fit(8, "a4")], quiet=quiet)
    first, second, hint = capsys.readouterr().err.splitlines()
    assert first.startswith("warning: net: Autograd graph of loss fits 1280×720 with text of 10 px, ")
    assert first.endswith("which is less than 18 px")
    assert second.endswith("fits a4 with text of 6 pt, which is less than 9 pt")
    assert hint.startswith("hint: ")
    assert "--depth" in hint
    assert "--focus" in hint
    assert "--min-text" in hint


def test_where_not_one_card_has_room_a_larger_room_is_what_helps(capsys: pytest.CaptureFixture[str]) -> None:
    room = room_for("100x100")
    assert room is not None
    fitting.say_fits("net", [Fit("Graph", room, 1.6, cardless=True)], quiet=False)
    warning, hint = capsys.readouterr().err.splitlines()
    assert warning.endswith("which is less than 18 px; at that size not one card has room")
    assert "larger room" in hint
    assert "--depth" not in hint


def test_a_title_of_any_length_makes_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    room = room_for("16:9")
    assert room is not None
    fitting.say_fits("net", [Fit("t" * 10_000, room, 20)], quiet=False)
    assert len(capsys.readouterr().err) < 160
