"""An LSTM: five steps of a cell written out, and torch's layer."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def lstm_cell(x: Tensor, h: Tensor, c: Tensor, W: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    gates = torch.cat([x, h], dim=1) @ W + b
    i, f, g, o = gates.chunk(4, dim=1)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    h = torch.sigmoid(o) * torch.tanh(c)
    return h, c


def lstm_by_hand() -> Tensor:
    torch.manual_seed(0)
    W = torch.randn(3 + 4, 16, requires_grad=True)
    b = torch.zeros(16, requires_grad=True)
    h, c = torch.zeros(2, 4), torch.zeros(2, 4)
    for x in torch.randn(5, 2, 3):
        h, c = lstm_cell(x, h, c, W, b)
    loss = (h - 1).pow(2).mean()
    return loss


def lstm() -> Tensor:
    torch.manual_seed(0)
    rnn, head = nn.LSTM(3, 4, batch_first=True), nn.Linear(4, 1)
    out, _ = rnn(torch.randn(2, 5, 3))
    loss = nn.functional.mse_loss(head(out[:, -1]), torch.ones(2, 1))
    return loss
