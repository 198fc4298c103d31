"""A picture of an opened card: what is around it steps back, so that nobody takes it for its inside."""

from __future__ import annotations

from collections.abc import Collection

from msgspec.structs import replace

from autograd_tour.views.picture import Card, Link, Row, Run, Scene

__all__ = ["stepped_back"]


def stepped_back(scene: Scene, inside: Collection[str]) -> Scene:
    """``scene`` with every card grey and dashed but those with ids in ``inside``; links between them thin.

    What is not finite stays red: it is no less wrong outside.
    """
    cards = tuple(card if card.id in inside else _card(card) for card in scene.cards)
    links = tuple(link if {link.src, link.dst} & set(inside) else _link(link) for link in scene.links)
    return replace(scene, cards=cards, links=links)


def _card(card: Card) -> Card:
    return replace(
        card,
        rows=tuple(map(_row, card.rows)),
        emphasis="faint",
        title=f"{card.title}, outside the opened card",
    )


def _row(row: Row) -> Row:
    return replace(
        row,
        left=_grey(row.left),
        right=_grey(row.right),
        fill="constant_fill" if row.fill else None,
        earlier=tuple((since, _grey(runs)) for since, runs in row.earlier),
    )


def _link(link: Link) -> Link:
    emphasis = link.emphasis if link.emphasis == "alarm" else "faint"
    return replace(link, label=replace(link.label, runs=_grey(link.label.runs)), emphasis=emphasis)


def _grey(runs: tuple[Run, ...]) -> tuple[Run, ...]:
    return tuple(run if run.role == "error" else replace(run, role="muted") for run in runs)
