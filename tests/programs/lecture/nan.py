"""Where a NaN comes from: the slope of a root at zero, times zero."""

from __future__ import annotations

import torch
from torch import Tensor


def nan() -> Tensor:
    w = torch.tensor([3.0, 0.0, 4.0], requires_grad=True)
    target = torch.tensor([1.0, 0.0, 1.0])
    distance = torch.sqrt(w**2)
    safe = torch.where(w > 0, distance, torch.zeros_like(w))
    loss = ((safe - target) ** 2).mean()
    return loss
