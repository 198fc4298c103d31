"""Who walks where over the loss surface of (w, b): every optimizer of torch.optim that can."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from autograd_tour.lessons.optimizers import found_optimizers, train_with
from autograd_tour.lessons.thermometer import loss_fn, model
from autograd_tour.progress import counted

__all__ = ["Path", "path_of_lbfgs", "paths_of_all"]

SMALLER = 0.01
"""What lr is multiplied by for those that fly off with it."""


@dataclass(frozen=True)
class Path:
    """The way of one optimizer from w = 1, b = 0.

    ``points`` are (w, b) before each step and after the last, for LBFGS where its closure was called;
    ``loss`` is that of the last. ``lr`` is what it was given, ``None`` for its own.
    """

    name: str
    lr: float | None
    loss: float
    points: tuple[tuple[float, float], ...]


def paths_of_all(t_u: Tensor, t_c: Tensor, lr: float, steps: int) -> Iterator[Path]:
    """The paths of all that can train (w, b), in the order of their names; ``t_u``, ``t_c`` have shape (N).

    One whose loss ends above where it began gets a hundredth of ``lr``. LBFGS gets a closure and its own lr.
    """
    for name, make in counted(tuple(found_optimizers().items()), "optimizer"):
        if name == "LBFGS":
            yield path_of_lbfgs(t_u, t_c)
            continue
        for given in (lr, SMALLER * lr):
            outcome = train_with(name, make, steps, t_u, t_c, lr=given)
            if outcome.reason:
                break
            loss = loss_fn(model(t_u, *torch.tensor(outcome.params, dtype=t_u.dtype)), t_c).item()
            if math.isfinite(loss) and loss <= outcome.losses[0]:
                yield Path(name, given, loss, outcome.path)
                break


def path_of_lbfgs(t_u: Tensor, t_c: Tensor) -> Path:
    """One step of LBFGS, as torch sets it: it calls the closure, and so evaluates the loss, many times."""
    params = torch.tensor([1.0, 0.0], dtype=t_u.dtype, requires_grad=True)
    optimizer = torch.optim.LBFGS([params])
    points: list[tuple[float, float]] = []

    def closure() -> Tensor:
        points.append((params[0].item(), params[1].item()))
        optimizer.zero_grad()
        loss = loss_fn(model(t_u, *params), t_c)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    w, b = params.tolist()
    return Path("LBFGS", None, loss_fn(model(t_u, *params), t_c).item(), (*points, (w, b)))
