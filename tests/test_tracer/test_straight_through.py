"""Straight-through estimators are called so: what has the value of one tensor and the gradient of another."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

import autograd_tour as tour

Estimator = Callable[[Tensor], Tensor]


def _leaf() -> Tensor:
    return torch.tensor([0.3, 1.7], requires_grad=True)


def notes(estimator: Estimator) -> list[str]:
    def loss() -> Tensor:
        x = _leaf()
        y = estimator(x)
        return (y * torch.tensor([1.0, 3.0])).sum()

    return [
        note
        for node in tour.trace(loss).nodes
        for note in node.notes
        if note.startswith(("val", "grad", "str"))
    ]


def quantised(x: Tensor) -> Tensor:
    codes, z = torch.tensor([1.0, 2.0]), x * 2
    return z + (codes - z).detach()


def changed(x: Tensor) -> Tensor:
    z = x * 1
    rest = (z.round() - z).detach()
    return z.add_(3) + rest


ESTIMATORS: dict[str, tuple[Estimator, str, str, Estimator]] = {
    "as it is written mostly": (lambda x: x + (torch.round(x) - x).detach(), "torch.round(x)", "x", torch.round),
    "the other way round": (lambda x: (x.sign() - x).detach() + x, "x.sign()", "x", torch.sign),
    "taken off": (lambda x: x - (x - x.round()).detach(), "x.round()", "x", torch.round),
    "in three": (lambda x: x - x.detach() + x.round().detach(), "x.round()", "x", torch.round),
    "by data": (lambda x: x + (x.round() - x).data, "x.round()", "x", torch.round),
    "to a code": (quantised, "codes", "z", lambda x: torch.tensor([1.0, 2.0]) + 0 * x),
}  # fmt: skip


@pytest.mark.parametrize("name", ESTIMATORS)
def test_it_is_told_with_its_value_and_its_gradient(name: str) -> None:
    estimator, value, gradient, computed = ESTIMATORS[name]
    assert notes(estimator) == [
        "straight-through estimator",
        f"value: {value}",
        f"gradient: as if that were {gradient}",
    ]
    assert torch.allclose(estimator(_leaf()), computed(_leaf()))


@pytest.mark.parametrize(
    "estimator",
    [
        lambda x: x + x.round().detach(),
        lambda x: x + (x.round() - 2 * x).detach(),
        lambda x: x - x.detach(),
        lambda x: x + (x.round()[:, None] - x).detach(),
        lambda x: torch.add(x, (x.round() - x).detach(), alpha=2),
        lambda x: x + x.round() - x,
        changed,
    ],
)
def test_what_is_none_or_may_be_none_is_not_called_one(estimator: Estimator) -> None:
    assert notes(estimator) == []
