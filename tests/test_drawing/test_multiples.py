"""Paths in panels: text that can be read on a slide and in a column, nothing cut or on top of each other."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET
from itertools import combinations, pairwise

import pytest

from autograd_tour.drawing.metrics import text_width
from autograd_tour.drawing.multiples import Walk, multiples
from autograd_tour.lessons.thermometer import t_c, t_un
from autograd_tour.lessons.tour.valley import heights

SVG = "{http://www.w3.org/2000/svg}"
NOTES = ("On the right: the last loss.", "Lines: loss 4, 8, 16, 32, 64, 128. w goes across, b up.")


def walk(name="SGD", about="2.93"):
    return Walk(name, about, [(1 + k / 250, -k / 60) for k in range(1001)])


def picture(count, **options):
    walks = [walk(f"Optimizer{k}", "1.44e3") for k in range(count)]
    return multiples(
        heights(t_un, t_c, (4, 8, 16)),
        walks,
        ((-0.5, -22.0), (7.0, 4.0)),
        title="1,000 steps",
        desc="Paths.",
        lowest=(5.37, -17.3),
        notes=NOTES,
        **options,
    )


def boxes(svg):
    for node in ET.fromstring(svg).iter(f"{SVG}text"):
        size, bold = float(node.get("font-size")), node.get("font-weight") == "bold"
        width = text_width(node.text, size, bold)
        x, y = float(node.get("x")), float(node.get("y"))
        left = x - {"start": 0.0, "middle": 0.5, "end": 1.0}[node.get("text-anchor", "start")] * width
        yield node.text, size, left, y - 0.74 * size, left + width, y + 0.21 * size


@pytest.mark.parametrize("count", [1, 4, 9, 13, 14])
def test_text_can_be_read_on_a_slide_and_in_a_column_and_stands_apart(count):
    svg = picture(count)
    root = ET.fromstring(svg)
    assert (root.get("width"), root.get("height")) == ("1280", "720")
    texts = list(boxes(svg))
    for text, size, left, top, right, bottom in texts:
        assert size >= 18, text
        assert size * 679 / 1280 >= 11, text  # what a page of 736 px leaves for it
        assert left >= 0, text
        assert top >= 0, text
        assert right <= 1280, text
        assert bottom <= 720, text
    for (a, _, l1, t1, r1, b1), (b, _, l2, t2, r2, b2) in combinations(texts, 2):
        assert r1 <= l2 + 0.1 or r2 <= l1 + 0.1 or b1 <= t2 or b2 <= t1, (a, b)


def test_each_path_has_a_panel_of_its_own_and_is_cut_off_at_its_edge():
    root = ET.fromstring(picture(13))
    clips = {clip.get("id"): clip.find(f"{SVG}rect") for clip in root.iter(f"{SVG}clipPath")}
    groups = [group for group in root.iter(f"{SVG}g") if group.get("clip-path")]
    assert len(groups) == len(clips) == 13
    assert {group.get("clip-path") for group in groups} == {f"url(#{name})" for name in clips}
    for group in groups:
        (use,) = group.iter(f"{SVG}use")
        assert root.find(f".//{SVG}g[@id='{use.get('href')[1:]}']") is not None
    panels = [tuple(float(box.get(side)) for side in ("x", "y", "width", "height")) for box in clips.values()]
    for (x1, y1, w1, h1), (x2, y2, w2, h2) in combinations(panels, 2):
        assert x1 + w1 <= x2 or x2 + w2 <= x1 or y1 + h1 <= y2 or y2 + h2 <= y1


def test_a_path_that_stands_still_or_flies_off_is_drawn_too():
    still = Walk("still", "1", [(1.0, 0.0)])
    away = Walk("away", "nan", [(1.0, 0.0), (1e300, -1e300), (math.nan, math.inf)])
    svg = multiples(
        (), (still, away), ((0.0, -1.0), (2.0, 1.0)), title="T", desc="D", lowest=(1.0, 0.0), theme="dark"
    )
    assert not re.search(r'[xyd]="[^"]*(nan|inf)', svg)
    assert len(list(ET.fromstring(svg).iter(f"{SVG}circle"))) == 2 + 1  # only what is in sight has a ring


def test_points_of_a_path_are_as_far_apart_as_can_be_seen():
    root = ET.fromstring(picture(1))
    (group,) = (group for group in root.iter(f"{SVG}g") if group.get("clip-path"))
    path = [node for node in group.iter(f"{SVG}path") if node.get("fill") == "none"][-1]
    points = [tuple(map(float, pair.split())) for pair in path.get("d")[1:].split("L")]
    assert 10 < len(points) <= 1001
    assert all(math.dist(a, b) >= 1.0 for a, b in pairwise(points[:-1]))
