"""What each node does to the gradient on its way to each slot, in words and as marks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from autograd_tour.rules import formulas
from autograd_tour.rules.texts.operands import attribute_texts
from autograd_tour.tracer.assemble.material import Material
from autograd_tour.tracer.assemble.readings import Reading
from autograd_tour.tracer.assemble.saved import SavedTensorView
from autograd_tour.tracer.assemble.titles import Title
from autograd_tour.tracer.assemble.values import Values
from autograd_tour.tracer.measure import measure

__all__ = ["LocalRule", "local_rules"]

Shape = tuple[int, ...]


class LocalRule(NamedTuple):
    """The rule of one slot, ``""`` if there is none, and the marks of its gradient edge."""

    text: str = ""
    marks: tuple[str, ...] = ()


def local_rules(
    material: Material, readings: Sequence[Reading], values: Values, titles: Sequence[Title]
) -> list[Sequence[LocalRule]]:
    """For each node a rule for each slot of ``next_functions``; none at all if the graph is large."""
    if not material.thorough:
        return []
    return [
        () if material.is_leaf(i) else _rules(material, readings[i], values, titles[i], i)
        for i in range(len(material.skeleton))
    ]


def _rules(
    material: Material, reading: Reading, values: Values, title: Title, i: int
) -> tuple[LocalRule, ...]:
    inputs, name = material.skeleton.next[i], material.skeleton.names[i]
    facts = [values.of(j, k) for j, k in inputs]
    output = values.of(i, 0)
    operands = formulas.Operands(
        title.operands,
        values.name(i),
        {**attribute_texts(reading.attributes), **_saved_texts(reading.saved)},
        tuple(item.shape if item else None for item in facts),
        output.shape if output is not None else None,
        tuple(item.dtype if item else "" for item in facts),
    )
    return tuple(_rule(name, slot, operands) if j >= 0 else LocalRule() for slot, (j, _) in enumerate(inputs))


def _rule(name: str, slot: int, operands: formulas.Operands) -> LocalRule:
    rule = formulas.rule(name, slot, operands).replace("ᵀᵀ", "")
    marks: tuple[str, ...] = ("routed",) if name in formulas.ROUTED else ()
    # A bias that a fused product adds (slot 0 of addmm) is broadcast like any other sum.
    broadcast = name in formulas.POINTWISE or rule == "× 1"
    summed = _summed(operands.input_shapes[slot], operands.output_shape) if broadcast else 0
    if summed:
        rule = f"Σ over {summed}" if rule in ("", "× 1") else f"{rule}, Σ over {summed}"
        marks = (*marks, "broadcast")
    return LocalRule(rule, marks)


def _summed(inner: Shape | None, outer: Shape | None) -> int:
    """Over how many elements the backward of a broadcast sums; 0 if nothing was broadcast."""
    if inner is None or outer is None or inner == outer:
        return 0
    small, large = math.prod(inner), math.prod(outer)
    return large // small if 0 < small < large else 0


def _saved_texts(views: Sequence[SavedTensorView]) -> dict[str, str]:
    """Saved tensors as a rule wants them: a 0-d tensor's number, ``tensor`` for any other."""
    texts: dict[str, str] = {}
    for view in views:
        if view.tensor is None:
            if view.state not in ("none", "freed"):
                texts[view.name] = "tensor"
            continue
        first = measure(view.tensor, 1).first if view.tensor.dim() == 0 else ()
        texts[view.name] = f"{first[0]:g}" if first and not isinstance(first[0], str) else "tensor"
    return texts
