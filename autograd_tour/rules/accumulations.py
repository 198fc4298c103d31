"""Rules of running products and sums, distances between rows, and rarer ways to write at an index."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from autograd_tour.record.rule import Expression, Rule, Symbol, Words, apply
from autograd_tour.rules.definition import Definition, G, X, by_slot, define
from autograd_tour.rules.elementwise import ZERO, exp, over
from autograd_tour.rules.node import NodeView
from autograd_tour.rules.normalisation import mean
from autograd_tour.rules.structure import places, some_of, spread

__all__ = ["ACCUMULATIONS"]


def _dim(node: NodeView, name: str = "dim") -> int | None:
    dim, shape = node.integer(name), node.shape(0)
    if dim is None or shape is None:
        return None
    return dim % len(shape) if shape else 0


# ---- running products, sums and reductions -----------------------------------------------------


def _cumprod(node: NodeView, _: int) -> Expression | None:
    """Each later product without the element itself: division by it would fail at 0."""
    dim = _dim(node)
    return None if dim is None else apply("later_products", G, node.input(0), dim=dim)


def _logcumsumexp(node: NodeView, _: int) -> Expression | None:
    dim = _dim(node)
    return None if dim is None else exp(X) * apply("cumulative_from_end", G * exp(-node.result()), dim=dim)


def _prod(node: NodeView, _: int) -> Expression | None:
    dims = places(node)
    if dims is None:
        return None
    others = apply("product_of_others", node.input(0), dims=dims, along=some_of(node, dims))
    return spread(node, G, dims) * others


def _with_mean(root: bool) -> Any:
    """The gradients of a variance, or its root, and of the mean beside it."""

    def rule(node: NodeView, _: int) -> Expression | None:
        dims, shape, correction = places(node), node.shape(0), node.number("correction")
        if dims is None or shape is None:
            return None
        count = math.prod(shape[dim] for dim in dims)
        left = count - (1 if correction is None else correction)
        if left <= 0:
            return None
        x, first = node.input(0), spread(node, G, dims)
        centre = mean(x, dims=dims, groups=0, along=some_of(node, dims))
        deviation, second = x - centre, spread(node, Symbol("gradient", 1), dims)
        if not root:
            return first * (2 * deviation / left) + second / count
        y = spread(node, node.result(otherwise="std"), dims)
        return first * over(deviation, left * y) + second / count

    return rule


def _bags(node: NodeView, _: int) -> Words:
    shared = ", ÷ how often each is" if node.flag("scale_grad_by_freq") else ""
    skipped = node.integer("padding_idx")
    besides = f", not to row {skipped}" if skipped is not None and skipped >= 0 else ""
    return Words(f"added to the rows used{shared}{besides}, as the bags were reduced")


def _aminmax(node: NodeView, _: int) -> Expression | None:
    """To the minimum and to the maximum, each shared by equal ones."""
    shape, dim = node.shape(0), _dim(node)
    if shape is None:
        return None
    dims = (dim,) if dim is not None and shape else tuple(range(len(shape)))
    kept = node.output_shape is not None and len(node.output_shape) == len(shape)
    low, high = (
        apply(
            "shared_by_equals",
            Symbol("gradient", slot),
            node.input(0),
            node.result(slot),
            shape=shape,
            dims=dims,
            reduced=() if kept else dims,
            where=f"to the {extreme}, shared on ties",
        )
        for slot, extreme in enumerate(("minimum", "maximum"))
    )
    if 1 in node.unused:
        return low
    return high if 0 in node.unused else low + high


# ---- distances ---------------------------------------------------------------------------------


def _pairs(node: NodeView, slot: int) -> Rule | None:
    """Each row is pulled along its difference to every row of the other side."""
    order = 2.0 if node.grad_fn.startswith("Euclidean") else node.number("p")
    if slot > 1 or order is None:
        return None
    if order not in (1, 2):
        return ZERO if order == 0 else Words(f"Σ over the pairs, by the {order:g}-norm of their difference")
    function = "pairs_pulled" if order == 2 else "pairs_signed"
    sides = node.input(slot), node.input(1 - slot)
    if order == 2:
        return apply(function, G, *sides, node.result(), turned=slot == 1)
    return apply(function, G, *sides, turned=slot == 1)


def _row_pairs(node: NodeView, _: int) -> Rule | None:
    order = node.number("p")
    if order is None:
        return None
    if order == 0:
        return ZERO
    by = "along" if order == 2 else f"by the {order:g}-norm of"
    return Words(f"Σ over the pairs of rows, {by} their difference")


def _renormed(node: NodeView, _: int) -> Words | None:
    """Slices along a dimension whose norm is over the limit are scaled down to it."""
    order = node.number("p")
    if order is None:
        return None
    part = "the part along the slice" if order == 2 else f"a part by the slope of its {order:g}-norm"
    return Words(f"slices over the limit: scaled, less {part}; others × 1")


# ---- written at an index -----------------------------------------------------------------------


def _reduced(index: str, kind: str) -> Any:
    """``scatter_reduce`` and ``index_reduce``: a sum has a formula, the others look at what they met."""

    def rule(node: NodeView, slot: int) -> Rule | None:
        how, dim = node.text("reduce"), _dim(node)
        if slot > 1 or dim is None:
            return None
        where = node.kept(index, "the indices")
        options: dict[str, Any] = {
            "dim": dim,
            "kind": kind,
            "where": "the indices",
            "shape": node.operand(slot).shape,
        }
        if how == "sum":
            if slot == 1:
                return apply("taken_at", G, where, **options)
            return G if node.flag("include_self") else apply("zero_at", G, where, **options)
        if how not in _REDUCED:
            return None
        if node.flag("include_self"):
            return Words(_REDUCED[how][slot])
        if slot == 0:
            return apply("zero_at", G, where, **options)
        # Torch counts what was left out among the equal ones.
        return Words(_REDUCED[how][slot] + (", what was left out counts" if how in ("amax", "amin") else ""))

    return rule


_REDUCED: Mapping[str, tuple[str, str]] = {
    "mean": ("÷ the number that met there", "taken at the indices, ÷ the number that met there"),
    "prod": (
        "× the product of the others that met there",
        "taken at the indices, × the product of the others",
    ),
    "amax": ("to the maximum of those that met, shared on ties",) * 2,
    "amin": ("to the minimum of those that met, shared on ties",) * 2,
}


def _index_add(node: NodeView, slot: int) -> Expression | None:
    if slot == 0:
        return G
    dim, alpha = _dim(node), node.number("alpha")
    if slot > 1 or dim is None or alpha is None:
        return None
    shape = node.operand(1).shape
    return apply(
        "taken_at",
        G * alpha,
        node.kept("index", "the indices"),
        dim=dim,
        kind="rows",
        where="the indices",
        shape=shape,
    )


def _put(node: NodeView, slot: int) -> Expression | None:
    if slot == 0 and node.flag("accumulate"):
        return G
    function = ("zero_at", "taken_at")[slot] if slot < 2 else None
    where, shape = node.kept("index", "the indices"), node.operand(slot).shape
    return (
        None
        if function is None
        else apply(function, G, where, dim=0, kind="flat", where="the indices", shape=shape)
    )


def _masked_scatter(node: NodeView, slot: int) -> Expression | None:
    mask = node.kept("mask", "the mask")
    if slot == 0:
        return G * apply("where", apply("not", mask), 1, 0)
    shape = node.operand(1).shape
    return None if slot > 1 or shape is None else apply("taken_at_mask", G, mask, shape=shape)


def _index_fill(node: NodeView, slot: int) -> Expression | None:
    dim, where = _dim(node), node.kept("index", "the indices")
    if slot > 1 or dim is None:
        return None
    if slot == 1:
        return apply("summed_at", G, where, dim=dim)
    return apply("zero_at", G, where, dim=dim, kind="rows", where="the indices", shape=node.shape(0))


_REPLACED = Words("× 1 outside the view written to; inside, as the operation on the view says")

ACCUMULATIONS: Mapping[str, Definition] = {
    "CumprodBackward0": by_slot(_cumprod, holomorphic=True),
    "LogcumsumexpBackward0": by_slot(_logcumsumexp, holomorphic=True),
    "ProdBackward1": by_slot(_prod, holomorphic=True),
    "VarMeanBackward0": by_slot(_with_mean(root=False), any_numbers=True),
    "StdMeanBackward0": by_slot(_with_mean(root=True), any_numbers=True),
    "AminmaxBackward0": by_slot(_aminmax, routed=True),
    "CdistBackward0": by_slot(_pairs),
    "EuclideanDistBackward0": by_slot(_pairs),
    "PdistBackward0": by_slot(_row_pairs),
    "RenormBackward0": by_slot(_renormed),
    "ScatterReduceBackward0": by_slot(_reduced("index", "gather"), routed=True),
    "IndexReduceBackward0": by_slot(_reduced("index", "rows"), routed=True),
    "IndexAddBackward0": by_slot(_index_add),
    "PutBackward0": by_slot(_put, routed=True),
    "MaskedScatterBackward0": by_slot(_masked_scatter, routed=True),
    "IndexFillBackward1": by_slot(_index_fill, routed=True),
    "UnsafeMaskedIndexBackward0": define(Words("added at the indices, where the mask holds"), routed=True),
    "UnsafeMaskedIndexPutAccumulateBackward0": define(
        G, Words("taken at the indices, 0 where the mask does not hold"), routed=True
    ),
    "SegmentReduceBackward0": define(Words("over each segment, as its reduction says")),
    "CopySlices": define(_REPLACED, Words("the part in the view, as the operation on the view says")),
    # fused layers, and what works on stored elements only
    "EmbeddingBagBackward0": define(_bags, Words("{g} · the row used"), routed=True),
    "CtcLossBackward0": define(Words("by how likely each label is at each step, over all alignments")),
    "CtcLossBackward1": define(Words("by how likely each label is at each step, over all alignments")),
    **dict.fromkeys(
        ("MkldnnRnnLayerBackward0", "CudnnRnnBackward0", "MiopenRnnBackward0", "LstmMpsBackward0"),
        by_slot(lambda _node, _slot: Words("through all steps of the layer, from the last to the first")),
    ),
    **{
        name: by_slot(lambda _node, _slot: Words("through the gates of the cell"))
        for name in ("ThnnFusedLstmCellBackward0", "ThnnFusedGruCellBackward0")
    },
    "SparseMmReduceImplBackward0": define(
        Words("at the stored elements: the row of {g} · the row of the other, as reduced"),
        Words("the sparse matrix, transposed, @ {g}, as reduced"),
    ),
    **dict.fromkeys(("ToSparseBackward0", "ToSparseBackward1"), define(Words("back to the dense layout"))),
}
"""These rules, by the name of the grad_fn."""
