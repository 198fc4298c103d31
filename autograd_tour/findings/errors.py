"""Other errors of torch around backward, caught and told, and whatever else ended the program."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from autograd_tour.findings import recomputed, reducer
from autograd_tour.findings.base import Finding, Subject, lines_of
from autograd_tour.record.evidence import Evidence, Failure

__all__ = ["findings"]


class Explained(NamedTuple):
    """What one of these phrases in the text of an error means."""

    phrases: tuple[str, ...]
    kind: str
    seen: str
    why: str
    fix: str


_TABLE = (
    Explained(
        ("implicitly created only for", "loss is not a scalar", "results is a scalar"),
        "loss-not-scalar",
        "backward was called on a tensor that is no single real number",
        "Backward begins with the derivative of the loss by itself, which is 1 for one number. A tensor of "
        "many numbers has "
        "no such start: reduce it to one, or say what each of its elements counts.",
        "loss.mean().backward()      # or loss.sum().backward(), "
        "loss.backward(gradient=torch.ones_like(loss))",
    ),
    Explained(
        ("appears to not have been used in the graph",),
        "input-not-used",
        "torch.autograd.grad was asked for the gradient of a tensor that the output does not depend on",
        "No path of operations leads from that tensor to the output: it was not used, or what was used is "
        "a copy, a detached "
        "tensor, or another tensor of the same name.",
        "torch.autograd.grad(y, [x], allow_unused=True)   # gives None for it; or compute y from x itself",
    ),
    Explained(
        ("can require gradients",),
        "integer-requires-grad",
        "requires_grad was asked of a tensor of integers",
        "A derivative says what a small change does, and an integer has no small change. Only floating "
        "point and complex "
        "tensors can require a gradient.",
        "x = torch.tensor([1.0, 2.0], requires_grad=True)   # 1.0, not 1",
    ),
    Explained(
        ("optimizer got an empty parameter list",),
        "optimizer-without-parameters",
        "an optimizer was made with no parameters",
        "The list was empty: all were frozen and a filter left none, a generator had been used up before, or "
        "the layers stand in a plain list, in which a module does not look for them.",
        "self.layers = nn.ModuleList(layers)   # not a plain list\n"
        "model.head.requires_grad_()           # what is to be trained, before it is given to the optimizer",
    ),
    Explained(
        ("Attempting to unscale FP16",),
        "amp-half-parameters",
        "the gradient scaler was given gradients in float16",
        "Mixed precision keeps parameters in float32 and runs operations in half precision under autocast. "
        "Parameters that are "
        "float16 themselves have gradients that cannot be unscaled without loss.",
        "model = model.float()\nwith torch.autocast(device): loss = model(x)",
    ),
    Explained(
        ("unscale_() has already been called", "unscale_() is being called after step()"),
        "amp-order",
        "gradients were to be unscaled twice before one step, or after it",
        "The order of a step is: scale(loss).backward(), unscale_(), clip, step(), update(). unscale_() "
        "may come once in it, and update() has to end it.",
        "scaler.scale(loss).backward()\nscaler.unscale_(optimizer)\nscaler.step(optimizer)\nscaler.update()",
    ),
    Explained(
        ("step() has already been called since the last update()",),
        "amp-order",
        "the scaler was to step an optimizer twice without an update between",
        "scaler.update() ends a step: it chooses the factor for the next one, and forgets what was unscaled.",
        "scaler.scale(loss).backward()\nscaler.step(optimizer)\nscaler.update()     # once at the end of "
        "each step",
    ),
    Explained(
        ("_scale is None",),
        "amp-order",
        "the scaler was to divide gradients, and has never scaled a loss",
        "scaler.scale(loss) multiplies the loss before its backward. Without it there is no factor to "
        "divide by.",
        "scaler.scale(loss).backward()\nscaler.step(optimizer)\nscaler.update()",
    ),
    Explained(
        ("No inf checks were recorded",),
        "amp-order",
        "the scaler was to step an optimizer that has no scaled gradients",
        "scaler.step() looks at the gradients of the optimizer's parameters, and there were none: backward "
        "was not called, or it "
        "deposited gradients in other parameters.",
        "scaler.scale(loss).backward()   # of a loss that uses the optimizer's parameters",
    ),
)


def _when(evidence: Evidence, failure: Failure) -> str:
    """``in forward`` and the like; nothing of what may be an update, after a backward."""
    return "" if failure.during == "forward" and evidence.backwards else f" in {failure.during}"


def findings(subject: Subject) -> Iterator[Finding]:
    """One, unless a finding of another kind is about the same error."""
    evidence, failure = subject.evidence, subject.evidence.failure
    if failure is None or evidence.gradless or evidence.freed is not None or evidence.scaler:
        return
    if recomputed.is_noticed(evidence) or reducer.is_about(failure.text):
        return
    if any(not conflict.silent for conflict in evidence.conflicts):
        return
    if "in-place" in failure.text and "leaf" in failure.text:
        return
    lines = lines_of(("raised here", failure.line))
    for entry in _TABLE:
        if any(phrase in failure.text for phrase in entry.phrases):
            yield Finding(
                entry.kind, "error", entry.seen, lines, entry.why, entry.fix, message=failure.message
            )
            return
    if not failure.type:
        why = "The program returned it, and backward could not begin with it."
        yield Finding("error", "error", failure.text, (), why)
        return
    text = failure.text.splitlines()[0] if failure.text else ""
    raised = (
        f"the program left with {text}"
        if failure.type == "SystemExit"
        else f"the program raised {failure.type}{_when(evidence, failure)}"
        + (f": {text[:200]}" if text else "")
    )
    yield Finding(
        "error",
        "error",
        raised,
        lines,
        "It ended there, so nothing is known of what would have come after it.",
        message=failure.text,
        own=failure.own,
    )
