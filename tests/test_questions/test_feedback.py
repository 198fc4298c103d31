"""What is said to a wrong answer comes from the rule itself, so it is right about what it betrays."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from autograd_tour import trace
from autograd_tour.questions import Question, ask
from autograd_tour.record.rule import Symbol, apply
from autograd_tour.record.trace import Trace
from autograd_tour.rules.mistakes import mistakes


def twenty() -> torch.Tensor:
    y = torch.tensor(3.0, requires_grad=True)
    z = y * 20
    return z  # noqa: RET504


def square() -> torch.Tensor:
    y = torch.tensor(5.0, requires_grad=True)
    z = y**2
    return z  # noqa: RET504


def quotient() -> torch.Tensor:
    a = torch.tensor(6.0, requires_grad=True)
    y = a / 4
    return y**3


def rectified() -> torch.Tensor:
    v = torch.tensor(3.0, requires_grad=True)
    h = torch.relu(v - 1)
    return h * 2


def product() -> torch.Tensor:
    w, t_u = torch.tensor(2.0, requires_grad=True), torch.tensor([1.0, 2.0])
    z = w * t_u
    return (z**2).sum()


def asked(program: Callable[[], torch.Tensor], kind: str, about: str) -> Question:
    return next(q for q in ask(Trace(trace(program))) if q.kind == kind and about in q.prompt)


def feedback(question: Question) -> dict[str, str]:
    return {wrong.answer: wrong.feedback for wrong in question.wrong}


def test_a_factor_is_no_square() -> None:
    question = asked(twenty, "gradient", "y * 20")
    assert question.answer == "20"
    texts = " ".join(feedback(question).values())
    assert "square" not in texts
    assert "factor" not in texts  # there is nothing else to multiply: leaving it out is handing on
    assert "without the local derivative" in feedback(question)["1"]


def test_a_factor_that_was_left_out_is_named() -> None:
    told = feedback(asked(square, "gradient", "y**2"))
    assert told["5"].endswith("you left out the factor 2.")


def test_multiplying_where_the_rule_divides() -> None:
    told = feedback(asked(quotient, "gradient", "a / 4"))
    assert told["27"].endswith("you multiplied by 4; this rule divides by it.")


def test_relu_keeps_its_result_and_its_rule_may_be_told_by_its_input() -> None:
    question = asked(rectified, "saved", "ReluBackward0")
    told = feedback(question)
    assert question.answer == "h"
    assert "does not need" not in " ".join(told.values())
    assert told["v − 1"] == (
        "The rule × 1[v − 1 > 0] reads v − 1. That can be told from h too, which is what torch keeps."
    )


def test_the_factor_nobody_asks_for_is_said_to_be_that() -> None:
    question = asked(product, "saved", "MulBackward0")
    assert question.answer == "t_u"
    assert feedback(question)["w"] == (
        "Only the gradient of t_u would need w; t_u needs no gradient, so nobody asks for that one."
    )


G, X = Symbol("gradient"), Symbol("input", 0, "x")


@pytest.mark.parametrize(
    ("rule", "wrong", "betrayed"),
    [
        (G * (2 * X), 6.0, "left out the factor 2"),
        (G * (3 * X**2), 18.0, "left out the factor 3"),
        (G / 8, 16.0, "multiplied by 8"),
        (G * X, 2 / 3, "divided by x"),
        (G * (2 * X / 11), 2.0 * 6, "forgot to divide by 11"),
        (G * apply("exp", X), 2.0, "without the local derivative"),
        (G * 20, 0.1, "divided by 20"),
        (G * (X * (5 - X)), 4.0, "left out the factor x"),
        (G * (X * (5 - X)), 6.0, "left out the factor 5 − x"),
        (G * (X * (5 - X)), -18.0, "left out the term 5"),
        (G * (X * (5 - X)), 30.0, "left out the term x"),
        (G * (X + 4), 6.0, "left out the term 4"),
        (G * (2 * X / 11), 2.0 * 6 * 11, "multiplied by 11"),
    ],
)  # fmt: skip
def test_each_mistake_is_the_value_of_a_changed_rule(rule, wrong, betrayed) -> None:
    numbers = {G: 2.0, X: 3.0}
    told = {round(value, 6): text for value, text in reversed(list(mistakes(rule, numbers.get)))}
    assert betrayed in told[round(wrong, 6)]


def test_a_rule_that_is_no_product_has_no_mistakes() -> None:
    assert not list(mistakes(X * (G - apply("sum", X * G)), {G: 2.0, X: 3.0}.get))
