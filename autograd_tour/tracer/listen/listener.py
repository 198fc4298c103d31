"""Setting up and taking down everything that listens to a forward pass.

A ``TorchFunctionMode`` sees every function the program calls. A ``TorchDispatchMode`` would see
deeper, but it changes what it sees: ``torch.compile`` steps aside and some kernels take another path
(an attention layer gets other nodes).
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Protocol

import torch
from torch import nn
from torch.compiler import is_dynamo_compiling
from torch.overrides import TorchFunctionMode, _get_current_function_mode

from autograd_tour.tracer.listen.forward import ForwardRecord, sequence_nr
from autograd_tour.tracer.surroundings import Buffers

__all__ = ["Changes", "Listening", "listening"]


class Changes(Protocol):
    """Who wants to know of calls that change tensors: see :mod:`autograd_tour.tracer.follow`."""

    def before(self, name: str, func: Any, args: Any, kwargs: Any) -> Any:
        """A call that may change its arguments is about to be made; the result comes back in ``after``."""

    def after(self, before: Any, frame: FrameType) -> None:
        """It has been made, in ``frame``; not called where ``before`` returned ``None``."""

    def result(self, frame: FrameType, result: Any) -> None:
        """A call gave ``result`` to the code in ``frame``."""


_CHANGING = frozenset({"__set__", "__setitem__", "_record_function_enter_new"})


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
        before = (
            self.changes.before(name, func, args, kwargs) if changing and self.changes is not None else None
        )
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


class Listening:
    """Hears what runs between :meth:`start` and :meth:`stop`, as often as these are called.

    The mode can be taken away only if it is the last that was entered: :meth:`stop` says whether it was.
    """

    def __init__(self, record: ForwardRecord, buffers: Buffers, changes: Changes | None = None) -> None:
        self.record = record
        self.buffers = buffers
        self.active = False
        self._mode = _Mode(record, changes)
        self._handles: list[Any] = []
        self._earlier: Any = None

    def start(self) -> None:
        """Hear from now on."""
        if self.active:
            return
        self._handles = [
            torch.nn.modules.module.register_module_forward_pre_hook(self._enter_module),
            torch.nn.modules.module.register_module_forward_hook(self._leave_module, always_call=True),
        ]
        self._earlier = threading.getprofile()
        threading.setprofile(self._thread_started)
        self._mode.__enter__()  # type: ignore[no-untyped-call]
        self.active = True

    def pause(self) -> bool:
        """Hear no more, if that can be: not while the program has entered a mode of its own."""
        current = _get_current_function_mode()  # type: ignore[no-untyped-call]
        if self.active and current is self._mode:
            self.stop()
        return not self.active

    def stop(self) -> None:
        """Nothing is left of what :meth:`start` set up."""
        if not self.active:
            return
        self.active = False
        self._mode.__exit__(None, None, None)  # type: ignore[no-untyped-call]
        if threading.getprofile() == self._thread_started:
            threading.setprofile(self._earlier)
        for handle in self._handles:
            handle.remove()

    def _enter_module(self, module: nn.Module, _args: Any) -> None:
        if not is_dynamo_compiling():
            self.buffers.remember(module)
            self.record.modules.enter(module, sys._getframe(1))

    def _leave_module(self, _module: nn.Module, _args: Any, result: Any) -> None:
        if not is_dynamo_compiling():
            self.record.leave_module(sys._getframe(1), result)

    def _thread_started(self, *_: object) -> None:
        """The first thing that a new thread does is to call this."""
        self.record.threads = True
        sys.setprofile(self._earlier)


@contextmanager
def listening(record: ForwardRecord, buffers: Buffers) -> Iterator[ForwardRecord]:
    """Record what runs inside. Modes and module hooks are gone afterwards, whatever happened."""
    ears = Listening(record, buffers)
    ears.start()
    try:
        yield record
    finally:
        ears.stop()
