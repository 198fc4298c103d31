"""An optimizer whose step changes nothing, since gradients went to other parameters than its own."""

from __future__ import annotations

from collections.abc import Iterator

from autograd_tour.findings.base import Finding, Subject, lines_of, listed
from autograd_tour.record.run import Event

__all__ = ["findings"]


def findings(subject: Subject) -> Iterator[Finding]:
    """One for each line whose steps all came after a backward and changed nothing."""
    run = subject.run
    if run is None or subject.evidence.gradless:
        return
    idle: dict[int | None, tuple[Event, set[int]]] = {}
    busy: set[int | None] = set()
    full: set[int] = set()
    for event in subject.events:
        if event.kind == "backward":
            full |= {change.leaf for change in event.changes if change.after is not None}
        elif event.kind == "zeroing":
            full -= {change.leaf for change in event.changes}
        elif event.kind == "step":
            if event.changes:
                busy.add(event.where)
            elif full:
                idle.setdefault(event.where, (event, set(full)))
    for where, (event, leaves) in idle.items():
        if where in busy:
            continue
        names = listed(run.leaves[leaf].name for leaf in sorted(leaves))
        why = (
            f"backward deposited gradients in {names}. None of the parameters that this optimizer holds is "
            f"among them, so "
            "its step had nothing to use. It was made for another model, or for parameters that were "
            "replaced after it was "
            "made (a new layer, a copy, a rebound name)."
        )
        yield Finding(
            "optimizer-of-other-parameters",
            "error",
            f"{event.call or 'the step'} changed nothing: none of its parameters has a gradient",
            lines_of(("stepped here", subject.line(event))),
            why,
            "optimizer = torch.optim.SGD(model.parameters(), lr=0.1)   # after the model is complete",
        )
