"""A gradient scaler in the wrong order: clipped or stepped while gradients are scaled, or never scaled."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from autograd_tour.findings.base import Finding, Subject, lines_of
from autograd_tour.record.evidence import ScalerFault

__all__ = ["findings"]

_ORDER = (
    "scaler.scale(loss).backward()\n"
    "scaler.unscale_(optimizer)\n"
    "torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)\n"
    "scaler.step(optimizer)\n"
    "scaler.update()"
)


class _Fault(NamedTuple):
    """What is said of one fault, and the parts of its line and of the backward, the first to change first."""

    kind: str
    seen: str
    why: str
    line: str
    backward: str
    backward_first: bool = False


_SCALES = (
    "scaler.scale(loss) multiplies all gradients, at first by 65536, and scaler.step() divides them again. "
)
_FAULTS: Mapping[ScalerFault, _Fault] = {
    "clipped": _Fault(
        "clipped-before-unscale",
        "gradients were clipped while they were still multiplied by the scaler's factor",
        f"{_SCALES}Clipping in between compares scaled gradients with a limit for unscaled ones: they are "
        "cut "
        "to it, then divided, and hardly anything is left for the step.",
        "clipped here",
        "scaled gradients from here",
    ),
    "stepped": _Fault(
        "step-of-scaled-gradients",
        "the optimizer stepped by itself with gradients that the scaler had multiplied",
        f"{_SCALES}It also leaves the step out where one is not finite. The optimizer's own step() does "
        "neither.",
        "stepped here",
        "scaled gradients from here",
    ),
    "unscaled": _Fault(
        "backward-of-unscaled-loss",
        "the scaler divided gradients of a loss that was never multiplied",
        "scaler.scale(loss) does not change the loss: it returns another one, multiplied by the scaler's "
        "factor, at first 65536. Here backward was called on the plain loss, and scaler.step() divided its "
        "gradients by that factor: hardly anything is left for the step.",
        "divided here",
        "backward of the plain loss",
        backward_first=True,
    ),
}


def findings(subject: Subject) -> Iterator[Finding]:
    """One for each line that is out of order."""
    for evidence in subject.evidence.scaler:
        fault = _FAULTS[evidence.fault]
        pairs = [(fault.line, evidence.line), (fault.backward, evidence.backward_at)]
        lines = lines_of(*(reversed(pairs) if fault.backward_first else pairs))
        yield Finding(fault.kind, "error", fault.seen, lines, fault.why, _ORDER)
