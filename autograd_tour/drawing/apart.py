"""Room for lines that run together: where no way is clear of others, what is below moves down a little."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from msgspec import Struct

from autograd_tour.drawing.near import Line, Point, Ports, Rectangle
from autograd_tour.drawing.parting import parted

__all__ = ["Places", "apart"]

MORE = 14.0
"""So much room is added for each line that has none, px, but not more than for :data:`MOST` of them."""
MOST = 3
TIMES = 2
"""How often room is added."""


class Places(Struct, frozen=True):
    """Where everything stands, px: centres of cards, ways of links up to their tips, centres of labels."""

    centres: tuple[Point, ...]
    lines: tuple[Line, ...]
    labels: tuple[Point | None, ...]
    size: Point


def apart(
    places: Places,
    sizes: Sequence[Point],
    ports: Sequence[Ports],
    labels: Sequence[Point],
    *,
    down: bool,
    growing: bool = True,
) -> Places:
    """The places with no line upon another one, but where they have a port in common.

    ``sizes`` are those of cards and ``labels`` those of labels; links run ``down`` or to the right. If the
    picture is not ``growing``, lines that have no room stay together.
    """
    if not down:
        turned = _turned(places)
        after = apart(turned, _swapped(sizes), ports, _swapped(labels), down=True, growing=growing)
        return places if after is turned else _turned(after)
    last = TIMES if growing else 0
    for time in range(last + 1):
        cards = _rectangles(places.centres, sizes)
        texts = _rectangles(
            [at for at in places.labels if at],
            [size for at, size in zip(places.labels, labels, strict=True) if at],
        )
        moved, stuck = parted(places.lines, ports, cards, texts, lenient=time == last)
        if moved:
            lines = tuple(moved.get(i, line) for i, line in enumerate(places.lines))
            places = Places(places.centres, lines, places.labels, places.size)
        if not stuck or time == last:
            break
        places = _stretched(places, _wanted(stuck, cards))
    return places


def _wanted(stuck: Mapping[int, float], cards: Sequence[Rectangle]) -> dict[tuple[float, float], float]:
    """Strips between cards, from top to bottom, and how much taller each is to be."""
    strips: list[tuple[float, float]] = []
    bottom = float("-inf")
    for _, top, _, low in sorted(cards, key=lambda card: card[1]):
        if top > bottom > float("-inf"):
            strips.append((bottom, top))
        bottom = max(bottom, low)
    if not strips:
        return {}
    counts = Counter(
        min(strips, key=lambda strip: max(strip[0] - y, y - strip[1], 0.0)) for y in stuck.values()
    )
    return {strip: MORE * min(counts[strip], MOST) for strip in strips if strip in counts}


def _stretched(places: Places, strips: Mapping[tuple[float, float], float]) -> Places:
    """What is below a strip moves down, and what is in it is drawn out."""

    def lower(point: Point) -> Point:
        x, y = point
        for (top, bottom), more in strips.items():
            y += more * min(max((point[1] - top) / (bottom - top), 0.0), 1.0)
        return x, y

    return Places(
        tuple(map(lower, places.centres)),
        tuple(tuple(map(lower, line)) for line in places.lines),
        tuple(at and lower(at) for at in places.labels),
        (places.size[0], places.size[1] + sum(strips.values())),
    )


def _rectangles(centres: Sequence[Point], sizes: Sequence[Point]) -> list[Rectangle]:
    return [
        (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
        for (x, y), (width, height) in zip(centres, sizes, strict=True)
    ]


def _swapped(points: Sequence[Point]) -> tuple[Point, ...]:
    return tuple((y, x) for x, y in points)


def _turned(places: Places) -> Places:
    return Places(
        _swapped(places.centres),
        tuple(map(_swapped, places.lines)),
        tuple(at and (at[1], at[0]) for at in places.labels),
        (places.size[1], places.size[0]),
    )
