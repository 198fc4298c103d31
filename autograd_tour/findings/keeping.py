"""A sum of losses that keeps the graphs of all iterations alive."""

from __future__ import annotations

from collections.abc import Iterator

from autograd_tour.findings.base import Finding, Subject, lines_of

__all__ = ["findings"]


def findings(subject: Subject) -> Iterator[Finding]:
    """One for each such line."""
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
            why,
            "total_loss += loss.item()    # a plain number; or loss.detach()",
        )
