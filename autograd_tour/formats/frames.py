"""The frames of a film as files with numbers in their names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from autograd_tour.drawing import frames
from autograd_tour.errors import UsageError
from autograd_tour.formats.base import Settings
from autograd_tour.views.picture import Film

__all__ = ["MOST", "frames_of", "numbered"]

Content = TypeVar("Content", str, bytes)

MOST = 200
"""So many frames are written at most: nobody pages through more, and each is a file."""


def frames_of(picture: Film, settings: Settings) -> tuple[str, ...]:
    """An SVG document for each frame.

    Raises:
        UsageError: there are more than :data:`MOST`, or there is no step at all.
        EngineError: the layout failed.
    """
    count = len(picture.scene.captions)
    if count > MOST:
        raise UsageError(
            f"{count} frames are more than anybody pages through",
            "Leave out --no-fold, or look at one part with --focus NAME",
        )
    if count == 1:
        raise UsageError(
            "this trace has no recorded backward, so it has no steps",
            "Trace the program itself: file.py:name",
        )
    return tuple(
        frames(
            picture,
            theme=settings.theme,
            direction=settings.direction,
            engine=settings.engine,
            timeout=settings.timeout,
            room=settings.room,
        )
    )


def numbered(stem: str, ending: str, contents: Sequence[Content]) -> dict[str, Content]:
    """``STEM-00.svg``, ``STEM-01.svg``, …: as many digits as the last one needs, at least two."""
    digits = max(2, len(str(len(contents) - 1)))
    return {f"{stem}-{number:0{digits}}.{ending}": content for number, content in enumerate(contents)}
