"""Reentrant checkpoints: a function runs without gradients, again in backward, and torch compares nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.compiler import is_dynamo_compiling
from torch.utils._pytree import tree_flatten
from torch.utils.checkpoint import CheckpointFunction

from autograd_tour.tracer.compiled import never_compiled

__all__ = ["LARGEST", "Reentrant", "Reentrants", "weighted"]

LARGEST = 1_000_000
"""Elements of a result that are summed up."""
_TOLERANCE = 1e-3
"""Of the sum of magnitudes: without gradients torch may take a faster way, which rounds otherwise."""


class _Result(NamedTuple):
    """Of a tensor that the function gave: shape, weighted sum of the elements, that of their magnitudes.

    ``needs`` a gradient: backward goes on from it. In the first run none does.
    """

    shape: tuple[int, ...]
    total: float
    size: float
    needs: bool


class Reentrant:
    """One reentrant checkpoint, and what its function gave each time that it ran to its end."""

    def __init__(self) -> None:
        self.results: list[list[_Result] | None] = []

    def differs(self) -> bool:
        """Whether a later run gave something else than the first, as far as results could be summed up."""
        first, *later = self.results or [None]
        pairs = [(first, other) for other in later if first is not None and other is not None]
        return any(not _alike(*pair) for pair in pairs)


class Reentrants:
    """Hears ``CheckpointFunction.apply``, and both runs of the function that it is given."""

    def __init__(self, computing_again: Callable[[], AbstractContextManager[None]]) -> None:
        self.running: list[tuple[Reentrant, bool]] = []
        self._computing_again = computing_again
        self._thread = threading.get_ident()

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Every reentrant checkpoint that begins inside is heard, then and in backward."""
        follow = self._followed

        def apply(cls: Any, function: Any, *args: Any) -> Any:
            original = torch.autograd.Function.__dict__["apply"].__get__(None, cls)
            return original(function if is_dynamo_compiling() else follow(function), *args)

        never_compiled(apply)
        CheckpointFunction.apply = classmethod(apply)  # type: ignore[method-assign, assignment]
        try:
            yield
        finally:
            del CheckpointFunction.apply

    def _followed(self, function: Any) -> Any:
        if threading.get_ident() != self._thread:
            return function
        checkpoint = Reentrant()

        def run(*args: Any) -> Any:
            again = bool(checkpoint.results)
            self.running.append((checkpoint, again))
            try:
                if again:
                    with self._computing_again():
                        result = function(*args)
                else:
                    result = function(*args)
            finally:
                self.running.pop()
            with torch._C.DisableTorchFunction(), torch.no_grad():
                checkpoint.results.append(_results(result))
            return result

        return run


def weighted(tensor: Tensor) -> Tensor:
    """Its elements in float64, each with another weight: a shuffled tensor has another sum."""
    values = tensor.detach().double().flatten()
    return values * torch.linspace(1, 2, values.numel(), dtype=values.dtype)


def _results(result: Any) -> list[_Result] | None:
    """What the function gave; ``None`` if a tensor among it has no sum, as a sparse one."""
    tensors = [item for item in tree_flatten(result)[0] if isinstance(item, Tensor)]
    try:
        return [_summed(item) for item in tensors if item.is_floating_point()]
    except (RuntimeError, NotImplementedError):
        return None


def _summed(tensor: Tensor) -> _Result:
    values = weighted(tensor.detach().reshape(-1)[:LARGEST].cpu())
    return _Result(tuple(tensor.shape), float(values.sum()), float(values.abs().sum()), tensor.requires_grad)


def _alike(first: list[_Result], again: list[_Result]) -> bool:
    return len(first) == len(again) and all(map(_near, first, again))


def _near(first: _Result, again: _Result) -> bool:
    """What is not finite is judged elsewhere: such a sum says nothing."""
    apart = abs(first.total - again.total) > _TOLERANCE * max(first.size, again.size)
    return not again.needs or (first.shape == again.shape and not apart)
