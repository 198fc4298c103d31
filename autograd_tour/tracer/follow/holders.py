"""Where the surroundings of a program hold tensors and what is made of them: models, optimizers and the like.

A program may bind these anew (``global w``, ``holder.w = ...``, ``params[0] = ...``).
"""

from __future__ import annotations

import inspect
import sys
from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator
from functools import partial
from types import CellType, FunctionType, MethodType
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from autograd_tour.tracer.listen.names import function_of
from autograd_tour.tracer.listen.owned import FIELDS_OF_MODULES
from autograd_tour.tracer.listen.paths import fields_of, is_leaf

__all__ = ["Holders"]

DEEP = 7
"""So many steps lead from the program or a variable of its module to what is looked for, at most."""

MOST = 4_000
"""Holders that are looked into; the nearest come first."""

MANY = 1_000
"""Items of a collection that are looked at."""

_WANTED = (Tensor, nn.Module, Optimizer, LRScheduler, torch.amp.GradScaler)
_COLLECTIONS = (list, deque, dict)
_FIXED = (tuple, FunctionType, MethodType, partial)
"""They lead on, and cannot be changed themselves."""
_NUMBERS = (int, float, complex, bool, str, type(None))
_OF_PYTHON = 1 << 9
"""The flag of a class that Python code made: ``Py_TPFLAGS_HEAPTYPE``."""


class _Noted(NamedTuple):
    """``places`` are what is put back of the ``items`` of ``holder``; ``whole``: it holds no others then."""

    holder: Any
    places: dict[Any, Any]
    items: dict[Any, Any]
    whole: bool


class Holders:
    """What ``program``, called with ``args``, can reach, as it is now.

    No code of what is looked into is run.
    """

    def __init__(self, program: object, args: Iterable[object] = ()) -> None:
        self.tensors: list[Tensor] = []
        self.generators: list[torch.Generator] = []
        holders: list[tuple[Any, list[tuple[Any, Any]]]] = []
        own = inspect.unwrap(program) if callable(program) else program
        spaces = list(_spaces(own))
        home = spaces[0].get("__name__") if spaces else None
        pending = [(space, 0) for space in [*spaces, own, tuple(args)]]
        seen = {id(holder) for holder, _ in pending}
        for holder, depth in pending:  # which grows meanwhile
            items = list(_items(holder, home, MANY if depth else sys.maxsize))
            if any(holder is space for space in spaces):
                items = [(name, value) for name, value in items if name[:2] != "__"]
            holders.append((holder, items))
            for _, value in items:
                if type(value) is torch.Generator:
                    self.generators.append(value)
                if id(value) not in seen and depth < DEEP and len(pending) < MOST and _may_hold(value):
                    seen.add(id(value))
                    pending.append((value, depth + 1))
        self._noted: list[_Noted] = []
        leading: set[int] = set()
        for holder, items in reversed(holders):
            places = {key: value for key, value in items if _is_wanted(value) or id(value) in leading}
            self.tensors += [value for value in places.values() if issubclass(type(value), Tensor)]
            if places or issubclass(type(holder), nn.Module):
                if _has_attributes(holder):
                    places |= {key: value for key, value in items if type(value) in _NUMBERS}
                leading.add(id(holder))
                if not issubclass(type(holder), _FIXED):
                    whole = issubclass(type(holder), _COLLECTIONS) and any(
                        _is_trained(item) for _, item in items
                    )
                    whole = whole and all(holder is not space for space in spaces)
                    self._noted.append(_Noted(holder, dict(items) if whole else places, dict(items), whole))

    def restore(self) -> None:
        """What led to tensors does so again, and a collection with leaves has no others.

        Numbers in attributes of the objects on the way are those of before. Anything else stays as it is now.
        """
        for holder, places, items, whole in self._noted:
            present = dict(_items(holder))
            changed = {key: value for key, value in places.items() if present.get(key, places) is not value}
            if whole:
                if changed or len(present) > len(places):
                    _clear(holder)
                    _fill(holder, items)
            elif changed and issubclass(type(holder), (list, deque)):
                rest = list(present.values())[len(items) :]
                _clear(holder)
                _fill(holder, {**items, **dict(enumerate(rest, len(items)))})
            else:
                for key, value in changed.items():
                    _put(holder, key, value)


def _has_attributes(holder: Any) -> bool:
    """Whether it is a module or another object, in which a count stands beside what is counted."""
    return not issubclass(type(holder), (*_COLLECTIONS, *_FIXED, CellType, type))


def _is_wanted(value: Any) -> bool:
    return issubclass(type(value), _WANTED)


def _is_trained(value: Any) -> bool:
    return is_leaf(value) and bool(value.requires_grad)


def _may_hold(value: Any) -> bool:
    kind = type(value)
    return issubclass(kind, nn.Module) or not issubclass(kind, (*_WANTED, str, bytes, int, float, complex))


def _spaces(program: Any) -> Iterator[dict[str, Any]]:
    """The variables of the module that holds the program's code."""
    name = "forward" if isinstance(program, nn.Module) else "__call__"
    function = function_of(program) or function_of(getattr(type(program), name, None))
    if function is not None:
        yield inspect.unwrap(function).__globals__


def _items(holder: Any, home: str | None = None, most: int = sys.maxsize) -> Iterator[tuple[Any, Any]]:
    """What ``holder`` holds, by index, key or name.

    Nothing of a collection of more than ``most``, or of a class that is not of the module ``home``.
    """
    kind = type(holder)
    if kind is CellType:
        try:
            yield 0, holder.cell_contents
        except ValueError:  # not assigned
            return
    elif issubclass(kind, (list, deque, tuple)):
        sequence = next(base for base in (list, deque, tuple) if issubclass(kind, base))
        if sequence.__len__(holder) <= most:
            yield from enumerate(list(sequence.__iter__(holder)))
    elif issubclass(kind, dict):
        if dict.__len__(holder) <= most:
            yield from list(_kind(holder).items(holder))
    elif kind is FunctionType:
        yield from enumerate((*(holder.__closure__ or ()), holder.__defaults__, holder.__kwdefaults__))
    elif kind is MethodType:
        yield from enumerate((holder.__self__, holder.__func__))
    elif kind is partial:
        yield from enumerate((holder.func, holder.args, holder.keywords))
    elif issubclass(kind, nn.Module):
        fields = vars(holder)
        yield from ((name, value) for name, value in list(fields.items()) if name not in FIELDS_OF_MODULES)
        yield from (((name,), value) for name, value in list(fields.get("_modules", {}).items()))
    elif issubclass(kind, type):
        if home in (None, vars(holder).get("__module__")):
            yield from ((name, value) for name, value in list(vars(holder).items()) if name[:2] != "__")
    else:
        yield from list((fields_of(holder) or {}).items())
        yield from _slots(holder)


def _slots(holder: Any) -> Iterator[tuple[str, Any]]:
    for kind in type(holder).__mro__:
        for name, slot in list(vars(kind).items()):
            if inspect.ismemberdescriptor(slot) and kind.__flags__ & _OF_PYTHON:
                try:
                    yield name, slot.__get__(holder)
                except AttributeError:  # not assigned
                    continue


def _kind(collection: Any) -> Any:
    """The class whose methods change it, whatever its own class does."""
    return next(kind for kind in (list, deque, OrderedDict, dict) if issubclass(type(collection), kind))


def _clear(collection: Any) -> None:
    _kind(collection).clear(collection)


def _fill(collection: Any, items: dict[Any, Any]) -> None:
    if issubclass(type(collection), dict):
        _kind(collection).update(collection, items)
    else:
        _kind(collection).extend(collection, items.values())


def _put(holder: Any, key: Any, value: Any) -> None:
    kind = type(holder)
    if kind is CellType:
        holder.cell_contents = value
    elif issubclass(kind, dict):
        _kind(holder).__setitem__(holder, key, value)
    elif issubclass(kind, type):
        type.__setattr__(holder, key, value)
    elif issubclass(kind, nn.Module):
        if type(key) is str:  # else it is a part of the module, which is put back elsewhere
            vars(holder)[key] = value
    else:
        slots = [vars(base)[key] for base in kind.__mro__ if inspect.ismemberdescriptor(vars(base).get(key))]
        if slots:
            slots[0].__set__(holder, value)
        else:
            object.__getattribute__(holder, "__dict__")[key] = value
