"""What is folded further where its text would be too small in its room, and what is not."""

from __future__ import annotations

import pytest
import torch

import autograd_tour as tour
from autograd_tour.drawing import arrange
from autograd_tour.drawing.room import room_for
from autograd_tour.formats import Settings
from autograd_tour.formats.base import chosen_views
from autograd_tour.formats.produce import files_of_trace
from autograd_tour.lessons.thermometer import thermometer
from autograd_tour.record.trace import Trace
from autograd_tour.views.brief import LEFT_OUT
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
    large, small = (room.text(arrange(scene, room=room).size) for scene in (folded, usual))
    assert large > 1.25 * small
    assert not any("operations" in card.rows[0].left[0].text for card in folded.cards)


def test_what_is_readable_is_not_folded_further(resnet):
    room = room_for("16:9", min_text=5)
    assert picture(resnet, room=room) == picture(resnet)


@pytest.mark.parametrize("words", [{"fold": False}, {"depth": 2}, {"focus": "stages.1"}], ids=str)
def test_who_says_how_it_is_folded_gets_that(resnet, words):
    fitted, usual = picture(resnet, room=room_for("16:9"), **words), picture(resnet, **words)
    assert {card.id for card in fitted.cards} == {card.id for card in usual.cards}


@pytest.mark.parametrize("view", ["chain", "steps", "outline"])
def test_a_small_program_is_not_folded_for_larger_text(view):
    trace = Trace(tour.trace(thermometer))
    settings = Settings(views=(view,), room=room_for("300x200"))
    ((_, small),) = chosen_views(trace, settings)
    ((_, usual),) = chosen_views(trace, Settings(views=(view,)))
    assert small == usual


def test_what_is_brief_says_so_and_keeps_the_operations_if_they_fit():
    trace = Trace(tour.trace(thermometer))
    brief = picture(trace, room=room_for("900x500"))
    assert brief.left_out == LEFT_OUT["numbers"]
    assert {card.id for card in brief.cards} == {card.id for card in picture(trace).cards}


def test_a_statement_is_one_card_where_its_operations_have_no_room():
    trace = Trace(tour.trace(thermometer))
    folded = picture(trace, room=room_for("800x450"))
    assert [card.rows[0].left[0].text for card in folded.cards if card.shape == "operation"] == [
        "w * t_u + b",
        "(t_p − t_c) ** 2",
        "squared_diffs.mean()",
    ]


def test_hundreds_of_cards_are_drawn_as_they_are():
    def program():
        x = torch.ones(2, requires_grad=True)
        for _ in range(80):
            x = x.sin() * 2
        return x.sum()

    trace = Trace(tour.trace(program))
    room = room_for("16:9")
    whole = picture(trace, room=room, fold=False)
    assert whole == picture(trace, fold=False)
    assert room.text(arrange(whole, room=room).size) < 5


def test_dot_is_not_made_for_a_room(resnet):
    drawn = [
        files_of_trace("x", resnet, Settings(formats=("dot",), views=("graph",), room=room))
        for room in (None, room_for("16:9"))
    ]
    assert drawn[0] == drawn[1]
