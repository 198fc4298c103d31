"""Questions as plain data, for whoever asks them elsewhere."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from msgspec import to_builtins

from autograd_tour.questions.answers import read_number
from autograd_tour.questions.base import Question

__all__ = ["listing"]


def listing(questions: Sequence[Question]) -> list[dict[str, Any]]:
    """Each question with its ``number`` from 1, the ``value`` of its answer and its ``tolerance``.

    ``value`` is what a number has to be near, relative to its size; it is missing where the answer is one of
    ``choices``, ``None`` or no finite number: there the text of ``answer`` is what counts.
    """
    return [_entry(number, question) for number, question in enumerate(questions, start=1)]


def _entry(number: int, question: Question) -> dict[str, Any]:
    entry = {"number": number, **to_builtins(question), "tolerance": question.tolerance}
    value = None if question.choices else read_number(question.answer)
    if isinstance(value, float) and math.isfinite(value):
        entry["value"] = value
    return entry
