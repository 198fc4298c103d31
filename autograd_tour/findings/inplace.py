"""A saved tensor was changed in place: with an error of torch, or in silence."""

from __future__ import annotations

from collections.abc import Iterator

from autograd_tour.findings.base import Finding, Subject, lines_of
from autograd_tour.record.evidence import Conflict

__all__ = ["findings"]


def findings(subject: Subject) -> Iterator[Finding]:
    """One for each pair of lines: who saved, who changed. Then what torch refuses on leaves."""
    failure = subject.evidence.failure
    seen: set[tuple[object, ...]] = set()
    conflicts = [item for item in subject.evidence.conflicts if not _is_step(item)]
    conflicts += [item for item in subject.evidence.conflicts if _is_step(item)][
        -1:
    ]  # backward meets it first
    for conflict in conflicts:
        key = conflict.saved_at, conflict.changed_at, conflict.silent
        if key not in seen:
            seen.add(key)
            yield _conflict(
                subject, conflict, failure.text if failure is not None and not conflict.silent else ""
            )
    if failure is None or "in-place" not in failure.text or "leaf" not in failure.text:
        return
    view = "a view of a leaf" in failure.text
    what = "a view of a leaf" if view else "a leaf"
    why = (
        f"Backward is to deposit a gradient for the value that the leaf had when it was used. "
        f"{what[0].upper()}{what[1:]} "
        "that requires a gradient may therefore not be overwritten while autograd records. An update of "
        "parameters, or "
        "their initialisation, is no part of the loss: do it under torch.no_grad()."
    )
    fix = "with torch.no_grad():\n    w -= lr * w.grad" if not view else "with torch.no_grad():\n    w[0] = 0"
    yield Finding(
        "in-place-on-view-of-leaf" if view else "in-place-on-leaf",
        "error",
        f"{what} that requires a gradient was changed in place",
        lines_of(("changed here", failure.line)),
        why,
        fix,
        message=failure.text,
    )


def _conflict(subject: Subject, conflict: Conflict, message: str) -> Finding:
    node, graph = subject.node_at(conflict.saved_at, conflict.grad_fn)
    saved = conflict.saved_by or conflict.grad_fn
    step = _is_step(conflict)
    changer = (
        ".data" if conflict.changed_by == "data" else conflict.changed_by or "a function that was not heard"
    )
    lines = lines_of(
        ("changed here", conflict.changed_at),
        ("saved here", conflict.saved_at),
        ("backward begins here", conflict.backward_at),
    )
    needs = (
        f"{saved}() saved a tensor ({conflict.tensor}), since its derivative is computed from the value it "
        f"had then. "
        f"{_capital(changer)}{'' if '.' in changer or ' ' in changer else '()'} overwrote that value "
        "before backward "
        f"ran. "
    )
    if conflict.silent:
        why = needs + (
            "It did so behind torch's version counter (through .data, NumPy, or memory that set_() "
            "shares), so torch "
            "raises no error: "
            "backward "
            "computes with the new value, and the gradient is wrong."
        )
        fix = "h = h * 3          # a new tensor; never write through .data or .numpy() before backward"
        return Finding(
            "changed-in-silence",
            "error",
            "a saved tensor was changed, and torch did not notice: the gradient is wrong",
            lines,
            why,
            fix,
            node,
            graph,
        )
    if step:
        why = (
            needs
            + "A step changes parameters in place, so every backward through them has to come before it."
        )
        fix = "loss_a.backward()\nloss_b.backward()\noptimizer.step()     # all backward calls first"
        return Finding(
            "in-place-step",
            "error",
            "the optimizer's step changed a parameter that a later backward needs",
            lines,
            why,
            fix,
            node,
            graph,
            message,
        )
    fix = "x = x + 1            # a new tensor, instead of x += 1"
    return Finding(
        "in-place",
        "error",
        "backward needs a tensor that was changed in place",
        lines,
        needs + "Torch counts changes and refuses to compute with the wrong value.",
        fix,
        node,
        graph,
        message,
    )


def _is_step(conflict: Conflict) -> bool:
    """Whether an optimizer made the change that torch noticed: it changes all parameters at once."""
    return conflict.changed_by.endswith(".step") and not conflict.silent


def _capital(words: str) -> str:
    """``words`` at the start of a sentence, unless they are a name."""
    return words[0].upper() + words[1:] if " " in words else words
