"""Tensors that say one stored element many times, as ``expand`` makes them: read once, counted each time."""

from __future__ import annotations

import math

from msgspec.structs import replace
from torch import Tensor

from autograd_tour.record.facts import Number, Stats

__all__ = ["stored", "times"]


def stored(tensor: Tensor) -> Tensor:
    """``tensor`` with each dim of stride 0 cut to one index: a view of what is in memory.

    ``stored(tensor).expand(tensor.shape)`` is ``tensor`` again.
    """
    if 0 not in tensor.stride():
        return tensor
    for dim, (size, stride) in enumerate(zip(tensor.shape, tensor.stride(), strict=True)):
        if stride == 0 and size > 1:
            tensor = tensor.narrow(dim, 0, 1)
    return tensor


def times(stats: Stats, count: int) -> Stats:
    """The statistics of a tensor that has each element of another one ``count`` times."""
    if count == 1:
        return stats
    return replace(
        stats,
        norm=_longer(stats.norm, count),
        nan=_more(stats.nan, count),
        inf=_more(stats.inf, count),
        zero=_more(stats.zero, count),
        neg_inf=stats.neg_inf * count,
    )


def _longer(norm: Number | None, count: int) -> Number | None:
    if norm is None or isinstance(norm, str):  # not computed, or not finite
        return norm
    longer = norm * math.sqrt(count)
    return longer if math.isfinite(longer) else "inf"


def _more(number: int | None, count: int) -> int | None:
    return None if number is None else number * count
