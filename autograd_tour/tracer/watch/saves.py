"""What the nodes of a graph saved, and who changed it since: read before a backward, without a pack hook.

A pack hook that holds the tensor itself switches torch's own check of versions off, and an error becomes a
wrong gradient in silence. So the saved tensors are looked at where they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from torch import Tensor

from autograd_tour.tracer.assemble.saved import read_saved
from autograd_tour.tracer.assemble.walk import root_of, walk
from autograd_tour.tracer.spans import Span, span_of
from autograd_tour.tracer.watch.writes import Writes

__all__ = ["Look", "SavedConflict", "kept_behind", "look"]

_UPDATED = ("running_mean", "running_var")
"""Saved by a normalisation that does not use them in backward when it updates them."""

MOST_NODES = 20_000
"""In a larger graph saved tensors are not looked at."""


class SavedConflict(NamedTuple):
    """A node whose saved tensor was changed. ``call`` and ``spot`` are those of the change, or unknown."""

    grad_fn: str
    number: int
    name: str
    call: str
    spot: int
    silent: bool


class Look(NamedTuple):
    """What was seen: numbers of the nodes, the leaves, the conflicts, and nodes that had been freed."""

    numbers: tuple[int, ...]
    leaves: list[Tensor]
    conflicts: list[SavedConflict]
    freed: list[tuple[str, int]]


def look(outputs: Sequence[Tensor], writes: Writes) -> Look:
    """Look at the graph behind ``outputs``."""
    skeleton = walk(root_of(output)[0] for output in outputs)
    try:
        numbers = tuple(
            fn._sequence_nr()
            for fn, name in zip(skeleton.fns, skeleton.names, strict=True)
            if name != "AccumulateGrad"
        )
        conflicts: list[SavedConflict] = []
        freed: list[tuple[str, int]] = []
        if len(skeleton) <= MOST_NODES:
            for fn, name in zip(skeleton.fns, skeleton.names, strict=True):
                if name != "AccumulateGrad":
                    _look_at(fn, name, writes, conflicts, freed)
        return Look(numbers, skeleton.leaves(), conflicts, freed)
    finally:
        skeleton.release()


def kept_behind(outputs: Sequence[Tensor]) -> tuple[int, int]:
    """How many nodes are behind ``outputs``, and the bytes of all tensors that they still keep."""
    skeleton = walk(root_of(output)[0] for output in outputs)
    try:
        leaves = {item.untyped_storage().data_ptr() for item in skeleton.leaves()}
        kept: dict[int, int] = {}
        nodes = 0
        for fn, name in zip(skeleton.fns, skeleton.names, strict=True):
            if name == "AccumulateGrad":
                continue
            nodes += 1
            for view in read_saved(fn) if len(skeleton) <= MOST_NODES else ():
                if (
                    view.state == "kept"
                    and view.tensor is not None
                    and (span := span_of(view.tensor)).pointer
                ):
                    kept[span.pointer] = view.tensor.untyped_storage().nbytes()
        return nodes, sum(size for pointer, size in kept.items() if pointer not in leaves)
    finally:
        skeleton.release()


def _look_at(
    fn: Any,
    name: str,
    writes: Writes,
    conflicts: list[SavedConflict],
    freed: list[tuple[str, int]],
) -> None:
    number = fn._sequence_nr()
    for view in read_saved(fn):
        if view.state == "freed":
            freed.append((name, number))
            return
        if view.state == "modified":
            change = next(writes.since(_span_in(fn, view.name), number), None)
            call, spot = (change.call, change.spot) if change is not None else ("", -1)
            conflicts.append(SavedConflict(name, number, view.name, call, spot, False))
        elif view.state == "kept" and view.tensor is not None and view.name not in _UPDATED:
            span = span_of(view.tensor)
            change = next((item for item in writes.since(span, number) if item.writes), None)
            array = writes.array(span, number)
            if change is not None:
                conflicts.append(SavedConflict(name, number, view.name, change.call, change.spot, True))
            elif array is not None:
                conflicts.append(SavedConflict(name, number, view.name, "numpy", array.spot, True))


def _span_in(fn: Any, name: str) -> Span:
    """The bytes of a saved tensor that torch does not hand out any more; its content is not read."""
    raw = getattr(fn, f"_raw_saved_{name.partition('[')[0].replace('saved', 'tensors')}", None)
    if isinstance(raw, tuple | list):
        position = int(name.rpartition("[")[2].rstrip("]"))
        raw = raw[position] if position < len(raw) else None
    data = getattr(raw, "data", None)
    return span_of(data) if isinstance(data, Tensor) else Span(0)
