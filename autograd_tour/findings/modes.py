"""Batch normalisation and dropout in a mode that does not fit, and an evaluation that records graphs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from autograd_tour.findings.base import Finding, Subject, lines_of, listed
from autograd_tour.record.evidence import Mode, ModeEvidence

__all__ = ["findings"]


def findings(subject: Subject) -> Iterator[Finding]:
    """One for each module and mode."""
    for evidence in subject.evidence.modes:
        yield _FINDINGS[evidence.mode](evidence)


def _graph_in_evaluation(evidence: ModeEvidence) -> Finding:
    return Finding(
        "graph-in-evaluation",
        "warning",
        f"{evidence.module} ran in evaluation mode and recorded a graph that no backward "
        f"used{_times(evidence)}",
        lines_of(("recorded here", evidence.line), ("evaluation mode set here", evidence.switched)),
        "eval() changes what dropout and batch normalisation compute. It does not turn gradients off: "
        "autograd "
        "records every operation, and keeps what backward would need as long as the result lives. Only "
        "no_grad or "
        "inference_mode saves that memory and time.",
        "model.eval()\nwith torch.no_grad():\n    out = model(x)",
    )


def _evaluation_in_training(evidence: ModeEvidence) -> Finding:
    parts = listed(evidence.parts)
    return Finding(
        "evaluation-mode-in-training",
        "warning",
        f"{evidence.module} ran in evaluation mode in a step that trains it{_times(evidence)}",
        lines_of(("ran here", evidence.line), ("evaluation mode set here", evidence.switched)),
        "In evaluation mode dropout drops nothing, and batch normalisation uses its running statistics "
        "and does not "
        f"update them. All of {parts} in the module ran so, although an optimizer used the gradients. "
        "eval() stays in "
        "force until train() is called.",
        "model.train()           # at the start of every epoch, after each evaluation",
    )


def _training_in_evaluation(evidence: ModeEvidence) -> Finding:
    return Finding(
        "training-mode-in-evaluation",
        "warning",
        f"{evidence.module} ran in training mode where gradients were turned off{_times(evidence)}",
        lines_of(("ran here", evidence.line), ("training mode set here", evidence.switched)),
        f"{listed(evidence.parts)} ran in training mode, and no gradient was asked for, as in an "
        "evaluation. There "
        "dropout makes the result random, and batch normalisation depends on the other elements of the "
        "batch and "
        "moves its running statistics. no_grad does not change the mode.",
        "model.eval()\nwith torch.no_grad():\n    out = model(x)\nmodel.train()",
    )


def _dropout_always(evidence: ModeEvidence) -> Finding:
    return Finding(
        "dropout-always-active",
        "warning",
        f"a dropout is active although {evidence.module} is in evaluation mode{_times(evidence)}",
        lines_of(("dropped here", evidence.line), ("evaluation mode set here", evidence.switched)),
        "The function dropout() knows no module and is active unless it is told otherwise, so eval() "
        "does not "
        "turn it off.",
        "x = F.dropout(x, p, training=self.training)   # or self.dropout = nn.Dropout(p)",
    )


def _times(evidence: ModeEvidence) -> str:
    return f", {evidence.calls} times" if evidence.calls > 1 else ""


_FINDINGS: Mapping[Mode, Callable[[ModeEvidence], Finding]] = {
    "graph-in-evaluation": _graph_in_evaluation,
    "evaluation-in-training": _evaluation_in_training,
    "training-in-evaluation": _training_in_evaluation,
    "dropout-always": _dropout_always,
}
