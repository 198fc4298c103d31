"""observe(): a program is followed as ever and watched beside it; an error of it is evidence."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Literal

from msgspec import Struct
from torch import Tensor

from autograd_tour.errors import ProgramError, TourError, UsageError, message_of
from autograd_tour.record.evidence import Evidence, Failure
from autograd_tour.record.graph import Graph, SourceLine
from autograd_tour.record.run import Run
from autograd_tour.tracer.follow.follow import restore_all, returned_outputs, run_of, run_of_graph
from autograd_tour.tracer.follow.follower import Follower
from autograd_tour.tracer.follow.originals import Originals
from autograd_tour.tracer.heap import cycles_freed
from autograd_tour.tracer.listen.failures import exit_text
from autograd_tour.tracer.listen.frames import deepest_own, is_library, relative
from autograd_tour.tracer.listen.names import caller_namespaces
from autograd_tour.tracer.listen.owned import parameters_of
from autograd_tour.tracer.listen.run import modules_in_sight, tensors_in
from autograd_tour.tracer.measure import Recorder
from autograd_tour.tracer.recording import Request, record_of
from autograd_tour.tracer.surroundings import (
    ONE_AT_A_TIME,
    Buffers,
    random_state_restored,
    switches_restored,
)
from autograd_tour.tracer.watch.gathered import gathered
from autograd_tour.tracer.watch.watch import Watch

__all__ = ["Observation", "observe"]


class Observation(Struct, frozen=True):
    """The record of one run, as far as there is one, and the evidence that was heard beside it.

    ``graph`` is that of a backward that failed, without its steps.
    """

    run: Run | None
    evidence: Evidence
    graph: Graph | None = None
    notes: tuple[str, ...] = ()


def observe(
    program: Any,
    *args: Any,
    keep: int | None = 16,
    ceiling: float = 256,
    names: Mapping[str, Tensor] | None = None,
) -> Observation:
    """Run ``program(*args)`` once; what it changed is put back, as :func:`autograd_tour.follow` does.

    Raises:
        UsageError: ``program`` is not callable, or ``keep`` or ``ceiling`` is negative.
    """
    if not callable(program) or isinstance(program, Tensor):
        raise UsageError(
            f"explain() takes a callable, not {type(program).__name__}",
            "For example explain(train), where train() runs a step or more of a training",
        )
    request = Request(program, args, names, caller_namespaces(1), Recorder(keep, ceiling))
    with ONE_AT_A_TIME, random_state_restored(), cycles_freed():
        return _observed(request)


def _observed(request: Request) -> Observation:
    program, args = request.program, request.args
    notes: list[str] = []
    with switches_restored(modules_in_sight(program, args)) as remarks, Buffers() as buffers:
        follower = Follower(request, buffers, Originals(request.live, program, args))
        watch = Watch(follower.record)
        try:
            run, failure = _watched(request, follower, watch)
            evidence = gathered(watch, _names(request, watch), failure, _deposited(run))
            graph = _of_failed(request, watch)
        finally:
            watch.outputs.clear()
            spared = buffers.tensors()
            buffers.restore()
            notes += restore_all(follower, spared)
            request.live.forget()
    notes += [
        f"{name} gives other results when it runs again (random, time, a file): "
        "its backward was not compared with differences"
        for name in watch.customs.unsteady
    ]
    return Observation(run, evidence, graph, (*notes, *remarks))


def _watched(request: Request, follower: Follower, watch: Watch) -> tuple[Run | None, Failure | None]:
    try:
        with watch.watching():
            result = follower.run()
    except ProgramError as error:
        if error.__cause__ is None:
            raise
        return _part(follower), failure_of(error, in_backward=watch.failed is not None)
    if follower.trains(result):
        return run_of(follower), None
    losses = [tensor for tensor, _ in tensors_in(result)]
    if not losses and watch.roots:
        return _part(follower), None
    if losses:
        watch.failed = watch.begin([tensor for tensor in losses if tensor.requires_grad] or losses[:1], -1)
    try:
        outputs = returned_outputs(follower, result)
        del result
        follower.forget_backwards()
        run = run_of_graph(record_of(request, follower.record, outputs, backward=True))
    except ProgramError as error:
        if not losses:
            raise  # it returned nothing that a gradient could be asked of
        return None, failure_of(error, in_backward=True)
    watch.succeeded()
    return run, None


def _of_failed(request: Request, watch: Watch) -> Graph | None:
    """The graph of the backward that failed last: its nodes show what was freed and what was modified."""
    if watch.failed is None or not watch.outputs:
        return None
    with suppress(TourError, RuntimeError):
        outputs = [(tensor, "") for tensor in watch.outputs]
        return record_of(request, watch.record, outputs, backward=False)
    return None


def _deposited(run: Run | None) -> set[str]:
    """The names of leaves in which a backward deposited a gradient."""
    if run is None:
        return set()
    events = (event for event in run.events if event.kind == "backward")
    return {run.leaves[change.leaf].name for event in events for change in event.changes}


def _part(follower: Follower) -> Run | None:
    """The run up to where the program failed, if any of it was told."""
    if not follower.graphs.items:
        return None
    with suppress(TourError):
        return run_of(follower)
    return None


def failure_of(error: ProgramError, *, in_backward: bool) -> Failure:
    """The error behind ``error`` as evidence."""
    cause = error.__cause__
    if cause is None:  # ours: torch was not asked
        return Failure("", error.message, None, "backward" if in_backward else "forward")
    stack = traceback.extract_tb(cause.__traceback__)
    own = deepest_own([frame.filename for frame in stack])
    line: SourceLine | None = None
    if own is not None:
        frame = stack[own]
        line = SourceLine(relative(frame.filename), frame.lineno or 0, frame.line or "", frame.name)
    stepping = any(frame.name == "step" and "optim" in frame.filename for frame in stack)
    during: Literal["forward", "backward", "step"] = (
        "step" if stepping and not in_backward else "backward" if in_backward else "forward"
    )
    text = exit_text(cause) if isinstance(cause, SystemExit) else message_of(cause).strip()[:2_000]
    # What torch raised has come through its code, or through what hears its functions.
    own = bool(stack) and not is_library(stack[-1].filename)
    return Failure(type(cause).__name__, text, line, during, own)


def _names(request: Request, watch: Watch) -> Mapping[int, str]:
    leaves = {id(leaf): leaf for leaf in watch.leaves.values()}
    leaves |= {
        id(leaf): leaf for _, root in watch.record.modules.roots.values() for leaf in parameters_of(root)
    }
    for stepped in watch.steppers.first.values():
        leaves |= {id(leaf): leaf for leaf in stepped.parameters}
    return request.leaf_names(list(leaves.values()), watch.record)
