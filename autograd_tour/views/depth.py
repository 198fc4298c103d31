"""The gradients of layers over the depth of a network: which are told, and as bars of text."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from autograd_tour.text import number, one_line

__all__ = ["Layer", "about", "bars", "thinned"]

Layer = tuple[str, float]
"""Its name, and the size of its gradient per element, positive and finite."""

MOST = 24
"""Layers that a picture tells one by one."""
LONGEST_NAME = 32
"""Characters of a name in front of a bar."""
LONGEST = 40
"""Characters of the longest bar."""


def thinned(layers: Sequence[Layer]) -> list[Layer]:
    """``layers``, or of many some at even distances, the first and the last among them."""
    if len(layers) <= MOST:
        return list(layers)
    return [layers[round(k * (len(layers) - 1) / (MOST - 1))] for k in range(MOST)]


def about(layers: Sequence[Layer]) -> str:
    """What is told of ``layers``, in a sentence."""
    count = len(layers)
    some = f"{MOST} of {count} layers" if count > MOST else f"{count} layers"
    return (
        f"Root mean square of the gradient of each weight, the first layer above; {some}, logarithmic scale."
    )


def bars(layers: Sequence[Layer]) -> Iterator[str]:
    """A line for each layer: its name, its size, and a bar on a logarithmic scale."""
    rows = thinned(layers)
    low, high = (math.log10(size) for size in (min(s for _, s in rows), max(s for _, s in rows)))
    names = [one_line(name, LONGEST_NAME) for name, _ in rows]
    width = max(map(len, names))
    numbers = [number(size, 2) for _, size in rows]
    column = max(map(len, numbers))
    yield about(layers)
    for name, text, (_, size) in zip(names, numbers, rows, strict=True):
        share = (math.log10(size) - low) / (high - low) if high > low else 1.0
        yield f"{name:<{width}}  {text:>{column}}  {'█' * (1 + round(share * (LONGEST - 1)))}"
