"""What is folded further where its text would be too small in its room, and what is not."""

from __future__ import annotations

import pytest

import autograd_tour as tour
from autograd_tour.drawing import text_in
from autograd_tour.drawing.room import room_for
from autograd_tour.formats import Settings
from autograd_tour.formats.base import chosen_views
from autograd_tour.formats.produce import files_of_trace
from autograd_tour.lessons.thermometer import thermometer
from autograd_tour.record.trace import Trace
from tests.programs import models


@pytest.fixture(scope="module")
def resnet():
    return Trace(tour.trace(models.resnet))


def picture(trace, **settings):
    ((_, scene),) = chosen_views(trace, Settings(views=("graph",), **settings))
    return scene


def test_a_large_program_is_folded_further_for_a_slide(resnet):
    room = room_for("16:9")
    usual, folded = picture(resnet), picture(resnet, room=room)
    assert len(folded.cards) < len(usual.cards)
    assert text_in(folded, room) > 1.25 * text_in(usual, room)
    assert "operations are folded into" in " ".join(folded.notes)
    assert not any("operations" in card.rows[0].left[0].text for card in folded.cards)


def test_what_is_readable_is_not_folded_further(resnet):
    room = room_for("16:9", min_text=5)
    assert picture(resnet, room=room) == picture(resnet)


@pytest.mark.parametrize("words", [{"fold": False}, {"depth": 2}, {"focus": "stages.1"}], ids=str)
def test_who_says_how_it_is_folded_gets_that(resnet, words):
    assert picture(resnet, room=room_for("16:9"), **words) == picture(resnet, **words)


def test_a_small_program_is_not_folded_for_larger_text():
    trace = Trace(tour.trace(thermometer))
    assert picture(trace, room=room_for("300x200")) == picture(trace)


def test_dot_is_not_made_for_a_room(resnet):
    drawn = [
        files_of_trace("x", resnet, Settings(formats=("dot",), views=("graph",), room=room))
        for room in (None, room_for("16:9"))
    ]
    assert drawn[0] == drawn[1]
