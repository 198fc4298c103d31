"""trace() and follow(): a program goes in, plain data comes out, nothing stays behind."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec.structs import replace
from torch import Tensor
from torch._C import DisableTorchFunction

from autograd_tour.errors import UsageError
from autograd_tour.record.graph import Graph
from autograd_tour.record.run import Run
from autograd_tour.tracer.follow.follow import restore_all, returned_outputs, run_of, run_of_graph
from autograd_tour.tracer.follow.follower import Follower
from autograd_tour.tracer.follow.originals import Originals
from autograd_tour.tracer.heap import cycles_freed
from autograd_tour.tracer.listen.names import caller_namespaces
from autograd_tour.tracer.listen.run import modules_in_sight
from autograd_tour.tracer.measure import Recorder
from autograd_tour.tracer.recording import Request, outputs_of, record_of
from autograd_tour.tracer.surroundings import (
    ONE_AT_A_TIME,
    Buffers,
    collector_paused,
    random_state_restored,
    switches_restored,
)

__all__ = ["follow", "trace", "traced"]


def trace(
    program: Any,
    *args: Any,
    backward: bool = True,
    gradient: Any = None,
    keep: int | None = 16,
    ceiling: float = 256,
    names: Mapping[str, Tensor] | None = None,
) -> Graph:
    """Record one autograd run of ``program`` as plain data.

    Args:
        program: a callable that returns a loss or any nest of tensors; or a tensor (or nest of
            tensors) that already exists, of which is read what can still be read. Of a callable that
            calls backward itself the graph of its first backward is recorded; :func:`follow` tells
            all that it does.
        *args: what the callable is called with.
        backward: also run one real backward and record the gradient on every edge.
        gradient: what the backward of a non-scalar starts with, shaped like the output, as in
            ``Tensor.backward(gradient)``; a list for several outputs.
        keep: elements written down per tensor; ``None`` keeps all. 0 reads the structure only: shapes,
            no values, saved tensors or local rules, as fast as drawing a bare graph needs it.
        ceiling: MB that the elements written down may take in memory. Of a tensor that does not fit any
            more only the first few elements, the last and the statistics are kept, and a note in
            ``meta.notes`` says so.
        names: names for tensors, before those that are found by themselves.

    Afterwards everything is as found: ``.grad`` of every leaf, the random states, buffers of modules,
    tensors that the program changed, hooks, what torch, Python and the process were set to; what could not
    be put back stands in ``meta.notes``. The graph is retained, so the program's own backward still works.
    Only on a graph deeper than 500 nodes some nodes keep a private entry in ``metadata``: it makes the graph
    as safe to free as it was before it was looked at.

    Raises:
        ProgramError: the program raised, its result has no gradient to follow, it is not a scalar
            and there is no ``gradient``, or its graph has been freed.
        UsageError: ``program`` is neither callable nor a tensor, ``keep`` or ``ceiling`` is
            negative, or ``gradient`` has another shape than the output.
    """
    request = Request(program, args, names, caller_namespaces(1), Recorder(keep, ceiling))
    if callable(program) and not isinstance(program, Tensor):
        run = _run(request, backward=backward, gradient=gradient)
        graph = run.first_graph
        if run.returned or run.backward_calls > 1:
            return graph
        return _noted(graph, ["the program called backward itself"])
    del program  # who wants the structure only holds its graph no longer than it must
    return _of_existing(request, backward=backward, gradient=gradient)


def traced(request: Request, *, gradient: Any = None) -> Graph | Run:
    """The record of a loss and its backward, or the run of a program that calls backward itself.

    Everything is as found afterwards.

    Raises:
        ProgramError: as for :func:`trace`.
    """
    if not callable(request.program) or isinstance(request.program, Tensor):
        return _of_existing(request, backward=True, gradient=gradient)
    run = _run(request, backward=True, gradient=gradient)
    return run if run.trains else run.graphs[0]


def follow(
    program: Any,
    *args: Any,
    keep: int | None = 16,
    ceiling: float = 256,
    names: Mapping[str, Tensor] | None = None,
) -> Run:
    """Record all that ``program(*args)`` does to its leaves and their ``.grad``, event by event.

    The program calls ``backward()``, ``zero_grad()`` and ``step()`` itself, as training code does, as often
    as it likes. The first eight backward calls and all around them are told in full, then those whose number
    is a power of ten; of all there are the loss and the norms of ``.grad`` (``Run.curves``). A program
    that only returns its loss is a run of one forward and one backward. A backward that returns its
    gradients (``torch.autograd.grad``) or records itself (``create_graph=True``) is an event of a program
    that trains; in one that returns a loss computed from them it is a part of that.

    ``args``, ``keep``, ``ceiling`` and ``names`` are those of :func:`trace`. What the program changed is put
    back: parameters, ``.grad``, buffers, the state of optimizers and schedulers that were there before,
    random states. A note in ``Run.notes`` tells of tensors that could not be.

    Raises:
        ProgramError: the program raised, or neither called backward nor returned a loss.
        UsageError: ``program`` is not callable, or ``keep`` or ``ceiling`` is negative.
    """
    if not callable(program) or isinstance(program, Tensor):
        raise UsageError(
            f"follow() takes a callable, not {type(program).__name__}",
            "For example follow(train), where train() runs the steps of a training",
        )
    request = Request(program, args, names, caller_namespaces(1), Recorder(keep, ceiling))
    return _run(request, backward=True, gradient=None)


def _of_existing(request: Request, *, backward: bool, gradient: Any) -> Graph:
    """The record of tensors that exist, or the error that ``request`` names none."""
    if not backward and request.recorder.keep == 0:
        # No code of the program runs, that of its tensor classes neither: there is nothing to put back.
        with ONE_AT_A_TIME, collector_paused(), DisableTorchFunction():
            return record_of(request, *outputs_of(request, Buffers()), backward=False)
    with ONE_AT_A_TIME, random_state_restored(), collector_paused():
        with switches_restored(()) as remarks, Buffers() as buffers:
            record, outputs = outputs_of(request, buffers)
            if backward:
                buffers.remember_all()
            graph = record_of(request, record, outputs, backward=backward, gradient=gradient)
        return _noted(graph, remarks) if remarks else graph


def _run(request: Request, *, backward: bool, gradient: Any) -> Run:
    restored = switches_restored(modules_in_sight(request.program, request.args))
    notes: list[str] = []
    with ONE_AT_A_TIME, random_state_restored(), cycles_freed():
        with restored as remarks, Buffers() as buffers:
            follower = Follower(request, buffers, Originals(request.live, request.program, request.args))
            try:
                result = follower.run()
                if follower.trains(result):
                    run = run_of(follower)
                else:
                    outputs = returned_outputs(follower, result)
                    record = follower.record
                    follower.forget_backwards()
                    del result
                    run = run_of_graph(
                        record_of(request, record, outputs, backward=backward, gradient=gradient)
                    )
                    outputs.clear()
                    result = None
                    del record
            finally:
                spared = buffers.tensors()
                buffers.restore()  # first: what changed before a module ran for the first time is older
                notes += restore_all(follower, spared)
                request.live.forget()
        del follower, buffers, spared, result
    return _with_notes(run, [*notes, *remarks])


def _with_notes(run: Run, notes: list[str]) -> Run:
    """``run`` with more notes; where it is that of one graph, they are the graph's too."""
    if not notes:
        return run
    graphs = tuple(_noted(graph, notes) for graph in run.graphs) if run.returned else run.graphs
    return replace(run, graphs=graphs, notes=(*run.notes, *notes))


def _noted(graph: Graph, notes: Iterable[str]) -> Graph:
    return replace(graph, meta=replace(graph.meta, notes=(*graph.meta.notes, *notes)))
