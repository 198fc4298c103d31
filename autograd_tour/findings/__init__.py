"""What is wrong with the gradients of a run, with the line that caused it. Records in, findings out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from autograd_tour.errors import UsageError, suggestion
from autograd_tour.findings import (
    batches,
    clipping,
    customs,
    depth,
    errors,
    gradless,
    hooks,
    inplace,
    keeping,
    leaves,
    logits,
    modes,
    nonfinite,
    nonleaf,
    optimizers,
    recomputed,
    reducer,
    rivals,
    scaling,
    second,
    zeroing,
    zeros,
)
from autograd_tour.findings.base import LEVELS, Finding, Level, MarkedLine, Subject
from autograd_tour.record.graph import Graph
from autograd_tour.record.trace import Trace
from autograd_tour.views.focus import called

__all__ = ["LEVELS", "Finding", "Level", "MarkedLine", "Subject", "about", "findings", "strip"]

KINDS: tuple[Callable[[Subject], Iterator[Finding]], ...] = (
    gradless.findings,
    inplace.findings,
    second.findings,
    recomputed.findings,
    scaling.findings,
    reducer.findings,
    errors.findings,
    nonfinite.findings,
    zeroing.findings,
    rivals.findings,
    optimizers.findings,
    leaves.findings,
    nonleaf.findings,
    clipping.findings,
    batches.findings,
    modes.findings,
    logits.findings,
    customs.findings,
    zeros.findings,
    depth.findings,
    keeping.findings,
    hooks.findings,
)
"""The seam: a file each, in the order of what matters most."""

STRIP = 4
"""Lines of findings above a report or a page."""


def findings(subject: Subject) -> tuple[Finding, ...]:
    """All findings, the worst first and of one level in the order of :data:`KINDS`."""
    every = [finding for kind in KINDS for finding in kind(subject)]
    return tuple(sorted(every, key=lambda finding: LEVELS.index(finding.level)))


def about(findings: Iterable[Finding], graphs: Sequence[Graph], name: str) -> tuple[Finding, ...]:
    """Those about the leaf ``name``, or about a node that is called so; an error ends every gradient.

    Raises:
        UsageError: nothing is called so; the hint has the closest names.
    """
    every = tuple(findings)
    leaves = {leaf for finding in every for leaf in finding.about}
    chosen: dict[int, set[str]] = {}
    failure: UsageError | None = None
    for number, graph in enumerate(graphs):
        try:
            chosen[number] = {graph.card_of(node) for node in called(graph, name)}
        except UsageError as error:
            failure = error
    if not chosen and name not in leaves:
        raise failure or UsageError(
            f"nothing in this program is called {name[:60]!r}", suggestion(name, sorted(leaves), 8)
        )
    return tuple(
        item
        for item in every
        if name in item.about or item.message or item.node in chosen.get(item.graph, ())
    )


def strip(trace: Trace) -> tuple[str, ...]:
    """What the record alone shows, a line each; nothing runs for it."""
    if trace.graph.compared:
        return ()
    graphs = trace.run.graphs if trace.run is not None else (trace.graph,)
    worst = [item for item in findings(Subject(graphs, trace.run)) if item.level != "note"]
    rest = len(worst) - STRIP
    more = f"{rest} more. " if rest > 0 else ""
    end = f"{more}autograd-tour explain says more: why, and what to write instead"
    return (*(item.brief for item in worst[:STRIP]), end) if worst else ()
