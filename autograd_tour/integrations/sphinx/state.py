"""What a build knows of its blocks, and whether anything of it has changed. Loads nothing that runs or draws.

All of it is kept with the environment as plain data, so that a build in which nothing changed reads it and
looks at the times of files, and that is all.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sphinx.util import logging

from autograd_tour.errors import UsageError

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

    from autograd_tour.hosts.wish import Wish

__all__ = [
    "BLOCKS",
    "KEYS",
    "OUTCOMES",
    "STAMPS",
    "add",
    "begin",
    "failed",
    "merge",
    "number_of",
    "outdated",
    "purge",
    "shows_nothing",
    "stamp_of",
    "table",
]

logger = logging.getLogger(__name__)

_WITHOUT_CODE = frozenset({"linkcheck", "gettext", "doctest", "dummy", "coverage", "changes"})
"""Builders that show no picture, and so run no code."""
BLOCKS = "autograd_tour_blocks"
"""By document: name and wish (as bytes) of each block."""
OUTCOMES = "autograd_tour_outcomes"
KEYS = "autograd_tour_keys"
"""By document: the records that it stands on."""
STAMPS = "autograd_tour_stamps"
"""By document: size and time of the files of its records, and what made them."""
_OURS = Path(__file__).parents[2]


def table(owner: object, name: str) -> dict[str, Any]:
    """One of the tables above, of the environment or of the application."""
    if not hasattr(owner, name):
        setattr(owner, name, {})
    entries: dict[str, Any] = getattr(owner, name)
    return entries


def add(env: BuildEnvironment, wish: Wish, name: str) -> int:
    """Note a block of the document that is being read; its number there."""
    import msgspec

    blocks: list[tuple[str, bytes]] = table(env, BLOCKS).setdefault(env.docname, [])
    if name and any(other == name for other, _ in blocks):
        logger.warning(
            "two autograd blocks of this document are called %s",
            name,
            location=(env.docname, wish.snippet.line),
            type="autograd",
            subtype="name",
        )
    blocks.append((name, msgspec.msgpack.encode(wish)))
    return len(blocks) - 1


def number_of(env: BuildEnvironment, docname: str, name: str) -> int:
    """The number of the block of that name, or of the nearest one before if ``name`` is empty.

    Raises:
        UsageError: there is none.
    """
    blocks: list[tuple[str, bytes]] = table(env, BLOCKS).get(docname, [])
    if not name and blocks:
        return len(blocks) - 1
    numbers = [number for number, (other, _) in enumerate(blocks) if name and other == name]
    if not numbers:
        text = f"no autograd block before is called {name}" if name else "no autograd block stands before"
        raise UsageError(text, "A role stands behind its block")
    return numbers[0]


def shows_nothing(app: Sphinx) -> bool:
    """Whether the builder shows no pictures, so that no code is to run for it."""
    return app.builder.name in _WITHOUT_CODE


def outdated(
    app: Sphinx, env: BuildEnvironment, added: set[str], changed: set[str], removed: set[str]
) -> Sequence[str]:
    """Documents whose blocks failed last time, or have no fresh records: they are read again."""
    if shows_nothing(app):
        return []
    broken = {path.read_text(encoding="utf-8") for path in _failures(env).glob("*.txt")} & set(env.all_docs)
    stamps = table(env, STAMPS)
    doubtful = [name for name in table(env, KEYS) if name not in changed and not _is_same(stamps.get(name))]
    if doubtful:
        from autograd_tour.integrations.sphinx.builds import has_records

        broken |= {name for name in doubtful if not has_records(app, name)}
    return sorted(broken - removed - added)


def stamp_of(files: Iterable[Path]) -> dict[str, Any]:
    """What tells that files, and all that records depend on, are as they were, without reading them."""
    return {"made by": _made_by(), "files": {str(path): _times(path) for path in files}}


def _is_same(stamp: dict[str, Any] | None) -> bool:
    if stamp is None:
        return False
    return bool(stamp["made by"] == _made_by()) and all(
        times == _times(path) for path, times in stamp["files"].items()
    )


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


def begin(app: Sphinx, env: BuildEnvironment, docnames: list[str]) -> None:
    """Forget what a build before has left in memory."""
    del env, docnames
    table(app, OUTCOMES).clear()
    _made_by_now.clear()


def purge(app: Sphinx, env: BuildEnvironment, docname: str) -> None:
    """Forget the blocks of a document that is read again, or gone."""
    table(app, OUTCOMES).pop(docname, None)
    for name in (BLOCKS, KEYS, STAMPS):
        table(env, name).pop(docname, None)
    _failure_of(env, docname).unlink(missing_ok=True)


def failed(env: BuildEnvironment, docname: str) -> None:
    """Note that something of a document went wrong: as a file, since pages are written in other processes."""
    path = _failure_of(env, docname)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(docname, encoding="utf-8")


def _failures(env: BuildEnvironment) -> Path:
    return Path(env.doctreedir) / "autograd" / "failures"


def _failure_of(env: BuildEnvironment, docname: str) -> Path:
    return _failures(env) / f"{hashlib.sha256(docname.encode()).hexdigest()[:32]}.txt"


def merge(_: Sphinx, env: BuildEnvironment, docnames: Iterable[str], other: BuildEnvironment) -> None:
    """Take the blocks that another process has read."""
    blocks, theirs = table(env, BLOCKS), table(other, BLOCKS)
    blocks.update({name: theirs[name] for name in docnames if name in theirs})
