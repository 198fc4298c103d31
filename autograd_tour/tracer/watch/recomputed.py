"""What a checkpointed function computed the first time and in backward: where the two begin to differ."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import wraps
from typing import Any, NamedTuple

import torch
from torch import Tensor

from autograd_tour.tracer.watch.reentrant import LARGEST, Reentrant, Reentrants, weighted

__all__ = ["Checkpoints", "Computed", "Difference"]

MOST = 20_000
"""Calls that are noted."""
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
    reentrant: bool = False


class _Runs:
    """The calls of the first run of a checkpoint's function, and of each later one."""

    def __init__(self, checkpoint: Any) -> None:
        self.first: list[Computed] = []
        self.again: list[list[Computed]] = []
        self.reentrant = checkpoint if isinstance(checkpoint, Reentrant) else None

    def begin_again(self) -> None:
        """It is run once more."""
        self.again.append([])

    def note(self, calls: list[Computed], *, again: bool) -> None:
        """Calls were made, in the first run or in the last that has begun."""
        if not again:
            self.first += calls
            return
        if self.reentrant is not None and len(self.again) < len(self.reentrant.results):
            self.begin_again()
        if self.again:
            self.again[-1] += calls

    def compared(self) -> list[list[Computed]]:
        """The later runs that are held against the first.

        A reentrant checkpoint whose function gave the same may have come to it by another way: torch takes
        a shorter one where gradients are off. One within another is first heard when it is run again.
        """
        if self.reentrant is not None and not (self.first and self.reentrant.differs()):
            return []
        return [run for run in self.again if run]


class Checkpoints:
    """The calls inside every checkpoint, in the first run and when it is run again."""

    def __init__(self, listening: Callable[[], AbstractContextManager[None]]) -> None:
        self.reentrants = Reentrants(listening)
        self._listening = listening
        self._runs: list[_Runs] = []
        self._by_frame: dict[int, tuple[Any, _Runs]] = {}
        self._count = 0

    def around(self) -> list[tuple[Any, bool]]:
        """Checkpoints that run now, each an object of torch's or a :class:`Reentrant`, and whether again."""
        packing = _packing()
        return [*([packing] if packing is not None else []), *self.reentrants.running[-1:]]

    def note(self, around: tuple[Any, bool], function: str, spot: int, results: list[Any]) -> None:
        """A call was made inside of a checkpoint; ``around`` is one of those that :meth:`around` gave.

        Without ``results`` it was ended by torch, since all that is to be saved again had been.
        """
        frame, again = around
        self._count += 1
        if self._count > MOST:
            return
        tensors = [item for item in results if isinstance(item, Tensor)]
        calls = [Computed(function, spot, _shape(item), _total(item, function)) for item in tensors]
        self._of(frame).note(calls if results else [Computed(function, spot, "", None)], again=again)

    def _of(self, frame: Any) -> _Runs:
        reference, runs = self._by_frame.get(id(frame), (None, None))
        if runs is None or reference is None or reference() is not frame:
            runs = _Runs(frame)
            self._by_frame[id(frame)] = (weakref.ref(frame), runs)
            self._runs.append(runs)
            self._listen(frame, runs)
        return runs

    def _listen(self, frame: Any, runs: _Runs) -> None:
        """When it is run again, it is run while we listen; that may be several times."""
        function = getattr(frame, "recompute_fn", None)
        if function is None:
            return

        @wraps(function)
        def again(*args: Any) -> Any:
            runs.begin_again()
            with self._listening():
                return function(*args)

        frame.recompute_fn = again

    def difference(self, *, failed: bool) -> Difference | None:
        """The first difference of the first checkpoint that has one.

        A run that ends early does so on purpose, when it has all that it is to save, unless torch ``failed``.
        A reentrant one runs to its end.
        """
        for runs in self._runs:
            whole = failed if runs.reentrant is None else self._count <= MOST
            for again in runs.compared():
                difference = _difference(runs.first, again, whole=whole)
                if difference is not None:
                    return difference._replace(reentrant=runs.reentrant is not None)
        return None


def _difference(first: list[Computed], again: list[Computed], *, whole: bool) -> Difference | None:
    for call, other in zip(first, again, strict=False):
        if call.function != other.function or (other.shape and call.shape != other.shape):
            return Difference(call, other, False)
        if _differ(call.total, other.total):
            return Difference(call, other, True)
    if whole and len(first) != len(again):
        position = min(len(first), len(again))
        return Difference(next(_at(first, position), None), next(_at(again, position), None), False)
    return None


def _at(calls: list[Computed], position: int) -> Iterator[Computed]:
    yield from calls[position : position + 1]


def _packing() -> tuple[Any, bool] | None:
    """The checkpoint that runs now and is not reentrant, and whether it runs again; else ``None``.

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
        return float(weighted(tensor).sum())
    except (RuntimeError, NotImplementedError):
        return None


def _differ(first: float | None, again: float | None) -> bool:
    if first is None or again is None:
        return False
    if first != first or again != again:
        return (first != first) != (again != again)
    return abs(first - again) > _TOLERANCE * max(abs(first), abs(again), 1e-6)
