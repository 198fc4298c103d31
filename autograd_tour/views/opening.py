"""A folded graph in which what a reader names is open, with a frame around it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace as changed

from msgspec.structs import replace

from autograd_tour.errors import UsageError, suggestion
from autograd_tour.record.graph import Graph
from autograd_tour.record.node import Node
from autograd_tour.views.fold import fold
from autograd_tour.views.homes import Homes
from autograd_tour.views.picture import Film, Frame, Picture, Scene
from autograd_tour.views.unfold import Opened, closed, opened
from autograd_tour.views.units import Units

__all__ = ["framed", "with_frames", "with_open"]

MOST_LISTED = 20
"""So many names of what can be opened stand in a hint."""


def with_open(graph: Graph, names: Iterable[str], depth: int | None = None) -> Opened:
    """``graph`` folded, and open what is called so: a module, a call of a function, or a card by its title.

    Where several calls of one function have the name, they stand side by side.

    Raises:
        UsageError: nothing that is folded is called so; the hint says what is.
    """
    shut = closed(graph, depth=depth)
    units = Units(graph)
    homes = {node.id: units.chain((node.group, node.scope)) for node in graph.nodes}
    folded = dict.fromkeys(unit for node in shut.homes.card for unit in homes[node])
    cards: list[str] = []
    unfolded: set[str] = set()
    apart: set[str] = set()
    for name in dict.fromkeys(names):
        chosen = units.called(name, folded)
        if len(chosen) == 1:
            unfolded |= chosen
        apart |= chosen
        if not chosen:
            cards.append(name)
    current = shut
    if apart:
        inner = Homes()
        current = Opened(graph, fold(graph, depth, homes=inner, opened=unfolded, apart=apart), inner)
        current = changed(current, frames=tuple(_frames(current, units, homes, sorted(unfolded))))
    for name in cards:
        card = next((node.id for node in current.graph.nodes if node.kind == "group" and _is(node, name)), "")
        inside = opened(current, card) if card else None
        if inside is None:
            raise _not_folded(name, shut, units)
        current = inside
    return current


def _is(node: Node, name: str) -> bool:
    return name in (node.op, node.group, node.id, f"{node.group} {node.op}")


def _frames(
    current: Opened, units: Units, homes: dict[str, list[str]], unfolded: Iterable[str]
) -> Iterator[Frame]:
    """A frame for each unit that is open: around what is in it and nothing else."""
    card_of = {node.id: current.homes.card.get(node.id, node.id) for node in current.whole.nodes}
    taken: set[str] = set()
    for unit in unfolded:
        inside = {card for node, card in card_of.items() if unit in homes[node]}
        inside -= {card for node, card in card_of.items() if unit not in homes[node]} | taken
        yield Frame(units.heading(unit), tuple(sorted(inside)))
        taken |= inside


def _not_folded(name: str, shut: Opened, units: Units) -> UsageError:
    """The error for ``name``, which cannot be opened, with the names of what can."""
    names: dict[str, None] = {}
    for card, title in shut.homes.titles.items():
        for unit in title.units or ():
            names.setdefault(units.name(unit))
        if not title.units and card in shut.graph.by_id():
            names.setdefault(title.op)
    hint = suggestion(name, list(names), 0)
    listed = ", ".join(list(names)[:MOST_LISTED])
    more = f" and {len(names) - MOST_LISTED} more" if len(names) > MOST_LISTED else ""
    hint = f"{hint} Can be opened: {listed}{more}".strip() if names else "Nothing is folded in it"
    return UsageError(f"nothing that is folded is called {name[:60]!r}", hint)


def framed(picture: Picture, frames: Iterable[Frame]) -> Picture:
    """``picture`` with ``frames`` around those of its cards that are in them."""
    if isinstance(picture, Film):
        return replace(picture, scene=with_frames(picture.scene, frames))
    return with_frames(picture, frames) if isinstance(picture, Scene) else picture


def with_frames(scene: Scene, frames: Iterable[Frame]) -> Scene:
    """``scene`` with the same."""
    ids = {card.id for card in scene.cards}
    inner = [replace(frame, cards=tuple(card for card in frame.cards if card in ids)) for frame in frames]
    return replace(scene, frames=tuple(frame for frame in inner if frame.cards))
