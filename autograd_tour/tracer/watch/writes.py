"""Who wrote into which memory, and when, while a program is watched."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from torch import Tensor

from autograd_tour.tracer.spans import Span, span_of

__all__ = ["Mutation", "Writes"]

LARGEST = 1_000_000
"""Elements of an array that are compared."""


class Mutation(NamedTuple):
    """A call that changed memory in place, and how many nodes there were before.

    ``writes`` is false where a tensor only got other memory: torch notices that, and no content is changed.
    """

    call: str
    spot: int
    span: Span
    moment: int
    writes: bool = True


class Array(NamedTuple):
    """Memory that numpy can write to since a moment, and what stood in it then; ``mutations`` came before."""

    span: Span
    tensor: Tensor
    content: Tensor
    spot: int
    moment: int
    mutations: int


class Writes:
    """All changes in place, and all arrays that share memory with tensors, in their order."""

    def __init__(self) -> None:
        self._mutations: list[Mutation] = []
        self._arrays: list[Array] = []
        self._applied: dict[int, tuple[int, int]] = {}

    def mutated(self, change: Mutation) -> None:
        """Memory was changed."""
        self._mutations.append(change)

    def lent(self, tensor: Tensor, spot: int, moment: int) -> None:
        """NumPy can write to ``tensor`` from now on."""
        if tensor.numel() <= LARGEST:
            plain = tensor.detach()
            self._arrays.append(
                Array(span_of(tensor), plain, plain.clone(), spot, moment, len(self._mutations))
            )

    def applied(self, number: int) -> None:
        """The custom Function whose node has this number has run its forward, and saves its tensors now.

        Its node is made before, so what the forward writes seems to come after it.
        """
        self._applied[number] = len(self._mutations), len(self._arrays)

    def since(self, span: Span, number: int) -> Iterator[Mutation]:
        """The changes of those bytes after the node with this number saved its tensors."""
        start, _ = self._applied.get(number, (0, 0))
        later = (item for item in self._mutations[start:] if item.moment > number)
        return (item for item in later if span.meets(item.span))

    def array(self, span: Span, number: int) -> Array | None:
        """An array through which numpy, and nobody else, changed those bytes after that node saved them."""
        _, start = self._applied.get(number, (0, 0))
        for array in self._arrays[start:]:
            if array.moment > number and span.meets(array.span) and self._is_written(array, span):
                return array
        return None

    def _is_written(self, array: Array, span: Span) -> bool:
        if any(span.meets(item.span) for item in self._mutations[array.mutations :]):
            return False
        return bool(((array.tensor != array.content) & (array.content == array.content)).any())
