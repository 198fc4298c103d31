"""How large pictures become: told, as they are drawn, to whoever asks."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

from autograd_tour.drawing.room import Room
from autograd_tour.views.picture import PictureSize

__all__ = ["drawing_view", "note_size", "picture_sizes"]

_asking: list[dict[PictureSize, None]] = []
_drawn: list[tuple[str, str]] = []


@contextmanager
def picture_sizes() -> Iterator[dict[PictureSize, None]]:
    """The sizes of all views that are drawn until the block ends, each once, in order."""
    sizes: dict[PictureSize, None] = {}
    _asking.append(sizes)
    try:
        yield sizes
    finally:
        _asking[:] = [asked for asked in _asking if asked is not sizes]


@contextmanager
def drawing_view(view: str, folded: str = "") -> Iterator[None]:
    """What is drawn until the block ends is this view; ``folded`` says what of it is folded into cards."""
    entry = (view, folded)
    _drawn.append(entry)
    try:
        yield
    finally:
        _drawn.remove(entry)


def note_size(
    size: tuple[float, float],
    room: Room | None,
    text: float,
    *,
    cards: int = 0,
    left_out: tuple[str, ...] = (),
) -> None:
    """A picture of ``size`` px with text of ``text`` px and more was drawn; ``room`` scales both."""
    if not _drawn or not _asking:
        return
    view, folded = _drawn[-1]
    scale = 1.0 if room is None else room.scale(size)
    width, height = size if room is None else room.document(size)
    # Never more than it is: what is a tenth smaller may be too small.
    smallest = math.floor(10 * text * scale + 1e-6) / 10
    noted = PictureSize(view, round(width, 1), round(height, 1), smallest, cards, folded, left_out)
    for sizes in _asking:
        sizes[noted] = None
