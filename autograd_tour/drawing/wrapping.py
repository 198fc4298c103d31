"""A long scene in strips, with marks where it goes on: rows one below the other, or columns side by side."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence

from msgspec.structs import replace

from autograd_tour.drawing.cutting import GAPS, MARK_ROOM, ends_of
from autograd_tour.drawing.layout import Course, Layout, Point
from autograd_tour.drawing.metrics import fit
from autograd_tour.views.picture import Card, Direction, Frame, Label, Link, Row, Run, Scene

__all__ = ["side_by_side", "strip_scenes"]

WORDS: dict[Direction, str] = {"LR": "row", "TB": "column"}


def strip_scenes(scene: Scene, strips: Mapping[str, int]) -> tuple[Scene, ...]:
    """A scene for each strip. A link to another strip ends at a mark, and goes on from one there."""
    count, word = max(strips.values()) + 1, WORDS[scene.direction]
    cards: list[dict[str, Card]] = [{} for _ in range(count)]
    links: list[dict[str, Link]] = [{} for _ in range(count)]
    by_id = {card.id: card for card in scene.cards}
    crossing = {early for early, late in map(ends_of, scene.links) if strips[early] != strips[late]}
    texts = _mark_texts([by_id[card] for card in sorted(crossing)])
    for card in scene.cards:
        cards[strips[card.id]][card.id] = card
    for link in scene.links:
        early, late = ends_of(link)
        i, j = strips[early], strips[late]
        if i == j:
            links[i][link.id] = link
            continue
        leaving, entering = f"{early}-to-{j}", f"{early}-from-{i}"
        if any(entering in strip for k, strip in enumerate(cards) if k != j):
            entering += f"-in-{j}"  # it enters several
        cards[i].setdefault(leaving, _mark(leaving, by_id[early], texts[early], f"to {word} {j + 1}"))
        cards[j].setdefault(entering, _mark(entering, by_id[early], texts[early], f"from {word} {i + 1}"))
        links[j][link.id] = _onto(link, entering, into=False)
        there = replace(_onto(link, leaving, into=True), id=f"{leaving}-{link.flow}")
        # Several gradients may come back over one mark: their numbers stand where they come from.
        tag = Label() if there.id in links[i] else replace(link.label, runs=())
        since = max(link.since, links[i][there.id].since if there.id in links[i] else 0)
        links[i][there.id] = replace(there, label=tag, since=since)
    return tuple(
        replace(
            scene,
            cards=tuple(cards[strip].values()),
            links=tuple(links[strip].values()),
            frames=tuple(_frames_in(scene.frames, cards[strip])),
        )
        for strip in range(count)
    )


def _frames_in(frames: Sequence[Frame], cards: Collection[str]) -> Iterator[Frame]:
    """The frames around what of theirs stands in a strip of ``cards``, ids."""
    for frame in frames:
        inside = tuple(card for card in frame.cards if card in cards)
        if inside:
            yield replace(frame, cards=inside)


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
    """A small card that stands for ``card`` where a link leaves a strip or enters it."""
    rows = (Row((Run(text, bold=True),), height=17), Row((Run(where, "muted"),), height=17))
    return Card(ident, "box", rows, lane=17.0, title=f"{card.title}, {where}", minimum=0, emphasis="faint")


def side_by_side(scene: Scene, scenes: Sequence[Scene], layouts: Sequence[Layout]) -> tuple[Scene, Layout]:
    """The strips as one scene, rows one below the other, with what the whole ``scene`` says of itself."""
    down = scene.direction == "LR"
    start, length = 0.0, 0.0
    centres: list[Point] = []
    courses: list[Course | None] = []
    for layout in layouts:
        by = (0.0, start) if down else (start, 0.0)
        centres += [_moved(centre, by) for centre in layout.centres]
        courses += [course and _moved_course(course, by) for course in layout.courses]
        along, across = (layout.width, layout.height) if down else (layout.height, layout.width)
        length, start = max(length, along), start + across + GAPS[scene.direction]
    whole = replace(
        scene,
        cards=tuple(card for strip in scenes for card in strip.cards),
        links=tuple(link for strip in scenes for link in strip.links),
        frames=tuple(frame for strip in scenes for frame in strip.frames),
    )
    sizes = tuple(size for layout in layouts for size in layout.sizes)
    size = (length, start - GAPS[scene.direction])
    width, height = size if down else size[::-1]
    return whole, Layout(width, height, tuple(centres), sizes, tuple(courses))


def _moved(point: Point, by: Point) -> Point:
    return (point[0] + by[0], point[1] + by[1])


def _moved_course(course: Course, by: Point) -> Course:
    return Course(
        tuple(_moved(point, by) for point in course.points),
        course.tip and _moved(course.tip, by),
        course.label and _moved(course.label, by),
    )
