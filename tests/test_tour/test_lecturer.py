"""For the lecturer: slides on which nothing is cut or small, sheets without answers, and what each stop removes."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from html import unescape
from itertools import combinations

import pytest

from autograd_tour.drawing.metrics import text_width
from autograd_tour.drawing.slide import Block, slides
from autograd_tour.drawing.theme import MONO
from autograd_tour.formats.tour.content import PARTS
from autograd_tour.formats.tour.forms import tour_files
from autograd_tour.formats.tour.lecturer import betrayals, signs
from autograd_tour.formats.tour.words import answers
from autograd_tour.lessons.tour import chosen, stops
from autograd_tour.lessons.tour.telling import told_tour
from tests.paper import texts

pytestmark = pytest.mark.xdist_group("tour")

SVG = "{http://www.w3.org/2000/svg}"
FEW = ("2", "5", "10", "12", "14", "22")
LARGEST = 250_000
"""Bytes of a page of the site."""


@pytest.fixture(scope="module")
def few():
    return told_tour(chosen(FEW), slides=True)


@pytest.fixture(scope="module")
def decks(few):
    return tour_files(few, ("slides",), "auto")


def sections(deck):
    """The SVG of each slide, and what only the lecturer sees of it."""
    for section in re.findall(r"<section>(.*?)</section>", deck, re.DOTALL):
        svg, _, notes = section.partition("<aside")
        yield ET.fromstring(svg.strip()), notes


def boxes(root):
    """The texts of a slide as they stand on it: text, size, left, top, right, bottom, px."""
    left, top, width, _ = map(float, root.get("viewBox").split())
    scale = float(root.get("width")) / width
    for node in root.iter(f"{SVG}text"):
        size, bold = float(node.get("font-size")), node.get("font-weight") == "bold"
        mono = node.get("font-family") == MONO
        wide = 0.6 * size * len(node.text) if mono else text_width(node.text, size, bold)
        wide = float(node.get("textLength", wide))
        x, y = float(node.get("x")) - left, float(node.get("y")) - top
        x -= {"start": 0.0, "middle": 0.5, "end": 1.0}[node.get("text-anchor", "start")] * wide
        yield (node.text, *(scale * side for side in (size, x, y - 0.75 * size, x + wide, y + 0.22 * size)))


def plain(text):
    return " ".join(text.replace("`", "").split())


def words_of(root):
    return plain(" ".join(node.text for node in root.iter(f"{SVG}text")))


def test_every_part_with_a_stop_has_its_deck_in_both_forms(decks, few):
    parts = {stop.part for stop in few.stops}
    assert set(decks) == {f"slides-{part}.{ending}" for part in parts for ending in ("html", "pdf")}


def test_all_text_of_a_slide_has_18_px_and_is_on_it(decks):
    checked = 0
    for name in [name for name in decks if name.endswith(".html")]:
        for root, _ in sections(decks[name]):
            assert (root.get("width"), root.get("height")) == ("1280", "720")
            nested = {text for inner in root.iter(f"{SVG}svg") if inner is not root for text in inner.iter()}
            for text, size, left, top, right, bottom in boxes(root):
                assert size >= 17.95, (name, text)
                checked += 1
                if not nested and not root.findall(f".//{SVG}g[@transform]"):
                    assert left >= -0.1, (name, text)
                    assert top >= -0.1, (name, text)
                    assert right <= 1280.1, (name, text)
                    assert bottom <= 720.1, (name, text)
    assert checked > 1000


def test_no_two_ids_of_a_deck_are_the_same_and_nothing_is_loaded_from_another_machine(decks):
    for name, deck in decks.items():
        if name.endswith(".html"):
            ids = re.findall(r'\bid="([^"]+)"', deck)
            assert len(ids) == len(set(ids)), name
            assert not re.search(r'(?:src|href)="(?!#|node_modules/reveal\.js/)', deck)


def test_the_pdf_has_a_page_for_each_slide_and_each_frame(decks, few):
    for part in {stop.part for stop in few.stops}:
        told = list(sections(decks[f"slides-{part}.html"]))
        frames = sum(len(pages) - 2 for stop in few.stops if stop.part == part for pages in stop.slides)
        pages = texts(decks[f"slides-{part}.pdf"])
        assert len(pages) == len(told) + frames
        assert f"Part {part}: {PARTS[part]}" in pages[0]


def test_a_question_stands_on_a_slide_before_the_one_with_its_answer(decks, few):
    for stop in few.stops:
        told = [words_of(root) for root, _ in sections(decks[f"slides-{stop.part}.html"])]
        first = next(i for i, words in enumerate(told) if words.startswith(f"Stop {stop.number}: "))
        for _, question in answers(stop):
            prompt, right = plain(question.prompt), plain(question.right)
            asked = next(i for i, words in enumerate(told) if i > first and prompt in words)
            answered = next(i for i, words in enumerate(told) if i > first and right in words)
            assert asked < answered
            assert right not in told[asked]


def test_the_lecturer_reads_what_a_stop_removes_and_nobody_else_does(decks, few):
    for stop in few.stops:
        for root, notes in sections(decks[f"slides-{stop.part}.html"]):
            assert plain(stop.misconception) not in words_of(root)
            if words_of(root).startswith(f"Stop {stop.number}: {plain(stop.title)}"):
                assert f"Removes: {stop.misconception}." in unescape(notes)
                assert all(sign in unescape(notes) for sign in signs(stop))


def test_a_sheet_has_no_answer_and_the_answers_have_every_one(few):
    files = tour_files(few, ("handouts",), "auto")
    parts = {stop.part for stop in few.stops}
    assert set(files) == {f"{what}-{part}.pdf" for part in parts for what in ("handout", "answers")}
    for stop in few.stops:
        sheet = plain(" ".join(texts(files[f"handout-{stop.part}.pdf"])))
        told = plain(" ".join(texts(files[f"answers-{stop.part}.pdf"])))
        for _, question in answers(stop):
            assert plain(question.prompt)[:30] in sheet
            assert plain(question.right) not in sheet
            assert plain(question.right)[:30] in told
            assert all(plain(wrong.feedback)[:25] in told for wrong in question.wrong)


def test_the_page_for_the_lecturer_has_each_stop_with_what_it_removes_and_how_to_see_it(few):
    files = tour_files(few, ("html",), "auto")
    page = files["lecturer.html"]
    assert 'href="lecturer.html"' in files["index.html"]
    assert len(page.encode()) <= LARGEST
    words = plain(unescape(re.sub(r"<[^>]+>", "", page)))
    for stop in few.stops:
        assert f"Removed: {plain(stop.misconception)}." in words
        assert plain(stop.teaching.transfer.prompt) in words
        assert all(plain(sign) in words for sign in signs(stop))
        assert all(plain(item.feedback) in words for item in betrayals(few, stop))


def test_what_betrays_a_stop_are_the_wrong_answers_that_point_to_it(few):
    for stop in few.stops:
        found = list(betrayals(few, stop))
        count = 0
        for other in few.stops:
            asked = [*other.teaching.predict, other.teaching.transfer, other.teaching.recall]
            count += sum(wrong.stop == stop.number for question in asked for wrong in question.wrong)
        assert len(found) == count
        assert count or stop.number == 22
        own = [item.where.endswith(f"stop {stop.number}") for item in found]
        assert own == sorted(own, reverse=True)


@pytest.mark.parametrize("stop", stops(), ids=lambda stop: stop.name)
def test_every_stop_says_what_it_removes_in_half_a_sentence(stop):
    assert stop.misconception
    assert not stop.misconception.endswith(".")
    assert (
        stop.misconception[0] in "`$" or stop.misconception[0].islower() or stop.misconception[:3].isupper()
    )


def test_a_slide_that_is_too_full_goes_on_and_loses_nothing():
    code = Block("code", tuple(f"line_{number} = {number} * {'x' * (number * 3)}" for number in range(60)))
    output = Block("output", ("A word " * 60,), joined=True)
    question = Block("text", ("Which of them?",))
    choices = Block("choice", tuple(f"the choice {number} " * 12 for number in range(9)), joined=True)
    pages = [ET.fromstring(svg) for svg in slides("A heading " * 12, [code, output, question, choices])]
    assert len(pages) > 3
    words = " ".join(words_of(page) for page in pages)
    for number in range(60):
        assert f"line_{number} = {number} *" in words
    assert words.count("A word") >= 55
    assert all(f"the choice {number}" in words for number in range(9))
    for page in pages:
        told = list(boxes(page))
        assert all(
            size >= 20 and left >= 0 and right <= 1280.1 and bottom <= 720
            for _, size, left, _, right, bottom in told
        )
        for (a, _, l1, t1, r1, b1), (b, _, l2, t2, r2, b2) in combinations(told, 2):
            assert r1 <= l2 + 0.1 or r2 <= l1 + 0.1 or b1 <= t2 + 0.1 or b2 <= t1 + 0.1, (a, b)


@pytest.mark.slow
def test_all_text_of_the_whole_tour_has_18_px_on_slides():
    for name, deck in tour_files(told_tour(stops(), slides=True), ("slides",), "auto").items():
        if name.endswith(".html"):
            for root, _ in sections(deck):
                assert min(size for _, size, *_ in boxes(root)) >= 17.95, (name, words_of(root)[:60])
