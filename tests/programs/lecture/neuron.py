"""One neuron: a weighted sum, a sigmoid, and how wrong it is."""

from __future__ import annotations

import torch
from torch import Tensor

x = torch.tensor([1.0, 2.0, -1.0])
y = torch.tensor(1.0)


def neuron() -> Tensor:
    w = torch.tensor([0.5, -0.25, 0.1], requires_grad=True)
    b = torch.tensor(0.2, requires_grad=True)
    z = w @ x + b
    a = torch.sigmoid(z)
    loss = (a - y) ** 2
    return loss
