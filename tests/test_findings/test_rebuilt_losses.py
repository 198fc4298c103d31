"""A loss that was rebuilt from its number: the optimizer is not to blame."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

import autograd_tour as tour

net, x = nn.Linear(3, 1), torch.ones(6, 3)
optimizer = torch.optim.SGD(net.parameters(), lr=0.05)


def _train(rebuilt: Callable[[Tensor], Tensor]) -> None:
    loss = rebuilt(net(x).pow(2).mean())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


@pytest.mark.parametrize(
    "rebuilt",
    [
        lambda loss: torch.tensor(loss.item(), requires_grad=True),
        lambda loss: torch.autograd.Variable(loss.data, requires_grad=True),
        lambda loss: torch.tensor(loss.tolist(), requires_grad=True),
    ],
)
def test_backward_at_a_leaf_is_said_and_the_optimizer_is_left_alone(
    rebuilt: Callable[[Tensor], Tensor],
) -> None:
    kinds = {finding.kind: finding for finding in tour.explain(lambda: _train(rebuilt)).findings}
    assert "optimizer-of-other-parameters" not in kinds
    finding = kinds["requires-grad-set-on-result"]
    assert [item.line.text for item in finding.lines] == ["loss.backward()", "optimizer.step()"]


def test_the_loss_as_it_was_computed_is_fine() -> None:
    assert not tour.explain(lambda: _train(lambda loss: loss)).findings
