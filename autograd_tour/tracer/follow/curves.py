"""The losses and the norms of ``.grad`` of all backward calls, however many there are."""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Sequence
from operator import eq
from typing import Any

import torch
from torch import Tensor

from autograd_tour.record.facts import Number
from autograd_tour.record.run import Curve
from autograd_tour.tracer.listen.spots import Spots
from autograd_tour.tracer.measure import plain

__all__ = ["Courses", "norms_of", "number_of"]

MOST_POINTS = 1_000
"""Calls of one line that are written down."""

MOST_LEAVES = 16
"""Leaves with a norm each; of more there is one norm, of all together."""


class _Course:
    """What is noted of the backward calls of one line."""

    def __init__(self, leaves: int, *, returned: bool) -> None:
        self.returned = returned
        self.calls = array("q")
        self.losses = array("d")
        self.leaves = leaves if leaves <= MOST_LEAVES else 0
        self.last: Sequence[float] = ()
        self.norms = array("d")
        """Call after call, of each one for every leaf, or one for all."""

    def noted(self, norms: list[float]) -> list[float]:
        """What is noted of the ``norms`` of all leaves; one met after the first call has none of its own."""
        if self.leaves:
            return norms[: self.leaves]
        return [math.hypot(*(norm for norm in norms if norm != _UNKNOWN))]

    @property
    def by_leaf(self) -> list[array[float]]:
        """The norms of each leaf, or those of all together."""
        width = self.leaves or 1
        return [self.norms[leaf::width] for leaf in range(width)]


class Courses:
    """For each line that calls backward the course of its loss and of the gradients after it."""

    def __init__(self) -> None:
        self._courses: dict[int, _Course] = {}

    def add(
        self, spot: int, number: int, loss: Tensor | None, grads: Sequence[Tensor | None], *, returned: bool
    ) -> Sequence[int]:
        """Backward call ``number``, made at place ``spot``: the leaves that it may not have reached.

        Those have the norm that they had after the call before, 0, or none.

        ``grads`` are, for each leaf that is followed, its ``.grad``, or what the call ``returned``.
        """
        course = self._courses.get(spot)
        if course is None:
            course = self._courses[spot] = _Course(len(grads), returned=returned)
        course.calls.append(number)
        course.losses.append(_number(loss))
        norms, before = _norms(grads), course.last
        course.norms.extend(course.noted(norms))
        course.last = norms
        if True not in map(eq, norms, before) and 0 not in norms and _UNKNOWN not in norms:
            return ()
        earlier = [n for n, norm in enumerate(before) if norm != _UNKNOWN]
        return [n for n in earlier if norms[n] in (before[n], 0, _UNKNOWN)]

    def correct(self, spot: int, grads: Sequence[Tensor | None], *, complete: bool) -> None:
        """The last call at ``spot`` left other ``grads`` than was thought.

        They are not ``complete`` if nobody knows what some of the leaves are.
        """
        course = self._courses[spot]
        course.last = _norms(grads)
        noted = course.noted(course.last) if complete or course.leaves else [_UNKNOWN]
        course.norms[-len(noted) :] = array("d", noted)

    def recorded(self, spots: Spots) -> tuple[Curve, ...]:
        """The curves, thinned evenly if there are many points; the first and the last stay."""
        return tuple(_curve(course, spots.line(spot)) for spot, course in self._courses.items())


def _curve(course: _Course, line: int | None) -> Curve:
    points = _evenly(len(course.calls))
    return Curve(
        line,
        tuple(course.calls[i] for i in points),
        tuple(_known(course.losses[i]) for i in points),
        tuple(range(course.leaves)),
        tuple(tuple(_known(values[i]) for i in points) for values in course.by_leaf),
        len(course.calls),
        course.returned,
    )


def _evenly(count: int) -> list[int]:
    if count <= MOST_POINTS:
        return list(range(count))
    return [round(i * (count - 1) / (MOST_POINTS - 1)) for i in range(MOST_POINTS)]


FEW = 16
"""Up to so many elements plain Python is faster."""

_WIDER = {torch.float16: torch.float32, torch.bfloat16: torch.float32}
"""In what norms are computed: in half precision their sum of squares soon is infinite."""

_UNKNOWN = -math.pi
"""A loss that is no single number. A loss may be NaN, and a norm is never negative."""


def number_of(loss: Tensor | None) -> Number | None:
    """A loss as a curve has it; ``None`` if it is no single real number."""
    return _known(_number(loss))


def norms_of(grads: Sequence[Tensor | None]) -> list[Number | None]:
    """The norms of ``grads`` as a curve has them; ``None`` where there is none or it cannot be had."""
    return list(map(_known, _norms(grads)))


def _known(value: float) -> Number | None:
    return None if value == _UNKNOWN else plain(value)


def _number(loss: Tensor | None) -> float:
    if loss is None or loss.is_meta:
        return _UNKNOWN
    value: Any = loss.item()
    if type(value) is float:
        return value
    return _UNKNOWN if isinstance(value, complex) else float(value)


def _norms(grads: Sequence[Tensor | None]) -> list[float]:
    """The norm of each gradient, :data:`_UNKNOWN` where there is none or it cannot be had."""
    # All are computed before one is read: to read waits for the device.
    norms = [_UNKNOWN if grad is None else _norm(grad) for grad in grads]
    return [norm if isinstance(norm, float) else norm.item() for norm in norms]


def _norm(grad: Tensor) -> Tensor | float:
    """Of a few numbers in plain Python, which takes a third of a call of torch."""
    if type(grad) is not Tensor and type(grad).__torch_dispatch__ is not _NO_DISPATCH:
        return _UNKNOWN  # of a part of a distributed tensor, for instance
    dtype = grad.dtype
    is_complex = dtype.is_complex
    if grad.layout is torch.sparse_coo and not grad.is_meta:
        grad = grad.detach().coalesce().values()  # an index that is there twice stands for the sum
    if grad.layout is not _STRIDED or grad.is_meta or not (is_complex or dtype.is_floating_point):
        return _UNKNOWN
    if grad.numel() <= FEW and grad.is_cpu and grad.dim() <= 1:
        values: Any = grad.tolist()
        if not isinstance(values, list):
            values = [values]
        norm = math.hypot(*map(abs, values)) if is_complex else math.hypot(*values)
        if norm < math.inf:  # hypot calls Inf what has a NaN beside it
            return norm
    wider = _WIDER.get(dtype)
    return _norm_of_many(grad) if wider is None else _norm_of_many(grad, dtype=wider)


_STRIDED = torch.strided
_NO_DISPATCH = torch._C._disabled_torch_dispatch_impl
_norm_of_many: Callable[..., Tensor] = torch.linalg.vector_norm
