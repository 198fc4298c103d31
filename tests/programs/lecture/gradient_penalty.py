"""WGAN-GP: a critic is to have a slope of 1, so its gradient is part of its loss."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def gradient_penalty() -> Tensor:
    torch.manual_seed(0)
    critic = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 1))
    real, fake = torch.randn(8, 2), torch.randn(8, 2)
    t = torch.rand(8, 1)
    between = (t * real + (1 - t) * fake).requires_grad_()
    (slope,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
    penalty = (slope.norm(dim=1) - 1).pow(2).mean()
    loss = critic(fake).mean() - critic(real).mean() + 10 * penalty
    return loss
