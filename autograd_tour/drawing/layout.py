"""What the engine answered: the place of every card, the course of every link."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from autograd_tour.drawing.dot import layout_dot
from autograd_tour.drawing.engine import lay_out
from autograd_tour.drawing.scene import Scene
from autograd_tour.errors import EngineError

__all__ = ["Course", "Layout", "Point", "place"]

Point = tuple[float, float]


@dataclass(frozen=True)
class Course:
    """A link in px: Bézier points in its own direction, the tip of its arrow, the centre of its label."""

    points: tuple[Point, ...]
    tip: Point | None
    label: Point | None


@dataclass(frozen=True)
class Layout:
    """Sizes in px, y downwards; ``centres`` and ``courses`` are parallel to the scene's lists."""

    width: float
    height: float
    centres: tuple[Point, ...]
    courses: tuple[Course | None, ...]


class _Object(msgspec.Struct):
    name: str
    pos: str = ""


class _Edge(msgspec.Struct):
    id: str = ""
    pos: str = ""
    lp: str = ""


class _Answer(msgspec.Struct):
    bb: str = "0,0,0,0"
    objects: list[_Object] = []
    edges: list[_Edge] = []


def place(scene: Scene, engine: str | None = None, timeout: float = 60.0) -> Layout:
    """Ask a layout engine for the places of all cards and links.

    Raises:
        EngineError: see :func:`autograd_tour.drawing.engine.lay_out`, or an answer that is none.
    """
    if not scene.cards:
        return Layout(0.0, 0.0, (), ())
    raw = lay_out(layout_dot(scene), engine, timeout)
    try:
        answer = msgspec.json.decode(raw, type=_Answer)
        _, _, width, height = (float(part) for part in answer.bb.split(","))
        centres: list[Point] = [(0.0, 0.0)] * len(scene.cards)
        for item in answer.objects:
            if item.name.startswith("c") and item.pos:
                x, y = _pair(item.pos)
                centres[int(item.name[1:])] = (x, height - y)
        courses: list[Course | None] = [None] * len(scene.links)
        for edge in answer.edges:
            if edge.id.startswith("l") and edge.pos:
                i = int(edge.id[1:])
                courses[i] = _course(edge, height, scene.links[i].reverse)
    except (msgspec.DecodeError, ValueError, IndexError) as error:
        raise EngineError(
            f"the layout engine's answer cannot be read: {error}", "See: autograd-tour info"
        ) from None
    return Layout(width, height, tuple(centres), tuple(courses))


def _pair(text: str) -> Point:
    x, y = text.split(",")[:2]
    return float(x), float(y)


def _course(edge: _Edge, height: float, reverse: bool) -> Course:
    points: list[Point] = []
    tip: Point | None = None
    for word in edge.pos.replace(";", " ").split():
        if word.startswith(("e,", "s,")):
            x, y = _pair(word[2:])
            tip = (x, height - y)
        else:
            x, y = _pair(word)
            points.append((x, height - y))
    label = None
    if edge.lp:
        x, y = _pair(edge.lp)
        label = (x, height - y)
    return Course(tuple(reversed(points) if reverse else points), tip, label)
