"""Fourteen misconceptions, each put before a simulated learner who holds it and nothing else.

A simulated learner is no person: it answers as the misconception implies until a stop refutes just that, and then
computes as torch does. So this says whether each stop notices the misconception, names it, and asks in its transfer
something that one who still holds it gets wrong; it does not say how many people learn.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

import pytest

from autograd_tour.lessons.tour import stops
from autograd_tour.lessons.tour.telling import taught
from autograd_tour.questions import Question, betrayed, judge, read_number

pytestmark = pytest.mark.xdist_group("tour")

STOPS = {stop.number: stop for stop in stops()}
LONG = {13, 16, 17}


class Misconception(NamedTuple):
    """What somebody holds: the ``stop`` that removes it, what is answered to ``question`` there, and to its transfer.

    Numbers are computed as whoever holds it computes.
    """

    stop: int
    holds: str
    question: str
    implies: str | Callable[[], float]
    transfers: str | Callable[[], float]


def adam_as_sgd(x: float, lr: float, gradient: float) -> float:
    return x - lr * gradient


HELD = (
    Misconception(1, "autograd is approximate", "exact", "a little more: backward only approximates the nudge",
                  lambda: ((2 + 0.1) ** 3 - (2 - 0.1) ** 3) / 0.2),
    Misconception(2, "the local slope is the gradient", "x", lambda: 1.0, lambda: 3.0),
    Misconception(3, "one way back is the gradient", "sum", lambda: 3.0, lambda: 2.0 * 2.0),
    Misconception(4, "what was broadcast gets the mean", "how", "b gets their mean", lambda: (1 + 4 + 7) / 3),
    Misconception(5, "None is 0, and a tensor in between has none", "kept", "eleven zeros", "None"),
    Misconception(6, "backward overwrites", "second", lambda: 4517.3, lambda: 2 * 2.0),
    Misconception(7, "the graph is made once", "anew", "the first one is used again", lambda: 2 * -2.0),
    Misconception(10, "everything is saved", "keeps", "both", "a and c"),
    Misconception(11, "in place is never allowed", "fine", "it raises: in place is never allowed", "for both"),
    Misconception(12, "a gradient of 0 is none", "none", lambda: 0.81, lambda: 2.0),
    Misconception(15, "each piece counts alike", "weights", "1/2 and 1/2", lambda: (4 + 8) / 2),
    Misconception(16, "lr means the same everywhere", "adam-size", "20: lr times the gradient",
                  lambda: adam_as_sgd(5, 0.1, 0.5)),
    Misconception(18, "detach only saves memory", "detached", lambda: 2 * 3.0, lambda: 2 * 4.0 + 1),
    Misconception(20, "a masked output protects", "masked", lambda: 0.0, lambda: 0.0),
)  # fmt: skip
CASES = [
    pytest.param(item, id=item.holds.replace(" ", "-"), marks=[pytest.mark.slow] if item.stop in LONG else [])
    for item in HELD
]


def spoken(implied: str | Callable[[], float]) -> str:
    return implied if isinstance(implied, str) else repr(implied())


def learn(item: Misconception) -> tuple[bool, bool]:
    """Whether the transfer is right before the stop and after it."""
    teaching = taught(STOPS[item.stop])
    question: Question = next(q for q in teaching.predict if q.id == item.question)
    before = judge(teaching.transfer, spoken(item.transfers))
    judged = judge(question, spoken(item.implies))
    assert before is not None
    assert judged is not None
    refuted = bool(judged.text) and betrayed(question, judged) in {item.stop, *STOPS[item.stop].prerequisites}
    alone = Counter(wrong.feedback for wrong in question.wrong)[judged.text] == 1
    after = teaching.transfer.answer if not judged.right and refuted and alone else spoken(item.transfers)
    again = judge(teaching.transfer, after)
    assert again is not None
    return before.right, again.right


@pytest.mark.parametrize("item", CASES)
def test_the_stop_notices_the_misconception_and_its_transfer_needs_it_gone(item):
    before, after = learn(item)
    assert (before, after) == (False, True)


@pytest.mark.parametrize("item", CASES)
def test_its_answer_to_the_transfer_is_foreseen_too(item):
    transfer = taught(STOPS[item.stop]).transfer
    judged = judge(transfer, spoken(item.transfers))
    assert judged is not None
    assert judged.text
    assert judged.text != "Close; give more digits."


def test_the_transfer_is_not_what_was_predicted_with_other_words():
    for item in HELD:
        if item.stop in LONG:
            continue
        teaching = taught(STOPS[item.stop])
        predicted = {read_number(q.answer) for q in teaching.predict if not q.choices} - {"none", None}
        same = {read_number(teaching.transfer.answer)} & predicted
        assert not same or item.stop == 20, item  # there every right answer is nan
    assert len(HELD) >= 10
