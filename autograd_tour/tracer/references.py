"""Weak references of ours to tensors, which torch must not take for the program's own."""

from __future__ import annotations

import copyreg
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import torch.utils
from torch import Tensor

__all__ = ["TensorRef", "references_hidden", "swap_contents"]


class TensorRef(weakref.ref[Tensor]):
    """A weak reference that the record holds: no hindrance for what a program does with its tensor."""

    __slots__ = ()


@contextmanager
def references_hidden() -> Iterator[None]:
    """``torch.utils.swap_tensors`` refuses tensors with weak references; inside it does not see ours.

    They follow the Python object, as the program's own names do: they hold when contents are swapped.
    """
    space: dict[str, Any] = vars(torch.utils)
    module = space.get("weakref")
    space["weakref"] = SimpleNamespace(getweakrefs=_of_program)
    try:
        yield
    finally:
        space["weakref"] = module


def _of_program(tensor: Tensor) -> list[Any]:
    return [reference for reference in weakref.getweakrefs(tensor) if type(reference) is not TensorRef]


def swap_contents(first: Tensor, second: Tensor) -> None:
    """What ``torch.utils.swap_tensors`` does, also where a graph or a ``.grad`` holds one of them."""
    slots: Any = vars(copyreg)["_slotnames"](type(first))
    for name in ("__class__", "__dict__", *slots):
        ours, theirs = getattr(first, name, _NOTHING), getattr(second, name, _NOTHING)
        for tensor, value in ((first, theirs), (second, ours)):
            if value is not _NOTHING:
                setattr(tensor, name, value)
            elif hasattr(tensor, name):
                delattr(tensor, name)
    torch._C._swap_tensor_impl(first, second)


_NOTHING = object()
