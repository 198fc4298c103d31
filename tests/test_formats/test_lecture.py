"""Every lecture program can be read on a slide and in a column: large text, nothing on anything else."""

from __future__ import annotations

import re

import pytest

import autograd_tour as tour
from autograd_tour.drawing import arrange, draw, fitting, layout
from autograd_tour.drawing.room import room_for
from autograd_tour.formats import Settings
from autograd_tour.formats.base import chosen_views
from autograd_tour.record.trace import Trace
from benchmarks.fitting import PAGE, Row, page
from tests.lectures import collisions, crossed, lectures

PROGRAMS = dict(lectures())
ROOMS = {
    "slide": room_for("1280x720"),
    "column": room_for(width=736.0),
    "page": room_for("a4"),
    "page on its side": room_for("a4-landscape"),
}
SIZE = re.compile(r'font-size="([\d.]+)"')


def test_the_set_has_what_a_course_shows():
    assert len(PROGRAMS) >= 20
    assert {"cnn", "attention_by_hand", "multihead", "lstm_by_hand", "lstm", "batch_norm"} < PROGRAMS.keys()
    assert {"residual", "vae", "generator_loss", "custom_function", "checkpointing"} < PROGRAMS.keys()
    assert {"autocast", "tying", "gradient_penalty", "neuron", "polynomial"} < PROGRAMS.keys()
    assert {"pinn", "ode", "embedding_bag", "nan"} < PROGRAMS.keys()


@pytest.fixture(scope="module", params=PROGRAMS)
def trace(request):
    return Trace(tour.trace(PROGRAMS[request.param]))


@pytest.mark.parametrize("where", ROOMS)
def test_it_can_be_read(trace, where, monkeypatch):
    room, layouts = ROOMS[where], []
    real = layout.lay_out_each
    monkeypatch.setattr(
        layout, "lay_out_each", lambda dots, *words: layouts.append(len(dots)) or real(dots, *words)
    )
    ((_, picture),) = chosen_views(trace, Settings(views=("graph",), room=room))
    arranged = arrange(picture, room=room)
    assert len(layouts) <= fitting.LAYOUTS
    assert room.text(arranged.size) >= room.least - 0.05
    assert collisions(arranged) == []
    assert crossed(arranged) == []
    svg = draw(picture, room=room)
    assert len(layouts) <= fitting.LAYOUTS  # what was measured is what is drawn
    smallest = min(map(float, SIZE.findall(svg)))
    assert smallest * room.scale(arranged.size) >= room.least - 0.05


def test_the_page_has_the_programs_of_the_set_and_what_they_reach():
    lines = [
        line.split("|")[1:-1] for line in PAGE.read_text(encoding="utf-8").splitlines() if line[:1] == "|"
    ]
    table = {cells[0].strip(): [float(cell) for cell in cells[1:5]] for cells in lines[2:]}
    assert list(table) == list(PROGRAMS)
    for _, slide, _, column in table.values():
        assert slide >= 18
        assert column >= 11


def test_the_page_is_made_of_what_was_measured():
    row = Row("cube", ((5.0, 18.25), (3.0, 11.5)), (20, 9), ("remarks", "rules"), 1.5)
    lines = page([row, row._replace(program="gpt", cards=(4, 4), left_out=(), times=2.5)]).splitlines()
    assert "| cube | 5.0 | 18.2 | 3.0 | 11.5 | 20 → 9 | remarks, rules |" in lines
    assert "| gpt | 5.0 | 18.2 | 3.0 | 11.5 | 4 |  |" in lines
    assert any("18.2 px on the slide, 11.5 px in the column" in line for line in lines)
    assert any("2.0 times as long" in line for line in lines)
    assert any("at most 2.5 times" in line for line in lines)
