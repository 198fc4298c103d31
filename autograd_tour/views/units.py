"""What a program is made of: its modules, and the calls of its functions, one inside the other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from autograd_tour.record.graph import Graph, Scope

__all__ = ["MOST_LEVELS", "Home", "Units", "paths_around"]

MOST_LEVELS = 64
"""Modules inside each other that are told apart; a picture of each level of more would take minutes."""

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
        self._scope_of = {f"(){i}": scope for i, scope in enumerate(graph.scopes)}
        self._open = _frames_of_the_program(graph, self.calls)

    def scope(self, unit: str) -> Scope | None:
        """The scope that is a call of a function; ``None`` for a module."""
        return self._scope_of.get(unit)

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
        if scope is None:
            return self.types.get(unit, "") or unit
        several = self.calls[scope.function, scope.outer, scope.group] > 1
        return f"{scope.function}[{scope.number}]" if several else scope.function

    def kind(self, unit: str) -> str:
        """What equal units have in common: the class, or the function."""
        scope = self.scope(unit)
        return (self.types.get(unit, "") or "block") if scope is None else scope.function

    def position(self, unit: str) -> tuple[object, int] | None:
        """What a unit is a numbered part of, and its number: ``h`` and 3 for ``h.3``."""
        scope = self.scope(unit)
        if scope is not None:
            return (scope.function, scope.outer, scope.group), scope.number
        parent, _, last = unit.rpartition(".")
        return (parent, int(last)) if last.isdecimal() and last.isascii() else None

    def called(self, name: str, units: Iterable[str]) -> set[str]:
        """Those of ``units`` that a reader calls ``name``: a path, ``lstm_cell[2]`` or ``lstm_cell``."""
        chosen = set()
        for unit in units:
            scope = self.scope(unit)
            names = {unit} if scope is None else {scope.function, self.title(unit)}
            if name in names or (scope is not None and scope.group and name in _within(scope.group, names)):
                chosen.add(unit)
        return chosen


def _frames_of_the_program(graph: Graph, calls: Counter[tuple[str, int | None, str]]) -> set[int]:
    """The scopes that are no unit: in them modules are called, or, once, most of the program runs."""
    sizes: Counter[int] = Counter()
    frames: set[int] = set()
    for node in graph.nodes:
        number = node.scope if node.kind == "operation" else None
        while number is not None:
            scope = graph.scopes[number]
            sizes[number] += 1
            if node.group != scope.group and node.group:
                frames.add(number)
            number = scope.outer
    total = sum(node.kind == "operation" for node in graph.nodes)
    for number, size in sizes.items():
        scope = graph.scopes[number]
        if 2 * size > total and calls[scope.function, scope.outer, scope.group] == 1:
            frames.add(number)
    return frames


def _within(group: str, names: Iterable[str]) -> set[str]:
    return {f"{group}.{name}" for name in names}
