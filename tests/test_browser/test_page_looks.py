"""The page as readers have it: links to a moment, light and dark, narrow and wide."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.test_browser.test_page import step


@pytest.mark.parametrize(
    ("name", "at", "expected"),
    [
        ("thermometer", "#step=4", "4"), ("thermometer", "#step=99", "7"), ("thermometer", "#step=-1", "0"),
        ("thermometer", "#step=x&open=../../etc&node=%3Cb%3E", "0"), ("thermometer", "#%%%", "0"),
        ("thermometer", "#open=__proto__&node=constructor&step=2", "2"), ("gpt", "#open=f2&step=5", "5"),
    ],
)  # fmt: skip
def test_links_lead_to_a_moment_and_wrong_ones_to_the_start(visit, name, at, expected):
    page = visit(name, at)
    assert step(page) == expected
    assert page.is_hidden("#trail") == ("open=f2" not in at)


def test_the_address_follows_the_step_and_the_step_the_address(visit):
    page = visit("thermometer")
    page.keyboard.press("End")
    expect(page).to_have_url(re.compile("#step=7$"))
    page.evaluate("location.hash = '#step=3&node=n6'")
    expect(page.locator("#count")).to_have_text("3 / 7")
    assert "AddBackward0" in page.inner_text("#panel-body")


def test_light_dark_and_as_the_system_has_it(visit):
    page = visit("thermometer", color_scheme="dark")

    def paper():
        return page.evaluate("getComputedStyle(document.body).backgroundColor")

    def picture():
        return page.evaluate("getComputedStyle(document.querySelector('#stage svg > rect')).fill")

    assert paper() == picture() == "rgb(13, 17, 23)"
    page.click("#theme")
    assert paper() == picture() == "rgb(255, 255, 255)"
    page.keyboard.press("t")
    assert paper() == picture() == "rgb(13, 17, 23)"
    page.reload()
    page.wait_for_selector("html[data-ready]", state="attached")
    assert page.inner_text("#theme") == "Theme: dark"


@pytest.mark.parametrize("width", [360, 640, 1280, 1920])
@pytest.mark.parametrize("name", ["thermometer", "gpt"])
def test_the_page_itself_never_scrolls_sideways(visit, name, width):
    page = visit(name, "#step=3&node=n3", viewport={"width": width, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for box in page.locator("#player > *, header .tools > *").all():
        if box.is_visible():
            place = box.bounding_box()
            assert place["x"] >= 0
            assert place["x"] + place["width"] <= width


@pytest.mark.parametrize("name", ["deep", "gpt"])
def test_the_controls_and_the_caption_are_below_the_picture_on_a_screen_of_720_px(visit, name):
    page = visit(name, viewport={"width": 1280, "height": 720})
    for part in ("#play", "#slider", "#caption > :first-child"):
        box = page.locator(part).first.bounding_box()
        assert box["y"] + box["height"] <= 720, part


def test_the_picture_can_be_sized(visit):
    page = visit("thermometer")

    def width():
        return page.locator("#stage svg").bounding_box()["width"]

    first = width()
    page.keyboard.press("+")
    assert width() > first
    page.click("#zoom-fit")
    assert abs(width() - page.evaluate("document.getElementById('stage').clientWidth")) < 2
    page.keyboard.press("-")
    page.keyboard.press("0")
    assert abs(width() - page.evaluate("document.getElementById('stage').clientWidth")) < 2


def test_help_lists_the_keys_and_keeps_them_from_the_page(visit):
    page = visit("thermometer")
    page.keyboard.press("?")
    assert page.is_visible("#help")
    page.keyboard.press("ArrowRight")
    assert step(page) == "0"
    page.keyboard.press("Escape")
    assert page.is_hidden("#help")


def test_the_active_card_comes_into_sight(visit):
    page = visit("thermometer", "#step=1", viewport={"width": 500, "height": 800})
    stage = page.locator("#stage").bounding_box()
    for _ in range(6):
        page.keyboard.press("ArrowRight")
        ring = page.evaluate(
            """() => { const on = [...document.querySelectorAll('#stage .node .on path[stroke-width="4"]')][0];
            const box = on.getBoundingClientRect(); return [box.left, box.right]; }"""
        )
        assert stage["x"] <= ring[0] + 8
        assert ring[1] <= stage["x"] + stage["width"] + 8
