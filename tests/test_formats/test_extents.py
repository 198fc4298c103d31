"""How large pictures are: what the command and the report tell is what the documents have."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

import autograd_tour as tour
from autograd_tour.drawing.extents import picture_sizes
from autograd_tour.drawing.room import room_for
from autograd_tour.formats.base import Settings
from autograd_tour.formats.produce import files_of_trace
from autograd_tour.lessons.thermometer import thermometer
from autograd_tour.record.trace import Trace
from tests.commands import answer
from tests.programs.models import gpt_by_hand

SVG = "{http://www.w3.org/2000/svg}"
VIEWS = ("graph", "chain", "outline", "accumulation", "steps")
SAVED = Path(__file__).parents[2] / "outputs" / "thermometer.json"


def measured(svg: str) -> tuple[float, float, float]:
    """Width, height and smallest text of a document, px."""
    root = ET.fromstring(svg)
    width, height = float(root.get("width", "")), float(root.get("height", ""))
    scale = width / float(root.get("viewBox", "").split()[2])
    sizes = [
        float(text.get("font-size", "")) for text in root.iter(f"{SVG}text") if (text.text or "").strip()
    ]
    return width, height, scale * min(sizes)


@pytest.fixture(scope="module")
def trace() -> Trace:
    return Trace(tour.trace(thermometer), tour.accumulate(thermometer))


@pytest.mark.parametrize("words", [None, "16:9", "a4", "300x200"])
def test_what_is_told_of_a_picture_is_so(trace: Trace, words: str | None) -> None:
    room = room_for(words) if words is not None else None
    with picture_sizes() as sizes:
        files = files_of_trace("t", trace, Settings(formats=("svg",), views=VIEWS, room=room))
    assert [size.view for size in sizes] == list(VIEWS)
    for size in sizes:
        width, height, text = measured(str(files[f"t-{size.view}.svg"]))
        assert (size.width, size.height) == pytest.approx((width, height), abs=0.06)
        assert text - 0.11 < size.text <= text + 0.01


def test_the_report_tells_it_too_after_the_pictures_are_drawn(trace: Trace) -> None:
    files = files_of_trace(
        "t", trace, Settings(formats=("txt", "svg"), views=("graph",), room=room_for("300x200"))
    )
    assert list(files) == ["t-report.txt", "t-graph.svg"]
    told = str(files["t-report.txt"]).partition("Pictures\n")[2]
    assert "300 × 200 px" in told
    assert "graph: left out to fit: lines of code" in told
    assert "Pictures" not in str(files_of_trace("t", trace, Settings(formats=("txt",)))["t-report.txt"])


def test_what_is_folded_is_told() -> None:
    graph = tour.trace(gpt_by_hand)
    with picture_sizes() as sizes:
        files_of_trace("t", Trace(graph), Settings(formats=("svg",), views=("graph",), depth=1))
    (size,) = sizes
    assert "folded into" in size.folded
    with picture_sizes() as whole:
        files_of_trace("t", Trace(graph), Settings(formats=("svg",), views=("graph",), fold=False))
    assert next(iter(whole)).folded == ""
    assert next(iter(whole)).cards > size.cards


def test_the_command_tells_it_as_json(tmp_path: Path) -> None:
    words = ("render", str(SAVED), "-f", "svg", "-f", "png", "--view", "graph", "--fit", "300x200", "--json")
    done = answer(*words, "-o", "x", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (size,) = json.loads(done.stdout)["pictures"]
    assert (size["target"], size["view"], size["width"], size["height"]) == ("thermometer", "graph", 300, 200)
    assert size["smallest_text"] < 11
    assert size["cards"] > 0
    assert "operations are folded into" in size["folded"]
    texts = ET.parse(tmp_path / "x" / "thermometer-graph.svg").getroot().iter(f"{SVG}text")
    assert size["folded"] in {text.text for text in texts}
    assert size["left_out"][0].startswith("left out to fit: lines of code")
