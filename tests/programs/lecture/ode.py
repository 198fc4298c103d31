"""An ODE in fifty Euler steps: a pendulum, and how far it is from where it should be in the end."""

from __future__ import annotations

import torch
from torch import Tensor


def ode() -> Tensor:
    theta = torch.tensor(1.0, requires_grad=True)
    g = torch.tensor(9.8, requires_grad=True)
    omega, dt = torch.tensor(0.0), 0.02
    angle = theta
    for _ in range(50):
        omega = omega - dt * g * torch.sin(angle)
        angle = angle + dt * omega
    loss = (angle - 0.5) ** 2
    return loss
