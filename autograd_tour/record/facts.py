"""What is known about one tensor at one moment: plain data, no torch."""

from __future__ import annotations

from msgspec import Struct

__all__ = ["Number", "Stats", "TensorFacts"]

Number = bool | int | float | str
"""One element of a tensor.

Finite numbers are themselves. What JSON cannot hold is text that ``float()`` or ``complex()``
reads back: ``"nan"``, ``"inf"``, ``"-inf"``, ``"(1+2j)"``. Text also makes two facts with a NaN
equal, as they should be.
"""


class Stats(Struct, frozen=True, gc=False, omit_defaults=True):
    """Numbers about all elements of a tensor; ``None`` where one was not computed.

    ``min``, ``max`` and ``mean`` leave out nothing: one NaN makes them ``"nan"``. ``norm`` is the
    Euclidean norm. ``nan``, ``inf`` and ``zero`` count elements; ``neg_inf`` says how many of ``inf`` are
    below zero.
    """

    min: Number | None = None
    max: Number | None = None
    mean: Number | None = None
    norm: Number | None = None
    nan: int | None = None
    inf: int | None = None
    zero: int | None = None
    neg_inf: int = 0


class TensorFacts(Struct, frozen=True, gc=False, omit_defaults=True):
    """Shape, type and numbers of a tensor at the moment it was seen.

    ``first`` holds the leading elements in row-major order (all of them if ``numel`` is at most
    the ``keep`` of the trace), ``last`` the final one. Both are empty when only the shape could be
    read, for instance from a graph that existed before the trace. ``version`` is torch's counter
    of in-place changes.
    """

    shape: tuple[int, ...]
    dtype: str
    device: str = "cpu"
    layout: str = "strided"
    requires_grad: bool = False
    is_leaf: bool = False
    version: int = 0
    first: tuple[Number, ...] = ()
    last: Number | None = None
    stats: Stats | None = None

    @property
    def numel(self) -> int:
        """Number of elements: the product of ``shape``, 1 for a scalar."""
        total = 1
        for extent in self.shape:
            total *= extent
        return total

    def index(self, position: int) -> tuple[int, ...]:
        """Where the element at ``position`` in row-major order stands: one number for each dimension."""
        index: list[int] = []
        for extent in reversed(self.shape):
            position, inside = divmod(position, extent)
            index.append(inside)
        return tuple(reversed(index))

    @property
    def has_values(self) -> bool:
        """Whether any element is known (a tensor with no elements has nothing to know)."""
        return bool(self.first) or self.numel == 0
