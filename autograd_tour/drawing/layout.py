"""What the engine answered: the place of every card, the course of every link."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import msgspec
from msgspec.structs import replace

from autograd_tour.drawing.clearing import clear_of_links
from autograd_tour.drawing.dot import USUAL, Spacing, layout_dot
from autograd_tour.drawing.engine import lay_out, lay_out_each
from autograd_tour.drawing.large import (
    CROWDED,
    LARGE,
    Pair,
    beside,
    direct,
    labels,
    pairs_dot,
    pairs_of,
    routed,
)
from autograd_tour.drawing.sizes import ARROW, card_height, card_width
from autograd_tour.errors import EngineError
from autograd_tour.progress import doing
from autograd_tour.views.picture import Scene

__all__ = ["Course", "Layout", "Point", "place", "place_each"]

Point = tuple[float, float]


class Course(msgspec.Struct, frozen=True, gc=False):
    """A link in px: Bézier points in its own direction, the tip of its arrow, the centre of its label."""

    points: tuple[Point, ...]
    tip: Point | None
    label: Point | None


class Layout(msgspec.Struct, frozen=True):
    """Sizes in px, y downwards.

    ``centres`` and ``sizes`` are parallel to the scene's cards, ``courses`` to its links.
    """

    width: float
    height: float
    centres: tuple[Point, ...]
    sizes: tuple[Point, ...]
    courses: tuple[Course | None, ...]


class _Object(msgspec.Struct):
    name: str
    pos: str = ""


class _Edge(msgspec.Struct):
    tail: int
    head: int
    id: str = ""
    pos: str = ""
    lp: str = ""


class _Answer(msgspec.Struct):
    bb: str = "0,0,0,0"
    objects: list[_Object] = []
    edges: list[_Edge] = []


def place(scene: Scene, engine: str | None = None, timeout: float = 60.0, spacing: Spacing = USUAL) -> Layout:
    """Ask a layout engine for the places of all cards and links.

    Raises:
        EngineError: see :func:`autograd_tour.drawing.engine.lay_out`, or an answer that is none.
    """
    if not scene.cards:
        return Layout(0.0, 0.0, (), (), ())
    if len(scene.cards) < LARGE and len(scene.links) < CROWDED:
        (layout,) = place_each((scene,), engine, timeout, spacing)
        return layout
    pairs = pairs_of(scene)
    sizes = _sizes(scene)
    short = routed(pairs, len(sizes))
    with doing("layout"):
        raw = lay_out(pairs_dot(scene, short, sizes), engine, timeout)
    with _readable():
        answer = msgspec.json.decode(raw, type=_Answer)
        width, height, centres, cards = _places(answer, len(sizes))
        lines_of = {
            (cards[edge.tail], cards[edge.head]): tuple(_points(edge.pos, height)) for edge in answer.edges
        }
        for a, b in pairs.keys() - set(short):
            ends = sizes[a], sizes[b]
            lines_of[a, b] = direct(centres[a], centres[b], ends, scene.direction)
        lines = [lines_of.get(pair, ()) for pair in pairs]
        places = labels(scene, pairs, centres, sizes, lines)
        return Layout(width, height, tuple(centres), sizes, _side_by_side(scene, pairs, places, lines))


def place_each(
    scenes: Sequence[Scene], engine: str | None = None, timeout: float = 60.0, spacing: Spacing = USUAL
) -> list[Layout]:
    """The same for several scenes of at most some hundred cards each, in one process.

    Raises:
        EngineError: see :func:`place`.
    """
    with doing("layout"):
        raw = lay_out_each([layout_dot(scene, spacing) for scene in scenes], engine, timeout)
    layouts = []
    for scene, answer_text in zip(scenes, raw, strict=True):
        with _readable():
            answer = msgspec.json.decode(answer_text, type=_Answer)
            sizes = _sizes(scene)
            width, height, centres, _ = _places(answer, len(sizes))
            courses: list[Course | None] = [None] * len(scene.links)
            for edge in answer.edges:
                if edge.id.startswith("l") and edge.pos:
                    i = int(edge.id[1:])
                    courses[i] = _course(edge, height, scene.links[i].reverse)
        cleared = _cleared(scene, centres, sizes, courses, (width, height))
        layouts.append(Layout(width, height, tuple(centres), sizes, cleared))
    return layouts


def _sizes(scene: Scene) -> tuple[Point, ...]:
    return tuple([(card_width(card), card_height(card)) for card in scene.cards])


def _places(answer: _Answer, count: int) -> tuple[float, float, list[Point], list[int]]:
    """Width and height, the centres of ``count`` cards, and which card is which object of the engine."""
    _, _, width, height = (float(part) for part in answer.bb.split(","))
    centres: list[Point] = [(0.0, 0.0)] * count
    cards: list[int] = []  # the engine counts its objects as it likes
    for item in answer.objects:
        cards.append(int(item.name[1:]) if item.name[1:].isdigit() else -1)
        if cards[-1] >= 0 and item.pos:
            x, y = _pair(item.pos)
            centres[cards[-1]] = (x, height - y)
    return width, height, centres, cards


@contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except (msgspec.DecodeError, ValueError, IndexError) as error:
        raise EngineError(
            f"the layout engine's answer cannot be read: {error}", "See: autograd-tour info"
        ) from None


def _cleared(
    scene: Scene,
    centres: list[Point],
    sizes: Sequence[Point],
    courses: list[Course | None],
    size: Point,
) -> tuple[Course | None, ...]:
    """The courses with every label near its own link and clear of the others."""
    places = clear_of_links(
        [link.label for link in scene.links],
        [course.points if course else () for course in courses],
        [course.label if course else None for course in courses],
        [
            (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
            for (width, height), (x, y) in zip(sizes, centres, strict=True)
        ],
        size,
    )
    return tuple(
        replace(course, label=centre) if course else None
        for course, centre in zip(courses, places, strict=True)
    )


def _side_by_side(
    scene: Scene, pairs: dict[Pair, list[int]], places: dict[int, Point], lines: list[tuple[Point, ...]]
) -> tuple[Course | None, ...]:
    """A course for every link, from one line for each pair of cards; ``places`` are those of labels."""
    courses: list[Course | None] = [None] * len(scene.links)
    for members, line in zip(pairs.values(), lines, strict=True):
        for index, i in enumerate(members):
            if not line:
                continue
            points = beside(line, index, len(members), scene.direction)
            if scene.links[i].reverse:
                points = points[::-1]
            (x, y), tip = points[-2], points[-1]
            length = math.hypot(tip[0] - x, tip[1] - y) or 1.0
            neck = (tip[0] + (x - tip[0]) * ARROW / length, tip[1] + (y - tip[1]) * ARROW / length)
            courses[i] = Course((*points[:-1], neck), tip, places.get(i))
    return tuple(courses)


def _pair(text: str) -> Point:
    x, y = text.split(",")[:2]
    return float(x), float(y)


def _points(text: str, height: float) -> list[Point]:
    numbers = [float(number) for number in text.replace(",", " ").split()]
    return [(x, height - y) for x, y in zip(numbers[::2], numbers[1::2], strict=True)]


def _course(edge: _Edge, height: float, reverse: bool) -> Course:
    course, tip = edge.pos.partition(";")[0], None
    while course.startswith(("e,", "s,")):  # the tip of an arrow comes first
        end, _, course = course.partition(" ")
        x, y = _pair(end[2:])
        tip = (x, height - y)
    points, label = _points(course, height), None
    if edge.lp:
        x, y = _pair(edge.lp)
        label = (x, height - y)
    return Course(tuple(reversed(points) if reverse else points), tip, label)
