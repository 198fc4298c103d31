"""A training with three faults, none of which raises an error: what `autograd-tour explain` is for."""

import torch
from torch import nn

x, y = torch.tensor([[1.0, 2.0], [3.0, -1.0]]), torch.tensor([[1.0], [0.0]])


def train():
    torch.manual_seed(0)
    encoder, head = nn.Linear(2, 4), nn.Linear(4, 1)
    optimizer = torch.optim.SGD([*encoder.parameters(), *head.parameters()], lr=0.1)
    total = 0.0
    for _ in range(3):
        code = encoder(x).detach()
        loss = ((head(code) - y) ** 2).mean()
        loss.backward()
        optimizer.step()
        total += loss
    return total
