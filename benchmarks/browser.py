"""``python -m benchmarks.browser``: how large the page is, how soon it is ready, how long a step takes.

Needs chromium and the package playwright; prints the table and writes ``docs/page-speed.md``.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from autograd_tour.record.trace import Trace
from benchmarks.peers import versions
from benchmarks.table import write_page

__all__ = ["main"]

PAGE = Path(__file__).resolve().parent.parent / "docs" / "page-speed.md"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
]
STEPS = 1000
DRAGS = 60

_WATCH = """new MutationObserver((_, watch) => {
    if (!document.documentElement?.dataset.ready) return;
    window.readyAt = performance.now();
    watch.disconnect();
}).observe(document, { attributes: true, subtree: true })"""
_STEP = """(count) => {
    const [first, forward] = ["first", "forward"].map((id) => document.getElementById(id));
    const begun = performance.now();
    for (let step = 0; step < count; step += 1) {
        (forward.disabled ? first : forward).click();
        document.body.getBoundingClientRect(); // the layout belongs to the step
    }
    return (performance.now() - begun) / count;
}"""
_DRAG = """(count) => {
    const slider = document.querySelector("#move-elements input[type=range]");
    const times = Array.from({ length: count }, (_, turn) => {
        slider.value = String(0.5 + turn / count / 10);
        const begun = performance.now();
        slider.dispatchEvent(new Event("input", { bubbles: true }));
        document.body.getBoundingClientRect(); // the layout belongs to it
        return performance.now() - begun;
    });
    return times.sort((a, b) => a - b)[Math.floor(count / 2)];
}"""


@dataclass(frozen=True)
class Limit:
    """What a page may take: bytes, ms until it is ready, ms for a step; ``None`` for no limit."""

    name: str
    bytes: int | None = None
    ready: float | None = None
    step: float | None = None


LIMITS = (
    Limit("the thermometer", 150_000, 1000.0, 16.0),
    Limit("the transformer, folded", 1_000_000, 1000.0, 16.0),
    Limit("the transformer, every operation"),
)


def _pages() -> list[str]:
    from autograd_tour import accumulate, trace
    from autograd_tour.formats import Settings
    from autograd_tour.formats.page.document import page
    from autograd_tour.lessons.thermometer import thermometer
    from benchmarks.models import gpt_loss, make_gpt

    model, tokens = make_gpt()
    graph = trace(lambda: gpt_loss(model, tokens))
    return [
        page("thermometer", Trace(trace(thermometer), accumulate(thermometer)), Settings()),
        page("transformer", Trace(graph), Settings()),
        page("transformer", Trace(graph), Settings(fold=False)),
    ]


def _measure(browser: Any, file: Path) -> tuple[float, float, int]:
    """Ms until ready, ms for a step, and how many steps the page has."""
    view = browser.new_page(viewport={"width": 1280, "height": 900})
    view.add_init_script(_WATCH)
    view.goto(file.as_uri())
    view.wait_for_selector("html[data-ready]", state="attached")
    found = view.evaluate("window.readyAt"), view.evaluate(_STEP, STEPS)
    steps = int(view.get_attribute("#slider", "max") or 0)
    view.close()
    return (*found, steps)


def _deep() -> Any:
    """A chain of small layers that share a parameter: some two hundred nodes."""
    import torch

    x = torch.tensor([0.1, 0.2])
    w = torch.tensor(0.9, requires_grad=True)
    for _ in range(67):
        x = torch.tanh(x * w + 0.1)
    return x.sum()


def _row(limit: Limit, steps: int, sizes: float, ready: float, step: float) -> tuple[str, bool]:
    """A row of the table of pages, and whether its limits hold."""
    within = (
        (limit.bytes is None or sizes <= limit.bytes)
        and (limit.ready is None or ready <= limit.ready)
        and (limit.step is None or step <= limit.step)
    )
    cells = (
        limit.name,
        str(steps),
        _cell(sizes / 1000, limit.bytes and limit.bytes / 1000, "kB"),
        _cell(ready, limit.ready, "ms"),
        _cell(step, limit.step, "ms"),
        "–" if limit.step is None else _verdict(within),
    )
    return f"| {' | '.join(cells)} |", within


def _verdict(within: bool) -> str:
    return "yes" if within else "no"


def _of_pages(browser: Any, folder: Path, rounds: int) -> Iterator[tuple[str, bool]]:
    """A row for each page."""
    for number, (limit, text) in enumerate(zip(LIMITS, _pages(), strict=True)):
        file = folder / f"{number}.html"
        file.write_text(text, encoding="utf-8")
        opened = [_measure(browser, file) for _ in range(rounds)]
        ready, step = (median(one[column] for one in opened) for column in (0, 1))
        yield _row(limit, opened[0][2], file.stat().st_size, ready, step)


def _of_moving(browser: Any, folder: Path, rounds: int) -> Iterator[tuple[str, bool]]:
    """How long a page takes from a slider that moves to the last number and its layout."""
    from autograd_tour import accumulate, trace
    from autograd_tour.formats import Settings
    from autograd_tour.formats.page.document import page
    from autograd_tour.lessons.thermometer import thermometer

    programs = (("the thermometer", thermometer, 16.0), ("a network of 200 nodes", _deep, 50.0))
    for name, program, limit in programs:
        graph = trace(program)
        file = folder / f"moving-{len(graph.nodes)}.html"
        file.write_text(page(name, Trace(graph, accumulate(program)), Settings()), encoding="utf-8")
        times = []
        for _ in range(rounds):
            view = browser.new_page(viewport={"width": 1280, "height": 900})
            view.goto(file.as_uri())
            view.wait_for_selector("html[data-ready]", state="attached")
            view.click("#last")
            times.append(view.evaluate(_DRAG, DRAGS))
            view.close()
        took = median(times)
        yield (
            f"| {name} | {len(graph.nodes)} | {_cell(took, limit, 'ms')} | {_verdict(took <= limit)} |",
            took <= limit,
        )


def _of_tour(folder: Path) -> Iterator[tuple[str, bool]]:
    """The largest stop, and how long the whole tour takes to be made, and when nothing has changed."""
    command = [sys.executable, "-m", "autograd_tour", "tour", "-q", "-o", str(folder / "tour")]
    for name, limit in (("the tour as a site, at first", 60.0), ("the same again, unchanged", 3.0)):
        begun = time.perf_counter()
        subprocess.run(command, check=True)
        took = time.perf_counter() - begun
        yield f"| {name} | {_cell(took, limit, 's')} | {_verdict(took <= limit)} |", took <= limit
    largest = max((folder / "tour").glob("[0-9]*.html"), key=lambda file: file.stat().st_size)
    size = largest.stat().st_size / 1000
    yield (
        f"| its largest stop, {largest.stem} | {_cell(size, 250.0, 'kB')} | {_verdict(size <= 250)} |",
        size <= 250,
    )


def main(arguments: list[str] | None = None) -> int:
    """Measure every page. 0 if every limit holds, 1 if one does not."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.browser", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="how often each page is opened (default 3)")
    rounds = parser.parse_args(arguments).rounds
    chromium = shutil.which("chromium")
    if chromium is None:
        print("this needs chromium", file=sys.stderr)
        return 1
    from playwright.sync_api import sync_playwright

    tables: list[list[str]] = []
    fine = True
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        for rows in (
            _of_pages(browser, folder, rounds),
            _of_moving(browser, folder, rounds),
            _of_tour(folder),
        ):
            tables.append([])
            for row, within in rows:
                fine &= within
                tables[-1].append(row)
                print(row, flush=True)
        made = browser.version
        browser.close()
    machine = ", ".join(f"{name} {value}" for name, value in [*versions()[:5], ("chromium", made)])
    pages, moving, tour = ("\n".join(rows) for rows in tables)
    numbers = {"rounds": rounds, "steps": STEPS, "drags": DRAGS}
    write_page(PAGE, _TEXT.format(**numbers, rows=pages, moving=moving, tour=tour, machine=machine))
    return 0 if fine else 1


def _cell(value: float, limit: float | None, unit: str) -> str:
    shown = f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
    return f"{shown} {unit}" + (f" (at most {limit:g})" if limit else "")


_TEXT = """# How fast the page is

`make bench-page` measures this table and writes this page: each page is opened {rounds} times in a browser
without a graphics card, and the median counts. A step is a click and the layout after it, {steps} in a row,
without painting.

| page of | steps | size | ready after | a step | ok? |
|---|--:|--:|--:|--:|---|
{rows}

## When a number is moved

On a page whose numbers can be changed a slider is dragged over {drags} values, at the end of backward.
The median counts, from the event to the last number that follows, with the layout after it.

| page of | nodes | a move | ok? |
|---|--:|--:|---|
{moving}

## The tour

`autograd-tour tour` into an empty folder, and once more into the same: each is one run of the command, on
the clock.

| what | measured | ok? |
|---|--:|---|
{tour}

Measured on: {machine}.
"""

if __name__ == "__main__":
    sys.exit(main())
