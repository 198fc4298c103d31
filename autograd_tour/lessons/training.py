"""Train the thermometer by hand, with and without zeroing, then let optimizers do it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from autograd_tour.drawing.curves import Panel, Series, curves
from autograd_tour.drawing.extents import drawing_view
from autograd_tour.drawing.room import Room
from autograd_tour.drawing.theme import ThemeName
from autograd_tour.errors import UsageError
from autograd_tour.formats import Settings
from autograd_tour.formats.svg import paper_theme
from autograd_tour.formats.to_pdf import pdf
from autograd_tour.formats.to_png import png
from autograd_tour.lessons.base import ProgramLesson
from autograd_tour.lessons.optimizers import Outcome, best_fit, run_all, train_with
from autograd_tour.lessons.thermometer import loss_fn, model, t_c, t_u, t_un
from autograd_tour.lessons.training_loops import loops
from autograd_tour.text import number

__all__ = [
    "Act",
    "Moment",
    "Run",
    "Study",
    "lesson",
    "loss_picture",
    "sgd_step",
    "study",
    "training_loop",
]

EPOCHS = 5000
LEARNING_RATE = 1e-2
FIRST = 60
"""Epochs of the panel in which single steps can be seen."""
FORMATS = ("txt", "svg", "png", "pdf")
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


def loss_picture(result: Study, theme: ThemeName = "auto", room: Room | None = None) -> str:
    """The losses of both loops, as SVG: the first epochs beside all of them, and the least loss there is."""
    zeroed, not_zeroed = result.zeroed.losses, result.not_zeroed.losses
    first = min(FIRST, result.epochs)
    least = number(result.best.loss, 4)

    def series(epochs: int) -> tuple[Series, ...]:
        return (
            Series("zeroed", tuple(enumerate(zeroed[:epochs], start=1))),
            Series("without zeroing", tuple(enumerate(not_zeroed[:epochs], start=1))),
            Series(f"optimum {least}", ((1, result.best.loss), (epochs, result.best.loss))),
        )

    return curves(
        (
            Panel(series(first), "epoch", heading=f"the first {first} epochs, linear", width=300.0),
            Panel(
                series(result.epochs),
                "epoch",
                log_x=True,
                log_y=True,
                heading=f"all {result.epochs} epochs, both axes logarithmic",
                width=460.0,
            ),
        ),
        title="The same training loop, with and without zeroing .grad",
        desc=(
            f"Two losses over {result.epochs} epochs, the first {first} also on linear axes, and the least "
            f"loss there is, {least}. With zeroing the loss falls "
            f"from {zeroed[0]:.1f} to {zeroed[-1]:.4g} and stays there. Without zeroing it swings between "
            f"{min(not_zeroed):.3g} and {max(not_zeroed):.3g} to the end."
        ),
        y_label=f"loss on t_un, learning rate {result.learning_rate:g}",
        theme=theme,
        prefix="training-loss",
        room=room,
    )


class Training(ProgramLesson):
    """The training loop and the optimizers: a report and the picture of two losses.

    Its program is a few rounds of the loops, which questions are asked about.
    """

    def files(self, settings: Settings) -> Mapping[str, str | bytes]:
        """``training-report.txt`` and ``training-loss.svg``, or those whose formats were chosen.

        Takes about a quarter of a minute.

        Raises:
            UsageError: only formats were chosen that this lesson does not have.
        """
        from autograd_tour.lessons.training_report import report

        wanted = [choice for choice in dict.fromkeys(settings.formats or ("txt", "svg")) if choice in FORMATS]
        if not wanted:
            choices = " or ".join(f"-f {choice}" for choice in FORMATS)
            raise UsageError("the training lesson has no trace to write", f"Choose {choices}")
        result = study()
        still = paper_theme(settings.theme)
        write: dict[str, Callable[[], str | bytes]] = {
            "txt": lambda: report(result),
            "svg": lambda: loss_picture(result, settings.theme, settings.room),
            "png": lambda: png(loss_picture(result, still, settings.room), settings.scale),
            "pdf": lambda: pdf([loss_picture(result, still, settings.room)]),
        }
        with drawing_view("loss"):
            return {
                f"training-{'report' if ending == 'txt' else 'loss'}.{ending}": write[ending]()
                for ending in wanted
            }


lesson = Training(
    "training", "the loop by hand, with and without zeroing, and every optimizer of torch.optim", loops
)
