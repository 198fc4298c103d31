"""A scene in its room: which way it runs, and where everything stands."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from graphlib import CycleError, TopologicalSorter
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from autograd_tour.drawing.large import pairs_of
from autograd_tour.drawing.layout import Layout, Point, place
from autograd_tour.drawing.less import stages
from autograd_tour.drawing.paint import MARGIN
from autograd_tour.drawing.room import BODY, SCREEN, Room, reached
from autograd_tour.drawing.sizes import card_width, fitted
from autograd_tour.drawing.svg import size_of
from autograd_tour.drawing.wrapping import MARKS, least_height, row_scenes, rows_of, stacked
from autograd_tour.views.picture import Direction, Scene

__all__ = ["Arrangement", "Turn", "arrange", "turned"]

Turn = Literal["auto", "LR", "TB"]
"""A direction, or ``auto``: from left to right if that fits the room, else as text is larger.

A scene that is told from top to bottom stays so where no room asks for more.
"""
MOST = 120
"""Cards of the largest scene that is laid out again and again to find what fits."""
GAIN = 1.03
"""Text that is larger by less than this is not worth what was left out for it."""
WORTH = 1.25
"""And rows, which a reader has to follow from one to the next, are to be worth more."""
SHARES = (1.1, 1.0, 0.92, 0.85, 0.7, 0.55, 0.4, 0.3, 0.2)
"""Of the text that is to be reached: a room that is too low for rows of large text has some of smaller."""
MOST_ROWS = 8
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
    whole: bool = False,
) -> Arrangement:
    """Give everything in ``scene`` its place, in a picture made for ``room``.

    Where text is smaller there than it is to be, the picture has less in it, unless it is to be ``whole``.

    Raises:
        EngineError: see :func:`autograd_tour.drawing.engine.lay_out`.
    """

    def laid_out(scene: Scene, direction: Direction) -> Arrangement:
        ready = fitted(replace(scene, direction=direction))
        layout = place(ready, engine, timeout)
        return Arrangement(ready, layout, size_of(ready, layout))

    bounds = room if room is not None and not room.endless else None

    def turned_to(scene: Scene) -> Arrangement:
        if turn != "auto":
            return laid_out(scene, turn)
        if bounds is None and scene.direction == "TB":
            return laid_out(scene, "TB")
        return _larger(scene, partial(laid_out, scene), bounds or SCREEN)

    def in_rows(room: Room, worth: float) -> Arrangement | None:
        placed = partial(place, engine=engine, timeout=timeout)
        across = (laid_out(stage, "LR") for stage in stages(scene))
        wraps = (wrap for straight in across for wrap in _wraps(straight, room, worth, placed))
        return _largest(room, wraps, worth)

    if bounds is None or whole or len(scene.cards) > MOST:
        arrangement = turned_to(scene)
    else:
        arrangement = _largest(bounds, map(turned_to, stages(scene))) or turned_to(scene)
        text = bounds.text(arrangement.size)
        if turn != "TB" and text < bounds.least:
            arrangement = in_rows(bounds, WORTH * text) or arrangement
    reached(scene.title, arrangement.size, room)
    return arrangement


def turned(scene: Scene, turn: Turn = "auto") -> Direction:
    """The direction of a scene that gets no places from us: what is longer than a screen is turned."""
    if turn != "auto":
        return turn
    if scene.direction == "TB":
        return "TB"
    return "LR" if _length(fitted(scene)) <= SCREEN.width else "TB"


def _largest(room: Room, arrangements: Iterable[Arrangement], worth: float = 0.0) -> Arrangement | None:
    """The first whose text is large enough, or else where it is largest, if it is more than ``worth`` px."""
    best = None
    for arrangement in arrangements:
        text = room.text(arrangement.size)
        if text >= room.least:
            return arrangement
        if text > worth:
            best, worth = arrangement, GAIN * text
    return best


def _wraps(
    across: Arrangement, room: Room, worth: float, placed: Callable[[Scene], Layout]
) -> Iterator[Arrangement]:
    """What runs from left to right in rows, as wide as the room is for ever smaller text.

    Rows in which text can only be smaller than ``worth`` px, and too small, are not laid out.
    """
    scene, seen = across.scene, {1}
    for share in SHARES:
        scale = share * room.least / BODY
        inner = (room.width - 2 * room.margin) / scale - 2 * MARGIN
        rows = rows_of(scene, across.layout, inner - MARKS)
        count = max(rows.values(), default=0) + 1
        if count in seen or count > MOST_ROWS:
            continue
        seen.add(count)
        if room.text((1.0, least_height(scene, across.layout, rows) + 2 * MARGIN)) <= min(worth, room.least):
            continue
        scenes = tuple(map(fitted, row_scenes(scene, rows)))
        whole, layout = stacked(scene, scenes, tuple(map(placed, scenes)))
        yield Arrangement(whole, layout, size_of(whole, layout))


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
