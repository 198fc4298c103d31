"""The record of a program that trains, bit for bit against the same program run alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Set
from typing import Any, Literal

from msgspec.structs import replace
from torch import Tensor

from autograd_tour.checks.alone import Alone, Looks, Moment, Position
from autograd_tour.checks.courses import gaps_in
from autograd_tour.checks.gradients import same_bits
from autograd_tour.checks.run_graphs import Sights
from autograd_tour.checks.subject import put_back, returned
from autograd_tour.record.facts import TensorFacts
from autograd_tour.record.run import Event, Run
from autograd_tour.record.verification import Check, Skipped, Training, Unlike
from autograd_tour.tracer.measure import measure
from autograd_tour.tracer.surroundings import random_state_restored

__all__ = ["checks"]

_PARTS: dict[str, Literal["gradient", "value"]] = {"backward": "gradient", "step": "value"}


def checks(run: Run, program: Any, args: tuple[Any, ...]) -> tuple[Check, ...]:
    """Hold each loss, each ``.grad`` after a backward and each value after a step to the program run alone.

    Leaves are not paired by name: a recorded tensor has to be among those of the same backward call, or of
    the steps after it, whose order may depend on a set. What differs is run once more: a program that gives
    other numbers in each run cannot be compared. Besides, the events have to tell all that happened to each
    leaf: what one leaves in it the next one finds. The graphs are held to torchviz, and to their own sums.

    Raises:
        RerunError: the program failed when it ran again.
    """
    events, noted = dict(_placed(run)), {call for curve in run.curves for call in curve.calls}
    sights = Sights(run)
    alone = _run_alone(events.keys(), noted, program, args, sights.looks())
    result = replace(_with_curves(_compared(run, events, alone), run, alone), gaps=gaps_in(run))
    if not result.unlike and result.recorded == result.computed:
        return Check("run", "differs" if result.gaps else "ok", result), *sights.checks(alone)
    again = _run_alone(events.keys(), noted, program, args)
    if alone.calls != again.calls or _facts(alone) != _facts(again) or alone.losses != again.losses:
        return (Check("run", "skipped", Skipped("unrepeatable")),)
    return Check("run", "differs", result), *sights.checks(alone)


def _placed(run: Run) -> Iterator[tuple[Position, Event]]:
    """The events that are compared, by their moment."""
    steps: Counter[int] = Counter()
    for event in run.events:
        if event.kind == "backward":
            yield Position("backward", event.backward_call), event
        elif event.kind == "step":
            yield Position("step", event.backward_call, steps[event.backward_call]), event
            steps[event.backward_call] += 1


def _run_alone(
    wanted: Set[Position], noted: Set[int], program: Any, args: tuple[Any, ...], looks: Looks | None = None
) -> Alone:
    """The program by itself, from the state that the record began with; that is put back afterwards."""
    with random_state_restored(), put_back(program, args) as originals:
        alone = Alone(wanted, noted, originals, looks)
        with alone.listening():
            returned(program, args)
    return alone


def _facts(alone: Alone) -> dict[tuple[str, int], list[str]]:
    """What is known of the tensors of each call, and of the steps after it, in no order."""
    facts: dict[tuple[str, int], list[str]] = {}
    for position, (loss, tensors, _) in alone.moments.items():
        texts = facts.setdefault(position[:2], [])
        texts += [repr(measure(tensor)) for tensor in (loss, *tensors) if tensor is not None]
        texts.sort()
    return facts


def _compared(run: Run, events: dict[Position, Event], alone: Alone) -> Training:
    calls = losses = gradients = values = hooked = 0
    unlike: list[Unlike] = []
    pools: dict[tuple[str, int], list[Tensor]] = {}
    for position, moment in alone.moments.items():
        pools.setdefault(position[:2], []).extend(moment.tensors)
    for position, event in events.items():
        moment = alone.moments.get(position, Moment(None, []))
        if event.loss is not None:
            losses += 1
            if moment.loss is None or not _is_same(event.loss, moment.loss):
                unlike.append(Unlike("loss", "", position.call, run.line(event)))
        recorded = _recorded(run, event)
        if moment.hooked:
            hooked += len(recorded)
            recorded = []
        calls += position.kind == "backward"
        gradients += len(recorded) if position.kind == "backward" else 0
        values += len(recorded) if position.kind == "step" else 0
        rest = pools.get(position[:2], [])
        for name, facts in recorded:
            match = next((k for k, tensor in enumerate(rest) if _is_same(facts, tensor)), None)
            if match is None:
                unlike.append(Unlike(_PARTS[position.kind], name, position.call, run.line(event)))
            else:
                del rest[match]
    return Training(run.backward_calls, alone.calls, calls, losses, gradients, values, tuple(unlike), hooked)


def _with_curves(result: Training, run: Run, alone: Alone) -> Training:
    """``result`` with what the curves say of calls that are not told in full: their losses and norms."""
    in_full = {event.backward_call for event in run.events if event.kind == "backward"}
    losses = norms = 0
    unlike: list[Unlike] = []
    for curve in run.curves:
        for point, call in enumerate(curve.calls):
            if call in in_full:
                continue
            loss, line = curve.losses[point], run.line(curve)
            if loss is not None:
                losses += 1
                if not same_bits(loss, alone.losses.get(call)):
                    unlike.append(Unlike("loss", "", call, line))
            for leaf, course in zip(curve.leaves, curve.norms, strict=False):
                norm = course[point]
                if norm is not None:
                    norms += 1
                    if not any(same_bits(norm, other) for other in alone.norms.get(call, ())):
                        unlike.append(Unlike("norm", run.leaves[leaf].name, call, line))
    unlike = sorted([*result.unlike, *unlike], key=lambda item: item.call)
    return replace(result, unlike=tuple(unlike), noted_losses=losses, noted_norms=norms)


def _recorded(run: Run, event: Event) -> list[tuple[str, TensorFacts]]:
    """What the record has of each leaf after ``event``."""
    if event.returned:
        return [(item.name, item.gradient) for item in event.returned if item.gradient is not None]
    changes = ((run.leaves[change.leaf].name, change.after) for change in event.changes)
    return [(name, facts) for name, facts in changes if facts is not None]


def _is_same(facts: TensorFacts, tensor: Tensor) -> bool:
    """Whether all elements that were kept are the same to the last bit, and the extremes of the others."""
    if facts.shape != tuple(tensor.shape):
        return False
    computed = measure(tensor, len(facts.first))
    if facts.dtype != computed.dtype or not same_bits(facts.last, computed.last):
        return False
    return all(map(same_bits, facts.first, computed.first)) and _extremes(facts) == _extremes(computed)


def _extremes(facts: TensorFacts) -> object:
    stats = facts.stats
    return None if stats is None else (stats.min, stats.max, stats.nan, stats.inf, stats.zero)
