"""Every optimizer that torch.optim has, on one problem: where it gets to, or why it cannot run."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from autograd_tour.lessons.thermometer import loss_fn, model
from autograd_tour.progress import counted

__all__ = ["Outcome", "best_fit", "found_optimizers", "run_all", "train_with"]

LAST = 500
"""Epochs at the end over which the parameters are watched."""


@dataclass(frozen=True)
class Outcome:
    """One optimizer's run. ``reason`` is why it could not run, and then all else is empty.

    ``losses`` has one entry per epoch, before its step; ``params`` is [w, b] at the end. ``jumps``
    is half the width of what w covers in the last 500 epochs if it goes back and forth there, else
    0; ``mean_loss`` and ``mean_params`` are averages over the same epochs. ``path`` has [w, b] at the
    start and after each epoch.
    """

    name: str
    losses: tuple[float, ...] = ()
    params: tuple[float, ...] = ()
    jumps: float = 0.0
    mean_loss: float = 0.0
    mean_params: tuple[float, ...] = ()
    reason: str = ""
    path: tuple[tuple[float, float], ...] = ()

    @property
    def loss(self) -> float:
        """Where the loss ended: the average over its jumps, if it jumps; NaN if there was no epoch."""
        return self.mean_loss if self.jumps else self.losses[-1] if self.losses else math.nan

    @property
    def end_params(self) -> tuple[float, ...]:
        """[w, b] where the run ended: averages, if it jumps."""
        return self.mean_params if self.jumps else self.params


def found_optimizers() -> Mapping[str, type[Optimizer]]:
    """All optimizers in this installation's ``torch.optim``, in the order of their names."""
    return {
        name: item
        for name, item in sorted(vars(torch.optim).items(), key=lambda item: item[0].lower())
        if isinstance(item, type) and issubclass(item, Optimizer) and item is not Optimizer
    }


def run_all(n_epochs: int, learning_rate: float, t_u: Tensor, t_c: Tensor) -> tuple[Outcome, ...]:
    """:func:`train_with` for each of :func:`found_optimizers`, from w = 1, b = 0."""
    return tuple(
        train_with(name, make, n_epochs, t_u, t_c, lr=learning_rate)
        for name, make in counted(tuple(found_optimizers().items()), "optimizer")
    )


def train_with(
    name: str, make: Callable[..., Optimizer], n_epochs: int, t_u: Tensor, t_c: Tensor, **options: Any
) -> Outcome:
    """Train w = 1, b = 0 with the optimizer that ``make([params], **options)`` builds.

    ``t_u`` and ``t_c`` have shape (N), and their type is that of the parameters. Whatever is raised
    becomes the outcome's ``reason``.
    """
    params = torch.tensor([1.0, 0.0], dtype=t_u.dtype, requires_grad=True)
    losses: list[Tensor] = []
    path: list[Tensor] = []
    stage = "when it is built"
    try:
        optimizer = make([params], **options)
        for _ in range(n_epochs):
            t_p = model(t_u, *params)
            loss = loss_fn(t_p, t_c)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            stage = "at step()"
            losses.append(loss.detach())
            optimizer.step()
            path.append(params.detach().clone())
    except Exception as error:  # any optimizer may refuse in its own way: the reason is the result
        message = " ".join(str(error).split())[:200]
        return Outcome(name, reason=f"{stage}: {type(error).__name__}: {message}")
    if not path:
        return Outcome(name, params=tuple(params.tolist()))
    end, end_losses = torch.stack(path[-LAST:]), torch.stack(losses[-LAST:])
    return Outcome(
        name,
        tuple(torch.stack(losses).tolist()),
        tuple(params.tolist()),
        _jumps(end[:, 0]),
        end_losses.mean().item(),
        tuple(end.mean(0).tolist()),
        path=((1.0, 0.0), *((w, b) for w, b in torch.stack(path).tolist())),
    )


def _jumps(w: Tensor) -> float:
    """Half the width of what ``w`` covers if most steps undo the one before, else 0."""
    steps = w.diff()
    back = (steps[1:] * steps[:-1] < 0).to(w.dtype).mean().item() if len(w) > 2 else 0.0
    half = (w.max() - w.min()).item() / 2
    # Below this it is rounding, or a method that has all but stopped.
    return half if back > 0.5 and half > 1e-3 else 0.0


def best_fit(t_u: Tensor, t_c: Tensor) -> Outcome:
    """The optimum itself: least squares solved directly, to compare with."""
    columns = torch.stack([t_u, torch.ones_like(t_u)], dim=1)
    params = torch.linalg.lstsq(columns, t_c.unsqueeze(1)).solution.flatten()
    loss = loss_fn(model(t_u, *params), t_c).item()
    optimum = tuple(params.tolist())
    return Outcome("least squares", (loss,), optimum, 0.0, loss, optimum)
