"""Cards that stand for several nodes: what they are called, what is in them, and where nodes have gone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from autograd_tour.record.facts import TensorFacts
from autograd_tour.record.node import Node

__all__ = ["Card", "Homes", "Tensor", "Title", "operations_in"]

Tensor = tuple[str, int]
"""The node that made a tensor (for a leaf: the leaf) and the output slot."""


@dataclass(frozen=True)
class Title:
    """How a card is called: what stands large on it, its module path, and remarks.

    ``units`` are the calls of modules or functions that it stands for, as
    :class:`~autograd_tour.views.units.Units` calls them, ``layer`` says what kind of layer, ``results`` are
    nodes inside whose first output is told on its border although nothing uses it outside.
    ``call`` is set for a card that is one call of the program: the node that has its line, its expression and
    the function called; a module's has no function. ``whole``: it is all of a call of a torch function.
    """

    op: str
    group: str = ""
    notes: tuple[str, ...] = ()
    call: Node | None = None
    units: tuple[str, ...] = ()
    layer: tuple[str, ...] = ()
    results: tuple[str, ...] = ()
    whole: bool = False


@dataclass
class Card:
    """What goes into one card, and the tensors that cross its border, with what came and went there."""

    id: str
    title: Title
    members: list[Node] = field(default_factory=list)
    outs: dict[Tensor, int] = field(default_factory=dict)
    ins: dict[Tensor, int] = field(default_factory=dict)
    inputs: dict[Tensor, None] = field(default_factory=dict)
    sent: dict[Tensor, list[TensorFacts | None]] = field(default_factory=dict)
    received: dict[Tensor, list[TensorFacts | None]] = field(default_factory=dict)


def operations_in(node: Node) -> int:
    """How many operations of the program a node stands for."""
    return node.folded if node.kind == "group" else int(node.kind == "operation")


@dataclass
class Homes:
    """Where the nodes of the first graph have gone: node -> the card it is folded into; titles of cards.

    ``outs`` and ``ins`` have for each slot of a card the tensor of the first graph that crosses its border
    there.
    """

    card: dict[str, str] = field(default_factory=dict)
    titles: dict[str, Title] = field(default_factory=dict)
    outs: dict[str, tuple[Tensor, ...]] = field(default_factory=dict)
    ins: dict[str, tuple[Tensor, ...]] = field(default_factory=dict)

    def bordered(self, cards: Iterable[Card]) -> None:
        """New cards have borders, made of tensors of nodes and of cards of before."""
        before = dict(self.outs)

        def first(tensor: Tensor) -> Tensor:
            return before[tensor[0]][tensor[1]] if tensor[0] in before else tensor

        for card in cards:
            self.outs[card.id] = tuple(map(first, card.outs))
            self.ins[card.id] = tuple(map(first, card.ins))

    def moved(self, places: Mapping[str, str], titles: Mapping[str, Title]) -> None:
        """Nodes, and cards of before, went into other cards."""
        gone = {card for card in self.titles if card in places}
        self.card = {node: places.get(card, card) for node, card in self.card.items()}
        self.card |= {node: card for node, card in places.items() if node not in gone}
        self.titles = {card: title for card, title in self.titles.items() if card not in gone} | dict(titles)
