"""The gradient on an edge: the one that comes in, times the local derivative."""

from __future__ import annotations

from collections.abc import Iterator

from autograd_tour.questions.base import Mistake, Question, Subject, first, numeric, target_of, where
from autograd_tour.record.facts import TensorFacts
from autograd_tour.record.rule import Symbol, Words
from autograd_tour.rules.evaluate import symbols
from autograd_tour.rules.mistakes import mistakes
from autograd_tour.rules.wording import short
from autograd_tour.text import number, one_line
from autograd_tour.views.steps import Frame, Sent
from autograd_tour.views.worked import on_first_elements

__all__ = ["questions"]

MOST = 3


def questions(subject: Subject) -> Iterator[Question]:
    """Edges whose rule does more than pass the gradient on, and that one element can tell; one of a kind."""
    telling = [
        (frame, sent)
        for frame in subject.frames
        for sent in frame.sent
        if sent.worked is not None and not sent.worked.terms and not sent.worked.element
        if sent.edge.dst not in subject.given and sent.edge.dst not in subject.asked
        if _changes(frame, sent) and _is_unambiguous(subject, frame, sent)
    ]
    kinds: dict[str, tuple[Frame, Sent]] = {}
    for frame, sent in telling:
        kinds.setdefault(subject.nodes[frame.node].grad_fn, (frame, sent))
    different = list(kinds.values())
    for frame, sent in different[:: max(1, len(different) // MOST)][:MOST]:
        yield _question(subject, frame, sent)


def _incoming(frame: Frame) -> float | None:
    return next((first(facts) for facts in frame.received if facts is not None), None)


def _changes(frame: Frame, sent: Sent) -> bool:
    incoming, sent_on = _incoming(frame), first(sent.facts)
    return bool(incoming) and bool(sent_on) and incoming != sent_on


def _is_unambiguous(subject: Subject, frame: Frame, sent: Sent) -> bool:
    """Whether words can say which edge is meant."""
    names = [target_of(subject, other.edge) for other in frame.sent]
    return not subject.vague(frame.node) and names.count(target_of(subject, sent.edge)) == 1


def _question(subject: Subject, frame: Frame, sent: Sent) -> Question:
    incoming, answer = _incoming(frame), first(sent.facts)
    assert incoming is not None
    assert answer is not None
    assert sent.facts is not None
    assert sent.worked is not None
    node, target = subject.nodes[frame.node], subject.nodes[subject.graph.card_of(sent.edge.dst)]
    slot = sent.edge.slot[1]
    value = first(target.values[slot]) if slot < len(target.values) else None
    operation, name = subject.called(frame.node), target_of(subject, sent.edge)
    wrong = numeric(
        answer,
        (*_mistakes(subject, frame, sent), (value, "that is the value of forward, not a gradient.", 1)),
    )
    # A card shows the sum of what comes along all edges: a blank there asks for this one if it is alone.
    arrives = subject.received.get(sent.edge.dst, ())
    alone = slot < len(arrives) and arrives[slot] == sent.facts
    blank = f"{target.id}.mailbox" if target.kind == "leaf" else f"{target.id}.grad.{slot}"
    given = f"receives the gradient {number(incoming)}{where_in(frame)}"
    if frame.node in subject.asked:  # the number is the answer of an earlier question
        given = f"receives the gradient that an earlier question asks for{where_in(frame)}"
    elif number(incoming) in subject.answers:
        asked_of = subject.answers[number(incoming)]
        given = f"receives{where_in(frame)} the number that an earlier question asks for, sent to {asked_of}"
    subject.answers.setdefault(number(answer), name)
    if alone:
        subject.asked.add(sent.edge.dst)
    return Question(
        f"gradient-{frame.node}-{sent.edge.dst}-{sent.edge.slot[0]}",
        "gradient",
        f"Step {subject.graph.number_in_whole(frame.node)} of backward: {operation} {given}. "
        f"What gradient does it send to {name}{where(sent.facts)}?",
        number(answer),
        f"{one_line(sent.worked.text, 120)}: the gradient that comes in times the local derivative of "
        f"{operation} ({one_line(node.grad_fn, 60)}: {one_line(short(sent.edge.rule), 80)}).",
        wrong,
        node=frame.node,
        frame=frame.number,
        blank=blank if alone else "",
        given=_operands(subject, frame, sent),
    )


def _operands(subject: Subject, frame: Frame, sent: Sent) -> str:
    """``x is 2, w is 3``: the forward values that the rule reads; nothing if one of them is not known."""
    rule = sent.edge.rule
    if rule is None or isinstance(rule, Words):
        return ""
    values: list[str] = []
    several = False
    for symbol in symbols(on_first_elements(rule)):
        if symbol.role == "gradient":
            continue
        facts = _facts_of(subject, frame, symbol)
        name = "its result" if symbol.role == "result" else symbol.alias or symbol.name
        value = first(facts)
        if facts is None or value is None or not name or symbol.transposed:
            return ""
        several |= facts.numel > 1
        values.append(f"{one_line(name, 60)} is {number(value)}")
    return ", ".join(dict.fromkeys(values)) + (" (first elements)" if several else "")


def _facts_of(subject: Subject, frame: Frame, symbol: Symbol) -> TensorFacts | None:
    key = symbol.name if symbol.role == "saved" else symbol.slot
    return subject.operands.get(frame.node, {}).get((symbol.role, key))


def _mistakes(subject: Subject, frame: Frame, sent: Sent) -> list[Mistake]:
    """What a changed rule would give, and what whoever says so has done."""
    rule = sent.edge.rule
    if rule is None or isinstance(rule, Words):
        return []

    def value(symbol: Symbol) -> float | None:
        if symbol.role == "gradient":
            return _incoming(frame)
        return first(_facts_of(subject, frame, symbol))

    plain_rule = on_first_elements(rule)
    return [(wrong, remark, 2) for wrong, remark in mistakes(plain_rule, value, first(sent.facts))]


def where_in(frame: Frame) -> str:
    """Which element the number that comes in is, if there are several."""
    facts = next(facts for facts in frame.received if facts is not None)
    return "" if facts.numel == 1 else f" (the first of {facts.numel} elements)"
