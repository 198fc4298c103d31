"""Models whose parts are frozen, replaced or left out while they train: which of it would stop a reducer."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import autograd_tour as tour


def steps(net: nn.Module, count: int, *extra: object) -> None:
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
    for number in range(count):
        optimizer.zero_grad()
        net(torch.ones(4, 2), *(number for _ in extra)).pow(2).mean().backward()
        optimizer.step()


def new_head() -> None:
    net = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    steps(net, 2)
    net[1] = nn.Linear(3, 1)
    steps(net, 2)


def unfrozen() -> None:
    net = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    net[0].requires_grad_(False)
    steps(net, 2)
    net[0].requires_grad_(True)
    steps(net, 2)


class InTurn(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.even, self.odd = nn.Linear(2, 1), nn.Linear(2, 1)

    def forward(self, x: Tensor, number: int) -> Tensor:
        out: Tensor = self.odd(x) if number % 2 else self.even(x)
        return out


def in_turn() -> None:
    steps(InTurn(), 4, "number")


@pytest.mark.parametrize("program", [new_head, unfrozen])
def test_what_was_not_there_or_frozen_before_was_not_unused(program):
    assert "would-stop-reducer" not in {item.kind for item in tour.explain(program).findings}


def test_what_is_used_in_every_second_step_is_told():
    (finding,) = (item for item in tour.explain(in_turn).findings if item.kind == "would-stop-reducer")
    assert set(finding.about) == {"odd.weight", "odd.bias"}
