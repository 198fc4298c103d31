"""Gradients over the depth of a network, as a picture, as bars, and in every form of an explanation."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from itertools import pairwise

import pytest
from msgspec.structs import replace

from autograd_tour import explain
from autograd_tour.drawing.depth import depth_chart
from autograd_tour.findings import Finding
from autograd_tour.formats.explanation import depth_picture, document, markdown, picture, terminal
from autograd_tour.views.depth import bars, thinned
from tests.commands import answer
from tests.programs.faults import numbers

LAYERS = tuple((f"{number}.weight", 10.0**-number) for number in range(8))


@pytest.fixture(scope="module")
def explanation():
    return explain(numbers.vanishing)


@pytest.fixture(scope="module")
def vanishing(explanation) -> Finding:
    (finding,) = [item for item in explanation.findings if item.kind == "vanishing"]
    return finding


def circles(svg):
    return [float(x) for x in re.findall(r'<circle cx="([\d.]+)"', svg)]


def test_the_finding_has_all_layers_from_the_first_to_the_last(vanishing):
    names = [name.split(".")[-2:] for name, _ in vanishing.depth]
    assert names == [[str(2 * number), "weight"] for number in range(15)]
    sizes = [size for _, size in vanishing.depth]
    assert sizes == sorted(sizes)
    assert vanishing.seen.startswith(f"the gradient per element is {sizes[0]:.2g} in the first layer")


def test_powers_of_ten_stand_at_equal_distances():
    places = circles(depth_chart(LAYERS))
    steps = [before - after for before, after in pairwise(places)]
    assert len(places) == len(LAYERS)
    assert max(steps) - min(steps) < 0.3
    assert steps[0] > 20


@pytest.mark.parametrize("layers", [LAYERS, LAYERS[:1] * 5, (("w" * 200, 1e-300), ("v", 1e300))])
@pytest.mark.parametrize("theme", ["light", "dark", "auto"])
def test_every_text_stays_in_the_picture(layers, theme):
    root = ET.fromstring(depth_chart(layers, theme=theme))
    width = float(root.get("width") or 0)
    assert all(0 < x < width for x in circles(ET.tostring(root, encoding="unicode").replace("ns0:", "")))
    assert "w" * 60 not in "".join(root.itertext()).replace(root[1].text or "", "")


def test_of_many_layers_the_first_and_the_last_are_told():
    many = [(f"h.{number}.weight", 1.5**-number) for number in range(100)]
    shown = thinned(many)
    assert (shown[0], shown[-1]) == (many[0], many[-1])
    assert len(shown) < 30
    assert next(bars(many)).endswith("24 of 100 layers, logarithmic scale.")


def test_bars_grow_by_as_much_for_each_power_of_ten():
    _, *rows = bars(LAYERS[:5])
    assert [row.count("█") for row in rows] == [40, 30, 21, 11, 1]
    assert {row.count("█") for row in list(bars(LAYERS[:1] * 3))[1:]} == {40}


def test_the_forms_of_an_explanation_have_it(explanation, vanishing):
    lines = list(terminal(explanation.findings))
    assert sum("█" in line for line in lines) == len(vanishing.depth)
    assert "█" in markdown("net", explanation.findings)
    assert document("net", explanation.findings, explanation.graphs).count("data:image/svg+xml") == 2
    assert depth_picture(replace(vanishing, depth=())) == ""


def test_the_card_in_which_the_first_layer_is_folded_is_marked(explanation, vanishing):
    drawn = picture(vanishing, explanation.graphs)
    marked = [part for part in drawn.split('<g id="') if 'stroke-width="3.5"' in part]
    assert len(marked) == 1
    assert ">Linear(4→4)</text>" in marked[0]
    assert re.search(r">(?:[\w…]*\.)?0</text>", marked[0])


def test_the_command_writes_it_beside_the_graph(tmp_path):
    done = answer("explain", f"{numbers.__file__}:vanishing", "-f", "svg", "-o", "files", cwd=tmp_path)
    assert done.returncode == 1
    assert sorted(path.name for path in (tmp_path / "files").iterdir()) == [
        "numbers-vanishing-explain-1-vanishing-depth.svg",
        "numbers-vanishing-explain-1-vanishing.svg",
    ]
