"""Small programs that train themselves, whose every number torch can be asked for."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_

inputs = torch.tensor([0.5, 4.0, 13.0, 21.0])
targets = torch.tensor([33.0, 41.0, 60.0, 71.0])


def by_hand() -> Iterator[tuple[str, list[float | None]]]:
    """What is done, and after it [w, b, w.grad, b.grad]."""
    w = torch.ones((), requires_grad=True)
    b = torch.zeros((), requires_grad=True)

    def moment(what: str) -> tuple[str, list[float | None]]:
        values = (w, b, w.grad, b.grad)
        return what, [None if value is None else value.item() for value in values]

    for _ in range(3):
        if w.grad is not None and b.grad is not None:
            w.grad.zero_()
            b.grad.zero_()
            yield moment("zeroing")
        loss = ((w * inputs + b - targets) ** 2).mean()
        loss.backward()  # type: ignore[no-untyped-call]
        yield moment("backward")
        assert w.grad is not None
        assert b.grad is not None
        with torch.no_grad():
            w -= 1e-3 * w.grad
            b -= 1e-3 * b.grad
        yield moment("update")


def hand() -> None:
    for _ in by_hand():
        pass


def rebound() -> None:
    params = torch.tensor([1.0, 0.0], requires_grad=True)
    for _ in range(2):
        loss = ((params[0] * inputs + params[1] - targets) ** 2).mean()
        loss.backward()  # type: ignore[no-untyped-call]
        assert params.grad is not None
        params = (params - 1e-3 * params.grad).detach().requires_grad_()


def _step(net: nn.Module, optimizer: torch.optim.Optimizer, x: Tensor, y: Tensor) -> None:
    optimizer.zero_grad()
    loss = nn.functional.mse_loss(net(x), y)
    loss.backward()  # type: ignore[no-untyped-call]
    clip_grad_norm_(net.parameters(), 0.5)
    optimizer.step()


def clipped(steps: int = 120) -> None:
    torch.manual_seed(3)
    net = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    x, y = torch.randn(16, 3), torch.randn(16, 1)
    for _ in range(steps):
        _step(net, optimizer, x, y)


def deep() -> None:
    torch.manual_seed(3)
    net = nn.Sequential(*(layer for _ in range(5) for layer in (nn.Linear(3, 3), nn.Tanh())))
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-6)
    _step(net, optimizer, torch.randn(16, 3), torch.randn(16, 3))


def dead_unit() -> None:
    w = torch.tensor([-1.0, 2.0, 3.0, 4.0, 5.0], requires_grad=True)
    w.relu().sum().backward()  # type: ignore[no-untyped-call]


def not_finite() -> None:
    w = torch.tensor([0.0, 1.0, 4.0], requires_grad=True)
    (w.sqrt() * torch.tensor([0.0, 1.0, 1.0])).sum().backward()  # type: ignore[no-untyped-call]


def kept_graph() -> None:
    w = torch.tensor(2.0, requires_grad=True)
    loss = w * w
    loss.backward(retain_graph=True)  # type: ignore[no-untyped-call]
    loss.backward()  # type: ignore[no-untyped-call]


PROGRAMS = (hand, rebound, clipped, deep, dead_unit, not_finite, kept_graph)
