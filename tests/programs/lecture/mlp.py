"""Two layers that learn XOR."""

from __future__ import annotations

import torch
from torch import Tensor, nn

x = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
y = torch.tensor([[0.0], [1.0], [1.0], [0.0]])


def mlp() -> Tensor:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1), nn.Sigmoid())
    loss = nn.functional.binary_cross_entropy(net(x), y)
    return loss
