"""The functions by which a program runs backward or empties gradients, replaced while it is followed.

A mode hears them too, but it costs time at every call of a torch function, and cannot be taken away from
inside one that it heard: a loop of thousands of epochs must run as fast as ever between those that are told
in full.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial, wraps
from types import FrameType
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.compiler import is_dynamo_compiling
from torch.optim import Optimizer

from autograd_tour.tracer.compiled import never_compiled
from autograd_tour.tracer.follow.backward import BackwardCall
from autograd_tour.tracer.references import references_hidden

__all__ = [
    "Attention",
    "Counting",
    "Emptied",
    "Hearing",
    "backward_replaced",
    "swap_replaced",
    "zeroing_replaced",
]

Hearing = Callable[[BackwardCall, FrameType], Any]
"""Runs a backward call, made in a frame: what it returns."""

Counting = Callable[[Any, Callable[[], Any], FrameType], Any]
"""Runs a call that deposits the gradients of outputs, made in a frame: what it returns."""

Emptied = nn.Module | Optimizer
"""Whose gradients ``zero_grad()`` empties."""

Attention = Literal["none", "brief", "full"]
"""What is wanted of a call that is about to be made; of one that deposits ``brief`` is enough at times."""


def _full() -> Attention:
    return "full"


def _uncounted(outputs: Any, call: Callable[[], Any], frame: FrameType) -> Any:  # noqa: ARG001
    return call()


@contextmanager
def backward_replaced(
    hearing: Hearing, attention: Callable[[], Attention] = _full, counting: Counting = _uncounted
) -> Iterator[None]:
    """``hearing`` gets each call of ``Tensor.backward``, ``torch.autograd.backward`` and ``grad`` inside.

    It gets none to which there is no ``attention``: a method of a tensor calls a function, which it knows
    of. Of those that deposit gradients ``counting`` gets the ones that are to be heard in brief.
    """
    method, function, grad = Tensor.backward, torch.autograd.backward, torch.autograd.grad
    Tensor.backward = _of_tensor(method, hearing, attention, counting)  # type: ignore[method-assign]
    torch.autograd.backward = _of_tensors(function, hearing, attention, counting)
    torch.autograd.grad = _returning(grad, hearing, attention)
    try:
        yield
    finally:
        Tensor.backward = method  # type: ignore[method-assign]
        torch.autograd.backward, torch.autograd.grad = function, grad


@contextmanager
def zeroing_replaced(heard: Callable[[Emptied, FrameType], Callable[[], None] | None]) -> Iterator[None]:
    """``heard`` is called before each ``zero_grad`` inside, which may have nothing to empty.

    What it gives is called afterwards.
    """
    kinds: tuple[Any, ...] = (nn.Module, Optimizer)
    methods = [kind.zero_grad for kind in kinds]
    for kind, method in zip(kinds, methods, strict=True):
        kind.zero_grad = _zeroing(method, heard)
    try:
        yield
    finally:
        for kind, method in zip(kinds, methods, strict=True):
            kind.zero_grad = method


def _zeroing(
    method: Callable[..., None], heard: Callable[[Emptied, FrameType], Callable[[], None] | None]
) -> Callable[..., None]:
    @wraps(method)
    def zero_grad(self: Emptied, set_to_none: bool = True) -> None:
        after = None if is_dynamo_compiling() else heard(self, sys._getframe())
        method(self, set_to_none)
        if after is not None:
            after()

    never_compiled(zero_grad)
    return zero_grad


@contextmanager
def swap_replaced(
    around: Callable[[Tensor, Tensor, FrameType], AbstractContextManager[None]],
) -> Iterator[None]:
    """``torch.utils.swap_tensors`` inside runs ``around`` its own work; references of ours do not stop it."""
    function = torch.utils.swap_tensors

    @wraps(function)
    def swap_tensors(t1: Tensor, t2: Tensor) -> None:
        if is_dynamo_compiling():
            function(t1, t2)  # type: ignore[no-untyped-call]
            return
        with around(t1, t2, sys._getframe(1)), references_hidden():
            function(t1, t2)  # type: ignore[no-untyped-call]

    never_compiled(swap_tensors)
    torch.utils.swap_tensors = swap_tensors
    try:
        yield
    finally:
        torch.utils.swap_tensors = function


# In a long training these run for each step, most of them in brief: code that the program has driven out of
# the cache costs several times what it costs in a loop of its own.


def _of_tensor(
    method: Callable[..., Any], hearing: Hearing, attention: Callable[[], Attention], counting: Counting
) -> Callable[..., Any]:
    @wraps(method)
    def backward(
        self: Tensor,
        gradient: Any = None,
        retain_graph: bool | None = None,
        create_graph: bool = False,
        inputs: Any = None,
    ) -> Any:
        wanted = "none" if is_dynamo_compiling() else attention()
        if wanted == "none":
            return method(self, gradient, retain_graph, create_graph, inputs)
        if wanted == "full":
            inputs = _kept(inputs)
        call = partial(method, self, gradient, retain_graph, create_graph, inputs)
        if wanted == "brief":
            return counting(self, call, sys._getframe(1))
        return hearing(
            BackwardCall(method, self, gradient, call, retain_graph, create_graph), sys._getframe(1)
        )

    never_compiled(backward)
    return backward


def _of_tensors(
    function: Callable[..., Any], hearing: Hearing, attention: Callable[[], Attention], counting: Counting
) -> Callable[..., Any]:
    @wraps(function)
    def backward(
        tensors: Any,
        grad_tensors: Any = None,
        retain_graph: bool | None = None,
        create_graph: bool = False,
        grad_variables: Any = None,
        inputs: Any = None,
    ) -> Any:
        wanted = "none" if is_dynamo_compiling() else attention()
        if wanted == "none":
            return function(tensors, grad_tensors, retain_graph, create_graph, grad_variables, inputs)
        tensors, grad_tensors, inputs = _kept(tensors), _kept(grad_tensors), _kept(inputs)
        call = partial(function, tensors, grad_tensors, retain_graph, create_graph, grad_variables, inputs)
        if wanted == "brief":
            return counting(tensors, call, sys._getframe(1))
        return hearing(
            BackwardCall(function, tensors, grad_tensors, call, retain_graph, create_graph), sys._getframe(1)
        )

    never_compiled(backward)
    return backward


def _returning(
    function: Callable[..., Any], hearing: Hearing, attention: Callable[[], Attention]
) -> Callable[..., Any]:
    @wraps(function)
    def grad(
        outputs: Any,
        inputs: Any,
        grad_outputs: Any = None,
        retain_graph: bool | None = None,
        create_graph: bool = False,
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        if is_dynamo_compiling() or attention() == "none":
            return function(outputs, inputs, grad_outputs, retain_graph, create_graph, *args, **kwargs)
        outputs, inputs, grad_outputs = _kept(outputs), _kept(inputs), _kept(grad_outputs)
        call = partial(function, outputs, inputs, grad_outputs, retain_graph, create_graph, *args, **kwargs)
        backward = BackwardCall(function, outputs, grad_outputs, call, retain_graph, create_graph)
        backward.returns_to(inputs, batched=kwargs.get("is_grads_batched", len(args) > 2 and args[2]))
        return hearing(backward, sys._getframe(1))

    never_compiled(grad)
    return grad


def _kept(value: Any) -> Any:
    """What can be gone through twice: a generator of parameters is empty after the first time."""
    if value is None or hasattr(value, "__len__"):
        return value
    return tuple(value) if isinstance(value, Iterable) else value
