"""What of a training loop is needed to go through it anew: with another lr, more calls, another zeroing.

A page does that with the graph of one forward (:mod:`autograd_tour.views.movable`): it runs the round of the
loop again and again, and each backward finds the values that the step before it left.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import takewhile
from typing import Literal

from msgspec import Struct

from autograd_tour.record.facts import Number, TensorFacts
from autograd_tour.record.graph import Graph
from autograd_tour.record.run import Event, Run

__all__ = ["Walk", "WalkRow", "walk"]

MOST_ELEMENTS = 16
"""In all leaves together: a table of more cannot be read."""

Part = Literal["zero", "backward", "step"]
Zeroing = Literal["keep", "zero", "none"]
Numbers = tuple[Number, ...]

_SETTINGS = {
    "SGD.step": {"lr", "momentum", "weight_decay"},
    "Adam.step": {"lr", "betas[0]", "betas[1]", "eps"},
}
"""Optimizers that a page has, and which of their settings."""

_PARTS: dict[str, Part] = {"backward": "backward", "zeroing": "zero", "step": "step", "update": "step"}


class WalkRow(Struct, frozen=True, array_like=True):
    """One leaf in one round: its value and ``.grad`` before backward, what came, and what it was after.

    ``following`` is its value at the end of the round.
    """

    value: Numbers
    before: Numbers | None
    contribution: Numbers | None
    after: Numbers | None
    following: Numbers


class Walk(Struct, frozen=True):
    """A loop as it was recorded: ``rounds`` has the rows of each round, one for each of ``leaves`` (ids).

    ``parts`` is the order of a round. ``zeroing``: what empties ``.grad``; ``keep`` if nothing does.
    ``optimizer`` is SGD or Adam, "" for an update by hand or none. Without a step ``lr`` is ``None``.
    """

    parts: tuple[Part, ...]
    zeroing: Zeroing
    optimizer: str
    lr: float | None
    settings: dict[str, float]
    leaves: tuple[str, ...]
    rounds: tuple[tuple[WalkRow, ...], ...]
    losses: Numbers


def walk(run: Run, graph: Graph) -> Walk | None:
    """The loop of ``run`` up to the first name that is bound anew; ``None`` if it does not repeat itself.

    Every round must run the forward of ``graph``, and do the same in the same order: zero, backward, step.
    """
    events = list(takewhile(lambda event: event.kind != "rebinding", run.events))
    acts = [event for event in events if event.kind != "forward"]
    backwards = [event for event in acts if event.kind == "backward"]
    steps = [event for event in acts if event.kind in ("step", "update")]
    parts, leaves = _parts(acts, len(backwards)), _leaves(run, graph)
    same = all(event.graph == 0 and not event.returned for event in backwards)
    if not parts or leaves is None or not same or any(run.untold()) or not _alike(steps):
        return None
    rounds = tuple(_rounds(run, [acts[at : at + len(parts)] for at in range(0, len(acts), len(parts))]))
    settings = {name: float(value) for name, value in steps[0].settings} if steps else {}
    lr = settings.pop("lr", None) or _by_hand(steps, rounds)
    if (lr is None) if steps else len({tuple(row.contribution for row in rows) for rows in rounds}) > 1:
        return None
    return Walk(
        parts,
        _zeroing(acts),
        steps[0].call.removesuffix(".step") if steps and steps[0].kind == "step" else "",
        lr,
        settings,
        leaves,
        rounds,
        tuple(event.loss.first[0] for event in backwards if event.loss is not None and event.loss.first),
    )


def _parts(acts: Sequence[Event], count: int) -> tuple[Part, ...]:
    """The order of a round, if there are ``count`` that are alike; else nothing."""
    parts = tuple(_PARTS[event.kind] for event in acts if event.kind in _PARTS)
    single = parts[: len(parts) // max(count, 1)]
    return single if len(parts) == len(acts) and parts == single * count else ()


def _leaves(run: Run, graph: Graph) -> tuple[str, ...] | None:
    """The nodes of the leaves, if all of them are in the graph and whole."""
    by_name = {graph.title(node.id): node.id for node in graph.nodes if node.kind == "leaf"}
    whole = all(leaf.value is not None and len(leaf.value.first) == leaf.value.numel for leaf in run.leaves)
    count = sum(leaf.value.numel for leaf in run.leaves if leaf.value is not None)
    if not whole or count > MOST_ELEMENTS or not all(leaf.name in by_name for leaf in run.leaves):
        return None
    return tuple(by_name[leaf.name] for leaf in run.leaves)


def _alike(steps: Sequence[Event]) -> bool:
    """Whether all steps are of one optimizer that a page has, with the same settings, or all by hand."""
    kinds = {(event.kind, event.call if event.kind == "step" else "", event.settings) for event in steps}
    return len(kinds) <= 1 and all(
        kind == "update" or {name for name, _ in settings} <= _SETTINGS.get(call, set())
        for kind, call, settings in kinds
    )


def _rounds(run: Run, rounds: Sequence[Sequence[Event]]) -> Iterator[tuple[WalkRow, ...]]:
    values = [_numbers(leaf.value) or () for leaf in run.leaves]
    grads = [_numbers(leaf.grad) for leaf in run.leaves]
    for events in rounds:
        at_backward: list[tuple[Numbers, Numbers | None, Numbers | None, Numbers | None]] = []
        for event in events:
            state = list(grads)
            brought: dict[int, Numbers | None] = {}
            for change in event.changes:
                after = _numbers(change.after)
                if event.kind in ("step", "update"):
                    values[change.leaf] = after or ()
                else:
                    grads[change.leaf] = after
                    brought[change.leaf] = _numbers(change.contribution)
            if event.kind == "backward":
                at_backward = [
                    (values[leaf], state[leaf], brought.get(leaf), grads[leaf]) for leaf in range(len(values))
                ]
        yield tuple(WalkRow(*row, values[leaf]) for leaf, row in enumerate(at_backward))


def _numbers(facts: TensorFacts | None) -> Numbers | None:
    return None if facts is None else facts.first


def _zeroing(acts: Sequence[Event]) -> Zeroing:
    zeroings = [event for event in acts if event.kind == "zeroing"]
    if not zeroings:
        return "keep"
    after = {change.after is None for event in zeroings for change in event.changes}
    return "zero" if after == {False} else "none"


def _by_hand(steps: Sequence[Event], rounds: Sequence[Sequence[WalkRow]]) -> float | None:
    """The number that ``.grad`` is multiplied by in an update by hand, as far as float32 tells it."""
    for row in rounds[0] if steps else ():
        pairs = zip(row.after or (), row.value, row.following, strict=False)
        slope, was, now = max(
            ((float(grad), float(a), float(b)) for grad, a, b in pairs), key=lambda item: abs(item[0])
        )
        if slope:
            return float(f"{(was - now) / slope:.4g}")
    return None
