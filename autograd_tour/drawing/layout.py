"""What the engine answered: the place of every card, the course of every link."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import msgspec
from msgspec.structs import replace

from autograd_tour.drawing.apart import Places, apart
from autograd_tour.drawing.beside import Beside, beside, line
from autograd_tour.drawing.clearing import clear_of_links
from autograd_tour.drawing.dot import USUAL, Spacing, layout_dot
from autograd_tour.drawing.engine import lay_out, lay_out_each
from autograd_tour.drawing.large import (
    CROWDED,
    LARGE,
    Pair,
    direct,
    labels,
    pairs_dot,
    pairs_of,
    routed,
    side_by_side,
)
from autograd_tour.drawing.sizes import ARROW, card_height, card_width, label_width
from autograd_tour.errors import EngineError
from autograd_tour.progress import doing
from autograd_tour.views.picture import Scene

__all__ = ["Course", "Layout", "Point", "finished", "place", "rough", "rough_each"]

LABEL = 18.0
"""Height of a label, px."""

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


def place(scene: Scene, engine: str | None = None, timeout: float = 60.0) -> Layout:
    """The places of all cards and links, with lines apart and labels clear of them.

    Raises:
        EngineError: see :func:`rough`.
    """
    return finished(scene, rough(scene, engine, timeout))


def finished(scene: Scene, layout: Layout, *, growing: bool = True) -> Layout:
    """The layout with lines apart that ran together, and every label near its own link and clear of others.

    It may become larger for it if it is ``growing``. In a large one all stays where it is.
    """
    if _is_large(scene) or not scene.cards:
        return layout
    layout = _parted(scene, layout, growing=growing)
    return replace(layout, courses=_cleared(scene, layout))


def _is_large(scene: Scene) -> bool:
    return len(scene.cards) >= LARGE or len(scene.links) >= CROWDED


def rough(scene: Scene, engine: str | None = None, timeout: float = 60.0, spacing: Spacing = USUAL) -> Layout:
    """Ask a layout engine for the places of all cards and links.

    Raises:
        EngineError: see :func:`autograd_tour.drawing.engine.lay_out`, or an answer that is none.
    """
    if not scene.cards:
        return Layout(0.0, 0.0, (), (), ())
    if not _is_large(scene):
        (layout,) = rough_each((scene,), engine, timeout, spacing)
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


def rough_each(
    scenes: Sequence[Scene], engine: str | None = None, timeout: float = 60.0, spacing: Spacing = USUAL
) -> list[Layout]:
    """The same for several scenes of at most some hundred cards each, in one process.

    Raises:
        EngineError: see :func:`rough`.
    """
    with doing("layout"):
        hugged_by = [beside(scene) for scene in scenes]
        dots = [layout_dot(scene, hugged, spacing) for scene, hugged in zip(scenes, hugged_by, strict=True)]
        raw = lay_out_each(dots, engine, timeout)
    layouts = []
    for scene, hugged, answer_text in zip(scenes, hugged_by, raw, strict=True):
        with _readable():
            answer = msgspec.json.decode(answer_text, type=_Answer)
            sizes = _sizes(scene)
            width, height, centres, _ = _places(answer, len(sizes))
            courses: list[Course | None] = [None] * len(scene.links)
            for edge in answer.edges:
                if edge.id.startswith("l") and edge.pos:
                    i = int(edge.id[1:])
                    courses[i] = _course(edge, height, scene.links[i].reverse)
            _unpack(scene, hugged, centres, sizes, courses)
        layouts.append(Layout(width, height, tuple(centres), sizes, tuple(courses)))
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


def _unpack(
    scene: Scene,
    hugged: Beside,
    centres: list[Point],
    sizes: Sequence[Point],
    courses: list[Course | None],
) -> None:
    """Put cards and constants where they stand in the boxes that the engine placed, and join them."""
    for card, box in hugged.boxes.items():
        left, top = (centres[card][k] - box.size[k] / 2 for k in (0, 1))
        width, height = sizes[card]
        centres[card] = (left + box.corner[0] + width / 2, top + box.corner[1] + height / 2)
        for constant, (x, y) in zip(box.constants, box.centres, strict=True):
            centres[constant] = (left + x, top + y)
    places = {card.id: i for i, card in enumerate(scene.cards)}
    for i in hugged.links:
        constant, card = places[scene.links[i].src], places[scene.links[i].dst]
        points = line(centres[constant], sizes[constant], centres[card], sizes[card], scene.direction)
        courses[i] = Course(points, (points[-1][0] + ARROW, points[-1][1]), None)


def _parted(scene: Scene, layout: Layout, *, growing: bool) -> Layout:
    """Move lines apart that run together without a common port."""
    drawn = [(i, course) for i, course in enumerate(layout.courses) if course and len(course.points) > 3]
    links = [scene.links[i] for i, _ in drawn]
    before = Places(
        layout.centres,
        tuple(_with_head(course) for _, course in drawn),
        tuple(course.label for _, course in drawn),
        (layout.width, layout.height),
    )
    after = apart(
        before,
        layout.sizes,
        [frozenset({(link.src, link.ports[0]), (link.dst, link.ports[1])}) for link in links],
        [(label_width(link.label), LABEL) for link in links],
        down=scene.direction == "TB",
        growing=growing,
    )
    if after is before:
        return layout
    courses = list(layout.courses)
    for (i, _), way, label in zip(drawn, after.lines, after.labels, strict=True):
        courses[i] = _course_of(way, label)
    return Layout(*after.size, after.centres, layout.sizes, tuple(courses))


def _course_of(line: Sequence[Point], label: Point | None) -> Course:
    """A course from a line up to the tip of its arrow: the head has its own length, the line what is left."""
    (x, y), tip = line[-4], line[-1]
    length = math.hypot(tip[0] - x, tip[1] - y)
    if length <= ARROW:
        return Course(tuple(line[:-3]), tip, label)
    (u, v) = (tip[0] + (x - tip[0]) * ARROW / length, tip[1] + (y - tip[1]) * ARROW / length)
    straight = ((2 * x + u) / 3, (2 * y + v) / 3), ((x + 2 * u) / 3, (y + 2 * v) / 3), (u, v)
    return Course((*line[:-3], *straight), tip, label)


def _with_head(course: Course) -> tuple[Point, ...]:
    """The course up to the tip of its arrow."""
    (x, y), (u, v) = course.points[-1], course.tip or course.points[-1]
    return (*course.points, ((2 * x + u) / 3, (2 * y + v) / 3), ((x + 2 * u) / 3, (y + 2 * v) / 3), (u, v))


def _cleared(scene: Scene, layout: Layout) -> tuple[Course | None, ...]:
    """The courses with every label near its own link and clear of the others."""
    courses = layout.courses
    places = clear_of_links(
        [link.label for link in scene.links],
        [course.points if course else () for course in courses],
        [course.label if course else None for course in courses],
        [
            (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
            for (width, height), (x, y) in zip(layout.sizes, layout.centres, strict=True)
        ],
        (layout.width, layout.height),
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
    for members, way in zip(pairs.values(), lines, strict=True):
        for index, i in enumerate(members):
            if not way:
                continue
            points = side_by_side(way, index, len(members), scene.direction)
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
