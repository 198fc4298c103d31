"""Skeleton + what forward said -> the nodes and edges of a Graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from autograd_tour.facts import TensorFacts
from autograd_tour.graph import Edge, Node, Saved
from autograd_tour.tracer import formulas
from autograd_tour.tracer.forward import CallRecord, ForwardRecord, Operand
from autograd_tour.tracer.labels import describe
from autograd_tour.tracer.measure import measure, measure_shape
from autograd_tour.tracer.saved import SavedTensorView, read_attributes, read_saved
from autograd_tour.tracer.walk import Skeleton

__all__ = ["Builder"]

Operands = formulas.Operands


@dataclass
class _Draft:
    """What is gathered about one grad_fn before it becomes a Node."""

    call: CallRecord | None = None
    alone: bool = False  # the only node its call made
    values: list[TensorFacts | None] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    views: list[SavedTensorView] = field(default_factory=list)
    attributes: dict[str, str] = field(default_factory=dict)
    slot_names: tuple[str, ...] = ()
    constants: list[tuple[int, int]] = field(default_factory=list)  # (constant, slot)
    texts: list[str] | None = None
    expr: str = ""


class Builder:
    """Builds the structure of one Graph. ``leaf_name`` finds the name of a leaf tensor."""

    def __init__(
        self, skeleton: Skeleton, record: ForwardRecord | None, keep: int | None, leaf_names: Mapping[int, str]
    ) -> None:
        self.skeleton = skeleton
        self.record = record
        self.keep = keep
        self.leaf_names = leaf_names
        self.drafts = [self._draft(i) for i in range(len(skeleton))]
        self.ids: list[str] = [""] * len(skeleton)
        self.leaf_ids: dict[int, str] = {}
        self.nodes: list[Node] = []
        self.edges: list[Edge] = []
        self._constant_ids: dict[int, str] = {}

    # ---- gathering ------------------------------------------------------------------------

    def _draft(self, i: int) -> _Draft:
        fn = self.skeleton.fns[i]
        draft = _Draft()
        if self.skeleton.names[i] == "AccumulateGrad":
            leaf = fn.variable
            draft.values = [measure(leaf, self.keep)]
            draft.expr = self.leaf_names.get(id(leaf), "")
            draft.names = [draft.expr]
            return draft
        draft.values = [_from_metadata(item) for item in fn._input_metadata]
        draft.names = [""] * len(draft.values)
        draft.views = read_saved(fn)
        draft.attributes = dict(read_attributes(fn))
        draft.slot_names = formulas.argument_names(self.skeleton.names[i], len(self.skeleton.next[i]))
        call = self.record.maker(fn._sequence_nr()) if self.record is not None else None
        if call is not None:
            draft.call = call
            draft.alone = call.stop - call.start == 1
            if fn._sequence_nr() == call.stop - 1:
                self._take_outputs(draft, call)
        return draft

    def _take_outputs(self, draft: _Draft, call: CallRecord) -> None:
        """The last node of a call made its results; shapes must agree before that is believed."""
        for k, facts in enumerate(call.outputs):
            if k < len(draft.values) and (known := draft.values[k]) is not None and known.shape == facts.shape:
                draft.values[k] = facts
                if k < len(call.names):
                    draft.names[k] = call.names[k]

    def take_output(self, i: int, k: int, tensor: Tensor, name: str = "") -> None:
        """The program returned ``tensor`` as output ``k`` of node ``i``."""
        draft = self.drafts[i]
        if self.skeleton.names[i] != "AccumulateGrad" and k < len(draft.values):
            known = draft.values[k]
            if known is None or not known.has_values:
                draft.values[k] = measure(tensor, self.keep)
            draft.names[k] = draft.names[k] or name

    # ---- building -------------------------------------------------------------------------

    def build(self) -> None:
        """Fill ``nodes`` and ``edges``, inputs before what uses them."""
        self._assign_constants()
        for i in range(len(self.skeleton)):
            self._values_from_saved(i)
            if self.skeleton.names[i] == "TBackward0":
                self._value_of_transpose(i)
        for i in range(len(self.skeleton)):
            if self.skeleton.names[i] == "AccumulateGrad":
                self._add_leaf(i)
            else:
                self._add_operation(i)

    def _new_id(self) -> str:
        return f"n{len(self.nodes)}"

    def _add_leaf(self, i: int) -> None:
        draft = self.drafts[i]
        leaf_id = self.leaf_ids[i] = self._new_id()
        name = draft.expr
        group = name.rpartition(".")[0]
        self.nodes.append(
            Node(leaf_id, "leaf", op=name or "leaf", expr=name, values=(draft.values[0],), names=(name,), group=group)
        )
        self.ids[i] = self._new_id()
        self.nodes.append(Node(self.ids[i], "accumulate", op="accumulate", grad_fn="AccumulateGrad", group=group))
        self.edges.append(Edge(leaf_id, self.ids[i], "forward"))
        self.edges.append(Edge(self.ids[i], leaf_id, "gradient"))

    def _add_operation(self, i: int) -> None:
        draft, name, inputs = self.drafts[i], self.skeleton.names[i], self.skeleton.next[i]
        for constant, _ in draft.constants:
            self._add_constant(constant)
        operands = self._slot_texts(i)
        function = draft.call.function if draft.call is not None and draft.alone else ""
        texts = draft.texts if draft.texts is not None else list(operands)
        op, expr = describe(name, function, texts, draft.attributes)
        fn = self.skeleton.fns[i]
        if hasattr(fn, "_forward_cls"):
            op, expr = fn._forward_cls.__name__.removesuffix("Backward"), ""
        named = next((text for text in draft.names if text), "")
        draft.expr = named or expr
        node_id = self.ids[i] = self._new_id()
        call = draft.call
        self.nodes.append(
            Node(
                node_id,
                "operation",
                op=op,
                expr=draft.expr,
                grad_fn=name,
                call=call.function if call is not None else "",
                slots=len(inputs),
                values=tuple(draft.values),
                names=tuple(draft.names),
                formula=formulas.formulas(name, len(inputs)),
                where=call.where if call is not None else None,
                group=self.record.group_path(call.group) if call is not None and self.record is not None else "",
                attributes=tuple(draft.attributes.items()),
                saved=tuple(self._saved(i)),
                notes=_notes(fn, name),
            )
        )
        for slot, (j, k) in enumerate(inputs):
            if j >= 0:
                self.edges.append(Edge(self.leaf_ids.get(j, self.ids[j]), node_id, "forward", (k, slot)))
        for constant, slot in draft.constants:
            self.edges.append(Edge(self._constant_ids[constant], node_id, "forward", (0, slot)))
        for slot, (j, k) in enumerate(inputs):
            if j >= 0:
                rule, marks = self._rule(i, slot, operands)
                self.edges.append(Edge(node_id, self.ids[j], "gradient", (slot, k), rule, marks))

    def _add_constant(self, constant: int) -> None:
        assert self.record is not None
        if constant in self._constant_ids:
            return
        made = self.record.constants[constant]
        node_id = self._constant_ids[constant] = self._new_id()
        notes: tuple[str, ...] = ()
        if made.cut_from is not None:
            function, call, leaf = made.cut_from
            source = self.leaf_names.get(id(leaf), "") if leaf is not None else next(iter(call.names if call else ()), "")
            notes = (f"cut: {function} of {source}" if source else f"cut: {function}",)
        name = made.name or self.leaf_names.get(id(made.ref()), "")
        self.nodes.append(
            Node(node_id, "constant", op=name or "constant", expr=name, values=(made.facts,), names=(name,), notes=notes)
        )

    # ---- operands -------------------------------------------------------------------------

    def _assign_constants(self) -> None:
        """Which node, and which of its slots, used each constant of a call."""
        members: dict[int, list[int]] = {}
        for i, draft in enumerate(self.drafts):
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
                    self.drafts[i].constants.append((operand.constant, slot))

    def _align(self, i: int, operands: Sequence[Operand]) -> None:
        """Operands of a call that made one node, in order, against the node's slots, in order."""
        draft, inputs = self.drafts[i], self.skeleton.next[i]
        texts: list[str] = []
        slot = 0
        for operand in operands:
            if operand.differentiable:
                while slot < len(inputs) and inputs[slot][0] < 0:
                    slot += 1
                texts.append(f"\0{slot}" if slot < len(inputs) else operand.text)
                slot += 1
            elif operand.constant >= 0:
                free = slot < len(inputs) and inputs[slot][0] < 0
                draft.constants.append((operand.constant, slot if free else -1))
                slot += free
                texts.append(self._constant_name(operand.constant))
            else:
                texts.append(operand.text)
                slot += slot < len(inputs) and inputs[slot][0] < 0
        draft.texts = texts

    def _home(self, indices: Sequence[int], operand: Operand) -> tuple[int, int]:
        """The node of a composite call that took a constant: the one that saved it, else the last."""
        facts = self._facts_of(operand.constant)
        taken = {(i, slot) for i in indices for _, slot in self.drafts[i].constants}
        for i in indices:
            for view in self.drafts[i].views:
                if view.tensor is not None and operand.pointer and _same_place(view.tensor, operand.pointer, facts):
                    slot = _index(self.drafts[i].slot_names, view.name)
                    stub = 0 <= slot < len(self.skeleton.next[i]) and self.skeleton.next[i][slot][0] < 0
                    return i, slot if stub else -1
        for i in reversed(indices):
            for slot, (j, _) in enumerate(self.skeleton.next[i]):
                if j < 0 and (i, slot) not in taken:
                    return i, slot
        return indices[-1], -1

    def _facts_of(self, constant: int) -> TensorFacts:
        assert self.record is not None
        return self.record.constants[constant].facts

    def _constant_name(self, constant: int) -> str:
        assert self.record is not None
        made = self.record.constants[constant]
        return made.name or self.leaf_names.get(id(made.ref()), "")

    def _slot_texts(self, i: int) -> tuple[str, ...]:
        """How labels refer to what came in at each slot; also completes the texts of the label."""
        draft, inputs = self.drafts[i], self.skeleton.next[i]
        by_slot = {slot: self._constant_name(c) for c, slot in draft.constants if slot >= 0}
        found = [self._expr(j, k) if j >= 0 else by_slot.get(slot, "") for slot, (j, k) in enumerate(inputs)]
        if draft.texts is not None:
            marked = [int(text[1:]) if text.startswith("\0") else -1 for text in draft.texts]
            scalars = [text for text, mark in zip(draft.texts, marked, strict=True) if mark < 0]
            draft.texts = [
                found[m] if m >= 0 else text for text, m in zip(draft.texts, marked, strict=True)
            ]
            stubs = [s for s, (j, _) in enumerate(inputs) if j < 0 and s not in by_slot]
            if len(stubs) == 1 and len(scalars) == 1 and not draft.constants:
                found[stubs[0]] = scalars[0]  # a Python number: torch wrapped it as a tensor
        return tuple(found)

    def _expr(self, j: int, k: int) -> str:
        draft = self.drafts[j]
        if len(draft.names) > 1:
            return draft.names[k] if k < len(draft.names) else ""
        return draft.expr

    # ---- saved tensors --------------------------------------------------------------------

    def _values_from_saved(self, i: int) -> None:
        """A consumer that saved its input knows the value that composite calls did not show."""
        draft = self.drafts[i]
        for view in draft.views:
            if view.tensor is None:
                continue
            home = self._origin(i, view.name)
            if home is None:
                continue
            values, k = self.drafts[home[0]].values, home[1]
            known = values[k] if k < len(values) else None
            if known is not None and not known.has_values and known.shape == tuple(view.tensor.shape):
                values[k] = measure(view.tensor, self.keep)

    def _value_of_transpose(self, i: int) -> None:
        """``linear`` turns its weight around inside: the leaf is at hand, so the value is known."""
        (j, _), *_ = self.skeleton.next[i]
        values = self.drafts[i].values
        if j >= 0 and self.skeleton.names[j] == "AccumulateGrad" and values[0] is not None and not values[0].first:
            turned = self.skeleton.fns[j].variable.detach().t()
            if tuple(turned.shape) == values[0].shape:
                values[0] = measure(turned, self.keep)

    def _origin(self, i: int, name: str) -> tuple[int, int] | None:
        """(node, output) that a saved field came from, by the derivative formulas' argument names."""
        if name in ("result", "output", "result0", "out"):
            return i, 0
        slot = _index(self.drafts[i].slot_names, name)
        if slot < 0 or slot >= len(self.skeleton.next[i]):
            return None
        j, k = self.skeleton.next[i][slot]
        return (j, k) if j >= 0 else None

    def _saved(self, i: int) -> list[Saved]:
        draft = self.drafts[i]
        result: list[Saved] = []
        constants = {slot: self._constant_ids[c] for c, slot in draft.constants if slot >= 0}
        for view in draft.views:
            if view.state == "none":
                continue
            origin = self._origin(i, view.name)
            slot = _index(draft.slot_names, view.name)
            of = constants.get(slot, "")
            facts = self._known_facts(origin, view.tensor)
            if origin is not None:
                of = self.leaf_ids.get(origin[0], self.ids[origin[0]])
            elif not of and view.tensor is not None:
                of = self._constant_at(draft, view.tensor)
            if facts is None and view.tensor is not None:
                facts = measure(view.tensor, self.keep)
            result.append(Saved(view.name, facts, of, view.state))
        return result

    def _known_facts(self, origin: tuple[int, int] | None, tensor: Tensor | None) -> TensorFacts | None:
        if origin is None or tensor is None or tensor.is_inference():
            return None
        values = self.drafts[origin[0]].values
        facts = values[origin[1]] if origin[1] < len(values) else None
        fits = facts is not None and facts.has_values and facts.shape == tuple(tensor.shape)
        return facts if fits and facts is not None and facts.version == tensor._version else None

    def _constant_at(self, draft: _Draft, tensor: Tensor) -> str:
        for constant, _ in draft.constants:
            made = self.record.constants[constant].ref() if self.record is not None else None
            if made is not None and made.layout == torch.strided == tensor.layout and made.numel():
                if made.data_ptr() == tensor.data_ptr() and made.shape == tensor.shape:
                    return self._constant_ids[constant]
        return ""

    # ---- rules ----------------------------------------------------------------------------

    def _rule(self, i: int, slot: int, operands: Sequence[str]) -> tuple[str, tuple[str, ...]]:
        draft, name, inputs = self.drafts[i], self.skeleton.names[i], self.skeleton.next[i]
        shapes = tuple(self._shape(j, k) if j >= 0 else None for j, k in inputs)
        out = draft.values[0].shape if draft.values and draft.values[0] is not None else None
        result = next((text for text in draft.names if text), "")
        known = draft.attributes | _saved_texts(draft.views)
        rule = formulas.rule(
            name, slot, Operands(tuple(operands), result, known, shapes, out, tuple(self._dtype(j, k) for j, k in inputs))
        )
        marks: tuple[str, ...] = ("routed",) if name in formulas.ROUTED else ()
        # A bias that a fused product adds (slot 0 of addmm) is broadcast like any other sum.
        rule = rule.replace("ᵀᵀ", "")
        summed = _summed(shapes[slot], out) if name in formulas.POINTWISE or rule == "× 1" else 0
        if summed:
            rule = f"Σ over {summed}" if rule in ("", "× 1") else f"{rule}, Σ over {summed}"
            marks = (*marks, "broadcast")
        return rule, marks

    def _dtype(self, j: int, k: int) -> str:
        values = self.drafts[j].values if j >= 0 else []
        facts = values[k] if 0 <= k < len(values) else None
        return facts.dtype if facts is not None else ""

    def _shape(self, j: int, k: int) -> tuple[int, ...] | None:
        values = self.drafts[j].values
        facts = values[k] if k < len(values) else None
        return facts.shape if facts is not None else None


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


def _from_metadata(item: Any) -> TensorFacts | None:
    try:
        if item.is_nested_tensor:
            return TensorFacts((), str(item.dtype).removeprefix("torch."), str(item.device), "nested", True)
        return measure_shape(item.shape, item.dtype, item.device)
    except (RuntimeError, AttributeError, TypeError):
        return None


def _same_place(tensor: Tensor, pointer: int, facts: TensorFacts) -> bool:
    try:
        return tensor.data_ptr() == pointer and tensor.numel() == facts.numel
    except RuntimeError:
        return False


def _index(names: Sequence[str], name: str) -> int:
    return names.index(name) if name in names else -1


def _summed(inner: tuple[int, ...] | None, outer: tuple[int, ...] | None) -> int:
    """Over how many elements the backward of a broadcast sums; 0 if nothing was broadcast."""
    if inner is None or outer is None or inner == outer:
        return 0
    small, large = 1, 1
    for extent in inner:
        small *= extent
    for extent in outer:
        large *= extent
    return large // small if small and large > small else 0


def _notes(fn: Any, name: str) -> tuple[str, ...]:
    notes: list[str] = []
    if name in formulas.FUSED:
        notes.append(formulas.FUSED[name])
    if name.startswith("CompiledFunction"):
        notes.append("opaque: torch.compile keeps what happens inside to itself")
    elif hasattr(fn, "_forward_cls"):
        notes.append("custom Function")
    if name == "CopySlices":
        notes.append("in place on a view: the real node is hidden inside")
    return tuple(notes)
