"""The line around what was one card before a reader opened it, and its title clear of links."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from autograd_tour.drawing.clearing import Box, crossing
from autograd_tour.drawing.dot import FRAME
from autograd_tour.drawing.layout import Layout
from autograd_tour.drawing.metrics import fit
from autograd_tour.drawing.shapes import n, text_element
from autograd_tour.drawing.sizes import run_width
from autograd_tour.drawing.theme import LIGHT
from autograd_tour.views.picture import Frame, Run, Scene

__all__ = ["around"]

SIDE, ABOVE, BELOW = 10.0, 14.0, 8.0
"""From a frame to its title: beside it, to the baseline below its upper edge, up from its lower one, px."""
SIZE = 12.0
SHORTER = (0.75, 0.6)
"""What of a title may be left, so that no link runs through it."""


def around(frame: Frame, scene: Scene, layout: Layout) -> tuple[str, str]:
    """A dashed line around the cards of a frame, and its title, which covers the links below it.

    Both are empty where other cards stand in between.
    """
    boxes = {
        card.id: (x - w / 2, y - h / 2, x + w / 2, y + h / 2)
        for card, (x, y), (w, h) in zip(scene.cards, layout.centres, layout.sizes, strict=True)
    }
    own = [boxes[card] for card in frame.cards if card in boxes]
    if not own:
        return "", ""
    left, top = (min(box[i] for box in own) - FRAME + 8 for i in (0, 1))
    right, bottom = (max(box[i] for box in own) + FRAME - 8 for i in (2, 3))
    for card, (x, y, far, low) in boxes.items():
        if card not in frame.cards and x < right and far > left and y < bottom and low > top:
            return "", ""
    title, x, y = _title(frame.title, (left, top, right, bottom), layout)
    line = (
        f'<rect class="frame" x="{n(left)}" y="{n(top)}" width="{n(right - left)}" '
        f'height="{n(bottom - top)}" rx="12" fill="none" stroke="{LIGHT.muted}" stroke-width="1.5" '
        f'stroke-dasharray="7 4"/>\n'
    )
    cover = (
        f'<rect x="{n(x - 2)}" y="{n(y - SIZE)}" width="{n(run_width(title) + 4)}" height="{n(SIZE + 4)}" '
        f'fill="{LIGHT.paper}"/>'
    )
    return line, f"{cover}{text_element(title, x, y)}\n"


def _title(text: str, frame: Box, layout: Layout) -> tuple[Run, float, float]:
    """The title, and where its baseline begins: in a corner without a link through it.

    If there is none it is shortened to find one, and else stands in the first.
    """
    left, _, right, _ = frame
    lines = [course.points for course in layout.courses if course is not None and course.points]
    room = max(right - left - 2 * SIDE, 40)
    whole = Run(fit(text, room, SIZE, bold=True), "muted", bold=True, size=SIZE)
    for part in (1, *SHORTER):
        cut = fit(text, min(room, part * run_width(whole) + 1), SIZE, bold=True)
        title = replace(whole, text=cut)
        for x, y in _corners(frame, run_width(title)):
            if not crossing(lines, (x, y - SIZE, x + run_width(title), y + 3)):
                return title, x, y
    return whole, *next(_corners(frame, run_width(whole)))


def _corners(frame: Box, width: float) -> Iterator[tuple[float, float]]:
    left, top, right, bottom = frame
    for y in (top + ABOVE, bottom - BELOW):
        yield from ((left + SIDE, y), (right - SIDE - width, y))
