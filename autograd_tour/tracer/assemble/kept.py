"""What each node keeps for its backward, as facts: where it came from and what is in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from msgspec.structs import replace

from autograd_tour.record.facts import TensorFacts
from autograd_tour.record.node import SavedState
from autograd_tour.tracer.assemble.material import Material
from autograd_tour.tracer.assemble.operands import Operands, constant_at
from autograd_tour.tracer.assemble.readings import Reading, origin, position
from autograd_tour.tracer.assemble.saved import SavedTensorView
from autograd_tour.tracer.assemble.values import Values
from autograd_tour.tracer.measure import measure_shape

__all__ = ["Kept", "measure_saved"]


_WORKSPACES = frozenset({("MkldnnRnnLayerBackward0", "result3"), ("CudnnRnnBackward0", "result4")})
"""(grad_fn, name) of memory that a library works in: its content differs from run to run and says nothing."""


class Kept(NamedTuple):
    """A saved tensor.

    It is output ``output`` of ``node``, or the constant with the number ``constant``; -1: unknown.
    """

    name: str
    facts: TensorFacts | None
    state: SavedState
    node: int = -1
    output: int = 0
    constant: int = -1


def measure_saved(
    material: Material, readings: Sequence[Reading], values: Values, operands: Sequence[Operands]
) -> list[Sequence[Kept]]:
    """The saved tensors of every node that this run needed."""
    return [
        [
            _measure(material, readings, values, operands[i], i, view)
            for view in reading.saved
            if view.state != "none" and not _is_unused(material.skeleton.names[i], view)
        ]
        if reading.saved
        else ()
        for i, reading in enumerate(readings)
    ]


def _is_unused(grad_fn: str, view: SavedTensorView) -> bool:
    """Whether it is the mean or deviation of a batch that was not looked at: a batch norm in evaluation."""
    statistics = "BatchNorm" in grad_fn and view.name in ("result1", "result2", "result3")
    return statistics and view.tensor is not None and view.tensor.numel() == 0


def _measure(
    material: Material,
    readings: Sequence[Reading],
    values: Values,
    operands: Operands,
    i: int,
    view: SavedTensorView,
) -> Kept:
    home = origin(material, readings, i, view)
    if view.tensor is not None and (material.skeleton.names[i], view.name) in _WORKSPACES:
        shape = measure_shape(view.tensor.shape, view.tensor.dtype, view.tensor.device)
        return Kept(view.name, replace(shape, requires_grad=False), view.state)
    facts = _facts(material, values, home, view)
    if home is not None:
        return Kept(view.name, facts, view.state, node=home[0], output=home[1])
    slot = position(readings[i].arguments, view.name)
    of = [constant.number for constant in operands.constants if constant.slot == slot >= 0]
    if not of and view.tensor is not None:
        of = [constant_at(material, operands, view.tensor)]
    return Kept(view.name, facts, view.state, constant=of[-1] if of else -1)


def _facts(
    material: Material, values: Values, home: tuple[int, int] | None, view: SavedTensorView
) -> TensorFacts | None:
    """Those of its maker if the tensor is unchanged, else measured."""
    if view.tensor is None:
        return None
    output_facts = values.of(*home) if home is not None and not view.tensor.is_inference() else None
    unchanged = (
        output_facts is not None and output_facts.has_values and output_facts.version == view.tensor._version
    )
    if unchanged and output_facts is not None and output_facts.shape == tuple(view.tensor.shape):
        return output_facts
    return material.recorder.measure(view.tensor)
