"""A picture is a whole document: named for those who cannot see it, the same every time, alone in its ids."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from dataclasses import fields

import pytest
import torch
from msgspec.structs import replace

import autograd_tour as tour
from autograd_tour.drawing.engine import ENVIRONMENT
from autograd_tour.drawing.theme import DARK, LIGHT, Palette
from autograd_tour.lessons.thermometer import thermometer, thermometer_params
from autograd_tour.record.graph import Graph
from autograd_tour.views.fold import fold
from tests.commands import script_answer
from tests.pictures import picture, scene_of

SVG = "{http://www.w3.org/2000/svg}"
SHEET = re.compile(r"M(\S+) (\S+?)a8 8 0 0 1 8 -8h([\d.]+)a.*?v([\d.]+)a")


def repeated():
    """Several links between the same two cards, and one tensor in several places of a call."""
    x = torch.ones(3, requires_grad=True)
    fixed = torch.ones(3)
    whole = torch.cat([x, fixed, x, fixed])
    rows = whole[torch.tensor([0, 1])]
    return (x * x).sum() + torch.where(fixed > 0, fixed, fixed * x).sum() + rows.sum()


PROGRAMS = [thermometer, thermometer_params, repeated]
VIEWS = ["graph", "chain", "outline", "torchviz"]


def ids(svg):
    return [element.get("id") for element in ET.fromstring(svg).iter() if element.get("id")]


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("program", PROGRAMS)
def test_ids_are_unique_and_those_of_this_picture(program, view):
    found = ids(tour.svg(tour.trace(program), view=view))
    assert len(found) > 5
    assert len(found) == len(set(found))
    prefix = found[0]
    assert all(name == prefix or name.startswith(prefix + "-") for name in found)


def test_pictures_in_one_page_share_no_id():
    pictures = [tour.svg(tour.trace(program), view=view) for program in PROGRAMS for view in VIEWS]
    pictures.append(tour.svg(tour.trace(thermometer), direction="LR"))
    pictures.append(tour.svg(tour.accumulate(thermometer, calls=2)))
    found = [name for svg in pictures for name in ids(svg)]
    assert len(found) == len(set(found))


@pytest.mark.parametrize("view", VIEWS)
def test_references_lead_to_ids_of_the_picture(view):
    loss = thermometer()
    loss.backward()
    svg = tour.svg(tour.trace(loss, backward=False), view=view)
    assert ("url(#" in svg) == (view == "graph")  # what was freed is hatched
    root = ET.fromstring(svg)
    named = root.get("aria-labelledby").split()
    assert set(re.findall(r"url\(#([^)]*)\)", svg)) | set(named) <= set(ids(svg))


@pytest.mark.parametrize("view", VIEWS)
def test_a_picture_says_in_words_what_it_shows(view):
    root = ET.fromstring(tour.svg(tour.trace(thermometer), view=view))
    space = "{http://www.w3.org/2000/svg}"
    assert root.get("role") == "img"
    title, desc = root.find(f"{space}title"), root.find(f"{space}desc")
    assert title.text
    assert len(desc.text) > 40
    assert root.get("aria-labelledby") == f"{title.get('id')} {desc.get('id')}"
    groups = [group for group in root.iter(f"{space}g") if group.get("id")]
    assert all(group.find(f"{space}title").text for group in groups)


def test_the_description_has_the_result_the_order_and_the_gradients():
    desc = ET.fromstring(tour.svg(tour.trace(thermometer)))[1].text
    for said in ("5 operations", "2 leaves", "1763.88", "MeanBackward0, PowBackward0", "4517.3", "82.6"):
        assert said in desc


SCRIPT = """
import sys
import autograd_tour as tour
from autograd_tour.lessons.thermometer import thermometer, thermometer_params
for program in (thermometer, thermometer_params):
    graph, ledger = tour.trace(program), tour.accumulate(program, calls=2)
    for view in ("graph", "chain", "torchviz"):
        for direction in ("LR", "TB"):
            print(tour.svg(graph, view=view, direction=direction), tour.dot(graph, view=view, direction=direction))
    print(tour.svg(ledger), tour.report(graph, ledger), tour.dumps(graph, ledger))
"""


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Everything the tour writes of two programs."""
    done = script_answer(SCRIPT, cwd=tmp_path_factory.mktemp("usual"))
    assert done.stderr == ""
    return done.stdout


@pytest.mark.slow
def test_two_processes_write_the_same_bytes(written, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        cwd=tmp_path,
        env=os.environ | {"PYTHONHASHSEED": "4711", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        check=True,
        timeout=300,
    )
    assert len(written) > 100_000
    assert (written, b"") == (done.stdout.decode(), done.stderr)


def test_nothing_written_tells_time_place_or_engine(written):
    assert not re.search(r"0x[0-9a-f]{6,}|\b20\d\d-\d\d|\d\d:\d\d:\d\d", written)
    assert not re.search(r"/home/|/tmp/|/root/|/work/|site-packages", written)
    assert not re.search("generated|graphviz|version=", written, re.IGNORECASE)


def test_the_engine_of_the_environment_draws_the_same_cards(monkeypatch):
    plain = tour.svg(tour.trace(thermometer))
    monkeypatch.setenv(ENVIRONMENT, "graphviz-pure")
    assert tour.svg(tour.trace(thermometer)) == plain


# ---- light and dark ------------------------------------------------------------------------


def luminance(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a, b):
    light, dark = sorted((luminance(a), luminance(b)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_contrast_is_what_the_standard_says():
    assert contrast("#ffffff", "#000000") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_every_text_stands_out_from_its_row(palette):
    loss = thermometer()
    loss.backward()
    graphs = [tour.trace(thermometer), tour.trace(repeated), tour.trace(loss, backward=False)]
    pairs = {
        (run.role, row.fill or "paper")
        for graph in graphs
        for view in VIEWS
        for card in scene_of(graph, view=view).cards
        for row in card.rows
        for run in (*row.left, *row.right)
    }
    assert len(pairs) > 8
    for text, behind in pairs | {("paper", "backward"), ("error", "paper")}:
        assert contrast(getattr(palette, text), getattr(palette, behind)) >= 4.5, (text, behind)


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_text_colours_stand_out_from_the_paper(palette):
    for role in ("ink", "forward", "backward", "saved", "muted", "error"):
        assert contrast(getattr(palette, role), palette.paper) >= 4.5


def test_dark_is_light_with_other_colours_and_nothing_else():
    graph = tour.trace(thermometer)
    light, dark = tour.svg(graph, theme="light"), tour.svg(graph, theme="dark")
    back = {getattr(DARK, role.name): getattr(LIGHT, role.name) for role in fields(Palette)}
    for theirs, ours in back.items():
        dark = dark.replace(f'"{theirs}"', f'"{ours}"')
    assert dark == light
    auto = tour.svg(graph)
    assert re.sub(r"<style>.*?</style>", "", auto) == light


def test_every_colour_of_a_picture_turns_dark():
    svg = tour.svg(tour.trace(repeated))
    style = re.search(r"<style>(.*?)</style>", svg)[1]
    used = set(re.findall(r'(fill|stroke)="(#[^"]*)"', svg.replace(style, "")))
    assert len(used) > 8
    for attribute, colour in used:
        assert len(colour) == 7
        assert f'[{attribute}="{colour}"]' in style
    assert "var(" not in svg


@pytest.mark.parametrize("direction", ["LR", "TB"])
def test_arrows_end_before_the_sheets_of_a_pile(direction):
    """Sheets stick out to the right and below, where gradients come back: they would hide the heads."""
    x = torch.ones(2, requires_grad=True)

    def chain():
        y = x
        for _ in range(40):
            y = torch.tanh(y) * 2
        return (y - 1).sum()

    root = ET.fromstring(picture(fold(tour.trace(chain)), direction=direction))
    groups = [item for item in root.iter(f"{SVG}g") if "class" in item.attrib]
    sheets = [
        tuple(map(float, SHEET.match(item.find(f"{SVG}path").get("d")).groups()))
        for item in groups
        if item.get("class") == "node group"
    ]
    tips = [
        tuple(map(float, re.findall(r"[-\d.]+", item.findall(f"{SVG}path")[-1].get("d"))[:2]))
        for item in groups
        if item.get("class").startswith("edge")
    ]
    assert sheets
    assert tips
    for left, top, across, down in sheets:
        for x_, y_ in tips:
            inside = left - 1 < x_ < left + across + 15 and top - 7 < y_ < top + down + 7
            assert not inside, (x_, y_)


def test_an_empty_graph_is_a_picture_that_says_so():
    svg = tour.svg(Graph())
    ET.fromstring(svg)
    assert "the graph is empty" in svg


def test_what_a_trace_leaves_out_stands_below_the_picture():
    graph = tour.trace(thermometer)
    noted = tour.svg(replace(graph, meta=replace(graph.meta, notes=("half of it is missing",))))
    assert "half of it is missing</text>" in noted
    height = [float(ET.fromstring(svg).get("height")) for svg in (tour.svg(graph), noted)]
    assert height[1] > height[0]
