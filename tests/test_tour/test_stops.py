"""What every stop of the tour has. A new one is tested from its first minute; the message says what is missing."""

from __future__ import annotations

import ast
import builtins
import re

import pytest

import autograd_tour as tour
from autograd_tour.errors import UsageError
from autograd_tour.formats.tour.content import PARTS
from autograd_tour.formats.tour.given import GIVEN
from autograd_tour.formats.tour.words import marks_of
from autograd_tour.lessons import thermometer
from autograd_tour.lessons.tour import chosen, stops
from autograd_tour.lessons.tour.running import Printer, body, caught, listing
from autograd_tour.lessons.tour.telling import figures_of, taught
from autograd_tour.questions import judge, read_number

pytestmark = pytest.mark.xdist_group("tour")

STOPS = stops()
LONG = {13, 16, 17}
"""Stops that train for thousands of epochs."""
EACH = [
    pytest.param(stop, id=stop.name, marks=[pytest.mark.slow] if stop.number in LONG else [])
    for stop in STOPS
]
NUMBERS = {stop.number for stop in STOPS}
HOOK = 12
"""Lines of a hook that are not empty."""


def asked(stop):
    teaching = taught(stop)
    return [*teaching.predict, teaching.transfer, teaching.recall]


def code_of(stop):
    snippets = [stop.hook, stop.transfer, *stop.more]
    return [
        *(snippet.code for snippet in snippets),
        *(code for item in stop.errors for code in (item.code, item.fixed)),
    ]


def test_the_stops_are_numbered_from_one_and_their_parts_follow():
    assert [stop.number for stop in STOPS] == list(range(1, len(STOPS) + 1))
    assert len(STOPS) >= 22
    assert [stop.part for stop in STOPS] == sorted(stop.part for stop in STOPS)
    assert {stop.part for stop in STOPS} == set(PARTS)
    assert len({stop.name for stop in STOPS}) == len({stop.title for stop in STOPS}) == len(STOPS)


def missing(stop):
    """What a stop has not, in words."""
    yield from (f"a {field}" for field in ("title", "objective", "reading") if not getattr(stop, field))
    if not re.fullmatch(r"[a-z]+(-[a-z]+)*", stop.name):
        yield f"a name of small letters and hyphens (it is {stop.name!r})"
    if not stop.title.endswith("?"):
        yield "a title that is a question"
    if stop.objective.endswith("."):
        yield "an objective that ends the sentence 'Afterwards you can …' without a full stop"
    if stop.number > 1 and not stop.prerequisites:
        yield "prerequisites: stops that come before"
    if not all(0 < number < stop.number for number in (*stop.prerequisites, *stop.recall)):
        yield "prerequisites and recall that are earlier stops"
    if len(set(stop.recall)) != min(2, stop.number - 1):
        yield "recall of two earlier stops"
    if not stop.pictures:
        yield "a picture"


@pytest.mark.parametrize("stop", EACH)
def test_nothing_is_missing(stop):
    assert list(missing(stop)) == []


@pytest.mark.parametrize("stop", EACH)
def test_its_code_is_short_prints_and_needs_only_what_is_given(stop):
    lines = [line for line in body(stop.hook.code) if line.strip()]
    assert len(lines) <= HOOK, f"the hook has {len(lines)} lines"
    assert listing(stop.hook)[0].outputs, "the hook prints nothing"
    assert listing(stop.transfer)[0].outputs, "the transfer prints nothing"
    assert body(stop.transfer.code) != body(stop.hook.code)
    for code in code_of(stop):
        tree = ast.parse("\n".join(body(code)))
        names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        bound = {
            node.id
            for node in ast.walk(tree)
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
        }
        bound |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
        bound |= {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)}
        assert names - bound - set(dir(builtins)) <= {"torch", "t_c", "t_u", "t_un"}, code.__qualname__


@pytest.mark.parametrize("stop", EACH)
def test_its_questions_are_answered_rightly_and_in_each_foreseen_wrong_way(stop):
    questions = asked(stop)
    assert len(taught(stop).predict) >= 1
    assert len({question.id for question in questions}) == len(questions)
    for question in questions:
        assert judge(question, question.answer).right, question.id
        assert judge(question, question.answer).text == question.right != ""
        assert len(question.wrong) >= 2, f"{question.id} has too few wrong answers"
        assert len({item.answer for item in question.wrong} | {question.answer}) == len(question.wrong) + 1
        for item in question.wrong:
            judged = judge(question, item.answer)
            assert not judged.right, f"{question.id}: {item.answer}"
            assert judged.text == item.feedback != "", f"{question.id}: {item.answer}"
            assert item.stop in NUMBERS, f"{question.id}: {item.answer} names no stop"
        if not question.choices:
            assert judge(question, "nonsense") is None


@pytest.mark.parametrize("stop", EACH)
def test_its_rule_is_one_sentence_and_all_is_explained(stop):
    teaching = taught(stop)
    assert teaching.rule.endswith(".")
    assert not re.search(r"[.!?] [A-Z]", teaching.rule)
    assert teaching.explain.endswith("?")
    assert teaching.explanation
    texts = (
        teaching.rule,
        *teaching.explanation,
        stop.title,
        stop.objective,
        *(question.prompt for question in asked(stop)),
    )
    assert all(text.count("`") % 2 == 0 for text in texts), "a backtick without its partner"
    assert all("\n" not in text and "  " not in text for text in texts)


@pytest.mark.parametrize("stop", EACH)
def test_nothing_before_a_prediction_gives_its_answer_away(stop):
    teaching = taught(stop)
    questions = teaching.predict
    open_texts = [
        stop.title,
        stop.objective,
        *(other.title for other in STOPS),
        *(other.objective for other in STOPS),
        *(other.name for other in STOPS),
    ]
    for place, question in enumerate(questions):
        around = [*open_texts, *(other.prompt for other in questions)]
        later = [
            *open_texts,
            *(text for other in questions[place + 1 :] for text in (other.prompt, *other.choices)),
        ]
        assert teaching.rule not in around
        if len(question.answer) > 12:
            assert not any(question.answer in text for text in around), question.id
        elif question.answer.isalpha() and not question.choices:
            words = {word for text in later for word in re.findall(r"\w+", text)}
            assert question.answer not in words, question.id
        elif not question.choices and len(question.answer.strip("−")) > 2:
            numbers = {number for text in later for number in re.findall(r"[\d.,]*\d", text)}
            assert question.answer.strip("−") not in numbers, question.id


def close(answer, values):
    """Whether a typed answer is one of these numbers."""
    target = read_number(answer)
    if not isinstance(target, float):
        return None in values
    return any(
        isinstance(value, int | float) and (value == pytest.approx(target, rel=1e-4, abs=1e-9, nan_ok=True))
        for value in values
    )


def flat(values):
    for value in values:
        yield from flat(value) if isinstance(value, list) else (value,)


COUNTED = {"edges"}
"""Questions whose number is counted in the graph, and printed by no code."""


@pytest.mark.parametrize("stop", EACH)
def test_a_number_that_is_right_is_one_that_the_code_printed(stop):
    """That of the transfer by the transfer's own code: labels are often the same as in the hook."""
    figures, teaching = figures_of(stop), taught(stop)
    printed = list(flat(value for _, value in figures.printed))
    for question in teaching.predict:
        if not question.choices and question.id not in COUNTED:
            assert close(question.answer, printed), question.id
    if not teaching.transfer.choices:
        printed = list(flat(value for _, value in figures.transfer.printed))
        assert close(teaching.transfer.answer, printed), teaching.transfer.id


@pytest.mark.parametrize("stop", EACH)
def test_no_two_pieces_of_code_print_behind_one_label(stop):
    """Else a text that names a figure may get that of another piece."""
    pieces = [
        listing(snippet)[1]
        for snippet in (stop.hook, *stop.more, *stop.measured)
        if snippet.code.__name__ != "with_gaps"
    ]
    pieces += [caught(failing)[1] for failing in stop.errors]
    labels = [label for piece in pieces for label in {label for label, _ in piece}]
    assert sorted(labels) == sorted(set(labels))


def test_the_edges_into_the_mailbox_of_stop_3_are_counted():
    graph = tour.trace(STOPS[2].hook.code, Printer())
    question = taught(STOPS[2]).predict[0]
    accumulator = graph.accumulator_of(next(node.id for node in graph.nodes if node.kind == "leaf"))
    assert len([edge for edge in graph.select("gradient") if edge.dst == accumulator]) == int(question.answer)


@pytest.mark.parametrize(
    ("number", "answer", "shows"),
    [
        (1, "a little less: the slope at w = 1 itself", lambda f: f["w.grad"] < f["slope seen by a nudge"]),
        (4, "b gets their sum", lambda f: abs(sum(f["t_p.grad"]) - f["b.grad"]) < 1e-3),
        (4, "that of b: one number", lambda f: isinstance(f["b.grad"], float)),
        (5, "None", lambda f: f["t_p.grad"] is None),
        (6, "nothing: they stay 1 and 0", lambda f: f["w, b"] == 0.0),
        (7, "that of the last operation: the mean", lambda f: f["node"] == "MeanBackward0"),
        (7, "a second one is recorded, of new nodes", lambda f: f["the same node"] is False),
        (9, "b.grad is filled", lambda f: f["event"] == "b.grad is filled"),
        (
            10,
            "for x ** 2 and x * 2",
            lambda f: [w == "raises" for _, w in f.printed[:4]] == [True, True, False, False],
        ),
        (10, "t_u", lambda f: f["the product keeps w"] is None),
        (10, "c only", lambda f: (f.transfer["keeps a"], f.transfer["keeps c"]) == (None, 5.0)),
        (11, "it runs, and a.grad is [2, 2]", lambda f: f["a.grad"] == [2.0, 2.0]),
        (
            11,
            "it runs, and the gradient is wrong",
            lambda f: f["through .data: a.grad"] != f["fixed: a.grad"],
        ),
        (11, "for sigmoid only", lambda f: [w for _, w in f.transfer.printed] == ["runs", "raises"]),
        (14, "[1, 0], and no error", lambda f: f["zeroed before the step"] == [1.0, 0.0]),
        (15, "6/11 and 5/11", lambda f: close(str(f["the whole batch"][0]), f.every("gradients")[2])),
        (18, "it records as before", lambda f: f["a layer after eval() requires a gradient"] is True),
        (19, "[0, 0.5, 0.5]", lambda f: f["x.max(): x.grad"] == [0.0, 0.5, 0.5]),
        (20, "the input of the root", lambda f: f["fixed: x.grad"] == [0.0, 0.25]),
    ],
)
def test_what_is_right_to_choose_is_what_the_code_shows(number, answer, shows):
    stop = STOPS[number - 1]
    assert answer in {question.answer for question in asked(stop)}
    assert shows(figures_of(stop))


def test_errors_are_caught_live_with_both_lines_and_the_fix():
    assert {stop.number for stop in STOPS if stop.errors} == {5, 10, 11, 14, 20, 21}
    for stop in STOPS:
        for failing in stop.errors:
            error, _ = caught(failing)
            assert error.message
            assert 1 <= error.cause < error.raised <= len(error.code.lines)
            assert error.fixed.outputs
            assert error.node.removesuffix("0").removesuffix("Backward") in " ".join(
                ("AccumulateGrad", "Mul", "Pow", "Exp", "Sqrt")
            )
            assert any(getattr(picture, "mark", ()) for picture in stop.pictures)


@pytest.mark.parametrize(
    ("number", "kind", "words"),
    [
        (5, "UserWarning", "is not a leaf Tensor"),
        (10, "RuntimeError", "backward through the graph a second time"),
        (11, "RuntimeError", "modified by an inplace operation"),
        (14, "RuntimeError", "a leaf Variable that requires grad"),
        (20, "RuntimeError", "SqrtBackward0"),
        (21, "RuntimeError", "only for scalar outputs"),
    ],
)
def test_a_message_is_torchs_own(number, kind, words):
    error, _ = caught(STOPS[number - 1].errors[0])
    assert error.kind == kind
    assert words in error.message


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("number", [5, 10, 11, 14, 20, 21])
def test_what_explain_finds_is_what_the_stop_says(number):
    failing = STOPS[number - 1].errors[0]
    error, _ = caught(failing)
    finding = tour.explain(failing.code, Printer()).findings[0]
    assert error.seen == finding.seen
    assert finding.message in ("", error.message)
    assert list(error.roles.values()) == [line.role for line in finding.lines]
    for line, mark in zip(finding.lines, error.roles, strict=True):
        assert line.line.text.split("  #")[0] in error.code.lines[mark - 1]
    marks = marks_of(error)
    assert set(marks) == {error.cause, error.raised, *error.roles}
    for mark, role in error.roles.items():
        assert role in marks[mark]


def test_a_stop_that_blames_another_node_is_not_true():
    from dataclasses import replace

    with pytest.raises(AssertionError, match="explain marks PowBackward0, the stop says MulBackward0"):
        caught(replace(STOPS[9].errors[0], node="MulBackward0"))


def test_code_that_is_to_raise_and_does_not_is_no_stop():
    from dataclasses import replace

    fine = STOPS[2].hook.code
    with pytest.raises(AssertionError, match="raises nothing"):
        caught(replace(STOPS[9].errors[0], code=fine))


def test_the_given_lines_are_the_readings_of_the_thermometer():
    names = {}
    exec("\n".join(GIVEN), names)
    for name in ("t_c", "t_u", "t_un"):
        assert names[name].equal(getattr(thermometer, name))


def test_stops_are_chosen_by_number_and_by_name():
    assert [stop.number for stop in chosen(("6", "chain-rule", "06"))] == [2, 6]
    assert chosen(()) == STOPS
    for word in ("0", "99", "acumulation", "", "-1", "6.0", "٣", "1" * 5000):
        with pytest.raises(UsageError, match="there is no stop") as error:
            chosen((word,))
        assert "Stops have numbers, 1 to" in error.value.hint
    with pytest.raises(UsageError) as error:
        chosen(("acumulation",))
    assert "Did you mean 'accumulation'?" in error.value.hint


def test_figures_are_told_by_label_and_an_unknown_one_is_an_error():
    figures = figures_of(STOPS[2])
    assert figures["x.grad"] == 7.0
    with pytest.raises(KeyError):
        figures.every("nothing")


def test_optimizers_that_cannot_train_w_and_b_have_problems_of_their_own():
    (stop,) = [stop for stop in STOPS if stop.name == "optimizers"]
    figures = dict(figure for snippet in stop.more for figure in listing(snippet)[1])
    assert figures["evaluations in one step"] == figures["it counts them too"] > 1
    first, last = figures["the first and the last loss"]
    assert last < 2.93 < first
    assert figures["the last loss"] < 0.05 < figures["the first loss"]
    stretches = figures["of the step, in lr"]
    gradient = figures["singular values of the gradient"]
    assert max(stretches) / min(stretches) < 2 < max(gradient) / min(gradient)
    assert figures["SparseAdam, used [1], moved"] == [1]
    assert figures["Adam, used [1], moved"] == [1, 3]
    code = "\n".join(line for snippet in stop.more for line in body(snippet.code))
    elsewhere = {name for name in ("LBFGS", "Muon", "SparseAdam") if f"torch.optim.{name}" in code}
    assert elsewhere == {"LBFGS", "Muon", "SparseAdam"}
