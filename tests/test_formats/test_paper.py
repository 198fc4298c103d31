"""PDF and PNG: text is text, nothing is missing, and the bytes are the same everywhere."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
from pypdfium2 import PdfDocument

import autograd_tour as tour
from autograd_tour.drawing.shapes import text_element
from autograd_tour.drawing.svg import frame
from autograd_tour.drawing.theme import DARK, LIGHT
from autograd_tour.errors import UsageError
from autograd_tour.formats import Settings, to_pdf, to_png
from autograd_tour.formats.produce import files_of_trace
from autograd_tour.formats.to_pdf import pdf
from autograd_tour.formats.to_png import png
from autograd_tour.lessons.thermometer import thermometer
from autograd_tour.record.trace import Trace
from autograd_tour.views.picture import Run
from tests.commands import script_answer
from tests.paper import difference, fonts, found, image, page_image, squeezed, texts, title, words
from tests.test_drawing.test_hostile import HOSTILE, infected


@pytest.fixture(scope="module")
def graph():
    return tour.trace(thermometer)


@pytest.fixture(scope="module")
def ledger():
    return tour.accumulate(thermometer, calls=3)


@pytest.fixture(scope="module")
def hatched():
    """What was saved for backward is freed already."""
    loss = thermometer()
    loss.backward()
    return tour.trace(loss, backward=False)


def sheet(*texts, width=200.0, theme="light"):
    """Texts under each other, each as wide as ``width`` says."""
    body = "".join(
        re.sub(r'textLength="[^"]*"', f'textLength="{width}"', text_element(Run(text), 100, 30 * i + 20))
        for i, text in enumerate(texts)
    )
    return frame(
        body, 400, 30 * len(texts) + 10, title="a sheet", desc="with texts", prefix="sheet", theme=theme
    )


def ink(picture, top, bottom):
    """The first and the last column with ink between two rows; in px of a picture of scale 2."""
    rows = np.asarray(picture.convert("L"))[2 * top : 2 * bottom]
    columns = np.where((rows < 160).any(axis=0))[0]
    return columns.min() / 2, columns.max() / 2


def colours(picture):
    pixels = np.asarray(picture, np.uint32).reshape(-1, 3)[::7]
    return {f"#{colour:06x}" for colour in np.unique(pixels @ [65536, 256, 1])}


# ---- files ---------------------------------------------------------------------------------


def test_every_view_becomes_a_page_and_a_png(graph, ledger):
    files = files_of_trace("net", Trace(graph, ledger), Settings(formats=("pdf", "png"), scale=0.5))
    assert sorted(files) == [
        f"net-{view}.{ending}" for view in ("accumulation", "chain", "graph") for ending in ("pdf", "png")
    ]
    assert all(content.startswith(b"%PDF-") for name, content in files.items() if name.endswith("pdf"))
    assert all(content.startswith(b"\x89PNG") for name, content in files.items() if name.endswith("png"))


@pytest.mark.parametrize("view", ["steps", "animation"])
def test_a_film_is_a_page_or_a_png_for_each_frame(graph, view):
    settings = Settings(formats=("pdf", "png"), views=(view,), scale=0.5)
    files = files_of_trace("net", Trace(graph), settings)
    pages = texts(files[f"net-{view}.pdf"])
    assert len(pages) == 8
    assert "Before backward" in pages[0]
    assert [re.search(r"Step (\d) of 7", page)[1] for page in pages[1:]] == list("1234567")
    drawn = sorted(name for name in files if name.endswith(".png"))
    assert drawn == [f"net-{view}-0{number}.png" for number in range(8)]


def test_they_are_saved_from_python(graph, ledger, tmp_path):
    content = tour.save(graph, tmp_path / "x.pdf", view="chain").read_bytes()
    assert squeezed(texts(content)[0]) == words(tour.svg(graph, view="chain"))
    once, twice = (
        image(tour.save(ledger, tmp_path / "x.png", scale=scale).read_bytes()) for scale in (1.0, 2.0)
    )
    assert twice.size == (2 * once.width, 2 * once.height)
    assert image(tour.save(ledger, tmp_path / "y.png").read_bytes()).size == twice.size


# ---- text ----------------------------------------------------------------------------------


@pytest.mark.parametrize("view", ["graph", "chain", "torchviz", "accumulation"])
def test_every_text_of_the_picture_is_text_in_the_pdf(graph, ledger, view):
    files = files_of_trace("x", Trace(graph, ledger), Settings(formats=("svg", "pdf"), views=(view,)))
    (page,) = texts(files[f"x-{view}.pdf"])
    assert squeezed(page) == words(files[f"x-{view}.svg"])


def test_text_can_be_searched(graph):
    content = pdf([tour.svg(graph)])
    assert found(content, "MulBackward0") == 1
    assert found(content, "4517.3 = 4517.3") == 1
    assert found(content, "× 2(t_p − t_c)") == 1
    assert found(content, "MulBackward1") == 0


def test_fonts_are_embedded_and_only_ours(graph, ledger):
    for content in (pdf([tour.svg(graph)]), pdf([tour.svg(ledger)])):
        used = fonts(content)
        assert all(embedded for _, embedded in used)
        assert {name.partition("+")[2] for name, _ in used} == {"TourSans-Regular", "TourSans-Bold"}
    assert {name.partition("+")[2] for name, _ in fonts(pdf([sheet_in_mono()]))} == {"TourMono-Regular"}


def sheet_in_mono():
    body = text_element(Run("print(x)", mono=True), 10, 20)
    return frame(body, 100, 30, title="", desc="", prefix="m", theme="light")


def test_a_text_takes_the_width_it_was_given():
    svg = sheet("narrow", "a text that would be much wider than that by itself", "Ωμέγα Ж é ᵀ ‖x‖₂")
    for picture in (image(png(svg)), page_image(pdf([svg]))):
        for row in range(3):
            first, last = ink(picture, 30 * row + 2, 30 * row + 28)
            assert 98 <= first <= 105
            assert 295 <= last <= 301


def test_signs_that_no_font_has_are_boxes_that_stay_in_place():
    names = [
        "👩‍🔬 emoji 🌡️ x",
        "1️⃣ abc",
        "🇩🇪 flag x",
        "👩🏽 tone",
        "नमस्ते दुनिया x",
        "e\u0301\u0323 x",
        "温度計 x",
        "ไทยก็ x",
        "مرحبا abc",
    ]
    svg = sheet(*names)
    for picture in (image(png(svg)), page_image(pdf([svg]))):
        for row in range(len(names)):
            first, last = ink(picture, 30 * row + 2, 30 * row + 28)
            assert 98 <= first <= 115
            assert 285 <= last <= 301
    blank = image(png(sheet(*(" " * len(name) for name in names))))
    assert difference(image(png(svg)), blank)[1] > 40


def test_text_beside_a_sign_that_no_font_has_is_still_text():
    page = squeezed(texts(pdf([sheet("\ue001 weight\ue002 and", "bias")]))[0])
    assert re.sub("[\ue001\ue002]", "", page) == "weightandbias"


@pytest.mark.parametrize("name", HOSTILE)
def test_no_text_of_a_program_breaks_a_page(graph, name):
    odd = infected(graph, HOSTILE[name])
    svg = tour.svg(odd)
    (page,) = texts(pdf([svg]))
    shown, told = ({char for char in text if char.isascii()} for text in (words(svg), squeezed(page)))
    assert shown == told
    assert image(png(svg, 0.5)).size[0] > 150


def test_typst_is_given_data_and_no_program():
    svg = frame("", 50, 50, title='"#panic()] $ \\', desc="#{", prefix="x", theme="light")
    assert title(pdf([svg])) == '"#panic()] $ \\'
    assert title(pdf([svg], title='"#panic()')) == '"#panic()'


# ---- looks ---------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [png, lambda svg: pdf([svg])], ids=["png", "pdf"])
def test_dashes_and_hatches_are_drawn(hatched, graph, make):
    look = image if make is png else page_image
    svg = tour.svg(hatched, theme="light")
    plain = svg.replace("url(#", "url(#nothing")
    assert difference(look(make(svg)), look(make(plain)))[1] > 25
    svg = tour.svg(graph, theme="light")
    solid = re.sub(' stroke-dasharray="[^"]*"', "", svg)
    assert difference(look(make(svg)), look(make(solid)))[1] > 40


@pytest.mark.parametrize("ending", ["png", "pdf"])
def test_paper_is_light_unless_dark_is_asked_for(graph, tmp_path, ending):
    look = image if ending == "png" else page_image
    seen = {
        theme: colours(look(tour.save(graph, tmp_path / f"x.{ending}", theme=theme, scale=1).read_bytes()))
        for theme in ("auto", "light", "dark")
    }
    roles = ("paper", "forward", "backward", "saved_fill", "leaf_fill")
    light, dark = ({getattr(palette, role) for role in roles} - {"leaf_fill"} for palette in (LIGHT, DARK))
    assert seen["auto"] == seen["light"]
    assert len(seen["light"] & light) >= 4
    assert not seen["light"] & {DARK.paper, DARK.forward, DARK.backward}
    assert len(seen["dark"] & dark) >= 4
    assert LIGHT.paper not in seen["dark"]


def test_half_a_pixel_at_the_edge_is_paper():
    svg = frame("", 20.3, 20.3, title="", desc="", prefix="x", theme="dark")
    assert colours(image(png(svg))) == {DARK.paper}


# ---- pages ---------------------------------------------------------------------------------


def test_pictures_become_pages_in_their_order():
    sheets = [
        frame(
            text_element(Run(f"page {n}"), 9, 20),
            100 + n,
            50,
            title=f"T{n}",
            desc="",
            prefix="p",
            theme="light",
        )
        for n in range(12)
    ]
    content = pdf(sheets)
    assert [page.strip() for page in texts(content)] == [f"page {n}" for n in range(12)]
    sizes = [page_image(content, number, scale=1.0).size for number in range(12)]
    assert [abs(width - 100 - n) <= 1 and height == 50 for n, (width, height) in enumerate(sizes)] == [
        True
    ] * 12
    assert title(content) == "T0"
    assert title(pdf(sheets, title="a film")) == "a film"
    # One font for all pages.
    assert len(content) < 3 * len(pdf(sheets[:1]))


def test_what_a_picture_shows_goes_along_in_words(graph):
    content = pdf([tour.svg(graph)])
    assert b"/StructTreeRoot" in content
    assert title(content) == "Autograd graph of loss"


def test_a_very_long_picture_is_one_page_that_readers_can_show():
    svg = frame(
        text_element(Run("far away"), 50_000, 20), 60_000, 40, title="", desc="", prefix="x", theme="light"
    )
    content = pdf([svg])
    assert squeezed(texts(content)[0]) == "faraway"
    width, height = page_image(content, scale=0.075).size
    assert (width, height) == (1440, 1)


# ---- sizes ---------------------------------------------------------------------------------


def wide(width, height):
    return frame("", width, height, title="", desc="", prefix="x", theme="light")


def test_a_picture_with_too_many_pixels_is_refused_with_a_scale_that_fits(monkeypatch):
    monkeypatch.setattr(to_png, "MOST_PIXELS", 1_000_000)  # a hundredth, which takes a hundredth of the time
    svg = wide(6_000, 900)
    with pytest.raises(UsageError, match="12000 × 1800 pixels is too large") as caught:
        png(svg)
    fits = float(re.search(r"--scale ([\d.]+)", caught.value.hint)[1])
    assert fits == 0.43
    assert 6_000 * 900 * (fits + 0.01) ** 2 > to_png.MOST_PIXELS
    assert int.from_bytes(png(svg, fits)[16:20]) == pytest.approx(6_000 * fits, abs=2)


def test_one_that_nothing_fits_is_sent_elsewhere():
    with pytest.raises(UsageError) as caught:
        png(wide(10_000_000, 100_000))
    assert "--scale" not in caught.value.hint
    assert "svg and pdf" in caught.value.hint


@pytest.mark.parametrize("scale", [0.0, -1.0, 0.05, float("nan"), float("inf")])
def test_a_scale_that_leaves_no_pixel_is_refused(scale):
    with pytest.raises(UsageError, match="a picture of 10 × 10 px cannot be scaled"):
        png(wide(10, 10), scale)
    assert image(png(wide(10, 10), 0.1)).size == (1, 1)


# ---- the same bytes ------------------------------------------------------------------------

SUMS = """
import hashlib
import autograd_tour as tour
from autograd_tour.formats import Settings
from autograd_tour.formats.produce import files_of_trace
trace = tour.loads(open({path!r}).read())
for views in (("graph", "accumulation"), ("steps",)):
    files = files_of_trace("x", trace, Settings(formats=("pdf", "png"), views=views, scale=0.5))
    for name, content in files.items():
        print(name, hashlib.sha256(content).hexdigest())
"""
WITHOUT_FONTS = 'mount -t tmpfs none /usr/share/fonts && exec "$@"'


@pytest.fixture(scope="module")
def saved(graph, ledger, tmp_path_factory):
    return tour.save(graph, tmp_path_factory.mktemp("saved") / "x.json", ledger=ledger)


@pytest.fixture(scope="module")
def usual_sums(saved):
    """Those of a process with nothing unusual about it."""
    done = script_answer(SUMS.format(path=str(saved)), cwd=saved.parent)
    assert done.returncode == 0, done.stderr
    return dict(line.split() for line in done.stdout.splitlines())


def sums(saved, *before, **environment):
    done = subprocess.run(
        [*before, sys.executable, "-c", SUMS.format(path=str(saved))],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return dict(line.split() for line in done.stdout.splitlines())


def test_the_bytes_are_the_same_in_every_process(saved, usual_sums, tmp_path):
    assert len(usual_sums) == 2 + 2 + 1 + 8 + 8 + 1
    unusual = {"TZ": "Asia/Tokyo", "LANG": "de_DE.UTF-8", "SOURCE_DATE_EPOCH": "1", "HOME": str(tmp_path)}
    assert usual_sums == sums(saved, PYTHONHASHSEED="2", **unusual)


@pytest.mark.skipif(
    shutil.which("unshare") is None
    or subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode != 0,
    reason="hiding the system's fonts needs the right to mount",
)
def test_the_bytes_are_the_same_without_any_font_of_the_system(saved, usual_sums):
    hidden = subprocess.run(
        ["unshare", "-m", "sh", "-c", WITHOUT_FONTS, "sh", "find", "/usr/share/fonts", "-type", "f"],
        capture_output=True,
        check=True,
    )
    assert hidden.stdout == b""
    assert usual_sums == sums(saved, "unshare", "-m", "sh", "-c", WITHOUT_FONTS, "sh")


# ---- what is not there ---------------------------------------------------------------------


def test_without_typst_a_pdf_is_refused_before_anything_is_traced(monkeypatch, graph, tmp_path):
    from autograd_tour.formats import check

    monkeypatch.setattr(to_pdf, "find_spec", lambda name: None)
    for attempt in (lambda: check(["svg", "pdf"]), lambda: tour.save(graph, tmp_path / "x.pdf")):
        with pytest.raises(UsageError, match="typst, which is not installed") as caught:
            attempt()
        assert caught.value.hint == "pip install typst"
    check(["svg", "png"])
    assert not list(tmp_path.iterdir())


def test_frames_for_beamer_are_pages_and_files_with_the_lines_that_show_them():
    files = files_of_trace("x", Trace(tour.trace(thermometer)), Settings(("pdf",), ("steps",)))
    numbered = [f"x-steps-0{k}.pdf" for k in range(8)]
    assert sorted(files) == sorted([*numbered, "x-steps.pdf", "x-steps.tex"])
    slide = files["x-steps.tex"].decode()
    assert r"\includepdf[pages=-]{x-steps.pdf}" in slide
    assert all(len(PdfDocument(files[name])) == 1 for name in numbered)
    assert len(PdfDocument(files["x-steps.pdf"])) == 8
    assert slide.count("{") == slide.count("}")
