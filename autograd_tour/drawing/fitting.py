"""What is drawn where room is short: the first of many ways to draw it whose text is large enough.

The ways are tried in order: turned, in rows, then the same with less in it. Which of them may do is told
by an estimate; only a few are laid out, since that is what takes time.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Literal, Self

from msgspec import Struct
from msgspec.structs import replace

from autograd_tour.drawing.dot import TIGHT, USUAL, Spacing
from autograd_tour.drawing.estimate import Measured, estimated, least_area, measured
from autograd_tour.drawing.layout import Layout, Point, finished, rough, rough_each
from autograd_tour.drawing.less import stages
from autograd_tour.drawing.paint import MARGIN
from autograd_tour.drawing.room import BODY, ROUNDING, Room
from autograd_tour.drawing.sizes import fitted
from autograd_tour.drawing.svg import size_of
from autograd_tour.drawing.wrapping import GAP, least_size, row_scenes, rows_of, stacked
from autograd_tour.views.picture import Direction, Scene

__all__ = ["LAYOUTS", "MOST", "Arrangement", "Turn", "cleared", "fitting"]

Turn = Literal["auto", "LR", "TB"]

LAYOUTS = 4
"""So many layouts at most are made to find what fits."""
MOST = 120
"""Cards of the largest scene that is looked at in many ways."""
MOST_ROWS = 7
GAIN = 1.03
"""Text that is larger by less than this is not worth what was left out for it."""
HOPE = 1.04
"""A layout whose text is estimated to be too small by less than this may still do."""


class Arrangement(Struct, frozen=True):
    """A scene whose texts have their room, with its places; ``size`` px is that of the whole picture."""

    scene: Scene
    layout: Layout
    size: Point


def cleared(arrangement: Arrangement, *, growing: bool = True) -> Arrangement:
    """With lines and labels clear of each other, which takes a little more room if it is ``growing``."""
    layout = finished(arrangement.scene, arrangement.layout, growing=growing)
    return Arrangement(arrangement.scene, layout, size_of(arrangement.scene, layout))


class _Way(Struct, frozen=True):
    """One way to draw scene ``number``: in ``scenes``, one below the other if there are several.

    ``text`` px is how large its text is by estimate.
    """

    number: int
    whole: Scene
    scenes: tuple[Scene, ...]
    spacing: Spacing
    text: float

    @property
    def form(self) -> tuple[bool, str]:
        """What is estimated too high or too low alike: rows or not, and the direction."""
        return len(self.scenes) > 1, self.whole.direction

    def laid_out(self, engine: str | None, timeout: float) -> Arrangement:
        """With the places that the engine finds."""
        if len(self.scenes) == 1:
            layout = rough(self.whole, engine, timeout, self.spacing)
            return Arrangement(self.whole, layout, size_of(self.whole, layout))
        layouts = rough_each(self.scenes, engine, timeout, self.spacing)
        whole, layout = stacked(self.whole, self.scenes, layouts)
        return Arrangement(whole, layout, size_of(whole, layout))


def fitting(
    scenes: Iterable[Scene], turn: Turn, room: Room, engine: str | None, timeout: float
) -> tuple[int, Arrangement] | None:
    """The first of ``scenes`` whose text is large enough in ``room``, by its number, or else the best.

    ``None`` if all have more than :data:`MOST` cards.

    Raises:
        EngineError: see :func:`autograd_tour.drawing.engine.lay_out`.
    """
    attempts = _Attempts(room, engine, timeout)
    pending: list[_Way] = []
    for way in _ways(scenes, turn, room):
        if attempts.hope(way) < room.least:
            pending.append(way)
        elif attempts.reach(way):
            return attempts.best
    while pending and attempts.count < LAYOUTS:
        way = max(pending, key=attempts.hope)
        if attempts.best is not None and attempts.hope(way) <= GAIN * attempts.best_text:
            break
        pending.remove(way)
        attempts.reach(way)
    return attempts.best


class _Attempts:
    """What was laid out so far, the ``best`` of it, and what that tells of estimates."""

    def __init__(self, room: Room, engine: str | None, timeout: float) -> None:
        self.room, self.engine, self.timeout = room, engine, timeout
        self.count, self.best_text = 0, 0.0
        self.best: tuple[int, Arrangement] | None = None
        self.trust: dict[tuple[bool, str], float] = {}

    def hope(self, way: _Way) -> float:
        """How large the text of ``way`` may be, px, as far as those tell that were drawn like it."""
        trust = self.trust.get(way.form, HOPE)
        return way.text * (0.97 * trust if self.count == LAYOUTS - 1 else trust)  # the last one is to do

    def reach(self, way: _Way) -> bool:
        """Whether ``way``, laid out, has text that is large enough, or no more may be laid out."""
        arrangement = self._cleared(way.laid_out(self.engine, self.timeout))
        text = self.room.text(arrangement.size)
        if self._large_enough(text) or text > GAIN * self.best_text:
            self.best, self.best_text = (way.number, arrangement), text
        self.count += 1
        self.trust[way.form] = (self.trust.get(way.form, HOPE) + text / way.text) / 2
        return self._large_enough(text) or self.count == LAYOUTS

    def _large_enough(self, text: float) -> bool:
        return text >= self.room.least - ROUNDING

    def _cleared(self, arrangement: Arrangement) -> Arrangement:
        """Lines get room of their own where text stays large enough for it."""
        if self._large_enough(self.room.text(arrangement.size)):
            grown = cleared(arrangement)
            if self._large_enough(self.room.text(grown.size)):
                return grown
        return cleared(arrangement, growing=False)


def _ways(scenes: Iterable[Scene], turn: Turn, room: Room) -> Iterator[_Way]:
    """The ways to draw ``scenes`` that may do, in the order in which they are wanted; then the other rows."""
    widest: tuple[float, int, Scene, Measured] | None = None
    short: list[tuple[float, _Rows]] = []
    for number, whole in enumerate(scenes):
        if len(whole.cards) > MOST:
            continue
        for scene in stages(whole):
            ready = fitted(scene)
            across = measured(replace(ready, direction="LR"))
            most = _most_text(across, room)
            if most * HOPE >= room.least:
                yield from _of_stage(number, ready, across, turn, room, short)
            elif widest is None or most > GAIN * widest[0]:
                widest = most, number, ready, across
    if widest is not None:  # nothing can be read; of what cannot this comes nearest
        yield from _of_stage(*widest[1:], turn, room, short)
    best = 0.0
    for most, rows in sorted(short, key=lambda pair: -pair[0]):
        if most <= best:
            return
        way = rows.way(room)
        best = max(best, way.text)
        yield way


def _of_stage(
    number: int, ready: Scene, across: Measured, turn: Turn, room: Room, short: list[tuple[float, _Rows]]
) -> Iterator[_Way]:
    """The ways to draw one scene; rows whose text is too small for sure are not made, and go to ``short``."""
    directions: tuple[Direction, ...] = ("LR", "TB") if turn == "auto" else (turn,)
    if turn == "auto" and ready.direction == "TB":
        directions = ("TB", "LR")
    straight = [replace(across, scene=replace(ready, direction=direction)) for direction in directions]
    for spacing in (USUAL, TIGHT):
        for cards in straight:
            text = _text(cards.scene, estimated(cards, spacing), room)
            yield _Way(number, cards.scene, (cards.scene,), spacing, text)
    if "LR" not in directions:
        return
    wraps = []
    for rows in _Rows.of(number, across):
        most = rows.most_text(room)
        if most * HOPE >= room.least:
            wraps.append(rows.way(room))
        else:
            short.append((most, rows))
    yield from sorted(wraps, key=lambda way: -way.text)[:2]


class _Rows(Struct, frozen=True):
    """Scene ``number`` in rows that have not been made yet: which card would stand in which."""

    number: int
    across: Measured
    rows: dict[str, int]

    @classmethod
    def of(cls, number: int, across: Measured) -> Iterator[Self]:
        """Two rows, three, and so on, each number once."""
        seen = {1}
        for count in range(2, MOST_ROWS + 1):
            rows = rows_of(across, count, TIGHT)
            several = max(rows.values(), default=0) + 1
            if several not in seen:
                seen.add(several)
                yield cls(number, across, rows)

    def most_text(self, room: Room) -> float:
        """No text can be larger than this, px: it is that without lines, labels and marks."""
        return _text(self.across.scene, least_size(self.across, self.rows, TIGHT), room)

    def way(self, room: Room) -> _Way:
        """The rows, with marks where they go on, and how large their text is by estimate."""
        across = self.across
        sizes = {card.id: size for card, size in zip(across.scene.cards, across.sizes, strict=True)}
        scenes = row_scenes(across.scene, self.rows)
        taken = [estimated(measured(scene, sizes), TIGHT) for scene in scenes]
        size = max(width for width, _ in taken), sum(height for _, height in taken) + GAP * (len(taken) - 1)
        return _Way(self.number, across.scene, scenes, TIGHT, _text(across.scene, size, room))


def _text(scene: Scene, size: Point, room: Room) -> float:
    """How large text is, px, if what is drawn of ``scene`` takes ``size`` px without margins and lines."""
    return room.text(size_of(scene, Layout(*size, (), (), ())))


def _most_text(cards: Measured, room: Room) -> float:
    """No text can be larger than this, however the cards stand."""
    inner = (room.width - 2 * room.margin) * (room.height - 2 * room.margin)
    return BODY * math.sqrt(inner / max(least_area(cards, TIGHT), 4 * MARGIN**2))
