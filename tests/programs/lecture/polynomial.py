"""A polynomial of third order that is to become a sine."""

from __future__ import annotations

import math

import torch
from torch import Tensor

x = torch.linspace(-math.pi, math.pi, 200)
y = torch.sin(x)


def polynomial() -> Tensor:
    torch.manual_seed(0)
    a = torch.randn((), requires_grad=True)
    b = torch.randn((), requires_grad=True)
    c = torch.randn((), requires_grad=True)
    d = torch.randn((), requires_grad=True)
    y_pred = a + b * x + c * x**2 + d * x**3
    loss = (y_pred - y).pow(2).sum()
    return loss
