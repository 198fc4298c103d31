"""Warnings of torch stand at the line of the program, where those who listen make the call."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from types import CodeType, FrameType
from typing import Any

from autograd_tour.tracer.listen.frames import is_ours, user_frame

__all__ = ["warnings_placed"]


_OF_OUR_HOOKS = "Using `torch.compile(module)` when there are global hooks"


@contextmanager
def warnings_placed(stop: CodeType) -> Iterator[None]:
    """What warns at a line of this package in here is shown at that of the program, below ``stop``.

    Torch warns at the innermost frame of Python, and that is the one that listens.
    """
    before = warnings.showwarning

    def show(
        message: Any, category: Any, filename: str, lineno: int, file: Any = None, line: str | None = None
    ) -> None:
        if str(message).startswith(_OF_OUR_HOOKS):
            return  # the hooks are ours: without us the program would hear nothing of it
        position = _program_line(filename, stop) if is_ours(filename) else None
        if position is not None:
            (filename, lineno), line = position, None
        before(message, category, filename, lineno, file, line)

    warnings.showwarning = show
    try:
        yield
    finally:
        if warnings.showwarning is show:
            warnings.showwarning = before


def _program_line(filename: str, stop: CodeType) -> tuple[str, int] | None:
    """File and line of the program that called what is in ``filename``."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename != filename:
        frame = frame.f_back
    user = user_frame(frame, stop)
    return (user.f_code.co_filename, user.f_lineno) if user is not None else None
