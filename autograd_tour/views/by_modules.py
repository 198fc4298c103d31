"""Parts by module and function: what one call of either did, equal neighbours like ``h.0``, ``h.1`` too."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace

from autograd_tour.record.graph import Graph, Scope
from autograd_tour.record.node import Node
from autograd_tour.views.extents import extents, kernel
from autograd_tour.views.homes import Title
from autograd_tour.views.quotient import Pair, on_loops, split_loops
from autograd_tour.views.units import Home, Units
from autograd_tour.views.wording import tensor_text

__all__ = ["Modules"]

Parts = tuple[dict[str, str], dict[str, Title]]

FEWEST_CALLS = 3
"""So many calls of a function in a row are one card."""

BLOCK = 3
"""Equal neighbours of so many operations or more are blocks, which fold as such."""


class Modules:
    """The units of a graph inside each other, and the parts they make at a depth.

    ``opened`` units are never folded, and what is in them only deeper down. Those ``apart`` are in no row.
    """

    def __init__(
        self,
        graph: Graph,
        pairs: list[Pair],
        *,
        rows: bool = True,
        opened: Collection[str] = (),
        apart: Collection[str] = (),
    ) -> None:
        self.rows = rows
        self.units = Units(graph)
        self.pairs = pairs
        self.order = [node.id for node in graph.nodes]
        self.cuts = {node.id for node in graph.nodes if node.kind == "constant"}
        self.opened, self.apart = set(opened), {*opened, *apart}
        self.home = _homes(graph, pairs)
        self.chains = {home: self.units.chain(home) for home in dict.fromkeys(self.home.values())}
        self.cards = {node.id for node in graph.nodes if node.kind == "group"}
        self.nodes = graph.by_id()
        self.members = [node for node in graph.nodes if self.chains.get(self.home.get(node.id, ("", None)))]
        self.users: dict[str, list[str]] = {}
        for maker, user in pairs:
            self.users.setdefault(maker, []).append(user)
        self.parameters = _parameters(graph, self.users)

    @property
    def deepest(self) -> int:
        """Levels of modules and functions; 0 if the program has none."""
        return max(map(len, self.chains.values()), default=0)

    def parts(self, depth: int, *, blocks: bool = False) -> Parts:
        """Node -> part, and the title of each part, with units folded at ``depth`` levels.

        With ``blocks`` equal neighbours of several operations are folded where they are met, also higher up.
        """
        locked: set[str] = set()
        for level in range(1, depth if blocks else 1):
            inside = self._inside(level, locked)
            large = {unit for unit, nodes in inside.items() if self._operations(nodes) >= BLOCK}
            blocks_here = self._straight_rows(inside).keys() & large
            # One that differs from its neighbours is no less a block.
            families = {self._neighbours(unit) for unit in blocks_here}
            locked |= {unit for unit in large if self._neighbours(unit) in families}
        inside = self._inside(depth, locked)
        row_of = self._straight_rows(inside)
        parts = {node.id: row_of.get(unit, unit) for unit, nodes in inside.items() for node in nodes}
        titles = {unit: self._title(unit, nodes) for unit, nodes in inside.items() if unit not in row_of}
        rows: dict[str, list[str]] = {}
        for unit, row in row_of.items():
            rows.setdefault(row, []).append(unit)
        titles |= {row: self._row(row, units, inside) for row, units in rows.items()}
        return self._called_twice(parts, titles)

    def _inside(self, depth: int, locked: Collection[str]) -> dict[str, list[Node]]:
        """Unit -> its nodes, with units folded at ``depth`` levels, and the ``locked`` ones above that."""
        unit_of: dict[Home, str] = {}
        for home, chain in self.chains.items():
            opened = max((i for i, unit in enumerate(chain) if unit in self.opened), default=-1)
            level = max(depth, opened + 2)
            folded = next((unit for unit in chain[opened + 1 : level] if unit in locked), "")
            unit = folded or (chain[:level][-1] if chain else "")
            unit_of[home] = "" if unit in self.opened else unit
        inside: dict[str, list[Node]] = {}
        for node in self.members:
            if unit := unit_of[self.home[node.id]]:
                inside.setdefault(unit, []).append(node)
        return inside

    def _neighbours(self, unit: str) -> object:
        """What units of one kind that are numbered parts of the same have in common."""
        position = self.units.position(unit)
        return (position[0] if position is not None else unit, self.units.kind(unit))

    # ---- rows -----------------------------------------------------------------------------

    def _straight_rows(self, inside: Mapping[str, list[Node]]) -> dict[str, str]:
        """Unit -> row. One with something between its members would stand on a loop: they stay apart.

        A module around a row may work before and after it: such a one becomes two cards anyway.
        """
        row_of = self._rows(inside) if self.rows else {}
        if row_of:
            rowed = {node.id: row for unit, row in row_of.items() for node in inside[unit]}
            looped = on_loops((rowed.get(a, a), rowed.get(b, b)) for a, b in self.pairs)
            row_of = {unit: row for unit, row in row_of.items() if row not in looped}
        return row_of

    def _rows(self, inside: Mapping[str, list[Node]]) -> dict[str, str]:
        """Unit -> row, for neighbours ``h.0``, ``h.1``, … of one kind that did the same operations."""
        numbered: dict[object, list[tuple[int, str]]] = {}
        for unit in inside:
            position = self.units.position(unit)
            if position is not None and unit not in self.apart:
                numbered.setdefault(position[0], []).append((position[1], unit))
        rows: dict[str, str] = {}
        follows = self._follows(inside)
        for row in numbered.values():
            row.sort()
            run = [row[0]]
            for item in row[1:]:
                goes_on = item[0] == run[-1][0] + 1 and (
                    _is_position(item[1]) or self._repeats(run[-1][1], item[1], follows)
                )
                if not goes_on or not self._alike(inside, run[-1][1], item[1]):
                    rows |= self._named(run)
                    run = []
                run.append(item)
            rows |= self._named(run)
        return rows

    def _follows(self, inside: Mapping[str, list[Node]]) -> set[Pair]:
        """(unit, another that uses what it made)."""
        unit_of = {node.id: unit for unit, nodes in inside.items() for node in nodes}
        return {(unit_of[a], unit_of[b]) for a, b in self.pairs if a in unit_of and b in unit_of}

    def _repeats(self, a: str, b: str, follows: Collection[Pair]) -> bool:
        """Whether ``layer2`` goes on from ``layer1`` with parameters of the same names and shapes.

        What has a name of its own is no mere turn of a list: a stage with other widths stays a card.
        """
        return (a, b) in follows and self._shapes(a) == self._shapes(b)

    def _shapes(self, path: str) -> list[tuple[str, tuple[int, ...]]]:
        """The parameters below ``path``."""
        return sorted(
            (leaf.name.removeprefix(path), leaf.value.shape if leaf.value is not None else ())
            for group, leaves in self.parameters.items()
            if group == path or group.startswith(f"{path}.")
            for leaf, _ in leaves
        )

    def _named(self, run: list[tuple[int, str]]) -> dict[str, str]:
        """The units of ``run`` as a row; two calls of a function may have nothing to do with each other."""
        if len(run) < (2 if self.units.of_module(run[0][1]) else FEWEST_CALLS):
            return {}
        name = f"{run[0][1]} … {run[-1][0]}"
        return {unit: name for _, unit in run}

    def _alike(self, inside: Mapping[str, list[Node]], a: str, b: str) -> bool:
        first, second = (
            Counter(node.grad_fn for node in inside[unit] if node.id not in self.cuts) for unit in (a, b)
        )
        if self.units.kind(a) != self.units.kind(b):
            return False
        if self.units.scope(a) is None:
            return first == second
        return first <= second or second <= first  # a call that is given a constant makes fewer nodes

    # ---- titles ---------------------------------------------------------------------------

    def _title(self, unit: str, nodes: list[Node]) -> Title:
        title, path, scope = self.units.title(unit), self.units.of_module(unit), self.units.scope(unit)
        if not path:
            return Title(title, units=(unit,))
        operations = [node for node in nodes if node.id not in self.cuts]
        ids = {node.id for node in operations}
        own = [leaf for leaf, users in self.parameters.get(path, ()) if users & ids]
        layer = kernel(operations, own)
        size = extents(operations, own)
        number, count = (0, 0) if scope is None else self.units.turn(scope)
        notes = () if scope is None else (f"call {number} of {count}",)
        units = tuple(dict.fromkeys((unit, path)))
        return Title(title + size, path, notes, units=units, layer=(layer,) if layer else ())

    def _calls(self, scope: Scope) -> int:
        """How often what ``scope`` is a call of was called there."""
        return self.units.calls[scope.function, scope.outer, scope.group]

    def _row(self, row: str, units: list[str], inside: Mapping[str, list[Node]]) -> Title:
        title = f"{self.units.kind(units[0])} × {len(units)}"
        scopes = [scope for unit in (units[0], units[-1]) if (scope := self.units.scope(unit)) is not None]
        if not scopes:
            times = len(self._calls_around(units[0], [node.id for node in inside[units[0]]]))
            often = (f"each was called {times} times",) if times > 1 else ()
            return Title(title, row, often, units=tuple(units))
        whole, module = len(units) == self._calls(scopes[0]), self.units.of_module(units[0])
        if module:
            own = {node.id: node for node in inside[units[0]]}
            if whole:
                return Title(title, module, tuple(self._first(own)), units=(*units, module))
            number = scopes[0].number + 1
            notes = (f"calls {number} to {scopes[1].number + 1}", *self._first(own, f"call {number}"))
            return Title(title, module, notes, units=(*units, module))
        notes = () if whole else (f"calls {scopes[0].number} to {scopes[1].number}",)
        return Title(title, notes=notes, units=tuple(units), results=self._carried(units, inside))

    def _first(self, own: Mapping[str, Node], call: str = "the first call") -> Iterator[str]:
        """What the first ``call`` of several, which made ``own``, gave; the card tells what the last gave."""
        for node in own.values():
            given = any(user not in own for user in self.users.get(node.id, ()))
            if given and len(node.values) == 1 and node.value is not None:
                yield f"from {call}: {tensor_text(node.value)}"

    def _carried(self, units: list[str], inside: Mapping[str, list[Node]]) -> tuple[str, ...]:
        """Of the last call in a row what every call hands to the next one: ``h`` and ``c``."""
        unit_of = {node.id: unit for unit in units for node in inside[unit]}
        crossing = {a for a, b in self.pairs if a in unit_of and unit_of.get(b, unit_of[a]) != unit_of[a]}
        signs = {_sign(node) for unit in units for node in inside[unit] if node.id in crossing}
        return tuple(node.id for node in inside[units[-1]] if _sign(node) in signs and node.name)

    def _calls_around(self, part: str, nodes: list[str]) -> list[dict[str, Node]]:
        """Those of ``nodes`` that the module ``part`` made in each call of what is around it, in order."""
        calls: dict[tuple[tuple[int, int], ...], dict[str, Node]] = {}
        for node in nodes if part in self.units.types else ():
            scope = self.home[node][1]
            if node not in self.cuts and (
                scope is not None or node not in self.cards
            ):  # a card has forgotten
                call = self.units.calls_around(part, scope)
                calls.setdefault(call, {})[node] = self.nodes[node]
        return [calls[call] for call in sorted(calls)]

    def _operations(self, nodes: list[Node]) -> int:
        return sum(node.id not in self.cuts for node in nodes)

    def _called_twice(self, parts: dict[str, str], titles: dict[str, Title]) -> Parts:
        split = split_loops(self.order, self.pairs, parts)
        members: dict[tuple[str, int], list[str]] = {}
        for node in self.members:
            if node.id in split:
                members.setdefault(split[node.id], []).append(node.id)
        pieces: dict[str, list[int]] = {}
        for part, number in sorted(members):
            pieces.setdefault(part, []).append(number)
        final: dict[str, str] = {}
        names: dict[str, Title] = {}
        for (part, number), nodes in members.items():
            title = titles[part]
            # Few operations of a function say more than a card around them; that of a module is the layer.
            operations = [node for node in nodes if node not in self.cuts]
            if len(operations) < (1 if title.group else BLOCK) or (
                len(operations) == 1 and operations[0] in self.cards  # which says all that there is to say
            ):
                continue
            several = len(pieces[part])
            alike = len({len(members[part, n]) for n in pieces[part]}) == 1
            name = f"{part}#{number}" if several > 1 else part
            calls = self._calls_around(part, nodes)
            if len(calls) > 1:
                kind, first = self.units.kind(part), tuple(self._first(calls[0]))
                title = replace(title, op=f"{kind} × {len(calls)}", notes=(*title.notes, *first))
            if several > 1:
                word = "call" if alike and self.units.scope(part) is None else "part"
                title = replace(
                    title, notes=(*title.notes, f"{word} {pieces[part].index(number) + 1} of {several}")
                )
            names[name] = title
            final |= dict.fromkeys(nodes, name)
        return final, names


def _homes(graph: Graph, pairs: list[Pair]) -> dict[str, Home]:
    """Node -> module and scope. A constant that was computed belongs where it was computed from."""
    operations = [node for node in graph.nodes if node.kind in ("operation", "group")]
    home: dict[str, Home] = {node.id: (node.group, node.scope) for node in operations}
    constants = {node.id for node in graph.nodes if node.kind == "constant"}
    for maker, user in pairs:
        if user in constants and maker in home:
            home[user] = home[maker]
    return home


def _parameters(graph: Graph, users: Mapping[str, list[str]]) -> dict[str, list[tuple[Node, set[str]]]]:
    """Module -> its own parameters, each with what uses it."""
    parameters: dict[str, list[tuple[Node, set[str]]]] = {}
    for node in graph.nodes:
        if node.kind == "leaf" and node.group:
            parameters.setdefault(node.group, []).append((node, set(users.get(node.id, ()))))
    return parameters


def _is_position(unit: str) -> bool:
    """Whether a unit is counted by what it is in, as ``h.3`` and the call of a function are."""
    last = unit.rpartition(".")[2]
    return last.isdecimal() or unit.startswith("()")


def _sign(node: Node) -> tuple[object, ...]:
    return node.grad_fn, node.where, node.op
