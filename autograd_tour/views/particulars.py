"""What the card of a module or a function says: shapes in and out, each of its parameters."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from autograd_tour.record.facts import TensorFacts
from autograd_tour.record.node import Node
from autograd_tour.record.rule import Expression, Rule
from autograd_tour.rules.wording import is_gradient, short
from autograd_tour.text import number
from autograd_tour.views.wording import shape_text

__all__ = ["parameter_notes", "shapes_note"]

FEW = 4
"""So many parameters are told one by one, and so many tensors that come in or go out."""


def shapes_note(inputs: Sequence[TensorFacts | None], outputs: Sequence[TensorFacts | None]) -> str:
    """``(4, 1, 28, 28) → (4, 8, 28, 28)``; ``""`` where there are too many, or one is not known."""
    if any(facts is None for side in (inputs, outputs) for facts in side):
        return ""
    sides = [
        dict.fromkeys(shape_text(facts.shape) or "scalar" for facts in side if facts is not None)
        for side in (inputs, outputs)
    ]
    return " → ".join(map(", ".join, sides)) if all(0 < len(side) <= FEW for side in sides) else ""


def parameter_notes(
    leaves: Sequence[Node],
    group: str,
    grad: Callable[[str], TensorFacts | None],
    rule: Callable[[str], Rule | None],
) -> list[str]:
    """``weight (32, 784): ‖.grad‖ = 1.47, (xᵀ @ g)ᵀ`` for each of a few of the module ``group``."""
    if len(leaves) > FEW:
        return []
    notes = []
    for leaf in leaves:
        name = leaf.name.removeprefix(f"{group}.") or leaf.op
        text = f"{name} {shape_text(leaf.value.shape)}".rstrip() if leaf.value is not None else name
        deed = rule(leaf.id)
        rule_text = "" if isinstance(deed, Expression) and is_gradient(deed) else short(deed)
        after = grad(leaf.id)
        norm = after.stats.norm if after is not None and after.stats is not None else None
        parts = [f"‖.grad‖ = {number(norm, 4)}"] if norm is not None else []
        parts += [rule_text] if rule_text else []
        notes.append(f"{text}: {', '.join(parts)}" if parts else text)
    return notes
