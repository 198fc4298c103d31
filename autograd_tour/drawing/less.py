"""Less of a scene where room is short: shorter texts, then fewer rows, then no constants."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal

from msgspec.structs import replace

from autograd_tour.views.picture import Card, Row, Run, Scene

__all__ = ["stages"]

SHORTER = 0.6
"""What is left of the room that a text may take."""


def stages(scene: Scene) -> Iterator[Scene]:
    """The scene itself, then with less and less in it; a line below says what is left out."""
    yield scene
    if not scene.left_out:  # what is brief already is not cut
        scene = _shorter(scene)
        yield scene
    for name, reduction in _REDUCTIONS.items():
        less = reduction(scene)
        if less is not scene:
            scene = replace(less, left_out=(*less.left_out, name))
            yield scene


def _shorter(scene: Scene) -> Scene:
    """Every text that may be shortened gets less room, but for what a card is called."""
    cards = tuple(
        replace(card, rows=tuple(_shorter_row(row, titled=i == 0) for i, row in enumerate(card.rows)))
        for card in scene.cards
    )
    links = tuple(
        replace(link, label=replace(link.label, runs=_shorter_runs(link.label.runs))) for link in scene.links
    )
    return replace(scene, cards=cards, links=links)


def _shorter_row(row: Row, *, titled: bool) -> Row:
    return replace(
        row,
        left=row.left if titled else _shorter_runs(row.left),
        right=_shorter_runs(row.right),
        earlier=tuple((frame, _shorter_runs(runs)) for frame, runs in row.earlier),
        room=row.room * SHORTER,
    )


def _shorter_runs(runs: tuple[Run, ...]) -> tuple[Run, ...]:
    return tuple(_shorter_run(run) for run in runs)


def _shorter_run(run: Run) -> Run:
    if run.room:
        return replace(run, room=run.room * SHORTER)
    return replace(run, text=run.brief) if run.brief else run


def _without(scene: Scene, detail: Literal["code", "saved", "sign", "remark"]) -> Scene:
    """No row that tells ``detail``."""
    if not any(row.detail == detail for card in scene.cards for row in card.rows):
        return scene
    return replace(scene, cards=tuple(_card_without(card, detail) for card in scene.cards))


def _card_without(card: Card, detail: str) -> Card:
    return replace(card, rows=tuple(row for row in card.rows if row.detail != detail))


def _without_constants(scene: Scene, *, inputs: bool) -> Scene:
    """No constant that only goes in, but what was computed, and what is new or gone in a comparison.

    The tensors that the program works on stay, unless ``inputs`` go as well.
    """
    entered = {link.dst for link in scene.links}
    gone = {
        card.id
        for card in scene.cards
        if card.shape == "constant"
        and not card.emphasis
        and card.id not in entered
        and (inputs or not card.is_input)
    }
    if not gone or len(gone) == len(scene.cards):
        return scene
    return replace(
        scene,
        cards=tuple(card for card in scene.cards if card.id not in gone),
        links=tuple(link for link in scene.links if link.src not in gone),
    )


_REDUCTIONS: dict[str, Callable[[Scene], Scene]] = {
    "lines of code": lambda scene: _without(scene, "code"),
    "remarks": lambda scene: _without(scene, "remark"),
    "saved tensors": lambda scene: _without(scene, "saved"),
    "what signs say": lambda scene: _without(scene, "sign"),
    "constants": lambda scene: _without_constants(scene, inputs=False),
    "inputs": lambda scene: _without_constants(scene, inputs=True),
}
"""By what they leave out, each on top of those before it."""
