"""Constants beside the card they go into: one box to the engine, so that the flow past them is straight."""

from __future__ import annotations

import math
from collections.abc import Sequence

from msgspec import Struct

from autograd_tour.drawing.sizes import ARROW, card_height, card_width, label_width
from autograd_tour.views.picture import Direction, Scene

__all__ = ["Beside", "Box", "Line", "beside", "line"]

MOST = 4
"""More constants of one card stand in a row of their own: beside it they would be taller than it."""
GAP = 34.0
"""Between constants and the card beside them, px: an arrow has room there."""
ABOVE = 14.0
"""Between a constant and what stands below it, px."""
BEND = 22.0
"""How far left of a card the arrows of the constants above it run, px."""
TITLE = 13.0
"""So far below the upper edge of a card its constants end, px."""

Point = tuple[float, float]
Line = tuple[Point, ...]


class Box(Struct, frozen=True):
    """A card and its constants as one box of ``size`` px; places count from its upper left corner.

    ``corner`` is where the card begins, ``centres`` are those of its constants.
    """

    size: Point
    corner: Point
    constants: tuple[int, ...]
    centres: tuple[Point, ...]


class Beside(Struct, frozen=True):
    """What stands beside what: card -> its box, and the links that are drawn without the engine."""

    boxes: dict[int, Box]
    links: frozenset[int]

    @property
    def constants(self) -> frozenset[int]:
        """The cards that the engine does not see."""
        return frozenset(constant for box in self.boxes.values() for constant in box.constants)


def beside(scene: Scene) -> Beside:
    """The constants that go into one card alone, at most :data:`MOST` for each card."""
    places = {card.id: i for i, card in enumerate(scene.cards)}
    entered = {link.dst for link in scene.links}
    users: dict[int, set[int]] = {}
    links: dict[int, list[int]] = {}
    for i, link in enumerate(scene.links):
        constant = places[link.src]
        if scene.cards[constant].shape == "constant" and link.src not in entered:
            users.setdefault(constant, set()).add(places[link.dst] if not label_width(link.label) else -1)
            users[constant].update((-1,) if link.reverse else ())
            links.setdefault(constant, []).append(i)
    together: dict[int, list[int]] = {}
    # What stands inside a frame stays there, and what does not stays out.
    framed = [frozenset(places[card] for card in frame.cards if card in places) for frame in scene.frames]
    for constant, cards in users.items():
        if len(cards) != 1 or -1 in cards:
            continue
        (card,) = cards
        low = scene.direction == "TB" and len(scene.cards[card].rows) < 2  # beside a line there is no room
        if not low and all((constant in frame) == (card in frame) for frame in framed):
            together.setdefault(card, []).append(constant)
    boxes = {
        card: _box(scene, card, constants) for card, constants in together.items() if len(constants) <= MOST
    }
    inside = [constant for box in boxes.values() for constant in box.constants]
    return Beside(boxes, frozenset(i for constant in inside for i in links[constant]))


def _box(scene: Scene, card: int, constants: Sequence[int]) -> Box:
    width, height = round(card_width(scene.cards[card])), round(card_height(scene.cards[card]))
    sizes = [(card_width(scene.cards[i]), card_height(scene.cards[i])) for i in constants]
    widest = max(w for w, _ in sizes)
    stack = sum(h for _, h in sizes) + ABOVE * (len(sizes) - 1)
    centres = []
    if scene.direction == "TB":
        tall = max(float(height), stack)
        corner = (math.ceil(widest) + GAP, math.floor((tall - height) / 2))
        size = (corner[0] + width, math.ceil(tall))
        top = (tall - stack) / 2
    else:
        corner = (BEND, math.ceil(stack + ABOVE))
        size = (BEND + max(width, math.ceil(widest)), corner[1] + height)
        top = 0.0
    for w, h in sizes:
        left = math.ceil(widest) - w if scene.direction == "TB" else BEND
        centres.append((left + w / 2, top + h / 2))
        top += h + ABOVE
    return Box(size, corner, tuple(constants), tuple(centres))


def line(constant: Point, size: Point, card: Point, card_size: Point, direction: Direction) -> Line:
    """The way from a constant to the card beside it; the last point is where the head of the arrow begins."""
    (x, y), (width, height) = card, card_size
    left, top, margin = x - width / 2, y - height / 2, min(TITLE, height / 2)
    if direction == "TB":
        start = (constant[0] + size[0] / 2, constant[1])
        end = (left - ARROW, min(max(constant[1], top + margin), top + height - margin))
        bends = ((end[0] - start[0]) / 2, (start[0] - end[0]) / 2)
    else:
        start = (constant[0] - size[0] / 2, constant[1])
        end = (left - ARROW, top + margin)
        bends = (-BEND, ARROW - BEND)
    return (start, (start[0] + bends[0], start[1]), (end[0] + bends[1], end[1]), end)
