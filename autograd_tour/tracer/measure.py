"""A live tensor -> TensorFacts. The only place where elements are read."""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable, Iterable
from copy import copy
from functools import cache, lru_cache
from typing import Any

import torch
from torch import Tensor

from autograd_tour.errors import UsageError
from autograd_tour.record.facts import Number, Stats, TensorFacts
from autograd_tour.tracer.references import TensorRef
from autograd_tour.tracer.repeats import stored, times
from autograd_tour.tracer.scratch import FULL_LIMIT, Scratch, is_ordinary
from autograd_tour.tracer.statistics import plain, stats_beside_zeros, stats_of_elements, stats_of_tensor

__all__ = ["Recorder", "bare", "measure", "measure_shape", "plain"]

PYTHON_LIMIT = 512
"""Up to this many elements plain Python is faster than a dozen calls into torch, whose code the program has
driven out of the cache."""

SMALL = 64
"""Gradients up to this many elements are measured anew wherever they pass."""

FEW = 4
"""Elements written down of a tensor that does not fit below the ceiling."""

_Block = tuple[int, int, torch.dtype]
_State = tuple[int, int, tuple[int, ...], tuple[int, ...]]

Values = tuple[tuple[Number, ...], Number | None, Stats | None]
_NOTHING: Values = ((), None, None)


class Recorder:
    """Measures all tensors of one record: ``keep`` elements of each (``None``: all), and at most
    ``ceiling`` MB of elements in all. Of a tensor that does not fit any more only :data:`FEW` are kept.

    It remembers statistics, so that no memory is read twice: a gradient leaves one node and enters the
    next as the same tensor, and half of a network's results are views of others. An entry holds as
    long as its memory is alive and its version the same.

    Raises:
        UsageError: ``keep`` or ``ceiling`` is negative.
    """

    def __init__(self, keep: int | None, ceiling: float) -> None:
        if keep is not None and keep < 0:
            hint = "Use 0 for the structure only, 1 or more, or None for all"
            raise UsageError(f"keep={keep!r} is not a number of elements", hint)
        if not ceiling >= 0:  # NaN neither
            hint = "Give the MB that recorded elements may take, for example ceiling=256"
            raise UsageError(f"ceiling={ceiling!r} is not a number of MB", hint)
        self.keep = keep
        self.ceiling = ceiling
        self.reached = False
        self.left = ceiling * 1e6
        self._statistics: dict[int, tuple[weakref.ref[Tensor], int, dict[_Block, Stats]]] = {}
        self._gradients: dict[int, tuple[weakref.ref[Tensor], _State, TensorFacts]] = {}
        self._scratch = Scratch()

    def measure(self, tensor: Tensor, *, gradient: bool = False) -> TensorFacts:
        """Facts of ``tensor``, see :func:`measure`."""
        if self.keep == 0:
            return measure(tensor, 0)
        with torch._C.DisableTorchFunction():
            again = self._again(tensor) if gradient else None
            if again is not None:
                return again
            ordinary = is_ordinary(tensor)
            facts = _facts(tensor, self.keep, gradient, self, ordinary)
            if gradient and ordinary and facts.stats is not None and tensor.numel() > SMALL:
                self._gradients[id(tensor)] = TensorRef(tensor), _state(tensor), facts
            return facts

    def _again(self, gradient: Tensor) -> TensorFacts | None:
        """The facts of a gradient that has been measured as it is now: where it left a node, mostly.

        Its first elements are compared all the same, since ``.data`` counts no versions.
        """
        entry = self._gradients.get(id(gradient))
        if entry is None or entry[0]() is not gradient or _state(gradient) != entry[1]:
            return None
        facts = entry[2]
        count = len(facts.first)
        if _written(_leading(gradient, count).tolist()) != facts.first:
            self.forget(gradient)
            return None
        total = gradient.numel()
        wanted = total if self.keep is None else min(self.keep, total)
        return copy(facts) if count == wanted and self._take(count, gradient.dtype) else None

    def forget(self, tensor: Tensor) -> None:
        """``tensor`` has been written to, maybe through ``.data``, which counts no version."""
        self._statistics.pop(id(_owner(tensor)), None)
        self._gradients.pop(id(tensor), None)

    def allow(self, count: int, dtype: torch.dtype) -> int:
        """How many of ``count`` elements may be written down; they are counted as written."""
        if self._take(count, dtype):
            return count
        self.reached = True
        self._take(FEW, dtype)
        return FEW

    def _take(self, count: int, dtype: torch.dtype) -> bool:
        """Count elements as written, if they fit; a few always do."""
        size = 104 if dtype.is_complex else 32  # in Python: a place in a tuple, and a float or a text
        if count > FEW and count * size > self.left:
            return False
        self.left -= count * size
        return True

    def give_back(self, size: float) -> None:
        """Elements of ``size`` bytes, the difference of two readings of ``left``, are in no record now."""
        self.left += size

    def remarks(self, record: str = "the record") -> tuple[str, ...]:
        """What the reader of ``record`` has to know about the ceiling."""
        if not self.reached:
            return ()
        limit = f"{record} reached its ceiling of {self.ceiling:g} MB"
        return (f"{limit}: of tensors that did not fit only {FEW} elements are kept",)

    def note_part(self, gradient: Tensor, part: Callable[[Tensor], Tensor]) -> None:
        """``gradient`` is 0 outside of ``part`` of it: if it is large, only that is read."""
        with torch._C.DisableTorchFunction():
            if not is_ordinary(gradient) or gradient.numel() <= FULL_LIMIT or not gradient.is_contiguous():
                return
            stats = stats_beside_zeros(part(gradient))
            owner, block = _owner(gradient), _block(gradient)
            self._statistics[id(owner)] = TensorRef(owner), owner._version, {block: stats}

    def stats(self, dense: Tensor, original: Tensor, *, ordinary: bool) -> Stats:
        """Statistics of ``dense``: the elements of ``original`` in the order that is quickest."""
        itself = dense.dtype == original.dtype and dense.is_contiguous() and not original.is_inference()
        if not itself or original.layout != torch.strided or dense.data_ptr() != original.data_ptr():
            return stats_of_tensor(dense, self._scratch if ordinary else None)
        return self.stats_of_owner(dense, original, ordinary=ordinary)

    def stats_of_owner(self, dense: Tensor, original: Tensor, *, ordinary: bool) -> Stats:
        """The same where ``dense`` is a look at the memory of ``original``."""
        owner = _owner(original)
        entry = self._statistics.get(id(owner))
        # Views share the version counter of what they are a view of.
        if entry is None or entry[0]() is not owner or entry[1] != owner._version:
            entry = self._statistics[id(owner)] = (TensorRef(owner), owner._version, {})
        block = _block(dense)
        stats = entry[2].get(block)
        if stats is None:
            stats = entry[2][block] = stats_of_tensor(dense, self._scratch if ordinary else None)
        return stats


def measure(
    tensor: Tensor, keep: int | None = 16, *, gradient: bool = False, recorder: Recorder | None = None
) -> TensorFacts:
    """Facts of ``tensor`` as it is now. Nothing is recorded by autograd and nothing is kept alive.

    ``keep`` leading elements are written down (``None``: all). For a ``gradient`` the flags that
    say nothing about it (``requires_grad``, ``is_leaf``, ``version``) are left at their defaults.
    A tensor whose elements cannot be read (meta, fake, inside a ``torch.func`` transform) gives
    its shape only, and so does ``keep`` 0. ``recorder`` knows the other tensors of the same record.
    """
    if keep == 0:
        return _outline(_shape(tensor), tensor.dtype, tensor.device)
    with torch._C.DisableTorchFunction():
        return _facts(tensor, keep, gradient, recorder, is_ordinary(tensor))


def _facts(
    tensor: Tensor, keep: int | None, gradient: bool, recorder: Recorder | None, ordinary: bool
) -> TensorFacts:
    try:
        values = _values_of_ordinary if ordinary else _values
        first, last, stats = values(tensor, keep, recorder)
    except (RuntimeError, NotImplementedError, TypeError, ValueError):
        first, last, stats = _NOTHING  # no storage behind it, or no kernel for its type
    return TensorFacts(
        tuple(tensor.shape) if ordinary else _shape(tensor),
        bare(tensor.dtype),
        bare(tensor.device),
        "strided" if ordinary else "nested" if tensor.is_nested else bare(tensor.layout),
        not gradient and tensor.requires_grad,
        not gradient and tensor.is_leaf,
        0 if gradient or (not ordinary and tensor.is_inference()) else tensor._version,
        first,
        last,
        stats,
    )


def _owner(tensor: Tensor) -> Tensor:
    """What ``tensor`` is a view of, or itself."""
    base = tensor._base
    return tensor if base is None else base


def _block(dense: Tensor) -> _Block:
    return dense.data_ptr(), dense.numel(), dense.dtype


def _state(tensor: Tensor) -> _State:
    return tensor._version, tensor.data_ptr(), tensor.shape, tensor.stride()


def measure_shape(shape: Iterable[int], dtype: torch.dtype, device: torch.device) -> TensorFacts:
    """Facts of a tensor of which only the metadata is left."""
    return TensorFacts(tuple(map(int, shape)), bare(dtype), str(device), requires_grad=True)


@lru_cache(maxsize=4096)
def _outline(shape: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> TensorFacts:
    return measure_shape(shape, dtype, device)


@cache
def bare(name: object) -> str:
    """``torch.float32`` -> ``float32``."""
    return str(name).removeprefix("torch.")


def _shape(tensor: Tensor) -> tuple[int, ...]:
    if not tensor.is_nested:
        return tuple(map(int, tensor.shape))
    extents: list[int] = []
    for dim in range(tensor.dim()):
        try:
            extents.append(int(tensor.size(dim)))
        except (AttributeError, RuntimeError, TypeError, ValueError):
            extents.append(-1)  # ragged: there is no one number
    return tuple(extents)


def _values_of_ordinary(original: Tensor, keep: int | None, recorder: Recorder | None) -> Values:
    """Those of most tensors of a network, which lie in memory as they are read: one flat look is enough."""
    tensor = original.detach() if original.requires_grad else original
    if not tensor.is_contiguous():
        return _values_in_memory(stored(tensor), original, keep, recorder, True)
    flat = tensor.view(-1)
    total = flat.numel()
    if total == 0:
        return _NOTHING
    wanted = _wanted(total, keep, flat.dtype, recorder)
    if total <= PYTHON_LIMIT:
        elements = flat.tolist()
        return _written(elements[:wanted]), plain(elements[-1]), stats_of_elements(elements)
    stats = (
        stats_of_tensor(flat) if recorder is None else recorder.stats_of_owner(flat, original, ordinary=True)
    )
    (last,) = flat[-1:].tolist()
    return _written(flat[:wanted].tolist()), plain(last), stats


def _values(original: Tensor, keep: int | None, recorder: Recorder | None) -> Values:
    """Those of any tensor, however torch holds it."""
    tensor = original.detach()
    if tensor.is_nested or tensor.layout != torch.strided:
        if tensor.is_nested or tensor.numel() > FULL_LIMIT:
            return _NOTHING
        tensor = tensor.to_dense()
    if tensor._is_zerotensor():
        tensor = torch.zeros((), dtype=tensor.dtype).expand(tensor.shape)
    if tensor.device.type == "meta":
        return _NOTHING
    read = stored(tensor)
    if read.is_quantized:
        read = read.dequantize()
    if read.is_conj() or read.is_neg():
        read = read.resolve_conj().resolve_neg()
    return _values_in_memory(read, original, keep, recorder, False)


def _values_in_memory(
    read: Tensor, original: Tensor, keep: int | None, recorder: Recorder | None, ordinary: bool
) -> Values:
    """Those of ``original``, of which ``read`` has each stored element once."""
    total = original.numel()
    if total == 0:
        return _NOTHING
    repeats = total // read.numel()
    tensor = read if repeats == 1 else read.expand(original.shape)
    wanted = _wanted(total, keep, tensor.dtype, recorder)
    if total <= PYTHON_LIMIT:
        elements = tensor.reshape(-1).tolist()
        return _written(elements[:wanted]), plain(elements[-1]), stats_of_elements(elements)
    head = _leading(tensor, wanted).tolist()
    tail = _last(tensor).item()
    dense = _in_memory_order(read)
    stats = stats_of_tensor(dense) if recorder is None else recorder.stats(dense, original, ordinary=ordinary)
    return _written(head), plain(tail), times(stats, repeats)


def _wanted(total: int, keep: int | None, dtype: torch.dtype, recorder: Recorder | None) -> int:
    """How many of ``total`` elements are written down."""
    wanted = total if keep is None else min(keep, total)
    return wanted if recorder is None else recorder.allow(wanted, dtype)


def _written(elements: list[Any]) -> tuple[Number, ...]:
    """Elements of one tensor as the record has them: of most all are numbers that JSON can hold."""
    if not isinstance(elements[0], complex) and all(map(math.isfinite, elements)):
        return tuple(elements)
    return tuple(map(plain, elements))


def _last(tensor: Tensor) -> Tensor:
    return tensor.view(-1)[-1] if tensor.is_contiguous() else tensor[tuple(-1 for _ in tensor.shape)]


def _in_memory_order(tensor: Tensor) -> Tensor:
    """A transposed tensor turned back: some reductions copy what does not lie in order."""
    if tensor.is_contiguous():
        return tensor
    strides = tensor.stride()
    return tensor.permute(sorted(range(tensor.dim()), key=lambda dim: -strides[dim]))


def _leading(tensor: Tensor, count: int) -> Tensor:
    """The first elements, from a view where it can be one: a copy of a large tensor doubles its memory."""
    if tensor.is_contiguous():
        return tensor.view(-1)[:count]
    while tensor.dim() > 1:
        row = tensor.numel() // tensor.shape[0]
        if row < count:
            return tensor[: math.ceil(count / row)].reshape(-1)[:count]
        tensor = tensor[0]
    return tensor[:count]
