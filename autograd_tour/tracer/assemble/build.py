"""Drafts -> the nodes and edges of a Graph."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from msgspec.structs import replace

from autograd_tour.record.graph import Edge, Node, Saved
from autograd_tour.rules import formulas
from autograd_tour.rules.labels import describe
from autograd_tour.text import friendly_name
from autograd_tour.tracer.assemble.drafts import Draft, Drafts, outline, position, unnamed
from autograd_tour.tracer.assemble.naming import SourceTitle, place_of_backward
from autograd_tour.tracer.assemble.operands import Operands
from autograd_tour.tracer.assemble.saved import SavedTensorView
from autograd_tour.tracer.assemble.walk import Skeleton
from autograd_tour.tracer.listen.calls import CallRecord
from autograd_tour.tracer.listen.forward import ForwardRecord
from autograd_tour.tracer.measure import Recorder, measure

__all__ = ["Builder"]

Shape = tuple[int, ...]


class Builder:
    """Builds the structure of one Graph: ``nodes``, ``edges``, and the ``ids`` of the skeleton's nodes."""

    def __init__(
        self,
        skeleton: Skeleton,
        record: ForwardRecord | None,
        recorder: Recorder,
        leaf_names: Mapping[int, str],
        calls: Sequence[CallRecord | None],
    ) -> None:
        self.skeleton = skeleton
        self.record = record
        self.drafts = Drafts(skeleton, record, recorder, leaf_names, calls)
        self.ids: list[str] = [""] * len(skeleton)
        self.nodes: list[Node] = []
        self.edges: list[Edge] = []
        self._leaf_ids: dict[int, str] = {}
        self._constant_ids: dict[int, str] = {}

    def build(self, *, last: bool) -> None:
        """Fill ``nodes`` and ``edges``, inputs before what uses them.

        ``last``: nothing follows that needs the skeleton's ``next``, which may be used up.
        """
        if not self.drafts.all:
            self._add_bare(last)
            return
        self.operands = Operands(self.drafts)
        self.drafts.complete_values()
        for i in range(len(self.skeleton)):
            if self.drafts.is_leaf(i):
                self._add_leaf(i)
            else:
                self._add_operation(i)

    def mark_hooked(self, places: set[tuple[int, int]]) -> None:
        """Mark the gradient edges to these (node, output): a hook changed what was sent there."""
        if not places:
            return
        changed = {(self.ids[i], k) for i, k in places}
        for n, edge in enumerate(self.edges):
            if edge.kind == "gradient" and (edge.dst, edge.slot[1]) in changed:
                self.edges[n] = replace(edge, marks=(*edge.marks, "hooked"))

    def _new_id(self) -> str:
        return f"n{len(self.nodes)}"

    # ---- nodes ----------------------------------------------------------------------------

    def _add_leaf(self, i: int) -> None:
        draft = self.drafts[i]
        name = draft.names[0]
        group = name.rpartition(".")[0]
        title = SourceTitle(name, name) if name else self.drafts.leaf_title(self.skeleton.fns[i].variable)
        leaf_id = self._leaf_ids[i] = self._new_id()
        values, names = tuple(draft.values), (name,)
        self.nodes.append(
            Node(
                leaf_id,
                "leaf",
                title.op,
                title.name,
                values=values,
                names=names,
                group=group,
                expression=title.expression,
                brief=title.brief,
            )
        )
        self.ids[i] = self._new_id()
        self.nodes.append(
            Node(self.ids[i], "accumulate", "accumulate", grad_fn="AccumulateGrad", group=group)
        )
        self.edges.append(Edge(leaf_id, self.ids[i], "forward"))
        self.edges.append(Edge(self.ids[i], leaf_id, "gradient"))

    def _add_bare(self, last: bool) -> None:
        """All nodes where nothing but the structure is read: there may be a million of them."""
        skeleton, ids, leaf_ids = self.skeleton, self.ids, self._leaf_ids
        results, nodes, connect = self.drafts.results, self.nodes, self.edges.append
        kinds: dict[tuple[type, str, int], tuple[str, tuple[str, ...], tuple[str, ...]]] = {}
        for i, (fn, name, inputs) in enumerate(zip(skeleton.fns, skeleton.names, skeleton.next, strict=True)):
            if name == "AccumulateGrad":
                self._add_leaf(i)
                continue
            result = results.get(i) if results else None
            if result is None:
                values = outline(fn)
                names, expr = unnamed(len(values)), ""
            else:
                values, names = result.values, result.names
                expr = next(filter(None, names), "")
            kind = type(fn), name, len(inputs)
            if kind not in kinds:
                kinds[kind] = friendly_name(name), _formulas(name, len(inputs)), _notes(fn, name)
            op, formula, notes = kinds[kind]
            node_id = ids[i] = f"n{len(nodes)}"
            nodes.append(
                Node(
                    node_id,
                    "operation",
                    op,
                    expr,
                    name,
                    slots=len(inputs),
                    values=values,
                    names=names,
                    formula=formula,
                    notes=notes,
                )
            )
            for slot, (j, k) in enumerate(inputs):
                if j >= 0:
                    connect(Edge(leaf_ids.get(j) or ids[j], node_id, "forward", _slot(k, slot)))
            for slot, (j, k) in enumerate(inputs):
                if j >= 0:
                    connect(Edge(node_id, ids[j], "gradient", _slot(slot, k)))
            if last:
                skeleton.next[i] = ()  # the edges take its place in memory

    def _add_operation(self, i: int) -> None:
        draft, name, inputs = self.drafts[i], self.skeleton.names[i], self.skeleton.next[i]
        for constant, _ in draft.constants:
            self._add_constant(constant)
        operands = self.operands.slot_texts(i)
        title = self._title(i, name, operands)
        draft.expr = next((text for text in draft.names if text), "") or title.name
        call = draft.call
        node_id = self.ids[i] = self._new_id()
        self.nodes.append(
            Node(
                node_id,
                "operation",
                title.op,
                draft.expr,
                name,
                call=call.function if call is not None else "",
                slots=len(inputs),
                values=draft.values,
                names=draft.names,
                formula=_formulas(name, len(inputs)),
                where=self._line(call.site.spot) if call is not None else None,
                inner=self._line(call.site.inner) if call is not None else None,
                expression=title.expression,
                brief=title.brief,
                group=self._group(call),
                attributes=tuple(draft.attributes.items()),
                saved=tuple(self._saved(i)) if draft.views else (),
                notes=_notes(self.skeleton.fns[i], name),
            )
        )
        self._add_edges(i, node_id, operands)

    def _group(self, call: CallRecord | None) -> str:
        return self.record.modules.path(call.group) if call is not None and self.record is not None else ""

    def _line(self, spot: int) -> int | None:
        return self.record.sites.spots.line(spot) if self.record is not None else None

    def _title(self, i: int, name: str, operands: Sequence[str]) -> SourceTitle:
        draft, function = self.drafts[i], getattr(self.skeleton.fns[i], "_forward_cls", None)
        custom = function.__name__.removesuffix("Backward") if function is not None else ""

        def without_source() -> tuple[str, str]:
            heard = draft.call.function if draft.call is not None and draft.alone else ""
            texts = draft.texts if draft.texts is not None else operands
            return (custom, "") if custom else describe(name, heard, texts, draft.attributes)

        step = custom or friendly_name(name)
        on_view = name == "CopySlices"
        return self.drafts.titles.operation(draft.call, step, draft.makes_result, on_view, without_source)

    def _add_constant(self, constant: int) -> None:
        if constant in self._constant_ids:
            return
        made, title = self.operands.constant(constant), self.operands.title_of(constant)
        name = made.name or self.drafts.leaf_names.get(id(made.ref()), "")
        notes: tuple[str, ...] = ()
        if made.cut_from is not None:
            function, call, leaf = made.cut_from
            source = self.drafts.leaf_names.get(id(leaf), "") if leaf is not None else ""
            source = source or next(iter(call.names if call else ()), "")
            notes = (f"cut: {function} of {source}" if source else f"cut: {function}",)
        node_id = self._constant_ids[constant] = self._new_id()
        values, names = (made.facts,), (name,)
        self.nodes.append(
            Node(
                node_id,
                "constant",
                title.op,
                title.name,
                values=values,
                names=names,
                notes=notes,
                expression=title.expression,
                brief=title.brief,
            )
        )

    # ---- edges ----------------------------------------------------------------------------

    def _add_edges(self, i: int, node_id: str, operands: Sequence[str]) -> None:
        draft, inputs = self.drafts[i], self.skeleton.next[i]
        for slot, (j, k) in enumerate(inputs):
            if j >= 0:
                source = self._leaf_ids.get(j) or self.ids[j]
                self.edges.append(Edge(source, node_id, "forward", _slot(k, slot)))
        for constant, slot in draft.constants:
            self.edges.append(Edge(self._constant_ids[constant], node_id, "forward", _slot(0, slot)))
        if not self.drafts.thorough:
            for slot, (j, k) in enumerate(inputs):
                if j >= 0:
                    self.edges.append(Edge(node_id, self.ids[j], "gradient", _slot(slot, k)))
            return
        shapes = tuple(facts.shape if (facts := self.drafts.facts(j, k)) else None for j, k in inputs)
        dtypes = tuple(facts.dtype if (facts := self.drafts.facts(j, k)) else "" for j, k in inputs)
        output = draft.values[0].shape if draft.values and draft.values[0] is not None else None
        known = {**draft.attributes, **_saved_texts(draft.views)}
        result = draft.expr
        seen = formulas.Operands(tuple(operands), result, known, shapes, output, dtypes)
        for slot, (j, k) in enumerate(inputs):
            if j >= 0:
                rule, marks = _rule(self.skeleton.names[i], slot, seen)
                self.edges.append(Edge(node_id, self.ids[j], "gradient", _slot(slot, k), rule, marks))

    # ---- saved tensors --------------------------------------------------------------------

    def _saved(self, i: int) -> list[Saved]:
        draft = self.drafts[i]
        by_slot = {slot: self._constant_ids[number] for number, slot in draft.constants if slot >= 0}
        result: list[Saved] = []
        for view in draft.views:
            if view.state == "none":
                continue
            origin = self.drafts.origin(i, view)
            if origin is not None:
                of = self._leaf_ids.get(origin[0], self.ids[origin[0]])
            else:
                of = by_slot.get(position(draft.slot_names, view.name), "") or self._constant_at(draft, view)
            result.append(Saved(view.name, self.drafts.saved_facts(i, view), of, view.state))
        return result

    def _constant_at(self, draft: Draft, view: SavedTensorView) -> str:
        number = self.operands.at(draft, view.tensor) if view.tensor is not None else -1
        return self._constant_ids[number] if number >= 0 else ""


@cache
def _slot(a: int, b: int) -> tuple[int, int]:
    """One tuple for all edges with these slots: a million edges need only a few."""
    return a, b


@cache
def _formulas(name: str, slots: int) -> tuple[str, ...]:
    return formulas.formulas(name, slots)


def _rule(name: str, slot: int, operands: formulas.Operands) -> tuple[str, tuple[str, ...]]:
    """What happens to the gradient on its way to ``slot``, in words and as marks."""
    rule = formulas.rule(name, slot, operands).replace("ᵀᵀ", "")
    marks: tuple[str, ...] = ("routed",) if name in formulas.ROUTED else ()
    # A bias that a fused product adds (slot 0 of addmm) is broadcast like any other sum.
    broadcast = name in formulas.POINTWISE or rule == "× 1"
    summed = _summed(operands.input_shapes[slot], operands.output_shape) if broadcast else 0
    if summed:
        rule = f"Σ over {summed}" if rule in ("", "× 1") else f"{rule}, Σ over {summed}"
        marks = (*marks, "broadcast")
    return rule, marks


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


def _notes(fn: Any, name: str) -> tuple[str, ...]:
    notes: list[str] = []
    if name in formulas.FUSED:
        notes.append(formulas.FUSED[name])
    if name.startswith("CompiledFunction"):
        notes.append("opaque: torch.compile keeps what happens inside to itself")
    elif hasattr(fn, "_forward_cls"):
        notes.append("custom Function")
        if place := place_of_backward(fn._forward_cls):
            notes.append(f"its backward() is at {place}")
    if name == "CopySlices":
        notes.append("in place on a view: the real node is hidden inside")
    return tuple(notes)
