"""A node as its rules see it, made from the live node and what is known of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from autograd_tour.record.facts import TensorFacts
from autograd_tour.rules.node import NodeView, Operand, is_compound
from autograd_tour.tracer.assemble.saved import PREFIX, SavedTensorView, plain_fields
from autograd_tour.tracer.measure import measure

__all__ = ["node_view", "operand", "python_number", "read_number"]


def operand(
    name: str, facts: TensorFacts | None, *, transposed: bool = False, number: float | None = None
) -> Operand:
    """An input or result of a node."""
    shape = facts.shape if facts is not None and facts.layout != "nested" else None
    dtype = facts.dtype if facts is not None else ""
    return Operand(name, shape, dtype, transposed, is_compound(name), number)


def node_view(
    fn: Any,
    grad_fn: str,
    inputs: Sequence[Operand],
    outputs: Sequence[Operand],
    saved: Mapping[str, str],
    views: Sequence[SavedTensorView],
) -> NodeView:
    """``fn`` as a :class:`NodeView`; ``saved`` has the program's names of the tensors that it keeps."""
    attributes = {name: _plain(fn, name) for name in plain_fields(type(fn))}
    names: dict[str, str] = {}
    for view in views:
        if view.state == "none":
            continue
        names[view.name.partition("[")[0]] = saved.get(view.name, "")
        if view.tensor is not None and view.tensor.dim() == 0 and not view.tensor.is_complex():
            attributes[view.name] = python_number(view.tensor)
    known = {name: value for name, value in attributes.items() if value is not None}
    return NodeView(grad_fn, tuple(inputs), tuple(outputs), known, names)


def _plain(fn: Any, name: str) -> Any:
    try:
        return _value(getattr(fn, PREFIX + name))
    except (RuntimeError, TypeError, AttributeError):
        return None


def _value(value: object) -> Any:
    if isinstance(value, bool | float | str) or value is None:
        return value
    if isinstance(value, int):
        return value - 2**64 if value >= 2**63 else value  # torch hands out -1 as 2**64 - 1
    if isinstance(value, tuple | list):
        return tuple(map(_value, value))
    return None


def python_number(tensor: Tensor) -> float | None:
    """The number in a tensor of no dimensions; ``None`` if it is no real number or cannot be read."""
    first = measure(tensor, 1).first
    return float(first[0]) if first and not isinstance(first[0], str) else None


def read_number(text: str) -> float | None:
    """The number that an operand's text is, if it is one."""
    try:
        return float(text)
    except ValueError:
        return None
