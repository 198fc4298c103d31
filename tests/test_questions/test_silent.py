"""Faults that raise no error: what they do, which line it is, and what each wrong answer is told."""

from __future__ import annotations

import inspect

import pytest
import torch

import autograd_tour as tour
from autograd_tour.lessons.tour import stops
from autograd_tour.questions import breaking, effects, judge
from autograd_tour.questions.silent import _EFFECTS
from autograd_tour.record.trace import Trace
from tests.programs.faults import changed, cut_off, steps, trained

SILENT = [
    (trained.never_zeroed, "zero-grad-missing", "the sum of", "loss.backward()"),
    (trained.zeroed_before_step, "zero-grad-before-step", "nothing", "optimizer.zero_grad()"),
    (trained.zeroed_with_zeros_before_step, "zero-grad-before-step", "nothing", "optimizer.zero_grad("),
    (trained.optimizer_of_another_model, "optimizer-of-other-parameters", "nothing", None),
    (trained.clipped_after_step, "clipped-after-step", "as large as", "nn.utils.clip_grad_norm_("),
    (trained.clipped_before_backward, "clipped-before-backward", "as large as", "nn.utils.clip_grad_norm_("),
    (cut_off.encoder_detached, "grad-none-cut", "None", "code = encoder(x).detach()"),
    (cut_off.unused_head, "grad-none-unused", "None", None),
    (cut_off.beside_the_loss, "grad-none-beside", "None", "extra = extra.exp()"),
    (changed.changed_through_data, "changed-in-silence", "the new one", "h.data.mul_(3)"),
    (
        steps.last_micro_batch_is_smaller,
        "unequal-micro-batches",
        "those of the smallest",
        "loss = F.mse_loss(",
    ),
    (
        steps.evaluated_without_no_grad,
        "graph-in-evaluation",
        "yes, and",
        "print(F.mse_loss(net(x), y).item())",
    ),
    (steps.never_back_to_training, "evaluation-mode-in-training", "yes, but", "net.eval()"),
    (steps.batch_statistics_in_evaluation, "training-mode-in-evaluation", "as in training", "net.train()"),
]


@pytest.mark.parametrize(
    ("program", "kind", "answer", "line"), SILENT, ids=lambda item: getattr(item, "__name__", None)
)
def test_what_a_silent_fault_does_is_asked_and_which_line_it_is(program, kind, answer, line):
    explanation = tour.explain(program)
    (effect,) = effects(explanation.findings)
    assert effect.id == f"effect-{kind}"
    assert effect.answer.startswith(answer)
    asked = [effect, *breaking(explanation.findings, explanation.graphs)]
    assert len(asked) == 1 + (line is not None)
    if line is not None:
        assert asked[1].id == f"line-{kind}"
        assert asked[1].answer.startswith(line)
        start = inspect.getsourcelines(program)[1]
        number = int(asked[1].answer.rpartition("line ")[2].rstrip(")"))
        assert line.split("(")[0] in inspect.getsource(program).split("\n")[number - start]
    for question in asked:
        assert judge(question, question.answer).right
        assert len(question.choices) == 1 + len(question.wrong)
        for wrong in question.wrong:
            judged = judge(question, wrong.answer)
            assert not judged.right
            assert judged.text == wrong.feedback
            assert 1 <= wrong.stop <= len(stops())


@pytest.mark.parametrize(
    "program",
    [
        trained.usual_loop,
        trained.accumulated_on_purpose,
        cut_off.detached_target,
        changed.data_changed_after_backward,
        changed.added_in_place,
        cut_off.detached_loss,
        steps.evaluated_as_it_should,
    ],
)
def test_where_nothing_is_wrong_or_torch_says_so_itself_no_effect_is_asked(program):
    assert list(effects(tour.explain(program).findings)) == []


def test_the_leaf_of_which_it_is_asked_has_no_gradient():
    a, b = (torch.tensor([1.0, 2.0], requires_grad=True) for _ in range(2))

    def program():
        extra = (b * 2).exp()
        assert extra.requires_grad
        return (a * 3).sum()

    explanation = tour.explain(program)
    (effect,) = effects(explanation.findings)
    assert "What is .grad of b after backward?" in effect.prompt
    program().backward()
    assert str(b.grad) == effect.answer
    assert a.grad is not None


def test_a_loop_without_zeroing_is_asked_about_in_its_page_too():
    from autograd_tour.questions import ask

    run = tour.follow(trained.never_zeroed)
    ids = [question.id for question in ask(Trace(run.graphs[0], None, run))]
    assert {"effect-zero-grad-missing", "line-zero-grad-missing"} <= set(ids)
    assert ids.index("effect-zero-grad-missing") < ids.index("line-zero-grad-missing")


def test_choices_of_every_effect_are_told_apart_and_none_gives_itself_away():
    for kind, effect in _EFFECTS.items():
        answers = [effect.answer, *(answer for answer, _, _ in effect.mistakes)]
        assert len(set(answers)) == 3, kind
        several = len(effect.answer.split()) > 2
        assert not any(several and effect.answer in feedback for _, feedback, _ in effect.mistakes)
        assert effect.answer not in effect.prompt
