"""The ledger's picture: what it says, that nothing overlaps, and that no ledger breaks it."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET
from itertools import combinations

import pytest
import torch
from msgspec.structs import replace

from autograd_tour import Graph, accumulate
from autograd_tour.drawing.extents import drawing_view, picture_sizes
from autograd_tour.drawing.metrics import text_width
from autograd_tour.drawing.room import fits, room_for
from autograd_tour.lessons.thermometer import thermometer, thermometer_params
from autograd_tour.record.facts import Stats, TensorFacts
from autograd_tour.record.ledger import Call, LeafAccount, Ledger
from autograd_tour.reports import report
from autograd_tour.views.chart_rows import rows_of
from tests.pictures import ledger_chart

SVG = "{http://www.w3.org/2000/svg}"
PALETTE = {
    *("#1b1f24", "#005a9c", "#b34700", "#7b2d6b", "#5f6772", "#a30000", "#ffffff"),
    *("#e3f0fa", "#f1f3f5", "#f6e6f1", "#ffe8d6"),
}


def facts(value):
    if value is None:
        return None
    if isinstance(value, float) and not math.isfinite(value):
        value = str(value)
    return TensorFacts(shape=(), dtype="float32", first=(value,))


def account(name, contributions):
    """What torch would do with these contributions to a scalar leaf."""
    keep, zero_, none, total = [], [], [], None
    for k, value in enumerate(contributions):
        before = total
        if value is not None:
            total = float(value) + (total or 0.0)
        keep.append(Call(facts(before), facts(value), facts(total)))
        zero_.append(Call(facts(0.0) if k and before is not None else None, facts(value), facts(value)))
        none.append(Call(None, facts(value), facts(value)))
    return LeafAccount(name, (), tuple(keep), tuple(zero_), tuple(none))


def ledger(*accounts):
    return Ledger(max((len(a.keep) for a in accounts), default=0), accounts)


def wide(name, shape, calls=4, norm=2.0, parallel=True):
    """A leaf too large for a row per element."""

    def measured(value):
        return TensorFacts(shape=shape, dtype="float32", stats=Stats(norm=value))

    one = measured(norm)
    sums = [norm * (k + 1) if parallel else norm * math.sqrt(k + 1) for k in range(calls)]
    keep = tuple(Call(measured(sums[k - 1]) if k else None, one, measured(sums[k])) for k in range(calls))
    zero_ = tuple(Call(measured(0.0) if k else None, one, one) for k in range(calls))
    return LeafAccount(name, shape, keep, zero_, (Call(None, one, one),) * calls)


def texts(svg):
    return [node.text or "" for node in ET.fromstring(svg).iter(f"{SVG}text")]


def boxes(svg):
    for node in ET.fromstring(svg).iter(f"{SVG}text"):
        size, bold = float(node.get("font-size")), node.get("font-weight") == "bold"
        width = text_width(node.text or "", size, bold)
        x = float(node.get("x")) - {"middle": width / 2, "end": width}.get(node.get("text-anchor"), 0.0)
        y = float(node.get("y"))
        yield node.text, x, y - 0.72 * size, x + width, y + 0.05 * size


THERMOMETER = ledger(account("w", [4517.2969] * 4), account("b", [82.6] * 4))
ODD = ledger(
    account("nan", [1.0, "nan", 2.0, 3.0]),
    account("inf", [1.0, "inf", "-inf", 3.0]),
    account("huge", [1e306, 1e307, 1.5e308, -1e308]),
    account("unused", [None] * 4),
    account("zero", [0.0, -0.0, 0, 0.0]),
    account("tiny", [5e-324, 1e-310, 0.0, -1e-309]),
)
LEDGERS = {
    "thermometer": THERMOMETER,
    "odd": ODD,
    "one call": ledger(account("w", [3.0])),
    "ten calls": ledger(account("w", [4517.2969] * 10), account("b", [1.5] * 10)),
    "many calls": ledger(account("w", [-4517.2969] * 300)),
    "mixed signs": ledger(account("w", [5.0, -3.0, 4.0, -9.0])),
    "cancelled": ledger(account("w", [1e8, -1e8, 1e-3, 0.0])),
    "a late gradient": ledger(account("w", [None, None, 2.0, 3.0])),
    "integers": ledger(account("w", [10**30, 3, 2, True])),
    "large leaves": ledger(*(wide(f"layer.{i}.weight", (5, 5), parallel=i % 2 == 0) for i in range(20))),
    "empty leaf": ledger(wide("nothing", (0,), norm=0.0)),
    "unmeasured": Ledger(1, (LeafAccount("w", (9,), *((Call(None, TensorFacts((9,), "int8")),),) * 3),)),
    "no calls": Ledger(0, (LeafAccount("w"),)),
    "empty": Ledger(),
}


@pytest.mark.parametrize("name", LEDGERS)
@pytest.mark.parametrize("theme", ["light", "dark", "auto"])
def test_every_ledger_draws_well_formed_and_the_same_each_time(name, theme):
    svg = ledger_chart(LEDGERS[name], theme=theme)
    root = ET.fromstring(svg)
    assert svg == ledger_chart(LEDGERS[name], theme=theme)
    assert root.get("role") == "img"
    ids = {node.get("id") for node in root.iter() if node.get("id")}
    assert set(root.get("aria-labelledby").split()) <= ids
    assert root.find(f"{SVG}title").text
    assert root.find(f"{SVG}desc").text
    assert "var(" not in svg
    assert not re.search(r'[xy\d]="[^"]*(nan|inf)', svg)


@pytest.mark.parametrize("name", LEDGERS)
def test_texts_neither_overlap_nor_leave_the_picture(name):
    svg = ledger_chart(LEDGERS[name], title="What backward adds to .grad")
    found = list(boxes(svg))
    width, height = (float(ET.fromstring(svg).get(side)) for side in ("width", "height"))
    for text, left, top, right, bottom in found:
        assert left >= 0, text
        assert top >= 0, text
        assert right <= width, text
        assert bottom <= height, text
    for (a, l1, t1, r1, b1), (b, l2, t2, r2, b2) in combinations(found, 2):
        assert r1 <= l2 or r2 <= l1 or b1 <= t2 or b2 <= t1, (a, b)


ROOMS = {"slide": {"fit": "16:9"}, "4:3": {"fit": "4:3"}, "column": {"width": 736}, "phone": {"width": 360}}


@pytest.mark.parametrize("room", ROOMS)
@pytest.mark.parametrize("name", LEDGERS)
def test_in_a_room_texts_neither_overlap_nor_leave_the_picture(name, room):
    svg = ledger_chart(LEDGERS[name], title="What backward adds to .grad", room=room_for(**ROOMS[room]))
    x, y, width, height = map(float, ET.fromstring(svg).get("viewBox").split())
    every = list(boxes(svg))
    for text, left, top, right, bottom in every:
        assert left >= max(x, 0.0), text
        assert top >= max(y, 0.0), text
        assert right <= x + width, text
        assert bottom <= y + height, text
    for (a, l1, t1, r1, b1), (b, l2, t2, r2, b2) in combinations(every, 2):
        assert r1 <= l2 or r2 <= l1 or b1 <= t2 or b2 <= t1, (a, b)


def reached_in(subject, **room):
    """The drawing, and how large its text is."""
    with fits() as heard:
        svg = ledger_chart(subject, room=room_for(**room))
    ((fit),) = heard
    return svg, fit.text


@pytest.mark.parametrize("subject", [THERMOMETER, "own", "params"], ids=["thermometer", "own", "params"])
def test_all_of_a_small_ledger_can_be_read_on_a_slide_and_in_a_column(subject):
    if subject == "own":
        bars = (Call(None, facts(-15.3333), facts(-15.3333)), Call(None, facts(-6.8444), facts(-6.8444)))
        subject = Ledger(2, tuple(LeafAccount(name, (), program=bars) for name in "wb"))
    elif subject == "params":
        subject = accumulate(thermometer_params)
    for room, least in (({"fit": "16:9"}, 18), ({"width": 736}, 11)):
        svg, text = reached_in(subject, **room)
        assert text >= least
        assert "left out to fit" not in svg
        assert {"thrown away", "no longer there"} & set(texts(svg))


def test_policies_stand_below_each_other_in_a_column_and_beside_each_other_on_a_slide():
    names = ("without zeroing", ".grad.zero_()", "zero_grad(set_to_none=True)")
    column, _ = reached_in(THERMOMETER, width=736)
    slide, _ = reached_in(THERMOMETER, fit="16:9")
    below = [places(column, name)[0] for name in names]
    beside = [places(slide, name)[0] for name in names]
    assert len({x for x, _ in below}) == 1
    assert sorted({y for _, y in below}) == [y for _, y in below]
    assert len({y for _, y in beside}) == 1
    ((_, w), *_), ((_, b), *_) = places(column, "w.grad"), places(column, "b.grad")
    assert w == b


def test_four_calls_under_three_policies_can_be_read_on_a_slide_of_4_to_3():
    with fits() as heard:
        seen = texts(ledger_chart(LEDGERS["thermometer"], room=room_for("4:3")))
    (fit,) = heard
    assert fit.text >= 18
    assert "18069.2" in seen
    assert {"call 1", "call 2", "call 4", "b.grad"} <= set(seen)
    assert any(text.endswith("which call brought which part, call 3") for text in seen)


def test_what_has_no_room_is_left_out_in_an_order_and_told():
    three = ledger(*(account(f"p{i}", [4517.2969] * 4) for i in range(3)))
    svg, text = reached_in(three, fit="16:9")
    assert text >= 18
    assert "thrown away" not in texts(svg)
    (note,) = [text for text in texts(svg) if text.startswith("left out to fit")]
    assert "what is thrown away" in note
    with drawing_view("accumulation"), picture_sizes() as sizes:
        ledger_chart(three, room=room_for("16:9"))
    assert "what is thrown away" in next(iter(sizes)).left_out
    many, text = reached_in(LEDGERS["large leaves"], fit="16:9")
    assert text >= 18
    cut = re.compile(r"… and \d more rows? and 14 more leaves in the report")
    assert any(cut.fullmatch(text) for text in texts(many))


def test_of_a_program_that_makes_more_calls_it_says_that_these_are_the_first():
    call = Call(None, facts(2.0), facts(2.0))
    own = Ledger(4, (LeafAccount("w", (), program=(call,) * 4),), of=25)
    for chart in (own, replace(own, of=0)):
        (line,) = (text for text in texts(ledger_chart(chart)) if "program itself" in text)
        assert (
            line == f"{'The first 4 of 25' if chart.of else '4'} backward calls, made by the program itself"
        )


def test_only_colours_of_the_palette_and_text_of_12_px_or_more():
    svg = ledger_chart(ODD, theme="light")
    assert set(re.findall(r"#[0-9a-fA-F]{3,}", svg)) <= PALETTE
    assert all(float(size) >= 12 for size in re.findall(r'font-size="([\d.]+)"', svg))


def test_thermometer_shows_the_sums_and_what_each_call_brought():
    shown = texts(ledger_chart(THERMOMETER))
    assert {"4517.3", "9034.6", "13551.9", "18069.2", "330.4"} <= set(shown)
    assert shown.count("+4517.3") == (1 + 2 + 3 + 4) + 4 + 4
    assert {"call 1", "call 2", "call 3", "call 4"} <= set(shown)


def test_none_is_an_empty_slot_and_zero_a_printed_zero():
    (row,), _ = rows_of(ledger(account("w", [2.0, 2.0, 2.0])))
    befores = {policy: [bar.before for bar in bars] for policy, bars in row.bars}
    assert befores == {"keep": [None, "2", "4"], "zero_": [None, "0", "0"], "none": [None, None, None]}
    thrown = {policy: [bar.gone for bar in bars] for policy, bars in row.bars}
    assert thrown == {"keep": [None] * 3, "zero_": [None, "2", "2"], "none": [None, "2", "2"]}


def test_the_words_for_screen_readers_have_the_numbers():
    desc = ET.fromstring(ledger_chart(THERMOMETER)).find(f"{SVG}desc").text
    assert "w.grad: without zeroing: 4517.3, 9034.6, 13551.9, 18069.2" in desc
    assert "zero_grad(set_to_none=True): 4517.3, 4517.3, 4517.3, 4517.3" in desc


def test_small_leaves_have_a_row_per_element():
    two = TensorFacts(shape=(2,), dtype="float32", first=(4517.2969, 82.6))
    once = (Call(None, two, two),)
    rows, left_out = rows_of(Ledger(1, (LeafAccount("params", (2,), once, once, once),)))
    assert [row.leaf + row.index for row in rows] == ["params[0]", "params[1]"]
    assert left_out == 0
    assert {"params.grad[0]", "params.grad[1]"} <= set(
        texts(ledger_chart(Ledger(1, (LeafAccount("params", (2,), once, once, once),))))
    )


def test_at_most_six_rows_and_the_rest_is_counted():
    rows, left_out = rows_of(LEDGERS["large leaves"])
    assert (len(rows), left_out) == (6, 14)
    assert "… and 14 more leaves in the report" in texts(ledger_chart(LEDGERS["large leaves"]))
    seven = ledger(*(account(f"p{i}", [1.0]) for i in range(7)))
    assert "… and 1 more leaf in the report" in texts(ledger_chart(seven))


def test_norms_are_stacked_only_where_they_add_up():
    (yes,), _ = rows_of(ledger(wide("w", (8,))))
    (no,), _ = rows_of(ledger(wide("w", (8,), parallel=False)))
    assert yes.stacked
    assert not no.stacked
    assert "‖w.grad‖" in texts(ledger_chart(ledger(wide("w", (8,)))))


def test_contributions_of_both_signs_stand_on_both_sides_of_zero():
    (row,), _ = rows_of(LEDGERS["mixed signs"])
    last = dict(row.bars)["keep"][-1]
    assert [part.value for part in last.parts] == [5.0, -3.0, 4.0, -9.0]
    assert (last.level, last.after) == (-3.0, "−3")


@pytest.mark.parametrize(
    "name",
    [
        "<script>alert(1)</script>",
        "\"'&<>",
        "😀" * 50,
        "a\x00b\x1b\ud800\ufffe",
        "\u202eevil",
        "x" * 10_000,
        "",
    ],
    ids=["script", "quotes", "emoji", "control", "bidi", "long", "empty"],
)
def test_hostile_names_are_drawn_as_text_and_cut_visibly(name):
    svg = ledger_chart(ledger(account(name, [1.0, 2.0])), title=name)
    svg.encode()
    root = ET.fromstring(svg)
    assert not list(root.iter(f"{SVG}script"))
    assert len(svg) < 40_000
    shown = texts(svg)
    assert ("…" in shown[0]) == (len(name) > 60)  # 50 of the widest stand in smaller letters
    width = float(root.get("width"))
    assert all(box[3] <= width for box in boxes(svg))


def test_dark_replaces_every_colour_and_auto_leaves_it_to_the_reader():
    light, dark, auto = (ledger_chart(THERMOMETER, theme=t) for t in ("light", "dark", "auto"))
    assert not PALETTE & set(re.findall(r'="(#[0-9a-f]{6})"', dark))
    assert "prefers-color-scheme" in auto
    assert "prefers-color-scheme" not in light + dark


def test_ids_carry_the_prefix():
    svg = ledger_chart(THERMOMETER, prefix="lecture-3")
    ids = [node.get("id") for node in ET.fromstring(svg).iter() if node.get("id")]
    assert ids
    assert all(name.startswith("lecture-3") for name in ids)


def places(svg, text):
    """Where ``text`` stands: (x, y) of each time."""
    return [
        (float(e.get("x")), float(e.get("y")))
        for e in ET.fromstring(svg).iter(f"{SVG}text")
        if e.text == text
    ]


def test_before_stands_above_after():
    svg = ledger_chart(accumulate(thermometer, calls=2))
    for (x, before), (same, after) in zip(
        places(svg, ".grad before"), places(svg, ".grad after"), strict=True
    ):
        assert x == same
        assert before < after
    ((_, total),) = places(svg, "9034.6")
    assert total == pytest.approx(places(svg, ".grad after")[0][1], abs=2)  # once, in the slot it ends up in


def test_the_leaves_are_said_to_stay_where_they_were_seen_to():
    assert "w and b stay as they are in all calls: only .grad changes" in ledger_chart(
        accumulate(thermometer, calls=2)
    )
    moving = torch.tensor(1.0, requires_grad=True)

    def moved():
        with torch.no_grad():
            moving.add_(1.0)
        return moving * moving

    for other in (accumulate(moved, calls=2), accumulate(thermometer, calls=2, keep=0)):
        assert not other.steady
        assert "stay" not in ledger_chart(other)
    one = accumulate(lambda: (torch.ones(3, requires_grad=True) * 2).sum(), calls=2)
    assert "stays as it is in all calls" in ledger_chart(one)
    assert "stays as it is in all calls" in report(Graph(), one)
