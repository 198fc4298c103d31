"""Questions about a run: predict, then reveal. Every number comes from the record."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from autograd_tour.questions import (
    accumulation,
    broadcast,
    classification,
    empties,
    fan_out,
    faults,
    gradients,
    kept,
    lookups,
    nonfinite,
    order,
    routing,
    training,
)  # fmt: skip
from autograd_tour.questions.answers import Judgement, betrayed, judge, read_number
from autograd_tour.questions.base import Question, Subject, Wrong
from autograd_tour.questions.faults import breaking
from autograd_tour.questions.listing import listing
from autograd_tour.questions.paper import for_paper
from autograd_tour.questions.silent import effects
from autograd_tour.record.trace import Trace

__all__ = [
    "Judgement", "Question", "Wrong", "ask", "betrayed", "breaking", "effects", "for_paper", "judge",
    "listing", "read_number",
]  # fmt: skip

KINDS = (
    faults.questions,
    nonfinite.questions,
    fan_out.questions,
    classification.questions,
    routing.ties,
    routing.mask,
    lookups.rows,
    lookups.twice,
    broadcast.questions,
    gradients.questions,
    empties.questions,
    order.questions,
    kept.kept,
    kept.cut,
    accumulation.again,
    training.questions,
)
"""What is special in a program comes first: a number that it tells, no later question asks for."""


def ask(trace: Trace, about_faults: Sequence[Question] | None = None) -> tuple[Question, ...]:
    """Questions about ``trace`` as it is shown, in the order in which their answers come to light.

    Those about steps come first, in their order; then those about the whole, those about the ledger, and
    those about the run of a program that trains. A graph without a recorded backward has only what can be
    asked of it, maybe nothing. ``about_faults`` stand for those about faults that the record alone shows.
    """
    subject = Subject(trace.graph, trace.ledger, trace.run)
    kinds = KINDS if about_faults is None else KINDS[1:]
    every = [*(about_faults or ()), *chain.from_iterable(kind(subject) for kind in kinds)]
    return tuple(sorted(every, key=lambda question: question.frame or len(subject.frames)))
