"""Traces as JSON: a schema number, validation, and errors that give the path of the bad field."""

from __future__ import annotations

import json

import msgspec

from autograd_tour.errors import TraceFileError
from autograd_tour.record.graph import Graph
from autograd_tour.record.ledger import Ledger

__all__ = ["SCHEMA", "Trace", "dumps", "loads"]

SCHEMA = 2
"""Raised when a file of the old form can no longer be read as it is."""

MARKER = "autograd-tour"
LONGEST_ID = 60


class Trace(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one JSON file holds: a graph, and the accumulation ledger if there is one."""

    graph: Graph
    ledger: Ledger | None = None


class _Header(msgspec.Struct):
    format: str
    schema: int


class _File(msgspec.Struct, frozen=True):
    format: str
    schema: int
    graph: Graph
    ledger: Ledger | None = None


def dumps(graph: Graph, ledger: Ledger | None = None) -> str:
    """JSON text of a graph and its ledger; :func:`loads` gives back equal data."""
    # An order of its own for lines: `git diff` and people read one node a line.
    file = _File(MARKER, SCHEMA, graph, ledger)
    try:
        raw = msgspec.json.encode(file)
    except UnicodeEncodeError:
        raw = _without_surrogates(json.dumps(msgspec.to_builtins(file), ensure_ascii=False))
    return msgspec.json.format(raw, indent=1).decode() + "\n"


def _without_surrogates(text: str) -> bytes:
    """UTF-8, with U+FFFD for half a surrogate pair, which a name may hold and JSON may not."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode()


def loads(text: str | bytes, source: str = "the trace") -> Trace:
    """The trace in JSON ``text``; ``source`` names it in errors.

    Raises:
        TraceFileError: not JSON, not one of our files, another schema, a field of the wrong type
            (the message has its path), nested too deep, or a node that an edge names is missing.
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
        file = msgspec.json.decode(text, type=_File)
    except msgspec.DecodeError as error:
        raise TraceFileError(f"{source} is damaged: {error}", hint) from None
    except RecursionError:
        raise TraceFileError(f"{source} is nested too deep to be a trace", hint) from None
    _check(file.graph, source, hint)
    return Trace(file.graph, file.ledger)


def _check(graph: Graph, source: str, hint: str) -> None:
    """What the types alone cannot hold: ids are plain and unique, what names a node or a line finds one."""

    def damaged(what: str, path: str) -> TraceFileError:
        return TraceFileError(f"{source} is damaged: {what} - at `$.graph.{path}`", hint)

    known: set[str] = set()
    for i, item in enumerate(graph.nodes):
        if item.id in known:
            raise damaged("two nodes have the same id", f"nodes[{i}].id")
        if not (item.id.isalnum() and item.id.isascii() and len(item.id) <= LONGEST_ID):
            raise damaged("an id is made of letters and digits", f"nodes[{i}].id")
        if item.where is not None and not 0 <= item.where < len(graph.source):
            raise damaged("no such source line", f"nodes[{i}].where")
        if item.inner is not None and not 0 <= item.inner < len(graph.source):
            raise damaged("no such source line", f"nodes[{i}].inner")
        if item.slots < 0:
            raise damaged("less than no slots", f"nodes[{i}].slots")
        known.add(item.id)

    def missing(node: str, path: str) -> TraceFileError:
        return damaged(f"no node has the id {node[:40]!r}", path)

    for i, edge in enumerate(graph.edges):
        if edge.src not in known:
            raise missing(edge.src, f"edges[{i}].src")
        if edge.dst not in known:
            raise missing(edge.dst, f"edges[{i}].dst")
        if edge.slot[0] < 0 or edge.slot[1] < (-1 if edge.kind == "forward" else 0):
            raise damaged("no such slot", f"edges[{i}].slot")
    for i, (node, slot) in enumerate(graph.outputs):
        if node not in known:
            raise missing(node, f"outputs[{i}]")
        if slot < 0:
            raise damaged("no such slot", f"outputs[{i}]")
    for p, run in enumerate(graph.passes):
        for i, step in enumerate(run.steps):
            if step.node not in known:
                raise missing(step.node, f"passes[{p}].steps[{i}].node")
