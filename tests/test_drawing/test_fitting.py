"""Of many ways to draw a scene in a room the first that can be read is taken, after few layouts."""

from __future__ import annotations

import math
import runpy
from pathlib import Path

import pytest
from msgspec.structs import replace

import autograd_tour as tour
from autograd_tour.drawing import arrange, best_for, fitting, layout, ready
from autograd_tour.drawing.beside import Beside
from autograd_tour.drawing.cutting import Cuts
from autograd_tour.drawing.dot import TIGHT, USUAL, layout_dot
from autograd_tour.drawing.engine import lay_out, lay_out_each
from autograd_tour.drawing.estimate import estimated, least_area, measured
from autograd_tour.drawing.layout import Layout, finished, rough
from autograd_tour.drawing.less import stages
from autograd_tour.drawing.room import room_for
from autograd_tour.drawing.wrapping import strip_scenes
from autograd_tour.errors import EngineError
from autograd_tour.formats.base import Settings, chosen_views
from autograd_tour.record.trace import Trace
from autograd_tour.views.calls import by_calls
from autograd_tour.views.cards import cards_scene
from autograd_tour.views.fold import fold
from autograd_tour.views.picture import Card, Label, Link, Row, Run, Scene
from tests.lectures import collisions, lectures

PROGRAMS = dict(lectures())
ROOT = Path(__file__).parents[2]


def chain(count, width=100.0):
    cards = [Card(f"c{i}", "operation", (Row((Run(f"card {i}"),)),), minimum=width) for i in range(count)]
    links = [Link(f"l{i}", f"c{i}", f"c{i + 1}", "forward", Label()) for i in range(count - 1)]
    return Scene(tuple(cards), tuple(links), "a chain")


@pytest.fixture
def layouts(monkeypatch):
    """The numbers of graphs of each layout that is made."""
    counts, real = [], layout.lay_out_each
    monkeypatch.setattr(
        layout, "lay_out_each", lambda dots, *words: counts.append(len(dots)) or real(dots, *words)
    )
    return counts


@pytest.mark.parametrize("spacing", [USUAL, TIGHT], ids=["usual", "tight"])
@pytest.mark.parametrize("direction", ["LR", "TB"])
@pytest.mark.parametrize("program", ["neuron", "cnn", "vae", "attention_by_hand", "tying", "nan"])
def test_an_estimate_is_near_what_a_layout_takes(program, direction, spacing):
    scene = ready(cards_scene(tour.trace(PROGRAMS[program])), direction)
    width, height = estimated(measured(scene), spacing)
    drawn = finished(scene, rough(scene, spacing=spacing), growing=False)
    along, across = (width / drawn.width, height / drawn.height)[:: 1 if direction == "LR" else -1]
    assert 0.85 < along < 1.15
    assert 0.6 < across < 1.4
    assert least_area(measured(scene), spacing) < drawn.width * drawn.height


def test_several_graphs_are_laid_out_by_one_engine_as_each_alone():
    dots = [layout_dot(ready(chain(count)), Beside({}, frozenset())) for count in (1, 3, 5)]
    assert [each.rstrip() for each in lay_out_each(dots)] == [lay_out(dot).rstrip() for dot in dots]
    assert lay_out_each(dots[:1]) == [lay_out(dots[0])]


def test_an_engine_that_answers_less_is_an_error(monkeypatch):
    from autograd_tour.drawing import engine

    monkeypatch.setattr(engine, "lay_out", lambda *words: b"{\n}\n")
    with pytest.raises(EngineError, match="answered 1 of 2 graphs"):
        lay_out_each(["digraph a {}", "digraph b {}"])


def test_the_first_scene_that_can_be_read_is_taken_and_not_laid_out_again(layouts):
    room = room_for("16:9")
    scenes = [chain(60, 300.0), chain(30, 300.0), chain(4), chain(2)]
    assert best_for(scenes, room) == 2
    count = len(layouts)
    assert room.text(arrange(scenes[2], room=room).size) >= room.least
    assert len(layouts) == count


def test_where_nothing_can_be_read_the_largest_text_is_taken_after_four_layouts(layouts):
    room = room_for("300x200")
    scenes = [chain(60), chain(50, 300.0), chain(20), chain(40)]
    assert best_for(scenes, room) == 2
    assert len(layouts) <= fitting.LAYOUTS


def test_scenes_that_no_estimate_trusts_cost_one_layout(layouts):
    best_for([chain(100), chain(90)], room_for("200x100"))
    assert len(layouts) == 1


def test_the_larger_of_two_ways_that_can_be_read_is_taken():
    room, scene = room_for(width=400.0), chain(3)
    across = arrange(scene, "LR", room=room)
    assert room.least < room.text(across.size) < 14
    assert room.text(arrange(scene, room=room).size) == room.most


def test_what_is_given_is_left_out_last():
    room, graph = room_for("16:9"), tour.trace(PROGRAMS["neuron"])
    (_, brief), *_ = chosen_views(Trace(graph), Settings(views=("graph",), room=room))
    assert {"constant x", "constant y"} <= {card.title for card in arrange(brief, room=room).scene.cards}
    alone = arrange(cards_scene(graph), room=room).scene
    assert alone.left_out[-1] == "inputs"


def test_lines_of_what_cannot_be_read_are_cleared_once(monkeypatch):
    seen, real = [], fitting.cleared
    monkeypatch.setattr(fitting, "cleared", lambda *args, **words: seen.append(words) or real(*args, **words))
    best_for([chain(60), chain(50, 300.0), chain(20), chain(40)], room_for("300x200"))
    assert seen == [{"growing": False}]


def laid_out_for(program, layouts, **words):
    """How many layouts the picture of a lecture program takes in a room, and its text there, px."""
    room, record = room_for(**words), Trace(tour.trace(PROGRAMS[program]))
    layouts.clear()
    (_, picture), *_ = chosen_views(record, Settings(views=("graph",), room=room))
    return len(layouts), room.text(arrange(picture, room=room).size)


def test_what_was_too_small_is_not_laid_out_again_where_less_changes_no_size(layouts):
    assert laid_out_for("batch_norm_by_hand", layouts, fit="16:9")[0] < fitting.LAYOUTS


@pytest.mark.parametrize("program", ["custom_function", "transformer"])
def test_strips_that_would_only_just_do_by_estimate_are_not_laid_out(program, layouts):
    assert laid_out_for(program, layouts, fit="16:9")[0] == 1


def test_an_estimate_goes_beyond_what_a_picture_is_blown_up_to():
    """Or the error of one that fills its room would be taken for that of others."""
    room, scene = room_for("16:9"), ready(chain(1))
    assert fitting._text(scene, estimated(measured(scene), USUAL), room) > 2 * room.most


def test_strips_whose_text_is_too_small_are_made_only_if_nothing_can_be_read(monkeypatch):
    made, real = [], fitting.strip_scenes
    monkeypatch.setattr(
        fitting, "strip_scenes", lambda scene, strips: made.append(strips) or real(scene, strips)
    )
    chains = [chain(30), chain(3)]
    room = room_for("960x280", min_text=16)
    assert best_for(chains, room) == 1
    assert made == []
    assert best_for(chains[:1], room) == 0
    assert made


@pytest.mark.parametrize("direction", ["LR", "TB"])
def test_how_large_text_is_in_strips_is_known_about_before_they_are_made(direction):
    for name in ("cnn", "vae", "attention_by_hand", "residual"):
        cards = measured(ready(cards_scene(tour.trace(PROGRAMS[name])), direction))
        for strips in fitting._Strips.of(0, cards, room_for("a4")):
            way = strips.way(room_for("a4"))
            assert 0.6 < way.text / strips.text < fitting.NEAR
            assert len(way.scenes) > 1


def test_a_flow_that_is_long_goes_on_in_columns_on_a_page_where_text_is_larger_so():
    room = room_for("a4")
    scene = chain(30, 160.0)
    columns, rows = arrange(scene, room=room), arrange(scene, "LR", room=room)
    assert columns.scene.direction == "TB"
    assert sum("column" in card.title for card in columns.scene.cards) == 2
    assert room.text(columns.size) > 1.1 * room.text(rows.size)
    tops = [y for card, (_, y) in zip(columns.scene.cards, columns.layout.centres, strict=True)]
    lefts = [x for card, (x, _) in zip(columns.scene.cards, columns.layout.centres, strict=True)]
    foot = next(i for i, card in enumerate(columns.scene.cards) if card.title.endswith("to column 2"))
    head = next(i for i, card in enumerate(columns.scene.cards) if card.title.endswith("from column 1"))
    assert tops[head] < tops[foot]
    assert lefts[head] > lefts[foot]


def test_strips_of_one_kind_are_alike():
    cards = measured(ready(chain(10)))
    for count in (2, 3, 5):
        strips = Cuts(cards, TIGHT, (100.0 * 3000 / count, 3000.0 * count)).strips(10.0)
        sizes = [list(each.values()).count(k) for _, each in strips[:1] for k in set(each.values())]
        assert max(sizes) - min(sizes) <= 1


def test_a_strip_has_two_ranks_at_least_on_an_average():
    for count in (5, 8):
        cards = measured(ready(chain(count, 700.0)))
        ways = Cuts(cards, TIGHT, (830.0, math.inf)).strips(10.0)
        assert all(max(strips.values()) < math.ceil(count / 2) for _, strips in ways)


def test_cards_beside_the_main_path_are_counted_on_the_side_that_has_room():
    """An embedding stands left of the other, which the path begins with, as labels do left of its end."""
    program = runpy.run_path(str(ROOT / "docs/programs/gpt.py"))["loss"]
    _, shorter, *_ = stages(cards_scene(by_calls(fold(tour.trace(program)))))
    scene = ready(shorter, "TB")
    width, _ = estimated(measured(scene), USUAL)
    assert 0.9 < width / arrange(scene, "TB").layout.width < 1.1


def test_marks_of_cards_that_begin_alike_can_be_told_apart():
    titles = ["self.encoder.down1(images)", "self.encoder.down2(self.pool(a))", "head"]
    cards = [Card(f"c{i}", "operation", (Row((Run(title),)),)) for i, title in enumerate(titles)]
    links = [Link(f"l{i}", f"c{i}", "c2", "forward", Label()) for i in range(2)]
    first, second = strip_scenes(Scene(tuple(cards), tuple(links), ""), {"c0": 0, "c1": 0, "c2": 1})
    for scene in (first, second):
        marks = [card.rows[0].left[0].text for card in scene.cards if card.shape == "box"]
        assert len(set(marks)) == 2
        assert [mark[:6] for mark in marks] == ["…down1", "…down2"]


def test_marks_of_modules_of_one_kind_are_told_apart_by_their_names():
    names = {"c0": "to_mu", "c1": "to_logvar"}
    cards = [
        Card(ident, "operation", (Row((Run("Linear(8→2)"),), (Run(name),)),)) for ident, name in names.items()
    ]
    cards.append(Card("c2", "operation", (Row((Run("mu + eps"),)),)))
    links = [Link(f"l{i}", f"c{i}", "c2", "forward", Label()) for i in range(2)]
    for scene in strip_scenes(Scene(tuple(cards), tuple(links), ""), {"c0": 0, "c1": 0, "c2": 1}):
        marks = [card.rows[0].left[0].text for card in scene.cards if card.shape == "box"]
        assert marks == ["to_mu", "to_logvar"]


def test_a_mark_of_a_module_has_its_path_where_that_is_of_it_alone():
    title = Row((Run("Linear(8→8)"),))
    cards = [Card(f"c{i}", "group", (title,), path=path) for i, path in enumerate(("blocks[0].2", "a", "a"))]
    cards.append(Card("c3", "operation", (Row((Run("sum"),)),)))
    links = [Link(f"l{i}", f"c{i}", "c3", "forward", Label()) for i in range(3)]
    first, _ = strip_scenes(Scene(tuple(cards), tuple(links), ""), {"c0": 0, "c1": 0, "c2": 0, "c3": 1})
    marks = [card.rows[0].left[0].text for card in first.cards if card.shape == "box"]
    assert marks == ["blocks[0].2", "Linear(8→8)", "Linear(8→8)"]


def test_what_lies_on_something_is_seen():
    arranged = arrange(chain(2))
    assert collisions(arranged) == []
    (x, y), _ = arranged.layout.centres
    onto = replace(arranged.layout, centres=((x, y), (x + 20, y)))
    assert len(collisions(replace(arranged, layout=onto))) == 1
    outside = replace(arranged.layout, centres=((x, y), (x + 900, y)))
    assert collisions(replace(arranged, layout=outside)) == [" leaves the picture"]
    assert isinstance(onto, Layout)


def test_lines_get_room_only_where_text_stays_large_enough(monkeypatch):
    """The layout that grows for its lines is taken in a large room, and given up in one that is just filled."""
    grown = []
    real = fitting.cleared

    def cleared(arrangement, *, growing=True):
        result = real(arrangement, growing=growing)
        grown.append(growing)
        return replace(result, size=(result.size[0] * 1.5, result.size[1] * 1.5)) if growing else result

    monkeypatch.setattr(fitting, "cleared", cleared)
    scene = chain(4)
    width, _ = real(fitting.fitting((scene,), "LR", room_for("4000x4000"), None, 60.0)[1]).size
    assert grown == [True]
    grown.clear()
    filled = room_for(f"{round(1.55 * width)}x150")  # too low for rows
    _, arrangement = fitting.fitting((scene,), "LR", filled, None, 60.0)
    assert grown == [True, False]
    assert filled.text(arrangement.size) >= filled.least
