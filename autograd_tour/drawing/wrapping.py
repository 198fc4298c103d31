"""A long scene in several rows, one below the other: cut between ranks, with marks where it goes on."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from autograd_tour.drawing.dot import Spacing
from autograd_tour.drawing.estimate import Measured
from autograd_tour.drawing.layout import Course, Layout, Point
from autograd_tour.drawing.metrics import fit
from autograd_tour.views.picture import Card, Label, Link, Row, Run, Scene

__all__ = ["GAP", "least_size", "row_scenes", "rows_of", "stacked"]

GAP = 18.0
"""Between two rows, px."""
MARK_ROOM = 78.0
"""Widest name on a mark, px."""
MARK = MARK_ROOM + 40.0
"""What the marks at one end of a row take of its width, with their links, px."""
NARROWEST = 8.0
"""Nearer than this need a width not be known to the narrowest for so many rows, px."""


def rows_of(cards: Measured, count: int, spacing: Spacing) -> dict[str, int]:
    """Card -> its row, in at most ``count`` rows that are as narrow as can be."""
    ends = _ends_of_ranks(cards, spacing)
    low, high = 0.0, ends[-1] + 2 * MARK
    breaks = _breaks(ends, high)
    while high - low > NARROWEST:
        middle = (low + high) / 2
        trial = _breaks(ends, middle)
        if max(trial) < count:
            high, breaks = middle, trial
        else:
            low = middle
    ids = [card.id for card in cards.scene.cards]
    return _with_inputs(cards, {ids[i]: breaks[rank] for i, rank in enumerate(cards.ranks)})


def least_size(cards: Measured, rows: Mapping[str, int], spacing: Spacing) -> Point:
    """Width and height that ``rows`` take at least, px: each rank of a row stands beside the one before it.

    Constants are not counted, since they may stand beside a card.
    """
    stacks: dict[tuple[int, int], Point] = {}
    for card, size, rank in zip(cards.scene.cards, cards.sizes, cards.ranks, strict=True):
        if card.shape != "constant":
            width, height = stacks.get((rows[card.id], rank), (0.0, -spacing.beside))
            stacks[rows[card.id], rank] = max(width, size[0]), height + size[1] + spacing.beside
    widths: dict[int, float] = {}
    heights: dict[int, float] = {}
    for (row, _), (width, height) in stacks.items():
        widths[row] = widths.get(row, -spacing.between) + width + spacing.between
        heights[row] = max(heights.get(row, 0.0), height)
    return max(widths.values(), default=0.0), sum(heights.values()) + GAP * max(len(heights) - 1, 0)


def _ends_of_ranks(cards: Measured, spacing: Spacing) -> list[float]:
    """Where each rank ends, from left to right, px."""
    count = max(cards.ranks, default=0) + 1
    widths, gaps = [0.0] * count, [spacing.between] * count
    for (width, _), rank in zip(cards.sizes, cards.ranks, strict=True):
        widths[rank] = max(widths[rank], width)
    for a, b, label in cards.pairs:
        gap = (cards.ranks[a] + cards.ranks[b] - 1) // 2
        gaps[gap] = max(gaps[gap], spacing.between + label)
    ends, end = [], 0.0
    for rank in range(count):
        end += widths[rank]
        ends.append(end)
        end += gaps[rank]
    return ends


def _breaks(ends: Sequence[float], width: float) -> list[int]:
    """Rank -> its row, if each row takes at most ``width`` px with its marks, or has one rank."""
    rows: list[int] = []
    row, start = 0, 0.0
    for rank, end in enumerate(ends):
        marks = (MARK if row else 0.0) + (MARK if rank < len(ends) - 1 else 0.0)
        if rows and rows[-1] == row and end - start + marks > width:
            row, start = row + 1, ends[rank - 1]
        rows.append(row)
    return rows


def _with_inputs(cards: Measured, rows: dict[str, int]) -> dict[str, int]:
    """What goes in stands in the row of its first user; rows that are empty then are none."""
    users: dict[str, list[str]] = {}
    entered = set()
    for link in cards.scene.links:
        early, late = _ends(link)
        users.setdefault(early, []).append(late)
        entered.add(late)
    rows = {
        card: row if card in entered or card not in users else min(rows[user] for user in users[card])
        for card, row in rows.items()
    }
    numbers = {row: number for number, row in enumerate(sorted(set(rows.values())))}
    return {card: numbers[row] for card, row in rows.items()}


def _ends(link: Link) -> tuple[str, str]:
    """What a link joins, in the direction of the layout."""
    return (link.dst, link.src) if link.reverse else (link.src, link.dst)


def row_scenes(scene: Scene, rows: dict[str, int]) -> tuple[Scene, ...]:
    """A scene for each row. A link to another row ends at a mark, and goes on from one there."""
    count = max(rows.values()) + 1
    cards: list[dict[str, Card]] = [{} for _ in range(count)]
    links: list[dict[str, Link]] = [{} for _ in range(count)]
    by_id = {card.id: card for card in scene.cards}
    crossing = {early for early, late in map(_ends, scene.links) if rows[early] != rows[late]}
    texts = _mark_texts([by_id[card] for card in sorted(crossing)])
    for card in scene.cards:
        cards[rows[card.id]][card.id] = card
    for link in scene.links:
        early, late = _ends(link)
        i, j = rows[early], rows[late]
        if i == j:
            links[i][link.id] = link
            continue
        leaving, entering = f"{early}-to-{j}", f"{early}-from-{i}"
        if any(entering in row for k, row in enumerate(cards) if k != j):
            entering += f"-in-{j}"  # it enters several rows
        cards[i].setdefault(leaving, _mark(leaving, by_id[early], texts[early], f"to row {j + 1}"))
        cards[j].setdefault(entering, _mark(entering, by_id[early], texts[early], f"from row {i + 1}"))
        links[j][link.id] = _onto(link, entering, into=False)
        there = replace(_onto(link, leaving, into=True), id=f"{leaving}-{link.flow}")
        # Several gradients may come back over one mark: their numbers stand where they come from.
        tag = Label() if there.id in links[i] else replace(link.label, runs=())
        since = max(link.since, links[i][there.id].since if there.id in links[i] else 0)
        links[i][there.id] = replace(there, label=tag, since=since)
    return tuple(
        replace(scene, cards=tuple(cards[row].values()), links=tuple(links[row].values()))
        for row in range(count)
    )


def _onto(link: Link, mark: str, *, into: bool) -> Link:
    """The link with ``mark`` for its later end, if it goes ``into`` the mark, or else for its earlier one."""
    port = "g" if link.flow == "backward" else "f"
    if into == link.reverse:
        return replace(link, src=mark, ports=(port, link.ports[1]))
    return replace(link, dst=mark, ports=(link.ports[0], port))


def _mark_texts(cards: Sequence[Card]) -> dict[str, str]:
    """Card -> what is on its marks; where two would read alike, from the word on in which they differ."""
    heads = _heads(cards)
    short = {card.id: fit(heads[card.id], MARK_ROOM, 12.0, True, keep_end=_keeps_end(card)) for card in cards}
    texts = {}
    for card, text in short.items():
        alike = [heads[other] for other in short if short[other] == text]
        columns = zip(*alike, strict=False)
        same = next((i for i, letters in enumerate(columns) if len(set(letters)) > 1), 0)
        start = len(_WORD_BEGUN.sub("", heads[card][:same]))
        apart = f"…{heads[card][start:]}" if start else heads[card]
        texts[card] = fit(apart, MARK_ROOM, 12.0, True) if len(alike) > 1 else text
    return texts


_WORD_BEGUN = re.compile(r"\w*$")


def _titles(card: Card) -> tuple[Run, ...]:
    return card.rows[0].left if card.rows and card.rows[0].left else (Run(card.title),)


def _heads(cards: Sequence[Card]) -> dict[str, str]:
    """Card -> the path of its module, or its title; of several with one title, what stands at its right, if
    that tells them apart.
    """
    heads = {card.id: " ".join(run.text.strip() for run in _titles(card)) for card in cards}
    aside = {card.id: " ".join(run.text.strip() for run in card.rows[0].right) for card in cards if card.rows}
    for title in set(heads.values()):
        alike = [ident for ident, head in heads.items() if head == title]
        beside = {aside.get(ident, "") for ident in alike}
        if len(alike) > 1 and len(beside) == len(alike) and "" not in beside:
            heads |= {ident: aside[ident] for ident in alike}
    paths = [card.path for card in cards]
    return heads | {card.id: card.path for card in cards if card.path and paths.count(card.path) == 1}


def _keeps_end(card: Card) -> bool:
    return bool(card.path) or (_titles(card)[0].keep_end and card.shape == "leaf")


def _mark(ident: str, card: Card, text: str, where: str) -> Card:
    """A small card that stands for ``card`` where a link leaves a row or enters it."""
    rows = (Row((Run(text, bold=True),), height=17), Row((Run(where, "muted"),), height=17))
    return Card(ident, "box", rows, lane=17.0, title=f"{card.title}, {where}", minimum=0, emphasis="faint")


def stacked(scene: Scene, scenes: Sequence[Scene], layouts: Sequence[Layout]) -> tuple[Scene, Layout]:
    """The rows as one scene, one below the other, with what the whole ``scene`` says of itself."""
    top, width = 0.0, 0.0
    centres: list[Point] = []
    courses: list[Course | None] = []
    for layout in layouts:
        centres += [(x, y + top) for x, y in layout.centres]
        courses += [course and _lower(course, top) for course in layout.courses]
        width, top = max(width, layout.width), top + layout.height + GAP
    whole = replace(
        scene,
        cards=tuple(card for row in scenes for card in row.cards),
        links=tuple(link for row in scenes for link in row.links),
    )
    sizes = tuple(size for layout in layouts for size in layout.sizes)
    return whole, Layout(width, top - GAP, tuple(centres), sizes, tuple(courses))


def _lower(course: Course, by: float) -> Course:
    return Course(
        tuple((x, y + by) for x, y in course.points),
        course.tip and (course.tip[0], course.tip[1] + by),
        course.label and (course.label[0], course.label[1] + by),
    )
