"""What is in ``.grad`` after a backward call of the program's own: what it held, was it emptied."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from autograd_tour.questions.accumulation import sum_text
from autograd_tour.questions.base import TOLERANCE, Mistake, Question, Wrong, first, mixed, where
from autograd_tour.questions.history import Draft, History, Leaf, LeafEvent, as_printed, of_number, ordinal
from autograd_tour.record.run import Event

__all__ = ["kept", "rebound", "sum_of_calls", "third", "zeroed"]

MOST_LINES = 6
"""More lines than these are not named one by one."""


class _Stretch(NamedTuple):
    """From what left a number in ``.grad`` to the next backward that reached the leaf.

    ``cause`` is what happened to ``.grad`` last before it: a zeroing, a rebinding, or nothing.
    """

    leaf: Leaf
    source: LeafEvent
    cause: LeafEvent | None
    deposit: LeafEvent
    held: float
    brought: float
    after: float


def _stretches(leaf: Leaf) -> Iterator[_Stretch]:
    source: LeafEvent | None = None
    cause: LeafEvent | None = None
    for item in leaf.events:
        kind = item.event.kind
        if kind == "backward":
            held = None if source is None else first(source.change.after)
            brought, after = first(item.change.contribution), first(item.change.after)
            if source is not None and held and brought and after is not None:
                stretch = _Stretch(leaf, source, cause, item, held, brought, after)
                if _is_sum(stretch):
                    yield stretch
            source, cause = item, None
        elif kind in ("zeroing", "rebinding"):
            cause = item
        elif kind in ("clipping", "gradient"):
            source, cause = item, None


def _is_sum(stretch: _Stretch) -> bool:
    """Whether what is there after the call is the sum of what was there before and what it brought."""
    before = first(stretch.deposit.change.before) or 0.0
    total = as_printed(before) + as_printed(stretch.brought)
    return math.isclose(total, stretch.after, rel_tol=TOLERANCE / 2)


def _usual_first(stretches: Iterator[_Stretch]) -> list[_Stretch]:
    """Those that end with the third backward call come first: its forward is not the one that is drawn."""
    return sorted(stretches, key=lambda stretch: stretch.deposit.event.backward_call != 3)


def zeroed(history: History) -> Iterator[Draft]:
    """A number was in ``.grad``, and a line emptied it before backward was called again."""
    for leaf in history.leaves:
        for stretch in _usual_first(_stretches(leaf)):
            cause = stretch.cause
            if cause is None or cause.event.kind != "zeroing" or first(stretch.deposit.change.before):
                continue
            line, both = history.line(cause.event), stretch.held + stretch.brought
            if not line:
                continue
            left = sum_text((first(cause.change.after), stretch.brought), stretch.after)
            draft = _draft(
                history,
                stretch,
                f"{line} empties it before, and backward adds to what is left there: {left}.",
                (
                    (both, f"you assumed that nothing was zeroed; {line} runs before.", 12),
                    (0.0, "the zeroing comes before backward, and backward puts the new gradient there.", 14),
                    (stretch.held, f"that is what was there before {line}.", 12),
                ),
            )
            if draft is not None:
                yield draft


def kept(history: History) -> Iterator[Draft]:
    """A number was in ``.grad``, and nothing emptied it before backward was called again."""
    for leaf in history.leaves:
        for stretch in _stretches(leaf):
            before = first(stretch.deposit.change.before)
            if stretch.cause is not None or before != stretch.held:
                continue
            events = history.between(stretch.source.position, stretch.deposit.position)
            others = [history.line(event) for event in events if event.kind == "zeroing" and event.changes]
            elsewhere = f" ({others[0]} empties that of other leaves)" if any(others[:1]) else ""
            draft = _draft(
                history,
                stretch,
                f"No line empties {leaf.name}.grad in between{elsewhere}, and backward adds: "
                f"{sum_text((before, stretch.brought), stretch.after)}.",
                (
                    (
                        stretch.brought,
                        f"you assumed that {leaf.name}.grad was emptied or overwritten; no line empties it "
                        f"in between{elsewhere}, and backward adds.",
                        6,
                    ),
                    (0.0, "nothing empties it, and backward adds to it.", 6),
                    (stretch.held * stretch.brought, "gradients of calls are added, not multiplied.", 6),
                    (stretch.after / 2, "you assumed an average; .grad is a sum.", 15),
                ),
            )
            if draft is not None:
                yield draft


def rebound(history: History) -> Iterator[Draft]:
    """The name stands for a new tensor by then, whose ``.grad`` starts empty."""
    for leaf in history.leaves:
        for stretch in _usual_first(_stretches(leaf)):
            cause = stretch.cause
            if cause is None or cause.event.kind != "rebinding" or stretch.deposit.change.before is not None:
                continue
            line = history.line(cause.event)
            if not line:
                continue
            new = f"{line} makes {leaf.name} a new tensor, and its .grad starts empty"
            draft = _draft(
                history,
                stretch,
                f"{new}: {sum_text((None, stretch.brought), stretch.after)}.",
                (
                    (stretch.held + stretch.brought, f"you added what the old tensor had; {new}.", 14),
                    (stretch.held, f"that is what the old tensor had; {new}.", 14),
                ),
            )
            if draft is not None:
                yield draft


def _draft(history: History, stretch: _Stretch, right: str, mistakes: tuple[Mistake, ...]) -> Draft | None:
    leaf, deposit, source = stretch.leaf, stretch.deposit, stretch.source
    opening = _call(source) if source.event.kind == "backward" else history.line(source.event)
    facts = deposit.change.after
    if not opening or facts is None:
        return None
    events = history.between(source.position, deposit.position)
    question = of_number(
        f"deposit-{leaf.number}-{deposit.event.backward_call}",
        "accumulation",
        f"{opening} leaves {history.amount(source.result, stretch.held)} in {leaf.name}.grad{where(facts)}. "
        f"{_lines(history, leaf, events, 'Then this runs')} {_call(deposit)} brings "
        f"{history.amount(deposit.contribution, stretch.brought)} to {leaf.name}. "
        f"What is {leaf.name}.grad then?",
        stretch.after,
        right,
        mistakes,
        leaf.node,
    )
    return (
        None if question is None else Draft(question, deposit.result, (source.result, deposit.contribution))
    )


def _call(deposit: LeafEvent) -> str:
    return f"The {ordinal(deposit.event.backward_call)} backward()"


def _lines(history: History, leaf: Leaf, events: list[Event], opening: str) -> str:
    """What runs in between, line by line, behind ``opening``."""
    lines = list(dict.fromkeys(line for event in events if (line := history.line(event))))
    if not events:
        return "Nothing else happens to any leaf in between."
    if len(lines) <= MOST_LINES and all(map(history.line, events)):
        return f"{opening}: {'; '.join(lines)}." if lines else ""
    telling = [
        event
        for event in events
        if event.kind == "zeroing" or any(change.leaf == leaf.number for change in event.changes)
    ]
    lines = list(dict.fromkeys(line for event in telling if (line := history.line(event))))[-MOST_LINES:]
    return f"{opening}, among others: {'; '.join(lines)}." if lines else "Other lines run."


def third(history: History) -> Iterator[Draft]:
    """Where ``.grad`` stands after three calls with nothing emptied between them."""
    for leaf in history.leaves:
        stretches = [
            stretch
            for stretch in _stretches(leaf)
            if stretch.cause is None and stretch.source.event.kind == "backward"
        ]
        for earlier, later in pairwise(stretches):
            opening = earlier.source
            started = first(opening.change.contribution)
            if later.source != earlier.deposit or first(opening.change.before) or started is None:
                continue
            terms = (started, earlier.brought, later.brought)
            facts = later.deposit.change.after
            total = sum(map(as_printed, terms))
            if facts is None or not math.isclose(total, later.after, rel_tol=TOLERANCE / 2):
                continue
            calls = (opening, earlier.deposit, later.deposit)
            events = history.between(opening.position, later.deposit.position)
            others = [event for event in events if event is not earlier.deposit.event]
            texts = [history.amount(c.contribution, term) for c, term in zip(calls, terms, strict=True)]
            names = [ordinal(item.event.backward_call) for item in calls]
            empty = "None" if opening.change.before is None else "0"
            question = of_number(
                f"third-{leaf.number}-{later.deposit.event.backward_call}",
                "accumulation",
                f"The {names[0]}, the {names[1]} and the {names[2]} backward() bring {texts[0]}, {texts[1]} "
                f"and {texts[2]} to {leaf.name}{where(facts)}, and {leaf.name}.grad is {empty} before the "
                f"{names[0]}. {_lines(history, leaf, others, 'Between them this runs')} "
                f"What is {leaf.name}.grad after the {names[2]}?",
                later.after,
                f"No line empties {leaf.name}.grad between them, so all three are in it: "
                f"{sum_text(terms, later.after)}.",
                (
                    (terms[2], "that is what the last call brought; nothing emptied .grad before it.", 6),
                    (terms[1] + terms[2], f"you left out the {names[0]} call, which is still in there.", 6),
                    (later.after / 3, "you assumed an average; .grad is a sum.", 15),
                    (0.0, "nothing empties it, and backward adds to it.", 6),
                ),
                leaf.node,
            )
            if question is not None:
                yield Draft(question, later.deposit.result, tuple(c.contribution for c in calls))


def sum_of_calls(history: History) -> Iterator[Draft]:
    """A step that uses the sum of several calls: which ones?"""
    for leaf in history.leaves:
        for item in leaf.events:
            line = history.line(item.event)
            if item.event.kind != "step" or item.change.grad is None or not line:
                continue
            calls = _calls_in(leaf, item)
            terms = [first(call.change.contribution) for call in calls]
            total, numbers = first(item.change.grad), [call.event.backward_call for call in calls]
            if len(calls) < 2 or total is None or not all(terms):
                continue
            if not math.isclose(sum(term or 0.0 for term in terms), total, rel_tol=TOLERANCE / 2):
                continue
            yield Draft(_which_calls(leaf, line, item, numbers, sum_text(terms, total)))


def _calls_in(leaf: Leaf, step: LeafEvent) -> list[LeafEvent]:
    """The calls whose gradients a step finds in ``.grad``; none if it holds anything else."""
    calls: list[LeafEvent] = []
    for item in leaf.events:
        if item.position >= step.position:
            break
        if item.event.kind == "backward":
            calls = [*calls, item] if calls or not first(item.change.before) else []
        elif item.event.kind not in ("step", "update"):
            calls = []
    return calls


def _which_calls(leaf: Leaf, line: str, step: LeafEvent, numbers: list[int], total: str) -> Question:
    names = list(map(ordinal, numbers))
    answer = f"of the {', the '.join(names[:-1])} and the {names[-1]}"
    wrong = [
        Wrong(
            f"of the {names[-1]} alone",
            f"No line empties {leaf.name}.grad between these calls; each adds to what is there.",
            6,
        ),
        Wrong(
            f"of the {names[0]} alone",
            "Each call adds to what is there; none of them is left out.",
            6,
        ),
        Wrong(
            f"the mean of these {len(names)}",
            f"backward adds, and nothing here divides .grad: it holds {total}.",
            15,
        ),
    ]
    return Question(
        f"calls-{leaf.number}-{step.position}",
        "accumulation",
        f"{line} runs after the {names[-1]} backward(). Of which backward() calls are the gradients in "
        f"{leaf.name}.grad, which it uses?",
        answer,
        f"Their sum is in it{'' if step.change.grad is None else where(step.change.grad)}: {total}.",
        tuple(wrong),
        mixed(f"calls-{leaf.number}-{step.position}", answer, *(item.answer for item in wrong)),
        0.0,
        leaf.node,
    )
