"""0 times infinity: an element at which a gradient becomes NaN."""

from __future__ import annotations

from collections.abc import Iterator

from autograd_tour.questions.base import Question, Subject, Wrong, element_name, numeric, plain, target_of
from autograd_tour.record.facts import TensorFacts
from autograd_tour.text import number
from autograd_tour.views.nonfinite import nonfinites

__all__ = ["questions"]


def questions(subject: Subject) -> Iterator[Question]:
    """The first operation that makes a NaN of a finite gradient."""
    begins = {key for key, mark in nonfinites(subject.graph).sent.items() if mark.begins and mark.nan}
    for frame in subject.frames:
        arrived = [facts for facts in frame.received if facts is not None]
        for sent in frame.sent:
            facts = sent.facts
            if (frame.node, sent.edge.slot[0]) not in begins or facts is None or len(arrived) != 1:
                continue
            position = next((k for k, value in enumerate(facts.first) if value == "nan"), None)
            if position is None or subject.vague(frame.node) or subject.vague(sent.edge.dst):
                continue
            came = _at(arrived[0], position)
            inner = subject.nodes[subject.graph.card_of(sent.edge.dst)]
            slot = sent.edge.slot[1]
            value = _at(inner.values[slot] if slot < len(inner.values) else None, position)
            result = _at(subject.nodes[frame.node].value, position)
            if came != 0 or value is None or result is None:
                continue
            operation = subject.called(frame.node)
            element = element_name(target_of(subject, sent.edge), facts, position)
            subject.given.add(frame.node)
            yield Question(
                f"nan-{frame.node}-{sent.edge.dst}",
                "nan",
                f"{operation} receives the gradient 0 for {element}, which is {number(value)}. Its slope "
                f"there is no finite number. What does it send to {element}?",
                "nan",
                "It multiplies: 0 times infinity is NaN. A 0 that comes in does not protect; the input must "
                "be kept away from there before the operation.",
                (
                    *numeric(
                        0.0, ((value, "that is the value of forward, not a gradient.", 1),) if value else ()
                    ),
                    Wrong("0", "0 times a finite slope is 0; 0 times infinity is NaN.", 20),
                    Wrong("inf", "The slope is not finite, but it is multiplied by 0, and that is NaN.", 20),
                    Wrong("None", "There is an edge, and something goes along it: NaN.", 12),
                ),
                node=frame.node,
                frame=frame.number,
            )
            return


def _at(facts: TensorFacts | None, position: int) -> float | None:
    if facts is None or not facts.first:
        return None
    if facts.numel == 1:
        return plain(facts.first[0])
    return plain(facts.first[position]) if position < len(facts.first) else None
