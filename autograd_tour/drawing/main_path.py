"""The path that the loss's gradient takes through a scene: the engine is told to keep it straight."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter
from itertools import pairwise

from autograd_tour.views.picture import Link, Scene

__all__ = ["main_path", "on_path"]

_SIDE = ("constant", "ungraded")
"""Flows that no gradient takes."""


def main_path(scene: Scene) -> tuple[int, ...]:
    """The places of the cards that the gradient passes, in the direction of the layout.

    It goes from the card that most others lead to back to whichever has most behind it: through a block, not
    along its shortcut, and along the trunk, not into a parameter. Without gradients in the scene it follows
    what goes forward. Cards on a loop have no main path.
    """
    before = _before(scene)
    try:
        order = tuple(TopologicalSorter(before).static_order())
    except CycleError:
        return ()
    behind: dict[int, int] = {}  # a bit for each card that leads to it
    for card in order:
        behind[card] = 1 << card
        for early in before.get(card, ()):
            behind[card] |= behind[early]
    if not behind:
        return ()

    def most(card: int) -> tuple[int, int]:
        return behind[card].bit_count(), card

    path = [max(behind, key=most)]
    while before.get(path[-1]):
        path.append(max(before[path[-1]], key=most))
    return tuple(reversed(path))


def _before(scene: Scene) -> dict[int, dict[int, None]]:
    """Card -> the cards from which a gradient's way leads to it, in the direction of the layout."""
    places = {card.id: i for i, card in enumerate(scene.cards)}
    backward = any(link.flow == "backward" for link in scene.links)
    before: dict[int, dict[int, None]] = {}
    for link in scene.links:
        if link.flow not in _SIDE and (link.flow == "backward") == backward:
            early, late = _ends(link)
            before.setdefault(places[late], {})[places[early]] = None
    return before


def on_path(scene: Scene) -> frozenset[tuple[str, str]]:
    """The pairs of cards that follow one another on the main path."""
    path = [scene.cards[i].id for i in main_path(scene)]
    return frozenset(pairwise(path))


def _ends(link: Link) -> tuple[str, str]:
    return (link.dst, link.src) if link.reverse else (link.src, link.dst)
