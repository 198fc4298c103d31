"""Frames of a film: every card keeps its place, and a frame shows what is known by then and no more."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest

from autograd_tour import trace
from autograd_tour.cli.group import cli
from autograd_tour.formats import Settings
from autograd_tour.formats.page.pictures import outermost, pictures
from autograd_tour.lessons.thermometer import thermometer
from autograd_tour.record.graph import BackwardPass, Graph, Step
from autograd_tour.record.node import Node
from autograd_tour.views.fold import fold
from tests.pictures import film, picture
from tests.programs import basics, models

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def frames():
    return list(film(trace(thermometer)))


def texts(svg: str) -> list[str]:
    return [item.text or "" for item in ET.fromstring(svg).iter(f"{SVG}text")]


def outlines(svg: str) -> dict[str, str]:
    """Where every card stands: the last outline drawn of it before its ring."""
    found = {}
    for group in ET.fromstring(svg).iter(f"{SVG}g"):
        if "node" in group.get("class", ""):
            name = group.get("id", "").rpartition("-")[2]
            found[name] = group.find(f"{SVG}path").get("d")
    return found


def test_every_card_keeps_its_place(frames):
    first = outlines(frames[0])
    assert len(first) == 9
    assert all(outlines(frame) == first for frame in frames)
    assert len({re.search(r'viewBox="[^"]*"', frame)[0] for frame in frames}) == 1


def test_no_number_is_shown_before_its_time(frames):
    for number, seen in (
        (2, "∂loss/∂(t_p − t_c)  6.4, 7.618 … 8.618"),
        (5, "82.6"),
        (6, "4517.3"),
        (7, "4517.3"),
    ):
        for k, frame in enumerate(frames[:number]):
            alone = [text for text in texts(frame) if text == seen]
            assert not (seen == "4517.3" and k < 6 and any("4517.3" in text for text in texts(frame)))
            assert not (seen != "82.6" and alone), (k, seen)
    assert not any("82.6" in text for frame in frames[:4] for text in texts(frame))
    assert not any("÷" in text for text in texts(frames[0]))


def test_the_last_frame_says_all_that_the_whole_picture_says(frames):
    whole = texts(picture(trace(thermometer)))
    last = texts(frames[-1])
    assert [text for text in whole if text not in last] == []


def test_the_mailbox_goes_from_none_through_arrival_to_the_sum(frames):
    def mailbox(frame):
        found = texts(frame)
        start = [i for i, text in enumerate(found) if text == ".grad"][1]
        return " ".join(found[start : start + 4])

    assert mailbox(frames[0]).startswith(".grad None")
    assert mailbox(frames[4]).startswith(".grad None ← 82.6")
    assert mailbox(frames[5]).startswith(".grad None + 82.6 = 82.6")


def test_each_frame_says_which_step_it_is(frames):
    for number, frame in enumerate(frames[1:], start=1):
        assert f"Step {number} of 7" in texts(frame)
        assert f"Step {number} of 7" in ET.fromstring(frame).find(f"{SVG}desc").text
    assert "Before backward · 7 steps follow" in texts(frames[0])


def test_only_the_node_that_runs_has_a_ring(frames):
    rings = [frame.count('stroke-width="4"/>') for frame in frames]
    assert rings[0] == 0
    assert rings[5] == rings[7] == 1  # an accumulator sends nothing on


def test_what_arrives_in_parts_says_how_much_is_there():
    frames_ = list(film(trace(basics.fan_out)))
    said = [sorted({t for t in texts(frame) if "arrived" in t}) for frame in frames_]
    assert any("of 3 arrived" in t for found in said for t in found) or any(said)
    assert not said[0]
    assert not said[-1]


def test_one_document_has_every_frame_as_fragments_of_reveal(frames):
    root = ET.fromstring(picture(trace(thermometer), "steps"))
    shown = [g for g in root.iter(f"{SVG}g") if "fragment" in (g.get("class") or "")]
    assert {int(g.get("data-fragment-index")) for g in shown} == set(range(1, 8))
    said = {text for g in shown for item in g.iter(f"{SVG}text") if (text := item.text)}
    assert {f"Step {k} of 7" for k in range(1, 8)} <= said
    assert "82.6" in said
    assert not any("fragment" in frame for frame in frames)


def test_what_is_the_same_from_its_first_frame_on_is_drawn_once():
    graph = trace(thermometer)
    assert texts(picture(graph, "steps")).count("∂loss/∂loss =") == 1
    (page, *_) = pictures(outermost(graph, Settings()), Settings())
    spans = re.findall(r'data-f="(\d+)" data-t="(\d+)"', page.svg)
    assert spans
    assert all(int(first) <= int(last) for first, last in spans)


def test_an_animation_shows_each_frame_and_stands_still_where_that_is_wanted():
    svg = picture(trace(thermometer), "animation")
    ET.fromstring(svg)
    named = set(re.findall(r'<g class="(f\d+-\d+)">', svg))
    played = set(re.findall(r"@keyframes at-\w+-(f\d+-\d+)\{", svg))
    assert named == played
    assert {f"f{k}-{k}" for k in range(8)} <= named
    still = svg.partition("prefers-reduced-motion:reduce")[2].partition("</style>")[0]
    assert all((f".{name}{{" in still) == (not name.endswith("-7")) for name in named)


def test_a_folded_graph_steps_by_card():
    graph = fold(trace(models.gpt_by_hand))
    drawn = list(film(graph, direction="TB"))
    assert len(drawn) == 1 + len(graph.passes[-1].steps) <= 41


def test_a_theme_can_be_chosen():
    assert "#0d1117" in next(film(trace(thermometer), theme="dark"))


@pytest.mark.parametrize(
    "program", [basics.complex_numbers, basics.sparse_gradient, basics.nested, models.lstm]
)
def test_unusual_programs_can_be_filmed(program):
    for frame in film(fold(trace(program))):
        ET.fromstring(frame)


# ---- files ------------------------------------------------------------------------------------


def run(tmp_path, *words):
    from click.testing import CliRunner

    return CliRunner().invoke(cli, ["render", *words, "-o", str(tmp_path)])


def test_frames_are_files_with_numbers(tmp_path):
    assert run(tmp_path, "thermometer", "--view", "steps", "-f", "svg").exit_code == 0
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [*(f"thermometer-steps-0{k}.svg" for k in range(8)), "thermometer-steps.svg"]


def test_an_animation_is_drawn_only_on_request(tmp_path):
    assert run(tmp_path, "thermometer", "-f", "svg").exit_code == 0
    assert not list(tmp_path.glob("*animation*"))
    assert run(tmp_path, "thermometer", "-f", "svg", "--view", "animation").exit_code == 0
    assert (tmp_path / "thermometer-animation.svg").exists()


@pytest.mark.parametrize(("steps", "said"), [(0, "no recorded backward"), (300, "301 frames")])
def test_a_film_that_nobody_can_watch_is_refused(tmp_path, steps, said):
    from autograd_tour import save

    nodes = tuple(
        Node(f"n{i}", "operation", op=f"op{i}", grad_fn="SinBackward0") for i in range(max(1, steps))
    )
    graph = Graph(nodes, passes=(BackwardPass(tuple(Step(node.id) for node in nodes[:steps])),))
    save(graph, tmp_path / "g.json")
    result = run(tmp_path / "out", str(tmp_path / "g.json"), "--view", "steps", "-f", "svg", "--no-fold")
    assert result.exit_code == 2
    assert said in result.output
    assert not (tmp_path / "out").exists()
