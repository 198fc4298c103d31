"""Where every tensor of a program comes from, also past ``detach`` and ``no_grad``, where autograd stops."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from torch import Tensor

from autograd_tour.tracer.references import TensorRef

__all__ = ["MOST", "Origin", "Origins"]

MOST = 300_000
"""Calls that are noted; after so many nothing more is."""

_ONE_EACH = frozenset({"broadcast_tensors", "meshgrid"})
"""Functions that give a result for each tensor, which has no gradient where that tensor has none."""


@dataclass(slots=True)
class Origin:
    """One call that gave a tensor, or a tensor that was there before (``function`` is ``""``).

    ``parents`` are places in the list of all. ``needs``: the tensor requires a gradient; ``live``: it does,
    or was computed from one that does. ``grads``: gradients were on; ``off`` is the place that turned
    them off.
    ``start`` and ``stop`` number the nodes it made, ``backwards`` counts the backward calls before it.
    ``direct``: the program itself made the call, at its line. ``writes``: the tensor was changed in place;
    ``sampled``: a distribution that has ``rsample()`` drew it without gradients.
    """

    function: str
    spot: int
    parents: tuple[int, ...]
    needs: bool
    live: bool
    grads: bool = True
    inference: bool = False
    checkpointed: bool = False
    sampled: bool = False
    floating: bool = True
    off: int = -1
    start: int = 0
    stop: int = 0
    backwards: int = 0
    direct: bool = True
    writes: bool = False


class Origins:
    """All of them, in the order in which they came: parents before what was computed from them."""

    def __init__(self) -> None:
        self.items: list[Origin] = []
        self._of: dict[int, tuple[TensorRef, int]] = {}

    @property
    def full(self) -> bool:
        """Whether nothing more is noted."""
        return len(self.items) >= MOST

    def number(self, tensor: Tensor) -> int:
        """The place of ``tensor``; it gets one if it has none."""
        entry = self._of.get(id(tensor))
        needs = tensor.requires_grad
        if entry is not None and entry[0]() is tensor:
            origin = self.items[entry[1]]
            if origin.needs == needs or (origin.function and needs):
                return entry[1]
        return self.add(tensor, Origin("", -1, (), needs, needs))

    def known(self, tensor: Tensor) -> bool:
        """Whether ``tensor`` has come by."""
        entry = self._of.get(id(tensor))
        return entry is not None and entry[0]() is tensor

    def add(self, tensor: Tensor | None, origin: Origin) -> int:
        """Note ``origin``, as that of ``tensor`` from now on."""
        self.items.append(origin)
        if tensor is not None:
            self._of[id(tensor)] = (TensorRef(tensor), len(self.items) - 1)
        return len(self.items) - 1

    def ancestors(self, roots: Iterable[int]) -> set[int]:
        """``roots`` and all that they were computed from."""
        reached = set(roots)
        pending = list(reached)
        while pending:
            for parent in self.items[pending.pop()].parents:
                if parent not in reached:
                    reached.add(parent)
                    pending.append(parent)
        return reached

    def descendants(self, number: int) -> set[int]:
        """``number`` and all that was computed from it."""
        reached = {number}
        for later in range(number + 1, len(self.items)):
            if any(parent in reached for parent in self.items[later].parents):
                reached.add(later)
        return reached

    def cuts(self, among: Iterable[int]) -> Iterator[int]:
        """Those of ``among`` that need no gradient although one of their parents does."""
        for number in sorted(among):
            origin = self.items[number]
            if origin.function in _ONE_EACH:
                continue
            if not origin.needs and any(self.items[parent].needs for parent in origin.parents):
                yield number

    def maker(self, node: int) -> Origin | None:
        """The call that made the graph node with this number; the innermost, which came first."""
        return next((item for item in self.items if item.start <= node < item.stop), None)
