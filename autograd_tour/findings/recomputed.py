"""A checkpointed function that computed something else when it was run again in backward."""

from __future__ import annotations

from collections.abc import Iterator

from autograd_tour.findings.base import Finding, Subject, lines_of
from autograd_tour.record.evidence import Evidence, Recomputation

__all__ = ["findings", "is_noticed"]

_FIX = "# make the checkpointed function depend on its arguments alone: pass what may change as an argument"
_RANDOM = "y = checkpoint(block, x, use_reentrant=False)   # without preserve_rng_state=False"
_PHRASES = (
    "different number of tensors was saved",
    "have different metadata",
    "trying to save more tensors during recomputation",
)
_OTHER_SHAPE = "Mismatch in shape: grad_output"
_COMPARED = (
    "Torch compares how many tensors were saved, their shapes and types. Those agree, so it raises no error."
)
_NOT_COMPARED = (
    "A reentrant checkpoint compares nothing: backward goes through the operations of the second run, with "
    "the gradient that belongs to the result of the first."
)


def is_noticed(evidence: Evidence) -> bool:
    """Whether the error that ended the program is torch's about a recomputation that differs."""
    failure, difference = evidence.failure, evidence.recomputed
    if failure is None:
        return False
    reentrant = difference is not None and difference.reentrant and _OTHER_SHAPE in failure.text
    return reentrant or any(phrase in failure.text for phrase in _PHRASES)


def findings(subject: Subject) -> Iterator[Finding]:
    """One for the first operation that differs, with torch's error if it noticed."""
    failure, difference = subject.evidence.failure, subject.evidence.recomputed
    noticed = is_noticed(subject.evidence)
    if difference is None and not noticed:
        return
    lines = (
        lines_of(("computed here first", difference.first_at), ("the second time here", difference.again_at))
        if difference is not None
        else ()
    )
    start = (
        "A checkpoint throws saved tensors away and runs its function again in backward to have them. "
        + (_told(difference) if difference is not None else "The second run saved other tensors. ")
        + "So it depends on something that changed meanwhile. "
    )
    node, graph = subject.node_at(lines[0].line if lines else None)
    drawn = difference is not None and difference.values and "dropout" in difference.first
    fix = _RANDOM if drawn else _FIX
    if noticed and failure is not None:
        raised = lines_of(("raised here", failure.line))
        seen = "a checkpointed function did something else when it was computed again"
        yield Finding(
            "checkpoint-differs", "error", seen, (*lines, *raised), start, fix, node, graph, failure.text
        )
        return
    yield Finding(
        "checkpoint-differs-in-silence",
        "error",
        "a checkpointed function gave something else when it was computed again: the gradient is wrong",
        lines,
        start + (_NOT_COMPARED if difference is not None and difference.reentrant else _COMPARED),
        fix,
        node,
        graph,
    )


def _told(difference: Recomputation) -> str:
    first, again, shapes = f"{difference.first}()", f"{difference.again}()", difference.shapes
    if not difference.first or not difference.again:
        rest = f"{again} more" if not difference.first else f"no {first} any more"
        return f"After the same operations as before, the second run made {rest}. "
    if difference.values:
        return f"Of the second run {first} is the first operation that gave other numbers. "
    if difference.first == difference.again and shapes[0] != shapes[1]:
        return f"The first operation that differed is {first}: it gave {shapes[0]}, then {shapes[1]}. "
    return f"The first operation that differed is {first}: in its place the second run had {again}. "
