"""One program with and without a detach: what ``autograd-tour diff`` is for."""

import torch
from torch import Tensor

x = torch.tensor([1.0, 2.0, 3.0])


def attached() -> Tensor:
    w = torch.tensor(0.5, requires_grad=True)
    y = w * x
    loss = (y * y).mean()
    return loss  # noqa: RET504 - the name is what the picture shows


def detached() -> Tensor:
    w = torch.tensor(0.5, requires_grad=True)
    y = w * x
    loss = (y.detach() * y).mean()
    return loss  # noqa: RET504 - the name is what the picture shows
