"""Which node of one graph is which node of another: by what it is, and by what is around it."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from itertools import islice

from autograd_tour.record.graph import Graph
from autograd_tour.record.node import Node

__all__ = ["matches"]

Slot = tuple[int, int]
Label = Callable[["_Side", Node], Hashable]
Keys = Mapping[str, Hashable]


def matches(a: Graph, b: Graph) -> dict[str, str]:
    """Id of a node of ``a`` -> id of the same node of ``b``; what has no partner is left out.

    Partners are, in this order: nodes with the same past and future, with the same past or the same
    future, neighbours of partners, nodes of one name. Last come operations in the same place that
    became others. Accumulators go with their leaves. The work grows with the number of edges.
    """
    pairs = _Pairs(_Side(a), _Side(b))
    for label in (_exact, _alike):
        table: dict[Hashable, int] = {}
        past = [side.hashes(label, table, forward=True) for side in pairs.sides]
        future = [side.hashes(label, table, forward=False) for side in pairs.sides]
        pairs.equal([{n: (p[n], f[n]) for n in p} for p, f in zip(past, future, strict=True)])
        pairs.outputs(label)
        pairs.equal([{n: p[n] for n in p if s.makers.get(n)} for s, p in zip(pairs.sides, past, strict=True)])
        pairs.equal(
            [{n: f[n] for n in f if s.users.get(n)} for s, f in zip(pairs.sides, future, strict=True)]
        )
        pairs.spread(label, by_slot=True)
    pairs.spread(_alike, by_slot=False)
    pairs.equal(
        [{n: _named(side, node) for n, node in side.nodes.items() if node.name} for side in pairs.sides]
    )
    pairs.spread(_alike, by_slot=False)
    pairs.replaced()
    return pairs.with_accumulators()


def _exact(side: _Side, node: Node) -> Hashable:
    line = side.graph.source[node.where].text if node.where is not None else ""
    return node.kind, node.grad_fn, node.name, node.group, line


def _alike(side: _Side, node: Node) -> Hashable:  # noqa: ARG001
    return node.kind, node.grad_fn, node.name if node.kind in ("leaf", "constant") else ""


def _named(side: _Side, node: Node) -> Hashable:  # noqa: ARG001
    return node.kind, node.name, node.grad_fn, node.group


@dataclass
class _Side:
    """A graph with its tables. Accumulators are left out: each belongs to a leaf."""

    graph: Graph
    nodes: dict[str, Node] = field(default_factory=dict)
    makers: dict[str, list[tuple[Slot, str]]] = field(default_factory=dict)
    users: dict[str, list[tuple[Slot, str]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.nodes = {node.id: node for node in self.graph.nodes if node.kind != "accumulate"}
        joined: set[tuple[str, str]] = set()
        for edge in self.graph.select("forward"):
            if edge.src in self.nodes and edge.dst in self.nodes:
                joined.add((edge.src, edge.dst))
                self._link(edge.src, edge.dst, edge.slot)
        for edge in self.graph.select("gradient"):  # a graph that was read later may have only these
            maker = self.graph.card_of(edge.dst)
            if edge.src in self.nodes and maker in self.nodes and (maker, edge.src) not in joined:
                self._link(maker, edge.src, (edge.slot[1], edge.slot[0]))

    def _link(self, maker: str, user: str, slot: Slot) -> None:
        self.makers.setdefault(user, []).append((slot, maker))
        self.users.setdefault(maker, []).append((slot, user))

    def hashes(self, label: Label, table: dict[Hashable, int], *, forward: bool) -> dict[str, int]:
        """A number for each node: the same for the same label and the same past (or future)."""
        result: dict[str, int] = {}
        around = self.makers if forward else self.users
        for name in self.nodes if forward else reversed(self.nodes):
            near = sorted((slot, result.get(other, -1)) for slot, other in around.get(name, ()))
            key = (forward, label(self, self.nodes[name]), tuple(near))
            result[name] = table.setdefault(key, len(table))
        return result


class _Pairs:
    def __init__(self, left: _Side, right: _Side) -> None:
        self.sides = (left, right)
        self.partners: dict[str, str] = {}
        self.taken: set[str] = set()

    def add(self, a: str, b: str) -> None:
        self.partners[a] = b
        self.taken.add(b)

    def equal(self, keys: list[dict[str, Hashable]]) -> None:
        """The first free node with a key on one side and the first on the other, the second ones, …"""
        free: dict[Hashable, list[str]] = {}
        for name in self.sides[1].nodes:
            if name not in self.taken and name in keys[1]:
                free.setdefault(keys[1][name], []).append(name)
        waiting = {key: iter(names) for key, names in free.items()}
        for name in self.sides[0].nodes:
            if name not in self.partners and name in keys[0]:
                partner = next(waiting.get(keys[0][name], iter(())), None)
                if partner is not None:
                    self.add(name, partner)

    def outputs(self, label: Label) -> None:
        """The first result of one side and the first of the other, if they have one label, and so on."""
        left, right = self.sides
        for (a, _), (b, _) in zip(left.graph.outputs, right.graph.outputs, strict=False):
            free = a in left.nodes and b in right.nodes and a not in self.partners and b not in self.taken
            if free and label(left, left.nodes[a]) == label(right, right.nodes[b]):
                self.add(a, b)

    def spread(self, label: Label, *, by_slot: bool) -> None:
        """Free neighbours of partners, in the same direction and of one label, become partners."""
        left, right = self.sides
        work = list(self.partners.items())
        while work:
            a, b = work.pop()
            for ours, theirs in ((left.makers, right.makers), (left.users, right.users)):
                free: dict[Hashable, list[str]] = {}
                for slot, name in theirs.get(b, ()):
                    if name not in self.taken:
                        key = (slot if by_slot else (), label(right, right.nodes[name]))
                        free.setdefault(key, []).append(name)
                for slot, name in ours.get(a, ()) if free else ():
                    if name in self.partners:
                        continue
                    options = free.get((slot if by_slot else (), label(left, left.nodes[name])), [])
                    partner = next((option for option in options if option not in self.taken), None)
                    if partner is not None:
                        self.add(name, partner)
                        work.append((name, partner))

    def replaced(self) -> None:
        """A free operation between the same neighbours as a free one of the other side."""
        left, right = self.sides
        free: dict[tuple[str, str], list[str]] = {}
        for name in right.nodes:
            if name not in self.taken:
                for neighbours in _neighbours(right, name, dict.fromkeys):
                    free.setdefault(neighbours, []).append(name)
        for name, node in left.nodes.items():
            if name in self.partners or not free:
                continue
            for neighbours in _neighbours(
                left, name, lambda names: [self.partners[n] for n in names if n in self.partners]
            ):
                options = (o for o in free.get(neighbours, ()) if o not in self.taken)
                partner = next((o for o in options if _comparable(right.nodes[o], node)), None)
                if partner is not None:
                    self.add(name, partner)
                    break

    def with_accumulators(self) -> dict[str, str]:
        left, right = (side.graph for side in self.sides)
        partners = dict(self.partners)
        for node in left.nodes:
            partner = right.accumulator_of(self.partners.get(left.leaf_of(node.id), ""))
            if partner:
                partners[node.id] = partner
        return partners


def _comparable(a: Node, b: Node) -> bool:
    kinds = {a.kind, b.kind}
    return kinds <= {"operation", "group"} or len(kinds) == 1


def _neighbours(side: _Side, name: str, translate: Callable[[list[str]], object]) -> list[tuple[str, str]]:
    """(maker, user) around a node, ``""`` where it has none, the first few of them."""
    makers = [other for _, other in islice(side.makers.get(name, ()), 8)]
    users = [other for _, other in islice(side.users.get(name, ()), 8)]
    before = list(translate(makers)) if makers else [""]  # type: ignore[call-overload]
    after = list(translate(users)) if users else [""]  # type: ignore[call-overload]
    if not makers and not users:
        return []
    return [(maker, user) for maker in before for user in after]
