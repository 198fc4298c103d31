"""Argument names and derivative formulas of backward nodes, from the name of the ``grad_fn`` alone.

They are torch's own, kept in ``formulas.json``; torch itself is not needed to look them up.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from importlib import resources
from typing import TypedDict, cast

__all__ = ["argument_names", "formulas", "torch_version"]


class _Entry(TypedDict, total=False):
    args: list[str]
    formulas: list[str]
    lists: list[int]


class _Table(TypedDict):
    torch: str
    nodes: dict[str, _Entry]


@cache
def _table() -> _Table:
    file = resources.files("autograd_tour.rules") / "formulas.json"
    return cast("_Table", json.loads(file.read_text(encoding="utf-8")))


def torch_version() -> str:
    """The torch release whose formulas these are."""
    return _table()["torch"]


def argument_names(grad_fn: str, slots: int) -> tuple[str, ...]:
    """The argument name for each entry of ``next_functions``; ``()`` if unknown.

    A list argument takes several slots: ``tensors[0]``, ``tensors[1]``.
    """
    return tuple(
        name if position is None else f"{name}[{position}]" for name, position, _ in _expanded(grad_fn, slots)
    )


def formulas(grad_fn: str, slots: int) -> tuple[str, ...]:
    """The derivative formula of torch for each entry of ``next_functions``; ``""`` where unknown."""
    return tuple(formula for _, _, formula in _expanded(grad_fn, slots)) or ("",) * slots


def _short(grad_fn: str) -> str:
    return grad_fn.rpartition("::")[2]


def _expanded(grad_fn: str, slots: int) -> Iterator[tuple[str, int | None, str]]:
    """(argument, position in its list, formula) for each slot; nothing if the count cannot be right."""
    entry = _table()["nodes"].get(_short(grad_fn))
    if entry is None:
        return
    arguments, lists = entry["args"], entry.get("lists", [])
    in_lists = slots - (len(arguments) - len(lists))
    # Several lists in one node are of the same length: the foreach family.
    length, left_over = divmod(in_lists, len(lists)) if lists else (0, in_lists)
    if left_over or length < 0:
        return
    for index, (name, formula) in enumerate(zip(arguments, entry["formulas"], strict=True)):
        for position in range(length) if index in lists else (None,):
            yield name, position, formula
