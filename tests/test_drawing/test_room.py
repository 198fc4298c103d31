"""A picture is made for the room it hangs in: its size, its direction, and how large its text is there."""

from __future__ import annotations

import struct
import warnings
import xml.etree.ElementTree as ET

import pypdfium2
import pytest
import torch
from msgspec.structs import replace

import autograd_tour as tour
from autograd_tour.drawing import arrange, arrangement, dot, draw
from autograd_tour.drawing.room import BODY, SCREEN, fits, room_for
from autograd_tour.errors import UsageError
from autograd_tour.lessons.thermometer import thermometer
from autograd_tour.views.picture import Card, Label, Link, Row, Run, Scene


def chain(count: int, width: float = 100.0) -> Scene:
    """Cards in a row, each of at least ``width`` px."""
    cards = [Card(f"c{i}", "operation", (Row((Run(f"card {i}"),)),), minimum=width) for i in range(count)]
    links = [Link(f"l{i}", f"c{i}", f"c{i + 1}", "forward", Label()) for i in range(count - 1)]
    return Scene(tuple(cards), tuple(links), "a chain")


def fan(count: int) -> Scene:
    """Cards that all lead to one."""
    cards = [Card(f"c{i}", "operation", (Row((Run(f"card {i}"),)),), minimum=100.0) for i in range(count)]
    links = [Link(f"l{i}", f"c{i}", "c0", "forward", Label()) for i in range(1, count)]
    return Scene(tuple(cards), tuple(links), "a fan")


def trained() -> None:
    w = torch.tensor(1.0, requires_grad=True)
    (w * 2).backward()
    with torch.no_grad():
        w -= w.grad


def document(svg: str) -> ET.Element:
    return ET.fromstring(svg)


def sides(svg: str) -> tuple[float, float]:
    root = document(svg)
    return float(root.get("width", "")), float(root.get("height", ""))


# ---- which way it runs -------------------------------------------------------------------------------


def test_what_fits_a_screen_runs_from_left_to_right_and_what_does_not_is_turned():
    assert arrange(chain(4)).scene.direction == "LR"
    assert arrange(chain(12)).scene.direction == "TB"
    assert arrange(fan(30)).scene.direction == "LR"
    assert arrange(chain(12), "LR").scene.direction == "LR"
    assert arrange(chain(4), "TB").scene.direction == "TB"


@pytest.mark.parametrize("scene", [chain(4), chain(12), fan(12), fan(40)], ids=lambda scene: scene.title)
@pytest.mark.parametrize("words", [{"fit": "16:9"}, {"fit": "300x900"}, {"fit": "a4"}, {"width": 736.0}])
def test_of_two_directions_the_one_with_larger_text_is_taken(scene, words):
    room = room_for(**words)
    texts = {turn: room.text(arrange(scene, turn, room=room, whole=True).size) for turn in ("LR", "TB")}
    chosen = arrange(scene, room=room, whole=True)
    expected = texts["LR"] if texts["LR"] >= room.least else max(texts.values())
    assert room.text(chosen.size) == pytest.approx(expected)


def test_a_layout_whose_cards_alone_are_too_long_is_not_made(monkeypatch):
    directions = []
    real = arrangement.rough
    monkeypatch.setattr(
        arrangement,
        "rough",
        lambda scene, **words: directions.append(scene.direction) or real(scene, **words),
    )
    arrange(chain(30))
    assert directions == ["TB"]


@pytest.mark.parametrize("turn", ["auto", "LR", "TB"])
@pytest.mark.parametrize("direction", ["LR", "TB"])
@pytest.mark.parametrize("count", [4, 30])
def test_texts_get_their_room_once_whichever_way_a_scene_is_turned(count, direction, turn, monkeypatch):
    long = Card("long", "operation", (Row((Run("a text that is cut", room=50.0),)),))
    scene = replace(chain(count), cards=(*chain(count).cards, long), direction=direction)
    asked = []
    real = arrangement.fitted
    monkeypatch.setattr(arrangement, "fitted", lambda scene: asked.append(scene) or real(scene))
    chosen = arrange(scene, turn).scene
    assert len(asked) == 1
    assert chosen.cards[-1].rows[0].left[0].text.endswith("…")
    assert chosen == real(replace(scene, direction=chosen.direction))


def test_cards_on_a_loop_can_be_arranged():
    scene = chain(3)
    loop = Link("back", "c2", "c0", "forward", Label())
    looped = Scene(scene.cards, (*scene.links, loop))
    assert arrange(looped).layout.centres
    assert arrange(looped, room=room_for("150x100")).layout.centres


def test_dot_is_turned_by_the_length_of_its_cards():
    assert "rankdir=LR" in dot(chain(4))
    assert "rankdir=TB" in dot(chain(30))
    assert "rankdir=LR" in dot(chain(30), "LR")


# ---- how large it is ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "size"),
    [
        ({"fit": "16:9"}, (1280, 720)),
        ({"fit": "4:3"}, (960, 720)),
        ({"fit": "1920x1080"}, (1920, 1080)),
        ({"fit": "640×480"}, (640, 480)),
        ({"fit": "a4"}, (793.7, 1122.52)),
        ({"fit": "A4-landscape"}, (1122.52, 793.7)),
    ],
)
@pytest.mark.parametrize("view", ["graph", "chain", "steps", "animation"])
def test_the_document_is_as_large_as_its_room_and_all_of_it_is_in_sight(words, size, view):
    svg = tour.svg(tour.trace(thermometer), view=view, **words, min_text=1)
    assert sides(svg) == pytest.approx(size, abs=0.01)
    left, top, width, height = (float(side) for side in document(svg).get("viewBox", "").split())
    assert width / height == pytest.approx(size[0] / size[1], rel=1e-3)
    paper = next(element for element in document(svg) if element.tag.endswith("rect"))
    painted = [float(paper.get(name, "0")) for name in ("x", "y", "width", "height")]
    assert painted == pytest.approx([left, top, width, height], abs=0.02)


def test_a_column_is_as_tall_as_its_picture_needs():
    svg = tour.svg(tour.trace(thermometer), width=736)
    width, height = sides(svg)
    _, top, inner, tall = (float(side) for side in document(svg).get("viewBox", "").split())
    assert width == 736
    assert top == 0
    assert height / width == pytest.approx(tall / inner, rel=1e-3)


def test_a_small_picture_is_not_blown_up_without_end():
    room = room_for("16:9")
    assert room.text(arrange(chain(1), room=room).size) == room.most
    assert room_for("16:9", min_text=40).most == 40


def test_without_a_room_nothing_is_scaled():
    arranged = arrange(chain(3))
    svg = draw(chain(3))
    assert sides(svg) == pytest.approx(arranged.size, abs=0.01)
    assert SCREEN.text(arranged.size) == BODY


@pytest.mark.parametrize("program_view", ["accumulation", "run"])
def test_charts_are_made_for_a_room_too(program_view):
    what = tour.accumulate(thermometer) if program_view == "accumulation" else tour.follow(trained)
    assert sides(tour.svg(what, fit="16:9", min_text=1)) == (1280, 720)


# ---- files ------------------------------------------------------------------------------------------------


def test_a_png_has_the_pixels_of_its_room(tmp_path):
    path = tour.save(tour.trace(thermometer), tmp_path / "x.png", fit="16:9", scale=1.5, min_text=1)
    assert struct.unpack(">II", path.read_bytes()[16:24]) == (1920, 1080)


def test_a_pdf_is_a_sheet_of_paper_with_its_texts_in_place(tmp_path):
    path = tour.save(tour.trace(thermometer), tmp_path / "x.pdf", fit="a4")
    (page,) = pypdfium2.PdfDocument(path.read_bytes())
    assert page.get_size() == pytest.approx((595.28, 841.89), abs=0.05)
    text = page.get_textpage()
    svg = tour.svg(tour.trace(thermometer), fit="a4")
    left, top, width, _ = (float(side) for side in document(svg).get("viewBox", "").split())
    element = next(item for item in document(svg).iter() if item.text == "MeanBackward0" and item.get("x"))
    start, length = text.search("MeanBackward0").get_next()
    assert length == len("MeanBackward0")
    box = text.get_charbox(start)
    pt = 595.28 / width  # points for a px of the drawing, which has a margin of 16 px of its own
    assert box[0] == pytest.approx((float(element.get("x")) + 16 - left) * pt, abs=2)
    assert 841.89 - box[1] == pytest.approx((float(element.get("y")) + 16 - top) * pt, abs=2)


# ---- what came of it ----------------------------------------------------------------------------------------


def test_what_comes_of_each_picture_is_told_once():
    graph = tour.trace(thermometer)
    with fits() as results:
        svg = tour.svg(graph, width=736)
        tour.svg(graph, width=736)
    (result,) = results
    width = float(document(svg).get("viewBox", "").split()[2])
    assert result.text == pytest.approx(BODY * 736 / width, rel=1e-3)
    assert result.summary.startswith("Autograd graph of loss fits 736 px with text of ")
    with fits() as results:
        tour.svg(graph)
    assert not results


def test_text_that_is_too_small_is_a_warning():
    graph = tour.trace(thermometer)
    with pytest.warns(UserWarning, match="fits 300×200 with text of .* px, which is less than 18 px"):
        tour.svg(graph, fit="300x200")


@pytest.mark.parametrize(("words", "cardless"), [("100x100", True), ("300x300", False), ("16:9", False)])
def test_a_room_in_which_not_one_card_has_room_is_told(words, cardless):
    graph = tour.trace(thermometer)
    with fits() as results, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        svg = tour.svg(graph, fit=words)
    assert document(svg).get("width") is not None
    assert [result.cardless for result in results] == [cardless]


def test_text_on_paper_is_told_in_points():
    room = room_for("a4")
    assert room.told(12) == "9 pt"
    assert room.told(11.99) == "8.9 pt"
    assert room_for("16:9").told(17.96) == "17.9 px"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"fit": "16:9", "width": 736.0}, "not both"),
        ({"min_text": 12.0}, "needs a room"),
        ({"fit": "beamer"}, "no room called 'beamer'"),
        ({"fit": "0x720"}, "0 px wide or tall"),
        ({"fit": "1280x999999"}, "999999 px wide or tall"),
        ({"width": float("nan")}, "nan px"),
        ({"fit": "16:9", "min_text": float("nan")}, "nan px"),
        ({"fit": "16:9", "min_text": -3.0}, "-3 px"),
    ],
)
def test_a_room_that_is_none_is_refused(words, message):
    with pytest.raises(UsageError, match=message):
        room_for(**words)


@pytest.mark.parametrize("width", [320.0, 360.0, 390.0])
def test_on_a_phone_the_lines_below_are_wrapped_and_every_operation_has_its_gradient(width):
    X = torch.tensor([[1.0, 2.0], [0.0, 2.0], [1.0, 2.0]])
    w, b = torch.tensor([1.0, -1.0], requires_grad=True), torch.tensor(0.0, requires_grad=True)
    y = torch.tensor([3.0, 0.0, 1.0])

    def train():
        for _ in range(2):
            pred = X @ w + b
            loss = ((pred - y) ** 2).mean()
            loss.backward()
            w.grad = b.grad = None

    with fits() as results:
        svg = tour.svg(tour.trace(train), width=width)
    (result,) = results
    assert result.text >= 11
    texts = ["".join(node.itertext()) for node in document(svg).iter("{http://www.w3.org/2000/svg}text")]
    assert {"X @ w", "pred − y", "(pred − y) ** 2"} <= set(texts)
    assert sum(text.startswith(("grad", ".grad")) for text in texts) >= 7
