"""What is drawn where room is short: the first of many ways to draw it whose text is large enough.

The ways are tried in order: turned, in rows, then the same with less in it. Which of them may do is told
by an estimate; only a few are laid out, since that is what takes time.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, Self

from msgspec import Struct
from msgspec.structs import replace

from autograd_tour.drawing.cutting import GAPS, Cuts
from autograd_tour.drawing.dot import TIGHT, USUAL, Spacing
from autograd_tour.drawing.estimate import Measured, estimated, least_area, measured
from autograd_tour.drawing.layout import Layout, Point, finished, rough, rough_each
from autograd_tour.drawing.less import stages
from autograd_tour.drawing.paint import MARGIN
from autograd_tour.drawing.room import BODY, ROUNDING, Room
from autograd_tour.drawing.sizes import fitted
from autograd_tour.drawing.svg import size_of
from autograd_tour.drawing.wrapping import side_by_side, strip_scenes
from autograd_tour.views.picture import Direction, Scene

__all__ = ["LAYOUTS", "MOST", "Arrangement", "Turn", "cleared", "fitting"]

Turn = Literal["auto", "LR", "TB"]

LAYOUTS = 4
"""So many layouts at most are made to find what fits."""
MOST = 120
"""Cards of the largest scene that is looked at in many ways."""
GAIN = 1.03
"""Text that is larger by less than this is not worth what was left out for it."""
STRIPS, NARROW = 1.25, 1.05
"""Text so many times larger makes up for marks between strips, or for cards close to each other."""
JUMP = 0.02
"""So much larger must text be for a strip more: the eye has to find where it goes on."""
NEAR = 1.1
"""So much larger text may be in strips than it seems before they are made."""
HOPE, HOPE_OF_STRIPS = 1.01, 0.995
"""So much larger than it is estimated to be text may turn out; in strips it is rather smaller."""


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
    """One way to draw scene ``number``: in ``scenes``, rows or columns if there are several.

    ``text`` px is how large its text is by estimate, also where no picture is blown up so much.
    """

    number: int
    whole: Scene
    scenes: tuple[Scene, ...]
    spacing: Spacing
    text: float

    def wanted(self, room: Room) -> float:
        """How large its text is in ``room``, px, less what makes up for strips and narrow gaps."""
        text, several = min(self.text, room.most), len(self.scenes)
        if several > 1:
            return text * (1 - JUMP * several) / STRIPS
        return text / (NARROW if self.spacing == TIGHT else 1.0)

    @property
    def form(self) -> tuple[bool, str]:
        """What is estimated too high or too low alike: in strips or not, and the direction."""
        return len(self.scenes) > 1, self.whole.direction

    def laid_out(self, engine: str | None, timeout: float) -> Arrangement:
        """With the places that the engine finds."""
        if len(self.scenes) == 1:
            layout = rough(self.whole, engine, timeout, self.spacing)
            return Arrangement(self.whole, layout, size_of(self.whole, layout))
        layouts = rough_each(self.scenes, engine, timeout, self.spacing)
        whole, layout = side_by_side(self.whole, self.scenes, layouts)
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
        if attempts.sure(way) < room.least:
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
        self.trust: dict[tuple[bool, str], float] = {}
        self.ratios: dict[tuple[tuple[bool, str], float], float] = {}

    def hope(self, way: _Way) -> float:
        """How large the text of ``way`` may be, px, as far as those tell that were drawn like it."""
        if (way.form, way.text) in self.ratios:  # what was left out for it changed no size
            return way.text * self.ratios[way.form, way.text]
        return way.text * self._trust(way)

    def _trust(self, way: _Way) -> float:
        return self.trust.get(way.form, HOPE_OF_STRIPS if way.form[0] else HOPE)

    def sure(self, way: _Way) -> float:
        """How large it may be, px, if all is as bad as what was drawn: the last layout is to do."""
        if self.count < LAYOUTS - 1 or (way.form, way.text) in self.ratios:
            return self.hope(way)
        return way.text * 0.95 * min(HOPE, *self.trust.values())

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
        self.ratios[way.form, way.text] = ratio
        self.trust[way.form] = (self._trust(way) + 3 * ratio) / 4
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
    """The ways to draw ``scenes`` that may do, in the order in which they are wanted; then other strips."""
    widest: tuple[float, int, list[Measured]] | None = None
    short: list[_Strips] = []
    for number, scene in _stages(scenes):
        straight = _turned(fitted(scene), turn)
        most = _most_text(straight[0], room)
        if most * HOPE >= room.least:
            yield from _of_stage(number, straight, room, short)
        elif widest is None or most > GAIN * widest[0]:
            widest = most, number, straight
    if widest is not None:  # nothing can be read; of what cannot this comes nearest
        yield from _of_stage(*widest[1:], room, short)
    best = 0.0
    for strips in sorted(short, key=lambda strips: -strips.text):
        if strips.text * NEAR <= best:
            return
        way = strips.way(room)
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


def _turned(ready: Scene, turn: Turn) -> list[Measured]:
    """The scene in each direction that it may have, the one that it is told in first."""
    cards = measured(replace(ready, direction="TB"))
    directions: tuple[Direction, ...] = ("LR", "TB") if turn == "auto" else (turn,)
    if turn == "auto" and ready.direction == "TB":
        directions = ("TB", "LR")
    return [replace(cards, scene=replace(ready, direction=direction)) for direction in directions]


def _of_stage(number: int, straight: Sequence[Measured], room: Room, short: list[_Strips]) -> Iterator[_Way]:
    """The ways to draw one scene, the most wanted first.

    Strips whose text is too small are not made, and go to ``short``.
    """
    ways = []
    for spacing in (USUAL, TIGHT):
        for cards in straight:
            text = _text(cards.scene, estimated(cards, spacing), room)
            ways.append(_Way(number, cards.scene, (cards.scene,), spacing, text))
    ways.sort(key=lambda way: -way.wanted(room))
    strips = list(_strips(number, straight, room))
    short += [item for item in strips if item.text * NEAR < room.least]
    strips = [item for item in strips if item.text * NEAR >= room.least]
    largest = min(NEAR * max((item.text for item in strips), default=0.0), room.most) / STRIPS
    while ways and ways[0].wanted(room) >= largest:
        yield ways.pop(0)  # and if it does, no strips are made
    wraps = sorted((item.way(room) for item in strips), key=lambda way: -way.wanted(room))[:2]
    yield from sorted([*ways, *wraps], key=lambda way: -way.wanted(room))


def _strips(number: int, straight: Iterable[Measured], room: Room) -> Iterator[_Strips]:
    """Rows of what runs from left to right, and columns of what runs down if that has an end in ``room``."""
    for cards in straight:
        if cards.scene.direction == "LR" or math.isfinite(room.height):
            yield from _Strips.of(number, cards, room)


class _Strips(Struct, frozen=True):
    """Scene ``number`` in rows or columns that have not been made yet: which card would stand in which.

    ``text`` px is about how large its text would be.
    """

    number: int
    cards: Measured
    strips: dict[str, int]
    text: float

    @classmethod
    def of(cls, number: int, cards: Measured, room: Room) -> Iterator[Self]:
        """The two ways to cut it that may be drawn largest."""
        inner = (room.width - 2 * (room.margin + MARGIN), room.height - 2 * (room.margin + MARGIN))
        along, across = inner if cards.scene.direction == "LR" else inner[::-1]
        for scale, strips in Cuts(cards, TIGHT, (along, across)).strips(room.most / BODY)[:2]:
            yield cls(number, cards, strips, BODY * scale)

    def way(self, room: Room) -> _Way:
        """The strips, with marks where they go on, and how large their text is by estimate."""
        cards, direction = self.cards, self.cards.scene.direction
        sizes = {card.id: size for card, size in zip(cards.scene.cards, cards.sizes, strict=True)}
        scenes = strip_scenes(cards.scene, self.strips)
        along = 0 if direction == "LR" else 1
        taken = [estimated(measured(scene, sizes), TIGHT) for scene in scenes]
        across = sum(size[1 - along] for size in taken) + GAPS[direction] * (len(taken) - 1)
        size = (max(size[along] for size in taken), across)
        text = _text(cards.scene, (size[along], size[1 - along]), room)
        return _Way(self.number, cards.scene, scenes, TIGHT, text)


def _text(scene: Scene, size: Point, room: Room) -> float:
    """How large text is, px, if what is drawn of ``scene`` takes ``size`` px without margins and lines."""
    return replace(room, most=math.inf).text(size_of(scene, Layout(*size, (), (), ())))


def _most_text(cards: Measured, room: Room) -> float:
    """No text can be larger than this, however the cards stand."""
    inner = (room.width - 2 * room.margin) * (room.height - 2 * room.margin)
    return BODY * math.sqrt(inner / max(least_area(cards, TIGHT), 4 * MARGIN**2))
