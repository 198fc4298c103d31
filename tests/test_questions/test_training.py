"""Questions about programs that train: the right answer is torch's own number, in a run without us."""

from __future__ import annotations

import json
import math
import re
from functools import cache

import pytest
from click.testing import CliRunner
from msgspec.structs import replace

from autograd_tour import save
from autograd_tour.cli.group import cli
from autograd_tour.formats import Settings, registry
from autograd_tour.lessons.produce import traced
from autograd_tour.lessons.training_loops import loops as lesson_loops
from autograd_tour.questions import Question, ask, for_paper, read_number
from autograd_tour.questions.history import ordinal
from autograd_tour.record.run import Run
from autograd_tour.record.trace import Trace
from autograd_tour.views.fold import fold
from tests.programs import loops
from tests.programs import trainers as programs
from tests.test_questions.test_questions import sound

PROGRAMS = [
    programs.sgd, programs.momentum, programs.zeroed, programs.unzeroed, programs.micro_batches,
    programs.clipping, programs.small_steps, programs.rebinding, programs.two_optimizers, programs.lbfgs, programs.not_finite,
    programs.same_names, programs.long, lesson_loops,
]  # fmt: skip


@cache
def trace_of(program) -> Trace:
    return traced(program, Settings(formats=("quiz",)))


def asked(program) -> list[Question]:
    return list(ask(trace_of(program)))


def of_torch(program, monkeypatch) -> dict[str, float]:
    """What torch says in a run without us."""
    notes: dict[str, float] = {}
    monkeypatch.setattr(programs, "NOTES", notes)
    program()
    return notes


def the(program, start: str) -> Question:
    (question,) = (question for question in asked(program) if question.id.startswith(start))
    return question


def answer(question: Question) -> float:
    return read_number(question.answer)


def betrayed(question: Question, value: float) -> str:
    """What is said to a wrong answer."""
    (feedback,) = (wrong.feedback for wrong in question.wrong if same(read_number(wrong.answer), value))
    return feedback


def same(value: float, other: float) -> bool:
    return math.isclose(value, other, rel_tol=1e-4)


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_questions_about_a_run_are_sound(program):
    trace = trace_of(program)
    for graph in (trace.graph, fold(trace.graph, limit=3)):
        questions = ask(replace(trace, graph=graph))
        sound(graph, questions)
        assert not any(question.id.startswith(("again-", "zeroed-")) for question in questions)


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_no_question_about_a_run_tells_what_a_later_one_asks(program):
    questions = [question for question in asked(program) if not question.choices and not question.frame]
    for n, later in enumerate(questions):
        for earlier in questions[:n]:
            assert later.answer not in re.split(r"[ ,?]+|\.(?= )", earlier.prompt), (earlier, later)


# ---- what is in .grad --------------------------------------------------------------------------


@pytest.mark.parametrize("program", [programs.sgd, programs.zeroed, programs.lbfgs])
def test_after_zeroing_only_the_last_call_counts(program, monkeypatch):
    notes = of_torch(program, monkeypatch)
    question = the(program, "deposit-")
    assert same(answer(question), notes["grad 3"])
    assert "you assumed that nothing was zeroed" in betrayed(question, notes["grad 2"] + notes["grad 3"])
    assert "zero" in question.prompt.partition("this runs: ")[2]
    assert f"leaves {question.wrong[-1].answer} in" in question.prompt
    assert same(read_number(question.wrong[-1].answer), notes["grad 2"])


def test_without_zeroing_calls_add(monkeypatch):
    notes = of_torch(programs.unzeroed, monkeypatch)
    kept, third = the(programs.unzeroed, "deposit-"), the(programs.unzeroed, "third-")
    assert same(answer(kept), notes["grad 2"])
    assert same(answer(third), notes["grad 3"])
    assert "no line empties it in between" in betrayed(kept, notes["grad 2"] - notes["grad 1"])
    assert "you left out the first call" in betrayed(third, notes["grad 3"] - notes["grad 1"])
    assert "w -= 0.1 * w.grad" in kept.prompt
    assert not any(question.kind == "zeroing" for question in asked(programs.unzeroed))


def test_micro_batches_are_summed_until_the_step(monkeypatch):
    notes = of_torch(programs.micro_batches, monkeypatch)
    questions = [q for q in asked(programs.micro_batches) if q.id.startswith("deposit-")]
    fourth, second = questions
    assert same(answer(fourth), notes["grad 4"])
    assert same(answer(second), notes["grad 2"])
    assert "Nothing else happens to any leaf in between." in second.prompt
    assert same(answer(the(programs.micro_batches, "third-")), notes["grad 6"])
    calls = the(programs.micro_batches, "calls-")
    assert calls.answer == "of the first, the second and the third"
    assert "optimizer.step()" in calls.prompt
    assert same(answer(the(programs.micro_batches, "step-")), notes["value 1"])


def test_a_new_tensor_starts_with_an_empty_grad(monkeypatch):
    notes = of_torch(programs.rebinding, monkeypatch)
    question = the(programs.rebinding, "deposit-")
    assert same(answer(question), notes["grad 3"])
    assert "what the old tensor had" in betrayed(question, notes["grad 2"] + notes["grad 3"])
    assert "(the first of its 2 elements)" in question.prompt


def test_zeroing_one_of_two_optimizers_leaves_the_leaves_of_the_other(monkeypatch):
    notes = of_torch(programs.two_optimizers, monkeypatch)
    zeroed, kept = (q for q in asked(programs.two_optimizers) if q.id.startswith("deposit-"))
    assert "judge.bias.grad" in zeroed.prompt
    assert same(answer(zeroed), notes["judge 3"])
    assert same(answer(kept), notes["judge 4"])
    assert "of_maker.zero_grad()" in kept.prompt
    assert "The third backward() leaves what an earlier question asks for in judge.bias.grad." in kept.prompt
    assert "empties that of other leaves" in kept.right
    line = the(programs.two_optimizers, "line-")
    assert line.answer.startswith("of_judge.step()")


@pytest.mark.parametrize(
    ("program", "left"),
    [
        (programs.sgd, "None: nothing is there any more"),
        (programs.momentum, "a tensor of zeros"),
        (programs.zeroed, "a tensor of zeros"),
    ],
)
def test_what_zeroing_leaves_is_what_torch_leaves(program, left, monkeypatch):
    assert the(program, "emptied-").answer == left
    notes = of_torch(program, monkeypatch)
    assert notes.get("emptied", math.nan) == 0.0 or left.startswith("None")


def test_when_zeroing_comes_is_asked_only_where_it_always_comes_then():
    question = the(programs.sgd, "when-")
    assert re.match(r"after optimizer\.step\(\) .*, before the next loss\.backward\(\)", question.answer)
    trace = trace_of(programs.sgd)
    first = next(n for n, event in enumerate(trace.run.events) if event.kind == "zeroing" and event.changes)
    events = trace.run.events[:first] + trace.run.events[first + 1 :]
    assert not any(
        q.id.startswith("when-") for q in ask(replace(trace, run=replace(trace.run, events=events)))
    )


def test_of_a_line_that_does_several_things_nothing_is_asked():
    trace = trace_of(programs.sgd)
    assert any(q.id.startswith("emptied-") for q in ask(trace))
    only = next(event.where for event in trace.run.events if event.kind == "step")
    events = tuple(replace(event, where=only) for event in trace.run.events)  # as within `trainer.fit(model)`
    line = trace.run.source[only].text
    for question in ask(replace(trace, run=replace(trace.run, events=events))):
        assert line not in question.prompt
        assert line not in question.right


# ---- steps, clipping, lines --------------------------------------------------------------------


def test_a_step_of_sgd_subtracts_lr_times_the_gradient(monkeypatch):
    notes = of_torch(programs.sgd, monkeypatch)
    question = the(programs.sgd, "step-")
    assert same(answer(question), notes["value 1"])
    assert "you added; a step goes against" in betrayed(question, 0.1 + 0.05 * notes["grad 1"])
    assert "you left out the learning rate" in betrayed(question, 0.1 - notes["grad 1"])


def test_momentum_and_weight_decay_count(monkeypatch):
    trace, notes = trace_of(programs.momentum), of_torch(programs.momentum, monkeypatch)
    assert same(answer(the(programs.momentum, "step-")), notes["value 1"])
    steps = [n for n, event in enumerate(trace.run.events) if event.kind == "step"]
    events = tuple(event for n, event in enumerate(trace.run.events) if n != steps[0])
    questions = ask(replace(trace, run=replace(trace.run, events=events)))
    later = next(question for question in questions if question.id.startswith("step-"))
    assert same(answer(later), notes["value 2"])
    assert "and its momentum_buffer is −2.915" in later.prompt
    direction = notes["grad 2"] + 0.1 * notes["value 1"]
    assert "you left out momentum=0.9" in betrayed(later, notes["value 1"] - 0.001 * direction)


def test_of_a_small_step_the_change_is_asked(monkeypatch):
    notes = of_torch(programs.small_steps, monkeypatch)
    question = the(programs.small_steps, "change-")
    assert math.isclose(answer(question), notes["value 1"] - notes["value 0"], rel_tol=1e-3)
    assert "What does it add to bias?" in question.prompt
    assert "you added" in betrayed(question, -answer(question))


def test_where_the_rule_does_not_give_what_happened_the_step_is_not_asked():
    trace = trace_of(programs.sgd)

    def other_rate(event):
        return replace(event, settings=(("lr", 0.04),)) if event.kind == "step" else event

    def more_settings(event):
        return (
            replace(event, settings=(*event.settings, ("nesterov", True))) if event.kind == "step" else event
        )

    for changed in (other_rate, more_settings):
        run = replace(trace.run, events=tuple(map(changed, trace.run.events)))
        assert not any(q.id.startswith(("step-", "change-")) for q in ask(replace(trace, run=run)))


def test_clipping_scales_every_element_alike(monkeypatch):
    notes = of_torch(programs.clipping, monkeypatch)
    clipped, step = the(programs.clipping, "clipped-"), the(programs.clipping, "step-")
    assert "weight.grad (the first of its 2 elements)" in clipped.prompt  # that of bias is told by another
    assert same(answer(clipped), notes["clipped weight 1"])
    assert same(answer(step), notes["value 1"])
    assert any("with the .grad of before nn.utils.clip_grad_norm_" in wrong.feedback for wrong in step.wrong)


@pytest.mark.parametrize("program", [programs.zeroed, programs.rebinding])
def test_an_update_by_hand_goes_against_the_gradient(program, monkeypatch):
    notes = of_torch(program, monkeypatch)
    question = the(program, "direction-")
    assert question.answer == ("larger" if notes["value 1"] > 1.0 else "smaller")


def test_a_step_that_calls_backward_itself(monkeypatch):
    notes = of_torch(programs.lbfgs, monkeypatch)
    assert answer(the(programs.lbfgs, "closure-")) == notes["calls"] > 1
    assert the(programs.lbfgs, "line-").answer.startswith("optimizer.step(closure)")
    # .grad is another one when the step begins than when it ends
    assert not any(q.id.startswith(("direction-", "step-")) for q in asked(programs.lbfgs))


def test_how_often_a_closure_calls_backward_is_not_asked_of_one_that_does_so_once():
    starts = [q.id.split("-")[0] for q in asked(programs.evaluated)]
    assert "closure" not in starts
    assert "deposit" in starts


def test_the_line_that_changes_a_value_is_the_step_and_not_backward():
    question = the(programs.sgd, "line-")
    assert question.answer.startswith("optimizer.step()")
    told = {wrong.answer.partition(" (")[0]: wrong.feedback for wrong in question.wrong}
    assert told["loss.backward()"] == "backward() adds to .grad of bias; no value changes."
    assert told["optimizer.zero_grad()"] == "It empties .grad of bias; no value changes."


def test_what_is_not_finite_or_has_no_name_of_its_own_is_not_asked_about():
    of_run = [question for question in asked(programs.not_finite) if not question.frame]
    assert not any(question.kind in ("accumulation", "step") for question in of_run)
    names = [leaf.name for leaf in trace_of(programs.same_names).run.leaves]
    twice = {name for name in names if names.count(name) > 1}
    for question in asked(programs.same_names):
        assert not any(f" {name}.grad " in question.prompt for name in twice)


def test_what_a_hook_does_inside_backward_is_not_asked_about():
    trace = traced(loops.step_in_backward, Settings(formats=("quiz",)))
    assert any(event.kind == "step" and event.inside == "backward" for event in trace.run.events)
    assert not [question for question in ask(trace) if question.id.startswith(("line-", "step-", "when-"))]


@pytest.mark.parametrize(
    "program", [loops.mnist_loop, loops.gan, loops.policy_gradient, loops.averaged, loops.truncated]
)
def test_training_code_as_people_write_it_is_asked_about(program):
    trace = traced(program, Settings(formats=("quiz",)))
    questions = ask(trace)
    sound(trace.graph, questions)
    assert {"deposit", "emptied", "line"} <= {question.id.partition("-")[0] for question in questions}


def test_what_comes_after_calls_that_are_not_told_is_not_asked_about():
    trace = trace_of(programs.long)
    assert trace.run.backward_calls == 30
    for question in asked(programs.long):
        if question.id.startswith("deposit-"):
            assert int(question.id.rpartition("-")[2]) <= 8
    assert the(programs.long, "when-")


# ---- the lesson, and the files -----------------------------------------------------------------


def test_the_training_lesson_has_a_quiz():
    result = CliRunner().invoke(cli, ["quiz", "training", "--json"])
    assert result.exit_code == 0
    questions = json.loads(result.stdout)
    kinds = {question["id"].partition("-")[0] for question in questions}
    assert {"deposit", "third", "emptied", "when", "step", "line"} <= kinds
    assert any("params_kept" in question["prompt"] for question in questions)


def test_a_saved_trace_is_asked_about_in_the_same_way(tmp_path):
    trace = trace_of(programs.micro_batches)
    save(trace, tmp_path / "t.json")
    result = CliRunner().invoke(cli, ["quiz", str(tmp_path / "t.json"), "--json"])
    assert [item["prompt"] for item in json.loads(result.stdout)] == [q.prompt for q in ask(trace)]


@pytest.mark.parametrize(
    "program", [programs.micro_batches, programs.lbfgs, programs.not_finite, lesson_loops]
)
def test_every_format_has_the_questions_about_the_run(program):
    trace = trace_of(program)
    prompts = [question.prompt for question in ask(trace)]
    listed = json.loads(registry()["quiz"].files("x", trace, Settings())["x-quiz.json"])
    on_paper = [question.prompt for question in for_paper(ask(trace))]
    assert [item["prompt"] for item in listed] == on_paper
    assert [prompt for prompt in prompts if prompt in on_paper] == on_paper
    (text,) = registry()["jupyterquiz"].files("x", trace, Settings()).values()
    exported = json.loads(text)
    assert len(exported) == len(prompts)
    assert all(any(reply.get("correct") for reply in item["answers"]) for item in exported)
    page = registry()["html"].files("x", trace, Settings())["x.html"]
    data = json.loads(re.search(r'<script type="application/json"[^>]*>(.*?)</script>', page, re.DOTALL)[1])
    assert [item["prompt"] for item in data["questions"]] == prompts
    cards = data["picture"]["cards"]
    assert all(item.get("node", "") in ("", *cards) for item in data["questions"])


def test_a_run_in_a_hostile_file_is_asked_about_on_one_line():
    trace = trace_of(programs.sgd)
    lines = tuple(replace(line, text="a\nb\x1b[31m" + "x" * 400) for line in trace.run.source)
    leaves = tuple(replace(leaf, name=f"{leaf.name}\n") for leaf in trace.run.leaves)
    for run in (replace(trace.run, source=lines), replace(trace.run, leaves=leaves), Run()):
        for question in ask(replace(trace, run=run)):
            assert "\n" not in question.prompt + question.answer + question.right
            assert "\x1b" not in question.prompt + question.answer + question.right


def test_ordinals():
    assert [ordinal(n) for n in (1, 10, 11, 21, 22, 33, 112)] == [
        "first", "tenth", "11th", "21st", "22nd", "33rd", "112th",
    ]  # fmt: skip
