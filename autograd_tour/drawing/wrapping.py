"""A long scene in several rows, one below the other: cut between ranks, with marks where it goes on."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from autograd_tour.drawing.layout import Course, Layout, Point
from autograd_tour.views.picture import Card, Label, Link, Row, Run, Scene

__all__ = ["MARKS", "least_height", "row_scenes", "rows_of", "stacked"]

GAP = 28.0
"""Between two rows, px."""
BETWEEN = 20.0
"""At least so far apart are two cards of one rank, px."""
MARK_ROOM = 90.0
"""Widest name on a mark, px."""
MARKS = 2 * (MARK_ROOM + 60.0)
"""What the marks at both ends of a row take of its width, with their links, px."""


def rows_of(scene: Scene, layout: Layout, width: float) -> dict[str, int]:
    """Card -> its row, if each row takes at most ``width`` px of a layout from left to right."""
    order = sorted(range(len(scene.cards)), key=lambda i: layout.centres[i][0])
    rows: dict[str, int] = {}
    row, start, rank = 0, 0.0, -1.0
    for i in order:
        (x, _), (card_width, _) = layout.centres[i], layout.sizes[i]
        if not rows:
            start = x - card_width / 2
        # Cards of one rank have one centre; they stay together.
        elif x - rank > 1 and x + card_width / 2 - start > width:
            row, start = row + 1, x - card_width / 2
        rows[scene.cards[i].id], rank = row, x
    return _with_inputs(scene, rows)


def _with_inputs(scene: Scene, rows: dict[str, int]) -> dict[str, int]:
    """What goes in stands in the row of its first user; rows that are empty then are none."""
    users: dict[str, list[str]] = {}
    entered = set()
    for link in scene.links:
        early, late = _ends(link)
        users.setdefault(early, []).append(late)
        entered.add(late)
    rows = {
        card: row if card in entered or card not in users else min(rows[user] for user in users[card])
        for card, row in rows.items()
    }
    numbers = {row: number for number, row in enumerate(sorted(set(rows.values())))}
    return {card: numbers[row] for card, row in rows.items()}


def least_height(scene: Scene, layout: Layout, rows: dict[str, int]) -> float:
    """Px that the rows take at least: in each the cards of one rank stand one above the other."""
    stacks: dict[tuple[int, int], float] = {}
    for card, (x, _), (_, height) in zip(scene.cards, layout.centres, layout.sizes, strict=True):
        rank = (rows[card.id], round(x))
        stacks[rank] = stacks.get(rank, -BETWEEN) + height + BETWEEN
    tallest: dict[int, float] = {}
    for (row, _), height in stacks.items():
        tallest[row] = max(tallest.get(row, 0.0), height)
    return sum(tallest.values()) + GAP * (len(tallest) - 1)


def _ends(link: Link) -> tuple[str, str]:
    """What a link joins, in the direction of the layout."""
    return (link.dst, link.src) if link.reverse else (link.src, link.dst)


def row_scenes(scene: Scene, rows: dict[str, int]) -> tuple[Scene, ...]:
    """A scene for each row. A link to another row ends at a mark, and goes on from one there."""
    count = max(rows.values()) + 1
    cards: list[dict[str, Card]] = [{} for _ in range(count)]
    links: list[dict[str, Link]] = [{} for _ in range(count)]
    by_id = {card.id: card for card in scene.cards}
    for card in scene.cards:
        cards[rows[card.id]][card.id] = card
    for link in scene.links:
        early, late = _ends(link)
        i, j = rows[early], rows[late]
        if i == j:
            links[i][link.id] = link
            continue
        leaving, entering = f"{early}-to-{j}", f"{early}-from-{i}"
        cards[i].setdefault(leaving, _mark(leaving, by_id[early], f"to row {j + 1}"))
        cards[j].setdefault(entering, _mark(entering, by_id[early], f"from row {i + 1}"))
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


def _mark(ident: str, card: Card, where: str) -> Card:
    """A small card that stands for ``card`` where a link leaves a row or enters it."""
    title = card.rows[0].left if card.rows else ()
    name = tuple(replace(run, role="ink", room=MARK_ROOM) for run in title)
    rows = (Row(name), Row((Run(where, "muted"),)))
    return Card(ident, "box", rows, lane=20.0, title=f"{card.title}, {where}", emphasis="faint")


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
