"""For a projector: picture, step and caption on the whole screen, and nothing else."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.test_browser.test_page import step
from tests.test_browser.test_page_elsewhere import axe

SLIDE = {"width": 1280, "height": 720}
SEEN = """() => [...document.body.querySelectorAll("*")].filter((element) => {
  const box = element.getBoundingClientRect();
  const style = getComputedStyle(element);
  return box.width > 1 && box.height > 1 && style.visibility === "visible" && style.clipPath === "none"
    && !element.closest("svg") && !element.closest("header") && !["SCRIPT", "MAIN"].includes(element.tagName);
}).map((element) => element.id || element.closest("[id]")?.id || element.className)"""
SIZES = """() => {
  const frame = document.querySelector("#stage").getBoundingClientRect();
  const svg = document.querySelector("#stage svg");
  const scale = svg.getBoundingClientRect().width / svg.viewBox.baseVal.width;
  return [...svg.querySelectorAll("text")].map((text) => Number(text.getAttribute("font-size")) * scale);
}"""
INSIDE = """(id) => {
  const frame = document.querySelector("#stage").getBoundingClientRect();
  const box = document.querySelector(`[id$="-${id}"].node`).getBoundingClientRect();
  return box.left >= frame.left - 1 && box.right <= frame.right + 1
    && box.top >= frame.top - 1 && box.bottom <= frame.bottom + 1;
}"""


def presenting(page):
    return page.evaluate("document.documentElement.classList.contains('presenting')")


def scrolls(page):
    return page.evaluate(
        "[document.documentElement.scrollWidth > innerWidth, document.documentElement.scrollHeight > innerHeight]"
    )


@pytest.mark.parametrize("name", ["thermometer", "gpt"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_there_is_the_picture_the_caption_and_the_step_and_nothing_else(visit, name, scheme):
    page = visit(name, "#mode=present", viewport=SLIDE, color_scheme=scheme)
    last = int(page.inner_text("#count").partition("/")[2])
    for number in range(last + 1):
        assert step(page) == str(number)
        assert set(page.evaluate(SEEN)) <= {"stage", "caption", "player", "count", "picture"}
        assert scrolls(page) == [False, False]
        said = page.inner_text("#caption")
        assert said.startswith("Before backward" if number == 0 else f"Step {number} of {last}")
        box = page.locator("#caption").bounding_box()
        assert box["y"] + box["height"] <= 720
        assert page.evaluate("document.querySelector('#caption').scrollHeight") <= box["height"] + 1
        assert (
            float(page.evaluate("parseFloat(getComputedStyle(document.querySelector('#caption')).fontSize)"))
            >= 18
        )
        page.keyboard.press("ArrowRight")
    assert min(page.evaluate(SIZES)) >= 13.4  # the numbers in discs; of what is a text all has 18
    assert sorted(page.evaluate(SIZES))[len(page.evaluate(SIZES)) // 10] >= 17.99
    assert page.locator("h1").count() == 1


def test_the_card_that_runs_is_in_sight(visit):
    page = visit("thermometer", "#mode=present", viewport=SLIDE)
    for node in page.evaluate(
        "Object.entries(JSON.parse(document.getElementById('tour-data').textContent).picture.cards)"
        ".filter(([, card]) => card.runs_at).sort(([, a], [, b]) => a.runs_at - b.runs_at).map(([id]) => id)"
    ):
        page.keyboard.press("ArrowRight")
        assert page.evaluate(INSIDE, node)


def test_a_button_and_a_key_lead_there_and_escape_leads_back(visit):
    page = visit("thermometer", "#step=3", viewport=SLIDE)
    before = page.evaluate("document.querySelector('#stage svg').style.width")
    page.click("#present")
    assert presenting(page)
    assert step(page) == "3"
    expect(page).to_have_url(re.compile("#step=3&mode=present$"))
    assert page.evaluate("document.activeElement.id") == "stage"
    page.keyboard.press("PageDown")
    page.keyboard.press("PageDown")
    page.keyboard.press("PageUp")
    assert step(page) == "4"
    page.keyboard.press("Escape")
    expect(page.locator("#code")).to_be_visible()
    assert not presenting(page)
    assert page.evaluate("document.activeElement.id") == "present"
    assert page.evaluate("document.querySelector('#stage svg').style.width") == before
    expect(page).to_have_url(re.compile("#step=4$"))
    page.keyboard.press("f")
    assert presenting(page)
    page.keyboard.press("f")
    assert not presenting(page)


def test_it_asks_for_the_full_screen_and_ends_with_it(visit):
    page = visit("thermometer", viewport=SLIDE)
    page.click("h1")
    page.evaluate(
        "document.documentElement.requestFullscreen = () => { window.asked = true; return Promise.resolve(); }"
    )
    page.keyboard.press("f")
    assert page.evaluate("window.asked") is True
    page.evaluate("document.dispatchEvent(new Event('fullscreenchange'))")
    assert not presenting(page)


def test_questions_end_where_it_begins(visit):
    page = visit("thermometer", "#mode=predict", viewport=SLIDE)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.evaluate("location.hash = '#step=2&mode=present'")
    page.wait_for_selector("html.presenting", state="attached")
    assert not page.evaluate("document.documentElement.classList.contains('predicting')")
    assert page.is_hidden("#quiz")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_to_complain_of_there(visit, scheme):
    page = visit("thermometer", "#step=4&mode=present", viewport=SLIDE, color_scheme=scheme)
    assert axe(page) == []
