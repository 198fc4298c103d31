"""Where the graph was cut: results without a gradient of arguments with one."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable
from typing import Any

from torch import Tensor

from autograd_tour.tracer.listen.calls import CallRecord
from autograd_tour.tracer.references import TensorRef

__all__ = ["Cuts"]

Source = tuple[str, CallRecord | None, Tensor | None]
"""The function that cut, and what it cut from: the result of a call, or a leaf."""


Producer = Callable[[Tensor], tuple[CallRecord, int] | None]
"""Which call made a tensor."""


class Cuts:
    """The tensors that a call gave without their history."""

    def __init__(self) -> None:
        self._sources: dict[int, tuple[weakref.ref[Tensor], Source]] = {}

    def note(self, function: str, given: Iterable[Any], result: Tensor, producer: Producer) -> None:
        """``function`` made ``result`` of what it was given: a cut, if only that has a gradient."""
        if result.requires_grad or not result.is_floating_point():
            return
        if function.endswith("_like") or function.startswith("new_"):
            return  # only the shape was asked for
        for item in given:
            if isinstance(item, Tensor) and item.requires_grad:
                entry = producer(item)
                leaf = item if item.is_leaf else None
                source = (function, entry[0] if entry else None, leaf)
                self._sources[id(result)] = (TensorRef(result), source)
                return

    def of(self, tensor: Tensor) -> Source | None:
        """What ``tensor`` was cut from, ``None`` if it was not."""
        entry = self._sources.get(id(tensor))
        return entry[1] if entry is not None and entry[0]() is tensor else None
