"""Which bytes of memory a tensor lies in."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

__all__ = ["Span", "span_of"]


class Span(NamedTuple):
    """The bytes of a tensor: of which memory, from where to where. ``pointer`` is 0 if that is not known."""

    pointer: int
    first: int = 0
    last: int = 0

    def meets(self, other: Span) -> bool:
        """Whether they have a byte in common."""
        return (
            bool(self.pointer)
            and self.pointer == other.pointer
            and (self.first <= other.last and other.first <= self.last)
        )


def span_of(tensor: Tensor) -> Span:
    """The bytes between the first and the last element of ``tensor``."""
    try:
        pointer = tensor.untyped_storage().data_ptr()
        reach = sum(
            (int(size) - 1) * int(stride) for size, stride in zip(tensor.shape, tensor.stride(), strict=True)
        )
        first = int(tensor.storage_offset())
    except (RuntimeError, NotImplementedError):
        return Span(0)
    width = tensor.element_size()
    return Span(pointer if tensor.numel() else 0, first * width, (first + reach + 1) * width - 1)
