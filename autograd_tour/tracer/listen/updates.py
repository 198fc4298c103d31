"""Buffers that a call only writes to: running statistics of a normalisation in training.

They are arguments of the call, but its result does not depend on them. Torch does not count these
changes in a buffer's version either.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["updated_buffers"]

_BUFFERS = ("running_mean", "running_var")
_OF_MODULES = ("input", *_BUFFERS, "weight", "bias")
_OF_TORCH = ("input", "weight", "bias", *_BUFFERS)
_ARGUMENTS: dict[Any, tuple[tuple[str, ...], bool]] = {
    functional.batch_norm: ((*_OF_MODULES, "training"), False),
    functional.instance_norm: ((*_OF_MODULES, "use_input_stats"), True),
    torch.batch_norm: ((*_OF_TORCH, "training"), False),
    torch.native_batch_norm: ((*_OF_TORCH, "training"), False),
    torch.instance_norm: ((*_OF_TORCH, "use_input_stats"), False),
}
"""The arguments of each function; the last tells whether it takes the statistics of its input and
updates the buffers. That, if it is not given."""


def updated_buffers(func: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[Tensor]:
    """The tensors that this call of ``func`` updated and did not read for its result."""
    try:
        entry = _ARGUMENTS.get(func)
    except TypeError:
        return []  # it cannot be hashed, so it is none of torch's
    if entry is None:
        return []
    names, updating = entry
    given = {**dict(zip(names, args, strict=False)), **kwargs}
    if not given.get(names[-1], updating):
        return []
    return [buffer for name in _BUFFERS if isinstance(buffer := given.get(name), Tensor)]
