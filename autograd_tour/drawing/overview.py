"""The whole in small: every card as a box, how far backward has come, and the part that is in sight."""

from __future__ import annotations

from collections.abc import Iterator

from autograd_tour.drawing.layout import Layout
from autograd_tour.drawing.shapes import n
from autograd_tour.drawing.theme import LIGHT
from autograd_tour.views.picture import Card, Scene

__all__ = ["overview"]

Box = tuple[float, float, float, float]


def overview(scene: Scene, layout: Layout, number: int, area: Box, sight: Box) -> str:
    """The scene in frame ``number`` without a word, in the box ``area``; ``sight`` is framed in it."""
    scale = (area[2] - area[0]) / layout.width

    def x(value: float) -> str:
        return n(area[0] + value * scale)

    def y(value: float) -> str:
        return n(area[1] + value * scale)

    def lines() -> Iterator[str]:
        for course in layout.courses:
            if course is not None and course.points:
                (start, *others), tip = course.points, course.tip or course.points[-1]
                curve = " ".join(f"{x(a)} {y(b)}" for a, b in others[: len(others) // 3 * 3])
                ways = f"M{x(start[0])} {y(start[1])}C{curve}L{x(tip[0])} {y(tip[1])}"
                yield f'<path d="{ways}" fill="none" stroke="{LIGHT.muted}" stroke-width="0.6"/>'

    def boxes() -> Iterator[str]:
        for card, (a, b), (width, height) in zip(scene.cards, layout.centres, layout.sizes, strict=True):
            fill, stroke = _colours(card, number)
            edges = f'width="{n(width * scale)}" height="{n(height * scale)}" stroke="{stroke}"'
            yield f'<rect x="{x(a - width / 2)}" y="{y(b - height / 2)}" {edges} fill="{fill}"/>'

    left, top = max(sight[0], 0.0), max(sight[1], 0.0)
    right, bottom = min(sight[2], layout.width), min(sight[3], layout.height)
    frame = (
        f'<rect x="{x(left)}" y="{y(top)}" width="{n((right - left) * scale)}" '
        f'height="{n((bottom - top) * scale)}" fill="none" stroke="{LIGHT.ink}" stroke-width="2"/>'
    )
    return (
        f'<g class="overview"><title>The whole in small, and what of it is in sight</title>'
        f"{''.join(lines())}{''.join(boxes())}{frame}</g>\n"
    )


def _colours(card: Card, number: int) -> tuple[str, str]:
    """Fill and border: of the card that runs, of one that ran, of one that did not yet."""
    if card.runs_at and card.runs_at == number:
        return LIGHT.backward, LIGHT.backward
    if card.runs_at and card.runs_at < number:
        return LIGHT.accumulated_fill, LIGHT.backward
    return (LIGHT.leaf_fill, LIGHT.forward) if card.shape == "leaf" else (LIGHT.constant_fill, LIGHT.muted)
