"""What a program computes from tensors that need a gradient, but without one: a number, a mask, a copy."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from torch import Tensor

__all__ = ["takes_aside"]

_READING = frozenset(
    (
        "item",
        "tolist",
        "numpy",
        "equal",
        "allclose",
        "is_nonzero",
        "__array__",
        "__bool__",
        "__float__",
        "__int__",
        "__index__",
        "__complex__",
    )
)
"""Functions that give Python a number: nobody sees what becomes of it."""


def takes_aside(function: str, given: Iterable[Any], returned: Iterable[Any]) -> bool:
    """Whether a call that made no node gives what depends on the values of a tensor with a gradient.

    A number may be one of a tensor that was cut off before. ``zeros_like`` only asks for a shape.
    """
    if function in _READING:
        return True
    if function.endswith("_like") or function.startswith("new_"):
        return False
    if not any(isinstance(item, Tensor) and not item.requires_grad for item in returned):
        return False
    return any(isinstance(item, Tensor) and item.requires_grad for item in given)
