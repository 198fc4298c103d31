"""What a custom Function saves, and who wrote to it before and after."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from autograd_tour import explain

X = torch.tensor([1.0, 2.0, 3.0])


class Filled(torch.autograd.Function):
    """Fills its result in place before it saves it, as solvers do."""

    @staticmethod
    def forward(ctx, x):
        out = torch.empty(3)
        out.fill_(1)
        out[0] = 2 * x[0]
        for n in (1, 2):
            out[n] = out[n - 1] * x[n]
        ctx.save_for_backward(x, out)
        return out.clone()

    @staticmethod
    def backward(ctx, grad):
        x, out = ctx.saved_tensors
        second = grad[1] + grad[2] * x[2]
        return torch.stack([2 * (grad[0] + second * x[1]), second * out[0], grad[2] * out[1]])


class ThroughNumPy(torch.autograd.Function):
    """Doubles its copy in an array, and saves that."""

    @staticmethod
    def forward(ctx, x):
        out = x.detach().clone()
        array = out.numpy()
        array *= 2
        ctx.save_for_backward(out)
        return out.sum()

    @staticmethod
    def backward(ctx, grad):
        (out,) = ctx.saved_tensors
        return grad * 2 * out / out


class LateSaving(torch.autograd.Function):
    """Saves in ``setup_context``, after its forward."""

    @staticmethod
    def forward(x):
        out = torch.zeros(3)
        out.add_(x)
        out.mul_(x)
        return out

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(inputs[0])

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        return 2 * x * grad


@pytest.mark.parametrize("function", [Filled, ThroughNumPy, LateSaving], ids=lambda item: item.__name__)
def test_what_a_forward_writes_before_it_saves_is_no_change_of_what_is_saved(function) -> None:
    def program() -> None:
        w = X.clone().requires_grad_()
        for _ in range(2):
            (function.apply(w) * 2).sum().backward()

    assert not [item for item in explain(program).findings if item.kind == "changed-in-silence"]


def overwritten(w: torch.Tensor) -> torch.Tensor:
    out = Filled.apply(w)
    saved = out.grad_fn.saved_tensors[1]
    saved.data.mul_(3)
    return out.sum()


def overwritten_by_numpy(w: torch.Tensor) -> torch.Tensor:
    out = Filled.apply(w)
    array = out.grad_fn.saved_tensors[1].numpy()
    array *= 3
    return out.sum()


@pytest.mark.parametrize("loss", [overwritten, overwritten_by_numpy], ids=lambda item: item.__name__)
def test_what_is_written_after_it_still_is(loss: Callable[[torch.Tensor], torch.Tensor]) -> None:
    def program() -> None:
        loss(X.clone().requires_grad_()).backward()

    (finding,) = [item for item in explain(program).findings if item.kind == "changed-in-silence"]
    assert finding.level == "error"
