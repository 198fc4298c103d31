"""Least, greatest, mean, norm and counts of the elements of a tensor."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from autograd_tour.record.facts import Number, Stats
from autograd_tour.tracer.scratch import FULL_LIMIT, Memory, Scratch

__all__ = ["plain", "stats_beside_zeros", "stats_of_elements", "stats_of_tensor"]

BLOCK = 131_072
"""Elements of a block, in which large tensors are read: half a MB of float32, as caches have."""

SMALLEST = 1e-30
"""Mean square below which squares may be too small for float32, whose least number is 1e-38."""


def plain(value: complex | float | int | bool) -> Number:
    """A Python number as a :data:`Number`: itself, or text if JSON cannot hold it."""
    if isinstance(value, complex):
        return str(value)
    if isinstance(value, float) and not math.isfinite(value):
        return "nan" if math.isnan(value) else ("inf" if value > 0 else "-inf")
    return value


def stats_of_elements(elements: Sequence[complex | float | int | bool]) -> Stats:
    """Those of a few elements, in plain Python."""
    if isinstance(elements[0], float):
        finite = _stats_of_finite(elements)
        if finite is not None:
            return finite
    if isinstance(elements[0], bool):
        return Stats(zero=sum(not element for element in elements))
    zero = sum(element == 0 for element in elements)
    if isinstance(elements[0], complex):
        norm = _complex_norm([complex(element) for element in elements])
        nan = sum(element != element for element in elements)
        return Stats(mean=plain(sum(elements) / len(elements)), norm=plain(norm), nan=nan, zero=zero)
    reals = [element for element in elements if not isinstance(element, complex)]
    if not all(map(math.isfinite, reals)):
        return _not_finite([float(element) for element in reals], zero)
    mean, norm = _mean(reals), math.hypot(*reals)
    return Stats(min(reals), max(reals), plain(mean), plain(norm), nan=0, inf=0, zero=zero)


def _stats_of_finite(elements: Sequence[Any]) -> Stats | None:
    """Those of floats; ``None`` if one is not finite, or their sum is not."""
    try:
        total = math.fsum(elements)
    except (OverflowError, ValueError):
        return None
    if not math.isfinite(total):
        return None
    zero, norm = elements.count(0.0), math.hypot(*elements)
    return Stats(min(elements), max(elements), total / len(elements), plain(norm), 0, 0, zero)


def _mean(reals: Sequence[float]) -> float:
    try:
        return math.fsum(reals) / len(reals)
    except OverflowError:  # the sum is beyond a float, the mean is not
        return math.fsum(real / len(reals) for real in reals)


def _complex_norm(elements: Sequence[complex]) -> float:
    try:
        return math.sqrt(math.fsum(abs(element) ** 2 for element in elements))
    except OverflowError:  # a square is beyond a float
        return math.hypot(*(part for element in elements for part in (element.real, element.imag)))


def _not_finite(reals: Sequence[float], zero: int) -> Stats:
    nan, inf, below = sum(map(math.isnan, reals)), sum(map(math.isinf, reals)), reals.count(-math.inf)
    if nan:
        return Stats("nan", "nan", "nan", "nan", nan, inf, zero, below)
    return Stats(plain(min(reals)), plain(max(reals)), plain(sum(reals)), "inf", nan, inf, zero, below)


def stats_of_tensor(tensor: Tensor, scratch: Scratch | None = None) -> Stats:
    """Those of a dense tensor; of one above :data:`FULL_LIMIT` mean and zeros are left out.

    With ``scratch`` the tensor is an ordinary one.
    """
    if tensor.is_floating_point():
        return _stats_of_floats(tensor, scratch)
    if tensor.dtype == torch.bool:
        return Stats(zero=tensor.numel() - int(torch.count_nonzero(tensor)))
    if tensor.is_complex():
        norm = torch.linalg.vector_norm(tensor).item()
        return Stats(mean=plain(tensor.mean().item()), norm=plain(norm))
    least, most = (bound.item() for bound in torch.aminmax(tensor))
    zero = tensor.numel() - int(torch.count_nonzero(tensor))
    return Stats(least, most, plain(tensor.double().mean().item()), zero=zero)


def _stats_of_floats(tensor: Tensor, scratch: Scratch | None) -> Stats:
    if tensor.element_size() == 1:
        tensor = tensor.float()  # the eight-bit types have no reductions of their own
    count = tensor.numel()
    if count > FULL_LIMIT:
        return _stats_of_large(*_in_blocks(tensor))
    low, high = _extremes(tensor)
    total, norm, zero = _sums(tensor, scratch, zeros=not (low > 0 or high < 0))
    if math.isfinite(low) and math.isfinite(high):
        return Stats(low, high, plain(total / count), plain(norm), 0, 0, zero)
    nan, inf, below = (
        int(where(tensor).sum().item()) for where in (torch.isnan, torch.isinf, torch.isneginf)
    )
    return Stats(plain(low), plain(high), plain(total / count), plain(norm), nan, inf, zero, below)


def _stats_of_large(low: float, high: float, norm: float) -> Stats:
    none = 0 if math.isfinite(low) and math.isfinite(high) else None
    return Stats(plain(low), plain(high), norm=plain(norm), nan=none, inf=none)


def stats_beside_zeros(part: Tensor) -> Stats:
    """Those of a tensor of more than :data:`FULL_LIMIT` elements, which are 0 but for those in ``part``."""
    if part.numel() == 0:
        return _stats_of_large(0.0, 0.0, 0.0)
    low, high, norm = _in_blocks(part)
    return _stats_of_large(min(low, 0.0), max(high, 0.0), norm)  # both keep a NaN that comes first


def _extremes(tensor: Tensor) -> tuple[float, float]:
    """The least and the greatest element, NaN if one is."""
    least, most = torch.aminmax(tensor)
    return least.item(), most.item()


def _sums(tensor: Tensor, scratch: Scratch | None, *, zeros: bool) -> tuple[float, float, int]:
    """Sum and norm, in double precision, and how many elements are 0 (0 without ``zeros``)."""
    if scratch is not None:
        memory = scratch.take()
        try:
            return _sums_in(memory, tensor, zeros)
        finally:
            scratch.give_back(memory)
    wide = tensor.double()
    zero = tensor.numel() - int(torch.count_nonzero(tensor)) if zeros else 0
    return wide.sum().item(), torch.linalg.vector_norm(wide).item(), zero


def _sums_in(memory: Memory, tensor: Tensor, zeros: bool) -> tuple[float, float, int]:
    """The same with a copy in ``memory``. A sum of floats is several times as quick as a count, and exact
    up to :data:`FULL_LIMIT`.
    """
    count = tensor.numel()
    flat, ones = memory.wide[:count], memory.narrow[:count]
    alike = tensor.dim() == 1
    (flat if alike else flat.view(tensor.shape)).copy_(tensor)
    total, norm = flat.sum().item(), math.sqrt(torch.dot(flat, flat).item())
    if not zeros:
        return total, norm, 0
    torch.eq(tensor, 0, out=ones if alike else ones.view(tensor.shape))
    return total, norm, int(ones.sum().item())


def _in_blocks(tensor: Tensor) -> tuple[float, float, float]:
    """Least, greatest and norm of a large tensor, in blocks that stay in the cache: memory is read once.

    Sums of blocks are added up in double precision: in one go, float32 is off in the third digit after some
    ten million elements. A dot product reads memory twice as quickly as the extremes, which then find it in
    the cache.
    """
    if not tensor.is_contiguous():
        kind = torch.float64 if tensor.dtype == torch.float64 else torch.float32
        rows = torch.linalg.vector_norm(tensor, dim=-1, dtype=kind)
        return *_extremes(tensor), torch.linalg.vector_norm(rows, dtype=torch.float64).item()
    flat = tensor.view(-1)
    low, high, square = math.inf, -math.inf, 0.0
    for block in flat.tensor_split(max(1, flat.numel() // BLOCK) if tensor.is_cpu else 1):
        wide = block if block.dtype == torch.float32 else block.double()
        square += torch.dot(wide, wide).item()
        least, most = _extremes(block)
        low, high = min(low, least), max(high, most)
    if math.isnan(square):  # where an element is none; `min` may pass over it
        return math.nan, math.nan, math.nan
    finite = math.isfinite(low) and math.isfinite(high)
    if finite and (low or high) and not SMALLEST * flat.numel() < square < math.inf:
        return low, high, torch.linalg.vector_norm(flat, dtype=torch.float64).item()
    return low, high, math.sqrt(square)
