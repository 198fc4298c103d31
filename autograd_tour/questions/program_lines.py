"""Which line of a program does what to a leaf, when one runs, and how often."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise, takewhile

from autograd_tour.questions.base import Question, Wrong, mixed
from autograd_tour.questions.history import Draft, History, Leaf, of_number
from autograd_tour.record.run import Event, EventKind
from autograd_tour.text import one_line

__all__ = ["changes_value", "closure_calls", "when_emptied"]

OF_VALUE: frozenset[EventKind] = frozenset({"step", "update", "rebinding"})
CHOICES = 4
_UNZEROED: frozenset[tuple[EventKind, EventKind]] = frozenset({("step", "backward"), ("update", "backward")})
_USUAL: tuple[EventKind, ...] = (
    "step", "update", "rebinding", "backward", "zeroing", "clipping", "gradient", "forward",
)  # fmt: skip
"""What is taken for a change of the value, the most usual first."""


def changes_value(history: History) -> Iterator[Draft]:
    """Which line changes the value of a leaf."""
    for leaf in history.leaves:
        lines = {
            history.line(event)
            for event in history.run.events
            if event.kind in OF_VALUE and _reaches(event, leaf)
        }
        if len(lines) != 1 or "" in lines:
            continue
        (answer,) = lines
        others: dict[str, str] = {}
        for event in sorted(history.run.events, key=lambda event: _distance(leaf, event)):
            line = history.line(event)
            if line and line != answer and (remark := _remark(history, leaf, event)):
                others.setdefault(line, remark)
        wrong = tuple(Wrong(line, remark, 14) for line, remark in list(others.items())[: CHOICES - 1])
        if len(wrong) < 2:
            continue
        yield Draft(
            Question(
                f"line-{leaf.number}",
                "line",
                f"Which of these lines changes the value of {leaf.name}?",
                answer,
                f"{answer} changes {leaf.name}; backward() and zeroing change only {leaf.name}.grad.",
                wrong,
                mixed(f"line-{leaf.number}", answer, *(item.answer for item in wrong)),
                0.0,
                leaf.node,
            )
        )


def _reaches(event: Event, leaf: Leaf) -> bool:
    return any(change.leaf == leaf.number for change in event.changes)


def _distance(leaf: Leaf, event: Event) -> tuple[bool, int]:
    """How likely the line of ``event`` is taken for the one that changes the value of ``leaf``."""
    return not _reaches(event, leaf), _USUAL.index(event.kind)


def _remark(history: History, leaf: Leaf, event: Event) -> str:
    """What a line does that does not change the value of ``leaf``; nothing if it did nothing."""
    if event.kind == "forward":
        return "It is part of the forward pass, which reads values and changes none of them."
    names = [one_line(history.run.leaves[change.leaf].name, 60) for change in event.changes]
    if not names:
        return ""
    others = " and ".join(names) if len(names) <= 2 else f"{len(names)} leaves"
    reached = _reaches(event, leaf)
    if event.kind in OF_VALUE:
        return "" if reached else f"It changes {others}, not {leaf.name}."
    owner = leaf.name if reached else others
    deed = {
        "backward": f"backward() adds to .grad of {owner}",
        "zeroing": f"It empties .grad of {owner}",
    }.get(event.kind, f"It changes .grad of {owner}")
    return f"{deed}; no value changes."


def when_emptied(history: History) -> Iterator[Draft]:
    """Between which two lines ``.grad`` is emptied, if that is where it should be."""
    for leaf in history.leaves:
        lines: set[tuple[str, str, str]] = set()
        for before, item, after in zip(leaf.events, leaf.events[1:], leaf.events[2:], strict=False):
            if item.event.kind == "zeroing":
                lines.add(tuple(history.line(part.event) for part in (before, item, after)))  # type: ignore[arg-type]
                if before.event.kind not in ("step", "update") or after.event.kind != "backward":
                    lines.add(("", "", ""))
        every = {history.line(item.event) for item in leaf.events if item.event.kind == "zeroing"}
        kinds = [item.event.kind for item in leaf.events]
        unzeroed = any(pair in _UNZEROED for pair in pairwise(kinds))
        if len(lines) != 1 or len(every) != 1 or unzeroed:
            continue
        step, zeroing, backward = next(iter(lines))
        if len({step, zeroing, backward, ""}) == 4:
            yield Draft(_when_emptied(leaf, step, zeroing, backward))


def _when_emptied(leaf: Leaf, step: str, zeroing: str, backward: str) -> Question:
    answer = f"after {step}, before the next {backward}"
    early = f"after {backward}, before the next {step}"
    both = "at both of these moments"
    right = f"So {leaf.name}.grad holds only what came since {step} last ran, when that line runs again."
    wrong = (
        Wrong(
            early, f"Then {leaf.name}.grad would be empty when {step} runs; it still holds the gradient.", 14
        ),
        Wrong(both, f"Between {backward} and {step} nothing empties it: the step needs what is there.", 14),
    )
    return Question(
        f"when-{leaf.number}",
        "moment",
        f"When does {zeroing} empty {leaf.name}.grad?",
        answer,
        right,
        wrong,
        mixed(f"when-{leaf.number}", answer, early, both),
        0.0,
        leaf.node,
    )


def closure_calls(history: History) -> Iterator[Draft]:
    """How often a step called backward itself, as that of LBFGS does."""
    lines: set[str] = set()
    for position, event in enumerate(history.events):
        line = history.line(event)
        if event.kind != "step" or event.inside or line in lines:
            continue  # of a later run of the line nothing is said
        lines.add(line)
        earlier = list(
            takewhile(lambda other: other.inside == event.call, reversed(history.events[:position]))  # noqa: B023
        )[::-1]
        if any(other.kind == "step" for other in earlier):
            continue  # which of them called backward?
        inside = [other for other in earlier if other.kind == "backward"]
        count = len(inside)
        numbers = [other.backward_call for other in inside]
        if count < 2 or not line or numbers != list(range(numbers[0], numbers[0] + count)):
            continue
        question = of_number(
            f"closure-{position}",
            "step",
            f"The first time that {line} runs, how often is backward() called inside it?",
            count,
            f"{one_line(event.call, 40)} calls its closure as often as it needs: here {count} times, and "
            "each call runs a forward and a backward of its own.",
            (
                (
                    1,
                    "that is once for each step; this optimizer needs the gradient several times in one.",
                    16,
                ),
                (0, "its closure calls backward(), and the step calls its closure.", 16),
                (count - 1, "nearly; there is one call more.", 16),
                (count + 1, "nearly; there is one call less.", 16),
            ),
            "",
        )
        if question is not None:
            yield Draft(question)
        return
