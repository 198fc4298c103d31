"""Rules of normalisations, softmax, variance and norms: each looks at a whole row at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from autograd_tour.record.rule import Expression, Rule, Symbol, Words, apply
from autograd_tour.rules.definition import B, C, G, X, by_slot, define
from autograd_tour.rules.elementwise import exp, over
from autograd_tour.rules.node import NodeView, Shape
from autograd_tour.rules.structure import places, some_of, spread

__all__ = ["NORMALISATION", "U", "let"]

U = Symbol("saved", 0, "u")
"""What :func:`let` gives a name to."""


def let(value: Expression, body: Expression, symbol: Symbol = U) -> Expression:
    """``body``, in which ``symbol`` stands for ``value``."""
    return apply("let", value, body, name=symbol.name)


def mean(x: Expression, **options: Any) -> Expression:
    return apply("mean", x, **options)


# ---- normalisations: x̂ = (x − mean)/√(var + ε), then scaled and shifted ---------------------------------


def _normalisation(dims: Callable[[NodeView], Shape | None], centred: bool = True) -> Any:
    """The whole rule, mean and spread being functions of the input too: nothing is left out.

    With u = g·w it is (u − mean(u) − x̂·mean(u·x̂))/√(var + ε);
    see Ioffe and Szegedy, arXiv:1502.03167, section 3.
    """

    def rule(node: NodeView, slot: int) -> Expression | None:
        shape, over = node.shape(0), dims(node)
        if shape is None or over is None:
            return None
        groups = node.integer("group") or 0
        options: dict[str, Any] = {"dims": over, "groups": groups}
        measured = options | {"eps": node.number("eps"), "centred": centred}
        row = apply("normalised", node.input(0), **measured)
        rest = tuple(dim for dim in range(len(shape)) if dim not in over) if "Batch" in node.grad_fn else None
        beside = rest if rest is not None else (1,) if groups else over
        summed = {"shape": tuple(shape[dim] for dim in beside), "kept": beside}
        if slot == 1:
            return apply("sum_but", G * row, **summed)
        if slot == 2:
            return apply("sum_but", G, **summed)
        weighted = len(node.inputs) > 1 and (node.operand(1).shape is not None or "weight" in node.saved)
        u = U if weighted else G
        left = u - mean(u, **options) if centred else u
        body = (left - row * mean(u * row, **options)) / apply("deviation", node.input(0), **measured)
        if not weighted:
            return body
        weight = node.input(1) if node.operand(1).name else node.kept("weight", "weight")
        return let(G * apply("beside", weight, dims=beside, rank=len(shape)), body)

    return rule


def _layer(node: NodeView) -> Shape | None:
    shape, normalised = node.shape(0), node.integers("normalized_shape")
    if shape is None or not normalised:
        return None
    return tuple(range(len(shape) - len(normalised), len(shape)))


def _batch(node: NodeView) -> Shape | None:
    shape = node.shape(0)
    return None if shape is None else tuple(dim for dim in range(len(shape)) if dim != 1)


def _group(node: NodeView) -> Shape | None:
    shape = node.shape(0)
    return None if shape is None else tuple(range(1, len(shape)))


_in_training = _normalisation(_batch)


def _batch_norm(node: NodeView, slot: int) -> Expression | None:
    if node.flag("training") is not False:
        return _in_training(node, slot)  # type: ignore[no-any-return]
    shape, eps = node.shape(0), node.number("eps")
    if shape is None or eps is None:
        return None

    def beside(x: Expression) -> Expression:
        return apply("beside", x, dims=(1,), rank=len(shape))

    variance = beside(node.kept("running_var", "running_var"))
    scale = apply("sqrt", variance + eps)
    others = {"shape": (shape[1],), "kept": (1,)}
    if slot == 0:
        weighted = node.operand(1).shape is not None or "weight" in node.saved
        weight = node.input(1) if node.operand(1).name else node.kept("weight", "weight")
        return G * (beside(weight) / scale) if weighted else G / scale
    if slot == 1:
        shifted = node.input(0) - beside(node.kept("running_mean", "running_mean"))
        return apply("sum_but", G * (shifted / scale), **others)
    return apply("sum_but", G, **others)


# ---- softmax and its relatives ---------------------------------------------------------------


def _dims(node: NodeView) -> Shape | None:
    dim, shape = node.integer("dim"), node.shape(0)
    if dim is None or shape is None:
        return None
    return (dim % len(shape),) if shape else ()


def _rows(node: NodeView, dims: Shape) -> dict[str, Any]:
    """How each row is reduced to one number, and which dimension that is, if there are others."""
    return {"dims": dims, "keepdim": True, "along": some_of(node, dims)}


def _softmax(node: NodeView, _: int) -> Expression | None:
    dims = _dims(node)
    y = node.result()
    return None if dims is None else y * (G - apply("sum", y * G, **_rows(node, dims)))


def _log_softmax(node: NodeView, _: int) -> Expression | None:
    dims = _dims(node)
    return None if dims is None else G - exp(node.result()) * apply("sum", G, **_rows(node, dims))


def _logsumexp(node: NodeView, _: int) -> Expression | None:
    dims = places(node)
    if dims is None:
        return None
    return spread(node, G, dims) * apply("softmax", node.input(0), dims=dims, along=some_of(node, dims))


# ---- variance and norms ----------------------------------------------------------------------


def _deviations(node: NodeView) -> tuple[Expression, float] | None:
    dims, shape, correction = places(node), node.shape(0), node.number("correction")
    if dims is None or shape is None:
        return None
    left = math.prod(shape[dim] for dim in dims) - (1 if correction is None else correction)
    x = node.input(0)
    return x - mean(x, dims=dims, groups=0, along=some_of(node, dims)), left


def _var(node: NodeView, _: int) -> Expression | None:
    parts, dims = _deviations(node), places(node)
    if parts is None or dims is None or parts[1] <= 0:
        return None
    return spread(node, G, dims) * (2 * parts[0] / parts[1])


def _std(node: NodeView, _: int) -> Expression | None:
    parts, dims = _deviations(node), places(node)
    if parts is None or dims is None or parts[1] <= 0:
        return None
    y = spread(node, node.result(), dims)
    return spread(node, G, dims) * over(parts[0], y if parts[1] == 1 else parts[1] * y)


_NOTHING = Words("not handed on: a count has no slope")
"""Of the norm 0, which counts what is not 0, torch sends no gradient at all."""


def _norm(node: NodeView, _: int) -> Rule | Expression | None:
    order = node.number("ord")
    order = node.number("p") if order is None else order
    dims = places(node)
    if order == 0 or dims is None:
        return _NOTHING if order == 0 else None
    x, g, y = node.input(0), spread(node, G, dims), spread(node, node.result(), dims)
    return g * _of_norm(x, y, 2 if order is None else order, dims)


def _of_norm(x: Expression, y: Expression, order: float, dims: Shape) -> Expression:
    """The derivative of the norm ``y`` of ``x``. At its kinks, at 0, torch sends 0."""
    size, sign = apply("abs", x), apply("sign", x)
    if order == 1:
        return sign
    if order == 2:
        return over(x, y)
    if math.isinf(order):
        equal = apply("where", apply("equal", size, y), 1, 0)
        return sign * (equal / apply("sum", equal, dims=dims, keepdim=True))
    if order < 1:
        return sign * over(y, size) ** (1 - order)
    return sign * over(size, y) ** (order - 1)


def _dist(node: NodeView, slot: int) -> Rule | Expression | None:
    """The norm of a difference, whose two sides may have been broadcast."""
    order, shapes = node.number("p"), [operand.shape for operand in node.inputs[:2]]
    if order == 0 and slot < 2:
        return _NOTHING
    if slot > 1 or len(shapes) < 2 or order is None or shapes[0] is None or shapes[1] is None:
        return None
    rank = max(map(len, shapes))  # type: ignore[arg-type]
    shape, y = tuple(map(max, *(_filled(side, rank) for side in shapes))), node.result()  # type: ignore[arg-type]
    x = node.input(slot) - node.input(1 - slot)
    form = G * _of_norm(x, apply("expand", y, shape=shape), order, tuple(range(rank)))
    count = math.prod(shape) // max(math.prod(shapes[slot] or ()), 1)
    return form if shape == shapes[slot] else apply("sum_to", form, shape=shapes[slot], count=count)


def _filled(shape: Shape, rank: int) -> Shape:
    return (1,) * (rank - len(shape)) + shape


def _softmax_of(node: NodeView, _: int) -> Expression | None:
    dims, powers = _dims(node), exp(node.input(0))
    return None if dims is None else powers / apply("sum", powers, **_rows(node, dims))


def _log_softmax_of(node: NodeView, _: int) -> Expression | None:
    dims, x = _dims(node), node.input(0)
    return None if dims is None else x - apply("logsumexp", x, **_rows(node, dims))


def _scaled(dims: Callable[[NodeView], Shape | None], centred: bool = True) -> Any:
    """What a normalisation computes: x̂·w + b, as far as there are w and b, and what x̂ is."""

    def write(node: NodeView, _: int) -> Expression | None:
        shape, over = node.shape(0), dims(node)
        if shape is None or over is None:
            return None
        if "weight" in node.saved and node.operand(1).shape is None:
            return None  # a weight made inside of the call: whether there is a shift too is not known
        groups = node.integer("group") or 0
        if "Batch" in node.grad_fn and node.flag("training") is False:
            return _evaluated(node, len(shape))
        options: dict[str, Any] = {"dims": over, "groups": groups}
        x = node.input(0)
        spread_out = apply("deviation", x, **options, eps=node.number("eps"), centred=centred)
        normalised = (x - mean(x, **options) if centred else x) / spread_out
        name = (x.alias or x.name) if isinstance(x, Symbol) else ""
        hat = Symbol("saved", 0, f"{name}\N{COMBINING CIRCUMFLEX ACCENT}" if len(name) == 1 else "x̂")
        row: Expression = hat
        beside = (1,) if groups or "Batch" in node.grad_fn else over
        for slot, symbol in ((1, B), (2, C)):
            if len(node.inputs) > slot and node.operand(slot).shape is not None:
                given = apply("beside", symbol, dims=beside, rank=len(shape))
                row = row * given if slot == 1 else row + given
        return let(normalised, row, hat) if row is not hat else normalised

    return write


def _evaluated(node: NodeView, rank: int) -> Expression | None:
    """Batch norm in evaluation: with the running statistics."""
    eps = node.number("eps")
    if eps is None:
        return None

    def beside(x: Expression) -> Expression:
        return apply("beside", x, dims=(1,), rank=rank)

    variance = beside(node.kept("running_var", "running_var"))
    centre = beside(node.kept("running_mean", "running_mean"))
    row = (node.input(0) - centre) / apply("sqrt", variance + eps)
    row = row * beside(B) if node.operand(1).shape is not None else row
    return row + beside(C) if node.operand(2).shape is not None else row


NORMALISATION: Mapping[str, Any] = {
    "NativeLayerNormBackward0": by_slot(_normalisation(_layer), fused=_scaled(_layer)),
    "FusedRmsNormBackward0": by_slot(
        _normalisation(_layer, centred=False), fused=_scaled(_layer, centred=False)
    ),
    "NativeGroupNormBackward0": by_slot(_normalisation(_group), fused=_scaled(_group)),
    **dict.fromkeys(
        (
            "NativeBatchNormBackward0",
            "NativeBatchNormLegitBackward0",
            "NativeBatchNormLegitBackward1",
            "BatchNormWithUpdateBackward0",
            "CudnnBatchNormBackward0",
            "MiopenBatchNormBackward0",
        ),
        by_slot(_batch_norm, fused=_scaled(_batch)),
    ),
    "SoftmaxBackward0": by_slot(_softmax, fused=_softmax_of, holomorphic=True),
    "SafeSoftmaxBackward0": by_slot(_softmax, holomorphic=True),
    "LogSoftmaxBackward0": by_slot(_log_softmax, fused=_log_softmax_of, holomorphic=True),
    "LogsumexpBackward0": by_slot(_logsumexp, holomorphic=True),
    "VarBackward0": by_slot(_var, any_numbers=True),
    "StdBackward0": by_slot(_std, any_numbers=True),
    "LinalgVectorNormBackward0": by_slot(_norm, any_numbers=True),
    **dict.fromkeys((f"NormBackward{number}" for number in range(4)), by_slot(_norm, any_numbers=True)),
    "DistBackward0": by_slot(_dist, any_numbers=True),
    "ProdBackward0": define(G * apply("product_of_others", X), holomorphic=True),
}
"""The rules of what looks at whole rows, by the name of the grad_fn."""
