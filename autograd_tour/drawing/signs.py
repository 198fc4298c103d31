"""Signs below a camera's window: what the running card is joined to and is not in sight, and where it is."""

from __future__ import annotations

import math
from collections.abc import Sequence

from autograd_tour.drawing.layout import Point
from autograd_tour.drawing.metrics import fit
from autograd_tour.drawing.shapes import n, text_element
from autograd_tour.drawing.sizes import run_width
from autograd_tour.drawing.theme import LIGHT
from autograd_tour.views.picture import Card, Run

__all__ = ["ROW", "signs"]

ROW = 28.0
"""Height of the row of signs, px."""
HEIGHT = 21.0
ROOM = 150.0
"""Widest name on a sign, px."""
PADDING = 6.0
POINTER = 12.0
"""Room of the arrow head that points to a card, px."""
DISTANCE = 6.0
"""Between two signs, px."""
LEAD = Run("Not in sight:", "muted")


def signs(cards: Sequence[tuple[Card, Point]], corner: Point, width: float) -> str:
    """A row of at most ``width`` px with a sign for each card; it comes with the way to it, in px.

    Cards that have no room are counted.
    """
    left, middle = corner[0], corner[1] + ROW / 2
    drawn = [text_element(LEAD, left, middle + 4.2)] if cards else []
    x = left + run_width(LEAD) + DISTANCE
    for number, (card, way) in enumerate(cards):
        name = Run(fit(_name(card), ROOM, 12, True), bold=True)
        sign = run_width(name) + 2 * PADDING + POINTER
        more = Run(f"… and {len(cards) - number} more", "muted")
        rest = 0.0 if number == len(cards) - 1 else DISTANCE + run_width(more)
        if x + sign + rest > left + width:
            drawn.append(text_element(more, x, middle + 4.2))
            break
        stroke = LIGHT.forward if card.shape == "leaf" else LIGHT.muted
        drawn.append(
            f'<rect x="{n(x)}" y="{n(middle - HEIGHT / 2)}" width="{n(sign)}" height="{n(HEIGHT)}" rx="4" '
            f'fill="{LIGHT.constant_fill}" stroke="{stroke}"/>'
            f'<path d="{_pointer((x + PADDING + 3, middle), way)}" fill="{LIGHT.ink}"/>'
        )
        drawn.append(text_element(name, x + PADDING + POINTER, middle + 4.2))
        x += sign + DISTANCE
    return f'<g class="signs">{"".join(drawn)}</g>\n' if drawn else ""


def _name(card: Card) -> str:
    return card.rows[0].left[0].text if card.rows and card.rows[0].left else card.title


def _pointer(centre: Point, way: Point) -> str:
    """A triangle that points along ``way``."""
    angle = math.atan2(way[1], way[0])
    corners = [(5.0, angle), (5.0, angle + 2.4), (5.0, angle - 2.4)]
    places = [(centre[0] + r * math.cos(a), centre[1] + r * math.sin(a)) for r, a in corners]
    return f"M{'L'.join(f'{n(x)} {n(y)}' for x, y in places)}z"
