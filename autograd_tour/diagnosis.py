"""explain(): why a gradient is None, zero, NaN, doubled, wrong, or an error. A program in, findings out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from autograd_tour.findings import Subject, findings
from autograd_tour.findings.explanation import Explanation
from autograd_tour.tracer.explained import observe

__all__ = ["Explanation", "explain"]


def explain(
    program: Any,
    *args: Any,
    keep: int | None = 16,
    ceiling: float = 256,
    names: Mapping[str, Any] | None = None,
) -> Explanation:
    """Follow ``program(*args)`` and say what is wrong with its gradients, each with the line that caused it.

    The program runs once. Beside the record everything is heard that only a live run can tell: where a
    value lost its history, who changed a tensor that was saved. That is no part of the record. What the
    program changed is put back as :func:`autograd_tour.follow` does. An error of the program is a finding,
    and is not raised.

    ``keep``, ``ceiling`` and ``names`` are those of :func:`autograd_tour.trace`.

    Raises:
        ProgramError: the program never came to call torch: it exits, or it cannot be loaded.
        UsageError: ``program`` is not callable, or ``keep`` or ``ceiling`` is negative.
    """
    observed = observe(program, *args, keep=keep, ceiling=ceiling, names=names)
    graphs = observed.run.graphs if observed.run is not None else ()
    if observed.graph is not None:
        graphs = (observed.graph, *graphs)
    subject = Subject(graphs, observed.run, observed.evidence)
    run_notes = observed.run.notes if observed.run is not None else ()
    notes = tuple(dict.fromkeys((*run_notes, *observed.notes)))
    return Explanation(findings(subject), graphs, notes)
