"""A scene in its room: which way it runs, and where everything stands."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from graphlib import CycleError, TopologicalSorter
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from autograd_tour.drawing.extents import note_size
from autograd_tour.drawing.large import pairs_of
from autograd_tour.drawing.layout import Layout, Point, place
from autograd_tour.drawing.less import stages
from autograd_tour.drawing.paint import MARGIN
from autograd_tour.drawing.room import BODY, SCREEN, Room, reached
from autograd_tour.drawing.sizes import card_width, fitted, smallest_text
from autograd_tour.drawing.svg import size_of
from autograd_tour.drawing.wrapping import MARKS, least_height, row_scenes, rows_of, stacked
from autograd_tour.views.picture import Direction, Scene

__all__ = ["WORTH", "Arrangement", "Turn", "arrange", "text_in", "turned"]

Turn = Literal["auto", "LR", "TB"]
"""A direction, or ``auto``: from left to right if that fits the room, else as text is larger.

A scene that is told from top to bottom stays so where text is large enough in its room.
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
    arrangement = _arranged(scene, turn, room, engine, timeout, whole=whole)
    reached(scene.title, arrangement.size, room, arrangement.layout.sizes)
    drawn = arrangement.scene
    left_out = tuple(line for line in drawn.notes if line not in scene.notes)
    cards, text = len(scene.cards), smallest_text(drawn)
    note_size(arrangement.size, room, text, cards=cards, left_out=left_out)
    return arrangement


def text_in(
    scene: Scene, room: Room, turn: Turn = "auto", *, engine: str | None = None, timeout: float = 60.0
) -> float:
    """How large text would be, px, if ``scene`` were drawn for ``room``.

    Raises:
        EngineError: see :func:`autograd_tour.drawing.engine.lay_out`.
    """
    return room.text(_arranged(scene, turn, room, engine, timeout).size)


def _arranged(
    scene: Scene, turn: Turn, room: Room | None, engine: str | None, timeout: float, *, whole: bool = False
) -> Arrangement:
    if room is None or room.endless:
        return _Engine(turn, engine, timeout, SCREEN).turned(scene)
    if whole or len(scene.cards) > MOST:
        return _Engine(turn, engine, timeout, room).turned(scene)
    key = (turn, room, engine, timeout)
    for recent, its_key, arrangement in _recent:
        if recent is scene and its_key == key:
            return arrangement
    arrangement = _Engine(turn, engine, timeout, room).fitting(scene)
    _recent.append((scene, key, arrangement))
    return arrangement


_recent: deque[tuple[Scene, tuple[object, ...], Arrangement]] = deque(maxlen=4)
"""What was made to fit last: it takes many layouts, and a picture that is measured is drawn next."""


class _Engine:
    """Lays scenes out for a room."""

    def __init__(self, turn: Turn, engine: str | None, timeout: float, room: Room) -> None:
        self.turn, self.room = turn, room
        self.placed = partial(place, engine=engine, timeout=timeout)

    def laid_out(self, scene: Scene, direction: Direction) -> Arrangement:
        ready = fitted(replace(scene, direction=direction))
        layout = self.placed(ready)
        return Arrangement(ready, layout, size_of(ready, layout))

    def turned(self, scene: Scene) -> Arrangement:
        """In the direction that was asked for, or else in that with the larger text."""
        if self.turn != "auto":
            return self.laid_out(scene, self.turn)
        if scene.direction == "TB":
            down = self.laid_out(scene, "TB")
            if self.room.text(down.size) >= self.room.least:
                return down
        return _larger(scene, partial(self.laid_out, scene), self.room)

    def fitting(self, scene: Scene) -> Arrangement:
        """With less in it, and then in rows, where text would be too small."""
        arrangement = _largest(self.room, map(self.turned, stages(scene))) or self.turned(scene)
        text = self.room.text(arrangement.size)
        if self.turn == "TB" or text >= self.room.least:
            return arrangement
        across = (self.laid_out(stage, "LR") for stage in stages(scene))
        wraps = (
            wrap for straight in across for wrap in _wraps(straight, self.room, WORTH * text, self.placed)
        )
        return _largest(self.room, wraps, WORTH * text) or arrangement


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
