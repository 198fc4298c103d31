"""The ways in which the tour stops. Each error has an exit code and a hint that says what to do."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import ClassVar

__all__ = [
    "EngineError",
    "GraphError",
    "PictureError",
    "ProgramError",
    "StopRequest",
    "TourError",
    "TraceFileError",
    "UsageError",
    "message_of",
    "suggestion",
]


class TourError(Exception):
    """Base of every error that the package raises on purpose.

    ``message`` says what happened and where, ``hint`` what to do about it.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}. {self.hint}" if self.hint else self.message


class StopRequest(BaseException):
    """The work is to end: its time is up, nobody waits for it, or the system says so.

    No ``Exception``, and no failure of the program: whoever catches all that a program raises lets it pass.
    """


class ProgramError(TourError):
    """The program under trace failed, or its result has no gradient to follow."""

    exit_code = 1


class UsageError(TourError, ValueError):
    """The call is off: a target, a name, a format or a folder that is not there."""

    exit_code = 2


class EngineError(TourError):
    """No layout engine could be found, it failed, or drawing ran out of time."""

    exit_code = 3


class TraceFileError(TourError, ValueError):
    """A saved trace is damaged, foreign, or of another schema."""

    exit_code = 4


class GraphError(TourError, ValueError):
    """A graph breaks a rule that all graphs keep; ``path`` is the field (``edges[3].dst``)."""

    def __init__(self, message: str, path: str) -> None:
        super().__init__(f"{message} - at `{path}`")
        self.reason = message
        self.path = path


class PictureError(TourError, TypeError):
    """What a view returned cannot be drawn."""

    exit_code = 1


def message_of(error: BaseException) -> str:
    """The text of an error of a program; ``""`` if it has none, or fails to say it."""
    try:
        return str(error)
    except (KeyboardInterrupt, StopRequest):
        raise
    except BaseException:
        return ""


def suggestion(name: str, names: Sequence[str], most: int | None = None) -> str:
    """A hint for a name that is not there: the closest one, then all of them if they are ``most`` or less."""
    close = difflib.get_close_matches(name[:60], names, 1)
    start = f"Did you mean {close[0]!r}? " if close else ""
    listed = bool(names) and (most is None or len(names) <= most)
    return f"{start}Known: {', '.join(names)}" if listed else start.strip()
