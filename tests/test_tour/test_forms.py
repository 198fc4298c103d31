"""The tour as files: each form has every stop, the same bytes each time, and notebooks that run."""

from __future__ import annotations

import ast
import base64
import contextlib
import io
import json
import re
import xml.etree.ElementTree as ET

import pytest

from autograd_tour.errors import UsageError
from autograd_tour.formats.page.script import bundled
from autograd_tour.formats.tour.content import slug
from autograd_tour.formats.tour.forms import FORMS, check_forms, tour_files
from autograd_tour.formats.tour.handout import text_on_paper
from autograd_tour.formats.tour.site import SCRIPTS, WEB
from autograd_tour.formats.tour.text import stop_text
from autograd_tour.formats.tour.words import answers
from autograd_tour.lessons.tour import chosen, stops
from autograd_tour.lessons.tour.telling import told_tour
from tests.paper import texts

pytestmark = pytest.mark.xdist_group("tour")

FEW = ("2", "5", "6", "22")
LARGEST = 250_000
"""Bytes of a stop's page."""


@pytest.fixture(scope="module")
def few():
    return told_tour(chosen(FEW), paper=True)


@pytest.fixture(scope="module")
def again():
    """The same stops once more."""
    return told_tour(chosen(FEW), paper=True)


@pytest.fixture(scope="module")
def whole():
    return told_tour(stops(), paper=True)


@pytest.mark.parametrize("form", FORMS)
def test_a_form_has_every_stop_and_the_same_bytes_each_time(few, again, form):
    files = tour_files(few, (form,), "auto")
    assert files == tour_files(again, (form,), "auto")
    text = {name: content for name, content in files.items() if isinstance(content, str)}
    for stop in few.stops:
        title = stop.title.replace("`", "")
        if form in ("pdf", "handouts"):
            whole = [content for content in files.values() if isinstance(content, bytes)]
            assert any(title in page for content in whole for page in texts(content))
        else:
            assert any(
                title in content.replace("`", "").replace("<code>", "").replace("</code>", "")
                for content in text.values()
            )


def test_pictures_of_a_page_have_ids_of_their_own(few):
    for name, content in tour_files(few, ("html",), "auto").items():
        ids = re.findall(r'\bid="([^"]+)"', content)
        assert len(ids) == len(set(ids)), name


def test_no_page_asks_for_another_machine(few):
    for content in tour_files(few, ("html",), "dark").values():
        assert not re.search(r'(?:src|href|action)="(?!#|[\w-]+\.html")', content)
        assert "default-src 'none'" in content.replace("&#39;", "'")
        assert 'data-theme="dark"' in content


@pytest.mark.parametrize("start", ["still", "moved", "map", "review"])
def test_a_script_is_one_module_with_each_file_once(start):
    script = bundled(WEB, start, shared=SCRIPTS)
    for name in set(re.findall(r"\$([a-z]+);", script)):
        assert script.count(f"let ${name}=") == 1, name
    assert not re.search(r"^(import|export) ", script, re.MULTILINE)
    assert "</script" not in script


def test_links_lead_to_pages_that_are_there(few):
    files = tour_files(few, ("html",), "auto")
    for content in files.values():
        assert set(re.findall(r'href="([\w-]+\.html)"', content)) <= set(files)
    markdown = tour_files(few, ("md",), "auto")
    for content in markdown.values():
        assert set(re.findall(r"\]\(([\w-]+\.(?:md|svg))\)", content)) <= set(markdown)


def test_pictures_beside_markdown_are_svg(few):
    pictures = [
        content for name, content in tour_files(few, ("md",), "auto").items() if name.endswith(".svg")
    ]
    assert len(pictures) == sum(len(stop.pictures) for stop in few.stops)
    for picture in pictures:
        ET.fromstring(picture)


def cells_of(notebook):
    document = json.loads(notebook)
    assert (document["nbformat"], document["nbformat_minor"]) == (4, 5)
    ids = [cell["id"] for cell in document["cells"]]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[a-zA-Z0-9-_]{1,64}", cell_id) for cell_id in ids)
    for cell in document["cells"]:
        assert isinstance(cell["metadata"], dict)
        assert cell["cell_type"] in ("markdown", "code")
        if cell["cell_type"] == "code":
            assert cell["execution_count"] is None
    return document["cells"]


def executed(cells):
    """What each cell of code prints, run one after the other as a kernel does."""
    names: dict[str, object] = {}
    for cell in cells:
        if cell["cell_type"] != "code":
            continue
        source, out = "".join(cell["source"]), io.StringIO()
        ast.parse(source)
        failing = "raises-exception" in cell["metadata"].get("tags", ())
        with contextlib.redirect_stdout(out):
            if failing:
                with contextlib.suppress(RuntimeError):
                    exec(source, names)
            else:
                exec(source, names)
        yield cell, out.getvalue()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "stop",
    [
        pytest.param(s, id=s.name, marks=[pytest.mark.slow] if s.number in (13, 14, 16, 17) else [])
        for s in stops()
    ],
)
def test_a_notebook_runs_and_prints_what_it_says(stop):
    tour = told_tour((stop,))
    notebook = tour_files(tour, ("ipynb",), "auto")[f"{slug(stop.number, stop.name)}.ipynb"]
    printed = [(cell, out) for cell, out in executed(cells_of(notebook))]
    kept = 0
    for cell, out in printed:
        for output in cell["outputs"]:
            lines = [line for line in "".join(output["text"]).splitlines() if "Warning: " not in line]
            assert lines == out.splitlines()
            kept += 1
    told = "\n".join(out for _, out in printed)
    for line in tour.stops[0].hook.outputs:
        assert line in told
    assert kept or not (stop.more or stop.errors)


def test_attached_pictures_are_those_of_the_stop(few):
    files = tour_files(few, ("ipynb",), "auto")
    for stop in few.stops:
        cells = cells_of(files[f"{slug(stop.number, stop.name)}.ipynb"])
        attached = [cell["attachments"] for cell in cells if "attachments" in cell]
        assert len(attached) == len(stop.pictures)
        for pictures, picture in zip(attached, stop.pictures, strict=True):
            ((bundle),) = pictures.values()
            assert base64.b64decode(bundle["image/svg+xml"]).decode() == picture.svg


def test_a_cell_to_predict_has_no_output_yet(few):
    for name, notebook in tour_files(few, ("ipynb",), "auto").items():
        first = [cell for cell in cells_of(notebook) if cell["cell_type"] == "code"][:2]
        assert all(cell["outputs"] == [] for cell in first), name


def test_on_the_handout_answers_come_after_all_sheets(few):
    pages = texts(tour_files(few, ("pdf",), "auto")["tour.pdf"])
    end = next(i for i, page in enumerate(pages) if page.lstrip().startswith("Answers"))
    for stop in few.stops:
        sheet = next(i for i, page in enumerate(pages[1:], 1) if f"Stop {stop.number}: " in page)
        assert sheet < end
        assert "It prints:" not in pages[sheet]
        assert stop.teaching.predict[0].right[:30].replace("`", "") not in " ".join(pages[:end]).replace(
            "\r\n", " "
        )


def test_text_of_pictures_on_the_handout_has_9_pt(few):
    pictures = [picture for stop in few.stops for picture in stop.pictures]
    small = [picture for picture in pictures if text_on_paper(picture.svg) < 8.95]
    assert len(small) >= 2
    assert all(picture.printed for picture in small)
    assert min(text_on_paper(picture.printed or picture.svg) for picture in pictures) >= 8.95
    assert any(picture.printed == "" for picture in pictures)


@pytest.mark.slow
def test_text_of_all_pictures_on_the_handout_has_9_pt(whole):
    texts_pt = {
        (stop.number, picture.title): text_on_paper(picture.printed or picture.svg)
        for stop in whole.stops
        for picture in stop.pictures
    }
    assert {picture: text for picture, text in texts_pt.items() if text < 8.95} == {}


def test_the_text_has_the_answers_at_its_end(few):
    for stop in few.stops:
        text = stop_text(stop)
        assert all(len(line) <= 130 for line in text.splitlines())
        head, _, tail = text.partition("\nAnswers\n")
        for number, question in answers(stop):
            assert f"\n{number}. {question.answer.replace('`', '')}"[:40] in tail
        assert "Answers" not in head


def test_an_unknown_form_is_refused_with_near_names():
    with pytest.raises(UsageError, match="unknown format 'htm'") as error:
        check_forms(("htm",))
    assert "Did you mean 'html'?" in error.value.hint
    assert check_forms(()) == ("html",)
    assert check_forms(("txt", "md", "txt")) == ("txt", "md")


@pytest.mark.slow
def test_no_page_of_a_stop_is_too_large(whole):
    sizes = {name: len(content.encode()) for name, content in tour_files(whole, ("html",), "auto").items()}
    assert len(sizes) == len(stops()) + 3  # the map, what to look at again, and for the lecturer
    assert {name: size for name, size in sizes.items() if size > LARGEST} == {}


def test_on_paper_text_has_9_pt_and_a_picture_too_wide_for_that_a_page_of_its_own(few):
    import ctypes

    from pypdfium2 import PdfDocument, raw

    upright, turned = [], []
    for page in PdfDocument(tour_files(few, ("pdf",), "auto")["tour.pdf"]):
        text, matrix = page.get_textpage(), raw.FS_MATRIX()
        sizes = []
        for place in range(text.count_chars()):
            raw.FPDFText_GetMatrix(text, place, ctypes.byref(matrix))
            if chr(raw.FPDFText_GetUnicode(text, place)).strip():
                sizes.append(raw.FPDFText_GetFontSize(text, place) * abs(matrix.d))
        width, height = page.get_size()
        (turned if width > height else upright).append(min(sizes, default=9.0))
    assert min(upright) > 8.95
    assert turned
    assert min(turned) > 7
