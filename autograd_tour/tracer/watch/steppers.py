"""The optimizers that step, and how they take turns."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.optim import Optimizer

from autograd_tour.tracer.watch.heard import Stepped, stepped

__all__ = ["Steppers"]

TURNS = 64
"""Times that another optimizer steps than before, which are noted."""


class Steppers:
    """``first``: id of an optimizer -> what it was at its first step; ``turns``: ids, as they take turns."""

    def __init__(self) -> None:
        self.first: dict[int, Stepped] = {}
        self.turns: list[int] = []

    def note(self, optimizer: Optimizer, spot: Callable[[], int]) -> None:
        """An optimizer is about to step, at the line that ``spot`` tells."""
        if len(self.turns) < TURNS and self.turns[-1:] != [id(optimizer)]:
            self.turns.append(id(optimizer))
        if id(optimizer) not in self.first:
            with torch._C.DisableTorchFunction():
                self.first[id(optimizer)] = stepped(optimizer, spot())
