"""verify(): the one entry. A program goes in, or a record; how it holds comes out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from torch import Tensor

from autograd_tour.checks import differences, gradients, likeness, sums, training
from autograd_tour.checks.saved import verify_saved
from autograd_tour.checks.subject import RerunError, Subject, aligned, put_back, rerun
from autograd_tour.record.graph import Graph
from autograd_tour.record.run import Event, Run
from autograd_tour.record.trace import Trace
from autograd_tour.record.verification import Check, CheckName, Skipped, Verification
from autograd_tour.tracer.follow.lent import same
from autograd_tour.tracer.heap import free_cycles
from autograd_tour.tracer.listen.failures import first_line
from autograd_tour.tracer.listen.names import caller_namespaces
from autograd_tour.tracer.listen.run import modules_in_sight
from autograd_tour.tracer.measure import Recorder
from autograd_tour.tracer.recording import Request
from autograd_tour.tracer.surroundings import ONE_AT_A_TIME, random_state_restored, switches_restored
from autograd_tour.tracer.trace import traced

__all__ = ["verify"]


def verify(
    program: Any,
    *args: Any,
    record: Graph | Trace | None = None,
    gradient: Any = None,
    elements: int = differences.ELEMENTS,
    ceiling: float = 256,
    names: Mapping[str, Tensor] | None = None,
) -> Verification:
    """Hold a record against everything that does not depend on it.

    Four checks, each ``ok``, ``differs`` or ``skipped`` with a reason:

    - ``torchviz``: nodes, edges and leaves are those that torchviz draws of the same loss;
    - ``autograd``: the gradients of all leaves are, bit for bit, those of :func:`torch.autograd.grad` in a
      run that nobody listens to;
    - ``differences``: what backward computes is what central differences of the loss say, in float64;
    - ``sums``: what was sent along the edges adds up to what each node received, and ``.grad`` before and
      what is added to ``.grad`` after.

    A program that trains, which calls backward itself, has three. ``run``: each loss, each ``.grad`` after a
    backward and each value after an optimizer's step are, bit for bit, those of the program alone, and the
    events leave out no change of a leaf. ``torchviz`` and ``sums``, as above, of the recorded graphs.

    Args:
        program: a callable that trains or returns a loss, or a loss that exists, which cannot run again; or
            a record alone, for which only the sums can be checked.
        *args: what the callable is called with.
        record: a record of this program to be held; without it the program is traced now, with all elements.
        gradient: what the backward of a non-scalar starts with, as in :func:`autograd_tour.trace`.
        elements: how many elements of the leaves are moved one at a time for the differences.
        ceiling: MB that the elements of the trace may take in memory.
        names: names for tensors, as in :func:`autograd_tour.trace`.

    The program runs again for each check, and twice for each element. What it changes is put back after each
    check, as after a trace.

    Raises:
        ProgramError: as for :func:`autograd_tour.trace`.
        UsageError: as there.
    """
    if isinstance(program, (Graph, Trace)):
        return verify_saved(program if isinstance(program, Trace) else Trace(program))
    request = Request(program, args, names, caller_namespaces(1), Recorder(None, ceiling))
    verification = _verified(request, record, gradient, elements)
    del request
    free_cycles()
    return verification


def _verified(request: Request, record: Graph | Trace | None, gradient: Any, elements: int) -> Verification:
    program, args = request.program, request.args
    with ONE_AT_A_TIME, random_state_restored(), switches_restored(modules_in_sight(program, args)):
        recorded = traced(request, gradient=gradient) if record is None else record
        if isinstance(recorded, Run):
            checks = _of_training(recorded, program, args)
            if checks[0].outcome == "differs" and record is None and _is_unsteady(request, recorded):
                checks = (Check("run", "skipped", Skipped("unrepeatable")),)
            return Verification(checks)
        trace = recorded if isinstance(recorded, Trace) else Trace(recorded)
        subject = Subject(trace.graph, program, args, gradient, trace.ledger)
        return Verification(
            (
                _run("torchviz", likeness.check, subject),
                _run("autograd", gradients.check, subject),
                _run("differences", lambda subject: _of_differences(subject, elements), subject),
                _run("sums", _sums, subject),
            )
        )


def _run(name: CheckName, check: Callable[[Subject], Check], subject: Subject) -> Check:
    if subject.graph.compared:
        return Check(name, "skipped", Skipped("compared"))
    try:
        return check(subject)
    except RerunError as error:
        return Check(name, "skipped", Skipped("failed", first_line(error)))


def _of_differences(subject: Subject, elements: int) -> Check:
    with put_back(subject.program, subject.args):
        return differences.check(subject, elements)


def _of_training(run: Run, program: Any, args: tuple[Any, ...]) -> tuple[Check, ...]:
    try:
        return training.checks(run, program, args)
    except RerunError as error:
        return (Check("run", "skipped", Skipped("failed", first_line(error))),)


def _is_unsteady(request: Request, run: Run) -> bool:
    """Whether the program gives other numbers when it is followed again, as one whose code is compiled after
    its first runs: then the difference is not of the record.
    """
    again = traced(request)
    if not isinstance(again, Run) or len(again.events) != len(run.events):
        return True
    return not all(map(_is_alike, again.events, run.events))


def _is_alike(event: Event, other: Event) -> bool:
    return (
        same(event.loss, other.loss)
        and len(event.changes) == len(other.changes)
        and all(same(new.after, old.after) for new, old in zip(event.changes, other.changes, strict=True))
    )


def _sums(subject: Subject) -> Check:
    hooked: frozenset[str] = frozenset()
    with suppress(RerunError), rerun(subject) as run:
        hooked = frozenset(
            node
            for node, fn in aligned(subject.graph, run.outputs).items()
            if getattr(getattr(fn, "variable", None), "_post_accumulate_grad_hooks", None)
        )
    return sums.check(Trace(subject.graph, subject.ledger), started=subject.gradient is None, hooked=hooked)
