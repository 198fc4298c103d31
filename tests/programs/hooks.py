"""Programs with hooks and Functions of their own."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx


class Scale(torch.autograd.Function):
    """Doubles forward, multiplies by five backward: whoever recomputes gets another gradient."""

    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor, factor: float) -> Tensor:
        ctx.save_for_backward(x)
        ctx.factor = factor
        return x * factor

    @staticmethod
    def backward(ctx: FunctionCtx, grad: Tensor) -> tuple[Tensor, None]:
        return grad * 5.0, None


class Both(torch.autograd.Function):
    """Two outputs, of which a program may use one."""

    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        return x + y, x - y

    @staticmethod
    def backward(ctx: FunctionCtx, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
        return first + second, first - second


def custom_function() -> Tensor:
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    return Scale.apply(w, 2.0).sum()


def custom_function_unused_output() -> Tensor:
    a = torch.tensor([1.0, 2.0], requires_grad=True)
    b = torch.tensor([3.0, 4.0], requires_grad=True)
    total, _ = Both.apply(a, b)
    return (total * 2).sum()


def tensor_hook() -> Tensor:
    """A hook changes the gradient between edge and node."""
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    h = w * 3
    h.register_hook(lambda grad: grad * 10)
    return (h * h).sum()


def tensor_hook_on_fan_out() -> Tensor:
    """The same where two edges meet."""
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    h = w * 3
    h.register_hook(lambda grad: grad * 10)
    return h.sum() + (h * 2).sum()


def leaf_hook() -> Tensor:
    """A hook on a leaf: between the last operation and ``.grad``."""
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    w.register_hook(lambda grad: -grad)
    return (w * 3).sum()


def looking_hook() -> Tensor:
    """A hook that only looks changes nothing."""
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    h = w * 3
    h.register_hook(lambda grad: None)
    h.retain_grad()
    return (h * h).sum()


def backward_raises() -> Tensor:
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    h = w * 3

    def fail(grad: Tensor) -> None:
        raise ValueError("no such gradient")

    h.register_hook(fail)
    return h.sum()


def forward_raises() -> Tensor:
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    h = w * 3
    raise ValueError(f"cannot go on with {tuple(h.shape)}")


def interrupted() -> Tensor:
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    (w * 3).sum()
    raise KeyboardInterrupt


def exits() -> Tensor:
    raise SystemExit(3)


def packed_saves() -> Tensor:
    """Saved tensors live behind hooks, which count how often they are unpacked."""
    w = torch.tensor([1.0, 2.0], requires_grad=True)

    def unpack(item: Tensor) -> Tensor:
        unpacked.append(tuple(item.shape))
        return item

    with torch.autograd.graph.saved_tensors_hooks(lambda item: item, unpack):
        h = torch.exp(w) * w
    return h.sum()


unpacked: list[tuple[int, ...]] = []

HARMLESS = [
    custom_function, custom_function_unused_output, tensor_hook, tensor_hook_on_fan_out, leaf_hook,
    looking_hook, packed_saves,
]  # fmt: skip
"""Those that run to their end."""
