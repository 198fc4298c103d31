"""The picture of a run: that nothing overlaps or leaves its box, and that it fits a slide."""

from __future__ import annotations

import functools
import re
import xml.etree.ElementTree as ET
from itertools import combinations

import pytest
import torch
from msgspec.structs import replace

import autograd_tour as tour
from autograd_tour.drawing import draw
from autograd_tour.drawing.extents import drawing_view, picture_sizes
from autograd_tour.drawing.metrics import text_width
from autograd_tour.drawing.room import fits, room_for
from autograd_tour.drawing.run_layout import wrapped
from autograd_tour.drawing.theme import DARK, LIGHT
from autograd_tour.record.trace import Trace
from autograd_tour.views import picture_of
from autograd_tour.views.picture import LossCurve, Run, RunCell, RunChart, RunColumn, RunLane
from tests.programs import loops, training

SVG = "{http://www.w3.org/2000/svg}"
PROGRAMS = (*training.PROGRAMS, *loops.LOOPS)
ODD = "</text>" + "ω" * 300


@functools.cache
def chart_of(program) -> RunChart:
    torch.manual_seed(0)
    run = tour.follow(program)
    return picture_of(Trace(run.graphs[0], None, run), "run")


def hostile() -> RunChart:
    """Long names, numbers, code and notes, and what would end an element."""
    cell = RunCell(((Run(ODD[:40]),), (Run("→ −1.23456e−30", bold=True),)), emptied=True)
    columns = [
        RunColumn("gradient", ".grad changed", (ODD, ODD), f"{ODD}.py:3", (ODD, ODD)),
        *(RunColumn("forward", "forward", (ODD,), "x.py:1", (f"loss {ODD}",)) for _ in range(11)),
    ]
    lanes = [
        RunLane(ODD, ODD, grad, (cell, *[None] * 11), (ODD, *["None"] * 12)) for grad in (False, True) * 6
    ]
    curves = (LossCurve(ODD, tuple((i, None if i % 2 else 1e30 * i) for i in range(1, 9))),)
    return RunChart(tuple(columns), tuple(lanes), curves, ODD, ODD, ODD, (ODD, ODD))


CHARTS = {
    **{program.__name__: functools.partial(chart_of, program) for program in PROGRAMS},
    "hostile": hostile,
    "no lane": lambda: replace(hostile(), lanes=()),
    "no curve": lambda: replace(hostile(), curves=(LossCurve("nan", ((1, None),)),)),
    "nothing": RunChart,
}


def elements(svg: str, name: str) -> list[ET.Element]:
    return list(ET.fromstring(svg).iter(f"{SVG}{name}"))


def boxes(svg: str) -> list[tuple[str, float, float, float, float]]:
    found = []
    for node in elements(svg, "text"):
        size, bold = float(node.get("font-size")), node.get("font-weight") == "bold"
        width = text_width(node.text or "", size, bold)
        x = float(node.get("x")) - {"middle": width / 2, "end": width}.get(node.get("text-anchor"), 0.0)
        y = float(node.get("y"))
        found.append((node.text or "", x, y - 0.72 * size, x + width, y + 0.05 * size))
    return found


def side(svg: str, name: str) -> float:
    return float(ET.fromstring(svg).get(name))


@pytest.mark.parametrize("name", CHARTS)
def test_texts_neither_overlap_nor_leave_the_picture(name):
    svg = draw(CHARTS[name]())
    width, height, texts = side(svg, "width"), side(svg, "height"), boxes(svg)
    for text, left, top, right, bottom in texts:
        assert left >= 0, text
        assert top >= 0, text
        assert right <= width + 0.1, text
        assert bottom <= height, text
    for (a, l1, t1, r1, b1), (b, l2, t2, r2, b2) in combinations(texts, 2):
        assert r1 <= l2 + 0.1 or r2 <= l1 + 0.1 or b1 <= t2 or b2 <= t1, (a, b)


@pytest.mark.parametrize("name", CHARTS)
def test_a_line_as_long_as_the_picture_stays_in_it_in_any_font(name):
    svg = draw(CHARTS[name]())
    half = side(svg, "width") / 2
    for node in elements(svg, "text"):
        natural = text_width(node.text or "", float(node.get("font-size")), node.get("font-weight") == "bold")
        assert natural <= half or float(node.get("textLength", "nan")) == pytest.approx(natural, abs=0.1), (
            node.text
        )


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_what_happens_stays_in_its_box(program):
    chart = chart_of(program)
    svg = draw(chart, theme="light")
    rectangles = [
        tuple(float(node.get(key)) for key in ("x", "y", "width", "height"))
        for node in elements(svg, "rect")
        if node.get("rx")
    ]
    cells = [cell for lane in chart.lanes for cell in lane.cells if cell is not None]
    assert len(rectangles) == len(chart.columns) + len(cells)
    words = {text.text for cell in cells for line in cell.lines for text in line}
    checked = 0
    for text, left, top, right, bottom in boxes(svg):
        around = [
            (x, y, x + w, y + h)
            for x, y, w, h in rectangles
            if x < (left + right) / 2 < x + w and y < (top + bottom) / 2 < y + h
        ]
        for x1, y1, x2, y2 in around:
            checked += text in words
            assert x1 <= left <= right <= x2, text
            assert y1 <= top <= bottom <= y2, text
    assert checked == sum(len(line) for cell in cells for line in cell.lines)


@pytest.mark.parametrize("name", CHARTS)
def test_it_fits_a_slide_and_can_be_read(name):
    svg = draw(CHARTS[name](), theme="light")
    assert side(svg, "width") <= 1280
    # Two rows of six calls with what an optimizer keeps; made for a slide it has less in it.
    tallest = 1400 if name in ("micro_batches", "lbfgs", "averaged", "gan") else 900
    assert name in ("hostile", "no lane", "no curve") or side(svg, "height") <= tallest
    assert min(float(node.get("font-size")) for node in elements(svg, "text")) >= 11
    palette = {getattr(LIGHT, role) for role in LIGHT.__dataclass_fields__}
    assert set(re.findall(r"#[0-9a-f]{6}", svg)) <= palette


@pytest.mark.parametrize("name", CHARTS)
@pytest.mark.parametrize("theme", ["light", "dark", "auto"])
def test_every_run_draws_well_formed_and_the_same_each_time(name, theme):
    svg = draw(CHARTS[name](), theme=theme)
    root = ET.fromstring(svg)
    assert svg == draw(CHARTS[name](), theme=theme)
    assert root.get("role") == "img"
    assert root.find(f"{SVG}title").text
    assert root.find(f"{SVG}desc").text
    assert not re.search(r'[xyd\d]="[^"]*(nan|inf)', svg)
    if theme == "dark" and name != "nothing":
        assert DARK.forward in svg
        assert LIGHT.forward not in svg


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_all_that_the_view_tells_is_drawn_once(program):
    chart = chart_of(program)
    drawn = [node.text for node in elements(draw(chart), "text")]
    for head in {column.head for column in chart.columns}:
        assert drawn.count(head) >= sum(column.head == head for column in chart.columns)
    for lane in chart.lanes:
        for cell in lane.cells:
            assert cell is None or all(text.text in drawn for line in cell.lines for text in line)
    assert all(column.where in drawn for column in chart.columns if column.where)


def test_what_was_emptied_is_crossed_out_and_what_a_step_used_points_at_the_value():
    hand, clipped = draw(chart_of(training.hand)), draw(chart_of(training.clipped))
    crossed = [node for node in elements(hand, "line") if node.get("stroke-width") == "1.2"]
    assert len(crossed) == 4  # w and b, before the second backward and the third
    assert len(elements(hand, "circle")) == 0
    assert len(elements(clipped, "circle")) == 2 * 4  # two steps, four leaves


def test_many_columns_continue_in_a_second_band_that_begins_with_an_iteration():
    chart = chart_of(training.hand)
    svg = draw(chart)
    heads = [node for node in elements(svg, "text") if node.text in {column.head for column in chart.columns}]
    rows = sorted({float(node.get("y")) for node in heads})
    assert len(rows) == 2
    second = min(
        (node for node in heads if float(node.get("y")) == rows[1]), key=lambda node: float(node.get("x"))
    )
    assert second.text == "zeroing"
    assert [node.text for node in elements(svg, "text")].count("value") == 2 * 2


def reached_in(chart, **room):
    with fits() as heard:
        svg = draw(chart, room=room_for(**room), theme="light")
    ((fit),) = heard
    return svg, fit.text


@pytest.mark.parametrize("program", training.PROGRAMS, ids=lambda program: program.__name__)
def test_text_is_large_enough_on_a_slide_and_in_a_column(program):
    chart = chart_of(program)
    slide, text = reached_in(chart, fit="16:9")
    assert text >= 18
    column, text = reached_in(chart, width=736)
    assert text >= 11
    heads = [node.text for node in elements(column, "text")]
    assert all(heads.count(head.head) for head in chart.columns)  # nothing is left out where height is free
    for svg in (slide, column):
        for (a, l1, t1, r1, b1), (b, l2, t2, r2, b2) in combinations(boxes(svg), 2):
            assert r1 <= l2 + 0.1 or r2 <= l1 + 0.1 or b1 <= t2 or b2 <= t1, (a, b)


def test_what_a_slide_has_no_room_for_is_told():
    chart = chart_of(training.hand)
    slide, _ = reached_in(chart, fit="16:9")
    drawn = [node.text for node in elements(slide, "text")]
    assert any(re.fullmatch(r"… and \d+ more events in the report\.", text) for text in drawn)
    assert "Left out to fit: the losses." in [
        node.text for node in elements(reached_in(chart_of(training.clipped), fit="16:9")[0], "text")
    ]
    with drawing_view("run"), picture_sizes() as sizes:
        draw(chart, room=room_for("16:9"))
    assert any("more events" in text for text in next(iter(sizes)).left_out)


def test_a_gap_has_its_dots_in_every_lane():
    columns = (RunColumn("backward", "backward 8"), RunColumn("gap", "…", about=("90 more calls",)))
    lane = RunLane("w", "", False, (None, None), ("1", "1", ""))
    svg = draw(RunChart(columns, (lane,)), room=room_for("16:9"))
    assert [node.text for node in elements(svg, "text")].count("…") == 2


def test_losses_are_drawn_if_there_are_more_than_a_few():
    assert "loss at each backward call" not in draw(chart_of(training.hand))
    chart = chart_of(training.clipped)
    assert "loss at each backward call" in draw(chart)
    (name,) = [curve.name for curve in chart.curves]
    assert re.fullmatch(r".*training\.py:\d+  loss\.backward\(\)", name)


def test_code_is_broken_at_its_seams():
    import autograd_tour.drawing.run_layout as layout

    lines = wrapped("loss = nn.functional.mse_loss(net(x), y)", 100, 12, 3, layout._CODE_SEAM)
    assert lines == ["loss = nn.", "functional.mse_", "loss(net(x), y)"]
    assert wrapped("w -= 0.125 * w.grad", 60, 12, 2, layout._CODE_SEAM)[0] == "w -= 0.125"
    assert wrapped("a b", 100, 12, 3) == ["a b"]
    power = "loss = ((h - y) ** 2).mean()"
    for room in range(40, 200):
        assert not any(line.endswith(" *") for line in wrapped(power, room, 12, 9, layout._CODE_SEAM))
    assert wrapped("", 100, 12, 3) == []
    for room in (1, 5, 20, 61, 100):
        assert all(
            text_width(text, 12) <= max(room, text_width("…", 12)) for text in wrapped(ODD, room, 12, 4)
        )


def test_no_word_is_broken_that_a_line_has_room_for():
    text = "1 more call, not told in full to backward 10"
    lines = wrapped(text, 52, 11, 9)
    assert " ".join(lines) == text
    assert "backward" in " ".join(lines).split()
    assert all(set(line.split()) <= set(text.split()) for line in lines)
    assert len(wrapped("a " + "w" * 30, 52, 11, 9)[0]) > 2  # one that no line has room for is broken at once
