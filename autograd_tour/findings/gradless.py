"""``element 0 of tensors does not require grad``: a loss without a gradient, and the line that cut it off."""

from __future__ import annotations

from collections.abc import Iterator

from autograd_tour.findings.base import Finding, Subject, lines_of
from autograd_tour.findings.cuts import fix_of, lines_of_cut, why_of
from autograd_tour.record.display import amount

__all__ = ["findings"]

_SET = (
    "requires_grad was set on the result itself. That makes it a leaf without a past: backward() then runs "
    "without an "
    "error, deposits a 1 in the .grad of the loss, and every parameter stays without a gradient. "
)
_NONE = (
    "Nothing that the loss was computed from requires a gradient, so there is nothing backward could "
    "compute. "
)


def findings(subject: Subject) -> Iterator[Finding]:
    """One for the first loss without a gradient."""
    evidence = subject.evidence
    if not evidence.gradless:
        return
    end = (("the loss without a gradient", evidence.gradless_loss),)
    message = evidence.failure.message if evidence.failure is not None else ""
    switched = evidence.switched
    kind = "requires-grad-set-on-result" if switched is not None else "loss-without-gradient"
    seen = (
        "requires_grad was set on a loss that is computed: no parameter gets a gradient"
        if switched is not None
        else "the loss does not require a gradient"
    )
    shift = lines_of(("requires_grad set here", switched))
    start = _SET if switched is not None else ""
    if evidence.cuts:
        cut, rest = evidence.cuts[0], len(evidence.cuts) - 1
        also = f" {rest} more such {'line lies' if rest == 1 else 'lines lie'} on the way." if rest else ""
        lines = (*lines_of_cut(cut), *shift, *lines_of(*end))
        node, graph = subject.node_at(cut.line)
        yield Finding(
            kind, "error", seen, lines, start + why_of(cut) + also, fix_of(cut), node, graph, message
        )
        return
    frozen = (
        f"Frozen (requires_grad=False): {amount(evidence.frozen, 'parameter')} of its modules. "
        if evidence.frozen
        else ""
    )
    why = (
        f"{start}{_NONE}{frozen}Setting requires_grad on the loss would silence the error and train nothing."
    )
    fix = (
        "for p in model.parameters():\n    p.requires_grad_()"
        if frozen
        else "w = torch.tensor(0.5, requires_grad=True)"
    )
    yield Finding(kind, "error", seen, (*shift, *lines_of(*end)), why, fix, message=message)
