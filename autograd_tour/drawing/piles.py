"""Cards under which sheets lie, as they stand for many: arrows that come from there end before the sheets."""

from __future__ import annotations

from msgspec.structs import replace

from autograd_tour.drawing.layout import Course, Layout, Point
from autograd_tour.views.picture import Scene

__all__ = ["PILE", "before_pile", "piles"]

PILE = 6.0
"""How far the lowest sheet of a pile sticks out to the right and below, px."""


def piles(scene: Scene, layout: Layout) -> dict[str, Point]:
    """The lower right corner of each card under which sheets lie."""
    return {
        card.id: (x + width / 2, y + height / 2)
        for card, (x, y), (width, height) in zip(scene.cards, layout.centres, layout.sizes, strict=True)
        if card.shape == "group"
    }


def before_pile(course: Course, corner: Point) -> Course:
    """The course with its arrow before the sheets, which would hide it where they stick out."""
    x, y = course.tip or course.points[-1]
    dx, dy = PILE * (x > corner[0] - 1), PILE * (y > corner[1] - 1)
    *begun, bend, end = course.points
    return replace(
        course, points=(*begun, _moved(bend, dx, dy), _moved(end, dx, dy)), tip=_moved((x, y), dx, dy)
    )


def _moved(point: Point, dx: float, dy: float) -> Point:
    return point[0] + dx, point[1] + dy
