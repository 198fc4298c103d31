"""The run of a training loop, gone through line by line in a browser."""

from __future__ import annotations

import pytest
import torch
from conftest import opened

from autograd_tour import follow
from autograd_tour.formats import Settings
from autograd_tour.formats.page.document import page as page_of
from autograd_tour.record.run_ledger import ledger_of
from autograd_tour.record.trace import Trace


@pytest.fixture(scope="module")
def training_page(tmp_path_factory):
    x, y = torch.tensor([1.0, 2.0, 4.0]), torch.tensor([2.0, 3.0, 3.0])
    w = torch.ones((), requires_grad=True)

    def train():
        for _ in range(2):
            if w.grad is not None:
                w.grad.zero_()
            loss = ((w * x - y) ** 2).mean()
            loss.backward()
            with torch.no_grad():
                w.sub_(0.125 * w.grad)

    run = follow(train)
    path = tmp_path_factory.mktemp("run") / "train.html"
    path.write_text(page_of("train", Trace(run.graphs[0], ledger_of(run, 4), run), Settings()))
    return path


def test_each_event_shows_its_line_and_what_it_did(browser, training_page):
    page = opened(browser, training_page)
    table, head = page.locator("#run-rows"), page.locator("#run-head")
    assert head.inner_text() == "forward"
    page.click("#run-forward")
    assert head.inner_text() == "backward 1"
    assert "loss.backward()" in page.locator("#run-lines li.now").inner_text()
    assert page.locator("#run-rows td.grad").inner_text() == "None + −0.666667 = −0.666667"
    page.click("#run-forward")
    assert page.locator("#run-rows td.value.changed").inner_text() == "1 → 1.08333"
    page.click("#run-forward")
    assert head.inner_text() == "zeroing"
    assert page.locator("#run-rows td.grad.changed").inner_text() == "−0.666667 → 0"
    page.locator("#run-lines li", has_text="loss.backward()").locator("button").click()
    assert head.inner_text() == "backward 2"
    assert "w" in table.inner_text()
    page.locator("#run-slider").fill("0")
    assert head.inner_text() == "Before the run"
    assert page.locator("#run-back").is_disabled()


def test_the_ledger_of_such_a_page_tells_the_programs_own_calls(browser, training_page):
    page = opened(browser, training_page)
    assert page.locator("#ledger-policy option").all_inner_texts() == ["what the program does"]
    assert "The backward calls of the program itself" in page.locator("#ledger").inner_text()
