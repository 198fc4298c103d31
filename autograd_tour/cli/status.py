"""One line on a terminal that says what is being done, and is gone when it is done."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TextIO

from autograd_tour.cli.stderr import printable
from autograd_tour.progress import heard_by

__all__ = ["status_line"]


@contextmanager
def status_line(*, quiet: bool) -> Iterator[None]:
    """Show what is being done on stderr until the block ends, if that is a terminal; never if ``quiet``.

    Meanwhile ``sys.stderr`` takes the line away before anything else is written, be it by the program under
    trace. What a program writes from C stands behind the line.
    """
    stream = sys.stderr
    if quiet or not _shows(stream):
        yield
        return
    line = _Line(stream)
    sys.stderr = line
    try:
        with heard_by(line.show):
            yield
    finally:
        line.erase()
        if sys.stderr is line:
            sys.stderr = stream


def _shows(stream: TextIO | None) -> bool:
    """Whether a person looks at ``stream``: a terminal that can go back to the start of a line."""
    if os.environ.get("CI") or os.environ.get("TERM") == "dumb":
        return False
    try:
        return stream is not None and stream.isatty()
    except ValueError:  # it is closed
        return False


class _Line:
    """The stream of a terminal, with a line on it that gives way to all that is written."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._visible = False
        self._at_start = True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        self.erase()
        if text:
            self._at_start = text[-1] in "\r\n"
        return self._stream.write(text)

    def close(self) -> None:
        """A program may close its stderr; the line is still to be taken away."""

    def show(self, tasks: Sequence[str]) -> None:
        """The line says ``tasks``, or is gone if there are none."""
        if self._stream.closed:
            return
        self.erase()
        room = shutil.get_terminal_size().columns - 1
        text = printable(": ".join(tasks)).encode("ascii", "replace").decode()  # a mark for each cell
        if text and self._at_start:  # never behind half a line of somebody else
            self._stream.write(text[:room])
            self._stream.flush()
            self._visible = True

    def erase(self) -> None:
        """Blanks in place of the line: no terminal fails to understand them."""
        if self._visible and not self._stream.closed:
            self._visible = False
            blanks = " " * (shutil.get_terminal_size().columns - 1)
            self._stream.write(f"\r{blanks}\r")
            self._stream.flush()
