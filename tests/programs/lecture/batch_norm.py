"""Batch norm: by hand, so that the way of the gradient through mean and variance shows; and as a layer."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def batch_norm_by_hand() -> Tensor:
    torch.manual_seed(0)
    x = torch.randn(8, 3, requires_grad=True)
    gamma = torch.ones(3, requires_grad=True)
    beta = torch.zeros(3, requires_grad=True)
    mean = x.mean(dim=0)
    centred = x - mean
    var = (centred**2).mean(dim=0)
    x_hat = centred / torch.sqrt(var + 1e-5)
    out = gamma * x_hat + beta
    return (out**3).sum()


def batch_norm() -> Tensor:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 1))
    x, y = torch.randn(16, 4), torch.randn(16, 1)
    loss = nn.functional.mse_loss(net(x), y)
    return loss
