"""The page where others decide: a strict policy, a sandbox, paper, a screen reader, hostile programs."""

from __future__ import annotations

import re

import pytest

from autograd_tour.formats import Settings
from autograd_tour.formats.page.document import page as page_of
from autograd_tour.record.graph import Graph, SourceLine
from autograd_tour.record.node import Node
from autograd_tour.record.trace import Trace
from tests.test_formats.test_page import HOSTILE


def served(browser, text, headers, complaints):
    """The page as a server sends it."""
    context = browser.new_context()
    page = context.new_page()
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.route("**/*", lambda route: route.fulfill(body=text, content_type="text/html", headers=headers))
    page.goto("http://page.example/thermometer.html")
    page.wait_for_selector("html[data-ready]", state="attached", timeout=20_000)
    return page


@pytest.mark.parametrize("sandbox", ["", "; sandbox allow-scripts"])
def test_it_works_under_a_policy_as_strict_as_its_own(browser, pages, sandbox):
    text = (pages / "thermometer.html").read_text(encoding="utf-8")
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)[1].replace("&#39;", "'")
    complaints = []
    page = served(browser, text, {"Content-Security-Policy": policy + sandbox}, complaints)
    page.keyboard.press("End")
    assert page.inner_text("#count") == "7 / 7"
    page.click("#theme")
    page.wait_for_timeout(400)  # the address follows a moment later, where it may
    assert complaints == []
    page.context.close()


def axe(page):
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response["violations"]
    return [(item["id"], [node["html"][:160] for node in item["nodes"]][:4]) for item in found]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    ("name", "at"),
    [
        ("thermometer", "#step=4&node=n6"),
        ("thermometer", "#mode=predict"),
        ("gpt", "#open=f2&step=5"),
        ("silent", ""),
    ],
)
def test_axe_finds_nothing_to_complain_of(visit, name, at, scheme):
    page = visit(name, at, color_scheme=scheme)
    if "predict" in at:
        page.keyboard.press("ArrowRight")
    assert axe(page) == []
    if name == "thermometer":
        if "predict" not in at:
            page.click("summary")
            assert axe(page) == []
        page.click("#help-open")
        assert axe(page) == []


def test_on_paper_there_are_texts_and_no_controls(visit, tmp_path):
    from pypdfium2 import PdfDocument

    page = visit("thermometer", "#step=7")
    page.pdf(path=tmp_path / "page.pdf", format="A4")
    text = " ".join(sheet.get_textpage().get_text_bounded() for sheet in PdfDocument(tmp_path / "page.pdf"))
    assert "Step 7 of 7" in text
    assert "4517.3" in text
    assert "squared_diffs.mean()" in text
    for control in ("Play", "Theme", "Fit"):
        assert control not in text


@pytest.mark.parametrize("label", HOSTILE)
def test_no_text_of_a_program_becomes_more_than_text(browser, tmp_path, label):
    node = Node("n0", "leaf", op=label, names=(label,), group=label)
    operation = Node(
        "n1", "operation", op=label, grad_fn=label, where=0, group=label, notes=(label,), formula=(label,)
    )
    graph = Graph((node, operation), source=(SourceLine(label, 1, label, label),))
    (tmp_path / "page.html").write_text(page_of(label, Trace(graph), Settings()), encoding="utf-8")
    complaints = []
    context = browser.new_context()
    page = context.new_page()
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("dialog", lambda dialog: complaints.append(dialog.message))
    page.goto((tmp_path / "page.html").as_uri())
    page.wait_for_selector("html[data-ready]", state="attached", timeout=20_000)
    for button in page.locator("#stage [role=button]").all():
        button.focus()
        page.keyboard.press("Enter")
    page.fill("#search", label.replace("\x00", "")[:3].strip() or "n")
    page.mouse.move(300, 300)
    assert page.locator("script").count() == 2
    assert page.locator("img, b:not(#caption b), h1 + h1").count() == 0
    assert complaints == []
    context.close()
