"""What is not finite from the start is not blamed on what is computed from it."""

from __future__ import annotations

import math

import torch
from torch import nn

import autograd_tour as tour


def data() -> None:
    torch.manual_seed(0)
    lin, z = nn.Linear(3, 2), torch.randn(4, 3)
    z[0, 0] = math.inf
    lin(z).tanh().pow(2).mean().backward()


def leaf() -> None:
    w, b = torch.tensor(math.inf, requires_grad=True), torch.tensor(0.0, requires_grad=True)
    (w.log() * torch.sigmoid(b)).backward()


def row_masked_whole() -> None:
    x = torch.ones(2, 2, requires_grad=True)
    mask = torch.tensor([[True, True], [False, True]])
    x.masked_fill(mask, -math.inf).softmax(-1).sum().backward()


def test_infinite_data_is_named_and_so_is_the_nan_that_backward_makes_of_it() -> None:
    (finding,) = tour.explain(data).findings
    assert (finding.kind, finding.level) == ("inf-forward", "error")
    assert finding.why.startswith("z already holds numbers that are not finite")
    assert finding.why.endswith("There is NaN in backward too.")
    assert finding.fix == "assert torch.isfinite(x).all()"


def test_a_slope_made_of_infinite_values_is_not_the_functions_own() -> None:
    (finding,) = tour.explain(leaf).findings
    assert finding.why.startswith("w.log() holds numbers that are not finite")
    assert "All its values are finite" not in finding.why
    assert "clamp" not in finding.fix


def test_a_row_that_is_masked_as_a_whole_is_mended_in_its_mask() -> None:
    (finding,) = tour.explain(row_masked_whole).findings
    assert "nothing it was computed from has" not in finding.why
    assert finding.fix.startswith("mask[mask.all(-1)] = False")


def test_a_nan_of_backward_alone_is_told_beside_one_in_the_data() -> None:
    def loss():
        x = torch.tensor([float("nan"), 1.0])
        w, z = torch.ones(2, requires_grad=True), torch.zeros(2, requires_grad=True)
        return torch.nan_to_num(w + x).sum() + (torch.sqrt(z) * 0).sum()

    data, own = tour.explain(loss).findings
    assert (data.kind, own.kind) == ("nonfinite-input", "nan-backward")
    assert own.seen.startswith("the backward of torch.sqrt(z) is the first to send 2 NaN")


def test_a_nan_of_backward_that_comes_of_the_data_is_not_told_twice() -> None:
    def loss():
        x, w = torch.tensor([float("nan"), 1.0]), torch.ones(2, requires_grad=True)
        return (w * x).square().mean()

    (finding,) = tour.explain(loss).findings
    assert finding.kind == "nonfinite-input"
