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
        "__contains__",
        "__float__",
        "__int__",
        "__index__",
        "__complex__",
        "__format__",
        "__repr__",
        "__deepcopy__",
        "untyped_storage",
    )
)
"""Functions that give Python a number, a text, a copy or the memory: nobody sees what becomes of it."""


def takes_aside(function: str, given: Iterable[Any], returned: Iterable[Any]) -> bool:
    """Whether a call that made no node gives what depends on the values of a tensor with a gradient.

    ``function`` is its name in Python: ``__float__`` gives a number, ``float`` a tensor. A number may be one
    of a tensor that was cut off before. ``zeros_like`` asks its first argument only for a shape. A copy may
    need a gradient of its own, and what is changed in place depends on all the others.
    """
    if function in _READING:
        return True
    results = [item for item in returned if isinstance(item, Tensor)]
    if not results:
        return False
    shape_only = function.endswith("_like") or function.startswith("new_")
    sources = [
        item
        for number, item in enumerate(given)
        if isinstance(item, Tensor) and item.requires_grad and not (shape_only and number == 0)
    ]
    return any(item is not source for item in results for source in sources)
