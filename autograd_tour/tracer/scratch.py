"""Memory of our own in which small tensors are copied, and when a tensor needs no care to be read."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

__all__ = ["FULL_LIMIT", "Memory", "Scratch", "is_ordinary"]

FULL_LIMIT = 100_000
"""Above this many elements only the norm and the extremes are computed: one cheap pass each."""

_keys: Any = torch._C._dispatch_keys
_ORDINARY: int = _keys(torch.empty(0, device="cpu")).raw_repr()


def is_ordinary(tensor: Tensor) -> bool:
    """Whether it lies in the CPU's memory, strided, and torch has to do nothing more to read it: one look
    at what it is instead of ten.
    """
    ordinary: bool = _keys(tensor).raw_repr() == _ORDINARY
    return ordinary


class Memory(NamedTuple):
    """The same memory as numbers of float64, :data:`FULL_LIMIT` of them, and of float32."""

    wide: Tensor
    narrow: Tensor


class Scratch:
    """Memory that is used again and again: to be given new memory takes longer than what is done in it.

    Threads may share it: what one has taken no other finds. Nothing is made before it is needed.
    """

    def __init__(self) -> None:
        self._free: list[Memory] = []

    def take(self) -> Memory:
        """Memory whose content says nothing, until :meth:`give_back`."""
        try:
            return self._free.pop()
        except IndexError:
            wide = torch.empty(FULL_LIMIT, dtype=torch.float64, device="cpu")
            return Memory(wide, wide.view(torch.float32))

    def give_back(self, memory: Memory) -> None:
        """Nobody uses ``memory`` any more. One made in a mode of torch's ends with it."""
        if is_ordinary(memory.wide):
            self._free.append(memory)
