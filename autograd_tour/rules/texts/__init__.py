"""The local rules of backward for people: what each kind of node does to the gradient that comes in."""

from __future__ import annotations

from collections.abc import Mapping

from autograd_tour.rules.texts.elementwise import ELEMENTWISE
from autograd_tour.rules.texts.learning import FUSED_NOTES, LEARNING
from autograd_tour.rules.texts.operands import Operands, Rule
from autograd_tour.rules.texts.structure import ROUTING, STRUCTURE

__all__ = ["FUSED", "POINTWISE", "ROUTED", "RULES", "Operands", "apply_rule"]

RULES: Mapping[str, Rule] = {**ELEMENTWISE, **STRUCTURE, **ROUTING, **LEARNING}
"""The rule of every node class that has one, by the name of its grad_fn."""

POINTWISE: frozenset[str] = frozenset(ELEMENTWISE)
"""Nodes that work element by element and so broadcast their operands."""

ROUTED: frozenset[str] = frozenset(ROUTING) | {
    "MaximumBackward0",
    "MinimumBackward0",
    "FmaxBackward0",
    "FminBackward0",
    "WhereBackward0",
    "MaskedFillBackward0",
    "NllLossBackward0",
    "NllLoss2DBackward0",
}
"""Nodes that send the gradient to some elements only. An activation such as ReLU is not one."""

FUSED: Mapping[str, str] = FUSED_NOTES
"""Nodes that do several steps at once, and which."""

_SIGN_ONLY = frozenset({"× 1", "× −1", "× 0"})


def apply_rule(grad_fn: str, slot: int, operands: Operands) -> str:
    """The rule of one slot, ``""`` if there is none.

    Rules are written for real numbers: with a complex operand, those that multiply by it would leave
    out the conjugate, so they are not given.
    """
    name = grad_fn.removesuffix("_copy")
    rule = RULES.get(name)
    text = rule(operands, slot) if rule is not None and slot >= 0 else ""
    if any("complex" in dtype for dtype in operands.input_dtypes):
        moves_only = name in STRUCTURE or (name in ROUTING and text.startswith("to "))
        return text if moves_only or text in _SIGN_ONLY else ""
    return text
