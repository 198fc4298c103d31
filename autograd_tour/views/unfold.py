"""A folded graph with one of its cards opened: what is inside it, among the cards around it."""

from __future__ import annotations

from dataclasses import dataclass

from autograd_tour.record.graph import Graph
from autograd_tour.views import by_order
from autograd_tour.views.focus import with_neighbours
from autograd_tour.views.fold import as_cards, composites, fold, visible
from autograd_tour.views.homes import Homes
from autograd_tour.views.picture import Frame
from autograd_tour.views.quotient import flow

__all__ = ["Opened", "closed", "opened"]

INSIDE = 24
"""So many cards come out of one that is opened, at most, as far as its parts allow."""

IN_PLACE = 30
"""Up to so many cards are shown around those that came out; a film of more is hard to follow."""


@dataclass(frozen=True)
class Opened:
    """``graph`` as shown, made from ``whole``; ``homes`` tells which node is in which of its cards.

    ``inside`` are the ids of those of its nodes that came out of the card opened last; empty if none was.
    ``frames`` are what stands around the insides of cards that were opened.
    """

    whole: Graph
    graph: Graph
    homes: Homes
    inside: frozenset[str] = frozenset()
    frames: tuple[Frame, ...] = ()

    def members(self, card: str) -> set[str]:
        """The nodes of the whole graph in a card, accumulators included."""
        return {node for node, home in self.homes.card.items() if home == card}


def closed(graph: Graph, *, fold_it: bool = True, depth: int | None = None) -> Opened:
    """``graph`` with all its cards closed, as :func:`autograd_tour.views.fold.fold` leaves it."""
    homes = Homes()
    return Opened(graph, fold(graph, depth, homes=homes) if fold_it else graph, homes)


def opened(before: Opened, card: str) -> Opened | None:
    """The same with ``card`` opened in place; ``None`` if it has no parts that could be told apart.

    Where all of it is more than :data:`IN_PLACE` cards, only what was inside and its neighbours are shown.
    """
    members = before.members(card)
    inside = _inside(before.whole.only(members))
    if inside is None:
        return None
    parts = {node: f"out {home}" for node, home in before.homes.card.items() if home != card}
    titles = {f"out {home}": title for home, title in before.homes.titles.items() if home != card}
    parts |= {node: f"in {home}" for node, home in inside.card.items()}
    titles |= {f"in {home}": title for home, title in inside.titles.items()}
    homes = Homes()
    graph = as_cards(before.whole, parts, titles, flow(before.whole), homes)
    came_out = frozenset(homes.card.get(node, node) for node in members)
    if visible(graph) > IN_PLACE:
        graph = graph.only(with_neighbours(graph, came_out))
    title = before.graph.title(card)
    group = before.graph.node(card).group
    frame = Frame(f"{group}  {title}" if group and group != title else title, tuple(sorted(came_out)))
    return Opened(before.whole, graph, homes, came_out, (*before.frames, frame))


def _inside(part: Graph) -> Homes | None:
    """How to fold the inside of a card: by turns, as it comes, with equal neighbours apart, or in runs."""
    if visible(part) <= INSIDE:
        homes = Homes()
        inner = composites(part, homes)
        alone = sum(node.kind in ("operation", "group") for node in inner.nodes) < 2
        return Homes() if alone else homes
    homes, pairs = Homes(), flow(part)
    parts, titles = by_order.turns(part, pairs, INSIDE // 2)
    if len(titles) > 1:
        as_cards(part, parts, titles, pairs, homes)
        return homes
    for rows in (True, False):
        homes = Homes()
        folded = fold(part, limit=INSIDE, rows=rows, homes=homes)
        if sum(node.kind in ("operation", "group") for node in folded.nodes) > 1:
            return homes
    homes = Homes()
    as_cards(part, *by_order.runs(part, pairs, INSIDE // 2), pairs, homes)
    return homes if len(homes.titles) > 1 else None
