"""A gradient scaler in the wrong order: clipped or stepped while gradients are scaled, or never scaled."""

from __future__ import annotations

from collections.abc import Iterator

from autograd_tour.findings.base import Finding, Subject, lines_of
from autograd_tour.record.evidence import ScalerEvidence

__all__ = ["findings"]

_ORDER = (
    "scaler.scale(loss).backward()\n"
    "scaler.unscale_(optimizer)\n"
    "torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)\n"
    "scaler.step(optimizer)\n"
    "scaler.update()"
)


def findings(subject: Subject) -> Iterator[Finding]:
    """One for each line that is out of order."""
    for evidence in subject.evidence.scaler:
        yield _finding(evidence)


def _finding(evidence: ScalerEvidence) -> Finding:
    if evidence.fault == "clipped":
        return Finding(
            "clipped-before-unscale",
            "error",
            "gradients were clipped while they were still multiplied by the scaler's factor",
            lines_of(("clipped here", evidence.line), ("scaled gradients from here", evidence.backward_at)),
            "scaler.scale(loss) multiplies all gradients, at first by 65536, and scaler.step() divides "
            "them again. "
            "Clipping in between compares scaled gradients with a limit for unscaled ones: they are cut "
            "to it, then "
            "divided, and hardly anything is left for the step.",
            _ORDER,
        )
    if evidence.fault == "stepped":
        return Finding(
            "step-of-scaled-gradients",
            "error",
            "the optimizer stepped by itself with gradients that the scaler had multiplied",
            lines_of(("stepped here", evidence.line), ("scaled gradients from here", evidence.backward_at)),
            "scaler.scale(loss) multiplies all gradients, at first by 65536. Only scaler.step(optimizer) "
            "divides "
            "them again, and leaves the step out where one is not finite.",
            _ORDER,
        )
    return Finding(
        "backward-of-unscaled-loss",
        "error",
        "the scaler divided gradients of a loss that was never multiplied",
        lines_of(("backward of the plain loss", evidence.backward_at), ("divided here", evidence.line)),
        "scaler.scale(loss) does not change the loss: it returns another one, multiplied by the scaler's "
        "factor, at "
        "first 65536. Here backward was called on the plain loss, and scaler.step() divided its "
        "gradients by that "
        "factor: hardly anything is left for the step.",
        _ORDER,
    )
