"""Where one precision has NaN or Inf and the other has none, and where a step leaves what is finite."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

import autograd_tour as tour
from autograd_tour.record.verification import Differences
from autograd_tour.reports.verification import lines
from tests.test_checks.conftest import named


def nan_in_float64() -> Tensor:
    x = torch.tensor([1.0], requires_grad=True)
    difference = (x + 1e-9) - 1.0  # 0 in float32
    return torch.sqrt(1e-12 - difference).sum()


def overflow_in_float32() -> Tensor:
    x = torch.tensor([100.0, 1.0], requires_grad=True)
    return torch.exp(x).sum()


def near_the_edge() -> Tensor:
    x = torch.tensor([1e-8, 1.0], requires_grad=True)
    return torch.sqrt(x).sum()


def nearer_to_the_edge() -> Tensor:
    x = torch.tensor([1e-7, 1.0], requires_grad=True)
    return torch.log(x).sum()


def nan_by_backward_alone() -> Tensor:
    x = torch.tensor([0.0, 1.0], requires_grad=True)
    return torch.where(x > 0, torch.sqrt(x), x).sum()


@pytest.mark.parametrize(
    ("program", "outcome", "words"),
    [
        (nan_in_float64, "ok", "float64 failed (the loss is nan there)"),
        (overflow_in_float32, "ok", "1 element of gradients finite on one side only"),
        (near_the_edge, "ok", "2 derivatives not compared: a step away the loss is not finite"),
        (nearer_to_the_edge, "ok", "2 derivatives not compared: a step away the loss is not finite"),
        (nan_by_backward_alone, "differs", "x[0] nan by backward"),
    ],
)
def test_what_is_not_finite_on_one_side_is_said_and_fails_only_where_backward_is_to_blame(
    program, outcome, words
) -> None:
    verification = tour.verify(program)
    check = named(verification, "differences")
    assert isinstance(check.result, Differences)
    assert check.outcome == outcome
    (line,) = [line for line in lines(verification) if line.startswith("differences")]
    assert words in line
    assert "inf of these" not in line
