"""``.grad`` is None after backward: cut off, unused, beside the loss, a copy, replaced, or frozen."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from autograd_tour.findings.base import Finding, Level, Subject, lines_of, listed, optimizer_line
from autograd_tour.findings.cuts import fix_of, lines_of_cut, why_of
from autograd_tour.record.evidence import CutPoint, LeafEvidence

__all__ = ["findings"]


def findings(subject: Subject) -> Iterator[Finding]:
    """One for all leaves that have no gradient for the same reason, at the same line."""
    groups: dict[tuple[object, ...], list[LeafEvidence]] = {}
    idle = {item.name for item in subject.evidence.optimizers if not item.reached and item.elsewhere}
    for leaf in subject.evidence.leaves:
        if leaf.reason in ("unused", "replaced") and leaf.optimizer in idle:
            continue  # the whole optimizer is of other parameters, which is a finding of its own
        last = leaf.last if leaf.reason in ("beside", "copy", "replaced") else None
        key = (leaf.reason, leaf.cut, last, leaf.optimizer, leaf.package)
        groups.setdefault(key, []).append(leaf)
    trained = bool(subject.evidence.optimizers)
    for leaves in groups.values():
        finding = _finding(subject, leaves, trained=trained)
        finding = replace(finding, about=tuple(leaf.name for leaf in leaves))
        package = leaves[0].package if leaves[0].reason != "frozen" else ""
        yield _of_package(finding, package) if package else finding


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
    if first.reason == "cut" and first.cut is not None:
        if not trained and first.cut.kind not in ("no_grad", "inference"):
            level = "warning"
        return _of_cut(subject, "grad-none-cut", level, seen, first.cut, why_of(first.cut) + held)
    if first.reason == "frozen":
        why = f"Frozen: requires_grad=False, so no gradient is computed for {it}.{held}"
        fix = optimizer_line(first.optimizer, "[p for p in model.parameters() if p.requires_grad]")
        return Finding("grad-none-frozen", "note", seen, (), why, fix)
    if first.reason == "replaced":
        return _of_replaced(first, names, it)
    if first.reason == "copy":
        why = (
            "What is computed from other parameters is written into it at the line shown, without gradients, "
            "and no loss asks for a gradient of it. So it is a copy that follows them, such as an average "
            "(EMA) or a target network, and not meant to train."
        )
        fix = "ema = copy.deepcopy(model).requires_grad_(False)   # says so, and records nothing when it runs"
        return Finding("grad-none-copy", "note", seen, lines_of(("written here", first.last)), why, fix)
    if first.reason == "unused":
        why = f"No function was called with {it} while the program ran, so no loss depends on {it}.{held}"
        fix = "# use it in forward(), or leave it out of the optimizer"
        return Finding("grad-none-unused", level, seen, (), why, fix)
    level = "warning" if first.optimizer or not trained else "note"
    if first.reason == "left" and first.cut is not None:
        why = (
            f"It was used, and what was computed from it leads to no loss within torch. {why_of(first.cut)} "
            f"If the loss uses what was computed so, keep it a tensor.{held}"
        )
        return _of_cut(subject, "grad-none-beside", level, seen, first.cut, why)
    why = (
        "It was used, but nothing that was computed from it leads to a loss on which backward was called. "
        f"Its trail ends at the line shown.{held}"
    )
    fix = "loss = loss + auxiliary  # let the result take part in the loss, or do not compute it"
    node, graph = subject.node_at(first.last)
    return Finding(
        "grad-none-beside", level, seen, lines_of(("last used here", first.last)), why, fix, node, graph
    )


def _of_cut(subject: Subject, kind: str, level: Level, seen: str, cut: CutPoint, why: str) -> Finding:
    node, graph = subject.node_at(cut.line)
    return Finding(kind, level, seen, lines_of_cut(cut), why, fix_of(cut), node, graph)


def _of_replaced(leaf: LeafEvidence, names: str, it: str) -> Finding:
    return Finding(
        "parameter-replaced",
        "warning",
        f"{leaf.optimizer} holds {names} as {'it was' if it == 'it' else 'they were'} before a replacement",
        lines_of(("replaced here", leaf.last), ("optimizer made here", leaf.birth)),
        "An optimizer keeps the parameters that it was given. The model has others of that name since, and "
        "this optimizer does not hold those: its steps neither change the old ones, which get no gradient, "
        "nor train the new ones.",
        "model.fc = nn.Linear(8, 2)   # first complete the model, then give it to the optimizer\n"
        f"{optimizer_line(leaf.optimizer, 'model.parameters()')}",
    )
