"""PDF and PNG look as the SVG looks in a browser."""

from __future__ import annotations

import base64
import re
import shutil
import subprocess

import pytest
import torch

import autograd_tour as tour
from autograd_tour.drawing.sizes import HATCH
from autograd_tour.drawing.theme import LIGHT
from autograd_tour.formats.fonts import FOLDER
from autograd_tour.formats.to_pdf import pdf
from autograd_tour.formats.to_png import png
from autograd_tour.lessons.thermometer import thermometer, thermometer_params
from autograd_tour.views.diff import diff
from tests.paper import difference, image, page_image
from tests.programs import models

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--force-device-scale-factor=2",
    "--hide-scrollbars",
]
MEAN, LARGEST = 1.0, 40.0
"""Of 255, blurred by 3 pixels: what smoothing edges in another way makes at most."""

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="needs chromium (apt-get install chromium)"),
]


def faces():
    """Our fonts for the browser, so that only the drawing differs."""
    for style, weight in (("Regular", 400), ("Bold", 700)):
        data = base64.b64encode((FOLDER / f"TourSans-{style}.ttf").read_bytes()).decode()
        yield f"@font-face{{font-family:T;font-weight:{weight};src:url(data:font/ttf;base64,{data})}}"


def in_browser(svg, folder):
    size = re.search(r'width="([\d.]+)" height="([\d.]+)"', svg)
    width, height = (int(-(-float(side) // 1)) for side in size.groups())
    page, shot = folder / "page.html", folder / "shot.png"
    style = "".join(faces()) + "body{margin:0} svg{display:block;font-family:T}"
    page.write_text(f"<!doctype html><meta charset=utf-8><style>{style}</style>{svg}", encoding="utf-8")
    subprocess.run(
        [
            CHROMIUM,
            *FLAGS,
            f"--user-data-dir={folder / 'profile'}",
            f"--screenshot={shot}",
            f"--window-size={width},{height}",
            page.as_uri(),
        ],
        capture_output=True,
        timeout=120,
        check=True,
    )
    return image(shot.read_bytes())


def freed():
    loss = thermometer()
    loss.backward()
    return loss


def fork():
    x = torch.tensor(2.0, requires_grad=True)
    return x.exp() + x * x.detach()


PICTURES = {
    "graph": lambda: tour.svg(tour.trace(thermometer), theme="light"),
    "dark": lambda: tour.svg(tour.trace(thermometer), theme="dark"),
    "chain": lambda: tour.svg(tour.trace(thermometer), view="chain", theme="light"),
    "hatched": lambda: tour.svg(tour.trace(freed(), backward=False), theme="light"),
    "top to bottom": lambda: tour.svg(tour.trace(thermometer_params), direction="TB", theme="light"),
    "difference": lambda: tour.svg(diff(tour.trace(thermometer), tour.trace(fork)), theme="light"),
    "accumulation": lambda: tour.svg(tour.accumulate(thermometer), theme="light"),
}

BROKEN = {
    "no text": lambda svg: re.sub(r"<text.*?</text>", "", svg),
    "one text less": lambda svg: re.sub(r"<text[^>]*>[^<]{6,}</text>", "", svg, count=1),
    "no bold": lambda svg: svg.replace(' font-weight="bold"', ""),
    "no dashes": lambda svg: re.sub(' stroke-dasharray="[^"]*"', "", svg),
    "another colour": lambda svg: svg.replace(LIGHT.backward, LIGHT.forward),
    "no arrowhead": lambda svg: re.sub(r'<path d="M[^"]*z" fill="#b34700"/>', "", svg, count=1),
    "a little to the right": lambda svg: svg.replace("translate(16 16)", "translate(19 16)"),
}


@pytest.fixture(scope="module")
def shots(tmp_path_factory):
    """The pictures as a browser shows them, each drawn once."""
    drawn = {}

    def shot(svg):
        if svg not in drawn:
            drawn[svg] = in_browser(svg, tmp_path_factory.mktemp("shot"))
        return drawn[svg]

    return shot


def pixels(ending, svg):
    return image(png(svg)) if ending == "png" else page_image(pdf([svg]))


@pytest.mark.parametrize("ending", ["png", "pdf"])
@pytest.mark.parametrize("name", PICTURES)
def test_it_looks_like_the_svg(shots, name, ending):
    svg = PICTURES[name]()
    mean, largest = difference(shots(svg), pixels(ending, svg))
    assert mean < MEAN
    assert largest < LARGEST


@pytest.mark.parametrize("ending", ["png", "pdf"])
@pytest.mark.parametrize("name", BROKEN)
def test_a_picture_with_a_fault_would_be_noticed(shots, name, ending):
    svg = PICTURES["graph"]()
    broken = BROKEN[name](svg)
    assert broken != svg
    assert difference(shots(svg), pixels(ending, broken))[1] > LARGEST


@pytest.mark.parametrize("ending", ["png", "pdf"])
def test_a_hatch_that_is_missing_would_be_noticed(shots, ending):
    svg = PICTURES["hatched"]()
    bare = re.sub(r'fill="url\(#[^"]*"', 'fill="none"', svg)
    left, top = map(float, re.search(r'<path d="M([\d.]+) ([\d.]+)[^"]*" fill="url', svg).groups())
    # Twice the size; what is drawn begins 16 px inside. Only the hatching counts, no letter's edge.
    box = tuple(round(2 * (16 + side)) for side in (left, top, left + HATCH, top + 20))
    seen = shots(svg).crop(box)
    kept, lost = (difference(seen, pixels(ending, one).crop(box), blur=1.5)[1] for one in (svg, bare))
    assert lost > 1.5 * kept


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["png", "pdf"])
def test_a_large_program_looks_like_its_svg(shots, ending):
    svg = tour.svg(tour.trace(models.gpt_by_hand), direction="TB", theme="light")
    mean, largest = difference(shots(svg), pixels(ending, svg))
    assert mean < MEAN
    assert largest < LARGEST
