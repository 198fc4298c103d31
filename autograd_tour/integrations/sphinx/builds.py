"""The blocks of a build: run together, kept from build to build."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from sphinx.util import logging

from autograd_tour.hosts.batch import run
from autograd_tour.hosts.cache import Cache
from autograd_tour.hosts.outcome import Failure, Outcome
from autograd_tour.hosts.wish import Wish
from autograd_tour.integrations.sphinx.stamps import stamp_of
from autograd_tour.integrations.sphinx.state import BLOCKS, KEYS, OUTCOMES, STAMPS, failed, table

if TYPE_CHECKING:
    from sphinx.application import Sphinx

__all__ = ["cache_of", "has_records", "outcome", "run_documents", "wish_of"]

logger = logging.getLogger(__name__)

_read_wish = msgspec.msgpack.Decoder(Wish).decode


def wish_of(app: Sphinx, docname: str, number: int) -> Wish:
    """What a block asks for, by its number."""
    return _read_wish(table(app.env, BLOCKS)[docname][number][1])


def outcome(app: Sphinx, docname: str, number: int) -> Outcome:
    """What became of a block: of this build, or of one before."""
    outcomes = table(app, OUTCOMES)
    if docname not in outcomes:
        run_documents(app, [docname])
    result: Outcome = outcomes[docname][number]
    return result


def cache_of(app: Sphinx) -> Cache:
    """Where records and pictures are kept."""
    own = Path(app.doctreedir) / "autograd"
    records = app.config.autograd_cache

    def complain(text: str) -> None:
        logger.warning("%s", text, type="autograd", subtype="cache")

    return Cache(Path(app.srcdir) / records if records else own / "records", own / "pictures", complain)


def has_records(app: Sphinx, docname: str) -> bool:
    """Whether all records of a document are there, and fresh."""
    cache, never = cache_of(app), app.config.autograd_run == "never"
    return all(cache.has_record(key, whatever=never) for key in table(app.env, KEYS)[docname])


def run_documents(app: Sphinx, docnames: Sequence[str]) -> None:
    """Run the blocks of some documents, all in one process, and warn of what went wrong."""
    blocks = table(app.env, BLOCKS)
    wishes = [(name, _read_wish(data)) for name in docnames for _, data in blocks[name]]
    cache = cache_of(app)
    outcomes = run([wish.snippet for _, wish in wishes], cache, app.config.autograd_run)
    for name in docnames:
        table(app.env, KEYS)[name] = []
        table(app, OUTCOMES)[name] = []
    for (name, wish), result in zip(wishes, outcomes, strict=True):
        table(app, OUTCOMES)[name].append(result)
        if result.key and not wish.snippet.trace:
            table(app.env, KEYS)[name].append(result.key)
        raised = isinstance(result, Failure)
        expected = isinstance(result, Failure) and result.kind in {"program", "result"}
        if raised != wish.snippet.expects_error or raised != expected:
            failed(app.env, name)
            _warn(name, wish, result)
    for name in docnames:
        files = [path for key in table(app.env, KEYS)[name] for path in cache.files_of(key)]
        table(app.env, STAMPS)[name] = stamp_of(files)


def _warn(docname: str, wish: Wish, result: Outcome) -> None:
    failure = result if isinstance(result, Failure) else None
    text = "an error was expected, but the code ran" if failure is None else str(failure)
    line = wish.snippet.line if failure is None else failure.line
    location = f"{wish.snippet.origin}:{line}" if wish.snippet.origin else (docname, line)
    kind = "program" if failure is None else failure.kind
    logger.warning("%s", text, location=location, type="autograd", subtype=kind)
