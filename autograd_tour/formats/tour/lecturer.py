"""For whoever teaches the tour: which misconception each stop removes, and how to see that it did."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from autograd_tour.formats.tour.content import StopContent, Tour
from autograd_tour.formats.tour.words import listed
from autograd_tour.questions import Question

__all__ = ["Betrayal", "betrayals", "signs"]


class Betrayal(Struct, frozen=True):
    """A foreseen wrong answer that points to a stop: where it is given, and what it assumes."""

    where: str
    prompt: str
    answer: str
    feedback: str


def betrayals(tour: Tour, stop: StopContent) -> Iterator[Betrayal]:
    """The wrong answers that point to ``stop``, first its own, then those of the other stops in ``tour``."""
    for other in sorted(tour.stops, key=lambda item: item.number != stop.number):
        asked: list[tuple[str, Question]] = [("prediction", item) for item in other.teaching.predict]
        asked += [("transfer", other.teaching.transfer), ("recall", other.teaching.recall)]
        for kind, question in asked:
            for wrong in question.wrong:
                if wrong.stop == stop.number:
                    where = f"{kind} of stop {other.number}"
                    yield Betrayal(where, question.prompt, wrong.answer, wrong.feedback)


def signs(stop: StopContent) -> Iterator[str]:
    """How to see that a misconception is gone, a sentence each."""
    transfer, recall = stop.teaching.transfer, stop.teaching.recall
    wrong = [item.answer for item in transfer.wrong if item.stop == stop.number]
    yield f"In code not seen before the answer is {transfer.answer}, with a reason in one's own words."
    if wrong:
        wrong_answers = " or ".join([", ".join(wrong[:-1]), wrong[-1]] if len(wrong) > 1 else wrong)
        yield f"It is not {wrong_answers}, which betrays it."
    if stop.later:
        verb = "asks" if len(stop.later) == 1 else "ask"
        yield f"Later {listed(stop.later)} {verb}: {recall.prompt} The answer is {recall.answer}."
    yield f"In the answers that What to look at again saves as JSON no `betrays` is {stop.number}."
