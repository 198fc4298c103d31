"""Which memory a node keeps: storages of what it saved, what a checkpoint holds for it, what is on its ctx.

Only where memory is and how large it is gets read. A tensor behind an unpack hook is never unpacked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from autograd_tour.tracer.assemble.saved import RAW, SavedTensorView

__all__ = ["Storage", "held_by_checkpoint", "held_by_ctx", "raw_tensor", "storages_of"]


class Storage(NamedTuple):
    """Memory by its address, which is its own as long as it lives, and its size in bytes."""

    address: int
    size: int


def storages_of(tensor: Tensor) -> Iterator[Storage]:
    """The storages of ``tensor``: of a sparse or nested one those of its parts."""
    for part in _parts(tensor) or (tensor,):
        try:
            storage = part.untyped_storage()
            yield Storage(storage._cdata, storage.nbytes())
        except (RuntimeError, NotImplementedError):  # memory of a library's own
            yield Storage(-id(tensor), tensor.numel() * tensor.element_size())


def _parts(tensor: Tensor) -> Sequence[Any]:
    """The tensors that a sparse or nested one consists of.

    Of another this is not asked: torch refuses with an error that takes longer than all else here.
    """
    if tensor.layout is torch.strided and not tensor.is_nested:
        return ()
    for names in (("_indices", "_values"), ("crow_indices", "col_indices", "values"),
                  ("ccol_indices", "row_indices", "values")):  # fmt: skip
        try:
            return [getattr(tensor, name)() for name in names]
        except (RuntimeError, NotImplementedError, AttributeError):
            continue
    return ()


def raw_tensor(fn: Any, view: SavedTensorView) -> Tensor | None:
    """The tensor behind a saved one that torch does not hand out any more, for its memory alone."""
    name, _, position = view.name.partition("[")
    raw = getattr(fn, RAW + ("tensors" if name == "saved" else name), None)
    if isinstance(raw, tuple | list):
        number = int(position.rstrip("]"))
        raw = raw[number] if number < len(raw) else None
    data = getattr(raw, "data", None)
    return data if isinstance(data, Tensor) else None


def held_by_ctx(fn: Any) -> Iterator[Tensor]:
    """Tensors that a custom Function, or a reentrant checkpoint, put on its ``ctx`` by hand."""
    if hasattr(fn, "_forward_cls"):
        yield from _tensors(vars(fn).values())


def held_by_checkpoint(fn: Any, view: SavedTensorView) -> Iterator[tuple[int, Tensor]]:
    """(``id`` of the checkpoint, tensor) of all that the checkpoint behind a packed tensor holds.

    These are the inputs of its function, and random states. Torch has no public way to ask for them, so
    nothing is told where it keeps them otherwise.
    """
    raw = getattr(fn, RAW + view.name.partition("[")[0], None)
    first = raw[0] if isinstance(raw, tuple | list) and raw else raw
    for frame in _closed_over(getattr(first, "unpack_hook", None)):
        recompute = getattr(frame, "recompute_fn", None)
        if recompute is None:
            continue
        holder = getattr(getattr(frame, "input_saver", None), "grad_fn", None)  # before torch 2.9
        inputs = getattr(frame, "saved_args", ()) or getattr(holder, RAW + "tensors", ())
        held = [getattr(item, "data", None) if not isinstance(item, Tensor) else item for item in inputs]
        for tensor in _tensors([*held, *_closed_over(recompute)]):
            yield id(frame), tensor


def _closed_over(function: Any) -> Iterator[Any]:
    for cell in getattr(function, "__closure__", None) or ():
        try:
            yield cell.cell_contents
        except ValueError:  # still empty
            continue


def _tensors(values: Iterable[Any]) -> Iterator[Tensor]:
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, list | tuple):
            yield from (item for item in value if isinstance(item, Tensor))
        elif isinstance(value, dict):
            yield from (item for item in value.values() if isinstance(item, Tensor))
