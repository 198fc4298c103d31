"""``autograd-tour quiz`` asks, says what was assumed, and leaves with a score."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from autograd_tour import lessons, save, trace
from autograd_tour.cli.group import cli
from autograd_tour.lessons.base import Lesson
from autograd_tour.lessons.thermometer import thermometer
from autograd_tour.record.graph import Graph

TRACE = str(Path(__file__).parents[2] / "outputs" / "thermometer.json")


def quiz(*words, answers=""):
    return CliRunner().invoke(cli, ["quiz", *words], input=answers)


def test_right_answers_are_counted():
    result = quiz(TRACE, "--questions", "2", answers="1/11\n6.4\n")
    assert result.exit_code == 0
    assert result.output.count("Right. ") == 2
    assert result.output.endswith("2 of 2 right at the first try.\n")


def test_a_wrong_answer_says_what_was_assumed_and_may_be_mended():
    result = quiz(TRACE, "--questions", "1", answers="1\n0.0909\n")
    assert (
        "You said 1: you handed on the gradient that comes in, without the local derivative." in result.output
    )
    assert "Right. " in result.output
    assert "0 of 1 right at the first try." in result.output
    assert result.output.endswith("Look again at stop 2 of the tour: autograd-tour lesson 2\n")


IN_PLACE = """import torch

def loss():
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    e = torch.exp(w)
    e += 1  # the bug
    total = e.sum()
    total.backward()
"""


def test_a_program_that_fails_is_asked_which_line_breaks_it(tmp_path):
    (tmp_path / "net.py").write_text(IN_PLACE)
    (question,) = json.loads(quiz(f"{tmp_path / 'net.py'}:loss", "--json").stdout)
    assert question["answer"] == "e += 1 (line 6)"  # no comment tells it
    assert "the bug" not in " ".join(question["choices"])
    assert {wrong["stop"] for wrong in question["wrong"]} == {11}
    saved = question["choices"].index("e = torch.exp(w) (line 5)") + 1
    result = quiz(f"{tmp_path / 'net.py'}:loss", answers=f"{saved}\ne += 1 (line 6)\n")
    assert "modified by an inplace operation" in result.stderr
    assert "Saved here: that is its part." in result.output
    assert "Right. exp() saved a tensor" in result.output
    assert "Look again at stop 11 of the tour" in result.output


DETACHED = """import torch

def loss():
    x = torch.tensor([1.0, 2.0])
    encoder, head = torch.nn.Linear(2, 2), torch.nn.Linear(2, 1)
    code = encoder(x).detach()  # the bug
    return head(code).sum()
"""


def test_a_fault_that_raises_nothing_is_asked_about_too(tmp_path):
    (tmp_path / "net.py").write_text(DETACHED)
    questions = json.loads(quiz(f"{tmp_path / 'net.py'}:loss", "--json").stdout)
    effect, line = (one for one in questions if one["kind"] == "fault")
    assert effect["prompt"] == "The program raises no error. What is .grad of encoder.weight after backward?"
    assert effect["answer"] == "None"
    assert line["answer"] == "code = encoder(x).detach() (line 6)"
    assert "the bug" not in " ".join(line["choices"])
    assert {wrong["stop"] for one in (effect, line) for wrong in one["wrong"]} <= {12, 18}
    assert len({one["id"] for one in questions}) == len(questions)


def test_a_failure_of_which_nobody_knows_the_line_is_told_as_ever(tmp_path):
    (tmp_path / "net.py").write_text("def loss():\n    raise ValueError('no')\n")
    result = quiz(f"{tmp_path / 'net.py'}:loss")
    assert result.exit_code == 1
    assert "ValueError" in result.stderr
    assert result.stdout == ""


def test_a_loop_of_ones_own_is_asked_about_as_a_loop(tmp_path):
    (tmp_path / "net.py").write_text(
        "import torch\ndef train():\n    x = torch.tensor([1.0, 2.0])\n"
        "    w = torch.tensor(0.0, requires_grad=True)\n    optimizer = torch.optim.SGD([w], lr=0.1)\n"
        "    for _ in range(3):\n        optimizer.zero_grad()\n        loss = ((w * x - 3 * x) ** 2).mean()\n"
        "        loss.backward()\n        optimizer.step()\n"
    )
    questions = json.loads(quiz(f"{tmp_path / 'net.py'}:train", "--json").stdout)
    assert {"zeroing", "moment", "step", "line"} <= {one["kind"] for one in questions}
    assert any("optimizer.step() (line 10)" in one["prompt"] for one in questions)


def test_two_wrong_answers_show_the_right_one():
    result = quiz(TRACE, "--questions", "1", answers="7\n8\n")
    assert "It is 0.0909091." in result.output


def test_too_few_digits_are_said_to_be_so():
    assert "Close; give more digits." in quiz(TRACE, "--questions", "1", answers="0.09\n\n").output


def test_enter_alone_shows_the_answer():
    result = quiz(TRACE, "--questions", "1", answers="\n")
    assert "It is 0.0909091." in result.output
    assert result.exit_code == 0


def test_what_is_no_number_is_asked_again_and_counts_for_nothing():
    result = quiz(TRACE, "--questions", "1", answers="many\n1/11\n")
    assert "Type a number (4517.3, 1/11) or None." in result.output
    assert "1 of 1 right at the first try." in result.output


def right_answers(count):
    """What to type, a line each: the number of a choice, or the number that is asked for."""
    questions = json.loads(quiz(TRACE, "--json").stdout)[:count]
    return [str(q["choices"].index(q["answer"]) + 1) if "choices" in q else q["answer"] for q in questions]


def test_the_number_of_a_choice_wins_over_a_tensor_of_that_name():
    """Letters would not do: tensors are called a and b."""
    answers = right_answers(6)
    assert "6 of 6 right" in quiz(TRACE, "--questions", "6", answers="\n".join([*answers, ""])).output
    answers[5] = "z"
    result = quiz(TRACE, "--questions", "6", answers="\n".join([*answers, "", ""]))
    assert "5 of 6 right" in result.output


def test_a_choice_is_a_number_or_its_text():
    place = right_answers(3)[2]
    for answer in (place, f" {place} ", "their sum"):
        result = quiz(TRACE, "--questions", "3", answers=f"1/11\n6.4\n{answer}\n")
        assert "3 of 3 right" in result.output
    assert "Type 1 to 4." in quiz(TRACE, "--questions", "3", answers="\n\nz\n\n").output


def test_the_end_of_input_ends_it_with_the_score():
    result = quiz(TRACE, answers="1/11\n")
    assert result.exit_code == 0
    assert result.output.endswith("1 of 1 right at the first try.\n")


def test_an_interrupt_ends_it_with_the_score(monkeypatch):
    def interrupted(prompt):
        raise KeyboardInterrupt

    monkeypatch.setattr("builtins.input", interrupted)
    result = quiz(TRACE)
    assert result.exit_code == 0
    assert "0 of 0 right" in result.output


def test_json_has_every_question_and_asks_nothing():
    result = quiz(TRACE, "--json")
    questions = json.loads(result.stdout)
    assert len(questions) >= 8
    assert all(one["prompt"] and one["answer"] and one["right"] for one in questions)
    assert [one["number"] for one in questions] == list(range(1, len(questions) + 1))
    for one in questions:
        assert one["tolerance"] == (0.0 if "choices" in one else 0.002)
        assert ("value" in one) is ("choices" not in one)
    assert questions[1]["value"] == 6.4
    assert quiz("-", "--json", answers=Path(TRACE).read_text()).stdout == result.stdout


def test_a_program_and_a_builtin_can_be_asked_about(tmp_path):
    program = tmp_path / "net.py"
    program.write_text(
        "import torch\nw = torch.tensor(3.0, requires_grad=True)\ndef loss():\n    return (w * 2) ** 2\n"
    )
    result = quiz(f"{program}:loss", "--json")
    assert any("w.grad now" in one["prompt"] for one in json.loads(result.stdout))
    assert quiz("thermometer", "--json").stdout == quiz(TRACE, "--json").stdout


def test_stdin_cannot_be_both_trace_and_answers():
    result = quiz("-")
    assert result.exit_code == 2
    assert "stdin is where answers come from" in result.stderr


@pytest.mark.parametrize("form", ["quiz", "jupyterquiz"])
def test_a_format_is_what_render_takes(form):
    result = quiz("net.py:loss", "-f", form)
    assert result.exit_code == 2
    assert f"autograd-tour render net.py:loss -f {form}" in result.stderr


def test_a_run_of_which_nothing_can_be_asked_says_so(tmp_path):
    save(Graph(), tmp_path / "empty.json")
    result = quiz(str(tmp_path / "empty.json"))
    assert result.exit_code == 0
    assert "nothing to ask" in result.stderr


@pytest.mark.parametrize("target", ["thermometre", "nofile.json", "net.py"])
def test_what_is_no_program_is_refused(target):
    assert quiz(target).exit_code == 2


def test_a_lesson_that_is_no_program_says_so(monkeypatch):
    class Reading(Lesson):
        name, summary = "reading", "nothing to run"

        def files(self, settings):
            return {}

    monkeypatch.setattr(lessons, "registry", lambda: {"reading": Reading()})
    result = quiz("reading")
    assert result.exit_code == 2
    assert result.stderr.startswith("error: reading is no single program, so it has no graph\nhint: ")


def test_control_characters_of_a_program_reach_no_terminal(tmp_path):
    from msgspec.structs import replace

    graph = trace(thermometer)
    nodes = tuple(replace(node, op="\x1b[2Jx", names=("\x1b]0;y",)) for node in graph.nodes)
    save(replace(graph, nodes=nodes), tmp_path / "t.json")
    assert "\x1b" not in quiz(str(tmp_path / "t.json"), answers="1\n" * 40).output
