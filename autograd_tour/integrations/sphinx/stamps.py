"""Whether files, and all that records depend on, are as they were: by size and time, without reading them."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

__all__ = ["forget", "is_same", "stamp_of"]

_OURS = Path(__file__).parents[2]


def stamp_of(files: Iterable[Path]) -> dict[str, Any]:
    """What tells that files, and all that records depend on, are as they were, without reading them."""
    return {"made by": _made_by(), "files": {str(path): _times(path) for path in files}}


def is_same(stamp: dict[str, Any] | None) -> bool:
    """Whether nothing that ``stamp`` tells of has changed since; ``None`` is the stamp of nothing."""
    if stamp is None:
        return False
    return bool(stamp["made by"] == _made_by()) and all(
        times == _times(path) for path, times in stamp["files"].items()
    )


def forget() -> None:
    """Look at our own files again: another build begins."""
    _made_by_now.clear()


_made_by_now: list[tuple[object, ...]] = []


def _made_by() -> tuple[object, ...]:
    """Versions, and size and time of each file of ours: a checkout changes without a new version."""
    if not _made_by_now:
        try:
            torch = metadata.version("torch")
        except metadata.PackageNotFoundError:
            torch = ""
        own = hashlib.sha256(repr(sorted(_own_files(_OURS))).encode()).hexdigest()
        _made_by_now.append((torch, sys.version_info[:2], own))
    return _made_by_now[0]


def _own_files(folder: Path | str) -> Iterator[tuple[str, int, int]]:
    for entry in os.scandir(folder):
        if entry.is_dir():
            yield from () if entry.name == "__pycache__" else _own_files(entry.path)
        else:
            status = entry.stat()
            yield entry.path, status.st_size, status.st_mtime_ns


def _times(path: Path | str) -> tuple[int, int] | None:
    """Size and time of a file, ``None`` if it is not there."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns
