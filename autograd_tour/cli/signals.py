"""SIGTERM ends the command as Ctrl-C does: nothing half-written, one line, and an exit code of its own."""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import suppress
from types import FrameType
from typing import ClassVar

from autograd_tour.errors import StopRequest

__all__ = ["GRACE", "INTERRUPTED", "Interrupted", "Terminated", "end_with", "heed_sigterm"]

INTERRUPTED = 130
TERMINATED = 143

GRACE = 5.0
"""Seconds for a program that is told to stop, before the whole command is ended."""


class Interrupted(StopRequest):
    """Ctrl-C, once it has left the program under trace, which may catch a ``KeyboardInterrupt``."""

    word: ClassVar[str] = "interrupted"
    exit_code: ClassVar[int] = INTERRUPTED


class Terminated(StopRequest):
    """The system asks the command to end."""

    word: ClassVar[str] = "terminated"
    exit_code: ClassVar[int] = TERMINATED


def heed_sigterm() -> None:
    """Raise :class:`Terminated` when SIGTERM arrives, unless somebody else looks after it."""
    main = threading.current_thread() is threading.main_thread()
    if main and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _terminate)


def _terminate(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
    # A program may be deep in C, or catch everything.
    thread = threading.Timer(GRACE, _end)
    thread.daemon = True
    thread.start()
    raise Terminated


def _end() -> None:
    from autograd_tour.cli.stderr import say  # it imports click, which takes time

    say(Terminated.word)
    end_with(TERMINATED)


def end_with(code: int) -> None:
    """End the process at once, threads or not; what was said is said."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(code)
