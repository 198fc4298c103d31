"""Where room is short a picture has less in it, says what it left out, and goes on in a row below or a column beside."""

from __future__ import annotations

import re
from itertools import combinations

import pytest
import torch
from msgspec.structs import replace

import autograd_tour as tour
from autograd_tour.drawing import arrange, ready
from autograd_tour.drawing.cutting import Cuts
from autograd_tour.drawing.dot import TIGHT
from autograd_tour.drawing.estimate import estimated, measured
from autograd_tour.drawing.less import stages
from autograd_tour.drawing.room import room_for
from autograd_tour.drawing.svg import draw_scene
from autograd_tour.drawing.wrapping import strip_scenes
from autograd_tour.lessons.thermometer import thermometer
from autograd_tour.record.trace import Trace
from autograd_tour.views import picture_of
from autograd_tour.views.cards import cards_scene
from autograd_tour.views.picture import Card, Frame, Label, Link, Row, Run, Scene
from tests.programs import models

MARK = re.compile(r"(to|from) (row|column) (\d+)")


@pytest.fixture(scope="module")
def graph():
    return tour.trace(thermometer)


@pytest.fixture(scope="module")
def scene(graph):
    return cards_scene(graph)


def written(scene):
    """All text of the cards."""
    return " ".join(run.text for card in scene.cards for row in card.rows for run in (*row.left, *row.right))


def looped():
    """Skip connections over several cards, and a tensor that is used everywhere."""
    w = torch.ones(3, requires_grad=True)
    h = w * 2
    first = h
    for _ in range(5):
        h = torch.tanh(h + first) * w
    return h.sum()


# ---- less ------------------------------------------------------------------------------------------------


def test_rows_go_in_order_and_a_line_says_which(scene):
    whole, shorter, *less = stages(scene)
    assert whole is scene
    assert shorter.left_out == ()
    assert [stage.left_out for stage in less] == [
        ("lines of code",),
        ("lines of code", "saved tensors"),
        ("lines of code", "saved tensors", "what signs say"),
        ("lines of code", "saved tensors", "what signs say", "inputs"),
    ]
    assert "thermometer.py" in written(shorter)
    assert "thermometer.py" not in written(less[0])
    assert "saved" in written(less[0])
    assert "saved" not in written(less[1])
    assert "loss falls if w" in written(less[1])
    assert "loss falls" not in written(less[2])
    assert any(card.shape == "constant" for card in less[2].cards)
    assert not any(card.shape == "constant" for card in less[3].cards)
    for stage in (whole, shorter, *less):
        for text in ("w * t_u", "4517.3", "∂loss/∂t_p", "loss = 1763.88"):
            assert text in written(stage).replace("  ", " ")


def test_what_a_scene_has_not_is_not_said_to_be_left_out(graph):
    chain = picture_of(Trace(graph), "chain")
    assert [stage.left_out for stage in stages(chain)] == [()] * 2


def test_a_constant_that_was_computed_and_a_changed_one_stay():
    rows = (Row((Run("x"),)),)
    cards = (
        Card("a", "operation", rows),
        Card("cut", "constant", rows),
        Card("new", "constant", rows, emphasis="strong"),
        Card("plain", "constant", rows),
        Card("b", "operation", rows),
    )
    links = (
        Link("1", "a", "cut", "forward"),
        *(Link(card, card, "b", "constant") for card in ("cut", "new", "plain")),
    )
    *_, last = stages(Scene(cards, links))
    assert [card.id for card in last.cards] == ["a", "cut", "new", "b"]
    assert [link.id for link in last.links] == ["1", "cut", "new"]


def test_what_the_program_works_on_is_left_out_after_other_constants():
    def program():
        torch.manual_seed(0)
        x, w = torch.randn(4, 3), torch.randn(3, requires_grad=True)
        return torch.where(x @ w > 0, x @ w, torch.zeros(4)).sum() * torch.tensor(2.0)

    *_, before, last = stages(cards_scene(tour.trace(program)))
    assert before.left_out[-1] == "constants"
    assert [card.title for card in before.cards if card.shape == "constant"] == ["constant x"]
    assert last.left_out[-2:] == ("constants", "inputs")
    assert not [card for card in last.cards if card.shape == "constant"]


def test_nothing_is_left_out_where_it_fits(scene):
    for words in ({"width": 1280.0}, {"fit": "16:9", "min_text": 8.0}):
        arranged = arrange(scene, room=room_for(**words))
        assert arranged.scene.left_out == ()
        assert "thermometer.py" in written(arranged.scene)
    assert arrange(scene).scene.left_out == ()


def test_no_more_is_left_out_than_it_takes(scene):
    room = room_for("16:9", min_text=16)
    arranged = arrange(scene, "TB", room=room)
    assert arranged.scene.left_out == ("lines of code", "saved tensors", "what signs say")
    assert room.text(arranged.size) >= 16


@pytest.mark.parametrize(
    ("program", "words"),
    [
        pytest.param(program, words, marks=[pytest.mark.slow] if program is not thermometer and i else [])
        for program in (thermometer, models.tied, looped)
        for i, words in enumerate(({"fit": "16:9"}, {"fit": "a4"}, {"width": 736.0}, {"fit": "400x300"}))
    ],
    ids=lambda item: getattr(item, "__name__", str(item)),
)
def test_text_is_never_smaller_for_what_is_left_out(program, words):
    scene, room = cards_scene(tour.trace(program)), room_for(**words)
    whole, arranged = arrange(scene, room=room, whole=True), arrange(scene, room=room)
    assert room.text(arranged.size) >= room.text(whole.size)


# ---- rows ------------------------------------------------------------------------------------------------


def marks_of(scene):
    """(to or from, row or column, its number) of every mark."""
    marks = {}
    for card in scene.cards:
        match = MARK.fullmatch(card.rows[-1].left[0].text) if card.rows[-1].left else None
        if match:
            marks[card.id] = (match[1], match[2], int(match[3]))
    return marks


def cut(cards, shape):
    """Card -> its strip, as is best in a room that is so long and wide."""
    return Cuts(cards, TIGHT, shape).strips(10.0)[0][1]


def test_a_long_flow_goes_on_in_the_row_below_or_the_column_beside(scene):
    room = room_for("16:9")
    whole = room.text(arrange(scene, room=room, whole=True).size)
    for turn, word in (("LR", "row"), ("TB", "column")):
        arranged = arrange(scene, turn, room=room)
        assert room.text(arranged.size) > 1.4 * whole
        assert {kind for _, kind, _ in marks_of(arranged.scene).values()} == {word}
    assert not marks_of(arrange(scene, "TB", room=room_for(width=736)).scene)  # a column there has no end


@pytest.mark.parametrize(("turn", "word"), [("LR", "row"), ("TB", "column")])
@pytest.mark.parametrize("view", ["graph", "chain"])
@pytest.mark.parametrize("program", [thermometer, models.tied, looped], ids=lambda program: program.__name__)
def test_every_link_is_there_and_goes_on_from_the_mark_it_ends_at(program, view, turn, word):
    scene = picture_of(Trace(tour.trace(program)), view)
    cards = measured(ready(scene, turn))
    strips = cut(cards, (600.0, 600.0) if turn == "LR" else (300.0, 1200.0))
    scenes = strip_scenes(cards.scene, strips)
    assert 1 < len(scenes) <= 7
    for card in scene.cards:
        assert card.id in {item.id for item in scenes[strips[card.id]].cards}
    every = [card.id for strip in scenes for card in strip.cards]
    assert len(every) == len(set(every))
    links = [{link.id: link for link in strip.links} for strip in scenes]
    for link in scene.links:
        early, late = (link.dst, link.src) if link.reverse else (link.src, link.dst)
        i, j = strips[early], strips[late]
        assert i <= j
        drawn = links[j][link.id]
        assert drawn.label.step == link.label.step
        if i == j:
            assert {drawn.src, drawn.dst} == {link.src, link.dst}
            continue
        mark = f"{early}-from-{i}"
        if mark not in {card.id for card in scenes[j].cards}:
            mark += f"-in-{j}"
        joined = (late, mark) if link.reverse else (mark, late)
        assert (drawn.src, drawn.dst) == joined
        there = links[i][f"{early}-to-{j}-{link.flow}"]
        joined = (f"{early}-to-{j}", early) if link.reverse else (early, f"{early}-to-{j}")
        assert (there.src, there.dst) == joined
        marks = {card.id: card for strip in scenes for card in strip.cards}
        assert marks[f"{early}-to-{j}"].rows[-1].left[0].text == f"to {word} {j + 1}"
        assert marks[mark].rows[-1].left[0].text == f"from {word} {i + 1}"


@pytest.mark.parametrize(("turn", "along"), [("LR", 0), ("TB", 1)])
def test_strips_for_a_shorter_room_are_shorter(scene, turn, along):
    cards, lengths = measured(ready(scene, turn)), [estimated(measured(ready(scene, turn)), TIGHT)[along]]
    for length in (2400.0, 1200.0, 600.0):
        strips = strip_scenes(cards.scene, cut(cards, (length, 1200.0)))
        lengths.append(max(estimated(measured(strip), TIGHT)[along] for strip in strips))
    assert lengths == sorted(lengths, reverse=True)
    assert lengths[0] > 1.6 * lengths[-1]


def test_what_goes_in_stands_beside_its_first_user(scene):
    strips = cut(measured(ready(scene)), (300.0, 600.0))
    for link in scene.links:
        if link.flow == "constant":
            assert strips[link.src] == strips[link.dst]
    assert sorted(set(strips.values())) == list(range(max(strips.values()) + 1))


def test_a_mark_of_several_gradients_has_no_number():
    rows = (Row((Run("x"),)),)
    cards = tuple(Card(name, "operation", rows) for name in "abc")
    links = tuple(
        Link(f"{src}{n}", src, "a", "backward", Label((Run("× 2"),), n), True)
        for n, src in ((1, "b"), (2, "c"))
    )
    first, second = strip_scenes(Scene(cards, links), {"a": 0, "b": 1, "c": 1})
    assert [link.label.step for link in first.links] == [0]
    assert [link.label for link in second.links] == [link.label for link in links]
    alone, _ = strip_scenes(Scene(cards[:2], links[:1]), {"a": 0, "b": 1})
    assert [link.label for link in alone.links] == [Label((), 1)]


@pytest.mark.parametrize("program", [thermometer, models.tied, looped], ids=lambda program: program.__name__)
@pytest.mark.parametrize(("turn", "fit"), [("LR", "640x480"), ("TB", "1200x300")])
def test_strips_are_clear_of_each_other_and_in_sight(program, turn, fit):
    arranged = arrange(cards_scene(tour.trace(program)), turn, room=room_for(fit, min_text=20))
    layout = arranged.layout
    assert marks_of(arranged.scene)
    boxes = [
        (x - w / 2, y - h / 2, x + w / 2, y + h / 2)
        for (x, y), (w, h) in zip(layout.centres, layout.sizes, strict=True)
    ]
    for left, top, right, bottom in boxes:
        assert left >= -1
        assert top >= -1
        assert right <= layout.width + 1
        assert bottom <= layout.height + 1
    for a, b in combinations(boxes, 2):
        assert a[2] <= b[0] + 1 or b[2] <= a[0] + 1 or a[3] <= b[1] + 1 or b[3] <= a[1] + 1
    assert all(course is not None and course.points for course in layout.courses)


@pytest.mark.parametrize("view", ["steps", "animation"])
def test_a_film_in_rows_has_all_its_frames(graph, view):
    svg = tour.svg(graph, view=view, fit="16:9", min_text=16)
    assert "from row 1" in svg
    assert 'width="1280" height="720"' in svg


def test_a_sheet_of_questions_leaves_nothing_out(graph, tmp_path):
    from autograd_tour.formats import Settings
    from autograd_tour.formats.produce import files_of_trace

    files = files_of_trace("x", Trace(graph), Settings(formats=("quiz",), room=room_for("16:9")))
    assert "left out" not in files["x-question.svg"]
    assert "thermometer.py" in files["x-question.svg"]
    assert 'width="1280" height="720"' in files["x-answer.svg"]


def test_an_opened_block_has_a_frame_in_every_row_around_what_of_it_stands_there(scene):
    cards = [card.id for card in scene.cards]
    framed = replace(scene, frames=(Frame("block", tuple(cards)), Frame("other", ("elsewhere",))))
    parts = strip_scenes(framed, {card: 0 if i < 3 else 1 for i, card in enumerate(cards)})
    assert [part.frames for part in parts] == [
        (Frame("block", tuple(cards[:3])),),
        (Frame("block", tuple(cards[3:])),),
    ]


def test_frames_of_several_rows_are_drawn(scene):
    block = Frame("block", tuple(card.id for card in scene.cards))
    wrapped = arrange(replace(scene, frames=(block,)), "LR", room=room_for("640x480", min_text=20))
    rows = {number for _, _, number in marks_of(wrapped.scene).values()}
    assert len(wrapped.scene.frames) == max(rows) > 1
    svg = draw_scene(wrapped.scene, wrapped.layout)
    assert svg.count('class="frame"') == max(rows)
    assert svg.count(">block</text>") == max(rows)
