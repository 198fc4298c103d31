"""Where the surroundings of a program hold leaves: variables of its module and closure, and what these hold.

A program may bind these anew (``global w``, ``holder.w = ...``, ``params[0] = ...``).
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from functools import partial
from types import CellType
from typing import Any

from torch import Tensor, nn

from autograd_tour.tracer.listen.names import function_of
from autograd_tour.tracer.listen.paths import MANY, fields_of, is_leaf

__all__ = ["Holders"]

DEEP = 3
"""So many steps lead from a variable to a leaf at most: ``net.layers[0]['w']``."""


class Holders:
    """What holds leaves that ``program`` can reach, or what holds them, as it is now."""

    def __init__(self, program: object) -> None:
        self._noted: dict[int, tuple[Any, dict[Any, Any], list[Any]]] = {}
        self.leaves: list[Tensor] = []
        own = inspect.unwrap(program) if callable(program) else program
        function = function_of(own)
        spaces = [] if function is None else [function.__globals__, *(function.__closure__ or ())]
        for space in spaces:
            self._note(space, DEEP)
        for value in (own, getattr(own, "__self__", None)):
            if (fields := _fields(value)) is not None:
                self._note(fields, DEEP - 1)

    def _note(self, holder: Any, further: int) -> bool:
        """Whether ``holder`` leads to a leaf; then it is noted where."""
        if id(holder) in self._noted:
            return bool(self._noted[id(holder)][1])
        places: dict[Any, Any] = {}
        self._noted[id(holder)] = holder, places, list(holder) if type(holder) is list else []
        items = _items(holder)
        places.update((key, value) for key, value in items if self._leads(value, further))
        return bool(places)

    def _leads(self, value: Any, further: int) -> bool:
        if is_leaf(value):
            if value.requires_grad:
                self.leaves.append(value)
            return bool(value.requires_grad)
        if not further:
            return False
        if type(value) is tuple and len(value) <= MANY:
            return True in list(map(partial(self._leads, further=further - 1), value))  # all are noted
        holder = value if type(value) in (dict, list) and len(value) <= MANY else _fields(value)
        return holder is not None and self._note(holder, further - 1)

    def restore(self) -> None:
        """All that led to leaves is where it was; anything else stays as it is now."""
        for holder, places, items in self._noted.values():
            present = dict(_items(holder))
            if all(key in present and present[key] is value for key, value in places.items()):
                continue
            if type(holder) is CellType:
                (holder.cell_contents,) = places.values()
            elif type(holder) is list:
                holder[:] = items
            else:
                holder.update(places)


def _items(holder: Any) -> Iterator[tuple[Any, Any]]:
    if type(holder) is CellType:
        try:
            yield 0, holder.cell_contents
        except ValueError:  # not assigned
            return
    else:
        yield from enumerate(holder) if type(holder) is list else list(holder.items())


def _fields(value: Any) -> dict[str, Any] | None:
    """What a plain object or a module has beside its parameters, which are put back elsewhere."""
    if issubclass(type(value), nn.Module) and not issubclass(type(value), Tensor):
        fields = vars(value)
        return fields if type(fields) is dict else None
    return fields_of(value)
