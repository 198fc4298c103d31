"""What a checkpointed function computed the first time and in backward: where the two begin to differ."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import wraps
from typing import Any, NamedTuple

import torch
from torch import Tensor

__all__ = ["Checkpoints", "Computed", "Difference", "checkpoint_around"]

MOST = 20_000
"""Calls that are noted."""
LARGEST = 1_000_000
"""Elements of a result of which the sum is noted."""
_UNINITIALISED = "empty"
_TOLERANCE = 1e-4


class Computed(NamedTuple):
    """One call inside: its function, its place, and the shape, type and sum of its result."""

    function: str
    spot: int
    shape: str
    total: float | None


class Difference(NamedTuple):
    """The first calls that differ; ``None`` where one of the two had ended. ``values``: in numbers alone."""

    first: Computed | None
    again: Computed | None
    values: bool


class Checkpoints:
    """The calls inside every checkpoint, in the first run and when it is run again."""

    def __init__(self, listening: Callable[[], AbstractContextManager[None]]) -> None:
        self.first: list[list[Computed]] = []
        self.again: list[list[list[Computed]]] = []
        self._listening = listening
        self._by_frame: dict[int, tuple[Any, int]] = {}
        self._count = 0

    def note(self, around: tuple[Any, bool], function: str, spot: int, results: list[Any]) -> None:
        """A call was made inside of a checkpoint; ``around`` is what :func:`checkpoint_around` gave.

        Without ``results`` it was ended by torch, since all that is to be saved again had been.
        """
        frame, again = around
        self._count += 1
        if self._count > MOST:
            return
        reference, number = self._by_frame.get(id(frame), (None, -1))
        if reference is None or reference() is not frame:
            number = len(self.first)
            self._by_frame[id(frame)] = (weakref.ref(frame), number)
            self.first.append([])
            self.again.append([])
            self._listen(frame, number)
        tensors = [item for item in results if isinstance(item, Tensor)]
        calls = [Computed(function, spot, _shape(item), _total(item, function)) for item in tensors]
        calls = calls if results else [Computed(function, spot, "", None)]
        if not again:
            self.first[number] += calls
        elif self.again[number]:
            self.again[number][-1] += calls

    def _listen(self, frame: Any, number: int) -> None:
        """When it is run again, it is run while we listen; that may be several times."""
        function = getattr(frame, "recompute_fn", None)
        if function is None:
            return

        @wraps(function)
        def again(*args: Any) -> Any:
            self.again[number].append([])
            with self._listening():
                return function(*args)

        frame.recompute_fn = again

    def difference(self, *, failed: bool) -> Difference | None:
        """The first difference of the first checkpoint that has one.

        A run that ends early does so on purpose, when it has all that it is to save, unless torch ``failed``.
        """
        pairs = [
            (first, run) for first, runs in zip(self.first, self.again, strict=True) for run in runs if run
        ]
        for first, again in pairs:
            for call, other in zip(first, again, strict=False):
                if call.function != other.function or (other.shape and call.shape != other.shape):
                    return Difference(call, other, False)
                if _differ(call.total, other.total):
                    return Difference(call, other, True)
            if failed and len(first) != len(again):
                position = min(len(first), len(again))
                return Difference(next(_at(first, position), None), next(_at(again, position), None), False)
        return None


def _at(calls: list[Computed], position: int) -> Iterator[Computed]:
    yield from calls[position : position + 1]


def checkpoint_around() -> tuple[Any, bool] | None:
    """The checkpoint that runs now, as an object of torch's, and whether it runs again; else ``None``.

    Torch puts hooks for saved tensors around it, which hold that object.
    """
    hooks: Any = torch._C._autograd._top_saved_tensors_default_hooks(True)
    pack = hooks[0] if hooks else None
    if getattr(pack, "__module__", "") != "torch.utils.checkpoint":
        return None
    pack = getattr(pack, "__wrapped__", pack)
    code, cells = getattr(pack, "__code__", None), getattr(pack, "__closure__", None) or ()
    names = dict(zip(code.co_freevars, cells, strict=False)) if code is not None else {}
    if "target_frame_ref" in names:
        frame = names["target_frame_ref"].cell_contents()
        return (frame, True) if frame is not None else None
    return (names["frame"].cell_contents, False) if "frame" in names else None


def _shape(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} {list(tensor.shape)}"


def _total(tensor: Tensor, function: str) -> float | None:
    if _UNINITIALISED in function or tensor.numel() > LARGEST or not tensor.is_floating_point():
        return None
    try:
        # A weight that differs from element to element: a shuffled result has the same plain sum.
        values = tensor.detach().double().flatten()
        return float((values * torch.linspace(1, 2, values.numel(), dtype=values.dtype)).sum())
    except (RuntimeError, NotImplementedError):
        return None


def _differ(first: float | None, again: float | None) -> bool:
    if first is None or again is None:
        return False
    if first != first or again != again:
        return (first != first) != (again != again)
    return abs(first - again) > _TOLERANCE * max(abs(first), abs(again), 1e-6)
