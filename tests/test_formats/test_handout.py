"""Handouts: sheets of A4 to write on, on which nothing answers a question."""

from __future__ import annotations

import re
import runpy
from functools import cache
from pathlib import Path

import pypdfium2
import pypdfium2.raw as pdfium
import pytest
import torch

import autograd_tour as tour
from autograd_tour.drawing import arrange
from autograd_tour.formats import Settings
from autograd_tour.formats.produce import files_of_trace
from autograd_tour.formats.worksheet import blank, marked
from autograd_tour.lessons.thermometer import thermometer, thermometer_params
from autograd_tour.lessons.training_loops import loops
from autograd_tour.questions import Question, ask, for_paper
from autograd_tour.record.run_ledger import ledger_of
from autograd_tour.record.trace import Trace
from autograd_tour.views.fold import fold
from tests.paper import fonts, squeezed, texts, title
from tests.programs import basics, models
from tests.test_drawing.test_hostile import HOSTILE, infected

DOCS = Path(__file__).parents[2] / "docs" / "programs"
LESSONS = {"thermometer": thermometer, "thermometer-params": thermometer_params, "training": loops}
LOSSES = ["cube:loss", "detach:attached", "detach:detached", "gpt:loss", "training:loop"]
MORE = {"fan-out": basics.fan_out, "views": basics.views, "lstm": models.lstm, "cut": basics.detached}
LARGE = ("gpt:loss", "lstm")
PROGRAMS = [
    pytest.param(name, marks=[pytest.mark.slow] * (name in LARGE)) for name in (*LESSONS, *LOSSES, *MORE)
]
NUMBER = re.compile(r"[−-]?\d+(?:\.\d+)?(?:e[+-]?\d+)?")
PT_PER_MM = 72 / 25.4


@cache
def recorded(name):
    """What `render` records of a lesson, of a program of the docs, or of one of the tests."""
    torch.manual_seed(0)
    program = (LESSONS | MORE).get(name)
    if program is None:
        file, _, function = name.partition(":")
        program = runpy.run_path(str(DOCS / f"{file}.py"))[function]
    if name.startswith("training"):
        run = tour.follow(program)
        return Trace(run.graphs[0], ledger_of(run, 4), run)
    return Trace(tour.trace(program), tour.accumulate(program))


@cache
def files(name):
    return files_of_trace("x", recorded(name), Settings(("quiz", "pdf"), ("chain",)))


@cache
def questions(name):
    trace = recorded(name)
    return for_paper(ask(Trace(fold(trace.graph), trace.ledger, trace.run)))


def sizes(content):
    """The size of every text of a PDF, pt."""
    return [
        pdfium_size(item) * abs(item.get_matrix().d)
        for page in pypdfium2.PdfDocument(content)
        for item in page.get_objects([pdfium.FPDF_PAGEOBJ_TEXT], max_depth=20)
    ]


def pdfium_size(item):
    from ctypes import c_float

    size = c_float()
    assert pdfium.FPDFTextObj_GetFontSize(item.raw, size)
    return size.value


def lines_of(content):
    """How long each line to write on is, mm."""
    lengths = []
    for page in pypdfium2.PdfDocument(content):
        for item in page.get_objects([pdfium.FPDF_PAGEOBJ_PATH], max_depth=1):
            left, bottom, right, top = item.get_bounds()
            if top - bottom < 2 and right - left > 100:
                lengths.append((right - left) / PT_PER_MM)
    return lengths


# ---- the sheets ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_sheets_are_a4_with_page_numbers_and_text_of_nine_points(name):
    for kind in ("question", "answer"):
        content = files(name)[f"x-{kind}.pdf"]
        document, pages = pypdfium2.PdfDocument(content), texts(content)
        for number, page in enumerate(document, start=1):
            assert page.get_size() == pytest.approx((595.28, 841.89), abs=0.1)
            assert f"Page {number} of {len(document)}" in pages[number - 1]
        assert min(sizes(content)) >= 8.95
        assert all(embedded for _, embedded in fonts(content))
    assert title(files(name)["x-question.pdf"]) == "Questions: x"
    assert title(files(name)["x-answer.pdf"]) == "Answers: x"


@pytest.mark.parametrize("name", PROGRAMS)
def test_there_is_a_name_a_date_and_room_to_write(name):
    question, answer = (files(name)[f"x-{kind}.pdf"] for kind in ("question", "answer"))
    assert "Name" in texts(question)[0]
    assert "Date" in texts(question)[0]
    assert "Name" not in texts(answer)[0].splitlines()
    pages = squeezed("".join(texts(question)))
    numbered = re.findall(r"(?:^|\n)(\d+)\. ", "\n".join(texts(question)))
    assert numbered == [str(number) for number in range(1, len(numbered) + 1)]
    choices = pages.count("Why?")
    assert len(lines_of(question)) == 2 + choices + 2 * (len(numbered) - choices)  # name and date
    assert min(lines_of(question)) > 45
    assert lines_of(answer) == []


@pytest.mark.parametrize("name", [*LESSONS, *LOSSES, "fan-out", "cut"])
def test_every_question_is_on_both_and_its_answer_on_one(name):
    question, answer = (
        squeezed("".join(texts(files(name)[f"x-{kind}.pdf"]))) for kind in ("question", "answer")
    )
    assert questions(name)
    for item in questions(name):
        assert squeezed(item.prompt)[:60] in question
        assert squeezed(item.prompt)[:60] in answer
        assert squeezed(item.answer) in answer
        assert squeezed(item.right)[:40] in answer
        assert squeezed(item.right)[:40] not in question or len(item.right) < 20


def test_questions_have_more_than_one_page_where_they_need_it_and_none_is_torn(tmp_path):
    pages = texts(files("thermometer")["x-question.pdf"])
    assert len(pages) >= 2
    for item in questions("thermometer"):
        assert sum(squeezed(item.prompt) in squeezed(page) for page in pages) == 1


# ---- nothing gives an answer away ---------------------------------------------------------------------


@pytest.mark.parametrize("name", PROGRAMS)
def test_no_question_gives_another_one_away(name):
    asked = questions(name)
    for item in asked:
        others = [other for other in asked if other is not item]
        own = set(NUMBER.findall(item.prompt))
        if not item.choices and len(re.sub(r"\D|^[0.−-]+", "", item.answer)) >= 3 and item.answer not in own:
            for other in others:
                assert item.answer not in NUMBER.findall(f"{other.prompt} {' '.join(other.choices)}")
        if item.kind == "line":
            assert not any(other.kind == "step" and item.answer in other.prompt for other in others)
        if item.kind == "moment":
            assert not any("Then this runs" in other.prompt for other in others)
        if item.kind == "order":
            for other in others:
                assert f"Step {item.frame} of backward" not in other.prompt


@pytest.mark.parametrize("name", PROGRAMS)
def test_no_rule_no_number_and_no_missing_row_of_the_picture_gives_one_away(name):
    graph = fold(recorded(name).graph)
    arranged = arrange(marked(graph, questions(name)), whole=True)
    scene, layout = blank(arranged.scene, arranged.layout, questions(name))
    assert len(scene.links) == len(layout.courses)
    assert all(not link.label.runs and not link.label.step and not link.title for link in scene.links)
    for card in scene.cards:
        told = [row for row in card.rows if row.fact and ".value." not in row.fact]  # values are given
        for row in told:
            written = "".join(run.text for run in row.left)
            assert re.fullmatch(r"((\.grad|grad [^ ]*|∂.+|saved) +\?( +\[[\d, ]+\])?)?", written), written
            assert row.mark in ("", "tab")
            assert not row.step
        if card.shape == "operation":
            assert sum(row.fact.endswith(".saved") for row in card.rows) == 1
        others = " ".join(run.text for row in card.rows if not row.fact for run in row.left)
        assert "fused" not in others
        assert "not reached" not in others
    if any(item.kind == "cut" for item in questions(name)):
        assert not any(link.flow == "backward" for link in scene.links)


def test_the_picture_of_the_sheet_and_that_of_the_answers_have_the_same_places():
    question, answer = (
        [re.sub(r" +", " ", page) for page in texts(files("thermometer")[f"x-{kind}.pdf"])]
        for kind in ("question", "answer")
    )
    for word in ("squared_diffs.mean()", "(11) 35.7, 55.9 … 68.4"):
        assert word in question[0]
        assert word in answer[0]
    assert "4517.3" in answer[0]
    assert "4517.3" not in question[0]
    assert "÷ 11" not in question[0]
    assert "÷ 11" in answer[0]


def test_a_question_that_another_one_answers_is_left_out():
    def item(kind, prompt, answer, frame=0, choices=()):
        return Question(f"{kind}-{prompt}", kind, prompt, answer, "", choices=choices, frame=frame)

    second = item(
        "gradient", "Step 2 of backward: a receives the gradient 0.125. What does it send?", "0.5", 2
    )
    first = item("gradient", "Step 1 of backward: b receives the gradient 1. What does it send?", "0.125", 1)
    after = item("order", "Step 1 of backward was b. Which node runs next?", "a", 2, ("a", "c"))
    later = item("order", "Step 2 of backward was a. Which node runs next?", "c", 3, ("b", "c"))
    given = item("accumulation", "w.grad is 4517.3. Then zero_grad(). What is it?", "4517.3")
    again = item("accumulation", "w.grad is 4517.3. What is it after another one?", "9034.6")
    assert for_paper((first, after, second, later, again, given)) == (second, later, again, given)
    assert for_paper((first, after)) == (first, after)
    line = item("line", "Which of these lines changes the value of w?", "step() (line 9)", choices=("a", "b"))
    when = item("moment", "When does zero_grad() empty w.grad?", "after step() (line 9)", choices=("a", "b"))
    stepped = item(
        "step", "step() (line 9) is a step of SGD. Before it, w is 1. What is w after it?", "1.766"
    )
    ran = item("accumulation", "Then this runs: step() (line 9); zero_grad(). What is w.grad then?", "-3.1")
    assert for_paper((line, when)) == (line, when)
    assert for_paper((ran, line, when, stepped)) == (ran, stepped)


# ---- what is odd --------------------------------------------------------------------------------------


def test_without_pdf_there_is_no_handout_and_without_questions_a_short_one():
    assert not any(
        name.endswith("pdf") for name in files_of_trace("x", recorded("cube:loss"), Settings(("quiz",)))
    )
    bare = files_of_trace("x", Trace(tour.Graph()), Settings(("quiz", "pdf"), ("chain",)))
    assert "Page 1 of 1" in texts(bare["x-question.pdf"])[0]


@pytest.mark.slow
def test_a_picture_that_has_no_room_is_left_out_and_the_sheet_says_so():
    trace = Trace(recorded("lstm").graph)
    pages = texts(
        files_of_trace("x", trace, Settings(("quiz", "pdf"), ("chain",), fold=False))["x-question.pdf"]
    )
    assert "The picture has no room on a sheet of paper" in pages[0]


@pytest.mark.parametrize("name", HOSTILE)
def test_no_text_of_a_program_breaks_a_sheet(name):
    odd = infected(recorded("thermometer").graph, HOSTILE[name])
    made = files_of_trace("x", Trace(odd), Settings(("quiz", "pdf"), ("chain",)))
    assert "Page 1 of" in texts(made["x-question.pdf"])[0]


def test_the_same_bytes_twice():
    made = files_of_trace("x", recorded("thermometer"), Settings(("quiz", "pdf"), ("chain",)))
    assert made == files("thermometer")
