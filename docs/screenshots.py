"""Photographs of the page, as readers see it: `make screenshots` writes outputs/page-*.png.

They show what Debian's chromium makes of the page with this machine's fonts; no test compares them.
"""

import runpy
import shutil
import sys
from io import BytesIO
from pathlib import Path

import torch
from PIL import Image
from playwright.sync_api import sync_playwright

from autograd_tour import accumulate, trace
from autograd_tour.formats import Settings
from autograd_tour.formats.page.document import page
from autograd_tour.lessons.thermometer import thermometer
from autograd_tour.record.trace import Trace

ROOT = Path(__file__).parents[1]
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
]
SHOTS = {
    "page-light": ("thermometer", "#step=4&node=n6", 1800, "light"),
    "page-dark": ("thermometer", "#step=4&node=n6", 1800, "dark"),
    "page-phone": ("thermometer", "#step=6", 360, "light"),
    "page-predict": ("thermometer", "#mode=predict", 1280, "light"),
    "page-opened": ("gpt", "#open=f0&step=5", 1800, "light"),
}


def pages(folder: Path) -> None:
    torch.manual_seed(0)
    gpt = runpy.run_path(str(ROOT / "docs" / "programs" / "gpt.py"))["loss"]
    settings = Settings()
    for name, program in (("thermometer", thermometer), ("gpt", gpt)):
        text = page(name, Trace(trace(program), accumulate(program)), settings)
        (folder / f"{name}.html").write_text(text, encoding="utf-8")


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    pages(folder)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        for name, (program, at, width, scheme) in SHOTS.items():
            view = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
            view.goto((folder / f"{program}.html").as_uri() + at)
            view.wait_for_selector("html[data-ready]", state="attached")
            if "predict" in at:
                view.keyboard.press("ArrowRight")
                view.fill("#quiz input", "1")
                view.keyboard.press("Enter")
            photograph = Image.open(BytesIO(view.screenshot(full_page=True)))
            # A page has few colours: a palette makes the file a third of the size.
            photograph.quantize(192).save(ROOT / "outputs" / f"{name}.png", optimize=True)
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
