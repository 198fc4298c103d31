"""Gradients that were not emptied between two steps, or emptied before the step that was to use them."""

from __future__ import annotations

from collections.abc import Iterator

from autograd_tour.findings.base import Finding, Subject, is_zero, lines_of, listed
from autograd_tour.record.run import Event, LeafChange

__all__ = ["findings"]


def findings(subject: Subject) -> Iterator[Finding]:
    """At most one of each kind."""
    missing = _missing(subject)
    shared = any(item.shared for item in subject.evidence.optimizers)  # told as that: see `optimizers`
    if missing is not None and not shared:
        names, backward, step = missing
        why = (
            "backward() adds to .grad, it does not replace it. Between two steps nothing emptied .grad, so "
            "the second step "
            "used the gradient of its own iteration plus those of all iterations before."
        )
        yield Finding(
            "zero-grad-missing",
            "warning",
            f".grad of {names} was added to that of an earlier iteration, and a step used the sum",
            lines_of(
                ("adds to the old .grad here", subject.line(backward)), ("used here", subject.line(step))
            ),
            why,
            "optimizer.zero_grad()   # at the start of every iteration\nloss.backward()\noptimizer.step()",
        )
    wasted = _wasted(subject)
    if wasted is not None:
        names, backward, zeroing, step = wasted
        why = (
            "zero_grad() stands between backward() and step(): it throws away what backward has just "
            "computed, and the step "
            "finds nothing to use. No error is raised, and nothing is trained."
        )
        yield Finding(
            "zero-grad-before-step",
            "error",
            f".grad of {names} was emptied before the step could use it",
            lines_of(
                ("emptied here", subject.line(zeroing)),
                ("deposited here", subject.line(backward)),
                ("stepped here, with nothing", subject.line(step)),
            ),
            why,
            "optimizer.zero_grad()   # before backward, or after step\nloss.backward()\noptimizer.step()",
        )


def _missing(subject: Subject) -> tuple[str, Event, Event] | None:
    used: set[int] = set()
    added: dict[int, Event] = {}
    for event in subject.events:
        for change in event.changes:
            if event.kind == "step":
                if change.leaf in added and change.grad is not None:
                    leaves = [item.leaf for item in event.changes if item.leaf in added]
                    return _names(subject, leaves), added[change.leaf], event
                if change.grad is not None and not is_zero(change.grad):
                    used.add(change.leaf)
            elif event.kind in ("zeroing", "gradient"):
                used.discard(change.leaf)
                added.pop(change.leaf, None)
            elif event.kind == "backward" and change.leaf in used and _adds(change):
                added[change.leaf] = event
    return None


def _adds(change: LeafChange) -> bool:
    """Whether a backward added something to what was there."""
    return change.before is not None and not is_zero(change.before) and not is_zero(change.contribution)


def _wasted(subject: Subject) -> tuple[str, Event, Event, Event] | None:
    fresh: dict[int, Event] = {}
    wasted: dict[int, tuple[Event, Event]] = {}
    for event in subject.events:
        if event.kind == "step":
            idle = all(change.grad is None or is_zero(change.grad) for change in event.changes)
            own = {leaf for leaf, (_, zeroing) in wasted.items() if zeroing.inside == event.call}
            if any(change.leaf in own and _moves(change) for change in event.changes):
                idle = False  # the optimizer has used what it emptied
            if wasted and idle and not fresh and not event.inside:
                backward, zeroing = next(iter(wasted.values()))
                return _names(subject, list(wasted)), backward, zeroing, event
            for change in event.changes:
                fresh.pop(change.leaf, None)
            wasted.clear()
        for change in event.changes:
            if event.kind == "backward" and change.after is not None and not is_zero(change.after):
                fresh[change.leaf] = event
                wasted.pop(change.leaf, None)
            elif event.kind == "zeroing" and change.leaf in fresh and event.inside != "backward":
                wasted[change.leaf] = fresh.pop(change.leaf), event
    return None


def _moves(change: LeafChange) -> bool:
    before, after = change.before, change.after
    return before is None or after is None or (before.first, before.stats) != (after.first, after.stats)


def _names(subject: Subject, leaves: list[int]) -> str:
    run = subject.run
    return listed(run.leaves[leaf].name for leaf in leaves) if run is not None else ""
