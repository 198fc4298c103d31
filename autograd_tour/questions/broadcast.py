"""A tensor that was broadcast: its gradient is a sum."""

from __future__ import annotations

import math
from collections.abc import Iterator

from autograd_tour.questions.base import (
    Mistake,
    Question,
    Subject,
    Wrong,
    first,
    mixed,
    numeric,
    plain,
    where,
)
from autograd_tour.record.facts import TensorFacts
from autograd_tour.record.rule import Apply, Expression, Symbol
from autograd_tour.rules.evaluate import symbols
from autograd_tour.text import number
from autograd_tour.views.steps import Frame, Sent

__all__ = ["questions"]

SUM = "their sum"
FEW = 4
"""So many numbers a person adds up."""
EXACT = 1e-3


def questions(subject: Subject) -> Iterator[Question]:
    """One of a plain sum, to be told in words, and one of a sum of products, to be computed."""
    summed = [
        (frame, sent)
        for frame in subject.frames
        for sent in frame.sent
        if "broadcast" in sent.edge.marks
        and subject.graph.leaf_of(sent.edge.dst)
        and not subject.vague(frame.node)
        and not subject.vague(sent.edge.dst)
    ]
    for kind in (_plain_sum, _products):
        asked = (kind(subject, frame, sent) for frame, sent in summed)
        question = next((question for question in asked if question is not None), None)
        if question is not None:
            yield question


def _under_the_sum(sent: Sent) -> Expression | None:
    """What is summed to the smaller shape."""
    rule = sent.edge.rule
    return rule.arguments[0] if isinstance(rule, Apply) and rule.function == "sum_to" else None


def _plain_sum(subject: Subject, frame: Frame, sent: Sent) -> Question | None:
    """What arrives at the leaf, ``None`` if the sum cannot be told from its first part and from the mean."""
    incoming = next((facts for facts in frame.received if facts is not None), None)
    part, total = first(incoming), first(sent.facts)
    if not isinstance(_under_the_sum(sent), Symbol) or incoming is None or sent.facts is None:
        return None
    if part is None or not total or sent.facts.numel == 0:
        return None
    many = incoming.numel // sent.facts.numel
    mean = total / many
    if many < 2 or not all(numeric(total, ((value, "", 4),)) for value in (part, mean)):
        return None
    leaf = subject.called(sent.edge.dst)
    each = f"each element of {leaf}" if sent.facts.numel > 1 else leaf
    wrong = (
        Wrong(
            "all of them, side by side",
            f"A gradient has the shape of its tensor; the {many} that come back belong to the same number.",
            4,
        ),
        Wrong(
            "the first of them", f"You took the first of the {many}, {number(part)}; all of them count.", 4
        ),
        Wrong("their mean", f"You took the mean, {number(mean)}; broadcasting is undone by a sum.", 4),
    )
    question_id = f"sum-{frame.node}-{sent.edge.dst}"
    return Question(
        question_id,
        "broadcast",
        f"In {subject.called(frame.node)}, {each} is used {many} times, so {many} gradients come back for "
        f"it. What arrives at {leaf}?",
        SUM,
        f"All {many} are added: {each} took part {many} times. It is {number(total)}{where(sent.facts)}.",
        wrong,
        mixed(question_id, SUM, *(item.answer for item in wrong)),
        0.0,
        subject.graph.leaf_of(sent.edge.dst),
        frame.number,
        f"{subject.graph.leaf_of(sent.edge.dst)}.mailbox",
    )


def _products(subject: Subject, frame: Frame, sent: Sent) -> Question | None:
    """The sum of a few products, ``None`` if it is none or not all of its numbers are known."""
    rule, incoming, facts = _under_the_sum(sent), _only(frame), sent.facts
    if not isinstance(rule, Apply) or incoming is None or facts is None or facts.numel != 1:
        return None
    if frame.node in subject.asked or sent.edge.dst in subject.given or not 2 <= incoming.numel <= FEW:
        return None
    others = [symbol for symbol in symbols(rule) if symbol.role != "gradient"]
    if (
        rule.function != "mul"
        or len(others) != 1
        or rule.arguments[0] != Symbol("gradient")
        or rule.arguments[1] != others[0]
    ):
        return None
    key = others[0].name if others[0].role == "saved" else others[0].slot
    gradients = _numbers(incoming)
    factors = _numbers(subject.operands.get(frame.node, {}).get((others[0].role, key)))
    total = first(facts)
    if gradients is None or factors is None or len(gradients) != len(factors) or not total:
        return None
    terms = [g * x for g, x in zip(gradients, factors, strict=True)]
    if not math.isclose(sum(terms), total, rel_tol=EXACT):
        return None
    leaf, count = subject.called(sent.edge.dst), len(terms)
    name = others[0].alias or others[0].name or "the other factor"
    wrong = numeric(total, _mistakes(gradients, factors, terms, name))
    if not wrong:
        return None
    subject.given.add(frame.node)
    subject.asked.add(sent.edge.dst)
    written = " + ".join(
        f"{_bracketed(g)} × {_bracketed(x)}" for g, x in zip(gradients, factors, strict=True)
    )
    return Question(
        f"products-{frame.node}-{sent.edge.dst}",
        "broadcast",
        f"In {subject.called(frame.node)}, {leaf} is used {count} times. The gradients that come in are "
        f"{_listed(gradients)}; {name} is {_listed(factors)}. What arrives at {leaf}?",
        number(total),
        f"Each use sends its gradient times {name}, and all uses are added: {written} = {number(total)}.",
        wrong,
        node=subject.graph.leaf_of(sent.edge.dst),
        frame=frame.number,
        blank=f"{subject.graph.leaf_of(sent.edge.dst)}.mailbox"
        if len(subject.arrivals.get((sent.edge.dst, 0), ())) == 1
        else "",
    )


def _mistakes(gradients: list[float], factors: list[float], terms: list[float], name: str) -> list[Mistake]:
    """What comes out without the sum, without the factor, and as a mean."""
    return [
        (terms[0], f"that is the first use alone; all {len(terms)} are added.", 4),
        (sum(gradients), f"you left out {name}: each gradient is multiplied by it before they are added.", 2),
        (sum(terms) / len(terms), "you took the mean; broadcasting is undone by a sum.", 4),
        (
            sum(gradients) * sum(factors),
            "you summed before you multiplied; each use has a factor of its own.",
            4,
        ),
        (terms[-1], "that is the last use alone; a use does not overwrite another one.", 3),
        (2 * sum(terms), "you summed twice; each use counts once.", 4),
        (-sum(terms), "the size is right; the sign is not.", 2),
    ]


def _only(frame: Frame) -> TensorFacts | None:
    arrived = [facts for facts in frame.received if facts is not None]
    return arrived[0] if len(arrived) == 1 else None


def _numbers(facts: TensorFacts | None) -> list[float] | None:
    """All elements, if they are known and finite."""
    if facts is None or len(facts.first) != facts.numel:
        return None
    values = [value for value in map(plain, facts.first) if value is not None]
    return values if len(values) == facts.numel else None


def _listed(values: list[float]) -> str:
    return f"{', '.join(map(number, values[:-1]))} and {number(values[-1])}"


def _bracketed(value: float) -> str:
    text = number(value)
    return f"({text})" if text.startswith("−") else text
