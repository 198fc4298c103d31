"""Is an answer right? Numbers as people type them."""

from __future__ import annotations

import math
import re

from msgspec import Struct

from autograd_tour.questions.base import Question

__all__ = ["Judgement", "betrayed", "judge", "read_number"]

NONE = "none"
MORE = "Close; give more digits."
CLOSE = 0.05
"""Relative: an answer further away is not the right one with too few digits, even if it rounds to it."""
_GROUPED = re.compile(r"(?<=\d)[,_ ](?=\d{3})")
_DIGITS = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(?:e[+-]?\d+)?")
_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*")


class Judgement(Struct, frozen=True):
    """Whether an answer is right, and what to say to it."""

    right: bool
    text: str


def read_number(text: str) -> float | str | None:
    """``4,517.3``, ``−0.09``, ``1/11``, ``1e-3``, ``nan``, ``inf`` as a number, ``None`` as ``"none"``.

    What is none of these is ``None``.

    >>> read_number("4,517.3"), read_number("1/4"), read_number("None"), read_number("many")
    (4517.3, 0.25, 'none', None)
    """
    bare = _bare(text)
    if bare == NONE:
        return NONE
    if bare.lstrip("+-") in ("inf", "infinity", "∞", "nan"):
        return float(bare.replace("∞", "inf"))
    over, slash, under = bare.partition("/")
    if not _NUMBER.fullmatch(over) or (slash and not _NUMBER.fullmatch(under)):
        return None
    if not slash:
        return float(over)
    return float(over) / float(under) if float(under) else math.inf


def _bare(text: str) -> str:
    return _GROUPED.sub("", text.strip().lower().replace("−", "-"))


def judge(question: Question, given: str) -> Judgement | None:
    """What to say to an answer, ``None`` if it is not understood."""
    if question.choices:
        if given not in question.choices:
            return None
        if given == question.answer:
            return Judgement(True, question.right)
        return Judgement(False, next((w.feedback for w in question.wrong if w.answer == given), ""))
    value = read_number(given)
    if value is None:
        return None
    if _near(value, read_number(question.answer), question.tolerance):
        return Judgement(True, question.right)
    for wrong in question.wrong:
        if _near(value, read_number(wrong.answer), question.tolerance):
            return Judgement(False, wrong.feedback)
    return Judgement(False, MORE if _is_rounded(given, value, read_number(question.answer)) else "")


def betrayed(question: Question, judged: Judgement) -> int:
    """The stop of the tour that a wrong answer points to, 0 for none."""
    return next((w.stop for w in question.wrong if not judged.right and w.feedback == judged.text), 0)


def _is_rounded(given: str, value: float | str, target: float | str | None) -> bool:
    """Whether ``given`` is the right number with too few digits: 4500 for 4517.3, and not 6.2 for 6.4."""
    digits = _DIGITS.fullmatch(_bare(given))
    if digits is None or not isinstance(value, float) or not isinstance(target, float):
        return False
    written = digits[1].lstrip("+-0.").replace(".", "")
    count = len(written if "." in digits[1] else written.rstrip("0"))
    return bool(count) and _near(value, target, CLOSE) and float(f"{target:.{count - 1}e}") == value


def _near(value: float | str, target: float | str | None, tolerance: float) -> bool:
    if isinstance(value, str) or isinstance(target, str) or target is None:
        return value == target
    if not math.isfinite(value) or not math.isfinite(target):
        return value == target or (math.isnan(value) and math.isnan(target))
    return abs(value - target) <= tolerance * abs(target)
