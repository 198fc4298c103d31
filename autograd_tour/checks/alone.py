"""A program that trains, run without the tracer: its losses, each ``.grad``, the values after steps."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from types import FrameType
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_pre_hook

from autograd_tour.record.facts import Number
from autograd_tour.tracer.compiled import is_compiling
from autograd_tour.tracer.follow.curves import norms_of, number_of
from autograd_tour.tracer.follow.entries import swap_replaced
from autograd_tour.tracer.follow.marks import Marks
from autograd_tour.tracer.follow.originals import Originals
from autograd_tour.tracer.references import TensorRef

__all__ = ["Alone", "Looks", "Moment", "Position"]

Looks = Mapping[int, Callable[[Sequence[Tensor]], None]]
"""By the number of a backward call what is called with its outputs."""


class Position(NamedTuple):
    """Which moment: backward call number ``call``, or the end of step number ``step`` after it."""

    kind: Literal["backward", "step"]
    call: int
    step: int = 0


class Moment(NamedTuple):
    """What is there then: the loss, and ``.grad`` of its leaves; or the values of an optimizer's parameters.

    Of a call that returns gradients it is these. ``hooked``: the program may change ``.grad`` while it runs.
    """

    loss: Tensor | None
    tensors: list[Tensor]
    hooked: bool = False


class Alone:
    """Copies what is there at the moments in ``wanted``, and after each step that follows the same call.

    Of the calls in ``noted`` it has the ``losses``, and the ``norms`` of the ``.grad`` of all leaves that any
    of them has met, or of what the call returned. ``looks`` are called with what a backward begins with, just
    before it runs. ``calls`` counts backward calls as they begin.

    What the program changes of before is noted in ``originals`` first.
    """

    def __init__(
        self, wanted: Set[Position], noted: Set[int], originals: Originals, looks: Looks | None = None
    ) -> None:
        self._looks = looks or {}
        self.losses: dict[int, Number | None] = {}
        self.norms: dict[int, list[Number | None]] = {}
        self.moments: dict[Position, Moment] = {}
        self.calls = 0
        self._wanted = {position[:2] for position in wanted}
        self._noted = noted
        self._met: dict[int, TensorRef] = {}
        self._originals = originals
        self._running: list[Tensor] | None = None
        self._thread = threading.get_ident()
        self._steps: Counter[int] = Counter()
        self._marks = Marks()

    @contextmanager
    def listening(self) -> Iterator[None]:
        """The program runs in here."""
        module: Any = torch.autograd
        engine = module._engine_run_backward  # what backward and grad, under whatever name, come to
        handle = register_optimizer_step_pre_hook(self._before)
        module._engine_run_backward = self._heard(engine)
        try:
            with swap_replaced(self._swapping):
                yield
        finally:
            module._engine_run_backward = engine
            handle.remove()
            self._marks.remove()

    @contextmanager
    def _swapping(self, first: Tensor, second: Tensor, _frame: FrameType) -> Iterator[None]:
        self._originals.before_swap(first, second)
        yield
        self._originals.swapped(first, second)

    def _heard(self, engine: Callable[..., Any]) -> Callable[..., Any]:
        def call(outputs: Any, *args: Any, **kwargs: Any) -> Any:
            if not self._is_own() or is_compiling() or torch._C._are_functorch_transforms_active():
                return engine(outputs, *args, **kwargs)
            if self._running is not None:  # inside a node, as a reentrant checkpoint does
                self._running += _leaves(outputs)
                return engine(outputs, *args, **kwargs)
            position = Position("backward", self.calls + 1)
            wanted, noted = position[:2] in self._wanted, position.call in self._noted
            self._originals.before_backward()
            if position.call in self._looks:
                self._looks[position.call](outputs)
            leaves = self._running = _leaves(outputs) if wanted or noted else []
            self.calls += 1
            try:
                result = engine(outputs, *args, **kwargs)
            except BaseException:
                self.calls -= 1  # the program may go on without it
                raise
            finally:
                self._running = None
            returned = None if kwargs.get("accumulate_grad", False) else result
            if wanted:
                self.moments[position] = _moment(outputs, leaves, returned)
            if noted:
                self._note(position.call, outputs, leaves, returned)
            return result

        return call

    def _note(self, call: int, outputs: Sequence[Any], leaves: Sequence[Tensor], returned: Any) -> None:
        self._met |= {id(leaf): TensorRef(leaf) for leaf in leaves}
        there = [leaf for reference in self._met.values() if (leaf := reference()) is not None]
        self.losses[call] = number_of(_loss(outputs))
        self.norms[call] = norms_of([leaf.grad for leaf in there] if returned is None else list(returned))

    def _is_own(self) -> bool:
        return threading.get_ident() == self._thread

    def _before(self, optimizer: Optimizer, _args: Any, _kwargs: Any) -> None:
        if self._is_own():
            self._originals.before_step(optimizer)
            self._marks.mark(optimizer, _hooks_are_over, self._ends)

    def _ends(self, optimizer: Optimizer, _args: Any, _kwargs: Any) -> None:
        if not self._is_own():
            return
        position = Position("step", self.calls, self._steps[self.calls])
        self._steps[self.calls] += 1
        if position[:2] in self._wanted:
            values = [_copy(item) for group in optimizer.param_groups for item in group["params"]]
            self.moments[position] = Moment(None, values)


def _hooks_are_over(_optimizer: Optimizer, _args: Any, _kwargs: Any) -> None:
    """Those of the program before a step have run."""


def _moment(outputs: Sequence[Any], leaves: Sequence[Tensor], returned: Any) -> Moment:
    """What a backward from ``outputs`` has left in ``leaves``, or ``returned``."""
    only = _loss(outputs)
    loss = None if only is None else _copy(only)
    if returned is not None:
        return Moment(loss, [_copy(item) for item in returned if item is not None])
    unique = {id(leaf): leaf for leaf in leaves}.values()
    hooked = any(getattr(leaf, "_post_accumulate_grad_hooks", None) for leaf in unique)
    return Moment(loss, [_copy(leaf.grad) for leaf in unique if leaf.grad is not None], hooked)


def _loss(outputs: Sequence[Any]) -> Tensor | None:
    only = outputs[0] if len(outputs) == 1 else None
    return only if isinstance(only, Tensor) and only.numel() == 1 else None


def _leaves(outputs: Sequence[Any]) -> list[Tensor]:
    """Those that the graph behind ``outputs``, tensors or edges of a graph, leads to."""
    leaves = [output for output in outputs if isinstance(output, Tensor) and output.is_leaf]
    starts = [output.grad_fn if isinstance(output, Tensor) else output.node for output in outputs]
    pending: list[Any] = [fn for fn in starts if fn is not None]
    seen = set(pending)
    while pending:
        fn = pending.pop()
        if hasattr(fn, "variable"):
            leaves.append(fn.variable)
        for child, _ in fn.next_functions:
            if child is not None and child not in seen:
                seen.add(child)
                pending.append(child)
    return leaves


def _copy(tensor: Tensor) -> Tensor:
    return tensor.detach().clone()
