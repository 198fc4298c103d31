"""Where ways back meet: what arrives at a tensor that was used several times."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from autograd_tour.questions.accumulation import sum_text
from autograd_tour.questions.base import Mistake, Question, Subject, first, numeric
from autograd_tour.record.facts import TensorFacts
from autograd_tour.record.numbers import exact_sum
from autograd_tour.text import number
from autograd_tour.views.steps import Timeline
from autograd_tour.views.sums import Part

__all__ = ["questions"]

MOST_PARTS = 4


def questions(subject: Subject) -> Iterator[Question]:
    """One tensor at which several gradients meet; a leaf if there is one."""
    meetings = [
        (node, slot, parts)
        for (node, slot), parts in subject.arrivals.items()
        if 2 <= len(parts) <= MOST_PARTS and not subject.vague(node)
    ]
    meetings.sort(key=lambda meeting: (not subject.graph.leaf_of(meeting[0]), -len(_different(meeting[2]))))
    for node, slot, parts in meetings:
        if (question := _question(subject, node, slot, parts)) is not None:
            yield question
            return


def _different(parts: Sequence[Part]) -> set[float | None]:
    return {first(part.facts) for part in parts}


def _question(subject: Subject, node: str, slot: int, parts: Sequence[Part]) -> Question | None:
    received = subject.received.get(node, ())
    facts = received[slot] if slot < len(received) else None
    terms = [value for part in parts if (value := first(part.facts)) is not None]
    total = first(facts)
    senders = [subject.called(part.edge.src) for part in parts]
    if facts is None or total is None or len(terms) != len(parts) or not all(terms):
        return None
    if any("hooked" in part.edge.marks or subject.vague(part.edge.src) for part in parts):
        return None
    if any(part.facts.shape != facts.shape for part in parts) or not math.isclose(
        exact_sum(terms), total, rel_tol=1e-3, abs_tol=1e-12
    ):
        return None
    wrong = numeric(total, _mistakes(terms, senders, total))
    if not wrong:
        return None
    card = subject.graph.card_of(node)
    name = subject.called(node) if subject.graph.leaf_of(node) else subject.result(subject.nodes[node])
    subject.asked.add(node)
    subject.given.add(node)
    listed = [f"{number(term)} from {sender}" for term, sender in zip(terms, senders, strict=True)]
    return Question(
        f"meet-{node}-{slot}",
        "fan-out",
        f"In one backward {len(parts)} gradients come back to {name}{_which(facts)}: "
        f"{', '.join(listed[:-1])}, and {listed[-1]}. What is the gradient of {name}?",
        number(total),
        f"Each use of {name} sends its own, and where ways meet they are added: {sum_text(terms, total)}.",
        wrong,
        node=card,
        frame=Timeline(subject.graph).arrivals(subject.nodes[node], slot)[-1],
        blank=f"{card}.mailbox" if subject.graph.leaf_of(node) else f"{card}.grad.{slot}",
    )


def _which(facts: TensorFacts) -> str:
    return "" if facts.numel == 1 else f" (the first of {facts.numel} elements each)"


def _mistakes(terms: Sequence[float], senders: Sequence[str], total: float) -> Iterator[Mistake]:
    count = len(terms)
    yield terms[-1], "you kept what arrives last; nothing is overwritten within a backward, it is added.", 3
    yield terms[0], f"that is one of the {count} ways back; all of them count.", 3
    yield total / count, "you took the mean; the moves of all uses add up.", 3
    yield math.prod(terms), "you multiplied; slopes multiply along one way, and where ways meet they add.", 2
    yield 2 * total, "you summed twice; each use counts once.", 3
    for term, sender in zip(terms, senders, strict=True):
        yield total - term, f"you left out the one from {sender}.", 3
    yield -total, "the size is right; the sign is not.", 2
