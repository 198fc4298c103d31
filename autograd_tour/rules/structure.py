"""Rules of operations that move, copy, add up or pick elements."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from autograd_tour.record.rule import Apply, Constant, Expression, Symbol, Words, apply
from autograd_tour.rules.definition import Definition, G, X, by_slot, define
from autograd_tour.rules.node import NodeView, Shape

__all__ = ["STRUCTURE", "places", "spread"]

ALL = Symbol("gradient", -1)
"""The gradients of all outputs."""


def places(node: NodeView, name: str = "dim") -> Shape | None:
    """The dimensions that a reduction names, counted from 0; all of them if it names none."""
    shape = node.shape(0)
    if shape is None:
        return None
    given = node.integers(name)
    rank = len(shape)
    if not given:
        return tuple(range(rank))
    return tuple(sorted({dim % rank for dim in given})) if rank else ()


def some_of(node: NodeView, dims: Shape) -> Shape:
    """``dims``, if they are not all that the input has: what a rule then has to say."""
    return dims if len(dims) < len(node.shape(0) or ()) else ()


def spread(node: NodeView, what: Expression, dims: Shape) -> Expression:
    """``what``, which a reduction over ``dims`` made, over the elements that it was made of."""
    shape = node.shape(0)
    assert shape is not None
    kept = node.output_shape is not None and len(node.output_shape) == len(shape)
    return apply("expand", what, shape=shape, dims=() if kept else dims)


def _sum(node: NodeView, _: int) -> Expression | None:
    dims = places(node)
    return None if dims is None else spread(node, G, dims)


def _mean(node: NodeView, _: int) -> Expression | None:
    dims, count = places(node), node.elements()
    if dims is None or count is None or node.output_shape is None:
        return None
    return spread(node, G / (count // max(math.prod(node.output_shape), 1)), dims)


def _whole_mean(node: NodeView, _: int) -> Expression | None:
    count, shape = node.elements(), node.shape(0)
    return None if count is None or shape is None else apply("expand", G / count, shape=shape, dims=())


def _nansum(node: NodeView, _: int) -> Expression | None:
    dims = places(node)
    if dims is None:
        return None
    return spread(node, G, dims) * apply("where", apply("not", apply("is_nan", X)), 1, 0)


def _to_shape(function: str) -> Any:
    def rule(node: NodeView, slot: int) -> Expression | None:
        shape = node.shape(slot)
        return None if shape is None or min(shape, default=0) < 0 else apply(function, G, shape=shape)

    return rule


def _expanded(node: NodeView, _: int) -> Expression | None:
    shape, outer = node.shape(0), node.output_shape
    if shape is None:
        return None
    if shape == outer:
        return G
    count = math.prod(outer) // math.prod(shape) if outer and math.prod(shape) else None
    return apply("sum_to", G, shape=shape, count=count)


def _repeated(node: NodeView, _: int) -> Expression | None:
    shape, repeats = node.shape(0), node.integers("repeats")
    return (
        None if shape is None or repeats is None else apply("copies_summed", G, shape=shape, repeats=repeats)
    )


def _dim_index(dim: int | None, rank: int | None) -> int | None:
    if dim is None or (dim < 0 and rank is None):
        return None
    return dim + (rank or 0) if dim < 0 else dim


def _select(node: NodeView, _: int) -> Expression | None:
    shape, index = node.shape(0), node.integer("index")
    dim = _dim_index(node.integer("dim"), len(shape) if shape is not None else None)
    if shape is None or index is None or dim is None:
        return None
    return apply("element_gradient", G, dim=dim, inside=str(index), index=index, shape=shape)


def _slice(node: NodeView, _: int) -> Expression | None:
    shape = node.shape(0)
    dim = _dim_index(node.integer("dim"), len(shape) if shape is not None else None)
    if shape is None or dim is None or dim >= len(shape):
        return None
    start, end, step = node.integer("start"), node.integer("end"), node.integer("step")
    last = None if end is None or end >= shape[dim] else end
    inside = f"{start or ''}:{'' if last is None else last}" + (f":{step}" if step not in (None, 1) else "")
    return apply(
        "slice_gradient", G, dim=dim, inside=inside, start=start or 0, end=last, step=step or 1, shape=shape
    )


def _cat(node: NodeView, slot: int) -> Expression | None:
    dim, shapes = node.integer("dim"), [operand.shape for operand in node.inputs[: slot + 1]]
    known_shapes = [shape for shape in shapes if shape is not None]
    if dim is None or not shapes or len(known_shapes) != len(shapes):
        return None
    # torch lets an empty one-dimensional tensor through next to tensors of any rank.
    rank = len(node.output_shape) if node.output_shape is not None else max(map(len, known_shapes))
    dim = dim % rank if rank else 0
    if len(known_shapes[-1]) != rank:
        return Constant(0)
    sizes = [shape[dim] if len(shape) == rank else 0 for shape in known_shapes]
    start, end = sum(sizes[:-1]), sum(sizes)
    return apply("slice", G, dim=dim, inside=f"{start}:{end}", start=start, end=end)


def _stack(node: NodeView, slot: int) -> Expression | None:
    dim, shape = node.integer("dim"), node.operand(slot).shape
    if dim is None or shape is None:
        return None
    return apply("slice", G, dim=dim % (len(shape) + 1), inside=str(slot), index=slot)


def _unbound(node: NodeView, _: int) -> Expression | None:
    shape = node.shape(0)
    dim = _dim_index(node.integer("dim"), len(shape) if shape is not None else None)
    return None if dim is None else apply("stack_all", ALL, dim=dim)


def _split(node: NodeView, _: int) -> Expression | None:
    shape = node.shape(0)
    dim = _dim_index(node.integer("dim"), len(shape) if shape is not None else None)
    return None if dim is None else apply("cat_all", ALL, dim=dim)


def _transpose(node: NodeView, _: int) -> Expression | None:
    shape = node.shape(0)
    rank = len(shape) if shape is not None else None
    dim0, dim1 = _dim_index(node.integer("dim0"), rank), _dim_index(node.integer("dim1"), rank)
    if dim0 is None or dim1 is None or rank is None:
        return None
    low, high = sorted((dim0, dim1))
    if low == high:
        return G
    return (
        apply("transpose", G)
        if (low, high) == (rank - 2, rank - 1) and rank == 2
        else apply("swap_dims", G, dims=(low, high))
    )


def _t(node: NodeView, _: int) -> Expression | None:
    shape = node.shape(0)
    return G if shape is not None and len(shape) < 2 else apply("transpose", G)


def _permute(node: NodeView, _: int) -> Expression | None:
    dims = node.integers("dims")
    if dims is None:
        return None
    order = tuple(dim % len(dims) for dim in dims)
    if order == tuple(range(len(order))):
        return G
    if order == (1, 0):
        return apply("transpose", G)
    return apply("permute", G, dims=tuple(sorted(range(len(order)), key=order.__getitem__)))


def _cast(node: NodeView, slot: int) -> Expression | None:
    kind, outer = node.operand(slot).dtype, node.outputs[0].dtype if node.outputs else ""
    if not kind:
        return None
    return G if kind == outer else apply("cast", G, dtype=kind.removeprefix("torch."))


def _along(function: str, name: str = "dims") -> Any:
    """A function with the integers that the node keeps under ``name``."""

    def rule(node: NodeView, _: int) -> Expression | None:
        shape, dims = node.shape(0), node.integers(name)
        if shape is None or dims is None:
            return None
        return apply(function, G, dims=tuple(dim % len(shape) for dim in dims) if shape else ())

    return rule


def _roll(node: NodeView, _: int) -> Expression | None:
    shifts, dims = node.integers("shifts"), node.integers("dims")
    return None if shifts is None else apply("roll", G, shifts=tuple(-n for n in shifts), dims=dims or ())


def _crop(node: NodeView, _: int) -> Expression | None:
    pad = node.integers("pad")
    if pad is None:
        return None
    more = ", 0 where it was cut off" if any(side < 0 for side in pad) else ""
    return apply("crop", G, pad=pad, where=f"crop the padding{more}")


def _unfolded(node: NodeView, _: int) -> Expression | None:
    shape = node.shape(0)
    dim = _dim_index(node.integer("dimension"), len(shape) if shape is not None else None)
    if shape is None or dim is None:
        return None
    return apply(
        "windows_added", G, shape=shape, dim=dim, size=node.integer("size"), step=node.integer("step")
    )


def _triangle(function: str) -> Any:
    def rule(node: NodeView, _: int) -> Apply:
        return apply(function, G, diagonal=node.integer("diagonal") or 0)

    return rule


def _diagonal(node: NodeView, _: int) -> Expression | None:
    shape = node.shape(0)
    if shape is None:
        return None
    dim1, dim2 = _dim_index(node.integer("dim1"), len(shape)), _dim_index(node.integer("dim2"), len(shape))
    return apply(
        "diagonal_gradient", G, shape=shape, offset=node.integer("offset") or 0, dims=(dim1 or 0, dim2 or 0)
    )


_RESHAPE, _SAME = by_slot(_to_shape("reshape")), define(G)

STRUCTURE: Mapping[str, Definition] = {
    "SumBackward0": by_slot(_sum),
    "SumBackward1": by_slot(_sum),
    "MeanBackward0": by_slot(_whole_mean),
    "MeanBackward1": by_slot(_mean),
    "NansumBackward0": by_slot(_nansum),
    "CumsumBackward0": by_slot(lambda node, _: apply("cumulative_from_end", G, dim=node.integer("dim") or 0)),
    "TraceBackward0": by_slot(
        lambda node, _: apply("trace_gradient", G, shape=node.shape(0)) if node.shape(0) is not None else None
    ),
    "ExpandBackward0": by_slot(_expanded),
    "RepeatBackward0": by_slot(_repeated),
    **dict.fromkeys(
        ("ViewBackward0", "UnsafeViewBackward0", "ReshapeAliasBackward0", "ReshapeCopyBackward0"), _RESHAPE
    ),
    **dict.fromkeys((f"SqueezeBackward{number}" for number in range(6)), _RESHAPE),
    **dict.fromkeys(("UnsqueezeBackward0", "UnsqueezeBackward1"), _RESHAPE),
    "TBackward0": by_slot(_t),
    "TransposeBackward0": by_slot(_transpose),
    "TransposeBackward1": by_slot(_transpose),
    "PermuteBackward0": by_slot(_permute),
    **dict.fromkeys(("CloneBackward0", "AliasBackward0", "LiftBackward0"), _SAME),
    "ToCopyBackward0": by_slot(_cast),
    "CopyBackwards": define(Constant(0), by_slot(_cast).slots[0]),
    "FlipBackward0": by_slot(_along("flip")),
    "RollBackward0": by_slot(_roll),
    "ConstantPadNdBackward0": by_slot(_crop),
    "UnfoldBackward0": by_slot(_unfolded),
    "UnbindBackward0": by_slot(_unbound),
    **dict.fromkeys(
        (
            "SplitBackward0",
            "SplitWithSizesBackward0",
            "UnsafeSplitBackward0",
            "UnsafeSplitWithSizesBackward0",
        ),
        by_slot(_split),
    ),
    "CatBackward0": by_slot(_cat),
    "StackBackward0": by_slot(_stack),
    "TriuBackward0": by_slot(_triangle("upper")),
    "TrilBackward0": by_slot(_triangle("lower")),
    "SelectBackward0": by_slot(_select, routed=True),
    "SliceBackward0": by_slot(_slice, routed=True),
    "DiagonalBackward0": by_slot(_diagonal, routed=True),
    "AsStridedBackward0": define(Words("added back in place"), routed=True),
}
"""The rules of operations that do not look at values, by the name of the grad_fn."""
