"""What a build knows of its blocks. Loads nothing that runs or draws.

All of it is kept with the environment as plain data, so that a build in which nothing changed reads it and
looks at the times of files, and that is all.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sphinx.util import logging

from autograd_tour.errors import UsageError
from autograd_tour.integrations.sphinx import stamps

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

    from autograd_tour.hosts.wish import Wish

__all__ = [
    "BLOCKS",
    "HINT",
    "KEYS",
    "OUTCOMES",
    "STAMPS",
    "add",
    "begin",
    "failed",
    "failures",
    "merge",
    "number_of",
    "purge",
    "shows_nothing",
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
HINT = "A role stands behind its block"
STAMPS = "autograd_tour_stamps"
"""By document: size and time of the files of its records, and what made them."""


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
    """The number of the block of that name.

    Raises:
        UsageError: there is none.
    """
    blocks: list[tuple[str, bytes]] = table(env, BLOCKS).get(docname, [])
    for number, (other, _) in enumerate(blocks):
        if name and other == name:
            return number
    raise UsageError(f"no autograd block before is called {name}", HINT)


def shows_nothing(app: Sphinx) -> bool:
    """Whether the builder shows no pictures, so that no code is to run for it."""
    return app.builder.name in _WITHOUT_CODE


def begin(app: Sphinx, env: BuildEnvironment, docnames: list[str]) -> None:
    """Forget what a build before has left in memory."""
    del env, docnames
    table(app, OUTCOMES).clear()
    stamps.forget()


def purge(app: Sphinx, env: BuildEnvironment, docname: str) -> None:
    """Forget the blocks of a document that is read again, or gone."""
    table(app, OUTCOMES).pop(docname, None)
    for name in (BLOCKS, KEYS, STAMPS):
        table(env, name).pop(docname, None)
    _failure_of(env, docname).unlink(missing_ok=True)


def failed(env: BuildEnvironment, docname: str) -> None:
    """Note that something of a document went wrong: as a file, since pages are written in other processes."""
    path = _failure_of(env, docname)
    with contextlib.suppress(OSError):  # where nothing can be written, what went wrong is still to be said
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(docname, encoding="utf-8")


def failures(env: BuildEnvironment) -> set[str]:
    """The documents of which something went wrong last time."""
    return {path.read_text(encoding="utf-8") for path in _failures(env).glob("*.txt")}


def _failures(env: BuildEnvironment) -> Path:
    return Path(env.doctreedir) / "autograd" / "failures"


def _failure_of(env: BuildEnvironment, docname: str) -> Path:
    return _failures(env) / f"{hashlib.sha256(docname.encode()).hexdigest()[:32]}.txt"


def merge(_: Sphinx, env: BuildEnvironment, docnames: Iterable[str], other: BuildEnvironment) -> None:
    """Take the blocks that another process has read."""
    blocks, theirs = table(env, BLOCKS), table(other, BLOCKS)
    blocks.update({name: theirs[name] for name in docnames if name in theirs})
