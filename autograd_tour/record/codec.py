"""Traces as JSON: a schema number, validation, and errors that give the path of the bad field."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Literal

import msgspec
from msgspec.structs import replace

from autograd_tour.errors import GraphError, TraceFileError
from autograd_tour.record.graph import Graph
from autograd_tour.record.ledger import Ledger
from autograd_tour.record.numbers import check_ledger, check_numbers, check_run_numbers
from autograd_tour.record.run import Run
from autograd_tour.record.trace import Trace
from autograd_tour.record.validate import validate
from autograd_tour.record.validate_run import validate_run

__all__ = ["SCHEMA", "TraceFile", "dumps", "loads"]

SCHEMA: Literal[2] = 2
"""Raised when a file of the old form can no longer be read as it is; docs/trace-format.md has the policy."""

MARKER: Literal["autograd-tour"] = "autograd-tour"


class _Header(msgspec.Struct):
    format: str
    schema: int


class TraceFile(msgspec.Struct, frozen=True):
    """A saved trace: the graph of a run, and what else is known of its program.

    The first graph of ``run`` is ``graph``, and does not stand in ``run.graphs`` once more.
    """

    format: Literal["autograd-tour"]
    schema: Literal[2]
    graph: Graph
    ledger: Ledger | None = None
    run: Run | None = None


def dumps(what: Graph | Trace, ledger: Ledger | None = None) -> str:
    """JSON text of a trace, or of a graph and its ledger; :func:`loads` gives back equal data."""
    trace = what if isinstance(what, Trace) else Trace(what, ledger)
    # An order of its own for lines: `git diff` and people read one node a line.
    file = TraceFile(MARKER, SCHEMA, trace.graph, trace.ledger, _without_first(trace.run))
    try:
        raw = msgspec.json.encode(file)
    except UnicodeEncodeError:
        raw = _without_surrogates(json.dumps(msgspec.to_builtins(file), ensure_ascii=False))
    return msgspec.json.format(raw, indent=1).decode() + "\n"


def _without_first(run: Run | None) -> Run | None:
    """``run`` without its first graph: that stands in the file already, as the graph of the trace."""
    return None if run is None else replace(run, graphs=run.graphs[1:])


def _without_surrogates(text: str) -> bytes:
    """UTF-8, with U+FFFD for half a surrogate pair, which a name may hold and JSON may not."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode()


def loads(text: str | bytes, source: str = "the trace") -> Trace:
    """The trace in JSON ``text``; ``source`` names it in errors.

    Raises:
        TraceFileError: not JSON, not one of our files, another schema, a field of the wrong type
            (the message has its path), nested too deep, or a graph that is none: an edge names a node
            that is missing, for instance, or text stands where a number should.
    """
    hint = "Make it anew with: autograd-tour render TARGET -f json"
    try:
        header = msgspec.json.decode(text, type=_Header)
    except msgspec.ValidationError as error:
        raise TraceFileError(f"{source} is not an autograd-tour trace: {error}", hint) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise TraceFileError(f"{source} is not valid JSON: {error}", hint) from None
    except RecursionError:
        raise TraceFileError(f"{source} is nested too deep to be a trace", hint) from None
    if header.format != MARKER:
        raise TraceFileError(f"{source} is not an autograd-tour trace", hint)
    if header.schema != SCHEMA:
        raise TraceFileError(f"{source} has schema {header.schema}, this version reads schema {SCHEMA}", hint)
    try:
        file = msgspec.json.decode(text, type=TraceFile)
    except msgspec.DecodeError as error:
        raise TraceFileError(f"{source} is damaged: {error}", hint) from None
    except UnicodeDecodeError:
        reason = f"a byte that is not UTF-8 - at `{_not_utf8(text)}`"
        raise TraceFileError(f"{source} is damaged: {reason}", hint) from None
    except RecursionError:
        raise TraceFileError(f"{source} is nested too deep to be a trace", hint) from None
    run = None if file.run is None else replace(file.run, graphs=(file.graph, *file.run.graphs))
    trace = Trace(file.graph, file.ledger, run)
    try:
        _check(trace)
    except GraphError as error:
        raise TraceFileError(f"{source} is damaged: {error.reason} - at `$.{error.path}`", hint) from None
    return trace


def _check(trace: Trace) -> None:
    """Nothing, if all parts of ``trace`` are sound; the path of an error begins with the part."""
    part = "graph"
    try:
        validate(trace.graph)
        check_numbers(trace.graph)
        if trace.ledger is not None:
            part = "ledger"
            check_ledger(trace.ledger)
        if trace.run is not None:
            part = "run"
            validate_run(trace.run)
            check_run_numbers(trace.run)
    except GraphError as error:
        raise GraphError(error.reason, f"{part}.{error.path}") from None


def _not_utf8(text: str | bytes) -> str:
    """The path of the first field, or key, with a byte that is not UTF-8; ``$`` if that cannot be told."""
    raw = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
    try:
        # Each such byte becomes half a surrogate pair, which no UTF-8 can hold.
        return next(_unpaired(json.loads(raw.decode("utf-8", "surrogateescape")), "$"), "$")
    except (ValueError, RecursionError):
        return "$"


def _unpaired(value: object, path: str) -> Iterator[str]:
    if isinstance(value, str) and not value.isascii() and any("\udc80" <= c <= "\udcff" for c in value):
        yield path
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _unpaired(key, path)
            yield from _unpaired(item, f"{path}.{key}")
    elif isinstance(value, list):
        for i, item in enumerate(value):
            yield from _unpaired(item, f"{path}[{i}]")
