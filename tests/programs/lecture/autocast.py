"""Mixed precision: matrix products in bfloat16, the loss in float32."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def autocast() -> Tensor:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3))
    x, y = torch.randn(4, 8), torch.randint(0, 3, (4,))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = net(x)
    loss = nn.functional.cross_entropy(logits.float(), y)
    return loss
