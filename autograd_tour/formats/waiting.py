"""Ctrl-C and its like wait while files are replaced: all of them are written, or none."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

__all__ = ["Stopped", "WaitingSignals"]


class Stopped(BaseException):
    """A signal waits, and what was begun is to be put back."""


class WaitingSignals:
    """Signals that end the process wait in here; they take effect when it is left, whatever happened.

    Otherwise a second Ctrl-C could come while files are put back after the first one.
    """

    def __init__(self) -> None:
        self.arrived: list[int] = []
        self._patient = True
        self._handlers: dict[int, Any] = {}

    def __enter__(self) -> WaitingSignals:
        if threading.current_thread() is threading.main_thread():
            names = ("SIGINT", "SIGTERM", "SIGHUP")
            numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
            heeded = [n for n in numbers if signal.getsignal(n) not in (None, signal.SIG_IGN)]
            self._handlers = {number: signal.signal(number, self._note) for number in heeded}
        return self

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.arrived.append(number)
        if not self._patient:
            self._patient = True
            raise Stopped

    def stop(self) -> None:
        """Nothing, if no signal waits.

        Raises:
            Stopped: one does.
        """
        if self.arrived:
            raise Stopped

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """The first signal in here stops what runs: whoever reads what it writes may never come."""
        self.stop()
        self._patient = False
        try:
            yield
        finally:
            self._patient = True

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        for number in self.arrived[:1]:
            signal.raise_signal(number)
        if kind is Stopped:  # a handler of somebody else's let it pass; the files are not written
            raise KeyboardInterrupt
