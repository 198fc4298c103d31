"""A scene in its room: which way it runs, and where everything stands."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from graphlib import CycleError, TopologicalSorter

from msgspec.structs import replace

from autograd_tour.drawing.extents import note_size
from autograd_tour.drawing.fitting import MOST, Arrangement, Turn, cleared, fitting
from autograd_tour.drawing.large import pairs_of
from autograd_tour.drawing.layout import rough
from autograd_tour.drawing.paint import CAPTION_ROOM, MARGIN
from autograd_tour.drawing.room import SCREEN, Room, reached
from autograd_tour.drawing.sizes import card_width, fitted, smallest_text
from autograd_tour.drawing.svg import size_of
from autograd_tour.views.picture import Direction, Scene

__all__ = ["Arrangement", "Turn", "arrange", "arranged_for", "best_for", "turned"]

RANKS = 12.0
"""At least so far apart are two cards that follow one another, px."""


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

    With ``auto`` it runs from left to right if that fits the room, else as text is larger; one that is told
    from top to bottom stays so where text is large enough. Where text is smaller in the room than it is to
    be, the picture has less in it, unless it is to be ``whole``.

    Raises:
        EngineError: see :func:`autograd_tour.drawing.engine.lay_out`.
    """
    arrangement = _arranged(scene, turn, room, engine, timeout, whole=whole)
    reached(scene.title, arrangement.size, room, arrangement.layout.sizes)
    drawn = arrangement.scene
    left_out = (f"left out to fit: {', '.join(drawn.left_out)}",) if drawn.left_out else ()
    cards, text = len(scene.cards), smallest_text(drawn)
    note_size(arrangement.size, room, text, cards=cards, left_out=left_out)
    return arrangement


def arranged_for(
    scene: Scene, room: Room, turn: Turn = "auto", engine: str | None = None, timeout: float = 60.0
) -> Arrangement:
    """``scene`` as :func:`arrange` makes it fit ``room``, for whoever wants to know whether it does.

    Raises:
        EngineError: see :func:`autograd_tour.drawing.engine.lay_out`.
    """
    return _arranged(scene, turn, room, engine, timeout)


def best_for(
    scenes: Iterable[Scene],
    room: Room,
    turn: Turn = "auto",
    *,
    engine: str | None = None,
    timeout: float = 60.0,
) -> int:
    """The number of the first of ``scenes`` whose text is large enough in ``room``, or else of the best.

    Scenes of hundreds of cards are not looked at; if all are, it is the first.

    Raises:
        EngineError: see :func:`autograd_tour.drawing.engine.lay_out`.
    """
    several: list[Scene] = []

    def kept() -> Iterator[Scene]:
        for scene in scenes:
            several.append(scene)
            yield _in_column(scene, room)

    best = fitting(kept(), turn, room, engine, timeout)
    if best is None:
        return 0
    number, arrangement = best
    _recent.append((several[number], (turn, room, engine, timeout), arrangement))
    return number


def _arranged(
    scene: Scene, turn: Turn, room: Room | None, engine: str | None, timeout: float, *, whole: bool = False
) -> Arrangement:
    if room is None or room.endless:
        return cleared(_Engine(turn, engine, timeout, SCREEN).turned(scene))
    if whole or len(scene.cards) > MOST:
        return cleared(_Engine(turn, engine, timeout, room).turned(_in_column(scene, room)))
    key = (turn, room, engine, timeout)
    for recent, its_key, arrangement in _recent:
        if recent is scene and its_key == key:
            return arrangement
    best_for((scene,), room, turn, engine=engine, timeout=timeout)
    return _recent[-1][-1]


def _in_column(scene: Scene, room: Room) -> Scene:
    """``scene`` whose lines above and below take no more than a narrow ``room``."""
    width = room.width - 2 * room.margin - 2 * MARGIN
    return replace(scene, column=max(width, 1.0)) if width < CAPTION_ROOM else scene


_recent: deque[tuple[Scene, tuple[object, ...], Arrangement]] = deque(maxlen=4)
"""What was made to fit last: it takes several layouts, and a picture that is measured is drawn next."""


class _Engine:
    """Lays scenes out for a room."""

    def __init__(self, turn: Turn, engine: str | None, timeout: float, room: Room) -> None:
        self.turn, self.room = turn, room
        self.placed = partial(rough, engine=engine, timeout=timeout)

    def laid_out(self, ready: Scene, direction: Direction) -> Arrangement:
        scene = replace(ready, direction=direction)
        layout = self.placed(scene)
        return Arrangement(scene, layout, size_of(scene, layout))

    def turned(self, scene: Scene) -> Arrangement:
        """In the direction that was asked for, or else in that with the larger text."""
        ready = fitted(scene)  # once: texts have the same room in both directions
        if self.turn != "auto":
            return self.laid_out(ready, self.turn)
        if scene.direction == "TB":
            down = self.laid_out(ready, "TB")
            if self.room.text(down.size) >= self.room.least:
                return down
        return _larger(ready, partial(self.laid_out, ready), self.room)


def turned(scene: Scene, turn: Turn = "auto") -> Direction:
    """The direction of a scene that gets no places from us: what is longer than a screen is turned."""
    if turn != "auto":
        return turn
    if scene.direction == "TB":
        return "TB"
    return "LR" if _length(fitted(scene)) <= SCREEN.width else "TB"


def _larger(ready: Scene, laid_out: Callable[[Direction], Arrangement], room: Room) -> Arrangement:
    """From left to right if text is large enough so, else whichever makes it larger."""
    most = room.text((_length(ready), 1.0))
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
