"""The losses and the norms of ``.grad`` of all backward calls, however many there are."""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence

import torch
from torch import Tensor

from autograd_tour.record.facts import Number
from autograd_tour.record.run import Curve
from autograd_tour.tracer.listen.spots import Spots
from autograd_tour.tracer.measure import plain

__all__ = ["Courses"]

MOST_POINTS = 1_000
"""Calls of one line that are written down."""

MOST_LEAVES = 16
"""Leaves with a norm each; of more there is one norm, of all together."""


class Courses:
    """For each line that calls backward the course of its loss and of the gradients after it."""

    def __init__(self) -> None:
        self._calls: dict[int, array[int]] = {}
        self._losses: dict[int, array[float]] = {}
        self._norms: dict[int, list[array[float]]] = {}
        self._leaves: dict[int, tuple[int, ...]] = {}

    def add(self, spot: int, number: int, loss: Tensor | None, leaves: Sequence[tuple[int, Tensor]]) -> None:
        """Backward call ``number``, made at place ``spot``; ``leaves`` are followed, with their numbers."""
        if spot not in self._calls:
            self._calls[spot], self._losses[spot] = array("q"), array("d")
            several = len(leaves) <= MOST_LEAVES
            self._leaves[spot] = tuple(n for n, _ in leaves) if several else ()
            self._norms[spot] = [array("d") for _ in (leaves if several else [0])]
        self._calls[spot].append(number)
        self._losses[spot].append(_number(loss))
        norms = _norms([leaf.grad if leaf.is_leaf else None for _, leaf in leaves])
        if self._leaves[spot]:
            by_leaf = dict(zip((n for n, _ in leaves), norms, strict=True))
            norms = [by_leaf.get(n, _UNKNOWN) for n in self._leaves[spot]]
        else:
            norms = [math.hypot(*(norm for norm in norms if norm != _UNKNOWN))]
        for course, norm in zip(self._norms[spot], norms, strict=True):
            course.append(norm)

    def recorded(self, spots: Spots) -> tuple[Curve, ...]:
        """The curves, thinned evenly if there are many points; the first and the last stay."""
        return tuple(self._curve(spot, spots) for spot in self._calls)

    def _curve(self, spot: int, spots: Spots) -> Curve:
        calls = self._calls[spot]
        points = _evenly(len(calls))
        return Curve(
            spots.line(spot),
            tuple(calls[i] for i in points),
            tuple(_known(self._losses[spot][i]) for i in points),
            self._leaves[spot],
            tuple(tuple(_known(course[i]) for i in points) for course in self._norms[spot]),
            len(calls),
        )


def _evenly(count: int) -> list[int]:
    if count <= MOST_POINTS:
        return list(range(count))
    return [round(i * (count - 1) / (MOST_POINTS - 1)) for i in range(MOST_POINTS)]


_UNKNOWN = -math.pi
"""A loss that is no single number. A loss may be NaN, and a norm is never negative."""


def _known(value: float) -> Number | None:
    return None if value == _UNKNOWN else plain(value)


def _number(loss: Tensor | None) -> float:
    if loss is None or loss.numel() != 1 or loss.is_complex() or loss.device.type == "meta":
        return _UNKNOWN
    return float(loss.item())


def _norms(grads: Sequence[Tensor | None]) -> list[float]:
    """The norm of each gradient, :data:`_UNKNOWN` where there is none or it cannot be had."""
    norms = [_UNKNOWN] * len(grads)
    usual = [(i, grad) for i, grad in enumerate(grads) if grad is not None and _is_usual(grad)]
    if usual:
        each = torch._foreach_norm([grad for _, grad in usual])
        alike = len({(norm.dtype, norm.device) for norm in each}) == 1
        values = torch.stack(each).tolist() if alike else [norm.item() for norm in each]
        for (i, _), value in zip(usual, values, strict=True):
            norms[i] = value
    return norms


def _is_usual(grad: Tensor) -> bool:
    return grad.layout == torch.strided and grad.is_floating_point() and grad.device.type != "meta"
