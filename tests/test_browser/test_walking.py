"""Stops with a loop: another lr, more calls, another zeroing, and what the table and the path then say."""

from __future__ import annotations

import pytest
import torch
from axe_playwright_python.sync_playwright import Axe

from autograd_tour.formats.tour.site import site
from autograd_tour.lessons.thermometer import t_c, t_un
from autograd_tour.lessons.tour import chosen
from autograd_tour.lessons.tour.telling import told_tour
from autograd_tour.text import rounded

FILES = {6: "06-accumulation", 12: "12-zero-grad", 13: "13-unzeroed", 14: "14-order", 16: "16-optimizers"}
SECRET = "Object.defineProperty(window, 'localStorage', { get() { throw new DOMException('no', 'SecurityError'); } });"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("loops")
    for name, text in site(told_tour(chosen(list(map(str, FILES))))).items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def visit(browser, folder):
    """Open a stop with all of it in sight; nobody may complain."""
    complaints, contexts = [], []

    def open_stop(number, script="", **options):
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
        contexts.append(context)
        page = context.new_page()
        page.add_init_script(script)
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto((folder / f"{FILES[number]}.html").as_uri())
        page.wait_for_selector("html[data-ready]", state="attached")
        page.evaluate(
            "for (const step of document.querySelectorAll('.step')) { step.hidden = false; step.open = true; }"
        )
        return page

    yield open_stop
    for context in contexts:
        context.close()
    assert complaints == []


def put(page, name, value):
    field = page.locator(f"#walk-{name}-typed")
    field.fill(value)
    field.press("Enter")


def rows(page):
    """The cells of the table: what a number was, and what it became."""
    return [row.locator("td").all_text_contents() for row in page.locator("#walk-rows tr").all()]


def pair(values):
    return f"[{', '.join(rounded(value) for value in values)}]"


def by_hand(lr, calls, zero, start=(1.0, 0.0)):
    """The loop of stop 13 in double precision: value, `.grad` after, and value at the end, of each call."""
    params = torch.tensor(start, dtype=torch.float64, requires_grad=True)
    told = []
    for _ in range(calls):
        if zero:
            params.grad = None
        value = params.tolist()
        ((params[0] * t_un.double() + params[1] - t_c.double()) ** 2).mean().backward()
        with torch.no_grad():
            params -= lr * params.grad
        told.append((pair(value), f"= {pair(params.grad.tolist())}", pair(params.tolist())))
    return told


@pytest.mark.parametrize("number", FILES)
def test_what_was_recorded_stands_until_something_is_changed(visit, number):
    page = visit(number)
    assert page.inner_text("#walk-note") == "As recorded."
    assert page.is_hidden("#moved")
    before = rows(page)
    put(page, "calls", "1")
    assert page.inner_text("#walk-note") == "As recorded."
    assert rows(page) == before[: len(rows(page))]
    put(page, "calls", "9")
    assert "computed here" in page.inner_text("#walk-note")
    assert "Computed here" in page.inner_text("#moved")
    assert page.locator("figcaption", has_text="As recorded: ").count() > 0
    assert rows(page)[: len(before)] == before
    page.click("#moved-reset")
    assert (rows(page), page.inner_text("#walk-note")) == (before, "As recorded.")
    assert page.is_hidden("#moved")


def test_lr_moves_the_next_value_and_the_path(visit):
    page = visit(13)
    path = page.get_attribute("#walk-path .curve", "d")
    put(page, "lr", "0.02")
    put(page, "calls", "5")
    assert [(row[1], row[4], row[5]) for row in rows(page)] == by_hand(0.02, 5, zero=False)
    assert page.get_attribute("#walk-path .curve", "d") != path
    assert page.get_attribute("#walk-path", "aria-label").startswith("params[1] over params[0]: 6 points")
    page.select_option("#walk-zeroing", "none")
    assert [(row[1], row[4], row[5]) for row in rows(page)] == by_hand(0.02, 5, zero=True)
    page.select_option("#walk-zeroing", "keep")
    field = page.locator("#move-elements input[type=text]").first
    field.fill("2")
    field.press("Enter")
    assert [(row[1], row[4], row[5]) for row in rows(page)] == by_hand(0.02, 5, zero=False, start=(2.0, 0.0))


def test_lr_can_be_dragged_by_keys(visit):
    page = visit(13)
    page.focus("#walk-lr")
    page.keyboard.press("ArrowRight")
    lr = float(page.input_value("#walk-lr-typed"))
    assert lr > 0.01
    assert [(row[1], row[4], row[5]) for row in rows(page)] == by_hand(lr, 3, zero=False)
    page.focus("#walk-calls")
    page.keyboard.press("ArrowRight")
    assert len(rows(page)) == 4


def test_mailboxes_of_more_calls_follow_a_leaf(visit):
    page = visit(6)
    put(page, "calls", "6")
    assert rows(page)[-2] == ["w", "1", "22586.5", "+ 4517.3", "= 27103.8"]
    page.select_option("#walk-zeroing", "zero")
    assert rows(page)[-2] == ["w", "1", "0", "+ 4517.3", "= 4517.3"]
    assert page.locator("#walk-lr").count() == 0  # nothing steps in this loop


def test_an_optimizer_skips_none_and_takes_zero_for_a_gradient(visit):
    page = visit(12)
    assert rows(page)[0][-1] == "0.9"
    page.select_option("#walk-zeroing", "zero")
    assert rows(page)[0][-1] == "0.81"
    put(page, "lr", "0.2")
    assert rows(page)[0][-1] == "0.62"


def test_adam_steps_as_torch_does(visit):
    page = visit(16)
    put(page, "lr", "0.3")
    put(page, "calls", "12")
    w = torch.tensor(1.0, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.Adam([w], lr=0.3)
    for row in rows(page):
        optimizer.zero_grad()
        ((w * t_un.double() - t_c.double()) ** 2).mean().backward()
        optimizer.step()
        assert row[-1] == f"{w.item():.6g}".replace("-", "−")


def test_bad_input_says_so_and_goes_on(visit):
    page = visit(16, SECRET)
    before = rows(page)
    for name, value, answer in (
        ("lr", "fast", "“fast” is no number for lr; lr stays 0.01."),
        ("lr", "inf", "“inf” is no number for lr; lr stays 0.01."),
        ("lr", "-1", "Adam refuses an lr below 0; lr stays 0.01."),
        ("calls", "2.5", "calls is a whole number from 1 to 20; calls stays 2."),
        ("calls", "1000", "calls is a whole number from 1 to 20; calls stays 2."),
    ):
        put(page, name, value)
        assert page.inner_text("#walk-said") == answer
        assert rows(page) == before
    put(page, "calls", "3")
    assert page.inner_text("#walk-said") == ""
    assert len(rows(page)) == 3


def test_what_flies_off_is_said(visit):
    page = visit(13)
    put(page, "lr", "1e60")
    put(page, "calls", "9")
    assert page.inner_text("#walk-said").startswith("Not finite any more from call ")
    put(page, "lr", "0.01")
    assert page.inner_text("#walk-said") == ""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
def test_it_can_be_used_by_all(visit, scheme, width):
    for number in (13, 16):
        page = visit(number, color_scheme=scheme, viewport={"width": width, "height": 900})
        put(page, "calls", "5")
        assert Axe().run(page).response["violations"] == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
