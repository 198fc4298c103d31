"""What nodes compute that reduce, move, pick or normalise elements; see :mod:`.forward`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from autograd_tour.record.rule import Constant, Expression, Symbol, apply
from autograd_tour.rules.definition import A, Source
from autograd_tour.rules.node import NodeView, Shape
from autograd_tour.rules.structure import places

__all__ = ["PARTS_FORWARD", "reduced"]


def reduced(elements: Expression, reduction: int | None) -> Expression | None:
    """What a loss makes of its elements: all of them, their mean or their sum."""
    match reduction:
        case 0:
            return elements
        case 1:
            return apply("mean", elements)
        case 2:
            return apply("sum", elements)
    return None


def _into_output(node: NodeView, value: Expression) -> Expression | None:
    shape = node.output_shape
    return None if shape is None or min(shape, default=0) < 0 else apply("reshape", value, shape=shape)


def _reduction(word: str, name: str = "dim") -> Any:
    """Over the dimensions that the node names, all of them if it names none."""

    def write(node: NodeView, _: int) -> Expression | None:
        dims = places(node, name)
        if dims is None:
            return None
        return _into_output(node, apply(word, A, dims=dims))

    return write


def _mean(node: NodeView, _: int) -> Expression | None:
    dims, shape = places(node), node.shape(0)
    if dims is None or shape is None:
        return None
    count = math.prod(shape[dim] for dim in dims)
    return _into_output(node, apply("sum", A, dims=dims) / Constant(float(count)))


def _whole(word: str) -> Any:
    return lambda *_: apply(word, A)


def reshaped(node: NodeView, _: int) -> Expression | None:
    """The same elements in another shape."""
    return _into_output(node, A)


def _copied(node: NodeView, _: int) -> Expression | None:
    """In half precision other numbers come out: not here."""
    kinds = {operand.dtype for operand in (*node.inputs, *node.outputs)}
    return A if kinds <= {"float32", "float64"} else None


def _expanded(node: NodeView, _: int) -> Expression | None:
    return None if node.output_shape is None else apply("expand", A, shape=node.output_shape, dims=())


def _tiled(node: NodeView, _: int) -> Expression | None:
    repeats = node.integers("repeats")
    return None if repeats is None else apply("tiled", A, repeats=repeats)


def _dim(node: NodeView, name: str = "dim", *, extra: int = 0) -> int | None:
    dim, shape = node.integer(name), node.shape(0)
    if dim is None or shape is None:
        return None
    return dim % (len(shape) + extra) if shape or extra else 0


def _swapped(node: NodeView, _: int) -> Expression | None:
    first, second = _dim(node, "dim0"), _dim(node, "dim1")
    if first is None or second is None:
        return None
    return A if first == second else apply("swap_dims", A, dims=(first, second))


def _turned(node: NodeView, _: int) -> Expression | None:
    shape = node.shape(0)
    return None if shape is None else A if len(shape) < 2 else apply("transpose", A)


def _permuted(node: NodeView, _: int) -> Expression | None:
    dims = node.integers("dims")
    return None if dims is None else apply("permute", A, dims=tuple(dim % len(dims) for dim in dims))


def _flipped(node: NodeView, _: int) -> Expression | None:
    dims, shape = node.integers("dims"), node.shape(0)
    return None if dims is None or not shape else apply("flip", A, dims=tuple(d % len(shape) for d in dims))


def _element(node: NodeView, _: int) -> Expression | None:
    dim, index = _dim(node), node.integer("index")
    return (
        None if dim is None or index is None else apply("slice", A, dim=dim, index=index, inside=str(index))
    )


def _unbound(node: NodeView, output: int) -> Expression | None:
    dim = _dim(node)
    return None if dim is None else apply("slice", A, dim=dim, index=output, inside=str(output))


def _part(start: int, end: int | None, step: int, dim: int) -> Expression:
    return apply("slice", A, dim=dim, start=start, end=end, step=step, inside=f"{start}:{end}:{step}")


def _sliced(node: NodeView, _: int) -> Expression | None:
    dim, shape = _dim(node), node.shape(0)
    if dim is None or not shape:
        return None
    start, end, step = node.integer("start"), node.integer("end"), node.integer("step")
    return _part(start or 0, None if end is None or end >= shape[dim] else end, step or 1, dim)


def _split(node: NodeView, output: int) -> Expression | None:
    dim = _dim(node)
    sizes = [operand.shape[dim] for operand in node.outputs if operand.shape and dim is not None]
    if dim is None or len(sizes) != len(node.outputs):
        return None
    start = sum(sizes[:output])
    return _part(start, start + sizes[output], 1, dim)


def _together(word: str, *, extra: int) -> Any:
    def write(node: NodeView, _: int) -> Expression | None:
        dim = _dim(node, extra=extra)
        shapes = {len(operand.shape) for operand in node.inputs if operand.shape is not None}
        if dim is None or len(shapes) != 1 or any(operand.shape is None for operand in node.inputs):
            return None
        return apply(word, *map(node.input, range(len(node.inputs))), dim=dim)

    return write


def _triangle(word: str) -> Any:
    return lambda node, _: apply(word, A, diagonal=node.integer("diagonal") or 0)


def _cumulated(node: NodeView, _: int) -> Expression | None:
    dim = _dim(node)
    return None if dim is None else apply("cumsum", A, dim=dim)


# ---- places chosen by an index ------------------------------------------------------------------


def _picked(index: str, kind: str) -> Any:
    def write(node: NodeView, _: int) -> Expression | None:
        if node.output_shape is None:
            return None
        dim = None if kind in {"lists", "flat"} else _dim(node)
        taken = apply("element_at", A, node.kept(index), dim=dim, kind=kind)
        return taken if kind == "lists" else _into_output(node, taken)

    return write


def _looked_up(node: NodeView, _: int) -> Expression | None:
    return _into_output(node, apply("element_at", A, node.kept("indices"), dim=0, kind="rows"))


def _unfilled(node: NodeView, _: int) -> Expression | None:
    """What is not filled, and the number that fills the rest, which the node does not keep."""
    value = node.number("value")
    return None if value is None else apply("where", node.kept("mask"), value, A)


# ---- rows ---------------------------------------------------------------------------------------


def _row(node: NodeView) -> Shape | None:
    dim, shape = _dim(node), node.shape(0)
    return None if dim is None else (dim,) if shape else ()


def _softmax(node: NodeView, _: int) -> Expression | None:
    dims = _row(node)
    return None if dims is None else apply("softmax", A, dims=dims)


def _log_softmax(node: NodeView, _: int) -> Expression | None:
    dims = _row(node)
    return None if dims is None else A - apply("logsumexp", A, dims=dims, keepdim=True)


def _logsumexp(node: NodeView, _: int) -> Expression | None:
    dims = places(node)
    return None if dims is None else _into_output(node, apply("logsumexp", A, dims=dims))


def _spread(root: bool) -> Any:
    def write(node: NodeView, _: int) -> Expression | None:
        dims, shape = places(node), node.shape(0)
        correction = node.number("correction")
        if dims is None or shape is None:
            return None
        correction = 1.0 if correction is None else correction
        variance = apply("variance", A, dims=dims, correction=correction)
        return _into_output(node, apply("sqrt", variance) if root else variance)

    return write


def _norm(node: NodeView, _: int) -> Expression | None:
    dims = places(node)
    if dims is None or node.number("ord") != 2:
        return None
    return _into_output(node, apply("sqrt", apply("sum", A**2, dims=dims)))


def _negative_likelihood(node: NodeView, _: int) -> Expression | None:
    """Of each row the element at its target, weighed; a mean divides by the weights of what was counted."""
    reduction, target = node.integer("reduction"), node.kept("target")
    ignored, total = node.integer("ignore_index"), node.number("total_weight")
    weight: Expression = node.kept("weight") if "weight" in node.saved else Constant(1.0)
    if node.grad_fn.startswith("NllLoss2D") or reduction is None:
        return None
    if isinstance(weight, Symbol):
        weight = apply("element_at", weight, apply("maximum", target, 0), dim=0, kind="rows")
        if node.shape(0) is not None and len(node.shape(0) or ()) < 2:
            weight = apply("reshape", weight, shape=())
    losses = -apply("at_target", A, target, ignored=-100 if ignored is None else ignored) * weight
    if reduction == 1:
        return apply("sum", losses) / Constant(total) if total else None
    return apply("sum", losses) if reduction == 2 else losses


PARTS_FORWARD: Mapping[str, Source] = {
    "SumBackward0": _whole("sum"),
    "SumBackward1": _reduction("sum"),
    "MeanBackward0": _whole("mean"),
    "MeanBackward1": _mean,
    "ProdBackward0": _whole("prod"),
    "MaxBackward1": _whole("amax"),
    "MinBackward1": _whole("amin"),
    "AmaxBackward0": _reduction("amax"),
    "AminBackward0": _reduction("amin"),
    "VarBackward0": _spread(root=False),
    "StdBackward0": _spread(root=True),
    "LinalgVectorNormBackward0": _norm,
    "CumsumBackward0": _cumulated,
    **dict.fromkeys(
        ("ViewBackward0", "UnsafeViewBackward0", "ReshapeAliasBackward0", "ReshapeCopyBackward0"), reshaped
    ),
    **dict.fromkeys((f"SqueezeBackward{number}" for number in range(4)), reshaped),
    "UnsqueezeBackward0": reshaped,
    "ExpandBackward0": _expanded,
    "RepeatBackward0": _tiled,
    "TBackward0": _turned,
    "TransposeBackward0": _swapped,
    "PermuteBackward0": _permuted,
    "FlipBackward0": _flipped,
    "TriuBackward0": _triangle("upper"),
    "TrilBackward0": _triangle("lower"),
    **dict.fromkeys(("CloneBackward0", "AliasBackward0"), A),
    "ToCopyBackward0": _copied,
    "SelectBackward0": _element,
    "SliceBackward0": _sliced,
    "UnbindBackward0": _unbound,
    "SplitBackward0": _split,
    "SplitWithSizesBackward0": _split,
    "CatBackward0": _together("concatenated", extra=0),
    "StackBackward0": _together("stacked", extra=1),
    "IndexBackward0": _picked("indices", "lists"),
    "IndexSelectBackward0": _picked("index", "rows"),
    "GatherBackward0": _picked("index", "gather"),
    "TakeBackward0": _picked("index", "flat"),
    "EmbeddingBackward0": _looked_up,
    "MaskedFillBackward0": _unfilled,
    "SoftmaxBackward0": _softmax,
    "LogSoftmaxBackward0": _log_softmax,
    "LogsumexpBackward0": _logsumexp,
    "NllLossBackward0": _negative_likelihood,
}
"""What comes out of these nodes, by the name of the grad_fn."""
