"""What each node tells of itself: its saved tensors, its plain attributes, the names of its arguments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from autograd_tour.record.node import Attribute
from autograd_tour.rules import formulas
from autograd_tour.tracer.assemble.material import Material
from autograd_tour.tracer.assemble.saved import SavedTensorView, read_attributes, read_saved

__all__ = ["Reading", "origin", "position", "read_nodes"]

_RESULTS = frozenset(("result", "output", "result0", "out"))


class Reading(NamedTuple):
    """One node. ``arguments`` has torch's name for each entry of ``next_functions``, if they are known."""

    saved: Sequence[SavedTensorView] = ()
    attributes: tuple[tuple[str, Attribute], ...] = ()
    arguments: tuple[str, ...] = ()


_NOTHING = Reading()


def read_nodes(material: Material) -> list[Reading]:
    """A reading of every node; an empty one for leaves, and for all if the graph is large."""
    skeleton = material.skeleton
    if not material.thorough:
        return [_NOTHING] * len(skeleton)
    return [
        _NOTHING
        if name == "AccumulateGrad"
        else Reading(read_saved(fn), read_attributes(fn), formulas.argument_names(name, len(inputs)))
        for fn, name, inputs in zip(skeleton.fns, skeleton.names, skeleton.next, strict=True)
    ]


def origin(
    material: Material, readings: Sequence[Reading], i: int, view: SavedTensorView
) -> tuple[int, int] | None:
    """(node, output) that a saved tensor came from, by the derivative formulas' argument names.

    What a custom Function saved has no such name, but it still knows its own node.
    """
    if view.tensor is not None and hasattr(material.skeleton.fns[i], "_forward_cls"):
        return _maker(material, i, view)
    slot = position(readings[i].arguments, view.name)
    if slot < 0:  # the backward of tanh's backward has an argument that is called `output`
        return (i, 0) if view.name in _RESULTS else None
    inputs = material.skeleton.next[i]
    if slot >= len(inputs):
        return None
    j, k = inputs[slot]
    return (j, k) if j >= 0 else None


def _maker(material: Material, i: int, view: SavedTensorView) -> tuple[int, int] | None:
    tensor, fns = view.tensor, material.skeleton.fns
    assert tensor is not None
    for j, k in material.skeleton.next[i]:
        if j >= 0 and material.is_leaf(j) and fns[j].variable is tensor:
            return j, 0
        if j >= 0 and tensor.grad_fn is fns[j] and tensor.output_nr == k:
            return j, k
    return (i, tensor.output_nr) if tensor.grad_fn is fns[i] else None


def position(names: Sequence[str], name: str) -> int:
    """The place of ``name`` in ``names``, or -1."""
    return names.index(name) if name in names else -1
