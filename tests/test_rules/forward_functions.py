"""The words of forward expressions that no gradient rule needs, with tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

__all__ = ["FORWARD_FUNCTIONS"]


def _tensor(value: Any) -> Tensor:
    return value if isinstance(value, Tensor) else torch.tensor(value, dtype=torch.float64)


def _extreme(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def reduce(x: Tensor, *, dims: tuple[int, ...] | None = None) -> Tensor:
        return function(x) if dims is None else function(x, dims) if dims else x

    return reduce


def _element_at(x: Tensor, index: Any, *, dim: int | None, kind: str) -> Tensor:
    if kind == "lists":
        return x[tuple(slice(None) if item is None else item for item in index)]
    if kind == "flat":
        return x.reshape(-1)[index]
    if kind == "rows":
        return x.reshape(x.shape or (1,)).index_select(dim or 0, index.reshape(-1).long())
    return x.gather(dim, index) if x.dim() else x.reshape(1)[index]


def _variance(x: Tensor, *, dims: tuple[int, ...], correction: float) -> Tensor:
    centred = x - (x.mean(dims, keepdim=True) if dims else x)
    count = x.numel() / max(centred.sum(dims).numel(), 1) if dims else 1
    return (centred**2).sum(dims) / max(count - correction, 0) if dims else centred / 0.0


FORWARD_FUNCTIONS: dict[str, Callable[..., Any]] = {
    **{
        name: getattr(torch, name)
        for name in ("expm1", "asin", "acos", "atan", "asinh", "acosh", "atanh", "erf", "ceil")
    },
    "ln1p": torch.log1p,
    "atan2": torch.atan2,
    "maximum": lambda a, b: torch.maximum(*torch.broadcast_tensors(_tensor(a), _tensor(b))),
    "minimum": lambda a, b: torch.minimum(*torch.broadcast_tensors(_tensor(a), _tensor(b))),
    "amax": _extreme(torch.amax),
    "amin": _extreme(torch.amin),
    "prod": torch.prod,
    "cumsum": lambda x, *, dim: x.cumsum(dim),
    "tiled": lambda x, *, repeats: x.repeat(repeats),
    "variance": _variance,
    "element_at": _element_at,
    "stacked": lambda *items, dim: torch.stack(items, dim),
    "concatenated": lambda *items, dim: torch.cat(items, dim),
}
"""What each computes."""
