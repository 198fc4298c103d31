"""Parts by module: the operations of a module are one part, equal neighbours like ``h.0``, ``h.1`` too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from autograd_tour.record.graph import Graph
from autograd_tour.record.node import Node
from autograd_tour.views.contract import Title
from autograd_tour.views.quotient import Pair, on_loops, split_loops

__all__ = ["MOST_LEVELS", "Modules", "paths_around"]

Parts = tuple[dict[str, str], dict[str, Title]]

MOST_LEVELS = 64
"""Modules inside each other that are told apart; a picture of each level of more would take minutes."""


def paths_around(path: str) -> list[str]:
    """The paths that ``path`` lies in, outermost first; of hundreds, which no program has, not all."""
    words = path.split(".", 4 * MOST_LEVELS)
    return [".".join(words[:i]) for i in range(1, len(words))]


class Modules:
    """The module tree of a graph, and the parts it makes at a depth."""

    def __init__(self, graph: Graph, pairs: list[Pair], *, rows: bool = True) -> None:
        self.rows = rows
        self.types = {group.path: group.type for group in graph.groups}
        self.pairs = pairs
        self.order = [node.id for node in graph.nodes]
        self.home = _homes(graph, pairs)
        self.cuts = {node.id for node in graph.nodes if node.kind == "constant"}
        self.members = [node for node in graph.nodes if self.home.get(node.id)]
        self.chains = {path: self._chain(path) for path in dict.fromkeys(self.home.values())}

    @property
    def deepest(self) -> int:
        """Levels of modules; 0 if the program has none."""
        return max(map(len, self.chains.values()), default=0)

    def _chain(self, path: str) -> list[str]:
        """The modules around ``path``, outermost first, and ``path``: at most :data:`MOST_LEVELS`.

        Containers that are never called do not count.
        """
        above = paths_around(path)
        called_modules = [prefix for prefix in above if prefix in self.types] if self.types else above
        return [*called_modules[: MOST_LEVELS - 1], path]

    def parts(self, depth: int) -> Parts:
        """Node -> part, and the title of each part, with modules folded at ``depth`` levels."""
        inside: dict[str, list[Node]] = {}
        for node in self.members:
            inside.setdefault(self.chains[self.home[node.id]][:depth][-1], []).append(node)
        row_of = self._rows(inside) if self.rows else {}
        if row_of:
            # A row with something between its members would stand on a loop: its members stay apart.
            rowed = {n.id: row_of.get(path, path) for path, members in inside.items() for n in members}
            looped = on_loops((rowed.get(a, a), rowed.get(b, b)) for a, b in self.pairs)
            row_of = {path: row for path, row in row_of.items() if row not in looped}
        parts = {node.id: row_of.get(path, path) for path, members in inside.items() for node in members}
        alone = [path for path in inside if path not in row_of]
        titles = {path: Title(self.types.get(path, "") or path, path) for path in alone}
        lengths: dict[str, int] = {}
        first: dict[str, str] = {}
        for path, row in row_of.items():
            lengths[row] = lengths.get(row, 0) + 1
            first.setdefault(row, path)
        for row, length in lengths.items():
            titles[row] = Title(f"{self.types.get(first[row], '') or 'block'} × {length}", row)
        return self._called_twice(parts, titles)

    def _rows(self, inside: Mapping[str, list[Node]]) -> dict[str, str]:
        """Path -> row, for neighbours ``h.0``, ``h.1``, … of one class that did the same operations."""
        numbered: dict[str, list[tuple[int, str]]] = {}
        for path in inside:
            parent, _, last = path.rpartition(".")
            if last.isdecimal() and last.isascii():
                numbered.setdefault(parent, []).append((int(last), path))
        rows: dict[str, str] = {}
        for row in numbered.values():
            row.sort()
            run = [row[0]]
            for item in row[1:]:
                if item[0] != run[-1][0] + 1 or not self._alike(inside, run[-1][1], item[1]):
                    rows |= _named(run)
                    run = []
                run.append(item)
            rows |= _named(run)
        return rows

    def _alike(self, inside: Mapping[str, list[Node]], a: str, b: str) -> bool:
        same = self.types.get(a) == self.types.get(b) and len(inside[a]) == len(inside[b])
        return same and sorted(n.grad_fn for n in inside[a]) == sorted(n.grad_fn for n in inside[b])

    def _called_twice(self, parts: dict[str, str], titles: dict[str, Title]) -> Parts:
        split = split_loops(self.order, self.pairs, parts)
        members: dict[tuple[str, int], list[str]] = {}
        for node in self.members:
            members.setdefault(split[node.id], []).append(node.id)
        pieces: dict[str, list[int]] = {}
        for part, number in sorted(members):
            pieces.setdefault(part, []).append(number)
        final: dict[str, str] = {}
        names: dict[str, Title] = {}
        for (part, number), nodes in members.items():
            if sum(node not in self.cuts for node in nodes) < 2:
                continue  # one operation says more than a card around it
            several = len(pieces[part])
            alike = len({len(members[part, n]) for n in pieces[part]}) == 1
            name = f"{part}#{number}" if several > 1 else part
            title = titles[part]
            if several > 1:
                word = "call" if alike else "part"
                title = replace(title, notes=(f"{word} {pieces[part].index(number) + 1} of {several}",))
            names[name] = title
            final |= dict.fromkeys(nodes, name)
        return final, names


def _homes(graph: Graph, pairs: list[Pair]) -> dict[str, str]:
    """Node -> module path. A constant that was computed belongs to the module that computed it."""
    home = {node.id: node.group for node in graph.nodes if node.kind in ("operation", "group") and node.group}
    constants = {node.id for node in graph.nodes if node.kind == "constant"}
    for maker, user in pairs:
        if user in constants and maker in home:
            home[user] = home[maker]
    return home


def _named(run: list[tuple[int, str]]) -> dict[str, str]:
    if len(run) < 2:
        return {}
    name = f"{run[0][1]} … {run[-1][0]}"
    return {path: name for _, path in run}
