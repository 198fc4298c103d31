"""Which constants and numbers went into which slot of which node, and how labels name them."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from autograd_tour.record.facts import TensorFacts
from autograd_tour.text import friendly_name
from autograd_tour.tracer.assemble.drafts import Draft, Drafts, position, strided, take_result
from autograd_tour.tracer.assemble.naming import SourceTitle
from autograd_tour.tracer.listen.calls import CallRecord, Constant, Operand

__all__ = ["Operands"]


class Operands:
    """Places the constants of the forward pass; they are not part of torch's own graph."""

    def __init__(self, drafts: Drafts) -> None:
        self.drafts = drafts
        self.next = drafts.skeleton.next
        self._place_all()

    def constant(self, number: int) -> Constant:
        """The constant with that number."""
        assert self.drafts.record is not None
        return self.drafts.record.constants[number]

    def name_of(self, number: int) -> str:
        """How labels refer to it."""
        return self.title_of(number).name

    def title_of(self, number: int) -> SourceTitle:
        """Its name in the program, or its path if it is a module's buffer, or what it is there."""
        made = self.constant(number)
        name = made.name or self.drafts.leaf_names.get(id(made.ref()), "")
        if name:
            return SourceTitle(name, name)
        return self.drafts.titles.tensor(-1 - number, made.born, made.facts.shape)

    def _place_all(self) -> None:
        members: dict[int, list[int]] = {}
        for i, draft in enumerate(self.drafts.all):
            if draft.call is not None:
                members.setdefault(id(draft.call), []).append(i)
        for indices in members.values():
            call = self.drafts[indices[0]].call
            assert call is not None
            if len(indices) == 1 and self.drafts[indices[0]].alone:
                self._align(indices[0], call.operands)
                continue
            for operand in call.operands:
                if operand.constant >= 0:
                    i, slot = self._home(indices, operand)
                    self.drafts[i].constants += ((operand.constant, slot),)

    def _align(self, i: int, operands: Sequence[Operand]) -> None:
        """Operands of a call that made one node, in order, against the node's slots, in order."""
        draft, inputs = self.drafts[i], self.next[i]
        texts: list[str] = []
        slot = 0
        edges = [place for place in inputs if place[0] >= 0]
        given = [operand for operand in operands if operand.differentiable]
        for (j, k), operand in zip(edges, given, strict=False) if len(edges) == len(given) else ():
            made = operand.source
            if isinstance(made, CallRecord) and not made.one_node_made_all:
                # Of the nodes of that call, this use tells which made the result.
                take_result(self.drafts[j], k, made, operand.position)
        for operand in operands:
            if operand.differentiable:
                while slot < len(inputs) and inputs[slot][0] < 0:
                    slot += 1
                texts.append(f"\0{slot}" if slot < len(inputs) else operand.text)
                slot += 1
                continue
            free = slot < len(inputs) and inputs[slot][0] < 0
            if operand.constant >= 0:
                draft.constants += ((operand.constant, slot if free else -1),)
                texts.append(self.name_of(operand.constant))
            else:
                texts.append(operand.text)
            slot += free
        draft.texts = texts

    def _home(self, indices: Sequence[int], operand: Operand) -> tuple[int, int]:
        """The node of a composite call that took a constant: the one that saved it, else the last."""
        facts = self.constant(operand.constant).facts
        taken = {(i, slot) for i in indices for _, slot in self.drafts[i].constants}
        for i in indices:
            for view in self.drafts[i].views:
                if view.tensor is not None and _same_place(view.tensor, operand.pointer, facts):
                    slot = position(self.drafts[i].slot_names, view.name)
                    stub = 0 <= slot < len(self.next[i]) and self.next[i][slot][0] < 0
                    return i, slot if stub else -1
        for i in reversed(indices):
            for slot, (j, _) in enumerate(self.next[i]):
                if j < 0 and (i, slot) not in taken:
                    return i, slot
        return indices[-1], -1

    def slot_texts(self, i: int) -> tuple[str, ...]:
        """How labels refer to what came in at each slot; also completes the texts of the label."""
        draft, inputs = self.drafts[i], self.next[i]
        by_slot = {slot: self.name_of(number) for number, slot in draft.constants if slot >= 0}
        found = [
            self.drafts.expr(j, k) if j >= 0 else by_slot.get(slot, "") for slot, (j, k) in enumerate(inputs)
        ]
        if draft.texts is not None:
            marks = [int(text[1:]) if text.startswith("\0") else -1 for text in draft.texts]
            numbers = [text for text, mark in zip(draft.texts, marks, strict=True) if mark < 0]
            draft.texts = [
                found[mark] if mark >= 0 else text for text, mark in zip(draft.texts, marks, strict=True)
            ]
            stubs = [slot for slot, (j, _) in enumerate(inputs) if j < 0 and slot not in by_slot]
            told = len(stubs) == 1 and len(numbers) == 1 and not draft.constants
            if told and self._is_its_own_call(i):
                found[stubs[0]] = numbers[0]  # a Python number: torch wrapped it as a tensor
        return tuple(found)

    def _is_its_own_call(self, i: int) -> bool:
        """Whether the program called what the node is: a dropout's 0.5 is no factor of its product."""
        call = self.drafts[i].call
        return call is not None and friendly_name(self.drafts.skeleton.names[i]) in call.function

    def at(self, draft: Draft, tensor: Tensor) -> int:
        """The constant of ``draft`` that lies where ``tensor`` lies, or -1."""
        if not strided(tensor):
            return -1
        for number, _ in draft.constants:
            made = self.constant(number).ref()
            alike = made is not None and strided(made) and made.shape == tensor.shape
            if alike and made is not None and made.data_ptr() == tensor.data_ptr():
                return number
        return -1


def _same_place(tensor: Tensor, pointer: int, facts: TensorFacts) -> bool:
    try:
        return bool(pointer) and tensor.data_ptr() == pointer and tensor.numel() == facts.numel
    except RuntimeError:
        return False  # sparse, fake, functorch: there is no place
