"""Batch normalisation and dropout in a mode that does not fit, and an evaluation that records graphs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from autograd_tour.findings.base import Finding, Subject, lines_of, listed
from autograd_tour.record.evidence import Mode

__all__ = ["findings"]


class _Fault(NamedTuple):
    """What is said of one mode that does not fit, of a ``{module}`` with ``{parts}`` that ran ``{times}``."""

    kind: str
    seen: str
    why: str
    fix: str
    ran: str = "ran here"
    switched: str = "evaluation mode set here"


_FAULTS: Mapping[Mode, _Fault] = {
    "graph-in-evaluation": _Fault(
        "graph-in-evaluation",
        "{module} ran in evaluation mode and recorded a graph that no backward used{times}",
        "eval() changes what dropout and batch normalisation compute. It does not turn gradients off: "
        "autograd "
        "records every operation, and keeps what backward would need as long as the result lives. Only "
        "no_grad "
        "or inference_mode saves that memory and time.",
        "model.eval()\nwith torch.no_grad():\n    out = model(x)",
        ran="recorded here",
    ),
    "evaluation-in-training": _Fault(
        "evaluation-mode-in-training",
        "{module} ran in evaluation mode in a step that trains it{times}",
        "In evaluation mode dropout drops nothing, and batch normalisation uses its running statistics and "
        "does not update them. All of {parts} in the module ran so, although an optimizer used the "
        "gradients. "
        "eval() stays in force until train() is called.",
        "model.train()           # at the start of every epoch, after each evaluation",
    ),
    "training-in-evaluation": _Fault(
        "training-mode-in-evaluation",
        "{module} ran in training mode where gradients were turned off{times}",
        "{parts} ran in training mode, and no gradient was asked for, as in an evaluation. There dropout "
        "makes "
        "the result random, and batch normalisation depends on the other elements of the batch and moves its "
        "running statistics. no_grad does not change the mode.",
        "model.eval()\nwith torch.no_grad():\n    out = model(x)\nmodel.train()",
        switched="training mode set here",
    ),
    "dropout-always": _Fault(
        "dropout-always-active",
        "a dropout is active although {module} is in evaluation mode{times}",
        "The function dropout() knows no module and is active unless it is told otherwise, so eval() does "
        "not "
        "turn it off.",
        "x = F.dropout(x, p, training=self.training)   # or self.dropout = nn.Dropout(p)",
        ran="dropped here",
    ),
}


def findings(subject: Subject) -> Iterator[Finding]:
    """One for each module and mode."""
    for evidence in subject.evidence.modes:
        fault = _FAULTS[evidence.mode]
        words = {
            "module": evidence.module,
            "parts": listed(evidence.parts),
            "times": f", {evidence.calls} times" if evidence.calls > 1 else "",
        }
        lines = lines_of((fault.ran, evidence.line), (fault.switched, evidence.switched))
        seen, why = fault.seen.format(**words), fault.why.format(**words)
        yield Finding(fault.kind, "warning", seen, lines, why, fault.fix)
