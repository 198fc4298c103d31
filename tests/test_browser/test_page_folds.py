"""Folded cards of the page: what an opened one shows, what it is called, and where the keyboard goes."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from autograd_tour.drawing.theme import DARK, LIGHT
from tests.test_browser.test_page import card, step

NAMES = (
    "[...document.querySelectorAll('#stage [role=button]')].map((card) => card.getAttribute('aria-label'))"
)
FOCUS = "document.activeElement.getAttribute('aria-label') ?? document.activeElement.localName"
OUTSIDE = ", outside the opened card"


def test_a_page_without_questions_can_be_stepped(visit):
    page = visit("structure")
    assert page.locator("#predict").count() == 0
    page.keyboard.press("ArrowRight")
    page.click("#forward")
    page.keyboard.press("p")
    assert step(page) == "2"


def test_an_opened_card_has_nothing_selected_that_was_not_clicked(visit):
    page = visit("gpt")
    pile = card(page, "TransformerBlock × 12")
    same_id = pile.get_attribute("id").rpartition("-")[2]
    pile.click()
    expect(page.locator("#trail li")).to_have_count(2)
    assert page.locator(f"#stage .node[id$='-{same_id}']").count() == 1
    assert "Select a card" in page.inner_text("#panel-body")
    assert page.locator("#stage .mark").count() == 0


def test_what_is_in_an_opened_card_comes_in_sight_also_at_the_end_of_backward(visit):
    page = visit("gpt", viewport={"width": 1280, "height": 720})
    card(page, "TransformerBlock × 12").click()
    expect(page.locator("#trail li")).to_have_count(2)
    page.keyboard.press("End")
    card(page, "TransformerBlock, blocks.3").click()
    expect(page.locator("#trail li")).to_have_count(3)
    stage = page.locator("#stage").bounding_box()
    own = page.locator(f"#stage [role=button]:not([aria-label*='{OUTSIDE}'])").first.bounding_box()
    assert stage["y"] <= own["y"]
    assert own["y"] + own["height"] <= stage["y"] + stage["height"] + 1


def test_the_way_to_an_opened_card_says_which_one_it_is(visit):
    page = visit("gpt")
    card(page, "TransformerBlock × 12").click()
    expect(page.locator("#trail li").last).to_have_text("blocks.0 … 11")
    card(page, "TransformerBlock, blocks.3").click()
    expect(page.locator("#trail li").last).to_have_text("blocks.3")
    assert page.get_attribute("#stage", "aria-label") == "Picture of blocks.3, opened"


@pytest.mark.parametrize("at", ["", "#open=f2", "#open=f2/f5"])
def test_every_card_has_a_name_of_its_own(visit, at):
    names = visit("gpt", at).evaluate(NAMES)
    assert len(names) > 5
    assert len(set(names)) == len(names)


def test_the_keyboard_goes_into_an_opened_card_and_back_to_it(visit):
    page = visit("gpt")
    card(page, "TransformerBlock × 12").press("Enter")
    expect(page.locator("#trail li")).to_have_count(2)
    assert page.evaluate(FOCUS) == "Picture of blocks.0 … 11, opened"
    card(page, "TransformerBlock, blocks.3").press("Enter")
    expect(page.locator("#trail li")).to_have_count(3)
    page.keyboard.press("Escape")
    expect(page.locator("#trail li")).to_have_count(2)
    assert page.evaluate(FOCUS).startswith("TransformerBlock, blocks.3, ")
    page.locator("#trail button").first.press("Enter")
    expect(page.locator("#trail")).to_be_hidden()
    assert page.evaluate(FOCUS).startswith("TransformerBlock × 12, ")
    page.focus("#slider")
    page.keyboard.press("Escape")  # nothing is open: the keyboard stays where it is
    assert page.evaluate(FOCUS) == "Step of backward"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_cards_outside_the_opened_one_are_grey_and_dashed_and_say_so(visit, scheme):
    page = visit("gpt", "#open=f2/f5", color_scheme=scheme)
    assert "outside the opened card" in page.inner_text("#trail")
    muted = (DARK if scheme == "dark" else LIGHT).muted
    grey = f"rgb({', '.join(str(int(muted[at : at + 2], 16)) for at in (1, 3, 5))})"
    looks = page.evaluate(
        """() => [...document.querySelectorAll('#stage [role=button]')].map((card) => [
            card.getAttribute('aria-label'),
            getComputedStyle([...card.querySelectorAll(':scope > path')].at(-1)).strokeDasharray !== 'none',
            [...new Set([...card.querySelectorAll(':scope > text')].map((text) => getComputedStyle(text).fill))],
        ])"""
    )
    outside = [look for look in looks if OUTSIDE in look[0]]
    inside = [look for look in looks if OUTSIDE not in look[0]]
    assert any("blocks.3.attention" in name for name, _, _ in inside)
    assert any("blocks.2" in name for name, _, _ in outside)
    assert all(dashed and colours == [grey] for _, dashed, colours in outside)
    assert not any(dashed or colours == [grey] for _, dashed, colours in inside)


def test_in_the_whole_program_nothing_is_outside(visit):
    page = visit("gpt")
    assert not any(OUTSIDE in name for name in page.evaluate(NAMES))
    assert page.is_hidden("#trail-note")


def test_an_opened_card_keeps_its_frame(visit):
    page = visit("gpt")
    assert page.locator("#stage rect.frame").count() == 0
    card(page, "TransformerBlock × 12").click()
    expect(page.locator("#trail li")).to_have_count(2)
    assert page.locator("#stage rect.frame").count() == 1
