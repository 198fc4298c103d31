"""Hooks of the program that change gradients."""

from __future__ import annotations

from collections.abc import Iterator

from autograd_tour.findings.base import Finding, Subject, lines_of
from autograd_tour.record.graph import Graph, SourceLine

__all__ = ["findings"]


def findings(subject: Subject) -> Iterator[Finding]:
    """One for each tensor whose gradient a hook changed on its way."""
    reported: set[object] = set()
    for number, graph in enumerate(subject.graphs):
        hooked = dict.fromkeys(edge.dst for edge in graph.select("gradient") if "hooked" in edge.marks)
        for node in hooked:
            origin = graph.line(node)
            if (origin, graph.title(node)) in reported:
                continue
            reported.add((origin, graph.title(node)))
            yield Finding(
                "hook-changes-gradient",
                "note",
                f"a hook changed the gradient of {graph.result_name(node)} on its way",
                lines_of(
                    ("registered here", _registered(subject, graph, node, origin)),
                    ("of the tensor here", origin),
                ),
                "What comes before this tensor gets what the hook returned, which is no derivative of "
                "the loss any more. That may be meant, as where gradients are clipped or turned.",
                "handle = h.register_hook(hook)\n...\nhandle.remove()          # when it is no longer wanted",
                graph.card_of(node),
                number,
                about=(graph.title(node),) if graph.leaf_of(node) else (),
            )


def _registered(subject: Subject, graph: Graph, node: str, origin: SourceLine | None) -> SourceLine | None:
    """The line that put a hook on this tensor, if only one can be meant."""
    wanted = None if graph.leaf_of(node) else origin
    lines = [hook.registered_at for hook in subject.evidence.hooks if _is_same(hook.made_at, wanted)]
    return lines[0] if len(lines) == 1 else None


def _is_same(line: SourceLine | None, other: SourceLine | None) -> bool:
    if line is None or other is None:
        return line is other
    return (line.file, line.line) == (other.file, other.line)
