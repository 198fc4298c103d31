"""What went into each node: outputs of other nodes, constants, and plain numbers.

Constants and numbers are no part of torch's own graph: they come from the calls that were heard.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

from autograd_tour.record.facts import Number as Plain
from autograd_tour.record.facts import TensorFacts
from autograd_tour.text import friendly_name
from autograd_tour.tracer.assemble.material import Material
from autograd_tour.tracer.assemble.readings import Reading, position
from autograd_tour.tracer.listen.calls import CallRecord
from autograd_tour.tracer.listen.calls import Operand as Heard
from autograd_tour.tracer.measure import plain

__all__ = ["Constant", "Input", "Number", "Operand", "Operands", "Other", "constant_at", "place_operands"]


class Input(NamedTuple):
    """What came along the edge of that slot of ``next_functions``."""

    slot: int


class Constant(NamedTuple):
    """The constant with that number; its ``slot`` is -1 if ``next_functions`` has no place for it."""

    number: int
    slot: int


class Number(NamedTuple):
    """A Python number."""

    value: complex | float | int


class Other(NamedTuple):
    """A tensor with a gradient of which the node takes no derivative; it has a name if it is a leaf."""

    name: str


Operand = Input | Constant | Number | Other


class Operands(NamedTuple):
    """The operands of one node.

    ``given``: those of the call in the program's order, if the call made this node alone, else
    ``None``. ``slots``: what is known to have come in at each slot of ``next_functions``.
    ``constants``: all of them, with a slot or without. ``numbers``: those that the program gave to the
    call whose result this node made.
    """

    given: tuple[Operand, ...] | None = None
    slots: tuple[Operand | None, ...] = ()
    constants: tuple[Constant, ...] = ()
    numbers: tuple[Plain, ...] = ()


def place_operands(material: Material, readings: Sequence[Reading]) -> list[Operands]:
    """The operands of every node."""
    given: dict[int, tuple[Operand, ...]] = {}
    constants: dict[int, list[Constant]] = {}
    numbers: dict[int, tuple[Plain, ...]] = {}
    members: dict[int, list[int]] = {}
    for i, call in enumerate(material.calls):
        if call is not None:
            members.setdefault(id(call), []).append(i)
    for indices in members.values():
        call = material.calls[indices[0]]
        assert call is not None
        last = indices[-1]
        if any(heard.is_number for heard in call.operands) and material.makes_result(last):
            numbers[last] = tuple(plain(heard.number) for heard in call.operands if heard.is_number)
        if len(indices) == 1 and call.made_one_node:
            given[indices[0]] = _align(material, readings, indices[0], call)
            continue
        for heard in call.operands:
            if heard.constant >= 0:
                home = _home(material, readings, constants, indices, heard)
                if home is not None:
                    constants.setdefault(home[0], []).append(Constant(heard.constant, home[1]))
    placed = [_operands(material, i, given.get(i), constants.get(i, ())) for i in range(len(material))]
    for i, items in numbers.items():
        placed[i] = placed[i]._replace(numbers=items)
    return placed


def _operands(
    material: Material, i: int, given: tuple[Operand, ...] | None, constants: Sequence[Constant]
) -> Operands:
    edges = _edges(tuple([j >= 0 for j, _ in material.skeleton.next[i]]))
    if given is None and not constants:
        return edges
    constants = tuple(constants) if given is None else tuple(x for x in given if isinstance(x, Constant))
    slots = list(edges.slots)
    for constant in constants:
        if constant.slot >= 0:
            slots[constant.slot] = constant
    stubs = [slot for slot, operand in enumerate(slots) if operand is None]
    others = [operand for operand in given or () if not isinstance(operand, (Input, Constant))]
    if len(stubs) == 1 and len(others) == 1 and not constants and _is_its_own_call(material, i):
        slots[stubs[0]] = others[0]  # a Python number: torch wrapped it as a tensor
    return Operands(given, tuple(slots), constants)


@cache
def _edges(present: tuple[bool, ...]) -> Operands:
    """Operands of which nothing was heard. A million nodes need only a few."""
    return Operands(None, tuple(Input(slot) if there else None for slot, there in enumerate(present)))


def _align(material: Material, readings: Sequence[Reading], i: int, call: CallRecord) -> tuple[Operand, ...]:
    """Operands of a call that made one node, in order, against the node's slots, in order.

    A keyword names its slot. A constant that the node saved under the name of an earlier slot is there:
    what was passed by, such as a size, had no slot.
    """
    inputs = material.skeleton.next[i]
    operands: list[Operand] = []
    slot = 0
    for heard in call.operands:
        if heard.differentiable:
            while slot < len(inputs) and inputs[slot][0] < 0:
                slot += 1
            operands.append(Input(slot) if slot < len(inputs) else Other(heard.name))
            slot += 1
            continue
        own = _own_slot(material, readings, i, heard, slot)
        if own is not None:
            operands.append(Constant(heard.constant, own))
            continue
        free = slot < len(inputs) and inputs[slot][0] < 0
        if heard.constant >= 0:
            operands.append(Constant(heard.constant, slot if free else -1))
        else:
            operands.append(Number(heard.number))
        slot += free
    return tuple(operands)


def _own_slot(
    material: Material, readings: Sequence[Reading], i: int, heard: Heard, before: int
) -> int | None:
    """The slot of a constant by its keyword, or one ``before`` the next by what the node saved."""
    if heard.constant < 0:
        return None
    keyword = heard.path[0] if heard.path else None
    slot = position(readings[i].arguments, keyword) if isinstance(keyword, str) else -1
    if 0 <= slot < len(material.skeleton.next[i]) and material.skeleton.next[i][slot][0] < 0:
        return slot
    saved = _saved_at(material, readings, i, heard)
    return saved if saved is not None and 0 <= saved < before else None


def _home(
    material: Material,
    readings: Sequence[Reading],
    constants: dict[int, list[Constant]],
    indices: Sequence[int],
    heard: Heard,
) -> tuple[int, int] | None:
    """The (node, slot) of a call that took a constant: the node that saved it, else the last.

    Of what a backward was given it is not known which of its nodes took it, unless one saved it. Otherwise
    the only free slot takes the only constant that nobody saved; among several there is no telling.
    """
    for i in indices:
        saved = _saved_at(material, readings, i, heard)
        if saved is not None:
            return i, saved
    call = material.calls[indices[0]]
    if call is not None and call.second_order:
        return None
    free = _free_slots(material, readings, constants, indices)
    others = [x for x in call.operands if not x.differentiable and x is not heard] if call is not None else []
    unsaved = [x for x in others if not any(_keeps(readings[i], x, material) for i in indices)]
    return free[0] if len(free) == 1 and not unsaved else (indices[-1], -1)


def _saved_at(material: Material, readings: Sequence[Reading], i: int, heard: Heard) -> int | None:
    """The slot of a constant that node ``i`` saved, -1 if it is at none; ``None`` if it was not saved."""
    facts, inputs = material.constant(heard.constant).facts, material.skeleton.next[i]
    for view in readings[i].saved:
        if view.tensor is not None and _same_place(view.tensor, heard.pointer, facts):
            slot = position(readings[i].arguments, view.name)
            return slot if 0 <= slot < len(inputs) and inputs[slot][0] < 0 else -1
    return None


def _free_slots(
    material: Material,
    readings: Sequence[Reading],
    constants: dict[int, list[Constant]],
    indices: Sequence[int],
) -> list[tuple[int, int]]:
    """The (node, slot) without a gradient edge, of which nothing was saved and no constant is known."""
    free = []
    for i in indices:
        taken = {constant.slot for constant in constants.get(i, ())}
        taken |= {position(readings[i].arguments, view.name) for view in readings[i].saved}
        free += [
            (i, slot) for slot, (j, _) in enumerate(material.skeleton.next[i]) if j < 0 and slot not in taken
        ]
    return free


def _keeps(reading: Reading, heard: Heard, material: Material) -> bool:
    """Whether a node saved this constant."""
    if heard.constant < 0:
        return False
    facts = material.constant(heard.constant).facts
    return any(
        view.tensor is not None and _same_place(view.tensor, heard.pointer, facts) for view in reading.saved
    )


def _is_its_own_call(material: Material, i: int) -> bool:
    """Whether the program called what the node is: a dropout's 0.5 is no factor of its product."""
    call = material.calls[i]
    return call is not None and friendly_name(material.skeleton.names[i]) in call.function


def constant_at(material: Material, operands: Operands, tensor: Tensor) -> int:
    """The constant among ``operands`` that lies where ``tensor`` lies, or -1."""
    if not _strided(tensor):
        return -1
    for number, _ in operands.constants:
        constant = material.constant(number).ref()
        alike = constant is not None and _strided(constant) and constant.shape == tensor.shape
        if alike and constant is not None and constant.data_ptr() == tensor.data_ptr():
            return number
    return -1


def _strided(tensor: Tensor) -> bool:
    """Whether a tensor has memory of its own to compare places with."""
    return tensor.layout == torch.strided and tensor.numel() > 0


def _same_place(tensor: Tensor, pointer: int, facts: TensorFacts) -> bool:
    try:
        return bool(pointer) and tensor.data_ptr() == pointer and tensor.numel() == facts.numel
    except RuntimeError:
        return False  # sparse, fake, functorch: there is no place
