"""A film too large for its room: a camera goes with the running card, the whole in small stands beside it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

from msgspec import Struct
from msgspec.structs import replace

from autograd_tour.drawing.arrangement import Turn, arranged_for
from autograd_tour.drawing.captions import narrowed
from autograd_tour.drawing.extents import note_size
from autograd_tour.drawing.fitting import MOST
from autograd_tour.drawing.layout import Layout, Point, place
from autograd_tour.drawing.less import stages
from autograd_tour.drawing.overview import overview
from autograd_tour.drawing.paint import MARGIN, Painter
from autograd_tour.drawing.room import BODY, ROUNDING, Room, reached
from autograd_tour.drawing.shapes import n
from autograd_tour.drawing.signs import ROW, signs
from autograd_tour.drawing.sizes import fitted, smallest_text
from autograd_tour.drawing.theme import LIGHT
from autograd_tour.views.picture import Direction, Scene

__all__ = ["Camera", "camera_for"]

SHARE = 0.22
"""Of the width or height beside the caption the whole in small takes at most so much."""
WORTH = 1.25
"""What is left out for a camera is to make what it sees better by so much."""
STAGES = 2
"""The picture as it is, and with shorter texts: more is left out only if a card is larger than the window."""
GAP = 12.0
LEAST = 100.0
"""A window is at least so wide and high, px."""
RING = 6.0
"""What is drawn around a card that runs, px."""

Box = tuple[float, float, float, float]
"""Left, top, right, bottom, px."""


class Shot(Struct, frozen=True):
    """What one frame shows: what stands in the upper left corner of the window, the number of the card that
    runs, whether that is ``cut`` by an edge, and those it is joined to that are not wholly in sight.
    """

    corner: Point
    running: int
    cut: bool = False
    beyond: tuple[int, ...] = ()


class Camera(Struct, frozen=True):
    """What every frame has: the window with a part of the picture, and the whole in ``small``.

    ``size`` px is that of the frame before the room scales it, ``below`` the height at which captions begin.
    """

    scene: Scene
    layout: Layout
    room: Room
    size: Point
    window: Box
    small: Box
    below: float
    shots: tuple[Shot, ...]

    def drawn(self, number: int, prefix: str) -> tuple[str, str]:
        """Frame ``number``, and what it refers to."""
        painter = Painter(prefix, number)
        left, top, right, bottom = self.window
        width, height = right - left, bottom - top
        shot = self.shots[number]
        x, y = shot.corner
        edges = f'x="{n(left)}" y="{n(top)}" width="{n(width)}" height="{n(height)}"'
        sight = (x, y, x + width, y + height)
        scene, layout = _in_sight(self.scene, self.layout, sight)
        # The drawing has a margin that its places do not count.
        body = [painter.heading(self.scene)[0]]
        body.append(f'<svg {edges} viewBox="{n(x + MARGIN)} {n(y + MARGIN)} {n(width)} {n(height)}">\n')
        body += painter.picture(scene, layout)
        body.append(f'</svg>\n<rect {edges} fill="none" stroke="{LIGHT.muted}"/>\n')
        centres = self.layout.centres
        here = centres[shot.running]
        beyond = [
            (self.scene.cards[i], (centres[i][0] - here[0], centres[i][1] - here[1])) for i in shot.beyond
        ]
        body.append(signs(beyond, (left, bottom + 2), self.size[0] - 2 * MARGIN))
        body.append(overview(self.scene, self.layout, number, self.small, sight))
        body.append(painter.captions(self.scene, self.below)[0])
        return "".join(body), painter.defs()

    @property
    def cut(self) -> int:
        """In how many frames the card that runs is not wholly in sight."""
        return sum(shot.cut for shot in self.shots)

    @property
    def unseen(self) -> int:
        """How often a card that the running one is joined to is not in sight."""
        return sum(len(shot.beyond) for shot in self.shots)

    def better(self, other: Camera, worth: float) -> bool:
        """Whether more is in sight: what runs, and then ``worth`` times as much of what it is joined to."""
        return self.cut < other.cut or (self.cut == other.cut and self.unseen * worth < other.unseen)


def camera_for(
    scene: Scene,
    turn: Turn = "auto",
    *,
    room: Room | None = None,
    engine: str | None = None,
    timeout: float = 60.0,
) -> Camera | None:
    """A camera, if text is smaller than it is to be where the whole of a film is made for ``room``.

    Raises:
        EngineError: see :func:`autograd_tour.drawing.engine.lay_out`.
    """
    if room is None or math.isinf(room.height) or len(scene.captions) < 2 or not scene.cards:
        return None
    if room.text(arranged_for(scene, room, turn, engine, timeout).size) >= room.least - ROUNDING:
        return None
    best: Camera | None = None
    directions: tuple[Direction, ...] = ("LR", "TB") if turn == "auto" else (turn,)
    for number, stage in enumerate(stages(scene) if len(scene.cards) <= MOST else (scene,)):
        if best is not None and number >= STAGES and not best.cut:
            break
        for direction in directions:
            ready = fitted(replace(stage, direction=direction))
            layout = place(ready, engine, timeout)
            for beside in (True, False):
                camera = _set_up(ready, layout, room, beside=beside)
                if best is None or camera.better(best, WORTH if number else 1.0):
                    best = camera
    if best is None or best.window[2] - best.window[0] < LEAST or best.window[3] - best.window[1] < LEAST:
        return None  # what such a camera sees tells nobody anything
    reached(scene.title, best.size, room)
    note_size(best.size, room, smallest_text(best.scene), cards=len(scene.cards), left_out=())
    return best


def _set_up(scene: Scene, layout: Layout, room: Room, *, beside: bool) -> Camera:
    """A camera in front of a scene, whose whole in small stands ``beside`` the window, or above it."""
    width, height = _frame_size(room)
    scene = replace(scene, captions=narrowed(scene.captions, width - 2 * MARGIN))
    painter = Painter("")
    above, below = painter.heading(scene)[1][1], painter.captions(scene, 0.0)[1][1] + ROW
    area = (MARGIN, MARGIN + above, width - MARGIN, max(height - MARGIN - below, 2 * MARGIN + above))
    window, small = (_beside if beside else _above)(area, (layout.width, layout.height))
    sight = (window[2] - window[0], window[3] - window[1])
    shots = tuple(_shots(scene, layout, sight))
    return Camera(scene, layout, room, (width, height), window, small, area[3] + ROW, shots)


def _frame_size(room: Room) -> Point:
    """Px of a frame in which text has just the least size that it is to have."""
    scale = room.least / BODY
    return (room.width - 2 * room.margin) / scale, (room.height - 2 * room.margin) / scale


def _beside(area: Box, whole: Point) -> tuple[Box, Box]:
    """The window, and the whole in small to the right of it."""
    left, top, right, bottom = area
    scale = min(SHARE * (right - left) / whole[0], (bottom - top) / whole[1], 1.0)
    start = right - whole[0] * scale
    return (left, top, start - GAP, bottom), (start, top, right, top + whole[1] * scale)


def _above(area: Box, whole: Point) -> tuple[Box, Box]:
    """The window, and the whole in small above it."""
    left, top, right, bottom = area
    scale = min((right - left) / whole[0], SHARE * (bottom - top) / whole[1], 1.0)
    end = top + whole[1] * scale
    return (left, end + GAP, right, bottom), (left, top, left + whole[0] * scale, end)


# ---- where the camera looks -----------------------------------------------------------------------


def _shots(scene: Scene, layout: Layout, sight: Point) -> Iterator[Shot]:
    """For each frame the card that runs, with as many of those it is joined to as can be in sight."""
    boxes = list(_boxes(layout))
    places = {card.id: i for i, card in enumerate(scene.cards)}
    running = {card.runs_at: i for i, card in enumerate(scene.cards) if card.runs_at}
    joined: dict[int, dict[int, None]] = {}
    for link in scene.links:
        a, b = places[link.src], places[link.dst]
        joined.setdefault(a, {})[b] = None
        joined.setdefault(b, {})[a] = None
    card = running[min(running)] if running else 0
    for number in range(len(scene.captions)):
        card = running.get(number, card)  # before backward: the one that runs first
        box = _grown(boxes[card], [boxes[other] for other in joined.get(card, ())], sight)
        x = _corner((boxes[card][0], boxes[card][2]), (box[0], box[2]), sight[0], layout.width)
        y = _corner((boxes[card][1], boxes[card][3]), (box[1], box[3]), sight[1], layout.height)
        seen = (x, y, x + sight[0], y + sight[1])
        beyond = tuple(i for i in joined.get(card, ()) if _around(boxes[i], seen) != seen)
        yield Shot((x, y), card, _around(boxes[card], seen) != seen, beyond)


def _boxes(layout: Layout) -> Iterator[Box]:
    for (x, y), (width, height) in zip(layout.centres, layout.sizes, strict=True):
        yield (
            x - width / 2 - RING,
            y - height / 2 - RING,
            x + width / 2 + RING,
            y + height / 2 + RING,
        )


def _grown(box: Box, others: Iterable[Box], sight: Point) -> Box:
    """``box`` and as many of ``others`` as are in sight with it, the nearest first."""
    for other in sorted(others, key=lambda other: _extent(_around(box, other))):
        wider = _around(box, other)
        if wider[2] - wider[0] <= sight[0] and wider[3] - wider[1] <= sight[1]:
            box = wider
    return box


def _around(a: Box, b: Box) -> Box:
    return min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])


def _extent(box: Box) -> float:
    return box[2] - box[0] + box[3] - box[1]


def _corner(running: tuple[float, float], box: tuple[float, float], sight: float, whole: float) -> float:
    """Where sight begins, in one direction: ``box`` is in it, and what runs as near its middle as can be.

    It does not go beyond the margin of the whole.
    """
    least, most = -MARGIN, whole + MARGIN - sight
    if most < least:
        return (least + most) / 2
    wanted = (running[0] + running[1] - sight) / 2
    if box[1] - box[0] <= sight:
        wanted = min(max(wanted, box[1] - sight), box[0])
    return min(max(wanted, least), most)


# ---- what is in sight -----------------------------------------------------------------------------


def _in_sight(scene: Scene, layout: Layout, sight: Box) -> tuple[Scene, Layout]:
    """What of a scene touches a box."""
    cards = [i for i, box in enumerate(_boxes(layout)) if _touches(box, sight)]
    links = [
        i
        for i, course in enumerate(layout.courses)
        if course is not None and course.points and _touches(_bounds(course.points), sight)
    ]
    return (
        replace(
            scene,
            cards=tuple(scene.cards[i] for i in cards),
            links=tuple(scene.links[i] for i in links),
        ),
        replace(
            layout,
            centres=tuple(layout.centres[i] for i in cards),
            sizes=tuple(layout.sizes[i] for i in cards),
            courses=tuple(layout.courses[i] for i in links),
        ),
    )


def _bounds(points: Iterable[Point]) -> Box:
    across, down = zip(*points, strict=True)
    return min(across), min(down), max(across), max(down)


def _touches(box: Box, other: Box) -> bool:
    return box[0] <= other[2] and other[0] <= box[2] and box[1] <= other[3] and other[1] <= box[3]
