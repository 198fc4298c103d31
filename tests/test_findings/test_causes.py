"""Causes that are near to another one: drawn numbers, a module that only holds others, too few elements."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Bernoulli, Independent, LogNormal, Normal

from autograd_tour import explain

x, y = torch.tensor([[1.0, 2.0], [3.0, -1.0]]), torch.tensor([[1.0], [0.0]])


def _normal(code: Tensor) -> Tensor:
    return Normal(code, 1.0).sample()


def _independent(code: Tensor) -> Tensor:
    return Independent(Normal(code, 1.0), 1).sample()


def _transformed(code: Tensor) -> Tensor:
    return LogNormal(code, 1.0).sample()


def _step(draw: Callable[[Tensor], Tensor]) -> None:
    encoder, decoder = nn.Linear(2, 2), nn.Linear(2, 1)
    optimizer = torch.optim.SGD([*encoder.parameters(), *decoder.parameters()], lr=0.1)
    decoder(draw(encoder(x))).mean().backward()
    optimizer.step()


@pytest.mark.parametrize("draw", [_normal, _independent, _transformed])
def test_what_a_distribution_draws_is_mended_with_rsample(draw) -> None:
    cut = next(item for item in explain(_step, draw).findings if item.kind == "grad-none-cut")
    assert "rsample()" in cut.fix
    assert "no_grad" not in cut.fix + cut.why
    assert [item.role for item in cut.lines] == ["cut here"]


def test_rsample_is_not_advised_where_there_is_none() -> None:
    findings = explain(_step, lambda code: Bernoulli(logits=code).sample()).findings
    assert "rsample" not in next(item for item in findings if item.kind == "grad-none-cut").fix


class _Cut(nn.Module):
    def forward(self, code: Tensor) -> Tensor:
        return code.detach()


class _Holder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cell, self.head = nn.GRUCell(2, 2), nn.Linear(2, 1)


def _held() -> None:
    net = _Holder()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    net.head(net.cell(x).detach()).mean().backward()
    optimizer.step()


def _in_a_row() -> None:
    net = nn.Sequential(nn.Linear(2, 2), _Cut(), nn.Linear(2, 1))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    net(x).mean().backward()
    optimizer.step()


@pytest.mark.parametrize("program", [_held, _in_a_row])
def test_a_module_that_only_holds_others_does_without_none_of_them(program) -> None:
    cut = next(item for item in explain(program).findings if item.kind == "grad-none-cut")
    assert cut.level == "warning"
    assert "most likely meant" not in cut.why


def _clipping(*, after: bool) -> None:
    net = nn.Linear(2, 1)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
    for _ in range(3):
        optimizer.zero_grad()
        ((net(x) - y) ** 2).mean().backward()
        if after:
            optimizer.step()
        nn.utils.clip_grad_norm_(net.parameters(), 1e6)
        if not after:
            optimizer.step()


def test_clipping_after_the_step_is_told_also_where_nothing_was_above_the_limit() -> None:
    def late() -> None:
        _clipping(after=True)

    (finding,) = explain(late).findings
    assert finding.kind == "clipped-after-step"
    assert "below the limit" in finding.why


def test_clipping_before_the_step_is_no_fault_where_nothing_was_above_the_limit() -> None:
    def usual() -> None:
        _clipping(after=False)

    assert explain(usual).findings == ()


def _of_no_elements() -> Tensor:
    return nn.Linear(2, 1)(x)[torch.zeros(2, dtype=torch.bool)].mean()


def _of_no_targets() -> Tensor:
    return nn.functional.cross_entropy(nn.Linear(2, 3)(x), torch.tensor([-100, -100]))


def _of_one_element() -> Tensor:
    return nn.Linear(2, 2)(x[:1]).std(0).sum()


@pytest.mark.filterwarnings("ignore:.*degrees of freedom")
@pytest.mark.parametrize(
    ("program", "fix"),
    [
        (_of_no_elements, "numel()"),
        (_of_no_targets, "(target != -100).any()"),
        (_of_one_element, "correction=0"),
    ],
)
def test_nan_of_too_few_elements_is_not_mended_by_a_clamp(program, fix) -> None:
    finding = explain(program).findings[0]
    assert finding.kind == "nan-forward"
    assert fix in finding.fix
    assert "clamp" not in finding.fix


def _adapted(*, first: float) -> None:
    base, head = nn.Linear(2, 2).requires_grad_(False), nn.Linear(2, 1)
    a, b = nn.Parameter(torch.full((1, 2), first)), nn.Parameter(torch.zeros(2, 1))
    optimizer = torch.optim.SGD([a, b, *head.parameters()], lr=0.1)
    for _ in range(2):
        optimizer.zero_grad()
        head(base(x) + x @ a.T @ b.T).pow(2).mean().backward()
        optimizer.step()


def test_factors_that_are_both_zero_never_move() -> None:
    findings = explain(lambda: _adapted(first=0.0)).findings
    assert [(item.kind, item.level) for item in findings] == [("zero-factors", "warning")]


def test_one_factor_of_two_may_begin_at_zero() -> None:
    assert explain(lambda: _adapted(first=0.5)).findings == ()


def test_what_is_squared_may_be_at_its_goal() -> None:
    w = torch.zeros(2, 2, requires_grad=True)
    assert explain(lambda: (w @ w.T).sum()).findings == ()
    goal = torch.ones(2, 2, requires_grad=True)
    assert explain(lambda: ((goal - 1) @ (goal - 1).T).sum()).findings == ()
