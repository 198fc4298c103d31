"""Backward again and again, a fresh forward each time, with and without zeroing -> Ledger."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from typing import Any

import torch
from msgspec.structs import replace
from torch import Tensor

from autograd_tour.errors import ProgramError, UsageError
from autograd_tour.record.facts import TensorFacts
from autograd_tour.record.ledger import POLICIES, Call, LeafAccount, Ledger, Policy
from autograd_tour.record.run_ledger import ledger_of
from autograd_tour.tracer.altered import contents_restored, has_late_hook
from autograd_tour.tracer.assemble.walk import accumulator_of, root_of, walk
from autograd_tour.tracer.engine.backward import run_backward, start_gradients
from autograd_tour.tracer.follow.follow import run_of
from autograd_tour.tracer.follow.follower import FIRST, Follower
from autograd_tour.tracer.follow.originals import Originals
from autograd_tour.tracer.heap import free_cycles
from autograd_tour.tracer.listen.failures import first_line
from autograd_tour.tracer.listen.forward import ForwardRecord
from autograd_tour.tracer.listen.names import caller_namespaces
from autograd_tour.tracer.listen.run import modules_in_sight, outputs_in, run_forward
from autograd_tour.tracer.measure import Recorder
from autograd_tour.tracer.recording import Request
from autograd_tour.tracer.surroundings import (
    ONE_AT_A_TIME,
    Buffers,
    LiveTensors,
    grads_restored,
    random_state_restored,
    switches_restored,
)

__all__ = ["accumulate"]


def accumulate(
    program: Callable[..., Any],
    *args: Any,
    calls: int = 4,
    gradient: Any = None,
    keep: int | None = 16,
    ceiling: float = 256,
    names: Mapping[str, Tensor] | None = None,
) -> Ledger:
    """What ``calls`` backward calls do to the ``.grad`` of every leaf of ``program``.

    Each call runs a fresh forward and the engine's own backward, once for each way of zeroing in
    :data:`autograd_tour.record.ledger.POLICIES`; every way starts from the ``.grad`` its own last call
    left, beginning with none. A program that makes its leaves anew in each call is followed by
    their place in the graph, and its ``.grad`` is handed from one to the next. A program that calls backward
    itself is run as it is, and its own calls are told; if it is a single one, it is run ``calls`` times.

    ``keep`` and ``ceiling`` are those of :func:`trace`; a ceiling that was reached is told in ``notes``.
    Everything is as found afterwards, as for :func:`trace`; ``notes`` have what is not.

    Raises:
        ProgramError: as for :func:`trace`, or the program's leaves change from call to call.
        UsageError: ``program`` is not callable, ``calls`` is less than 1, or ``keep`` or ``ceiling``
            is negative.
    """
    if not callable(program):
        raise UsageError(
            "accumulate() needs a callable: each call runs a fresh forward",
            "For example accumulate(lambda: loss_fn(model(x), y))",
        )
    if calls < 1:
        raise UsageError(f"calls={calls!r} is not a number of calls", "Use 1 or more")
    recorder = Recorder(keep, ceiling)
    request = Request(program, args, names, caller_namespaces(1), recorder)
    restored = switches_restored(modules_in_sight(program, args))
    with ONE_AT_A_TIME, random_state_restored(), restored as remarks:
        ledger = _followed(request, calls, gradient)
    del request, recorder
    free_cycles()
    return replace(ledger, notes=(*ledger.notes, *remarks)) if remarks else ledger


def _followed(request: Request, calls: int, gradient: Any) -> Ledger:
    live, spared = LiveTensors(), list[Tensor]()
    originals = Originals(live, request.program, request.args)
    try:
        with Buffers() as buffers:
            follower = Follower(
                request, buffers, originals, first=max(FIRST, calls), graphs=False, forward=Recorder(0, 0)
            )
            result = follower.run()
            spared += buffers.tensors()
            if follower.trains(result):
                return _own_calls(follower, calls)
            book = _Book(request, gradient)
            book.call(follower.record, outputs_in(result, follower.record), live)
            del result
        for _ in range(1, calls):
            with Buffers() as buffers:
                heard = run_forward(
                    request.program, request.args, Recorder(0, 0), buffers
                )  # only names are wanted
                spared += buffers.tensors()
                book.call(*heard, live)
    finally:
        originals.restore(spared)  # what could not be put back is told by a trace of the same program
    return book.ledger()


def _own_calls(follower: Follower, calls: int) -> Ledger:
    """The ledger of a program that calls backward itself.

    One that calls it once is a step of a loop that stands elsewhere: it is run again, as that loop does.
    """
    if follower.log.backward_calls == 1:
        for _ in range(1, calls):
            follower.run()
    return ledger_of(run_of(follower), calls)


class _Book:
    """What has been noted of each call so far; the leaves are those of the first one."""

    def __init__(self, request: Request, gradient: Any) -> None:
        self._request = request
        self._gradient = gradient
        self._mailboxes: dict[Policy, list[Tensor | None]] = {policy: [] for policy in POLICIES}
        self._histories: dict[Policy, list[list[Call]]] = {policy: [] for policy in POLICIES}
        self._labels: list[tuple[str, tuple[int, ...]]] = []
        self._contents: list[list[TensorFacts]] = []
        self._losses: list[TensorFacts | None] = []

    def call(self, record: ForwardRecord, outputs: list[tuple[Tensor, str]], live: LiveTensors) -> None:
        """Backward under each policy from the ``outputs`` of one forward."""
        tensors = [tensor for tensor, _ in outputs]
        started, gradients = start_gradients(tensors, self._gradient)
        number, recorder = len(self._losses), self._request.recorder
        self._losses.append(recorder.measure(started[0]))
        leaves = _leaves(tensors)
        leaves += _inner_leaves(started, gradients, leaves, live)
        leaf_names = self._request.leaf_names(leaves, record)
        contents = [recorder.measure(leaf) for leaf in leaves]
        self._contents.append(contents)
        described = [
            (leaf_names[id(leaf)], facts.shape) for leaf, facts in zip(leaves, contents, strict=True)
        ]
        if number == 0:
            self._labels = described
            self._mailboxes = {policy: [None] * len(leaves) for policy in POLICIES}
            self._histories = {policy: [[] for _ in leaves] for policy in POLICIES}
        elif [shape for _, shape in described] != [shape for _, shape in self._labels]:
            raise ProgramError(
                f"the program used other leaves in backward call {number + 1} than in the first",
                "Accumulation follows the same parameters: make the program do the same in each call",
            )
        with grads_restored(leaves, empty=True, beyond=True, live=live):
            # Where there was no .grad, what a backward brings is what is there afterwards.
            contributions: list[TensorFacts | None] = []
            for policy in sorted(POLICIES, key=lambda policy: policy != "none"):
                self._under(policy, leaves, contributions, started, gradients)

    def _under(
        self,
        policy: Policy,
        leaves: list[Tensor],
        contributions: list[TensorFacts | None],
        started: list[Tensor],
        gradients: list[Tensor | None],
    ) -> None:
        mailbox, recorder = self._mailboxes[policy], self._request.recorder
        for i, leaf in enumerate(leaves):
            _put(leaf, None if policy == "none" else mailbox[i])
            if policy == "zero_" and leaf.grad is not None:
                leaf.grad.zero_()
        before = [_facts(leaf.grad, recorder) for leaf in leaves]
        with _brought(leaves) as brought, contents_restored(leaves):
            run_backward(started, gradients)
        after = [_facts(leaf.grad, recorder) for leaf in leaves]
        if policy == "none":
            contributions += [_facts(brought.get(i), recorder) or facts for i, facts in enumerate(after)]
        for i, leaf in enumerate(leaves):
            self._histories[policy][i].append(Call(before[i], contributions[i], after[i]))
            mailbox[i] = leaf.grad

    def ledger(self) -> Ledger:
        """All calls, as the record has them."""
        accounts = [
            LeafAccount(
                name or f"leaf {i + 1}", shape, *(tuple(self._histories[policy][i]) for policy in POLICIES)
            )
            for i, (name, shape) in enumerate(self._labels)
        ]
        remarks = self._request.recorder.remarks("the record of accumulation")
        steady = all(
            before == after and all(facts.has_values for facts in before)
            for before, after in pairwise(self._contents)
        )
        return Ledger(len(self._losses), tuple(accounts), tuple(self._losses), remarks, steady)


def _put(leaf: Tensor, grad: Tensor | None) -> None:
    try:
        leaf.grad = grad
    except RuntimeError as error:
        raise ProgramError(
            f"torch lets nobody put a .grad back on this leaf: {first_line(error)}",
            "Its backward calls cannot be followed one after the other",
        ) from error


@contextmanager
def _brought(leaves: list[Tensor]) -> Iterator[dict[int, Tensor]]:
    """What a backward brings to the leaves whose ``.grad`` a hook of the program may change afterwards."""
    brought: dict[int, Tensor] = {}
    handles = []

    def listening_at(i: int) -> Callable[[Sequence[Tensor | None]], None]:
        def hook(received: Sequence[Tensor | None]) -> None:
            if received[0] is not None:
                brought[i] = received[0].clone() if i not in brought else brought[i] + received[0]

        return hook

    accumulators = [(i, accumulator_of(leaf)) for i, leaf in enumerate(leaves) if has_late_hook(leaf)]
    try:
        handles += [fn.register_prehook(listening_at(i)) for i, fn in accumulators if fn is not None]
        yield brought
    finally:
        for handle in handles:
            handle.remove()


def _facts(tensor: Tensor | None, recorder: Recorder) -> TensorFacts | None:
    return None if tensor is None else recorder.measure(tensor, gradient=True)


def _leaves(outputs: list[Tensor]) -> list[Tensor]:
    """The leaves behind ``outputs`` in the fixed order of the walk."""
    skeleton = walk(root_of(output)[0] for output in outputs)
    try:
        pairs = zip(skeleton.fns, skeleton.names, strict=True)
        return [
            fn.variable
            for fn, name in pairs
            if name == "AccumulateGrad" and isinstance(fn.variable, torch.Tensor)
        ]
    finally:
        skeleton.release()


def _inner_leaves(
    outputs: list[Tensor], gradients: list[Tensor | None], leaves: list[Tensor], live: LiveTensors
) -> list[Tensor]:
    """Leaves that the graph does not lead to, but a backward inside one of its nodes does.

    A reentrant checkpoint has such. Only a backward shows which they are, so one runs for this alone where
    there are Functions written in Python.
    """
    if not _has_functions(outputs):
        return []
    inside, reached, accumulators = set(map(id, leaves)), dict[int, Tensor](), []

    def reaching(leaf: Tensor) -> Callable[[object], None]:
        def hook(_: object) -> None:
            reached[id(leaf)] = leaf

        return hook

    with grads_restored(leaves, beyond=True, live=live) as watched, ExitStack() as stack:
        for leaf in watched:
            fn = accumulator_of(leaf) if leaf.is_leaf and id(leaf) not in inside else None
            if fn is not None:
                accumulators.append(fn)  # nothing else holds it before a backward does
                stack.callback(fn.register_prehook(reaching(leaf)).remove)
        stack.enter_context(contents_restored(watched))
        run_backward(outputs, gradients)
    return list(reached.values())


def _has_functions(outputs: list[Tensor]) -> bool:
    skeleton = walk(root_of(output)[0] for output in outputs)
    try:
        return any(hasattr(fn, "_forward_cls") for fn in skeleton.fns)
    finally:
        skeleton.release()
