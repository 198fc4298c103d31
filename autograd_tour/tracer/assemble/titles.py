"""What a person calls each node, and how labels name what came into it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from autograd_tour.rules.labels import describe
from autograd_tour.rules.texts.operands import attribute_texts
from autograd_tour.tracer.assemble.material import Material
from autograd_tour.tracer.assemble.operands import Constant, Input, Number, Operand, Operands
from autograd_tour.tracer.assemble.readings import Reading
from autograd_tour.tracer.assemble.values import Values

__all__ = ["Title", "title_nodes"]


class Title(NamedTuple):
    """``op`` is the title of a node's card; ``expr`` names its result inside other labels.

    ``operands`` names what came in at each slot of ``next_functions``, ``""`` for what has no name.
    """

    op: str
    expr: str
    operands: tuple[str, ...] = ()


def title_nodes(
    material: Material, readings: Sequence[Reading], values: Values, operands: Sequence[Operands]
) -> list[Title]:
    """A title for every node. A leaf is called by its name."""
    titles: list[Title] = []
    for i in range(len(material.skeleton)):
        name = values.name(i)
        if material.is_leaf(i):
            titles.append(Title(name or "leaf", name))
            continue
        slots = tuple([_text(material, values, titles, i, operand) for operand in operands[i].slots])
        given = operands[i].given
        if given is None:
            texts = slots
        else:
            texts = tuple([_text(material, values, titles, i, operand) for operand in given])
        op, expr = _title(material, readings[i], i, texts)
        titles.append(Title(op, name or expr, slots if material.thorough else ()))
    return titles


def _title(material: Material, reading: Reading, i: int, texts: tuple[str, ...]) -> tuple[str, str]:
    fn, call = material.skeleton.fns[i], material.calls[i]
    if hasattr(fn, "_forward_cls"):
        return fn._forward_cls.__name__.removesuffix("Backward"), ""
    function = call.function if call is not None and call.made_one_node else ""
    return describe(material.skeleton.names[i], function, texts, attribute_texts(reading.attributes))


def _text(
    material: Material, values: Values, titles: Sequence[Title], i: int, operand: Operand | None
) -> str:
    """How labels name an operand of node ``i``."""
    match operand:
        case None:
            return ""
        case Input(slot):
            j, k = material.skeleton.next[i][slot]
            if len(values.names[j]) > 1:
                return values.names[j][k] if k < len(values.names[j]) else ""
            return titles[j].expr
        case Constant(number):
            return material.constant_name(number)
        case Number(value):
            return f"{value:g}" if isinstance(value, float) else str(value)
    return operand.name
