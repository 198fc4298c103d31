"""An error of the program in a few words: what it says, and the line of the program where it was raised."""

from __future__ import annotations

import traceback

from autograd_tour.errors import StopRequest, message_of
from autograd_tour.text import one_line
from autograd_tour.tracer.listen.frames import deepest_own

__all__ = ["described", "exit_text", "first_line", "place_of"]


def first_line(error: BaseException) -> str:
    """The first line of an error's text, at most 300 characters; a longer one ends with ``…``."""
    return one_line(message_of(error).strip().split("\n")[0].strip().rstrip("."), 300)


def described(error: BaseException, text: str | None = None) -> str:
    """``ValueError: not today``, with ``text`` or the first line of its own; or the type alone."""
    text = first_line(error) if text is None else text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def exit_text(error: SystemExit) -> str:
    """``exit(3)``: what the program gave to ``sys.exit``, on one line."""
    try:
        code = " ".join(repr(error.code).split())
    except (KeyboardInterrupt, StopRequest):
        raise
    except BaseException:
        code = f"<{type(error.code).__name__}>"
    return f"exit({code[:80]})"


def place_of(error: BaseException) -> str:
    """`` at net.py:5: the line``, where the program was when it raised; ``""`` if no line of it is known."""
    stack = traceback.extract_tb(error.__traceback__)
    own = deepest_own([frame.filename for frame in stack])
    if own is None:
        return ""
    frame = stack[own]
    return f" at {frame.filename}:{frame.lineno}" + (f": {frame.line}" if frame.line else "")
