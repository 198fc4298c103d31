"""The rows of the cards by choice, in the page: the words of the command, and an address that remembers them."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

VISIBLE = """(item) => item.getClientRects().length > 0 && getComputedStyle(item).visibility === 'visible'"""
TEXTS = (
    f"() => [...document.querySelectorAll('#stage text')].filter({VISIBLE}).map((item) => item.textContent)"
)
SEEN = f"(selector) => [...document.querySelectorAll(`#stage ${{selector}}`)].some({VISIBLE})"


def texts(page):
    return page.evaluate(TEXTS)


def opened(visit, at="#step=7", name="thermometer", **options):
    page = visit(name, at, **options)
    page.click("#rows summary")
    return page


def box(page, name):
    return page.get_by_role("checkbox", name=name, exact=True)


@pytest.mark.parametrize(
    ("part", "text"),
    [
        ("value", "35.7, 55.9 … 68.4"),
        ("shape", "(11)"),
        ("grad", "6.4, 7.618 … 8.618"),
        ("rule", "× t_u, Σ over 11"),
        ("line", "thermometer.py:32"),
        ("saved", "saved  t_u"),
    ],
)
def test_a_row_goes_and_comes_back_and_nothing_else(visit, part, text):
    page = opened(visit)
    before = texts(page)
    assert text in before
    box(page, part).uncheck()
    after = texts(page)
    assert text not in after
    assert len(after) < len(before)
    assert set(after) < set(before)
    box(page, part).check()
    assert texts(page) == before


def test_one_direction_alone(visit):
    page = opened(visit)
    only = page.get_by_role("combobox", name="Directions")
    only.select_option("forward")
    assert page.evaluate(SEEN, ".edge.forward")
    assert not page.evaluate(SEEN, ".edge.backward")
    assert not page.evaluate(SEEN, ".of-grad")
    only.select_option("backward")
    assert page.evaluate(SEEN, ".edge.backward")
    assert not any(page.evaluate(SEEN, kind) for kind in (".edge.forward", ".of-tensor", ".node.constant"))


def test_constants_go_with_their_arrows_and_compact_is_a_word_for_three(visit):
    page = opened(visit)
    box(page, "constants").check()
    assert not any(page.evaluate(SEEN, kind) for kind in (".node.constant", ".edge.constant"))
    box(page, "compact").check()
    assert not any(page.evaluate(SEEN, f".of-{part}") for part in ("line", "saved", "note"))
    assert page.evaluate(SEEN, ".of-value")


def test_the_address_remembers_the_choice(visit):
    page = opened(visit)
    box(page, "saved").uncheck()
    box(page, "line").uncheck()
    box(page, "constants").check()
    expect(page).to_have_url(re.compile("#step=7&show=value,shape,grad,rule&hide=constants$"))
    again = visit("thermometer", "#step=7&show=value&only=forward&compact=yes")
    assert "35.7, 55.9 … 68.4" in texts(again)
    assert "thermometer.py:32" not in texts(again)
    assert not again.evaluate(SEEN, ".of-grad")
    again.evaluate("location.hash = '#step=7&show=__proto__'")
    expect(again.locator("#stage")).to_have_class(re.compile("no-value"))


def test_the_keyboard_reaches_every_switch(visit):
    page = visit("thermometer", "#step=7")
    page.focus("#rows summary")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('label').textContent.trim()") == "value"
    page.keyboard.press("Space")
    assert not page.evaluate(SEEN, ".of-value")
    assert page.evaluate("document.activeElement.closest('fieldset').textContent").startswith("Show")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_switches_have_room_on_a_telephone(visit, scheme):
    page = opened(visit, viewport={"width": 360, "height": 700}, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    for label in page.locator("#rows label").all():
        place = label.bounding_box()
        assert place["x"] >= 0
        assert place["x"] + place["width"] <= 360


def test_a_picture_without_transposes_is_one_of_its_own(visit):
    page = opened(visit, "#step=1", "turned")
    assert any(re.search("transpose", text) for text in texts(page))
    box(page, "transposes").check()
    page.wait_for_selector("#trail:not([hidden])")
    assert not any(re.search("transpose", text) for text in texts(page))
    assert page.inner_text("#trail-items li[aria-current]") == "Without transposes"
    expect(page).to_have_url(re.compile("open=transposes"))
    box(page, "transposes").uncheck()
    page.wait_for_selector("#trail", state="hidden")
    assert "transposes" not in opened(visit).inner_text("#rows-body")
