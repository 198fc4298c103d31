"""What is checked: a record, the program it is of, and how that runs again with nothing of ours listening."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from autograd_tour.errors import TourError
from autograd_tour.record.graph import Graph
from autograd_tour.record.ledger import Ledger
from autograd_tour.tracer.assemble.walk import Skeleton, root_of, walk
from autograd_tour.tracer.follow.originals import Originals
from autograd_tour.tracer.listen.run import check_outputs
from autograd_tour.tracer.surroundings import Buffers, LiveTensors, random_state_restored

__all__ = ["RerunError", "Run", "Subject", "aligned", "put_back", "rerun", "returned"]

Fn = Any
"""A live ``grad_fn``."""


class RerunError(Exception):
    """The program was traced, and failed when it ran again."""


@dataclass(frozen=True)
class Subject:
    """A record and its program: a callable with its arguments, or a loss that exists.

    ``gradient`` is what the backward of a non-scalar starts with, as in :func:`autograd_tour.trace`.
    """

    graph: Graph
    program: Any
    args: tuple[Any, ...] = ()
    gradient: Any = None
    ledger: Ledger | None = None

    @property
    def runs(self) -> bool:
        """Whether the program can run again; a loss that exists cannot."""
        return callable(self.program) and not isinstance(self.program, Tensor)


@dataclass(frozen=True)
class Run:
    """One run without us: its results, and all nodes behind them, which are safe to look at."""

    outputs: Sequence[Tensor]
    skeleton: Skeleton


@contextmanager
def rerun(subject: Subject) -> Iterator[Run]:
    """The program as it runs by itself, under the random state that the trace began with.

    Random states and buffers of modules are as before afterwards.

    Raises:
        RerunError: the program raised.
    """
    with random_state_restored(), put_back(subject.program, subject.args):
        outputs = results(subject)
        skeleton = walk(root_of(output)[0] for output in outputs)
        try:
            yield Run(outputs, skeleton)
        finally:
            skeleton.release()


@contextmanager
def put_back(program: object, args: tuple[Any, ...]) -> Iterator[Originals]:
    """What ``program(*args)`` changes inside is as before afterwards, as after a trace."""
    live = LiveTensors()
    originals = Originals(live, program, args)
    with Buffers() as buffers:
        buffers.remember_all(live)
        originals.before_silence()
        try:
            yield originals
        finally:
            originals.restore(buffers.tensors())


def results(subject: Subject) -> list[Tensor]:
    """What the program returns now, as tensors with a gradient."""
    return [tensor for tensor, _ in check_outputs(_returned(subject))]


def _returned(subject: Subject) -> object:
    return returned(subject.program, subject.args) if subject.runs else subject.program


def returned(program: Callable[..., object], args: tuple[Any, ...]) -> object:
    """What ``program(*args)`` returns.

    Raises:
        RerunError: it raised.
    """
    try:
        return program(*args)
    except TourError as error:
        raise RerunError(error.message) from error
    except (Exception, SystemExit) as error:
        raise RerunError(f"{type(error).__name__}: {error}") from error


_COMPILED = "CompiledFunctionBackward"


def aligned(graph: Graph, outputs: Sequence[Tensor]) -> dict[str, Fn]:
    """Node of the record -> live node, by walking both from their results, slot by slot.

    It does not use the order in which the tracer numbers nodes. Where one side has an edge that the other
    lacks, what lies behind it stays without a partner.
    """
    edges: dict[tuple[str, int], str] = {
        (edge.src, edge.slot[0]): edge.dst for edge in graph.select("gradient")
    }
    partners: dict[str, Fn] = {}
    pending = [
        (graph.accumulator_of(node) or node, root_of(output)[0])
        for (node, _), output in zip(graph.outputs, outputs, strict=False)
    ]
    while pending:
        node, fn = pending.pop()
        if node in partners:
            continue
        partners[node] = fn
        slots = range(len(fn.next_functions))
        if type(fn).__name__ == _COMPILED:  # whose inputs are in another order each time it is compiled
            there = [child for child, _ in fn.next_functions if child is not None]
            recorded = [child for slot in slots if (child := edges.get((node, slot))) is not None]
            if len(recorded) == len(there):
                pending += zip(recorded, there, strict=True)
            continue
        pending += [
            (child, live)
            for slot, (live, _) in enumerate(fn.next_functions)
            if live is not None and (child := edges.get((node, slot))) is not None
        ]
    return partners
