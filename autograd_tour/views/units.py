"""What a program is made of: its modules, and the calls of its functions, one inside the other."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from autograd_tour.record.graph import Graph, Scope
from autograd_tour.views.homes import operations_in

__all__ = ["MOST_LEVELS", "Home", "Units", "paths_around"]

MOST_LEVELS = 64
"""Modules inside each other that are told apart; a picture of each level of more would take minutes."""

_NUMBERED = re.compile(r"(.*?)\.?([0-9]{1,9})", re.DOTALL)

Home = tuple[str, int | None]
"""The module and the scope that a node was made in."""


def paths_around(path: str) -> list[str]:
    """The paths that ``path`` lies in, outermost first; of hundreds, which no program has, not all."""
    words = path.split(".", 4 * MOST_LEVELS)
    return [".".join(words[:i]) for i in range(1, len(words))]


class Units:
    """The units of a graph: a module is called by its path, a call of a function ``()`` and its scope."""

    def __init__(self, graph: Graph) -> None:
        self.types = {group.path: group.type for group in graph.groups}
        self.scopes = graph.scopes
        self.calls = Counter((scope.function, scope.outer, scope.group) for scope in graph.scopes)
        self._turns: dict[str, list[Scope]] = {}
        for scope in graph.scopes:
            if not scope.function and self._in_functions(scope):
                self._turns.setdefault(scope.group, []).append(scope)
        self._scope_of = {f"(){i}": scope for i, scope in enumerate(graph.scopes)}
        self._open = _frames_of_the_program(graph, self.calls)

    def scope(self, unit: str) -> Scope | None:
        """The scope that is a call of a function, or one of several of a module; ``None`` for a module."""
        return self._scope_of.get(unit)

    @property
    def told_apart(self) -> tuple[str, ...]:
        """The units that are calls of a function, or one of several of a module."""
        return tuple(unit for number, unit in enumerate(self._scope_of) if number not in self._open)

    def of_module(self, unit: str) -> str:
        """The path of the module that a unit is, or is a call of; ``""`` for a call of a function."""
        scope = self.scope(unit)
        return unit if scope is None else "" if scope.function else scope.group

    def calls_around(self, path: str, number: int | None) -> tuple[tuple[int, int], ...]:
        """The calls that the module ``path`` ran in where scope ``number`` is its own or around it.

        Each is the number of the call and that of its scope, outermost first.
        """
        calls: list[tuple[int, int]] = []
        while number is not None:
            scope = self.scopes[number]
            if scope.group != path and not scope.group.startswith(f"{path}."):
                calls.append((scope.number, number))
            number = scope.outer
        return tuple(reversed(calls))

    def turn(self, scope: Scope) -> tuple[int, int]:
        """Which call of its module ``scope`` is, from 1, and of how many.

        All are counted, whichever call of a function they are in, as that may be a recursion; those inside
        another module are counted by its calls.
        """
        alike = self._turns.get(scope.group, ())
        if scope in alike:
            return alike.index(scope) + 1, len(alike)
        return scope.number + 1, self.calls[scope.function, scope.outer, scope.group]

    def _in_functions(self, scope: Scope) -> bool:
        """Whether only calls of functions are around ``scope``."""
        number = scope.outer
        while number is not None:
            if not self.scopes[number].function:
                return False
            number = self.scopes[number].outer
        return True

    def chain(self, home: Home) -> list[str]:
        """The units around ``home``, outermost first, at most :data:`MOST_LEVELS`.

        Containers that are never called do not count.
        """
        group, number = home
        modules = self._modules(group) if group else []
        scopes: list[tuple[str, Scope]] = []
        while number is not None:
            if number not in self._open:
                scopes.append((f"(){number}", self.scopes[number]))
            number = self.scopes[number].outer
        chain: list[str] = []
        rest = list(modules)
        for unit, scope in reversed(scopes):
            while rest and scope.group and (scope.group == rest[0] or scope.group.startswith(f"{rest[0]}.")):
                chain.append(rest.pop(0))
            if not scope.function and chain and chain[-1] == scope.group:
                chain.pop()  # this call of the module stands for it
            chain.append(unit)
        chain += rest
        return chain if len(chain) <= MOST_LEVELS else [*chain[: MOST_LEVELS - 1], chain[-1]]

    def _modules(self, path: str) -> list[str]:
        above = paths_around(path)
        called = [prefix for prefix in above if prefix in self.types] if self.types else above
        return [*called[: MOST_LEVELS - 1], path]

    def title(self, unit: str) -> str:
        """``Conv2d``, ``lstm_cell[2]``; a function that was called once has no number."""
        scope = self.scope(unit)
        if scope is None or not scope.function:
            module = self.of_module(unit)
            return self.types.get(module, "") or module
        several = self.calls[scope.function, scope.outer, scope.group] > 1
        return f"{scope.function}[{scope.number}]" if several else scope.function

    def kind(self, unit: str) -> str:
        """What equal units have in common: the class, or the function."""
        module = self.of_module(unit)
        scope = self.scope(unit)
        return (self.types.get(module, "") or "block") if module or scope is None else scope.function

    def name(self, unit: str) -> str:
        """What a reader opens it by: ``encoder.layers.3``, ``lstm_cell[2]``, its call ``block[2]``."""
        scope = self.scope(unit)
        if scope is None:
            return unit
        return self.title(unit) if scope.function else f"{scope.group}[{scope.number}]"

    def heading(self, unit: str) -> str:
        """What stands on a frame around it: ``block[2]  Block``; a function's has its name alone."""
        return f"{self.name(unit)}  {self.title(unit)}" if self.of_module(unit) else self.title(unit)

    def position(self, unit: str) -> tuple[object, int] | None:
        """What a unit is a numbered part of, and its number: ``h`` and 3 for ``h.3`` and ``h3``."""
        scope = self.scope(unit)
        if scope is not None:
            return (scope.function, scope.outer, scope.group), scope.number
        numbered = _NUMBERED.fullmatch(unit)
        return (numbered[1], int(numbered[2])) if numbered else None

    def called(self, name: str, units: Iterable[str]) -> set[str]:
        """Those of ``units`` that a reader calls ``name``: a path, ``lstm_cell[2]`` or ``lstm_cell``."""
        chosen = set()
        for unit in units:
            scope = self.scope(unit)
            names = {self.name(unit), self.of_module(unit) or (scope.function if scope is not None else unit)}
            within = scope is not None and scope.function and scope.group
            if name in names or (within and name in _within(within, names)):
                chosen.add(unit)
        return chosen


def _frames_of_the_program(graph: Graph, calls: Counter[tuple[str, int | None, str]]) -> set[int]:
    """The scopes that are no unit: in them modules are called, or, once, most of the program runs."""
    sizes: Counter[int] = Counter()
    frames: set[int] = set()
    for node in graph.nodes if graph.scopes else ():  # of a bare structure there may be a million
        operations = operations_in(node)
        number = node.scope if operations else None
        while number is not None:
            scope = graph.scopes[number]
            sizes[number] += operations
            if scope.function and node.group != scope.group and node.group:
                frames.add(number)
            number = scope.outer
    total = sum(map(operations_in, graph.nodes)) if sizes else 0
    for number, size in sizes.items():
        scope = graph.scopes[number]
        if 2 * size > total and calls[scope.function, scope.outer, scope.group] == 1:
            frames.add(number)
    return frames


def _within(group: str, names: Iterable[str]) -> set[str]:
    return {f"{group}.{name}" for name in names}
