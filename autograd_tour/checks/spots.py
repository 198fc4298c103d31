"""What is moved: single elements of the leaves, spread over all of them, and directions through many."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from autograd_tour.checks.evaluator import Start

__all__ = ["Spot", "reals", "sampled"]

Part = Literal["", "real", "imag"]


@dataclass(frozen=True)
class Spot:
    """An element of the leaf ``leaf`` of the start; a ``position`` of -1 is a direction through all of it.

    With a ``leaf`` of -1 too it goes through all leaves.
    """

    leaf: int
    position: int
    part: Part = ""

    def shifts(self, start: Start) -> dict[int, Tensor]:
        """For each leaf of ``start`` that is moved, by how much of a step."""
        if self.position < 0:
            chosen = range(len(start.leaves)) if self.leaf < 0 else [self.leaf]
            return {leaf: _direction(start.leaves[leaf], leaf) for leaf in chosen}
        like = start.leaves[self.leaf]
        shift = torch.zeros_like(like, memory_format=torch.contiguous_format)
        reals(shift)[self.position * (2 if like.is_complex() else 1) + (self.part == "imag")] = 1.0
        return {self.leaf: shift}


def sampled(start: Start, elements: int) -> Iterator[Spot]:
    """Up to ``elements`` elements, as many of each leaf: evenly spread, with the largest derivative."""
    sizes = [leaf.numel() for leaf in start.leaves]
    chosen = _spread(len(sizes), elements)
    quota = max(1, elements // max(1, len(chosen)))
    for leaf in chosen:
        if not sizes[leaf]:
            continue
        largest = int(start.gradients[leaf].abs().reshape(-1).nan_to_num(math.inf).argmax())
        spread = _spread(sizes[leaf], quota)
        positions = spread if len(spread) == sizes[leaf] else [largest, *spread[1:]]
        parts: tuple[Part, ...] = ("real", "imag") if start.leaves[leaf].is_complex() else ("",)
        for position in sorted(set(positions)):
            for part in parts:
                yield Spot(leaf, position, part)


def _spread(count: int, most: int) -> list[int]:
    """All of ``count`` numbers, or ``most`` of them, evenly spread."""
    return list(range(count)) if count <= most else [n * count // most for n in range(most)]


def reals(tensor: Tensor) -> Tensor:
    """The elements in a row, a complex one as two; a view where that can be."""
    real = torch.view_as_real(tensor.resolve_conj()) if tensor.is_complex() else tensor
    return real.reshape(-1)


def _direction(like: Tensor, seed: int) -> Tensor:
    """A random direction through all elements of a leaf, always the same."""
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(like.shape, generator=generator, dtype=like.dtype) * 2 - 1
