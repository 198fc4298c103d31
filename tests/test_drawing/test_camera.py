"""A film whose whole is too large for its slide: frames of one size, the running card, the whole in small."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from functools import cache

import pytest
import torch

import autograd_tour as tour
from autograd_tour.cli.group import cli
from autograd_tour.drawing.captions import narrowed
from autograd_tour.drawing.room import fits, room_for
from autograd_tour.drawing.sizes import run_width
from autograd_tour.drawing.theme import DARK, LIGHT
from autograd_tour.formats import Settings
from autograd_tour.formats.produce import files_of_trace
from autograd_tour.lessons.thermometer import thermometer
from autograd_tour.record.trace import Trace
from autograd_tour.views.fold import fold
from autograd_tour.views.picture import Run
from tests.paper import squeezed, texts
from tests.pictures import film, picture
from tests.programs import basics, models

RING = re.compile(r"M(-?[\d.]+) (-?[\d.]+)(?:a[^h]*)?h([\d.]+)(?:a[^v]*)?v([\d.]+)")
SVG = "{http://www.w3.org/2000/svg}"
PROGRAMS = [thermometer, basics.fan_out, models.gpt_by_hand, models.lstm]


def by_name(program):
    return program.__name__


@cache
def recorded(program):
    torch.manual_seed(0)
    return fold(tour.trace(program))


@cache
def frames_of(program, fit):
    return list(map(ET.fromstring, film(recorded(program), room=room_for(fit))))


def words(element):
    return " ".join(item.text or "" for item in element.iter(f"{SVG}text"))


def window_of(root):
    """The nested picture: the part of the whole that is in sight."""
    (window,) = (child for child in root.iter(f"{SVG}svg") if child is not root)
    return window


def scale_of(root):
    return float(root.get("width")) / float(root.get("viewBox").split()[2])


def ring_of(window):
    """What is drawn around the card that runs: left, top, right, bottom; ``None`` if nothing runs."""
    for path in window.iter(f"{SVG}path"):
        if path.get("stroke-width") == "4" and path.get("fill") == "none" and "z" in path.get("d"):
            left, top, across, down = RING.match(path.get("d")).groups()
            # The corners are round, but for those of a box.
            round_ = 12 if "a" in path.get("d") else 0
            left, top = float(left), float(top) - round_
            return left, top, left + float(across) + 2 * round_, top + float(down) + 2 * round_
    return None


@pytest.mark.parametrize("program", PROGRAMS, ids=by_name)
@pytest.mark.parametrize("fit", ["1280x720", "4:3"])
def test_every_frame_has_one_size_readable_text_and_the_card_that_runs(program, fit):
    graph, room = recorded(program), room_for(fit)
    roots = frames_of(program, fit)
    assert {(root.get("width"), root.get("height")) for root in roots} == {
        (f"{room.width:g}", f"{room.height:g}")
    }
    numbered = dict(graph.numbered_steps())
    for number, root in enumerate(roots):
        sizes = [float(text.get("font-size")) * scale_of(root) for text in root.iter(f"{SVG}text")]
        assert min(sizes) >= 17.99
        window = window_of(root)
        if number:
            card = graph.card_of(numbered[number].node)
            running = [
                group
                for group in window.iter(f"{SVG}g")
                if "node" in group.get("class", "") and ' stroke-width="4"' in ET.tostring(group, "unicode")
            ]
            assert [group.get("id").rpartition("-")[2] for group in running] == [card]


@pytest.mark.parametrize("program", PROGRAMS, ids=by_name)
def test_the_card_that_runs_is_in_sight_and_so_is_the_name_of_each_that_it_is_joined_to(program):
    graph = recorded(program)
    numbered = dict(graph.numbered_steps())
    for number, root in enumerate(frames_of(program, "1280x720")):
        if not number:
            continue
        window = window_of(root)
        x, y, width, height = map(float, window.get("viewBox").split())
        left, top, right, bottom = ring_of(window)
        assert x <= left + 16 <= right + 16 <= x + width
        assert y <= top + 16 <= bottom + 16 <= y + height
        card = graph.card_of(numbered[number].node)
        pairs = [(graph.card_of(edge.src), graph.card_of(edge.dst)) for edge in graph.edges]
        joined = {other for pair in pairs if card in pair for other in pair} - {card}
        drawn = {group.get("id", "").rpartition("-")[2] for group in window.iter(f"{SVG}g")}
        signs = [group for group in root.iter(f"{SVG}g") if group.get("class") == "signs"]
        told = words(signs[0]) if signs else ""
        for other in joined - drawn:
            names = {graph.title(other)[:6], graph.node(other).group[:6] or graph.title(other)[:6]}
            assert any(name in told for name in names) or "more" in told, (number, other, told)


def test_the_whole_in_small_has_every_card_and_tells_how_far_backward_is():
    for number, root in enumerate(frames_of(thermometer, "1280x720")):
        (small,) = (group for group in root.iter(f"{SVG}g") if group.get("class") == "overview")
        *cards, sight = small.iter(f"{SVG}rect")
        assert len(cards) == 9
        assert sight.get("fill") == "none"
        assert sum(card.get("fill") == LIGHT.backward for card in cards) == (number > 0)
        assert sum(card.get("fill") == LIGHT.accumulated_fill for card in cards) == max(number - 1, 0)


@pytest.mark.parametrize("program", PROGRAMS, ids=by_name)
@pytest.mark.parametrize("fit", ["1280x720", "4:3"])
def test_the_caption_stands_on_the_slide(program, fit):
    for root in frames_of(program, fit):
        left, top, width, height = map(float, root.get("viewBox").split())
        captions = [text for text in root.findall(f"{SVG}text") if text.text != "…"]
        assert any(re.match(r"Step \d+ of|Before backward", text.text) for text in captions)
        for text in captions:
            length = float(text.get("textLength", "10"))
            assert left <= float(text.get("x"))
            assert float(text.get("x")) + length <= left + width
            assert top <= float(text.get("y")) <= top + height


def test_what_fits_as_a_whole_has_no_camera():
    frames = list(film(recorded(basics.scaled), room=room_for("2400x1400")))
    assert not any('class="overview"' in frame for frame in frames)
    assert not any('class="overview"' in frame for frame in film(recorded(thermometer)))


def test_the_command_says_the_size_of_text_and_warns_no_more(tmp_path):
    from click.testing import CliRunner

    words = ["render", "thermometer", "--view", "steps", "-f", "svg", "--fit", "1280x720"]
    result = CliRunner().invoke(cli, [*words, "-o", str(tmp_path)])
    assert result.exit_code == 0
    assert "fits 1280×720 with text of 18 px" in result.stderr
    assert "warning" not in result.stderr


def test_where_no_camera_helps_the_whole_is_drawn_and_the_command_warns():
    with fits() as results:
        frames = list(film(recorded(thermometer), room=room_for("200x150")))
    assert not any('class="overview"' in frame for frame in frames)
    assert all(result.small for result in results)
    assert len(results) == 1


def test_all_frames_are_fragments_of_one_document_and_one_plays_by_itself():
    graph = recorded(thermometer)
    paged = ET.fromstring(picture(graph, "steps", room=room_for("1280x720")))
    shown = [g for g in paged.iter(f"{SVG}g") if "fragment" in (g.get("class") or "")]
    assert [int(g.get("data-fragment-index")) for g in shown] == [1, *range(1, 8)]
    assert [g.get("class") for g in shown] == ["fragment fade-out"] + ["fragment current-visible"] * 7
    assert [words(g).count("Step") for g in shown] == [0, 1, 1, 1, 1, 1, 1, 1]
    ids = [element.get("id") for element in paged.iter() if element.get("id")]
    assert len(set(ids)) == len(ids)
    playing = picture(graph, "animation", room=room_for("1280x720"))
    assert {f"f{k}-{k}" for k in range(8)} == set(re.findall(r'<g class="(f\d+-\d+)">', playing))


def test_in_a_pdf_the_text_in_the_window_is_text():
    files = files_of_trace(
        "x", Trace(recorded(thermometer)), Settings(("pdf", "svg"), ("steps",), room=room_for("1280x720"))
    )
    pages = texts(files["x-steps.pdf"])
    assert len(pages) == 8
    root = ET.fromstring(files["x-steps-04.svg"])
    for text in window_of(root).iter(f"{SVG}text"):
        assert squeezed(text.text) in squeezed(pages[4])


# ---- light and dark ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("theme", "paper"), [("auto", LIGHT), ("light", LIGHT), ("dark", DARK)])
def test_frames_are_light_unless_dark_is_asked_for(theme, paper):
    files = files_of_trace("x", Trace(recorded(thermometer)), Settings(("svg",), ("steps",), theme=theme))
    assert len(files) == 9
    for content in files.values():
        assert f'fill="{paper.paper}"' in content
        assert "prefers-color-scheme" not in content


def test_an_animation_still_follows_its_reader():
    files = files_of_trace("x", Trace(recorded(thermometer)), Settings(("svg",), ("animation",)))
    assert "prefers-color-scheme:dark" in files["x-animation.svg"]


# ---- captions ---------------------------------------------------------------------------------------


def test_a_line_that_is_too_wide_gets_smaller_text_and_then_less_of_it():
    wide = (Run("grad of ", size=15.0), Run("a" * 60, size=15.0), Run("b" * 20, size=15.0, bold=True))
    for width in (2000.0, 600.0, 300.0):
        ((line,),) = narrowed((((wide),),), width)
        assert sum(map(run_width, line)) <= width
        assert min(run.size for run in line) >= 12
    assert narrowed(((wide,),), 2000.0) == ((wide,),)
    ((line,),) = narrowed(((wide,),), 300.0)
    assert line[1].text.endswith("…")
