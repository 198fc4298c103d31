"""The training loop of the thermometer as a program that can be followed: by hand, and with an optimizer."""

# mypy: disable-error-code="no-untyped-call, operator"

from __future__ import annotations

import torch

from autograd_tour.lessons.thermometer import loss_fn, model, t_c, t_un

__all__ = ["loops"]


def loops() -> None:
    """A few rounds of the loop by hand, of the same loop without zeroing, and of SGD."""
    with_zeroing()
    without_zeroing()
    with_sgd()


def with_zeroing() -> None:
    """Three rounds by hand; ``.grad`` is emptied before each."""
    params = torch.tensor([1.0, 0.0], requires_grad=True)
    for _ in range(3):
        if params.grad is not None:
            params.grad.zero_()
        loss = loss_fn(model(t_un, *params), t_c)
        loss.backward()
        with torch.no_grad():
            params -= 0.01 * params.grad


def without_zeroing() -> None:
    """The same without the line that empties ``.grad``."""
    params_kept = torch.tensor([1.0, 0.0], requires_grad=True)
    for _ in range(3):
        loss = loss_fn(model(t_un, *params_kept), t_c)
        loss.backward()
        with torch.no_grad():
            params_kept -= 0.01 * params_kept.grad


def with_sgd() -> None:
    """Two rounds with an optimizer, which does the zeroing and the step."""
    params_sgd = torch.tensor([1.0, 0.0], requires_grad=True)
    optimizer = torch.optim.SGD([params_sgd], lr=0.01)
    for _ in range(2):
        optimizer.zero_grad()
        loss = loss_fn(model(t_un, *params_sgd), t_c)
        loss.backward()
        optimizer.step()
