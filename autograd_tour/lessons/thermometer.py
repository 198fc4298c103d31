"""Calibrate an unknown thermometer: what it reads, ``t_u``, against degrees Celsius, ``t_c``."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from autograd_tour.lessons.base import ProgramLesson

__all__ = [
    "PROGRAMS",
    "lesson",
    "loss_fn",
    "model",
    "t_c",
    "t_u",
    "t_un",
    "thermometer",
    "thermometer_params",
]

# Eleven readings: the true temperature, and what the unknown thermometer showed.
t_c = torch.tensor([0.5, 14.0, 15.0, 28.0, 11.0, 8.0, 3.0, -4.0, 6.0, 13.0, 21.0])
t_u = torch.tensor([35.7, 55.9, 58.2, 81.9, 56.3, 48.9, 33.9, 21.8, 48.4, 60.4, 68.4])
t_un = 0.1 * t_u


def model(t_u: Tensor, w: Tensor, b: Tensor) -> Tensor:
    """A guess at the scale of the thermometer: a straight line. ``t_u`` of shape (11), so is the result."""
    return w * t_u + b


def loss_fn(t_p: Tensor, t_c: Tensor) -> Tensor:
    """How far predictions are from the truth: the mean of squared differences, a scalar."""
    squared_diffs = (t_p - t_c) ** 2
    return squared_diffs.mean()


def thermometer() -> Tensor:
    """The loss at the start, w = 1 and b = 0, each a leaf of its own."""
    w = torch.tensor(1.0, requires_grad=True)
    b = torch.tensor(0.0, requires_grad=True)
    t_p = model(t_u, w, b)
    loss = loss_fn(t_p, t_c)
    return loss  # noqa: RET504 - the name is what the picture shows


def thermometer_params() -> Tensor:
    """The same with one leaf that holds both parameters; ``*params`` takes it apart."""
    params = torch.tensor([1.0, 0.0], requires_grad=True)
    t_p = model(t_u, *params)
    loss = loss_fn(t_p, t_c)
    return loss  # noqa: RET504 - the name is what the picture shows


PROGRAMS: dict[str, Callable[[], Tensor]] = {
    "thermometer": thermometer,
    "thermometer-params": thermometer_params,
}

_SUMMARIES = {
    "thermometer": "w * t_u + b with two scalar leaves",
    "thermometer-params": "the same with one tensor of two parameters",
}

lesson = tuple(ProgramLesson(name, _SUMMARIES[name], program) for name, program in PROGRAMS.items())
