"""What is noted of the calls, values and steps of a program that is watched."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import wraps
from types import FrameType
from typing import Any, NamedTuple

from torch import Tensor
from torch.compiler import is_dynamo_compiling
from torch.distributions import Distribution
from torch.nn.utils import clip_grad
from torch.optim import Optimizer
from torch.utils.checkpoint import CheckpointFunction

from autograd_tour.tracer.compiled import never_compiled
from autograd_tour.tracer.listen.frames import is_library
from autograd_tour.tracer.watch.saves import Look

__all__ = [
    "ESCAPING",
    "SILENT",
    "Call",
    "Escape",
    "Root",
    "Stepped",
    "beyond_modes",
    "clips",
    "empties_gradients",
    "in_checkpoint",
    "in_sample",
    "in_step",
    "is_computed",
    "is_ours",
    "set_replaced",
    "stepped",
]

ESCAPING = frozenset({"item", "tolist", "numpy", "float", "int", "array", "index", "complex"})
"""Functions that give what is no tensor any more."""
SILENT = frozenset({"requires_grad", "is_leaf", "grad_fn", "shape", "dtype", "device", "layout", "grad"})
"""Attributes whose reading tells nothing of the program."""


class Escape(NamedTuple):
    """A value that left torch: by which function, where, and its origin."""

    function: str
    spot: int
    parent: int
    moment: int


class Root(NamedTuple):
    """What a backward began with. ``computed`` counts the backward calls before it was computed.

    ``deposits``: it adds to ``.grad``, and does not return gradients.
    """

    origin: int
    spot: int
    look: Look | None
    computed: int
    deposits: bool = True


class Stepped(NamedTuple):
    """An optimizer at its first step; ``optimizer`` is its ``id``."""

    name: str
    spot: int
    parameters: list[Tensor]
    optimizer: int


class Call(NamedTuple):
    """A call that was made: the tensors that went in, where they come from, and their versions before it."""

    func: Any
    name: str
    given: list[Tensor]
    parents: tuple[int, ...]
    before: list[int]
    start: int
    args: Any
    frame: FrameType

    def changed(self) -> list[Tensor]:
        """The tensors that it changed in place."""
        pairs = zip(self.given, self.before, strict=True)
        return [item for item, version in pairs if version >= 0 and item._version != version]


def empties_gradients(name: str, args: Any, leaves: Iterable[Tensor]) -> bool:
    """Whether a call is ``zero_grad`` of an optimizer, or zeroes the ``.grad`` of one of the leaves."""
    if name == "_record_function_enter_new":
        return bool(args) and str(args[0]).startswith("Optimizer.zero_grad#")
    return name == "zero_" and any(leaf.grad is args[0] for leaf in leaves if leaf.is_leaf)


def stepped(optimizer: Optimizer, spot: int) -> Stepped:
    """What is noted of an optimizer that steps at ``spot``."""
    parameters = [item for group in optimizer.param_groups for item in group["params"]]
    return Stepped(type(optimizer).__name__, spot, parameters, id(optimizer))


def clips(frame: FrameType | None) -> bool:
    """Whether the innermost code of torch above the modes is that which clips gradients."""
    for _ in range(8):
        if frame is None or frame.f_code.co_filename == clip_grad.__file__:
            return frame is not None
        frame = frame.f_back
    return False


def in_step(frame: FrameType) -> bool:
    """Whether the step of an optimizer, which runs its hooks in ``frame``, is part of another step."""
    outer = frame.f_back
    while outer is not None:
        if outer.f_code is frame.f_code:
            return True
        outer = outer.f_back
    return False


def in_checkpoint(frame: FrameType | None) -> bool:
    """Whether a reentrant checkpoint runs, which turns gradients off itself."""
    while frame is not None:
        if frame.f_code is _CHECKPOINT:
            return True
        frame = frame.f_back
    return False


def in_sample(frame: FrameType | None) -> bool:
    """Whether torch draws from a distribution that has ``rsample()``, by ``sample()``."""
    while frame is not None and is_library(frame.f_code.co_filename):
        if frame.f_code.co_name == "sample":
            drawn = frame.f_locals.get("self")
            return isinstance(drawn, Distribution) and drawn.has_rsample
        frame = frame.f_back
    return False


_CHECKPOINT = CheckpointFunction.forward.__code__


def is_computed(tensor: Tensor) -> bool:
    """Whether it has a gradient that nobody keeps."""
    return tensor.requires_grad and not tensor.is_leaf and not tensor.retains_grad


def is_ours(frame: FrameType | None) -> bool:
    """Whether the record itself makes the call, as where it copies buffers, and does not hand on another."""
    while frame is not None and frame.f_code.co_name in ("__torch_function__", "handle_torch_function"):
        frame = frame.f_back
    return frame is not None and _is_of_tracer(frame)


def beyond_modes(frame: FrameType) -> FrameType:
    """The frame that made a call which modes of the record hand on."""
    while frame.f_code.co_name == "__torch_function__" and _is_of_tracer(frame) and frame.f_back is not None:
        frame = frame.f_back
    return frame


def _is_of_tracer(frame: FrameType) -> bool:
    return str(frame.f_globals.get("__name__")).startswith("autograd_tour.tracer.")


@contextmanager
def set_replaced(heard: Callable[[Tensor, FrameType], None]) -> Iterator[None]:
    """``heard`` is called before and after each ``Tensor.set_`` inside, which no mode hears.

    Before, the tensor has the memory that nodes have saved; after, that of another tensor.
    """
    method = Tensor.set_

    @wraps(method)
    def set_(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        if is_dynamo_compiling():
            return method(self, *args, **kwargs)
        heard(self, sys._getframe(1))
        result = method(self, *args, **kwargs)
        heard(self, sys._getframe(1))
        return result

    never_compiled(set_)
    Tensor.set_ = set_  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        del Tensor.set_
