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
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.compiler import is_dynamo_compiling
from torch.overrides import TorchFunctionMode, _get_current_function_mode_stack, _pop_mode
from torch.utils.hooks import RemovableHandle

from autograd_tour.tracer.compiled import no_donation
from autograd_tour.tracer.listen.forward import ForwardRecord, sequence_nr
from autograd_tour.tracer.surroundings import Buffers

__all__ = ["listening"]


class _Listener(TorchFunctionMode):
    def __init__(self, record: ForwardRecord) -> None:
        super().__init__()
        self.record = record

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if is_dynamo_compiling():
            # torch.compile traces modes and hooks along with the program: show it nothing to stop at.
            return func(*args, **kwargs)
        start = sequence_nr()
        result = func(*args, **kwargs)
        # An attribute: `x.T` makes a node, `x.data` a cut, `x.shape` nothing.
        attribute = getattr(func, "__name__", "") == "__get__" and func.__self__.__name__ != "data"
        if attribute and start == sequence_nr():
            return result
        self.record.add(sys._getframe(1), func, start, args, kwargs, result)
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
def listening(record: ForwardRecord, buffers: Buffers) -> Iterator[ForwardRecord]:
    """Record what runs inside. Modes and module hooks are gone afterwards, whatever happened."""
    earlier = threading.getprofile()

    def started(*_: object) -> None:
        """The first thing that a new thread does is to call this."""
        record.threads = True
        sys.setprofile(earlier)

    threading.setprofile(started)
    if "torch._dynamo" in sys.modules:  # it warns of hooks on all modules, which are ours
        warnings.filterwarnings("ignore", r"Using `torch\.compile\(module\)` when there are global hooks")
    try:
        with no_donation(), _hearing_modules(record, buffers), _entered(_Listener(record)):
            yield record
    finally:
        if threading.getprofile() is started:
            threading.setprofile(earlier)
