"""``.grad`` is None after backward: cut off, unused, beside the loss, or frozen."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from autograd_tour.findings.base import Finding, Level, Subject, lines_of, listed
from autograd_tour.findings.cuts import fix_of, lines_of_cut, why_of
from autograd_tour.record.evidence import LeafEvidence

__all__ = ["findings"]


def findings(subject: Subject) -> Iterator[Finding]:
    """One for all leaves that have no gradient for the same reason, at the same line."""
    groups: dict[tuple[object, ...], list[LeafEvidence]] = {}
    idle = {item.name for item in subject.evidence.optimizers if not item.reached and item.elsewhere}
    for leaf in subject.evidence.leaves:
        if leaf.reason == "unused" and leaf.optimizer in idle:
            continue  # the whole optimizer is of other parameters, which is a finding of its own
        last = leaf.last if leaf.reason == "beside" else None
        groups.setdefault((leaf.reason, leaf.cut, last, leaf.optimizer, leaf.package), []).append(leaf)
    trained = bool(subject.evidence.optimizers)
    for leaves in groups.values():
        finding = _finding(subject, leaves, trained=trained)
        finding = replace(finding, about=tuple(leaf.name for leaf in leaves))
        yield _of_package(finding, leaves[0].package) if leaves[0].package else finding


def _of_package(finding: Finding, package: str) -> Finding:
    """The same where an installed module does without these leaves: that is its own affair."""
    why = (
        f"{finding.why} The module of {package} that has them does without them, which is most likely meant."
    )
    return replace(finding, level="note", why=why)


def _finding(subject: Subject, leaves: list[LeafEvidence], *, trained: bool) -> Finding:
    first = leaves[0]
    names = listed(leaf.name for leaf in leaves)
    it = "it" if len(leaves) == 1 else "them"
    held = f" {first.optimizer} holds {it}, and its steps cannot change {it}." if first.optimizer else ""
    seen = f".grad of {names} is None after backward"
    level: Level = "warning" if first.optimizer else "note"
    if first.cut is not None:
        if not trained and first.cut.kind not in ("no_grad", "inference"):
            level = "warning"
        node, graph = subject.node_at(first.cut.line)
        why = why_of(first.cut) + held
        return Finding(
            "grad-none-cut", level, seen, lines_of_cut(first.cut), why, fix_of(first.cut), node, graph
        )
    if first.reason == "frozen":
        why = "It does not require a gradient (requires_grad=False): it is frozen." + held
        fix = "optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)"
        return Finding("grad-none-frozen", "note", seen, (), why, fix)
    if first.reason == "unused":
        why = "No function was called with it while the program ran, so no loss depends on it." + held
        fix = "# use it in forward(), or leave it out of the optimizer"
        return Finding("grad-none-unused", level, seen, (), why, fix)
    level = "warning" if first.optimizer or not trained else "note"
    why = (
        "It was used, but nothing that was computed from it leads to a loss on which backward was called. "
        "Its trail "
        "ends at the line shown." + held
    )
    fix = "loss = loss + auxiliary  # let the result take part in the loss, or do not compute it"
    node, graph = subject.node_at(first.last)
    return Finding(
        "grad-none-beside", level, seen, lines_of(("last used here", first.last)), why, fix, node, graph
    )
