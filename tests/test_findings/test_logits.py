"""How small a loss can get whose logits are a softmax already: as torch has it."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import autograd_tour as tour


@pytest.mark.parametrize("classes", [2, 3, 10])
def test_the_least_loss_is_that_of_torch_for_a_prediction_that_is_certain_and_right(classes: int):
    target = torch.tensor([1])
    net = nn.Linear(2, classes)
    (finding,) = tour.explain(lambda: F.cross_entropy(net(torch.ones(1, 2)).softmax(-1), target)).findings
    certain = F.one_hot(target, classes).float()
    assert finding.kind == "softmax-twice"
    assert f"With {classes} classes it stays above {F.cross_entropy(certain, target):.2f}," in finding.why
