"""Traces as JSON: a schema number, validation, and errors that give the path of the bad field."""

from __future__ import annotations

import msgspec

from autograd_tour.errors import TraceFileError
from autograd_tour.graph import Graph
from autograd_tour.ledger import Ledger

__all__ = ["SCHEMA", "Trace", "dumps", "loads"]

SCHEMA = 1
"""Raised when a file of the old form can no longer be read as it is."""

MARKER = "autograd-tour"


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
    raw = msgspec.json.encode(_File(MARKER, SCHEMA, graph, ledger))
    return msgspec.json.format(raw, indent=1).decode() + "\n"


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
    """References that the types alone cannot hold: ids are unique, edges and steps point at nodes."""
    known = {node.id for node in graph.nodes}
    if len(known) != len(graph.nodes):
        raise TraceFileError(f"{source} is damaged: two nodes have the same id - at `$.graph.nodes`", hint)
    named = (
        [(edge.src, f"edges[{i}].src") for i, edge in enumerate(graph.edges)]
        + [(edge.dst, f"edges[{i}].dst") for i, edge in enumerate(graph.edges)]
        + [(node, f"outputs[{i}]") for i, (node, _) in enumerate(graph.outputs)]
        + [
            (step.node, f"passes[{p}].steps[{i}].node")
            for p, run in enumerate(graph.passes)
            for i, step in enumerate(run.steps)
        ]
    )
    for node, path in named:
        if node not in known:
            raise TraceFileError(
                f"{source} is damaged: no node has the id {node[:40]!r} - at `$.graph.{path}`", hint
            )
    for i, item in enumerate(graph.nodes):
        if item.where is not None and not 0 <= item.where < len(graph.source):
            raise TraceFileError(
                f"{source} is damaged: no such source line - at `$.graph.nodes[{i}].where`", hint
            )
