"""The blocks of a build: gathered while documents are read, run together, kept from build to build."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from sphinx.errors import ConfigError
from sphinx.util import logging

from autograd_tour.errors import UsageError
from autograd_tour.hosts import Cache, Failure, Outcome, run
from autograd_tour.hosts.options import Wish

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.config import Config
    from sphinx.environment import BuildEnvironment

__all__ = [
    "Block",
    "add",
    "begin",
    "block",
    "cache_of",
    "check_config",
    "failed",
    "merge",
    "number_of",
    "outcome",
    "outdated",
    "purge",
    "run_blocks",
    "shows_nothing",
]

logger = logging.getLogger(__name__)

_WITHOUT_CODE = frozenset({"linkcheck", "gettext", "doctest", "dummy", "coverage", "changes"})
"""Builders that show no picture, and so run no code."""
_BLOCKS = "autograd_tour_blocks"
_OUTCOMES = "autograd_tour_outcomes"
_KEYS = "autograd_tour_keys"


class Block(Struct, frozen=True):
    """What one block asks for, under the name that it has in its document."""

    wish: Wish
    name: str = ""


def _table(owner: object, name: str) -> dict[str, Any]:
    if not hasattr(owner, name):
        setattr(owner, name, {})
    table: dict[str, Any] = getattr(owner, name)
    return table


def add(env: BuildEnvironment, wish: Wish, name: str) -> int:
    """Note a block of the document that is being read; its number there."""
    blocks: list[Block] = _table(env, _BLOCKS).setdefault(env.docname, [])
    if name and any(item.name == name for item in blocks):
        logger.warning(
            "two autograd blocks of this document are called %s",
            name,
            location=(env.docname, wish.snippet.line),
            type="autograd",
            subtype="name",
        )
    blocks.append(Block(wish, name))
    return len(blocks) - 1


def block(env: BuildEnvironment, docname: str, number: int) -> Block:
    """A block by its number."""
    blocks: list[Block] = _table(env, _BLOCKS)[docname]
    return blocks[number]


def number_of(env: BuildEnvironment, docname: str, name: str) -> int:
    """The number of the block of that name, or of the nearest one before if ``name`` is empty.

    Raises:
        UsageError: there is none.
    """
    blocks: list[Block] = _table(env, _BLOCKS).get(docname, [])
    if not name and blocks:
        return len(blocks) - 1
    numbers = [number for number, item in enumerate(blocks) if name and item.name == name]
    if not numbers:
        text = f"no autograd block before is called {name}" if name else "no autograd block stands before"
        raise UsageError(text, "A role stands behind its block")
    return numbers[0]


def shows_nothing(app: Sphinx) -> bool:
    """Whether the builder shows no pictures, so that no code is to run for it."""
    return app.builder.name in _WITHOUT_CODE


def outcome(app: Sphinx, docname: str, number: int) -> Outcome:
    """What became of a block: of this build, or of one before."""
    outcomes = _table(app, _OUTCOMES)
    if docname not in outcomes:
        _run(app, [docname])
    result: Outcome = outcomes[docname][number]
    return result


def cache_of(app: Sphinx) -> Cache:
    """Where records and pictures are kept."""
    own = Path(app.doctreedir) / "autograd"
    records = app.config.autograd_cache

    def complain(text: str) -> None:
        logger.warning("%s", text, type="autograd", subtype="cache")

    return Cache(Path(app.srcdir) / records if records else own / "records", own / "pictures", complain)


def check_config(_: Sphinx, config: Config) -> None:
    """Nothing, if the words of the configuration are known.

    Raises:
        ConfigError: one is not.
    """
    for name, words in (("autograd_run", ("auto", "never", "always")), ("autograd_latex", ("pdf", "png"))):
        if config[name] not in words:
            raise ConfigError(f"{name} = {config[name]!r}: use one of {', '.join(words)}")


def outdated(
    app: Sphinx, env: BuildEnvironment, added: set[str], changed: set[str], removed: set[str]
) -> Sequence[str]:
    """Documents whose blocks failed last time, or have no fresh records: they are read again."""
    del added, changed
    if shows_nothing(app):
        return []
    broken = {path.read_text(encoding="utf-8") for path in _failures(env).glob("*.txt")} & set(env.all_docs)
    keys: dict[str, list[str]] = _table(env, _KEYS)
    cache, never = cache_of(app), app.config.autograd_run == "never"
    stale = {
        name
        for name, wanted in keys.items()
        if any(not cache.has_record(key, whatever=never) for key in wanted)
    }
    return sorted((broken | stale) - removed)


def begin(app: Sphinx, env: BuildEnvironment, docnames: list[str]) -> None:
    """Forget what a build before has left in memory."""
    del env, docnames
    _table(app, _OUTCOMES).clear()


def purge(app: Sphinx, env: BuildEnvironment, docname: str) -> None:
    """Forget the blocks of a document that is read again, or gone."""
    _table(app, _OUTCOMES).pop(docname, None)
    for name in (_BLOCKS, _KEYS):
        _table(env, name).pop(docname, None)
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
    blocks, theirs = _table(env, _BLOCKS), _table(other, _BLOCKS)
    blocks.update({name: theirs[name] for name in docnames if name in theirs})


def run_blocks(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """Run the blocks of the documents that were read now, all in one process."""
    if not shows_nothing(app):
        _run(app, sorted(name for name in _table(env, _BLOCKS) if name not in _table(env, _KEYS)))
    return []


def _run(app: Sphinx, docnames: Sequence[str]) -> None:
    blocks: dict[str, list[Block]] = _table(app.env, _BLOCKS)
    wishes = [(name, item.wish) for name in docnames for item in blocks[name]]
    outcomes = run([wish.snippet for _, wish in wishes], cache_of(app), app.config.autograd_run)
    for name in docnames:
        _table(app.env, _KEYS)[name] = []
        _table(app, _OUTCOMES)[name] = []
    for (name, wish), result in zip(wishes, outcomes, strict=True):
        _table(app, _OUTCOMES)[name].append(result)
        if not isinstance(result, Failure) and not wish.snippet.trace:
            _table(app.env, _KEYS)[name].append(result.key)
        raised = isinstance(result, Failure)
        expected = isinstance(result, Failure) and result.kind in {"program", "result"}
        if raised != wish.snippet.expects_error or raised != expected:
            failed(app.env, name)
            _warn(name, wish, result)


def _warn(docname: str, wish: Wish, result: Outcome) -> None:
    if isinstance(result, Failure):
        logger.warning("%s", result, location=(docname, result.line), type="autograd", subtype=result.kind)
    else:
        text = "an error was expected, but the code ran"
        logger.warning(text, location=(docname, wish.snippet.line), type="autograd", subtype="program")
