"""A sum of losses that keeps the graphs of all iterations alive."""

from __future__ import annotations

from collections.abc import Iterator

from autograd_tour.findings.base import Finding, Subject, lines_of
from autograd_tour.record.evidence import KeptGraph

__all__ = ["findings"]


def findings(subject: Subject) -> Iterator[Finding]:
    """One for each such line."""
    freed = subject.evidence.freed
    if freed is not None and freed.carried:
        return  # what is carried over is told as that
    for kept in subject.evidence.kept:
        why = (
            "The sum is a tensor with a history: it holds every loss that was added, and each of these "
            "holds its graph. No "
            "backward is called on it, so nothing ever lets go of them, and memory grows with every "
            "iteration."
        )
        yield Finding(
            "graph-kept",
            "warning",
            f"a line adds a loss with its graph to a sum, in {kept.iterations} iterations",
            lines_of(("kept here", kept.line)),
            why + _amount(kept),
            "total_loss += loss.item()    # a plain number; or loss.detach()",
        )


def _amount(kept: KeptGraph) -> str:
    if kept.nodes is None or kept.bytes is None:
        return ""
    nodes = "node" if kept.nodes == 1 else "nodes"
    return f" One iteration keeps {kept.nodes:,} {nodes}, and {kept.bytes:,} bytes of saved tensors."
