"""A fix that makes an optimizer anew makes one of the program's own class."""

from __future__ import annotations

import torch
from torch import nn
from torch.optim import Optimizer

import autograd_tour as tour
from autograd_tour.findings.base import OPTIMIZERS, optimizer_line


class Own(torch.optim.Adam):
    """Of the program."""


def of_another_model() -> None:
    net, other = nn.Linear(2, 1), nn.Linear(2, 1)
    optimizer = torch.optim.AdamW(other.parameters(), lr=0.002)
    for _ in range(2):
        optimizer.zero_grad()
        net(torch.ones(3, 2)).sum().backward()
        optimizer.step()


def frozen() -> None:
    net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
    net[0].requires_grad_(False)
    optimizer = Own(net.parameters(), lr=0.002)
    for _ in range(2):
        optimizer.zero_grad()
        net(torch.ones(3, 2)).sum().backward()
        optimizer.step()


def replaced() -> None:
    net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
    optimizer = torch.optim.RMSprop(net.parameters(), lr=0.002)
    net[1] = nn.Linear(2, 1)
    for _ in range(2):
        optimizer.zero_grad()
        net(torch.ones(3, 2)).sum().backward()
        optimizer.step()


def test_the_names_are_those_of_torch():
    classes = [item for item in vars(torch.optim).values() if isinstance(item, type)]
    assert {item.__name__ for item in classes if issubclass(item, Optimizer)} - {"Optimizer"} == OPTIMIZERS


def test_the_fix_has_the_class_and_the_learning_rate_of_the_step():
    finding = next(
        item
        for item in tour.explain(of_another_model).findings
        if item.kind == "optimizer-of-other-parameters"
    )
    assert finding.fix.startswith("optimizer = torch.optim.AdamW(model.parameters(), lr=0.002)")


def test_a_class_of_the_program_is_called_as_it_is():
    finding = next(item for item in tour.explain(frozen).findings if item.kind == "grad-none-frozen")
    assert finding.fix == "optimizer = Own([p for p in model.parameters() if p.requires_grad])"


def test_after_a_replacement_the_same_optimizer_is_made_anew():
    finding = next(item for item in tour.explain(replaced).findings if item.kind == "parameter-replaced")
    assert finding.fix.endswith("\noptimizer = torch.optim.RMSprop(model.parameters())")


def test_without_a_name_there_is_an_example():
    assert optimizer_line("", "model.parameters()") == "optimizer = torch.optim.SGD(model.parameters())"
