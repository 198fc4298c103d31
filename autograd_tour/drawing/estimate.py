"""How large a scene becomes when it is laid out, near enough to tell what is worth a layout.

A layout takes a process and tens of milliseconds, an estimate a fraction of one. It knows the ranks of cards,
what stands in each, and the labels and lines between two; what a layout shifts to keep lines straight
it does not know.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from autograd_tour.drawing.beside import Beside, beside
from autograd_tour.drawing.dot import Spacing
from autograd_tour.drawing.large import pairs_of, ranks_of
from autograd_tour.drawing.main_path import main_path
from autograd_tour.drawing.sizes import card_height, card_width, label_width
from autograd_tour.views.picture import Scene

__all__ = ["Measured", "Ranks", "estimated", "least_area", "measured", "taken_by_ranks"]

Point = tuple[float, float]
LINE = 28.0
"""From the middle of a card to where the label of a link below it begins, px."""
_NONE: Mapping[str, Point] = {}
_NO_MORE: Mapping[int, float] = {}


class Measured(Struct, frozen=True):
    """A scene whose texts have their room, with what an estimate asks of it again and again.

    ``sizes`` are those of its cards; ``pairs`` are (card, later card, width of the label, 0 for none), a link
    each; ``ranks`` those of the cards, from 0; ``path`` the main path if the scene runs from top to bottom.
    """

    scene: Scene
    sizes: tuple[Point, ...]
    pairs: tuple[tuple[int, int, float], ...]
    ranks: tuple[int, ...]
    path: tuple[int, ...]


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
    path = main_path(scene) if scene.direction == "TB" else ()
    return Measured(scene, sizes, tuple(pairs), tuple([rank - least for rank in ranks]), path)


def least_area(cards: Measured, spacing: Spacing) -> float:
    """Px² that the cards and labels take at least, however they stand."""
    boxes = sum((width + spacing.beside) * (height + spacing.beside) for width, height in cards.sizes)
    return boxes + sum((width + 8) * spacing.label for _, _, width in cards.pairs if width)


def estimated(cards: Measured, spacing: Spacing) -> Point:
    """Width and height of the scene laid out in its direction, px."""
    ranks = taken_by_ranks(cards, spacing)
    size = ranks.ends[-1], max(0.0, ranks.across(0, len(ranks.ends)))
    return size if cards.scene.direction == "LR" else size[::-1]


class Passing(Struct, frozen=True):
    """A link past the ranks from ``low`` to ``high``: what it takes across them, and its label there, px."""

    low: int
    high: int
    line: float
    label: float


class Ranks(Struct, frozen=True):
    """What each rank of a scene takes, px: from where to where in the direction of the layout, and across it
    ``before`` and ``after`` the main path, which is straight where a scene runs from top to bottom.
    """

    starts: Sequence[float]
    ends: Sequence[float]
    before: Sequence[float]
    after: Sequence[float]
    passing: Sequence[Passing]

    def across(self, first: int, end: int, more: Mapping[int, float] = _NO_MORE) -> float:
        """What the ranks from ``first`` up to ``end`` take across, with the links between them, px.

        ``more`` is what else stands in a rank.
        """
        after = [self.after[rank] + more.get(rank, 0.0) for rank in range(first, end)]
        inside = [link for link in self.passing if first < link.low and link.high < end - 1]
        for link in inside:
            for rank in range(link.low - first, link.high - first + 1):
                after[rank] += link.line
        beyond = [
            max(after[link.low - first : link.high - first + 1]) + link.label for link in inside if link.label
        ]
        return max(self.before[first:end]) + max(*after, *beyond, 0.0)


def taken_by_ranks(cards: Measured, spacing: Spacing) -> Ranks:
    """The room that ranks take, with what is between each and the next."""
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
    passing = []
    for a, b, width in cards.pairs:
        if a in hidden:
            continue
        start, end = cards.ranks[a], cards.ranks[b]
        if end > start + 1:  # it takes the room of a thin card, and its label is beside those that it passes
            beside_cards = width + 8 if width and along == 1 else 0.0
            passing.append(Passing(start + 1, end - 1, 1.5 * spacing.beside, beside_cards))
        for gap in range(start, end):  # and in each gap that of a line, but where its label is
            size = (0.0, 0.5 * spacing.beside)
            if width and gap == (start + end - 1) // 2:
                size = (width + 8, spacing.label) if along == 0 else (spacing.label, width + 8)
            gaps[gap] = max(gaps[gap], size[0])
            if end == start + 1:
                labelled[gap] += size[1] + spacing.beside
    starts, ends = [0.0], [length[0]]
    for rank in range(1, count):
        starts.append(ends[-1] + gaps[rank - 1] + spacing.between)
        ends.append(starts[-1] + length[rank])
    if along == 0:
        widths = [max(pair) for pair in zip(across, labelled, strict=True)]
        return Ranks(starts, ends, [0.0] * count, widths, passing)
    return Ranks(starts, ends, *_around_path(cards, hugged, across, labelled, spacing), passing)


def _whole(card: int, cards: Measured, hugged: Beside) -> float:
    """How wide a card is with the constants beside it, px."""
    return hugged.boxes[card].size[0] if card in hugged.boxes else cards.sizes[card][0]


def _around_path(
    cards: Measured, hugged: Beside, widths: Sequence[float], labelled: Sequence[float], spacing: Spacing
) -> tuple[list[float], list[float]]:
    """How far each rank reaches to the left and to the right of a main path from top to bottom, px.

    ``widths`` is what stands in each rank, ``labelled`` what stands below it: it is to the right of the path.
    """
    left = [max(pair) / 2 for pair in zip(widths, labelled, strict=True)]
    right = list(left)
    for card in cards.path:
        rank, half = cards.ranks[card], cards.sizes[card][0] / 2
        left[rank] = _whole(card, cards, hugged) - half
        right[rank] = half
    on_path = {cards.ranks[card] for card in cards.path}
    others = [
        (_whole(card, cards, hugged) + spacing.beside, rank)
        for card, rank in enumerate(cards.ranks)
        if card not in cards.path and card not in hugged.constants and rank in on_path
    ]
    for width, rank in sorted(others, reverse=True):  # the widest stand where they widen the picture least
        wider_left = max(0.0, left[rank] + width - max(left))
        wider_right = max(0.0, right[rank] + width - max(right))
        side = left if wider_left < wider_right else right
        side[rank] += width
    for rank in on_path:
        right[rank] = max(right[rank], LINE - 8 + labelled[rank])
    straight = set(cards.path)
    for a, b, label in cards.pairs:
        rank = cards.ranks[a]
        if label and a not in straight and cards.ranks[b] == rank + 1:  # below a card beside the path
            right[rank] = max(right[rank], widths[rank] - left[rank] - cards.sizes[a][0] / 2 + LINE + label)
    return left, right
