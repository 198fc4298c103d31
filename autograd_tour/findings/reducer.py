"""Parameters that would stop a reducer of distributed training, or did: no gradient came for them."""

from __future__ import annotations

from collections.abc import Iterator

from autograd_tour.findings.base import Finding, Subject, lines_of, listed

__all__ = ["findings", "is_about"]

_FIX = (
    "# let every parameter take part in every loss, or freeze it; else\n"
    "model = DistributedDataParallel(model, find_unused_parameters=True)"
)
_STOPPED = "Expected to have finished reduction"
_TWICE = "Expected to mark a variable ready only once"


def is_about(text: str) -> bool:
    """Whether an error of torch with this text is that of a reducer."""
    return _STOPPED in text or _TWICE in text


def findings(subject: Subject) -> Iterator[Finding]:
    """One for each module that has such parameters; an error if a reducer was stopped by them."""
    failure = subject.evidence.failure
    text = failure.text if failure is not None else ""
    if failure is not None and _TWICE in text:
        yield Finding(
            "reducer-marked-twice",
            "error",
            "a reducer got a gradient for a parameter twice in one backward",
            lines_of(("raised here", failure.line)),
            "DistributedDataParallel expects each gradient once. A parameter that is used in several "
            "reentrant "
            "checkpoints, or outside and inside of one, brings its gradient in parts.",
            "y = checkpoint(block, x, use_reentrant=False)",
            message=failure.text,
        )
    for item in subject.evidence.unused:
        names = listed(item.names)
        lines = lines_of(("ran here", item.line), ("backward begins here", item.backward_at))
        why = (
            f"The backward brought nothing to {names} of {item.module}: unused in this forward, or their "
            "output is "
            "unused in the loss. DistributedDataParallel waits for the gradient of every parameter in every "
            f"backward, and stops with '{_STOPPED} in the prior iteration'. "
        )
        if failure is not None and _STOPPED in text:
            yield Finding(
                "reducer-stopped",
                "error",
                f"a reducer waited for gradients of {names}, which never came",
                (*lines, *lines_of(("raised here", failure.line))),
                why,
                _FIX,
                message=failure.text,
                about=item.names,
            )
            return
        if failure is None:
            yield Finding(
                "would-stop-reducer",
                "note",
                f"{names} would stop a reducer of distributed training: a backward brings no gradient there",
                lines,
                why + "Without it this may well be meant.",
                _FIX,
                about=item.names,
            )
    if failure is not None and _STOPPED in text:
        yield Finding(
            "reducer-stopped",
            "error",
            "a reducer waited for gradients that never came",
            lines_of(("raised here", failure.line)),
            "DistributedDataParallel waits for the gradient of every parameter in every backward. Some "
            "parameter was "
            "unused in the forward before, or its output was unused in the loss.",
            _FIX,
            message=failure.text,
        )
