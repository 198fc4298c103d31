"""The loss of a program as a function of its leaves, with the derivatives that backward computes."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from autograd_tour.checks.gradients import leaf_gradients
from autograd_tour.checks.replay import Replay, Script, listened
from autograd_tour.checks.subject import Subject, results
from autograd_tour.tracer.assemble.walk import Skeleton, root_of, walk
from autograd_tour.tracer.engine.backward import start_gradients
from autograd_tour.tracer.surroundings import random_state_restored

__all__ = ["Evaluator", "Start", "replayed"]


@dataclass(frozen=True)
class Start:
    """What the first run gave: the loss, the leaves that can be moved, and the derivative for each.

    ``numbers`` are those under which :class:`.replay.Replay` knows the leaves, ``order`` has them as the
    record has its leaves, -1 for one that is not heard. ``unheard`` counts leaves that cannot be moved.
    ``before`` says whether part of the graph was there before the run.
    """

    loss: float
    leaves: Sequence[Tensor]
    gradients: Sequence[Tensor]
    numbers: Sequence[int]
    order: Sequence[int]
    unheard: int
    before: bool


class Evaluator:
    """Runs the program of ``subject`` with moved leaves; ``drawn`` is as in :class:`.replay.Replay`."""

    def __init__(self, subject: Subject, drawn: torch.dtype | None) -> None:
        self.subject = subject
        self.drawn = drawn
        self.script = Script()

    def start(self) -> Start:
        """The first run, with a backward, and one in the program's own types.

        In float64 the graph may be another than that of the record. A run in the program's own types has the
        same graph, and calls the same functions, which tells the leaves apart.
        """
        replay = Replay(self.drawn)
        self.script = replay.script
        with replayed(replay):
            outputs = results(self.subject)
            loss = self._loss(outputs)
        skeleton = walk(root_of(output)[0] for output in outputs)
        try:
            numbers = _numbers(replay, skeleton)
            movable = [number for number in numbers if number >= 0]
            leaves = [replay.leaves[number] for number in movable]
            with replayed(replay):  # a custom backward calls functions too
                gradients, _ = leaf_gradients(outputs, self.subject.gradient, leaves)
            order, before = self._order(skeleton)
        finally:
            skeleton.release()
        dense = [
            torch.zeros_like(leaf) if gradient is None else gradient.detach().to_dense()
            for leaf, gradient in zip(leaves, gradients, strict=True)
        ]
        detached = [leaf.detach() for leaf in leaves]
        return Start(loss, detached, dense, movable, order, numbers.count(-1), before)

    def _order(self, first: Skeleton) -> tuple[list[int], bool]:
        """The numbers in the order of the record, and whether another run shares nodes with the first."""
        replay = Replay(None)
        with replayed(replay):
            outputs = results(self.subject)
        skeleton = walk(root_of(output)[0] for output in outputs)
        try:
            shared = set(first.fns).intersection(skeleton.fns)
            before = any(not hasattr(fn, "variable") for fn in shared)
            return _numbers(replay, skeleton), before
        finally:
            skeleton.release()

    def loss(self, shifts: Mapping[int, Tensor]) -> float:
        """The loss with these numbers added to the leaves."""
        with replayed(Replay(self.drawn, self.script, shifts)):
            return self._loss(results(self.subject))

    def _loss(self, outputs: Sequence[Tensor]) -> float:
        with torch._C.DisableTorchFunction():  # this is no part of the program
            started, gradients = start_gradients(outputs, self.subject.gradient)
            total = 0.0
            for output, gradient in zip(started, gradients, strict=True):
                part = output.detach() if gradient is None else output.detach() * gradient.conj()
                total += part.sum().item().real
            return total


@contextmanager
def replayed(replay: Replay) -> Iterator[None]:
    """Each run draws the same random numbers; what the program prints again and again is dropped."""
    with random_state_restored(), contextlib.redirect_stdout(io.StringIO()), listened(replay):
        yield


def _numbers(replay: Replay, skeleton: Skeleton) -> list[int]:
    numbers = {id(leaf): number for number, leaf in enumerate(replay.leaves)}
    return [numbers.get(id(leaf), -1) for leaf in skeleton.leaves()]
