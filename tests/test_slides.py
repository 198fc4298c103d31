"""The two decks of docs/slides, built as its README says: nothing overfull, the caption on the slide, text of 18 px."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from ctypes import c_float
from pathlib import Path

import pypdfium2
import pypdfium2.raw as pdfium
import pytest

from tests.paper import difference, page_image, texts

ROOT = Path(__file__).parents[1]
SLIDES = ROOT / "docs" / "slides"
README = (SLIDES / "README.md").read_text(encoding="utf-8")
SAID = [r"Before backward · 7 steps follow", *(rf"Step {number} of 7" for number in range(1, 8))]

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("slides")]


def needed(there, what):
    """Where CI runs, everything that these tests need is installed."""
    if not there:
        assert "CI" not in os.environ, f"{what} is not installed"
        pytest.skip(f"needs {what}")


@pytest.fixture(scope="module")
def decks(tmp_path_factory):
    """What the first command of the README makes."""
    folder = tmp_path_factory.mktemp("slides")
    (command,) = re.findall(r"^\$ python (docs/slides/build\.py) build/slides$", README, re.MULTILINE)
    subprocess.run([sys.executable, command, str(folder)], cwd=ROOT, check=True, timeout=300)
    return folder


# ---- Beamer -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def beamer(decks):
    """The document, and what pdflatex had to say."""
    found = shutil.which("pdflatex")
    style = found and subprocess.run(
        ["kpsewhich", "beamer.cls", "pgfmath.sty", "pdfpages.sty"], capture_output=True, check=False
    )
    needed(found and style.returncode == 0, "pdflatex with beamer")
    assert "$ pdflatex deck.tex" in README
    words = [found, "-interaction=nonstopmode", "-halt-on-error", "deck.tex"]
    done = subprocess.run(words, cwd=decks, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    return (decks / "deck.pdf").read_bytes(), (decks / "deck.log").read_text(errors="replace")


def test_no_box_of_the_beamer_document_is_overfull(beamer):
    assert "Overfull" not in beamer[1]
    assert "Underfull" not in beamer[1]


def test_each_slide_of_beamer_has_its_frame_with_the_caption(beamer):
    pages = texts(beamer[0])
    assert len(pages) == 1 + 8 + 1
    for said, page in zip(SAID, pages[1:-1], strict=True):
        assert said in page


def loose_box(page, index):
    box = pdfium.FS_RECTF()
    assert pdfium.FPDFText_GetLooseCharBox(page.raw, index, box)
    return box.left, box.bottom, box.right, box.top


def test_text_on_a_slide_of_beamer_has_18_px_of_720_and_is_on_the_paper(beamer, decks):
    document = pypdfium2.PdfDocument(beamer[0])
    for number, page in enumerate(list(document)[1:-1]):
        width, height = page.get_size()
        assert width / height == pytest.approx(16 / 9, rel=0.01)
        text, frame = (
            page.get_textpage(),
            pypdfium2.PdfDocument(decks / f"thermometer-steps-{number:02}.pdf")[0],
        )
        alone = frame.get_textpage()
        sizes, size = [], c_float()
        for item in frame.get_objects([pdfium.FPDF_PAGEOBJ_TEXT], max_depth=20):
            assert pdfium.FPDFTextObj_GetFontSize(item.raw, size)
            sizes.append(size.value * item.get_matrix().d)
        said = re.compile(SAID[number]).search(text.get_text_range())
        where = re.compile(SAID[number]).search(alone.get_text_range())
        slide_box, frame_box = loose_box(text, said.start()), loose_box(alone, where.start())
        scale = (slide_box[3] - slide_box[1]) / (frame_box[3] - frame_box[1])
        assert min(map(abs, sizes)) * scale * 720 / height >= 17.9
        for index in range(said.start(), said.end()):
            left, bottom, right, top = loose_box(text, index)
            assert -0.1 <= left <= right <= width + 0.1
            assert -0.1 <= bottom <= top <= height + 0.1


def test_a_slide_of_beamer_is_the_frame_and_nothing_else(beamer, decks):
    for number in (0, 4, 7):
        slide = page_image(beamer[0], number + 1, scale=1280 / 453.54 * 0.75)
        frame = page_image((decks / "thermometer-steps.pdf").read_bytes(), number, scale=1.0)
        assert slide.size == pytest.approx((1280, 720), abs=1)
        mean, most = difference(slide, frame)
        assert mean < 0.5
        assert most < 40


# ---- reveal.js ----------------------------------------------------------------------------------------

SEEN = """() => {
  const svg = document.querySelector("section.present > svg");
  const scale = svg.getBoundingClientRect().width / svg.viewBox.baseVal.width;
  const opaque = (element) => {
    for (let at = element; at !== svg; at = at.parentElement) {
      const style = getComputedStyle(at);
      if (style.opacity === "0" || style.visibility === "hidden") return false;
    }
    return true;
  };
  return [...svg.querySelectorAll("text")].filter(opaque).map((text) => {
    const box = text.getBoundingClientRect();
    const nested = text.closest("svg") !== svg;
    return [text.textContent, parseFloat(getComputedStyle(text).fontSize) * scale, nested,
            box.left, box.top, box.right, box.bottom];
  });
}"""


@pytest.fixture(scope="module")
def reveal(decks, request):
    """The deck in a browser of 1280 × 720."""
    folder = Path(os.environ.get("REVEAL_JS", ROOT / "build" / "slides" / "node_modules" / "reveal.js"))
    needed((folder / "dist" / "reveal.js").exists(), "reveal.js, in the folder that REVEAL_JS names")
    executable = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    needed(executable, "chromium")
    (decks / "node_modules").mkdir()
    (decks / "node_modules" / "reveal.js").symlink_to(folder)
    context = request.getfixturevalue("browser").new_context(
        viewport={"width": 1280, "height": 720}, reduced_motion="reduce", color_scheme="dark"
    )
    page = context.new_page()
    complaints = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto((decks / "deck.html").as_uri())
    page.wait_for_function("window.Reveal?.isReady()")
    page.add_style_tag(content="* { transition: none !important; }")
    yield page
    context.close()
    assert complaints == []


def test_each_fragment_of_the_reveal_deck_is_a_frame_with_its_caption_and_readable_text(reveal):
    reveal.evaluate("Reveal.slide(1)")
    for number, said in enumerate(SAID):
        assert reveal.evaluate("Reveal.getIndices().f") == number - 1
        seen = reveal.evaluate(SEEN)
        captions = [text for text, *_ in seen if re.match(r"Step \d+ of 7|Before backward", text)]
        assert captions == [said], number
        assert min(size for _, size, *_ in seen) >= 17.99
        for text, _, nested, left, top, right, bottom in seen:
            if not nested:  # in the window a text may go on beyond its edge
                assert left >= 0, text
                assert right <= 1280, text
                assert top >= 0, text
                assert bottom <= 720, text
        reveal.evaluate("Reveal.next()")
    assert reveal.evaluate("Reveal.getIndices().h") == 2


def test_a_slide_of_reveal_is_as_large_as_the_screen_and_light(reveal):
    reveal.evaluate("Reveal.slide(1)")
    box = reveal.locator("section.present > svg").bounding_box()
    assert (round(box["x"]), round(box["y"]), round(box["width"]), round(box["height"])) == (0, 0, 1280, 720)
    assert (
        reveal.evaluate("getComputedStyle(document.querySelector('section.present > svg > rect')).fill")
        == "rgb(255, 255, 255)"
    )
    assert reveal.evaluate("document.documentElement.scrollHeight") <= 720
