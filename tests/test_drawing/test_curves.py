"""Line charts, their axes, and what becomes of long or broken lines."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET
from itertools import pairwise

import pytest

from autograd_tour.drawing.axes import Scale, label, nice_ticks
from autograd_tour.drawing.curves import Panel, Series, curves
from autograd_tour.drawing.metrics import text_width
from autograd_tour.drawing.room import fits, room_for
from autograd_tour.drawing.thinning import stretches

SVG = "{http://www.w3.org/2000/svg}"


def draw(*series, **options):
    words = {"title": "t", "desc": "d", "y_label": "y", "theme": "light"} | options
    axes = {name: words.pop(name) for name in ("x_label", "log_x", "log_y") if name in words}
    return curves([Panel(series, **({"x_label": "x"} | axes))], **words)


def paths(svg):
    return [node for node in ET.fromstring(svg).iter(f"{SVG}path") if node.get("fill") == "none"]


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0, 18069.2, (0, 5000, 10000, 15000)),
        (-1, 1, (-1, -0.5, 0, 0.5, 1)),
        (0, 0.3, (0, 0.1, 0.2, 0.3)),
        (3, 3, (3,)),
    ],
)
def test_ticks_are_round(low, high, ticks):
    assert nice_ticks(low, high, 4) == ticks


def test_logarithmic_ticks_are_ones_twos_and_fives_where_there_is_room():
    assert nice_ticks(2.5, 100, 6, log=True) == (5, 10, 20, 50, 100)
    assert nice_ticks(1, 1e8, 5, log=True) == tuple(10.0**e for e in range(9))


@pytest.mark.parametrize("ends", [(0, 5e-324), (-1.7e308, 1.7e308), (1e15, 1e15 + 1), (1e300, 1.0000001e300)])
def test_ticks_of_extreme_ranges_are_few_and_within(ends):
    ticks = nice_ticks(*ends)
    assert 1 <= len(ticks) <= 12
    assert all(math.isfinite(tick) for tick in ticks)


def test_scale_maps_ends_and_huge_spans():
    assert Scale(-1.7e308, 1.7e308, 0, 100)(0.0) == 50
    assert Scale(1, 100, 0, 10, log=True)(10) == pytest.approx(5)


def test_lines_differ_by_dashes_and_marks_not_only_by_colour():
    svg = draw(*(Series(f"s{i}", [(x, x * i) for x in range(20)]) for i in range(6)))
    dashes = [path.get("stroke-dasharray") for path in paths(svg)]
    assert len(set(dashes)) == 6
    assert [f"s{i}" in svg for i in range(6)] == [True] * 6


def test_what_is_not_finite_breaks_the_line():
    points = [(0, 1.0), (1, 2.0), (2, math.nan), (3, math.inf), (4, 1.0), (5, 0.5)]
    svg = draw(Series("broken", points))
    assert len(paths(svg)) == 2
    assert "nan" not in svg
    assert "inf" not in svg.replace("infinite", "")


@pytest.mark.parametrize(
    "points",
    [
        [],
        [(0, math.nan)],
        [(1, 1)],
        [(1, 0), (2, -1)],
        [(1, 2.0), (1, 2.0)],
        [(1, 1e308), (2, -1e308)],
        [(1, 5e-324), (2, 1e308)],
    ],
)
@pytest.mark.parametrize("log", [False, True])
def test_any_points_draw(points, log):
    svg = draw(Series("s", points), log_x=log, log_y=log)
    ET.fromstring(svg)
    assert not re.search(r'="[^"]*\b(nan|inf)\b', svg)


def test_no_series_says_so():
    assert "Nothing to draw" in draw()


def test_five_thousand_points_are_thinned_and_extremes_stay():
    points = [(i, math.sin(i / 300)) for i in range(5000)]
    points[2500] = (2500, 9.0)
    found = [p for stretch in stretches([(x * 640 / 5000, y) for x, y in points]) for p in stretch.points]
    assert len(found) <= 4 * 641
    assert max(y for _, y in found) == 9.0
    assert draw(Series("s", points)) == draw(Series("s", points))
    assert len(draw(Series("s", points))) < 60_000


def test_what_swings_too_fast_becomes_a_band_between_its_extremes():
    points = [(i / 10, 50.0 * (-1) ** i) for i in range(5000)]
    (band,) = stretches(points)
    assert {y for _, y in band.points} == {-50.0}
    assert {y for _, y in band.lower} == {50.0}
    assert all(not stretch.lower for stretch in stretches([(i / 10, i / 100) for i in range(5000)]))


def test_hostile_words_are_text_and_cut():
    svg = draw(
        Series("<script>" + "n" * 10_000, [(0, 1), (1, 2)]),
        title="\x00\ud800" + "t" * 10_000,
        desc='"&<',
        x_label="<b>" * 999,
        y_label="😀" * 999,
    )
    root = ET.fromstring(svg.encode())
    assert not list(root.iter(f"{SVG}script"))
    assert all(len(node.text or "") < 400 for node in root.iter(f"{SVG}text"))
    assert svg.count("…") >= 4


def test_names_at_line_ends_keep_apart():
    svg = draw(*(Series(f"name {i}", [(0, i), (1, 7.0 + i / 100)]) for i in range(6)))
    ys = sorted(
        float(n.get("y")) for n in ET.fromstring(svg).iter(f"{SVG}text") if (n.text or "").startswith("name")
    )
    assert all(b - a >= 17.9 for a, b in pairwise(ys))


def test_dark_draws_without_a_light_colour():
    assert "#ffffff" not in draw(Series("s", [(0, 1), (1, 2)]), theme="dark")


def test_panels_stand_beside_each_other_and_each_has_its_axes():
    line = Series("falls", [(x, 100.0 / x) for x in range(1, 200)])
    svg = curves(
        [
            Panel([line], "epoch", heading="linear", width=200),
            Panel([line], "epoch", True, True, "both", 300),
        ],
        title="t",
        desc="d",
        y_label="loss",
        theme="light",
    )
    where = {
        e.text: float(e.get("x"))
        for e in ET.fromstring(svg).iter(f"{SVG}text")
        if e.text in ("linear", "both")
    }
    assert where["both"] > where["linear"] + 200
    first, second = (path.get("d") for path in paths(svg) if path.get("stroke-width") == "1.8")
    xs = [[float(x) for x in re.findall(r"[ML]([\d.]+) ", d)] for d in (first, second)]
    assert max(xs[0]) <= where["linear"] + 200 < where["both"] <= min(xs[1])
    assert "tell the lines apart" not in svg  # there is one in each


def test_panels_can_be_read_on_a_slide_and_in_a_column():
    series = [
        Series("zeroed", [(i, 10.0 / i) for i in range(1, 60)]),
        Series("without zeroing", [(1, 5), (9, 2)]),
    ]
    panels = (
        Panel(series, "epoch", heading="first", width=300.0),
        Panel(series, "epoch", heading="all", width=460.0),
    )
    for room, least in ((room_for("16:9"), 18), (room_for(width=736), 11)):
        with fits() as heard:
            svg = curves(panels, title="losses", desc="losses", y_label="loss", room=room)
        ((fit),) = heard
        assert fit.text >= least
        heads = {
            node.text: node for node in ET.fromstring(svg).iter(f"{SVG}text") if node.text in ("first", "all")
        }
        assert len(heads) == 2


@pytest.mark.parametrize("bold", [False, True])
@pytest.mark.parametrize("text", ["1.25e-07", "a name", "log₁₀ ‖∇‖", "<&>…", "名前名前"])
def test_a_label_is_as_wide_in_any_font_as_it_was_measured(text, bold):
    node = ET.fromstring(label(0, 0, text, "#000", size=13, bold=bold))
    assert node.text == text
    assert float(node.get("textLength")) == pytest.approx(text_width(text, 13, bold), abs=0.051)


def test_a_short_number_needs_no_width():
    assert "textLength" not in label(0, 0, "100", "#000")


@pytest.mark.parametrize("text", ["w     = h ** 2", " lead", "trail ", "a\tb c"])
def test_blanks_that_count_in_its_width_are_drawn(text):
    assert 'xml:space="preserve"' in label(0, 0, text, "#000")
    assert "xml:space" not in label(0, 0, "one blank each", "#000")


@pytest.mark.parametrize("unseen", ["\u200d", "\ufe0f", "\u200b", "\u0301", "\u20dd"])
def test_a_sign_that_is_not_seen_has_no_width(unseen):
    assert text_width(f"ab{unseen}cd", 13) == text_width("abcd", 13)
    assert "textLength" not in label(0, 0, unseen * 4, "#000")
