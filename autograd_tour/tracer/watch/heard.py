"""What is noted of the calls, values and steps of a program that is watched."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from types import FrameType
from typing import Any, NamedTuple

from torch import Tensor
from torch.compiler import is_dynamo_compiling
from torch.nn.utils import clip_grad
from torch.utils.checkpoint import CheckpointFunction

from autograd_tour.tracer.compiled import never_compiled
from autograd_tour.tracer.watch.saves import Look

__all__ = [
    "Call",
    "Escape",
    "Root",
    "Stepped",
    "clips",
    "flat",
    "in_checkpoint",
    "is_computed",
    "is_leaf",
    "is_ours",
    "set_replaced",
]


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
    """An optimizer at its first step."""

    name: str
    spot: int
    parameters: list[Tensor]


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


def flat(value: Any, depth: int = 0) -> Iterator[Any]:
    """The items of a nest, one by one."""
    if isinstance(value, list | tuple) and depth < 4:
        for item in value:
            yield from flat(item, depth + 1)
    elif isinstance(value, dict) and depth < 4:
        for item in value.values():
            yield from flat(item, depth + 1)
    else:
        yield value


def clips(frame: FrameType | None) -> bool:
    """Whether the innermost code of torch above the modes is that which clips gradients."""
    for _ in range(8):
        if frame is None or frame.f_code.co_filename == clip_grad.__file__:
            return frame is not None
        frame = frame.f_back
    return False


def in_checkpoint(frame: FrameType | None) -> bool:
    """Whether a reentrant checkpoint runs, which turns gradients off itself."""
    while frame is not None:
        if frame.f_code is _CHECKPOINT:
            return True
        frame = frame.f_back
    return False


_CHECKPOINT = CheckpointFunction.forward.__code__


def is_leaf(tensor: Tensor) -> bool:
    """Whether it is a leaf for sure: of a view this is not asked, torch would make its node anew."""
    return not tensor._is_view() and tensor.is_leaf


def is_computed(tensor: Tensor) -> bool:
    """Whether it has a gradient that nobody keeps."""
    return tensor.requires_grad and not tensor.is_leaf and not tensor.retains_grad


def is_ours(frame: FrameType | None) -> bool:
    """Whether the record itself makes the call, as where it copies buffers, and does not hand on another."""
    while frame is not None and frame.f_code.co_name in ("__torch_function__", "handle_torch_function"):
        frame = frame.f_back
    return frame is not None and str(frame.f_globals.get("__name__")).startswith("autograd_tour.tracer.")


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
