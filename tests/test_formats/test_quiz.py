"""Questions as files: sheets with the same places, JSON, and what jupyterquiz reads."""

from __future__ import annotations

import html
import json
import re
import xml.etree.ElementTree as ET

import pytest
from msgspec.structs import replace

from autograd_tour import accumulate, trace
from autograd_tour.formats import Settings, registry
from autograd_tour.lessons.thermometer import thermometer, thermometer_params
from autograd_tour.record.graph import Graph
from autograd_tour.record.trace import Trace

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(
    scope="module", params=[thermometer, thermometer_params], ids=lambda program: program.__name__
)
def files(request):
    return registry()["quiz"].files("x", Trace(trace(request.param), accumulate(request.param)), Settings())


def texts(svg):
    return [item.text for item in ET.fromstring(svg).iter(f"{SVG}text")]


def test_the_sheets_have_the_same_places(files):
    places = [
        re.findall(r'class="node[^>]*>.*?<path d="([^"]*)"', files[f"x-{kind}.svg"])
        for kind in ("question", "answer")
    ]
    assert len(places[0]) >= 9
    assert places[0] == places[1]


def test_the_question_sheet_has_blanks_and_no_answer_in_its_picture(files):
    asked = texts(files["x-question.svg"])
    assert sum(text == "?" for text in asked) >= 7
    picture = files["x-question.svg"].partition("</g>\n</g>")[0]
    for number in ("4517.3", "82.6", "9034.59"):
        assert number not in [text for text in texts(files["x-question.svg"]) if text.startswith(".grad")]
        assert f">{number}<" not in picture
    assert "<circle" not in files["x-question.svg"]  # the numbers of the steps would tell the order


def test_every_question_is_on_both_sheets_and_its_answer_on_one(files):
    listed = json.loads(files["x-quiz.json"])
    for one in listed:
        assert f"{one['number']}." in texts(files["x-question.svg"])
        assert one["answer"] in texts(files["x-answer.svg"])
    assert [one["number"] for one in listed] == list(range(1, len(listed) + 1))


def test_blanks_carry_the_numbers_of_their_questions(files):
    listed = json.loads(files["x-quiz.json"])
    marked = {text for text in texts(files["x-question.svg"]) if re.fullmatch(r"\[[\d, ]+\]", text or "")}
    numbers = {int(number) for text in marked for number in re.findall(r"\d+", text)}
    assert numbers <= {one["number"] for one in listed if one.get("blank")}
    assert numbers


def test_the_json_has_what_a_reader_needs(files):
    for one in json.loads(files["x-quiz.json"]):
        assert {"number", "id", "kind", "prompt", "answer", "right", "tolerance"} <= one.keys()
        assert ("value" in one) is not bool(one.get("choices"))
        assert all({"answer", "feedback", "stop"} == wrong.keys() for wrong in one["wrong"])


def test_jupyterquiz_gets_questions_of_its_two_kinds():
    graph, ledger = trace(thermometer), accumulate(thermometer)
    (text,) = registry()["jupyterquiz"].files("x", Trace(graph, ledger), Settings()).values()
    questions = json.loads(text)
    assert {one["type"] for one in questions} == {"numeric", "multiple_choice"}
    for one in questions:
        if one["type"] == "multiple_choice":
            assert sum(answer["correct"] for answer in one["answers"]) == 1
            assert all({"answer", "correct", "feedback"} == answer.keys() for answer in one["answers"])
            continue
        *told, default = one["answers"]
        assert default.keys() == {"type", "feedback"}
        right = [answer for answer in told if answer["correct"]]
        assert len(right) == 1
        intervals = [answer["range"] for answer in told if answer["type"] == "range"]
        assert all(low < high for low, high in intervals)
        for i, (_, high) in enumerate(sorted(intervals)[:-1]):
            assert high <= sorted(intervals)[i + 1][0], "an answer must not be right and wrong"
    assert "&lt;" not in text


@pytest.mark.parametrize("label", ["<img src=x>", "[a](javascript:b)", "$x$ $$y$$", "</script>", "Σ−∞"])
def test_jupyterquiz_is_given_no_markup_of_any_kind(label):
    graph = trace(thermometer)
    hostile = replace(graph, nodes=tuple(replace(node, op=label, expr=label) for node in graph.nodes))
    hostile = replace(
        hostile, nodes=tuple(replace(node, op=f"{node.op} {node.id}") for node in hostile.nodes)
    )
    (text,) = registry()["jupyterquiz"].files("x", Trace(hostile), Settings()).values()
    assert text.isascii()
    questions = json.loads(text)
    told = [one["question"] for one in questions]
    told += [
        answer[key]
        for one in questions
        for answer in one["answers"]
        for key in ("answer", "feedback")
        if key in answer
    ]
    assert any(label in html.unescape(item) for item in told)
    for item in told:
        assert not set(item) & set("<>$["), "jupyterquiz makes tags, mathematics and links of these"


def test_nothing_to_ask_makes_files_all_the_same():
    files = registry()["quiz"].files("x", Trace(Graph()), Settings())
    assert json.loads(files["x-quiz.json"]) == []
    assert all("</svg>" in content for name, content in files.items() if name.endswith(".svg"))
