"""Rows that are looked up: what an unused one gets, and one that is used several times."""

from __future__ import annotations

import math
from collections.abc import Iterator

from autograd_tour.questions.accumulation import sum_text
from autograd_tour.questions.base import Question, Subject, Wrong, element_name, mixed, numeric, target_of
from autograd_tour.questions.routing import known_at, routed_edges
from autograd_tour.record.facts import TensorFacts
from autograd_tour.text import number
from autograd_tour.views.steps import Frame, Sent

__all__ = ["rows", "twice"]

ZEROS = "zeros"
NONE = "None: what is not used has no gradient"
SAME = "the same as for the others"
FEWER = "nothing: the gradient has only the used ones"


def _lookups(subject: Subject) -> Iterator[tuple[Frame, Sent, TensorFacts, tuple[int, ...], int, int]]:
    """Look-ups of rows: (frame, sent, what came in, the indices, how many rows, how long one is)."""
    for frame, sent, rule, incoming in routed_edges(subject, "rows_added", "added_at"):
        shape, facts = rule.option("shape"), sent.facts
        if not shape or rule.option("scale") or facts is None or facts.shape != tuple(shape):
            continue
        attributes = dict(subject.nodes[frame.node].attributes)
        if attributes.get("sparse"):
            continue
        if rule.function == "added_at" and rule.option("kind") != "lists":
            continue
        saved = [item.facts for item in subject.nodes[frame.node].saved if item.name.startswith("indices")]
        if len(saved) != 1 or saved[0] is None or len(saved[0].first) != saved[0].numel:
            continue
        long = math.prod(shape[1:])
        padding = attributes.get("padding_idx", -1)
        indices = [value for value in saved[0].first if type(value) is int]
        if len(indices) != saved[0].numel or incoming.numel != len(indices) * long or padding in indices:
            continue
        yield frame, sent, incoming, tuple(index % shape[0] for index in indices), shape[0], long


def rows(subject: Subject) -> Iterator[Question]:
    """A row that no index asked for."""
    for frame, sent, _, indices, count, long in _lookups(subject):
        assert sent.facts is not None
        unused = next((row for row in range(count) if row not in indices), None)
        if unused is None or not _is_zero(sent.facts, unused * long, (count - len(set(indices))) * long):
            continue
        target = target_of(subject, sent.edge)
        question_id = f"unused-{frame.node}-{sent.edge.dst}"
        used = sorted(set(indices))
        listed = ", ".join(map(str, used[:8])) + (" and others" if len(used) > 8 else "")
        yield Question(
            question_id,
            "rows",
            f"{subject.called(frame.node)} uses {'rows' if long > 1 else 'elements'} {listed} of {target}, "
            f"which has {count}. What does it send back for {target}[{unused}]?",
            ZEROS,
            f"The gradient has the shape of {target}, so there is a place for {target}[{unused}] too; the "
            "result does not follow it, so its slope is 0.",
            (
                Wrong(
                    NONE, f"None is for a whole tensor; {target} has a gradient, with 0 in unused places.", 12
                ),
                Wrong(SAME, "Only what was looked up moves the result.", 19),
                Wrong(
                    "nothing: the gradient has only the used ones",
                    "A gradient has the shape of its tensor (unless it is asked to be sparse).",
                    4,
                ),
            ),
            mixed(question_id, ZEROS, NONE, SAME, "nothing: the gradient has only the used ones"),
            0.0,
            frame.node,
            frame.number,
        )
        return


def _is_zero(facts: TensorFacts, position: int, zeros: int) -> bool:
    """Whether the record says that the element at ``position`` is 0, itself or by its count of zeros."""
    if position < len(facts.first):
        return known_at(facts, position) == 0
    return facts.stats is not None and facts.stats.zero is not None and facts.stats.zero >= zeros


def twice(subject: Subject) -> Iterator[Question]:
    """A row that was looked up several times gets the sum."""
    for frame, sent, incoming, indices, _, long in _lookups(subject):
        assert sent.facts is not None
        repeated = [row for row in dict.fromkeys(indices) if 2 <= indices.count(row) <= 4]
        for row in repeated:
            positions = [k * long for k, index in enumerate(indices) if index == row]
            terms = [value for k in positions if (value := known_at(incoming, k)) is not None]
            total = known_at(sent.facts, row * long)
            if len(terms) != len(positions) or total is None or not all(terms):
                continue
            if not math.isclose(sum(terms), total, rel_tol=1e-3) or frame.node in subject.asked:
                continue
            count = len(terms)
            mistakes = [
                (terms[-1], "you let the last use overwrite the others; they are added.", 19),
                (terms[0], f"that is one of {count} uses; each sends its own.", 3),
                (total / count, "you took the mean; the moves of all uses add up.", 3),
                (2 * total, "you summed twice; each use counts once.", 3),
                (0.0, "it was looked up, so it does move the result.", 19),
            ]
            wrong = numeric(total, mistakes)
            if not wrong:
                continue
            subject.given.add(frame.node)
            target = target_of(subject, sent.edge)
            element = element_name(target, sent.facts, row * long)
            listed = ", ".join(map(number, terms[:-1]))
            yield Question(
                f"twice-{frame.node}-{sent.edge.dst}",
                "rows",
                f"{subject.called(frame.node)} uses {target}[{row}] {count} times. For {element} come back "
                f"{listed} and {number(terms[-1])}. What does it send to {element}?",
                number(total),
                f"Each use sends its own, and they are added: {sum_text(terms, total)}.",
                wrong,
                node=frame.node,
                frame=frame.number,
            )
            return
