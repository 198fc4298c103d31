"""Rules of indexing, scattering, sorting and pooling: the gradient goes where an index says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from autograd_tour.record.rule import Expression, apply
from autograd_tour.rules.definition import Definition, G, by_slot
from autograd_tour.rules.node import NodeView

__all__ = ["ROUTING"]


def _dim(node: NodeView, slot: int = 0) -> int | None:
    dim, shape = node.integer("dim"), node.shape(slot)
    if dim is None or shape is None:
        return None
    return dim % len(shape) if shape else 0


def _added(index: str, kind: str) -> Any:
    """Added up at the indices that the program gave; ``kind`` says how they are read."""

    def rule(node: NodeView, slot: int) -> Expression | None:
        shape = node.shape(0)
        if slot != 0 or shape is None:
            return None
        where = node.kept(index, "the indices")
        return apply("added_at", G, where, shape=shape, dim=_dim(node), kind=kind, where="the indices")

    return rule


def _written(index: str, kind: str) -> Any:
    """Where something else was written, nothing comes back to the old values, and all of it to the new."""

    def rule(node: NodeView, slot: int) -> Expression | None:
        if slot > 1 or node.shape(0) is None:
            return None
        where = node.kept(index, "the indices")
        function = "zero_at" if slot == 0 else "taken_at"
        shape, outer = node.operand(slot).shape, node.output_shape or ()
        # A value may stand at many places; how many the indices are is not known here.
        copied = shape is not None and (len(shape) < len(outer) or 1 in shape)
        copied = copied and slot == 1 and kind == "lists"
        at = "the indices, Σ where it was broadcast" if copied else "the indices"
        return apply(function, G, where, dim=_dim(node), kind=kind, where=at, shape=shape)

    return rule


def _index_put(node: NodeView, slot: int) -> Expression | None:
    if slot == 0 and node.flag("accumulate"):
        return G
    return _written("indices", "lists")(node, slot)  # type: ignore[no-any-return]


def _scatter_add(node: NodeView, slot: int) -> Expression | None:
    return G if slot == 0 else _written("index", "gather")(node, slot)


def _chosen(index: str, destination: str) -> Any:
    """Handed to the elements that were chosen, whose places the node keeps."""

    def rule(node: NodeView, slot: int) -> Expression | None:
        shape = node.shape(0)
        if slot != 0 or shape is None:
            return None
        where, dim = node.kept(index, "the places"), _dim(node)
        if index not in node.saved or dim is None:
            return None
        kept = node.output_shape is not None and len(node.output_shape) == len(shape)
        return apply(
            "placed_at", G, where, shape=shape, dim=dim, dims=() if kept else (dim,), where=destination
        )

    return rule


def _extreme(destination: str) -> Any:
    """Shared by all elements that are equal to the extreme: what ``max()`` without a dimension does."""

    def rule(node: NodeView, _: int) -> Expression | None:
        shape, dims = node.shape(0), node.integers("dim")
        if shape is None:
            return None
        every = tuple(range(len(shape)))
        places = tuple(sorted({dim % len(shape) for dim in dims})) if dims and shape else every
        kept = node.output_shape is not None and len(node.output_shape) == len(shape)
        return apply(
            "shared_by_equals",
            G,
            node.input(0),
            node.result(),
            shape=shape,
            dims=places,
            reduced=() if kept else places,
            where=destination,
        )

    return rule


def _pooled(node: NodeView, slot: int) -> Expression | None:
    shape = node.shape(0)
    index = next((name for name in ("result1", "indices") if name in node.saved), "")
    if slot != 0 or shape is None or not index:
        return None
    rank = 3 if "3D" in node.grad_fn else 2
    return apply(
        "windows_placed",
        G,
        node.kept(index, "the places"),
        shape=shape,
        flat=rank,
        where="to each window's maximum",
    )


def _rows_text(node: NodeView) -> str:
    """Which rows get something, and how much of it."""
    skipped = node.integer("padding_idx")
    except_one = f", not to row {skipped}" if skipped is not None and skipped >= 0 else ""
    shared = ", ÷ how often each is" if node.flag("scale_grad_by_freq") else ""
    return f"added to the rows used{shared}{except_one}"


def _embedding(node: NodeView, slot: int) -> Expression | None:
    shape = node.shape(0)
    if slot != 0 or shape is None:
        return None
    return apply(
        "rows_added",
        G,
        node.kept("indices", "the indices"),
        shape=shape,
        padding_idx=node.integer("padding_idx"),
        scale=bool(node.flag("scale_grad_by_freq")),
        where=_rows_text(node),
    )


def _filled(node: NodeView, slot: int) -> Expression | None:
    mask = node.kept("mask", "filled")
    if slot == 0:
        return G * apply("where", apply("not", mask), 1, 0)
    return apply("sum", G * apply("where", mask, 1, 0), dims=tuple(range(len(node.output_shape or ()))))


def _selected(node: NodeView, slot: int) -> Expression | None:
    shape = node.shape(0)
    if slot != 0 or shape is None:
        return None
    return apply("placed_at_mask", G, node.kept("mask", "the mask"), shape=shape)


def _sorted(node: NodeView, slot: int) -> Expression | None:
    return _chosen("indices", "back to the old order")(node, slot)  # type: ignore[no-any-return]


def _cumulative(destination: str) -> Any:
    def rule(node: NodeView, slot: int) -> Expression | None:
        shape, dim = node.shape(0), _dim(node)
        if slot != 0 or shape is None or dim is None or "indices" not in node.saved:
            return None
        return apply(
            "placed_at",
            G,
            node.kept("indices", "the places"),
            shape=shape,
            dim=dim,
            dims=(),
            where=destination,
        )

    return rule


def _routed(rule: Any) -> Definition:
    return by_slot(rule, routed=True)


ROUTING: Mapping[str, Definition] = {
    "IndexBackward0": _routed(_added("indices", "lists")),
    "IndexSelectBackward0": _routed(_added("index", "rows")),
    "GatherBackward0": _routed(_added("index", "gather")),
    "TakeBackward0": _routed(_added("index", "flat")),
    "EmbeddingBackward0": _routed(_embedding),
    "MaskedSelectBackward0": _routed(_selected),
    "MaskedFillBackward1": _routed(_filled),
    "ScatterBackward0": _routed(_written("index", "gather")),
    "ScatterBackward1": _routed(_written("index", "gather")),
    "ScatterAddBackward0": _routed(_scatter_add),
    "IndexPutBackward0": _routed(_index_put),
    "IndexCopyBackward0": _routed(_written("index", "rows")),
    "IndexFillBackward0": _routed(_written("index", "rows")),
    "MaxBackward0": _routed(_chosen("indices", "routed to the maximum")),
    "MaxBackward1": _routed(_extreme("to the maximum, shared on ties")),
    "MinBackward0": _routed(_chosen("indices", "routed to the minimum")),
    "MinBackward1": _routed(_extreme("to the minimum, shared on ties")),
    "AmaxBackward0": _routed(_extreme("to the maximum, shared on ties")),
    "AminBackward0": _routed(_extreme("to the minimum, shared on ties")),
    "MedianBackward0": _routed(_extreme("to the median, shared on ties")),
    "MedianBackward1": _routed(_chosen("indices", "routed to the median")),
    "NanmedianBackward0": _routed(_extreme("to the median, shared on ties")),
    "NanmedianBackward1": _routed(_chosen("indices", "routed to the median")),
    "KthvalueBackward0": _routed(_chosen("indices", "routed to the k-th smallest")),
    "ModeBackward0": _routed(_chosen("indices", "routed to the mode")),
    "TopkBackward0": _routed(_chosen("indices", "routed to the k that were taken")),
    "SortBackward0": _routed(_sorted),
    "SortBackward1": _routed(_sorted),
    "CummaxBackward0": _routed(_cumulative("added at the maxima")),
    "CumminBackward0": _routed(_cumulative("added at the minima")),
    **dict.fromkeys(
        (
            "MaxPool2DWithIndicesBackward0",
            "MaxPool3DWithIndicesBackward0",
            "AdaptiveMaxPool2DBackward0",
            "AdaptiveMaxPool3DBackward0",
            "FractionalMaxPool2DBackward0",
            "FractionalMaxPool3DBackward0",
        ),
        _routed(_pooled),
    ),
}
"""The rules of operations that pick elements by an index or by their values, by the name of the grad_fn."""
