"""Gradients that go to some elements only: masks, and equal maxima."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from autograd_tour.questions.base import (
    Question,
    Subject,
    Wrong,
    element_name,
    numeric,
    plain,
    target_of,
)  # fmt: skip
from autograd_tour.record.facts import Number, TensorFacts
from autograd_tour.record.rule import Apply, Constant, Expression, Symbol
from autograd_tour.rules.evaluate import symbols
from autograd_tour.text import number
from autograd_tour.views.steps import Frame, Sent

__all__ = ["known_at", "mask", "routed_edges", "ties"]


def routed_edges(subject: Subject, *functions: str) -> Iterator[tuple[Frame, Sent, Apply, TensorFacts]]:
    """Gradients that a rule of one of these functions sends, with the only gradient that came in."""
    for frame in subject.frames:
        arrived = [facts for facts in frame.received if facts is not None]
        if len(arrived) != 1 or subject.vague(frame.node):
            continue
        for sent in frame.sent:
            rule = sent.edge.rule
            unclear = "hooked" in sent.edge.marks or subject.vague(sent.edge.dst) or sent.facts is None
            if isinstance(rule, Apply) and rule.function in functions and not unclear:
                yield frame, sent, rule, arrived[0]


def _at(facts: TensorFacts | None, position: int) -> Number | None:
    """An element, if it was kept; a lone one stands for all."""
    if facts is None or not facts.first:
        return None
    if facts.numel == 1:
        return facts.first[0]
    return facts.first[position] if position < len(facts.first) else None


def known_at(facts: TensorFacts | None, position: int) -> float | None:
    """The element at ``position``, if it was kept and is a finite number; a lone one stands for all."""
    return plain(_at(facts, position))


# ---- masks -----------------------------------------------------------------------------------------


def mask(subject: Subject) -> Iterator[Question]:
    """An element that a mask holds back, and one that was filled with −inf."""
    for frame, sent, rule, incoming in routed_edges(subject, "mul"):
        condition = _indicator(rule)
        if condition is None or frame.node in subject.asked:
            continue
        filled = "-inf" in subject.nodes[frame.node].numbers
        for position in range(min(len(sent.facts.first), sent.facts.numel) if sent.facts else 0):
            came = known_at(incoming, position)
            if known_at(sent.facts, position) != 0 or came is None:
                continue
            if came == 0 and not (filled and _at(subject.nodes[frame.node].value, position) == "-inf"):
                continue
            subject.zeros.add(sent.edge.dst)
            yield _mask(subject, frame, sent, position, came)
            return


def _indicator(rule: Apply) -> Expression | None:
    """The condition of a rule that hands the gradient on or stops it."""
    if rule.arguments[0] != Symbol("gradient"):
        return None
    factor = rule.arguments[1]
    if isinstance(factor, Symbol):
        return factor if factor.name == "scaled mask" else None
    if isinstance(factor, Apply) and factor.function == "where":
        return factor.arguments[0] if factor.arguments[1:] == (Constant(1), Constant(0)) else None
    return None


def _mask(subject: Subject, frame: Frame, sent: Sent, position: int, came: float) -> Question:
    node, facts = subject.nodes[frame.node], sent.facts
    assert facts is not None
    target = target_of(subject, sent.edge)
    element = element_name(target, facts, position)
    inner = subject.nodes[subject.graph.card_of(sent.edge.dst)]
    slot = sent.edge.slot[1]
    value = known_at(inner.values[slot] if slot < len(inner.values) else None, position)
    result = _at(node.value, position)
    operation = subject.called(node.id)
    gone = "None says that there is no edge at all; here there is one, and it carries a 0."
    mistakes = [
        (
            came,
            "you handed it on; at this element the result does not follow the input, so nothing passes.",
            19,
        ),
        (-came, "nothing passes here, whatever the sign.", 19),
        (value, "that is the value of forward, not a gradient.", 1),
    ]
    if result == "-inf":
        given = f"{operation} puts −inf in place of {element}. What gradient comes back to {element}?"
        wrong: tuple[Wrong, ...] = (
            Wrong("nan", "Nothing multiplies 0 by −inf: a filled element hands on 0, whatever came in.", 20),
            Wrong("−inf", "That is the value of forward, not a gradient.", 1),
        )
        right = f"{element} was replaced, so the result does not follow it: the mask sends 0 there."
    else:
        subject.given.add(frame.node)
        now = f", which is {number(value)} in forward" if value is not None else ""
        given = (
            f"{operation} receives the gradient {number(came)} at element {_index(facts, position)}. What "
            f"gradient does it send to {element}{now}?"
        )
        wrong = ()
        right = _why_masked(subject, frame, sent, position)
    return Question(
        f"mask-{node.id}-{sent.edge.dst}",
        "mask",
        given,
        "0",
        right,
        (*numeric(0.0, mistakes if result != "-inf" else ()), *wrong, Wrong("None", gone, 12)),
        node=frame.node,
        frame=frame.number,
    )


def _index(facts: TensorFacts, position: int) -> str:
    return f"[{', '.join(map(str, facts.index(position)))}]"


def _why_masked(subject: Subject, frame: Frame, sent: Sent, position: int) -> str:
    """Why nothing passes, in the words of the operation."""
    rule = sent.edge.rule
    assert isinstance(rule, Apply)
    condition, operation = rule.arguments[1], subject.called(frame.node)
    for symbol in symbols(condition):
        name = symbol.alias or symbol.name
        value = _at(subject.operands.get(frame.node, {}).get(("saved", symbol.name)), position)
        if symbol.role == "saved" and isinstance(value, bool):
            assert sent.facts is not None
            return (
                f"{element_name(name, sent.facts, position)} is {value}, and {operation} takes the other "
                "value there: the result does not follow this element, so its gradient is 0."
            )
    if isinstance(condition, Symbol):
        return "Dropout set this element to 0 in forward; backward multiplies by the same 0."
    return f"The slope of {operation} is 0 at this element: 0 times what comes in is 0."


# ---- ties ------------------------------------------------------------------------------------------


def ties(subject: Subject) -> Iterator[Question]:
    """Equal extremes: shared by ``max()``, given to one of them by ``max(dim)``; one question of each."""
    asked: set[str] = set()
    for frame, sent, rule, incoming in routed_edges(subject, "shared_by_equals", "placed_at"):
        if rule.function in asked or frame.node in subject.asked or incoming.numel != 1:
            continue
        values = subject.operands.get(frame.node, {}).get(("input", 0))
        node = subject.nodes[frame.node]
        extreme, came = known_at(node.value, 0), known_at(incoming, 0)
        if values is None or len(values.first) != values.numel or extreme is None or not came:
            continue
        equal = [position for position, value in enumerate(values.first) if plain(value) == extreme]
        if len(equal) < 2 or sent.facts is None or len(sent.facts.first) != sent.facts.numel:
            continue
        if rule.function == "shared_by_equals":
            question = _shared(subject, frame, sent, equal, came)
        else:
            question = _chosen(subject, frame, sent, equal, came)
        if question is not None:
            subject.given.add(frame.node)
            asked.add(rule.function)
            yield question


def _tie(subject: Subject, frame: Frame, sent: Sent, equal: Sequence[int], came: float) -> str:
    assert sent.facts is not None
    target, operation = target_of(subject, sent.edge), subject.called(frame.node)
    extreme = known_at(subject.nodes[frame.node].value, 0)
    assert extreme is not None
    names = [element_name(target, sent.facts, position) for position in equal]
    listed = f"{', '.join(names[:-1])} and {names[-1]}"
    return (
        f"{operation} is {number(extreme)}, and {listed} are {'both' if len(equal) == 2 else 'all'} equal to "
        "it. It receives the gradient "
        f"{number(came)}."
    )


def _shared(subject: Subject, frame: Frame, sent: Sent, equal: Sequence[int], came: float) -> Question | None:
    facts = sent.facts
    assert facts is not None
    count, position = len(equal), equal[-1]
    part = known_at(facts, position)
    if part is None or not math.isclose(part, came / count, rel_tol=1e-4):
        return None
    element = element_name(target_of(subject, sent.edge), facts, position)
    mistakes = [
        (came, f"you gave each of them all of it; the {count} share it.", 19),
        (0.0, f"you gave it all to another one; without a dimension all {count} share it.", 19),
        (came / facts.numel, f"you shared it among all {facts.numel}; only {count} are equal.", 19),
        (came * count, f"you multiplied by {count}; they share, so it is divided.", 19),
    ]  # fmt: skip
    wrong = numeric(part, mistakes)
    return Question(
        f"tie-{frame.node}",
        "tie",
        f"{_tie(subject, frame, sent, equal, came)} What does it send to {element}?",
        number(part),
        f"Equal extremes share what comes in: {number(came)} ÷ {count} = {number(part)} for each.",
        wrong,
        node=frame.node,
        frame=frame.number,
    )


def _chosen(subject: Subject, frame: Frame, sent: Sent, equal: Sequence[int], came: float) -> Question | None:
    facts = sent.facts
    assert facts is not None
    winners = [position for position in equal if known_at(facts, position) == came]
    losers = [position for position in equal if known_at(facts, position) == 0]
    if len(winners) != 1 or len(winners) + len(losers) != len(equal):
        return None
    target = target_of(subject, sent.edge)
    winner, loser = (element_name(target, facts, positions[0]) for positions in (winners, losers))
    mistakes = [
        (came / len(equal), f"you let the {len(equal)} share it; with a dimension one index gets all.", 19),
        (came, "you gave each of them all of it; only the one at the index gets any.", 19),
        (came / facts.numel, f"you shared it among all {facts.numel} elements.", 19),
    ]  # fmt: skip
    return Question(
        f"tie-{frame.node}",
        "tie",
        f"{_tie(subject, frame, sent, equal, came)} The index it returns is that of {winner}. What does it "
        f"send to {loser}?",
        "0",
        f"Along a dimension one index is kept, and all of the gradient goes to it: {number(came)} to "
        f"{winner}, 0 to its equals. Which of equal ones that is, torch does not promise.",
        numeric(0.0, mistakes),
        node=frame.node,
        frame=frame.number,
    )
