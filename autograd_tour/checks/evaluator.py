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

    ``numbers`` are those under which :class:`.replay.Replay` knows the leaves. ``unheard`` counts leaves that
    cannot be moved. ``before`` says whether part of the graph was there before the run.
    """

    loss: float
    leaves: Sequence[Tensor]
    gradients: Sequence[Tensor]
    numbers: Sequence[int]
    unheard: int
    before: bool


class Evaluator:
    """Runs the program of ``subject`` with moved leaves; ``drawn`` is as in :class:`.replay.Replay`."""

    def __init__(self, subject: Subject, drawn: torch.dtype | None) -> None:
        self.subject = subject
        self.drawn = drawn
        self.script = Script()

    def start(self) -> Start:
        """The first run, with a backward."""
        first = torch._C._autograd._get_sequence_nr()
        replay = Replay(self.drawn)
        self.script = replay.script
        with replayed(replay):
            outputs = results(self.subject)
            loss = self._loss(outputs)
            skeleton = walk(root_of(output)[0] for output in outputs)
            order = _numbers(replay, skeleton)
            before = any(
                fn._sequence_nr() < first
                for fn, name in zip(skeleton.fns, skeleton.names, strict=True)
                if name != "AccumulateGrad"
            )
            movable = [number for number in order if number >= 0]
            leaves = [replay.leaves[number] for number in movable]
            try:
                gradients, _ = leaf_gradients(outputs, self.subject.gradient, leaves)
            finally:
                skeleton.release()
        dense = [
            torch.zeros_like(leaf) if gradient is None else gradient.detach().to_dense()
            for leaf, gradient in zip(leaves, gradients, strict=True)
        ]
        return Start(
            loss,
            [leaf.detach() for leaf in leaves],
            dense,
            movable,
            order.count(-1),
            before,
        )

    def numbers(self) -> list[int]:
        """The number of each leaf in the order of the record, -1 for one that is not heard.

        In float64 the graph may be another one. So this is a run in the program's own types: it has the graph
        of the record, and calls the same functions.
        """
        replay = Replay(None)
        with replayed(replay):
            outputs = results(self.subject)
        skeleton = walk(root_of(output)[0] for output in outputs)
        try:
            return _numbers(replay, skeleton)
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
