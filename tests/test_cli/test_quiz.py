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


def test_the_number_of_a_choice_wins_over_a_tensor_of_that_name(tmp_path):
    """Letters would not do: tensors are called a and b."""
    answers = "1/11\n6.4\n4\n1\n3\n2\n"
    assert "6 of 6 right" in quiz(TRACE, "--questions", "6", answers=answers).output
    assert "5 of 6 right" in quiz(TRACE, "--questions", "6", answers=answers[:-2] + "b\n\n").output


def test_a_choice_is_a_number_or_its_text():
    for answer in ("4", " 4 ", "their sum"):
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
