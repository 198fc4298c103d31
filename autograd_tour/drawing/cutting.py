"""Where a long scene is cut into strips: between ranks, so that they fill the room they are for.

What runs from left to right is cut into rows, what runs from top to bottom into columns. *Along* is the
direction of the layout, *across* the other one.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

from autograd_tour.drawing.dot import Spacing
from autograd_tour.drawing.estimate import Measured, taken_by_ranks
from autograd_tour.drawing.layout import Point
from autograd_tour.views.picture import Direction, Link

__all__ = ["GAPS", "MARK_ROOM", "Cuts", "ends_of"]

GAPS: dict[Direction, float] = {"LR": 18.0, "TB": 26.0}
"""Between two rows, and between two columns, px."""
MARK_ROOM = 78.0
"""Widest name on a mark, px."""
_MARKS: dict[Direction, Point] = {"LR": (92.0, 44.0), "TB": (34.0, 104.0)}
"""What a mark takes along a strip, and across it with what is left free beside it, px."""
_LEAVING: dict[Direction, float] = {"LR": 46.0, "TB": 40.0}
"""What the links to a mark take along a strip, px: they have numbers and no text."""
MOST_STRIPS = 7
RANKS = 2
"""So many ranks a strip has at least on an average: a card with marks at both ends is no row."""
TRIALS = 6
"""So often is a length of strips tried that is nearer to the best one."""


class Cuts:
    """The ways to cut a scene into strips for a room of ``shape``: what there is along and across, px."""

    def __init__(self, cards: Measured, spacing: Spacing, shape: Point) -> None:
        self.cards, self.shape = cards, shape
        self.ranks = taken_by_ranks(cards, spacing)
        self.count = len(self.ranks.ends)
        self.mark, self.mark_across = _MARKS[cards.scene.direction]
        self.leaving, self.gap = _LEAVING[cards.scene.direction], GAPS[cards.scene.direction]
        self.most = min(MOST_STRIPS, math.ceil(self.count / RANKS))
        self.skips = list(_skips(cards))
        longest = max(end - start for start, end in zip(self.ranks.starts, self.ranks.ends, strict=True))
        self.shortest = max(longest, self.ranks.ends[-1] / max(self.most, 1))
        self.longest = self._longest()
        self.candidates = [self._ending(end) for end in range(self.count + 1)]

    def strips(self, most: float) -> list[tuple[float, dict[str, int]]]:
        """Ways to cut it, the best first: about how much larger it can be drawn, and card -> its strip.

        No picture is made more than ``most`` times as large.
        """
        if self.most < 2:
            return []
        low, high = self.shortest, self.longest
        scales: dict[tuple[int, ...], float] = {}
        for _ in range(TRIALS):
            length = (low + high) / 2
            breaks = self._narrowest(length)
            along, across = self._taken(breaks)
            if 1 < len(breaks) <= self.most:
                scales[breaks] = min(self.shape[0] / along, self.shape[1] / across, most)
            if self.shape[1] / across < self.shape[0] / length:
                low = length
            else:
                high = length
        best = sorted(scales, key=lambda breaks: (-scales[breaks], len(breaks)))
        ways = [(scales[breaks], self._by_card(breaks)) for breaks in best]
        return [(scale, strips) for scale, strips in ways if max(strips.values(), default=0)]

    def _by_card(self, breaks: tuple[int, ...]) -> dict[str, int]:
        """Card -> its strip, where strips begin with the ranks ``breaks``."""
        ranks = zip(self.cards.scene.cards, self.cards.ranks, strict=True)
        return _with_inputs(self.cards, {card.id: bisect_right(breaks, rank) - 1 for card, rank in ranks})

    def _spans(self, breaks: tuple[int, ...]) -> Iterator[tuple[int, int]]:
        """The ranks of each strip, of those that begin with the ranks ``breaks``: the first and the end."""
        return pairwise((*breaks, self.count))

    def _taken(self, breaks: tuple[int, ...]) -> Point:
        """What the strips take along and across, px."""
        spans = list(self._spans(breaks))
        across = sum(self._width(*span) for span in spans) + self.gap * (len(spans) - 1)
        return max(self._length(*span) for span in spans), across

    def _longest(self) -> float:
        """Strips that are longer than this, px, leave room beside them in any case, or are few enough."""
        if math.isinf(self.shape[1]):
            return self.ranks.ends[-1]
        widest = self.ranks.across(0, self.count) + self.mark_across
        filled = math.sqrt(self.ranks.ends[-1] * widest * self.shape[0] / self.shape[1])
        ends = 2 * self.mark + self.leaving
        return min(self.ranks.ends[-1], max(2 * self.shortest, 1.3 * filled) + ends)

    def _length(self, first: int, end: int) -> float:
        """From rank ``first`` up to ``end``, with the marks at both ends, px."""
        start = self.ranks.ends[first - 1] - self.mark if first else self.ranks.starts[0]
        return self.ranks.ends[end - 1] - start + (self.leaving + self.mark if end < self.count else 0.0)

    def _width(self, first: int, end: int) -> float:
        """What a strip of the ranks from ``first`` up to ``end`` takes across, px."""
        marks: Counter[int] = Counter()
        for rank, users in self.skips:
            if first <= rank < end <= users[-1]:  # a mark for each strip that it is used in
                marks[rank + 1] += min(3, sum(user >= end for user in users))
            elif rank < first and (there := [user for user in users if first <= user < end]):
                marks[there[0] - 1] += 1
        at_ends = self.mark_across * (1 + max(marks[first - 1], marks[end]))
        return max(
            at_ends, self.ranks.across(first, end, {rank: self.mark_across * n for rank, n in marks.items()})
        )

    def _ending(self, end: int) -> list[tuple[int, float, float]]:
        """The strips that end before a rank, shortest first: their first rank, length and width, px."""
        strips: list[tuple[int, float, float]] = []
        for first in range(end - 1, -1, -1):
            length = self._length(first, end)
            if strips and length > self.longest:
                break
            strips.append((first, length, self._width(first, end)))
        return strips

    def _narrowest(self, length: float) -> tuple[int, ...]:
        """With which ranks strips begin that are at most ``length`` px long and take least across together.

        Of several ways it is the one whose lengths are most alike. A rank that is longer has its own strip.
        """
        costs: list[Point] = [(0.0, 0.0)]
        begun = [0]
        for end in range(1, self.count + 1):
            cost, begin = (math.inf, math.inf), end - 1
            for first, own, width in self.candidates[end]:
                if own > length and first < end - 1:
                    break
                across, squares = costs[first]
                trial = (across + round(width + self.gap), squares + own * own)
                if trial < cost:
                    cost, begin = trial, first
            costs.append(cost)
            begun.append(begin)
        breaks = [begun[self.count]]
        while breaks[0]:
            breaks.insert(0, begun[breaks[0]])
        return tuple(breaks)


def _skips(cards: Measured) -> Iterator[tuple[int, list[int]]]:
    """The cards that are used farther on than in the next rank: their rank, and those of their users."""
    users: dict[int, set[int]] = {}
    for a, b, _ in cards.pairs:
        users.setdefault(a, set()).add(cards.ranks[b])
    entered = {b for _, b, _ in cards.pairs}
    for card, ranks in users.items():
        rank = cards.ranks[card] if card in entered else min(ranks)  # what goes in stands where it is used
        if max(ranks) > rank + 1:
            yield rank, sorted(ranks)


def _with_inputs(cards: Measured, strips: dict[str, int]) -> dict[str, int]:
    """What goes in stands in the strip of its first user; strips that are empty then are none."""
    users: dict[str, list[str]] = {}
    entered = set()
    for link in cards.scene.links:
        early, late = ends_of(link)
        users.setdefault(early, []).append(late)
        entered.add(late)
    strips = {
        card: strip if card in entered or card not in users else min(strips[user] for user in users[card])
        for card, strip in strips.items()
    }
    numbers = {strip: number for number, strip in enumerate(sorted(set(strips.values())))}
    return {card: numbers[strip] for card, strip in strips.items()}


def ends_of(link: Link) -> tuple[str, str]:
    """What a link joins, in the direction of the layout."""
    return (link.dst, link.src) if link.reverse else (link.src, link.dst)
