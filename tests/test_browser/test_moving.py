"""Change it and see: other numbers in the page of a program, and what the page then says."""

from __future__ import annotations

import re

import pytest
import torch
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from autograd_tour.lessons.thermometer import t_c, t_u

VISIBLE = """() => [...document.querySelectorAll('#stage text')].filter(
    (item) => getComputedStyle(item).visibility === 'visible').map((item) => item.textContent).join('|')"""


def seen(page):
    return page.evaluate(VISIBLE)


def put(page, value, place=0):
    field = page.locator("#move-elements input[type=text]").nth(place)
    field.fill(value)
    field.press("Enter")


def card(page, title):
    return page.locator(f"#stage [role=button][aria-label^='{title}, ']")


def loss_of(w, b):
    w, b = (torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in (w, b))
    loss = ((w * t_u.double() + b - t_c.double()) ** 2).mean()
    loss.backward()
    return loss.item(), w.grad.item(), b.grad.item()


def test_everything_follows_a_leaf(visit):
    page = visit("thermometer")
    page.keyboard.press("End")
    assert page.is_hidden("#moved")
    recorded = seen(page)
    put(page, "2")
    loss, grad_w, grad_b = loss_of(2.0, 0.0)
    after = seen(page)
    assert f"loss = {loss:.6g}" in after
    assert f"None + {grad_w:.6g} = {grad_w:.6g}" in after
    assert f"None + {grad_b:.6g} = {grad_b:.6g}" in after
    expect(page.locator("#moved")).to_contain_text("Computed here")
    assert f"None + {grad_w:.6g} =" in page.inner_text("#caption")
    page.focus("#slider")
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert "0.0909091 × 2(70.9) = 12.89" in page.inner_text("#caption")
    page.keyboard.press("End")
    card(page, "w * t_u").first.press("Enter")
    details = page.inner_text("#panel-body")
    assert "12.8909, 17.7818 … 21.0545" in details
    assert "min" not in details  # statistics are of what was recorded
    page.click("#moved-reset")
    assert seen(page) == recorded
    assert page.is_hidden("#moved")


def test_a_slider_is_moved_by_keys_and_by_hand(visit):
    page = visit("thermometer")
    slider = page.locator("#move-elements input[type=range]").first
    slider.focus()
    page.keyboard.press("ArrowRight")
    assert page.is_visible("#moved")
    assert page.input_value("#move-elements input[type=text]") not in ("1", "")
    slider.evaluate("item => { item.value = '0'; item.dispatchEvent(new Event('input', {bubbles: true})); }")
    assert f"loss = {loss_of(0.0, 0.0)[0]:.6g}" in seen(page)


def test_a_constant_moves_as_a_whole_and_by_element(visit):
    page = visit("thermometer")
    page.keyboard.press("End")
    card(page, "t_c").press("Enter")
    assert page.input_value("#move-tensor") == "n7"
    page.fill("#move-all", ", ".join(["0"] * 11))
    page.press("#move-all", "Enter")
    expected = (t_u.double() ** 2).mean().item()
    assert f"loss = {expected:.6g}" in seen(page)
    put(page, "1e3", place=10)
    assert "1000" in page.input_value("#move-all")


def test_bad_input_says_what_is_wrong_and_nothing_changes(visit):
    page = visit("thermometer")
    put(page, "two")
    assert "“two” is no number; w stays 1." in page.inner_text("#move-said")
    assert page.is_hidden("#moved")
    page.select_option("#move-tensor", "n2")
    page.fill("#move-all", "1, 2, 3")
    page.press("#move-all", "Enter")
    assert "t_u has 11 numbers, shape (11); 3 do not fit" in page.inner_text("#move-said")
    assert page.is_hidden("#moved")


def test_what_is_not_finite_is_said_and_the_page_goes_on(visit):
    page = visit("divides")
    page.keyboard.press("End")
    page.select_option("#move-tensor", label="b (leaf)")
    put(page, "0")
    assert "Not finite any more: the value of a / b has inf." in page.inner_text("#move-said")
    assert "inf" in seen(page)
    put(page, "nan")
    assert "nan" in seen(page)
    put(page, "2")
    assert page.inner_text("#move-said") == ""
    assert "nan" not in seen(page)


def test_the_table_of_calls_follows(visit):
    page = visit("thermometer")
    put(page, "2")
    _, grad_w, _ = loss_of(2.0, 0.0)
    assert f"= {2 * grad_w:.1f}" in page.inner_text("#ledger-rows")
    page.select_option("#ledger-policy", "none")
    assert f"= {2 * grad_w:.1f}" not in page.inner_text("#ledger-rows")


def test_the_curve_has_tangent_and_secant(visit):
    page = visit("thermometer")
    put(page, "2")
    page.wait_for_selector("#move-plot .secant", state="attached")
    label = page.get_attribute("#move-plot", "aria-label")
    loss, grad_w, _ = loss_of(2.0, 0.0)
    assert f"at 2 it is {loss:.6g}, slope {grad_w:.6g}" in label
    secant = loss - loss_of(1.0, 0.0)[0]
    assert f"secant from 1: {secant:.6g}" in label


def test_where_a_graph_cannot_be_worked_out_there_is_no_control(visit):
    for name in ("gpt", "structure", "silent"):
        assert visit(name).locator("#move").count() == 0


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
def test_it_can_be_used_by_all(visit, theme, width):
    page = visit("thermometer", color_scheme=theme, viewport={"width": width, "height": 900})
    page.keyboard.press("End")
    put(page, "2")
    page.wait_for_selector("#move-plot .secant", state="attached")
    assert Axe().run(page).response["violations"] == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_an_own_network_of_two_hundred_nodes_follows(visit):
    page = visit("deep")
    page.keyboard.press("End")
    assert page.is_visible("#move")
    put(page, "0.5")
    assert page.is_visible("#moved")
    w = torch.tensor(0.5, dtype=torch.float64, requires_grad=True)
    x = torch.tensor([0.1, 0.2]).double()
    for _ in range(70):
        x = torch.tanh(x * w + 0.1)
    x.sum().backward()
    assert f"{w.grad.item():.6g}" in page.inner_text("#caption")


def facts(page):
    """What the rows of cards and the labels of arrows say that are seen now: fact -> text."""
    seen_now = page.evaluate(
        """() => [...document.querySelectorAll('#stage [data-fact]')]
            .filter((item) => getComputedStyle(item).visibility === 'visible')
            .map((item) => [item.dataset.fact,
                [...item.querySelectorAll('text')].map((text) => text.textContent).join(' ')])"""
    )
    return {fact: " ".join(text.split()) for fact, text in seen_now}


def test_folded_cards_say_what_is_computed_inside_them(visit):
    page = visit("deep")
    page.keyboard.press("End")
    recorded = facts(page)
    put(page, "0.90000000001")  # as good as recorded: all that follows must say the same
    numbers = {
        fact: text for fact, text in recorded.items() if fact.split(".")[1] in ("value", "grad", "sent")
    }
    assert {"f0.value.0", "f0.grad.0"} <= numbers.keys()
    assert {fact: facts(page)[fact] for fact in numbers} == numbers
    page.click("#moved-reset")
    while "operations folded" not in page.inner_text("#caption"):
        page.click("#back")
    caption = page.inner_text("#caption").split("\n")
    put(page, "0.90000000001")
    moved = page.inner_text("#caption").split("\n")
    assert moved[0] == caption[0]
    assert moved[-1] == caption[-1]
    put(page, "0.5")
    w, x = torch.tensor(0.5, dtype=torch.float64, requires_grad=True), torch.tensor([0.1, 0.2]).double()
    steps = []
    for _ in range(70):
        x = torch.tanh(x * w + 0.1)
        steps.append(x)
    told = facts(page)
    assert not any("…" in text for fact, text in told.items() if fact.split(".")[1] in ("value", "grad"))
    inside = torch.tensor([float(part) for part in told["f0.value.0"].split(") ")[1].split(", ")])
    assert any(torch.allclose(inside.double(), step, rtol=1e-3) for step in steps)


def points(page):
    return page.get_attribute("#move-plot .curve", "d").count("L")


def test_the_curve_stays_where_the_result_has_no_place_and_comes_back(visit):
    page = visit("thermometer")
    for value in ("1e308", "-1e308", "1e200", "inf"):
        put(page, value)
        assert "Not finite any more" in page.inner_text("#move-said")
        page.wait_for_selector("#move-plot .curve", state="attached")
        assert points(page) == 60
        assert page.locator("#move-plot .is").count() == 0
        assert "it is inf" in page.get_attribute("#move-plot", "aria-label")
    for value in ("3", "1e100", "2"):
        put(page, value)
        expect(page.locator("#move-plot")).to_have_attribute("aria-label", re.compile(f"at {value} it is"))
        expect(page.locator("#move-plot")).to_be_visible()
        assert points(page) == 60
        assert page.locator("#move-plot .is").count() == 1
    ends = page.locator("#move-plot text").all_text_contents()[:2]
    assert ends == ["−2", "2"]


def test_what_stays_as_it_was_recorded_says_so(visit):
    page = visit("thermometer")
    before = page.inner_text(".summary")
    assert "As recorded" not in page.inner_text("body")
    put(page, "2")
    assert page.inner_text(".summary") == f"As recorded: {before}"
    assert page.inner_text("#twin summary").startswith("As recorded: ")
    assert page.locator("#stage svg desc").first.text_content().startswith("As recorded: An autograd graph")
    page.click("#moved-reset")
    assert page.inner_text(".summary") == before
    assert "As recorded" not in page.inner_text("body")
    assert page.locator("#stage svg desc").first.text_content().startswith("An autograd graph")
    run = visit("train")
    put(run, "2")
    assert run.inner_text("#run-title") == "As recorded: The run, line by line"
