"""The course of each leaf through a run: what one event leaves is what the next one finds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

from autograd_tour.checks.gradients import same_beyond, same_bits
from autograd_tour.record.facts import TensorFacts
from autograd_tour.record.run import OF_GRAD, Event, Run
from autograd_tour.record.verification import Gap
from autograd_tour.tracer.follow.log import MOST_EVENTS

__all__ = ["gaps_in"]

Part = Literal["gradient", "value"]


class _Left(NamedTuple):
    """What the event ``by`` left in ``.grad`` or the value of a leaf, or what was there before all events."""

    facts: TensorFacts | None
    by: Event | None = None


def gaps_in(run: Run) -> tuple[Gap, ...]:
    """Each change of a leaf that no event tells, where events are told without a break.

    What is found where some were left out, as in a long run, says nothing.
    """
    return tuple(_gaps(run))


def _gaps(run: Run) -> Iterator[Gap]:
    left: dict[tuple[int, Part], _Left] = {}
    for number, leaf in enumerate(run.leaves):
        left[number, "value"] = _Left(leaf.value)
        left[number, "gradient"] = _Left(leaf.grad)
    for event, untold in zip(run.events, run.untold(), strict=True):
        if untold is not None:
            left.clear()
        yield from _looked_at(run, left, event, _found(event))
        for number, part, after in _leaves(event):
            left[number, part] = _Left(after, event)
        if event.kind == "rebinding":  # the other tensor has a .grad of its own, or is no leaf
            for change in event.changes:
                left[change.leaf, "gradient"] = _Left(change.grad, event)
                if change.after is None or not change.after.is_leaf:
                    left.pop((change.leaf, "value"), None)
                    left.pop((change.leaf, "gradient"), None)
    if _is_told_to_its_end(run):
        ends = ((n, leaf.final_value, leaf.final_grad) for n, leaf in enumerate(run.leaves))
        at_end = [(n, part, facts) for n, *both in ends for part, facts in zip(_PARTS, both, strict=True)]
        yield from _looked_at(run, left, None, at_end)


_PARTS: tuple[Part, Part] = ("value", "gradient")

_Sight = tuple[int, Part, TensorFacts | None]
"""A leaf, its value or its ``.grad``, and what is there."""


def _looked_at(
    run: Run, left: dict[tuple[int, Part], _Left], event: Event | None, sights: Iterable[_Sight]
) -> Iterator[Gap]:
    """What is not as it was left when ``event``, or the end of the program if that is ``None``, finds it."""
    for number, part, facts in sights:
        before = left.get((number, part))
        if before is not None and not _alike(before.facts, facts):
            after = None if before.by is None else run.line(before.by)
            until = None if event is None else run.line(event)
            yield Gap(part, run.leaves[number].name, after, until, at_end=event is None)


def _found(event: Event) -> Iterator[_Sight]:
    part: Part = "gradient" if event.kind in OF_GRAD else "value"
    for change in event.changes:
        yield change.leaf, part, change.before
        if change.grad is not None and event.kind == "step":
            yield change.leaf, "gradient", change.grad


def _leaves(event: Event) -> Iterator[_Sight]:
    part: Part = "gradient" if event.kind in OF_GRAD else "value"
    return ((change.leaf, part, change.after) for change in event.changes)


def _is_told_to_its_end(run: Run) -> bool:
    last = max((event.backward_call for event in run.events), default=0)
    return last == run.backward_calls and len(run.events) < MOST_EVENTS


def _alike(before: TensorFacts | None, after: TensorFacts | None) -> bool:
    """Whether nothing says that the two differ: of a large tensor a ceiling may have kept less."""
    if before is None or after is None:
        return before is after
    if (before.shape, before.dtype) != (after.shape, after.dtype):
        return False
    if not (before.has_values and after.has_values):
        return True
    if not all(map(same_bits, before.first, after.first)) or not same_bits(before.last, after.last):
        return False
    return same_beyond(before, after)
