"""A program whose middle is compiled."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def compiled(backend: str) -> Callable[[], Tensor]:
    """The program, with ``torch.compile`` of this backend."""

    @torch.compile(backend=backend)
    def middle(x: Tensor) -> Tensor:
        return torch.sin(x) * 2 + 1

    def program() -> Tensor:
        w = torch.tensor([0.5, 1.5], requires_grad=True)
        return middle(w).sum()

    return program


def compiled_module(backend: str) -> Callable[[], Tensor]:
    """The same with a module."""
    net = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3), torch.nn.Tanh())
    middle = torch.compile(net, backend=backend)
    x = torch.randn(4, 2)
    return lambda: middle(x).pow(2).sum()
