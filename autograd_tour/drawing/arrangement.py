"""A scene in its room: which way it runs, and where everything stands."""

from __future__ import annotations

from collections.abc import Callable
from graphlib import CycleError, TopologicalSorter
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from autograd_tour.drawing.large import pairs_of
from autograd_tour.drawing.layout import Layout, Point, place
from autograd_tour.drawing.room import SCREEN, Room, reached
from autograd_tour.drawing.sizes import card_width, fitted
from autograd_tour.drawing.svg import size_of
from autograd_tour.views.picture import Direction, Scene

__all__ = ["Arrangement", "Turn", "arrange", "turned"]

Turn = Literal["auto", "LR", "TB"]
"""A direction, or ``auto``: from left to right if that fits the room, else as text is larger.

A scene that is told from top to bottom stays so where no room asks for more.
"""
RANKS = 12.0
"""At least so far apart are two cards that follow one another, px."""


class Arrangement(Struct, frozen=True):
    """A scene whose texts have their room, with its places; ``size`` px is that of the whole picture."""

    scene: Scene
    layout: Layout
    size: Point


def arrange(
    scene: Scene,
    turn: Turn = "auto",
    *,
    room: Room | None = None,
    engine: str | None = None,
    timeout: float = 60.0,
) -> Arrangement:
    """Give everything in ``scene`` its place, in a picture made for ``room``.

    Raises:
        EngineError: see :func:`autograd_tour.drawing.engine.lay_out`.
    """

    def laid_out(direction: Direction) -> Arrangement:
        ready = fitted(replace(scene, direction=direction))
        layout = place(ready, engine, timeout)
        return Arrangement(ready, layout, size_of(ready, layout))

    bounds = room if room is not None and not room.endless else None
    if turn == "auto" and bounds is None and scene.direction == "TB":
        turn = "TB"
    arrangement = laid_out(turn) if turn != "auto" else _larger(scene, laid_out, bounds or SCREEN)
    reached(scene.title, arrangement.size, room)
    return arrangement


def turned(scene: Scene, turn: Turn = "auto") -> Direction:
    """The direction of a scene that gets no places from us: what is longer than a screen is turned."""
    if turn != "auto":
        return turn
    if scene.direction == "TB":
        return "TB"
    return "LR" if _length(fitted(scene)) <= SCREEN.width else "TB"


def _larger(scene: Scene, laid_out: Callable[[Direction], Arrangement], room: Room) -> Arrangement:
    """From left to right if text is large enough so, else whichever makes it larger."""
    most = room.text((_length(fitted(scene)), 1.0))
    down = laid_out("TB") if most < room.least else None
    if down is not None and room.text(down.size) >= most:
        return down  # a layout of hundreds of cards takes its time, and this one is not needed
    across = laid_out("LR")
    if room.text(across.size) >= room.least:
        return across
    down = down or laid_out("TB")
    return down if room.text(down.size) > room.text(across.size) else across


def _length(scene: Scene) -> float:
    """Px that the scene takes from left to right at least: its longest way, without labels.

    What stands on a loop has no longest way, and counts nothing.
    """
    widths = [card_width(card) for card in scene.cards]
    before: dict[int, set[int]] = {card: set() for card in range(len(widths))}
    for a, b in pairs_of(scene):
        before[b].add(a)
    ends = [0.0] * len(widths)
    try:
        for card in TopologicalSorter(before).static_order():
            ends[card] = widths[card] + max((ends[a] + RANKS for a in before[card]), default=0.0)
    except CycleError:
        return 0.0
    return max(ends, default=0.0)
