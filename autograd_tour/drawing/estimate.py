"""How large a scene becomes when it is laid out, near enough to tell what is worth a layout.

A layout takes a process and tens of milliseconds, an estimate a fraction of one. It knows the ranks of cards,
what stands in each, and the labels and lines between two; what a layout shifts to keep lines straight
it does not know.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from autograd_tour.drawing.beside import beside
from autograd_tour.drawing.dot import Spacing
from autograd_tour.drawing.large import pairs_of, ranks_of
from autograd_tour.drawing.sizes import card_height, card_width, label_width
from autograd_tour.views.picture import Scene

__all__ = ["Measured", "estimated", "least_area", "measured"]

Point = tuple[float, float]
_NONE: Mapping[str, Point] = {}


class Measured(Struct, frozen=True):
    """A scene whose texts have their room, with what an estimate asks of it again and again.

    ``sizes`` are those of its cards; ``pairs`` are (card, later card, width of the label, 0 for none), a link
    each; ``ranks`` those of the cards, from 0.
    """

    scene: Scene
    sizes: tuple[Point, ...]
    pairs: tuple[tuple[int, int, float], ...]
    ranks: tuple[int, ...]


def measured(scene: Scene, sizes_by_card: Mapping[str, Point] = _NONE) -> Measured:
    """The scene with its sizes and ranks; all its texts have their room already.

    ``sizes_by_card`` has those of cards that were measured before.
    """
    sizes = tuple(
        [sizes_by_card.get(card.id) or (card_width(card), card_height(card)) for card in scene.cards]
    )
    between = pairs_of(scene)
    widths = [label_width(link.label) for link in scene.links]
    pairs = [(a, b, widths[i]) for (a, b), links in between.items() for i in links]
    ranks = ranks_of(between, len(sizes))
    least = min(ranks, default=0)
    return Measured(scene, sizes, tuple(pairs), tuple([rank - least for rank in ranks]))


def least_area(cards: Measured, spacing: Spacing) -> float:
    """Px² that the cards and labels take at least, however they stand."""
    boxes = sum((width + spacing.beside) * (height + spacing.beside) for width, height in cards.sizes)
    return boxes + sum((width + 8) * spacing.label for _, _, width in cards.pairs if width)


def estimated(cards: Measured, spacing: Spacing) -> Point:
    """Width and height of the scene laid out in its direction, px."""
    along = 0 if cards.scene.direction == "LR" else 1
    count = max(cards.ranks, default=0) + 1
    length, across, gaps = [0.0] * count, [-spacing.beside] * count, [0.0] * count
    labelled = [-spacing.beside] * count
    hugged = beside(cards.scene)
    hidden = hugged.constants
    for card, (size, rank) in enumerate(zip(cards.sizes, cards.ranks, strict=True)):
        if card in hidden:
            continue
        box = hugged.boxes.get(card)
        taken = size if box is None else box.size
        length[rank] = max(length[rank], taken[along])
        across[rank] += taken[1 - along] + spacing.beside
    for a, b, width in cards.pairs:
        if a in hidden:
            continue
        start, end = cards.ranks[a], cards.ranks[b]
        for rank in range(start + 1, end):  # a line that passes takes the room of a thin card
            across[rank] += 1.5 * spacing.beside
        for gap in range(start, end):  # and in each gap that of a line, but where its label is
            size = (0.0, 0.5 * spacing.beside)
            if width and gap == (start + end - 1) // 2:
                size = (width + 8, spacing.label) if along == 0 else (spacing.label, width + 8)
            gaps[gap] = max(gaps[gap], size[0])
            labelled[gap] += size[1] + spacing.beside
    total = sum(length) + sum(gaps[: count - 1]) + spacing.between * (count - 1)
    widest = max(*across, *labelled, 0.0)
    return (total, widest) if along == 0 else (widest, total)
