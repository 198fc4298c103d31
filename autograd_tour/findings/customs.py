"""A custom Function whose backward is not the derivative of its forward."""

from __future__ import annotations

from collections.abc import Iterator

from autograd_tour.findings.base import Finding, Level, Subject, lines_of
from autograd_tour.record.evidence import CustomBackward

__all__ = ["findings"]


def findings(subject: Subject) -> Iterator[Finding]:
    """One for each such Function."""
    for item in subject.evidence.customs:
        node, graph = subject.node_at(item.used_at, f"{item.function}Backward")
        level: Level = "note" if item.flat or item.reversed else "warning"
        meant = ""
        if item.flat:
            meant = " Its forward is a step function of derivative 0: that gradients pass is meant."
        elif item.reversed:
            meant = (
                " It is a negative multiple of the derivative, as where gradients are reversed on purpose."
            )
        yield Finding(
            "custom-backward-differs",
            level,
            f"the backward of {item.function} gives {item.analytic:.4g} where differences of its forward "
            "give "
            f"{item.numeric:.4g}",
            lines_of(("its backward", item.backward_at), ("used here", item.used_at)),
            "Its forward was run in float64 with its first arguments moved a little along a random "
            "direction, and its "
            f"backward was asked for the derivative along the same direction.{meant}",
            _check(item),
            node,
            graph,
        )


def _check(item: CustomBackward) -> str:
    """Torch's own check, with an input for each argument of this Function."""
    arguments = item.arguments or ("x",)
    doubled = [f"{name} = {name}.detach().double().requires_grad_()" for name in item.inputs or arguments]
    given = ", ".join(arguments) + ("," if len(arguments) == 1 else "")
    return "\n".join(
        [*doubled, f"torch.autograd.gradcheck({item.function}.apply, ({given}))   # after a change"]
    )
