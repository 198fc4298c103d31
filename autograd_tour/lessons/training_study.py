"""What the training lesson knows: the loops by hand, single steps, and what every optimizer reached."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from autograd_tour.lessons.optimizers import Outcome, best_fit, run_all, train_with
from autograd_tour.lessons.thermometer import loss_fn, model, t_c, t_u, t_un

__all__ = ["Act", "Moment", "Run", "Study", "sgd_step", "study", "training_loop"]

EPOCHS = 5000
LEARNING_RATE = 1e-2
Act = Literal["backward", "step", "zero_grad"]


@dataclass(frozen=True)
class Run:
    """A loop that has run: ``losses`` has one entry per epoch, before its update; ``params`` is [w, b]."""

    losses: tuple[float, ...]
    params: tuple[float, ...]

    def at(self, epoch: int) -> float:
        """The loss of ``epoch``, counted from 1."""
        return self.losses[epoch - 1]


@dataclass(frozen=True)
class Moment:
    """Parameters and ``.grad`` after something was done; ``grad`` is ``None`` for an empty slot."""

    after: str
    params: tuple[float, ...]
    grad: tuple[float, ...] | None


@dataclass(frozen=True)
class Study:
    """All results of the lesson, as plain data."""

    epochs: int
    learning_rate: float
    zeroed: Run
    not_zeroed: Run
    momentum: Outcome
    steps: tuple[tuple[str, tuple[Moment, ...]], ...]
    best: Outcome
    outcomes: tuple[Outcome, ...]
    remedies: tuple[Outcome, ...]


def training_loop(
    n_epochs: int, learning_rate: float, params: Tensor, t_u: Tensor, t_c: Tensor, zero: bool = True
) -> Run:
    """Gradient descent by hand. ``params`` is a leaf of shape (2) and changes in place."""
    losses = []
    for _ in range(n_epochs):
        if zero and params.grad is not None:
            params.grad.zero_()
        t_p = model(t_u, *params)
        loss = loss_fn(t_p, t_c)
        loss.backward()  # type: ignore[no-untyped-call]
        losses.append(loss.detach())
        with torch.no_grad():
            params -= learning_rate * params.grad  # type: ignore[operator]
    loss_values = torch.stack(losses).tolist() if losses else []
    return Run(tuple(loss_values), tuple(params.tolist()))


def sgd_step(
    learning_rate: float, t_u: Tensor, t_c: Tensor, acts: Sequence[Act], set_to_none: bool = True
) -> tuple[Moment, ...]:
    """What each of ``acts`` does to the parameters, [1, 0] at first, and to their ``.grad``."""
    params = torch.tensor([1.0, 0.0], dtype=t_u.dtype, requires_grad=True)
    optimizer = torch.optim.SGD([params], lr=learning_rate)
    moments = [_moment("at the start", params)]
    for act in acts:
        if act == "backward":
            loss_fn(model(t_u, *params), t_c).backward()  # type: ignore[no-untyped-call]
            moments.append(_moment("loss.backward()", params))
        elif act == "step":
            optimizer.step()
            moments.append(_moment("optimizer.step()", params))
        else:
            optimizer.zero_grad(set_to_none=set_to_none)
            moments.append(_moment(f"optimizer.zero_grad(set_to_none={set_to_none})", params))
    return tuple(moments)


def _moment(after: str, params: Tensor) -> Moment:
    grad = None if params.grad is None else tuple(params.grad.tolist())
    return Moment(after, tuple(params.tolist()), grad)


def study(
    n_epochs: int = EPOCHS, learning_rate: float = LEARNING_RATE, dtype: torch.dtype = torch.float64
) -> Study:
    """Run everything. In double precision, so that the last digits shown are the same on every CPU."""
    raw, scaled, truth = t_u.to(dtype), t_un.to(dtype), t_c.to(dtype)

    def start() -> Tensor:
        return torch.tensor([1.0, 0.0], dtype=dtype, requires_grad=True)

    def remedy(name: str, **options: float) -> Outcome:
        arguments = ", ".join(f"{key}={value:g}" for key, value in options.items())
        make = getattr(torch.optim, name)
        return train_with(f"{name}({arguments})", make, n_epochs, scaled, truth, **options)

    usual: tuple[Act, ...] = ("zero_grad", "backward", "step", "zero_grad")
    early: tuple[Act, ...] = ("backward", "zero_grad", "step")
    steps = (
        ("lr=1e-5 on t_u", sgd_step(1e-5, raw, truth, ("backward", "step"))),
        ("lr=0.01 on t_un, .grad emptied", sgd_step(1e-2, scaled, truth, usual)),
        ("lr=0.01 on t_un, .grad set to 0", sgd_step(1e-2, scaled, truth, usual, set_to_none=False)),
        ("lr=0.01 on t_un, zeroed at the wrong moment", sgd_step(1e-2, scaled, truth, early)),
    )
    return Study(
        n_epochs,
        learning_rate,
        training_loop(n_epochs, learning_rate, start(), scaled, truth),
        training_loop(n_epochs, learning_rate, start(), scaled, truth, zero=False),
        train_with("SGD", torch.optim.SGD, n_epochs, scaled, truth, lr=learning_rate, momentum=1.0),
        steps,
        best_fit(scaled, truth),
        run_all(n_epochs, learning_rate, scaled, truth),
        (remedy("Adadelta", lr=1.0), remedy("Adagrad", lr=1.0), remedy("AdamW", lr=1e-2, weight_decay=0.0)),
    )
