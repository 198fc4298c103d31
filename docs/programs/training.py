"""A training loop: three epochs of a line through three points."""

import torch

x, y = torch.tensor([1.0, 2.0, 3.0]), torch.tensor([3.0, 5.0, 8.0])


def loop():
    w = torch.tensor(1.0, requires_grad=True)
    b = torch.tensor(0.0, requires_grad=True)
    optimizer = torch.optim.SGD([w, b], lr=0.05)
    for _ in range(3):
        optimizer.zero_grad()
        loss = ((w * x + b - y) ** 2).mean()
        loss.backward()
        optimizer.step()
