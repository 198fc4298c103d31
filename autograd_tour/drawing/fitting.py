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
ROWS, NARROW = 1.2, 1.05
"""Text so many times larger makes up for marks between rows, or for cards close to each other."""
HOPE, HOPE_OF_ROWS = 1.04, 1.005
"""A layout whose text is estimated to be too small by less than this may still do; rows seldom do."""


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

    ``text`` px is how large its text is by estimate, also where no picture is blown up so much.
    """

    number: int
    whole: Scene
    scenes: tuple[Scene, ...]
    spacing: Spacing
    text: float

    def wanted(self, room: Room) -> float:
        """How large its text is in ``room``, px, less what makes up for rows and narrow gaps."""
        less = ROWS if self.in_rows else NARROW if self.spacing == TIGHT else 1.0
        return min(self.text, room.most) / less

    @property
    def form(self) -> tuple[bool, str]:
        """What is estimated too high or too low alike: rows or not, and the direction."""
        return self.in_rows, self.whole.direction

    @property
    def in_rows(self) -> bool:
        """Whether it is drawn in several rows."""
        return len(self.scenes) > 1

    def laid_out(self, engine: str | None, timeout: float) -> Arrangement:
        """With the places that the engine finds."""
        if not self.in_rows:
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
        if attempts.hope(way) < room.least - ROUNDING:
            pending.append(way)
        elif attempts.reach(way):
            return attempts.drawn()
    while pending and attempts.count < LAYOUTS:
        way = max(pending, key=attempts.hope)
        if attempts.best is not None and attempts.hope(way) <= GAIN * attempts.best_text:
            break
        pending.remove(way)
        attempts.reach(way)
    return attempts.drawn()


class _Attempts:
    """What was laid out so far, the ``best`` of it, and what that tells of estimates."""

    def __init__(self, room: Room, engine: str | None, timeout: float) -> None:
        self.room, self.engine, self.timeout = room, engine, timeout
        self.count, self.best_text = 0, 0.0
        self.best: tuple[int, Arrangement] | None = None
        self.ratios: dict[tuple[bool, str], list[float]] = {}
        self.last: tuple[Scene | None, float] = None, 1.0

    def hope(self, way: _Way) -> float:
        """How large the text of ``way`` may be, px, as far as those tell that were drawn like it."""
        trust = self._trust(way)
        return way.text * (0.97 * trust if self.count == LAYOUTS - 1 else trust)  # the last one is to do

    def _trust(self, way: _Way) -> float:
        if way.whole is self.last[0] and not way.in_rows:  # the same with other gaps
            return self.last[1]
        ratios = self.ratios.get(way.form, [])
        if len(ratios) < 2:  # one alone may have been an exception
            ratios = [*ratios, HOPE_OF_ROWS if way.in_rows else HOPE]
        return sum(ratios) / len(ratios)

    def reach(self, way: _Way) -> bool:
        """Whether ``way``, laid out, has text that is large enough, or no more may be laid out."""
        arrangement = way.laid_out(self.engine, self.timeout)
        if self._large_enough(self.room.text(arrangement.size)):
            arrangement = self._cleared(arrangement)
        text = self.room.text(arrangement.size)
        if self._large_enough(text) or text > GAIN * self.best_text:
            self.best, self.best_text = (way.number, arrangement), text
        self.count += 1
        ratio = replace(self.room, most=math.inf).text(arrangement.size) / way.text
        self.ratios.setdefault(way.form, []).append(ratio)
        self.last = way.whole, ratio
        return self._large_enough(text) or self.count == LAYOUTS

    def drawn(self) -> tuple[int, Arrangement] | None:
        """The best, cleared: what is too small was not, until nothing better came."""
        if self.best is None or self._large_enough(self.best_text):
            return self.best
        number, arrangement = self.best
        return number, cleared(arrangement, growing=False)

    def _large_enough(self, text: float) -> bool:
        return text >= self.room.least - ROUNDING

    def _cleared(self, arrangement: Arrangement) -> Arrangement:
        """Lines get room of their own where text stays large enough for it."""
        grown = cleared(arrangement)
        if self._large_enough(self.room.text(grown.size)):
            return grown
        return cleared(arrangement, growing=False)


def _ways(scenes: Iterable[Scene], turn: Turn, room: Room) -> Iterator[_Way]:
    """The ways to draw ``scenes`` that may do, in the order in which they are wanted; then the other rows."""
    widest: tuple[float, int, Scene, Measured] | None = None
    short: list[tuple[float, _Rows]] = []
    for number, scene in _stages(scenes):
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


def _stages(scenes: Iterable[Scene]) -> Iterator[tuple[int, Scene]]:
    """Each of ``scenes`` with less and less in it, and its number.

    Without what it is given, its constants, a scene comes last: one that is brief, with them, says more.
    """
    without: list[tuple[int, Scene]] = []
    for number, whole in enumerate(scenes):
        for scene in stages(whole) if len(whole.cards) <= MOST else ():
            if len(scene.cards) < len(whole.cards) and not whole.left_out:
                without.append((number, scene))
            else:
                yield number, scene
    yield from without


def _of_stage(
    number: int, ready: Scene, across: Measured, turn: Turn, room: Room, short: list[tuple[float, _Rows]]
) -> Iterator[_Way]:
    """The ways to draw one scene; rows whose text is too small for sure are not made, and go to ``short``."""
    directions: tuple[Direction, ...] = ("LR", "TB") if turn == "auto" else (turn,)
    if turn == "auto" and ready.direction == "TB":
        directions = ("TB", "LR")
    straight = [replace(across, scene=replace(ready, direction=direction)) for direction in directions]
    ways = [
        _Way(
            number, cards.scene, (cards.scene,), spacing, _text(cards.scene, estimated(cards, spacing), room)
        )
        for spacing in (USUAL, TIGHT)
        for cards in straight
    ]
    several = (
        [(rows.most_text(room), rows) for rows in _Rows.of(number, across)] if "LR" in directions else []
    )
    largest = min(max((most for most, _ in several), default=0.0), room.most) / ROWS
    yield from sorted((way for way in ways if way.wanted(room) >= largest), key=lambda way: -way.wanted(room))
    short += [(most, rows) for most, rows in several if most * HOPE_OF_ROWS < room.least]
    ways = [way for way in ways if way.wanted(room) < largest]
    ways += _wraps([(most, rows) for most, rows in several if most * HOPE_OF_ROWS >= room.least], room)
    yield from sorted(ways, key=lambda way: -way.wanted(room))


def _wraps(several: Iterable[tuple[float, _Rows]], room: Room) -> list[_Way]:
    """The two of ``several`` rows, each with the largest text there can be, whose text is largest."""
    wraps: list[_Way] = []
    for most, rows in sorted(several, key=lambda pair: -pair[0]):
        if len(wraps) < 2 or most > wraps[-1].text:
            wraps = sorted([*wraps, rows.way(room)], key=lambda way: -way.text)[:2]
    return wraps


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
    return replace(room, most=math.inf).text(size_of(scene, Layout(*size, (), (), ())))


def _most_text(cards: Measured, room: Room) -> float:
    """No text can be larger than this, however the cards stand."""
    inner = (room.width - 2 * room.margin) * (room.height - 2 * room.margin)
    return BODY * math.sqrt(inner / max(least_area(cards, TIGHT), 4 * MARGIN**2))
