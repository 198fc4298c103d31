"""A listing as a picture: lines of code on the left, their bars on the right."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from msgspec.structs import replace

from autograd_tour.drawing.axes import label, n
from autograd_tour.drawing.extents import note_size
from autograd_tour.drawing.metrics import fit, text_width
from autograd_tour.drawing.room import Room, reached
from autograd_tour.drawing.run_layout import wrapped
from autograd_tour.drawing.svg import frame, prefix_for
from autograd_tour.drawing.theme import LIGHT, ThemeName
from autograd_tour.views.picture import Fill, Listing, ListingPart, ListingRow

__all__ = ["listing_chart"]

WIDTH: Final = 736.0
"""That of a text column on the web, px."""
SMALLEST: Final = 11.0
MARGIN: Final = 20.0
CODE: Final = 400.0
"""Room for the code, px."""
AMOUNT: Final = 76.0
"""Room for the amount behind a bar, px."""
BAR: Final = 14.0
LINE: Final = 15.0
GAP: Final = 9.0
MOST_ABOUT: Final = 3
_PAINT: dict[Fill, tuple[str, str]] = {
    "main": (LIGHT.saved, LIGHT.saved),
    "light": (LIGHT.saved_fill, LIGHT.saved),
    "outline": (LIGHT.paper, LIGHT.muted),
}
"""Fill and outline."""


def listing_chart(
    listing: Listing, *, theme: ThemeName = "auto", prefix: str | None = None, room: Room | None = None
) -> str:
    """``listing`` as an SVG document of 736 px; in a ``room`` it has less if text were too small."""
    prefix = prefix or prefix_for(repr(replace(listing, less=())))
    title = listing.title or "What is kept"
    chosen = _fitting(listing, room)
    pieces: list[str] = []
    top = _heading(chosen, title, pieces)
    for part in chosen.parts:
        top = _part(part, top, pieces)
    if not any(part.rows for part in chosen.parts):
        pieces.append(label(MARGIN, top + 12, "Nothing to draw: nothing is kept.", LIGHT.muted, size=14))
        top += 26
    for note in chosen.notes:
        for text in wrapped(note, WIDTH - 2 * MARGIN, 12, 3):
            pieces.append(label(MARGIN, top + 12, text, LIGHT.muted))
            top += 17
    size = (WIDTH, top + 14)
    reached(title, size, room)
    left_out = tuple(note for note in chosen.notes if note not in listing.notes)
    note_size(size, room, SMALLEST, left_out=left_out)
    desc = listing.desc or listing.summary
    return frame(pieces, *size, title=title, desc=desc, prefix=prefix, theme=theme, room=room)


def _fitting(listing: Listing, room: Room | None) -> Listing:
    """The listing with the most in it whose text is large enough in ``room``."""
    if room is None or room.endless:
        return listing
    every = (listing, *listing.less)
    return next(
        (item for item in every if room.text((WIDTH, _height(item))) >= room.least),
        max(every, key=lambda item: room.text((WIDTH, _height(item)))),
    )


def _height(listing: Listing) -> float:
    pieces: list[str] = []
    top = _heading(listing, listing.title, pieces)
    for part in listing.parts:
        top = _part(part, top, pieces)
    return top + 17 * sum(len(wrapped(note, WIDTH - 2 * MARGIN, 12, 3)) for note in listing.notes) + 14


def _heading(listing: Listing, title: str, pieces: list[str]) -> float:
    pieces.append(label(MARGIN, 34, fit(title, WIDTH - 2 * MARGIN, 20, True), LIGHT.ink, size=20, bold=True))
    top = 40.0
    for text in wrapped(listing.summary, WIDTH - 2 * MARGIN, 13, 3):
        top += 17
        pieces.append(label(MARGIN, top, text, LIGHT.muted, size=13))
    return top + 16


def _part(part: ListingPart, top: float, pieces: list[str]) -> float:
    """Draw a part from ``top`` on; where it ends."""
    if not part.rows:
        return top
    pieces.append(label(MARGIN, top + 14, part.heading, LIGHT.ink, size=14, bold=True))
    x = MARGIN + text_width(part.heading, 14, True) + 20
    for fill, meaning in part.legend:
        pieces.append(_box(x, top + 4, 12, fill))
        pieces.append(label(x + 17, top + 14, meaning, LIGHT.muted))
        x += 17 + text_width(meaning, 12) + 16
    top += 28
    largest = max((sum(value for value, _ in row.segments) for row in part.rows), default=0.0)
    for row in part.rows:
        pieces += _row(row, top, largest)
        top += _row_height(row)
    return top + 6


def _about(row: ListingRow) -> list[str]:
    return [
        text for item in row.about for text in wrapped(item, WIDTH - 2 * MARGIN - 12, SMALLEST, MOST_ABOUT)
    ]


def _row_height(row: ListingRow) -> float:
    return LINE * (1 + bool(row.where) + len(_about(row))) + GAP


def _row(row: ListingRow, top: float, largest: float) -> Iterator[str]:
    yield label(MARGIN, top + 11, fit(row.text, CODE - 12, 13), LIGHT.ink, size=13)
    left, room = MARGIN + CODE, WIDTH - 2 * MARGIN - CODE - AMOUNT
    x = left
    for value, fill in row.segments:
        width = room * value / largest if largest > 0 else 0.0
        if width > 0:
            yield _box(x, top, max(width, 1.0), fill)
            x += width
    yield label(x + 6, top + 11, row.amount, LIGHT.ink, bold=True)
    y = top + 11
    if row.where:
        y += LINE
        yield label(MARGIN, y, fit(row.where, CODE - 12, SMALLEST, keep_end=True), LIGHT.muted, size=SMALLEST)
    for text in _about(row):
        y += LINE
        yield label(MARGIN + 12, y, text, LIGHT.muted, size=SMALLEST)


def _box(x: float, y: float, width: float, fill: Fill) -> str:
    inside, around = _PAINT[fill]
    box = f'x="{n(x)}" y="{n(y)}" width="{n(width)}" height="{n(BAR if width != 12 else 12)}"'
    return f'<rect {box} fill="{inside}" stroke="{around}" stroke-width="0.8"/>\n'
