"""What stands in an optimizer's mailboxes before the first step that is shown, and for a large leaf."""

from __future__ import annotations

import torch
from torch import nn

import autograd_tour as tour
from autograd_tour.views.run_lanes import lanes_of


def test_a_mailbox_is_empty_before_a_first_step_that_is_left_out():
    net = nn.Linear(1, 1, bias=False)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)

    def train() -> None:
        for _ in range(2):
            optimizer.zero_grad()
            net(torch.ones(1, 1)).sum().backward()
            optimizer.step()

    run = tour.follow(train)
    moments = [(event,) for event in run.events]
    assert [event.kind for event in run.events] == ["zeroing", "forward", "backward", "step"] * 2
    whole = lanes_of(run, 0, moments)[2]
    assert whole.states == ("None",) * 4 + ("1",) * 4 + ("1.9",)
    cut = lanes_of(run, 0, [*moments[:2], None, *moments[5:]])[2]
    assert cut.states == ("None",) * 3 + ("1",) * 3 + ("1.9",)


def test_the_element_that_stands_for_an_embedding_is_one_that_is_looked_up():
    table = nn.Embedding(6, 2)
    optimizer = torch.optim.SGD(table.parameters(), lr=0.1)

    def train() -> None:
        table(torch.tensor([2, 4])).sum().backward()
        optimizer.step()

    run = tour.follow(train)
    values, grads = lanes_of(run, 0, [(event,) for event in run.events])
    assert values.about == grads.about == "[2, 0] of (6, 2)"
    assert grads.states[-1] == "1"
