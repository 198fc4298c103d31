"""Questions on paper, where all of them are read at once: none may give another one away."""

from __future__ import annotations

import re
from collections.abc import Sequence

from autograd_tour.questions.base import Question

__all__ = ["for_paper", "telling_number"]

_NUMBER = re.compile(r"[−-]?\d+(?:\.\d+)?(?:e[+-]?\d+)?")
TELLING = 3
"""A number of so many digits stands nowhere by chance; a 1 or an 11 does."""


def for_paper(questions: Sequence[Question]) -> tuple[Question, ...]:
    """The questions without those that another one gives away.

    One that asks which node runs next is given away by one that begins with that step; one that asks for a
    number by one whose prompt has it, unless its own prompt has it too; one that asks which line changes a
    value by one about the step that this line takes; one that asks when a line empties ``.grad`` by one that
    tells which lines run between two backward calls; one that asks for the line that breaks a gradient by one
    about what happens at that operation.
    """
    return tuple(
        question
        for question in questions
        if not any(_gives_away(other, question) for other in questions if other is not question)
    )


def _gives_away(other: Question, question: Question) -> bool:
    if question.kind == "order":
        return _told_step(other) == question.frame
    if question.kind == "line":
        return other.kind == "step" and question.answer in other.prompt
    if question.kind == "moment":
        return other.kind == "accumulation" and other.node == question.node
    if question.kind == "fault":
        return other.kind in ("nan", "mask") and other.node == question.node
    if not telling_number(question):
        return False
    return question.answer in _numbers(other.prompt) and question.answer not in _numbers(question.prompt)


def _told_step(question: Question) -> int:
    """The step of backward whose node a prompt names, 0 for none."""
    if question.kind == "order":
        return question.frame - 1
    return question.frame if question.kind == "gradient" else 0


def telling_number(question: Question) -> bool:
    """Whether the answer is a number that can only stand somewhere because it is that answer."""
    return not question.choices and sum(map(str.isdigit, question.answer.lstrip("-−0."))) >= TELLING


def _numbers(text: str) -> set[str]:
    return set(_NUMBER.findall(text))
