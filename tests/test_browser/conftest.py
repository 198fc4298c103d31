"""Pages for the browser; each test has a context of its own, and any complaint fails it."""

from __future__ import annotations

from pathlib import Path

import pytest

PROGRAMS = Path(__file__).parents[2] / "docs" / "programs"


def pytest_collection_modifyitems(items):
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


def _train():
    """Two steps of a loop by hand."""
    import torch

    x, y = torch.tensor([1.0, 2.0, 4.0]), torch.tensor([2.0, 3.0, 3.0])
    w = torch.ones((), requires_grad=True)
    for _ in range(2):
        if w.grad is not None:
            w.grad.zero_()
        loss = ((w * x - y) ** 2).mean()
        loss.backward()
        with torch.no_grad():
            w.sub_(0.125 * w.grad)


def _masked_root():
    """A NaN that is made in backward, beside a mask."""
    import torch

    x = torch.tensor([4.0, 0.0, 9.0], requires_grad=True)
    root = torch.sqrt(x)
    safe = torch.where(x > 0, root, torch.zeros(3))
    return safe.sum()


def _divides():
    """A quotient that has no value at 0."""
    import torch

    b = torch.tensor(4.0, requires_grad=True)
    a = torch.tensor(2.0, requires_grad=True)
    return (a / b) ** 2


def _turned():
    """A layer, whose weight is transposed."""
    import torch

    w = torch.ones(2, 3, requires_grad=True)
    return torch.nn.functional.linear(torch.ones(4, 3), w).sum()


def _deep():
    """A chain of small layers: more than two hundred nodes."""
    import torch

    x = torch.tensor([0.1, 0.2])
    w = torch.tensor(0.9, requires_grad=True)
    for _ in range(70):
        x = torch.tanh(x * w + 0.1)
    return x.sum()


@pytest.fixture(scope="session")
def pages(tmp_path_factory):
    """The pages that tests open, as files."""
    # Here: the process that hands out tests needs none of it.
    import runpy

    import torch
    from msgspec.structs import replace

    from autograd_tour import accumulate, follow, trace
    from autograd_tour.formats import Settings
    from autograd_tour.formats.page.document import page as page_of
    from autograd_tour.lessons.thermometer import thermometer
    from autograd_tour.record.run_ledger import ledger_of
    from autograd_tour.record.trace import Trace

    folder = tmp_path_factory.mktemp("pages")
    torch.manual_seed(0)
    gpt = runpy.run_path(str(PROGRAMS / "gpt.py"))["loss"]
    attached = runpy.run_path(str(PROGRAMS / "detach.py"))["attached"]
    graph = trace(thermometer)
    run = follow(_train)
    texts = {
        "train": page_of("train", Trace(run.graphs[0], ledger_of(run, 4), run), Settings()),
        "thermometer": page_of("thermometer", Trace(graph, accumulate(thermometer)), Settings()),
        "masked": page_of("masked", Trace(trace(_masked_root)), Settings()),
        "gpt": page_of("gpt", Trace(trace(gpt)), Settings()),
        "structure": page_of("structure", Trace(trace(attached, keep=0)), Settings()),
        "divides": page_of("divides", Trace(trace(_divides)), Settings()),
        "turned": page_of("turned", Trace(trace(_turned)), Settings()),
        "deep": page_of("deep", Trace(trace(_deep)), Settings()),
        "silent": page_of("silent", Trace(replace(graph, passes=())), Settings()),
    }
    for name, text in texts.items():
        (folder / f"{name}.html").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def visit(browser, pages):
    """Open a page; at the end of the test nobody may have complained or asked for anything."""
    contexts, complaints = [], []

    def open_page(name, at="", **options):
        options = {"viewport": {"width": 1280, "height": 900}, **options}
        context = browser.new_context(**options)
        context.set_default_timeout(20_000)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: complaints.append(f"dialog: {dialog.message}"))
        address = (pages / f"{name}.html").as_uri()
        page.on(
            "request",
            lambda request: None if request.url.startswith(address) else complaints.append(request.url),
        )
        page.goto(address + at)
        if options.get("java_script_enabled", True):
            page.wait_for_selector("html[data-ready]", state="attached")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []
