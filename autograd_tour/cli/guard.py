"""The program under trace runs in here: it keeps to its time, and leaves stdout and the folder alone.

What we do ourselves, reading and drawing, keeps to its time too.

Two things cannot be had: a program that calls ``os._exit`` ends the command with it, before anything
is written, and so does one that crashes the interpreter.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import sysconfig
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import TextIO

from autograd_tour.cli.signals import GRACE, end_with
from autograd_tour.cli.stderr import report_error
from autograd_tour.errors import EngineError, ProgramError, StopRequest, TourError

__all__ = ["PROGRAM_SECONDS", "end_with", "guarded", "limited", "stdout_to_stderr"]

PROGRAM_SECONDS = 600.0
"""Time for one program, and for drawing it, unless ``--timeout`` says otherwise."""

_OURS = Path(__file__).parents[1]
_INSTALLED = tuple(
    str(Path(folder)) + os.sep
    for folder in {sysconfig.get_path(key) for key in ("stdlib", "platstdlib", "purelib", "platlib")}
)


Late = Callable[[str], TourError]
"""The error of what took too long, from the words for where it was."""


class _TimeUp(StopRequest):
    """No ``Exception``: a program that catches everything in its loop must end too."""


@contextlib.contextmanager
def guarded(seconds: float) -> Iterator[None]:
    """Run a program for at most ``seconds``; afterwards the working folder is the old one.

    Raises:
        ProgramError: the time is up; the message has the line that was running.
    """
    folder = os.getcwd()

    def late(where: str) -> ProgramError:
        return ProgramError(
            f"the program ran longer than {seconds:g} s and was stopped{where}",
            "Allow more time with --timeout SECONDS, or trace a smaller step",
        )

    with stdout_to_stderr(), _within(seconds, late):
        try:
            yield
        finally:
            with contextlib.suppress(OSError):  # the folder may be gone
                os.chdir(folder)


@contextlib.contextmanager
def limited(
    seconds: float, doing: str, less: str = "Draw less with --depth N, --focus NAME or fewer -f and --view"
) -> Iterator[None]:
    """Do what is ours for at most ``seconds``; ``doing`` says what it is: ``drawing net-loss``.

    ``less`` says how it would take less time.

    Raises:
        EngineError: the time is up.
    """

    def late(where: str) -> EngineError:  # noqa: ARG001 - a line of ours helps nobody
        return EngineError(
            f"{doing} took longer than {seconds:g} s and was stopped",
            f"{less}, or allow more time with --timeout SECONDS",
        )

    with _within(seconds, late):
        yield


@contextlib.contextmanager
def _within(seconds: float, late: Late) -> Iterator[None]:
    where: list[str] = []
    done = threading.Event()
    threading.Thread(target=_watch, args=(seconds, done, threading.get_ident(), late), daemon=True).start()
    try:
        with _alarm(seconds, where, done):
            yield
    except _TimeUp:
        raise late(where[0]) from None
    except TourError as error:
        if where and isinstance(error.__cause__, _TimeUp):
            raise late(where[0]) from None
        raise
    finally:
        done.set()


@contextlib.contextmanager
def _alarm(seconds: float, where: list[str], done: threading.Event) -> Iterator[None]:
    """Raise in the main thread when the time is up, where the system has such alarms."""
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def ring(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        if not done.is_set():
            where.append(_user_line(frame))
            raise _TimeUp

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        done.set()
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _watch(seconds: float, done: threading.Event, thread: int, late: Late) -> None:
    """End the command if what runs cannot be interrupted: it is deep in C, or catches everything."""
    alarms = hasattr(signal, "setitimer")
    if done.wait(seconds + (GRACE if alarms else 0.0)):
        return
    error = late(_user_line(sys._current_frames().get(thread)))
    report_error(error.message, error.hint)
    end_with(error.exit_code)


def _user_line(frame: FrameType | None) -> str:
    """``, at net.py:3 in loss()``: the innermost line that is the user's."""
    while frame is not None:
        name = frame.f_code.co_filename
        ours = Path(name).is_relative_to(_OURS)
        if not (name.startswith("<") or ours or name.startswith(_INSTALLED)):
            function = frame.f_code.co_name
            inside = f" in {function}()" if function.isidentifier() else ""
            return f", at {os.path.basename(name)}:{frame.f_lineno}{inside}"
        frame = frame.f_back
    return ""


@contextlib.contextmanager
def stdout_to_stderr() -> Iterator[None]:
    """What the program prints is no answer of ours, be it printed by Python, C or a process of its own.

    Streams that it closes are open again afterwards: what we answer has nothing to do with it.
    """
    stderr, saved = sys.stderr, _second_streams()
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        for number, copy in saved.items():
            os.dup2(copy, number)
            os.close(copy)
        if saved:
            sys.stdout, sys.stderr = _opened(sys.stdout, 1), _opened(stderr, 2)


def _second_streams() -> dict[int, int]:
    """Let file descriptor 1 go where 2 goes; copies of both as they were, none where they are not ours."""
    try:
        if sys.stdout.fileno() != 1 or sys.stderr.fileno() != 2:
            return {}
        sys.stdout.flush()
        saved = {number: os.dup(number) for number in (1, 2)}
        os.dup2(2, 1)
    except (OSError, ValueError, AttributeError):
        return {}
    return saved


def _opened(stream: TextIO, number: int) -> TextIO:
    """``stream``, or another one like it where the program has closed it."""
    if not stream.closed:
        return stream
    return open(number, "w", encoding=stream.encoding, errors=stream.errors, closefd=False)
