"""The room a picture is made for: a slide, a sheet of paper, a column of text."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from msgspec import Struct
from msgspec.structs import replace

from autograd_tour.errors import UsageError
from autograd_tour.text import number, one_line

__all__ = ["BODY", "ROOMS", "ROUNDING", "SCREEN", "Fit", "Room", "fits", "reached", "room_for"]

BODY = 12.0
"""Size of most text in a picture that nobody scaled, px."""
PT = 4 / 3
"""Px of a point."""
MM = 96 / 25.4
"""Px of a millimetre."""
ROUNDING = 0.05
"""What is lost in printing a size of text, px."""
SMALLEST, LARGEST = 100.0, 20_000.0
"""Sides of a room, px."""

_SIZE = re.compile(r"(\d{1,6})\s*[x×X]\s*(\d{1,6})")


class Room(Struct, frozen=True):
    """Sizes in px. A room of no end in ``height`` is as tall as its picture needs.

    Text is to have at least ``least``, and no picture is blown up beyond text of ``most``. A ``margin``
    stays free on all sides. Sizes of text are told in points if ``printed``.
    """

    name: str
    width: float
    height: float = math.inf
    least: float = BODY
    most: float = BODY
    margin: float = 0.0
    printed: bool = False

    @property
    def endless(self) -> bool:
        """Whether nothing has to fit: text has its size."""
        return math.isinf(self.width)

    def scale(self, size: tuple[float, float]) -> float:
        """What a picture of ``size`` px is multiplied by to fit."""
        width, height = (max(side, 1.0) for side in size)
        fitting = min((self.width - 2 * self.margin) / width, (self.height - 2 * self.margin) / height)
        return min(fitting, self.most / BODY)

    def text(self, size: tuple[float, float]) -> float:
        """How large text is, px, in a picture of ``size`` px that was made to fit."""
        return BODY * self.scale(size)

    def document(self, size: tuple[float, float]) -> tuple[float, float]:
        """Width and height of the document with a picture of ``size`` px in it."""
        scale = self.scale(size)
        sides = zip((self.width, self.height), size, strict=True)
        across, down = (
            side if math.isfinite(side) else drawn * scale + 2 * self.margin for side, drawn in sides
        )
        return across, down

    def told(self, text: float) -> str:
        """A size of text as people of this room say it; it never reads as more than it is."""
        unit = PT if self.printed else 1.0
        return f"{number(math.floor(10 * text / unit + 1e-6) / 10)} {'pt' if self.printed else 'px'}"


SCREEN = Room("a screen", 1280.0)
"""What a picture is made for where nothing else is said: it is turned, but not scaled."""


def _slide(width: float, height: float) -> Room:
    return Room(f"{width:g}×{height:g}", width, height, least=18.0, most=32.0)


def _paper(name: str, width: float, height: float) -> Room:
    return Room(name, width * MM, height * MM, least=9 * PT, most=12 * PT, margin=10 * MM, printed=True)


ROOMS = {
    "16:9": _slide(1280, 720),
    "4:3": _slide(960, 720),
    "a4": _paper("a4", 210, 297),
    "a4-landscape": _paper("a4-landscape", 297, 210),
}


def room_for(
    fit: str | None = None,
    width: float | None = None,
    min_text: float | None = None,
    font_size: float | None = None,
) -> Room | None:
    """The room that ``fit`` names, or a column of ``width`` px; ``None`` if neither is given.

    With a ``font_size`` it has no end, and most text is so many px large.

    ``min_text`` px in place of what is usual there: 18 on a slide, 12 (9 pt) on paper, 11 in a column.

    Raises:
        UsageError: both are given, or neither but ``min_text``; or there is no such room or size.
    """
    if font_size is not None:
        if fit is not None or width is not None or min_text is not None:
            raise UsageError(
                "a picture fits a room or has text of a size, not both",
                "Leave out --font-size, or --fit, --width and --min-text",
            )
        if not 1 <= font_size <= 200:
            raise UsageError(f"no picture has text of {font_size:g} px", "Use one from 1 to 200")
        return Room(f"text of {font_size:g} px", math.inf, least=font_size, most=font_size)
    if fit is not None and width is not None:
        raise UsageError("a picture fits a room or a width, not both", "Leave --fit or --width out")
    if fit is None and width is None:
        if min_text is not None:
            raise UsageError(
                "a least size of text needs a room to fit", "Add --fit 16:9, --fit a4 or --width 736"
            )
        return None
    room = _named(fit) if fit is not None else _column(width or 0.0)
    if min_text is None:
        return room
    if not 1 <= min_text <= 200:
        raise UsageError(f"no picture has text of {min_text:g} px", "Use one from 1 to 200, as --min-text 18")
    return replace(room, least=min_text, most=max(room.most, min_text))


def _column(width: float) -> Room:
    _check_side(width)
    return Room(f"{width:g} px", width, least=11.0, most=16.0)


def _named(fit: str) -> Room:
    room = ROOMS.get(fit.strip().lower())
    if room is not None:
        return room
    sides = _SIZE.fullmatch(fit.strip())
    if sides is None:
        raise UsageError(
            f"there is no room called {fit[:60]!r}", f"Use {', '.join(ROOMS)}, or a size in px: 1280x720"
        )
    width, height = float(sides[1]), float(sides[2])
    _check_side(width)
    _check_side(height)
    return _slide(width, height)


def _check_side(side: float) -> None:
    if not SMALLEST <= side <= LARGEST:
        raise UsageError(
            f"no picture is made {side:g} px wide or tall",
            f"Use a size from {SMALLEST:g} to {LARGEST:g} px",
        )


# ---- what came of it ------------------------------------------------------------------------------


class Fit(Struct, frozen=True):
    """How large the text of the picture with this ``title`` is in its ``room``, px.

    ``cardless``: with text as large as it is to be, not one of its cards would have room there.
    """

    title: str
    room: Room
    text: float
    cardless: bool = False

    @property
    def small(self) -> bool:
        """Whether text is smaller than it is to be there; what is lost in printing does not count."""
        return self.text < self.room.least - ROUNDING

    @property
    def summary(self) -> str:
        """``Autograd graph of loss fits 1280×720 with text of 14.2 px``."""
        return f"{one_line(self.title, 80)} fits {self.room.name} with text of {self.room.told(self.text)}"

    @property
    def shortfall(self) -> str:
        """What the text of a picture is compared with that has not the text it was to have."""
        less = f"which is less than {self.room.told(self.room.least)}"
        return f"{less}; at that size not one card has room" if self.cardless else less


_open: list[dict[Fit, None]] = []


@contextmanager
def fits() -> Iterator[dict[Fit, None]]:
    """What comes of every picture that is made for a room until the block ends, each once, in order."""
    heard: dict[Fit, None] = {}
    _open.append(heard)
    try:
        yield heard
    finally:
        _open.remove(heard)


def reached(
    title: str,
    size: tuple[float, float],
    room: Room | None,
    cards: Iterable[tuple[float, float]] = (),
) -> None:
    """Tell whoever asked with :func:`fits` what came of a picture of ``size`` px with cards of such sizes."""
    if room is not None and not room.endless:
        scales = [room.scale(card) for card in cards]
        cardless = bool(scales) and BODY * max(scales) < room.least - 0.05
        for heard in _open:
            heard[Fit(title, room, room.text(size), cardless)] = None
