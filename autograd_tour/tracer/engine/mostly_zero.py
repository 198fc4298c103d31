"""Gradients that are zero but for a small part, by what their node does: only that part need be read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from autograd_tour.tracer.assemble.saved import read_saved
from autograd_tour.tracer.scratch import is_ordinary

__all__ = ["Part", "part_of"]

Part = Callable[[Tensor], Tensor]
"""From the gradient that a node sends along its only edge to all of its elements that may be other than 0."""


def part_of(fn: Any) -> Part | None:
    """Where the gradient of an embedding's table, or of the log-probabilities of a loss, is not 0.

    ``None`` for every other node, and where a program may have put something else in their place: a saved
    tensor with a hook is not unpacked, and one that was changed is gone.
    """
    name = type(fn).__name__
    if name not in _PARTS:
        return None
    saved, part = _PARTS[name]
    tensors = [view.tensor for view in read_saved(fn) if view.name == saved]
    if len(tensors) != 1 or tensors[0] is None or not is_ordinary(tensors[0]):
        return None
    return part(tensors[0])


def _rows(indices: Tensor) -> Part:
    """The rows of a table that were looked up."""

    def part(gradient: Tensor) -> Tensor:
        return gradient.index_select(0, torch.unique(indices))

    return part


def _classes(target: Tensor) -> Part:
    """Of each row the element of its class. A row that is left out has an index of none, and is 0."""

    def part(gradient: Tensor) -> Tensor:
        classes = target.long().clamp(min=0, max=gradient.shape[-1] - 1)
        return gradient.gather(-1, classes.unsqueeze(-1))

    return part


_PARTS: dict[str, tuple[str, Callable[[Tensor], Part]]] = {
    "EmbeddingBackward0": ("indices", _rows),
    "NllLossBackward0": ("target", _classes),
}
"""The saved tensor that tells it, by node."""
