"""``python -m benchmarks.browser``: how large the page is, how soon it is ready, how long a step takes.

Needs chromium and the package playwright; prints the table and writes ``docs/page-speed.md``.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
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

    lines, fine = [], True
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        for number, (limit, text) in enumerate(zip(LIMITS, _pages(), strict=True)):
            file = Path(folder) / f"{number}.html"
            file.write_text(text, encoding="utf-8")
            opened = [_measure(browser, file) for _ in range(rounds)]
            size = file.stat().st_size
            ready, step = (median(one[column] for one in opened) for column in (0, 1))
            within = (
                (limit.bytes is None or size <= limit.bytes)
                and (limit.ready is None or ready <= limit.ready)
                and (limit.step is None or step <= limit.step)
            )
            fine &= within
            verdict = "–" if limit.step is None else "yes" if within else "no"
            cells = (
                limit.name,
                str(opened[0][2]),
                _cell(size / 1000, limit.bytes and limit.bytes / 1000, "kB"),
                _cell(ready, limit.ready, "ms"),
                _cell(step, limit.step, "ms"),
                verdict,
            )
            lines.append("| " + " | ".join(cells) + " |")
            print(lines[-1], flush=True)
        made = browser.version
        browser.close()
    machine = ", ".join(f"{name} {value}" for name, value in [*versions()[:5], ("chromium", made)])
    write_page(PAGE, _TEXT.format(rounds=rounds, steps=STEPS, rows="\n".join(lines), machine=machine))
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

Measured on: {machine}.
"""

if __name__ == "__main__":
    sys.exit(main())
