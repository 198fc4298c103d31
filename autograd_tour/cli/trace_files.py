"""Saved traces as a command reads them: from a file or stdin, none too large."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import BinaryIO

from autograd_tour.errors import TourError, TraceFileError, UsageError

__all__ = ["LARGEST_TRACE", "read_file", "read_stdin", "stem"]

LARGEST_TRACE = 512 * 1024**2
"""Bytes; a larger file is refused before it is read."""


def stem(path: Path) -> str:
    """How names of files start: as that of the trace, without what a terminal or another system bears not."""
    return re.sub(r"[\x00-\x1f\x7f-\x9f\\\u200e\u200f\u202a-\u202e\u2066-\u2069]", "-", path.stem).lstrip(".")


def read_file(path: Path) -> bytes:
    """What is in a file.

    Raises:
        UsageError: there is none, or it cannot be read.
        TraceFileError: it is larger than any trace.
    """
    try:
        with path.open("rb") as file:
            # The size that the file system tells, so that nothing of a huge file is read.
            _check_size(os.fstat(file.fileno()).st_size, str(path))
            return _read(file, str(path))
    except FileNotFoundError:
        raise UsageError(f"there is no file {path}", _json_files_near(path)) from None
    except IsADirectoryError:
        raise UsageError(f"{path} is a folder, not a trace", "Name a .json file in it") from None
    except TourError:
        raise
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"cannot read {path}: {reason}", "Check the path and its rights") from None


def read_stdin() -> bytes:
    """What comes from stdin; errors as of :func:`read_file`."""
    if sys.stdin is None or sys.stdin.closed:
        raise UsageError("there is no stdin to read a trace from", "autograd-tour render - < trace.json")
    return _read(sys.stdin.buffer, "stdin")


def _read(file: BinaryIO, name: str) -> bytes:
    # Pipes have no size: one byte past the ceiling is enough to know.
    text = file.read(LARGEST_TRACE + 1)
    _check_size(len(text), name)
    return text


def _check_size(size: int, name: str) -> None:
    if size > LARGEST_TRACE:
        raise TraceFileError(
            f"{name} is larger than {LARGEST_TRACE // 1024**2} MB, too large for a trace",
            "Trace again and keep less of each tensor: --keep 16, or less in all: --ceiling 64",
        )


def _json_files_near(path: Path) -> str:
    from difflib import get_close_matches

    folder = path.parent
    if not os.path.isdir(folder):
        return f"There is no folder {folder} either; you are in {Path.cwd()}"
    names = sorted(entry.name for entry in folder.glob("*.json"))
    near = get_close_matches(path.name, names, n=1)
    if near:
        return f"Did you mean '{folder / near[0]}'?"
    return (
        f"JSON files there: {', '.join(names[:8])}"
        if names
        else f"There is no JSON file in {folder.resolve()}"
    )
