"""Setting up and taking down everything that listens to a forward pass.

A ``TorchFunctionMode`` sees every function the program calls. A ``TorchDispatchMode`` would see
deeper, but it changes what it sees: ``torch.compile`` steps aside and some kernels take another path
(an attention layer gets other nodes).
"""

from __future__ import annotations

import sys
import threading
import warnings
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType
from typing import Any, Protocol

import torch
from torch import nn
from torch.compiler import is_dynamo_compiling
from torch.overrides import (
    TorchFunctionMode,
    _get_current_function_mode,
    _get_current_function_mode_stack,
    _pop_mode,
)
from torch.utils.hooks import RemovableHandle

from autograd_tour.tracer.compiled import never_compiled, no_donation
from autograd_tour.tracer.listen.forward import ForwardRecord, sequence_nr
from autograd_tour.tracer.surroundings import Buffers

__all__ = ["Changes", "Listening", "listening"]


class Changes(Protocol):
    """Who wants to know of calls that change tensors: see :mod:`autograd_tour.tracer.follow`."""

    def before(self, name: str, func: Any, args: Any, kwargs: Any) -> Any:
        """A call that may change its arguments is about to be made; the result comes back in ``after``."""

    def after(self, before: Any, frame: FrameType) -> None:
        """It has been made, in ``frame``; not called where ``before`` returned ``None``."""

    def draws(self, generator: Any) -> None:
        """A call is about to draw random numbers from ``generator``."""

    def result(self, frame: FrameType, result: Any) -> None:
        """A call gave ``result`` to the code in ``frame``."""


_CHANGING = frozenset({"__set__", "__delete__", "__setitem__", "_record_function_enter_new"})
_CHANGING |= {"numpy", "__array__", "__dlpack__"}  # who has the memory may write to it


class _Mode(TorchFunctionMode):
    def __init__(self, record: ForwardRecord, changes: Changes | None) -> None:
        super().__init__()
        self.record = record
        self.changes = changes

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if is_dynamo_compiling():
            # torch.compile traces modes and hooks along with the program: show it nothing to stop at.
            return func(*args, **kwargs)
        name = getattr(func, "__name__", "")
        changing = name in _CHANGING or (name[-1:] == "_" and name[:2] != "__") or "out" in kwargs
        if not changing and "max_norm" in kwargs:  # an embedding shrinks the rows that it looks up, in place
            changing = kwargs["max_norm"] is not None
        before = (
            self.changes.before(name, func, args, kwargs) if changing and self.changes is not None else None
        )
        if "generator" in kwargs and self.changes is not None:
            self.changes.draws(kwargs["generator"])
        start = sequence_nr()
        result = func(*args, **kwargs)
        # An attribute: `x.T` makes a node, `x.data` a cut, `x.shape` nothing.
        if name == "__get__" and start == sequence_nr() and func.__self__.__name__ != "data":
            return result
        frame = sys._getframe(1)
        self.record.add(frame, func, start, args, kwargs, result)
        if self.changes is not None:
            if before is not None:
                self.changes.after(before, frame)
            self.changes.result(frame, result)
        return result


_HOOK = RemovableHandle(OrderedDict()).id
"""The number of both module hooks, always the same: compiled code looks at it to see if it still holds."""

_heard: list[tuple[ForwardRecord, Buffers]] = []
"""Who listens to modules, the innermost last."""


def _before(module: nn.Module, _args: Any) -> None:
    if not is_dynamo_compiling():
        for record, buffers in _heard:
            buffers.remember(module)
            record.modules.enter(module, sys._getframe(1))


def _after(_module: nn.Module, _args: Any, result: Any) -> None:
    if not is_dynamo_compiling():
        for record, _ in _heard:
            record.leave_module(sys._getframe(1), result)


never_compiled(_Mode.__torch_function__, _before, _after)


@contextmanager
def _hearing_modules(record: ForwardRecord, buffers: Buffers) -> Iterator[None]:
    hooks = torch.nn.modules.module
    _heard.append((record, buffers))
    hooks._global_forward_pre_hooks[_HOOK] = _before
    hooks._global_forward_hooks[_HOOK] = _after
    hooks._global_forward_hooks_always_called[_HOOK] = True
    try:
        yield
    finally:
        _heard.pop()
        if not _heard:
            del hooks._global_forward_pre_hooks[_HOOK]
            del hooks._global_forward_hooks[_HOOK]
            del hooks._global_forward_hooks_always_called[_HOOK]


@contextmanager
def _entered(mode: TorchFunctionMode) -> Iterator[None]:
    """Leave ``mode`` and all modes that the program entered and never left, which stand above it."""
    with mode:
        try:
            yield
        finally:
            stack = _get_current_function_mode_stack()  # type: ignore[no-untyped-call]
            if any(entry is mode for entry in stack):
                while stack.pop() is not mode:
                    _pop_mode()  # type: ignore[no-untyped-call]


@contextmanager
def _hearing_threads(record: ForwardRecord) -> Iterator[None]:
    earlier = threading.getprofile()

    def started(*_: object) -> None:
        """The first thing that a new thread does is to call this."""
        record.threads = True
        sys.setprofile(earlier)

    threading.setprofile(started)
    try:
        yield
    finally:
        if threading.getprofile() is started:
            threading.setprofile(earlier)


class Listening:
    """Hears what runs between :meth:`start` and :meth:`stop`, as often as these are called."""

    def __init__(self, record: ForwardRecord, buffers: Buffers, changes: Changes | None = None) -> None:
        self.record = record
        self.buffers = buffers
        self._mode = _Mode(record, changes)
        self._stack: ExitStack | None = None
        self.active = False
        """Whether anything is heard now."""

    def start(self) -> None:
        """Hear from now on."""
        if self._stack is not None:
            return
        if "torch._dynamo" in sys.modules:  # it warns of hooks on all modules, which are ours
            warnings.filterwarnings("ignore", r"Using `torch\.compile\(module\)` when there are global hooks")
        with ExitStack() as stack:
            stack.enter_context(_hearing_threads(self.record))
            stack.enter_context(no_donation())
            stack.enter_context(_hearing_modules(self.record, self.buffers))
            stack.enter_context(_entered(self._mode))
            self._stack = stack.pop_all()
        self.active = True

    def pause(self) -> bool:
        """Hear no more, if that can be: not while the program has entered a mode of its own."""
        if _get_current_function_mode() is self._mode:  # type: ignore[no-untyped-call]
            self.stop()
        return not self.active

    def stop(self) -> None:
        """Modes and module hooks are gone afterwards."""
        if self._stack is not None:
            stack, self._stack = self._stack, None
            self.active = False
            stack.close()


@contextmanager
def listening(record: ForwardRecord, buffers: Buffers) -> Iterator[ForwardRecord]:
    """Record what runs inside. Modes and module hooks are gone afterwards, whatever happened."""
    ears = Listening(record, buffers)
    ears.start()
    try:
        yield record
    finally:
        ears.stop()
