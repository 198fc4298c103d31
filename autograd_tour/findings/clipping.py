"""Gradients that were clipped after the step that used them, or before there were any."""

from __future__ import annotations

from collections.abc import Iterator

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


def findings(subject: Subject) -> Iterator[Finding]:
    """One for each line that never has anything to clip, and one for the first that comes after the step."""
    used: dict[int, Event] = {}
    clipped: tuple[Event, Event] | None = None
    late: tuple[Event, Event] | None = None
    for event in subject.events:
        leaves = {change.leaf for change in event.changes}
        if event.kind == "backward":
            for leaf in leaves:
                used.pop(leaf, None)
        elif event.kind == "step":
            if clipped is not None and any(change.grad is not None for change in event.changes):
                clipped = None  # a step uses them after all
            used |= dict.fromkeys(leaves, event)
        elif event.kind == "clipping" and leaves and all(leaf in used for leaf in leaves):
            clipped = event, used[min(leaves)]
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
            "uses these "
            "gradients any more, so the step was made with those that were too large.",
            _FIX,
        )
