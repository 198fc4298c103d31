"""Gradients that were clipped after the step that used them, or before there were any."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set

from autograd_tour.findings.base import Finding, Subject, lines_of
from autograd_tour.record.run import Event

__all__ = ["findings"]


_FIX = "loss.backward()\ntorch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)\noptimizer.step()"


def _before_backward(subject: Subject) -> Iterator[Finding]:
    for line in subject.evidence.clipped_nothing:
        yield Finding(
            "clipped-before-backward",
            "warning",
            "gradients were clipped before backward had deposited any",
            lines_of(("clipped here", line)),
            "Clipping changes the .grad that is there. Before backward there is none (zero_grad() sets it to "
            "None), so this line does nothing, and the step uses gradients as large as they come.",
            _FIX,
        )


def _step_before(leaves: Set[int], used: Mapping[int, Event], waiting: Set[int]) -> Event | None:
    """The step that has used what is clipped. A clipping below the limit changes no leaf: then all count."""
    if leaves:
        return used[min(leaves)] if all(leaf in used for leaf in leaves) else None
    return None if waiting or not used else list(used.values())[-1]


def findings(subject: Subject) -> Iterator[Finding]:
    """One for each line that never has anything to clip, and one for the first that comes after the step."""
    used: dict[int, Event] = {}
    waiting: set[int] = set()  # leaves with gradients that no step has used
    clipped: tuple[Event, Event] | None = None
    late: tuple[Event, Event] | None = None
    for event in subject.events:
        leaves = {change.leaf for change in event.changes}
        if event.kind == "backward":
            for leaf in leaves:
                used.pop(leaf, None)
            waiting |= leaves
        elif event.kind == "step":
            if clipped is not None and any(change.grad is not None for change in event.changes):
                clipped = None  # a step uses them after all
            used |= dict.fromkeys(leaves, event)
            waiting -= leaves
        elif event.kind == "clipping" and (step := _step_before(leaves, used, waiting)) is not None:
            clipped = event, step
        elif event.kind == "zeroing" and clipped is not None:
            late, clipped = late or clipped, None
    yield from _before_backward(subject)
    late = late or clipped
    if late is not None:
        clip, step = late
        yield Finding(
            "clipped-after-step",
            "warning",
            "gradients were clipped after the step that used them",
            lines_of(("clipped here", subject.line(clip)), ("used here", subject.line(step))),
            "Clipping makes .grad smaller so that the next step is not too large. After the step nobody "
            "uses these gradients any more, "
            + (
                "so the step was made with those that were too large."
                if clip.changes
                else "so larger ones are used as they are. Here they were below the limit."
            ),
            _FIX,
        )
