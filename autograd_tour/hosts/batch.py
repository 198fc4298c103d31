"""Snippets to records: those that are kept are read, the others run in one worker."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Literal

import msgspec
from msgspec.structs import replace

from autograd_tour.errors import TraceFileError
from autograd_tour.hosts.cache import Cache
from autograd_tour.hosts.keys import digest_of_file, snippet_key
from autograd_tour.hosts.outcome import Failure, Outcome, Record
from autograd_tour.hosts.process import Worker
from autograd_tour.hosts.protocol import Job
from autograd_tour.hosts.snippet import Snippet

__all__ = ["Mode", "earlier_blocks", "run"]

Mode = Literal["auto", "never", "always"]
"""``auto`` runs what has no fresh record, ``never`` runs nothing, ``always`` everything."""


def run(
    snippets: Sequence[Snippet],
    cache: Cache | None = None,
    mode: Mode = "auto",
    worker: Worker | None = None,
) -> list[Outcome]:
    """The record of each snippet, or why it has none. Nothing is raised for what a snippet does.

    The code runs in a process of its own, which loads torch once and only if something has to run. Code
    that hangs is stopped at the ``timeout`` of its snippet, in C too; the others still run. A ``worker`` that
    is given stays, for whoever gets its snippets piece by piece.
    """
    cache = cache or Cache()
    outcomes: list[Outcome] = []
    failed: dict[tuple[str, str], Failure] = {}
    with nullcontext(worker) if worker is not None else Worker() as process:
        for number, snippet in enumerate(snippets):
            if snippet.trace:
                outcomes.append(_saved(snippet))
                continue
            earlier = earlier_blocks(snippets, number)
            kept = None if mode == "always" else _kept(cache, snippet, earlier, whatever=mode == "never")
            if kept is not None:
                outcomes.append(kept)
                continue
            before = failed.get((snippet.file, snippet.context)) if snippet.context else None
            if before is not None:
                outcomes.append(_after(snippet, before))
                continue
            outcome = _missing(snippet) if mode == "never" else _traced(process, cache, snippet, earlier)
            if isinstance(outcome, Failure) and outcome.kind in {"program", "timeout"}:
                failed[snippet.file, snippet.context] = outcome
            outcomes.append(outcome)
    return outcomes


def earlier_blocks(snippets: Sequence[Snippet], number: int) -> tuple[Snippet, ...]:
    """The blocks of the same document and context that stand before snippet ``number``."""
    snippet = snippets[number]
    if not snippet.context or snippet.target:
        return ()
    return tuple(
        item
        for item in snippets[:number]
        if (item.file, item.context) == (snippet.file, snippet.context) and not item.target
    )


def _kept(cache: Cache, snippet: Snippet, earlier: tuple[Snippet, ...], *, whatever: bool) -> Outcome | None:
    """What there is of a snippet. Files beside a document are those of its folder alone."""
    for folder in (cache.relative_folder(snippet.folder), ""):
        key = snippet_key(snippet, earlier, folder)
        record = cache.record(key, whatever=whatever)
        if record is not None:
            return record
        error = cache.error(key, whatever=whatever) if snippet.expects_error else None
        if error is not None:
            return replace(error, file=snippet.file, line=snippet.line)
    return None


def _traced(worker: Worker, cache: Cache, snippet: Snippet, earlier: tuple[Snippet, ...]) -> Outcome:
    answer = worker.answer(Job(snippet, earlier, tuple(sys.path)))
    failure = answer.failure
    key = snippet_key(snippet, earlier, cache.relative_folder(snippet.folder) if answer.files else "")
    if failure is None:
        content = msgspec.json.format(answer.content.encode(), indent=-1)
        record = Record(key, content, answer.remarks, snippet.explains)
        cache.keep_record(record, answer.files)
        return record
    if snippet.expects_error and failure.kind in {"program", "result"}:
        cache.keep_error(key, failure, answer.files)
        return replace(failure, key=key)
    return failure


def _saved(snippet: Snippet) -> Outcome:
    """The record of a trace that was saved."""
    from autograd_tour.record import codec

    path = Path(snippet.folder) / snippet.trace
    try:
        return Record(digest_of_file(path), codec.loads(path.read_bytes(), source=snippet.trace))
    except OSError as error:
        message = f"cannot read {snippet.trace}: {error.strerror or error}"
        return Failure(snippet.file, snippet.line, message, f"Paths start at {snippet.folder}")
    except TraceFileError as error:
        return Failure(snippet.file, snippet.line, error.message, error.hint)


def _missing(snippet: Snippet) -> Failure:
    message = "there is no record of this code, and none is to be made here"
    hint = "Build once where torch is installed, and commit the records"
    return Failure(snippet.file, snippet.line, message, hint, "missing")


def _after(snippet: Snippet, before: Failure) -> Failure:
    message = f"not run, since the block before it at line {before.line} failed"
    return Failure(snippet.file, snippet.line, message, "Mend that one first", "missing")
