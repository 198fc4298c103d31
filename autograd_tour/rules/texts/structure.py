"""Rules of the operations that move, copy, add up or pick elements."""

from __future__ import annotations

import math
from collections.abc import Mapping

from autograd_tour.rules.texts.operands import Operands, Rule, Shape, show, template

__all__ = ["ROUTING", "STRUCTURE", "shape_text"]


def shape_text(shape: Shape) -> str:
    """``(2, 3)``, ``(11)``; words for the shape of a scalar."""
    return f"({', '.join(map(str, shape))})" if shape else "a scalar"


def _to_shape(verb: str, otherwise: str) -> Rule:
    def rule(operands: Operands, slot: int) -> str:
        shape = operands.shape(slot)
        return otherwise if shape is None else f"{verb} to {shape_text(shape)}"

    return rule


def _mean(operands: Operands, _: int) -> str:
    count = operands.elements()
    if count is None or operands.output_shape is None:
        whole = operands.number("self_sym_numel") if not operands.text("dim") else None
        return "÷ n" if whole is None else f"÷ {show(whole)}"
    return f"÷ {count // max(math.prod(operands.output_shape), 1)}"


def _place(dim: int | None, inside: str, rank: int | None) -> str:
    """``[1]``, ``[:, 1:3]``: an index in one dimension, as Python writes it."""
    if dim is None or (dim < 0 and rank is None):
        return ""
    before = dim + (rank or 0) if dim < 0 else dim
    return f"[{':, ' * before}{inside}]"


def _rank(shape: Shape | None) -> int | None:
    return len(shape) if shape is not None else None


def _integer(operands: Operands, key: str) -> int | None:
    value = operands.number(key)
    return None if value is None else int(value)


def _select(operands: Operands, _: int) -> str:
    index, rank = _integer(operands, "index"), _rank(operands.shape(0))
    place = _place(_integer(operands, "dim"), str(index), rank) if index is not None else ""
    return f"to element {place}" if place else "to the element taken"


def _slice(operands: Operands, _: int) -> str:
    shape, dim = operands.shape(0), _integer(operands, "dim")
    start, end, step = (_integer(operands, key) for key in ("start", "end", "step"))
    if dim is None:
        return "to the slice taken"
    size = shape[dim] if shape is not None and dim < len(shape) else 2**62
    first, last = str(start) if start else "", "" if end is None or end >= size else str(end)
    stride = f":{step}" if step not in (None, 1) else ""
    place = _place(dim, f"{first}:{last}{stride}", _rank(shape))
    return f"to slice {place}" if place else "to the slice taken"


def _cat(operands: Operands, slot: int) -> str:
    dim, shapes = _integer(operands, "dim"), operands.input_shapes[: slot + 1]
    known = [shape for shape in shapes if shape is not None]
    if dim is None or slot < 0 or len(known) != slot + 1:
        return "slice of g"
    # torch lets an empty one-dimensional tensor through next to tensors of any rank.
    rank = max(len(shape) for shape in operands.input_shapes if shape is not None)
    sizes = [shape[dim] if len(shape) == rank else 0 for shape in known]
    return f"slice g{_place(dim, f'{sum(sizes[:-1])}:{sum(sizes)}', rank)}"


def _stack(operands: Operands, slot: int) -> str:
    shape = operands.shape(slot)
    rank = None if shape is None else len(shape) + 1
    place = _place(_integer(operands, "dim"), str(slot), rank)
    return f"slice g{place}" if place else "slice of g"


def _transpose(operands: Operands, _: int) -> str:
    shape, dims = operands.shape(0), (_integer(operands, "dim0"), _integer(operands, "dim1"))
    if (shape is not None and len(shape) <= 2) or None in dims:
        return "transpose"
    rank = _rank(shape) or 0
    return f"swap dims {', '.join(str(d % rank if rank else d) for d in dims if d is not None)}"


def _permute(operands: Operands, _: int) -> str:
    dims = operands.integers("dims")
    if dims is None or len(dims) <= 2:
        return "transpose" if dims != (0, 1) else "× 1"
    inverse = sorted(range(len(dims)), key=lambda position: dims[position] % len(dims))
    return f"permute {shape_text(tuple(inverse))}"


def _cast(operands: Operands, slot: int) -> str:
    kind = operands.input_dtypes[slot] if 0 <= slot < len(operands.input_dtypes) else ""
    return f"cast to {kind.removeprefix('torch.')}" if kind else "cast back"


def _index_put(operands: Operands, slot: int) -> str:
    if slot == 0:
        return "× 1" if operands.text("accumulate") == "True" else "0 at the indices"
    return "taken at the indices" if slot == 1 else ""


_RESHAPE = _to_shape("reshape", "reshape back")
_BROADCAST = _to_shape("broadcast", "broadcast")

STRUCTURE: Mapping[str, Rule] = {
    "SumBackward0": _BROADCAST,
    "SumBackward1": _BROADCAST,
    "MeanBackward0": _mean,
    "MeanBackward1": _mean,
    "NansumBackward0": template("broadcast, 0 at NaN"),
    "CumsumBackward0": template("cumsum from the end"),
    "TraceBackward0": template("to the diagonal"),
    "ExpandBackward0": _to_shape("Σ", "Σ over the copies"),
    "RepeatBackward0": template("Σ over the copies"),
    **dict.fromkeys(
        ("ViewBackward0", "UnsafeViewBackward0", "ReshapeAliasBackward0", "ReshapeCopyBackward0"), _RESHAPE
    ),
    **dict.fromkeys((f"SqueezeBackward{number}" for number in range(6)), _RESHAPE),
    **dict.fromkeys(("UnsqueezeBackward0", "UnsqueezeBackward1"), _RESHAPE),
    "TBackward0": template("transpose"),
    "TransposeBackward0": _transpose,
    "TransposeBackward1": _transpose,
    "PermuteBackward0": _permute,
    **dict.fromkeys(("CloneBackward0", "AliasBackward0", "LiftBackward0"), template("× 1")),
    "ToCopyBackward0": _cast,
    "CopyBackwards": template("× 0", "× 1"),
    "FlipBackward0": template("flip back"),
    "RollBackward0": template("roll back"),
    "ConstantPadNdBackward0": template("crop the padding"),
    "UnfoldBackward0": template("added back in place"),
    "UnbindBackward0": template("stack of all g"),
    **dict.fromkeys(
        ("SplitBackward0", "SplitWithSizesBackward0", "UnsafeSplitBackward0"), template("cat of all g")
    ),
    "CatBackward0": _cat,
    "StackBackward0": _stack,
    "TriuBackward0": template("× 1[upper triangle]"),
    "TrilBackward0": template("× 1[lower triangle]"),
}
"""One input element, one place in the output or a sum: nothing is chosen by value."""

_AT_INDICES = template("added at the indices")
_PUT = template("0 at the indices", "taken at the indices")

ROUTING: Mapping[str, Rule] = {
    "SelectBackward0": _select,
    "SliceBackward0": _slice,
    "DiagonalBackward0": template("to the diagonal"),
    "AsStridedBackward0": template("added back in place"),
    "IndexBackward0": _AT_INDICES,
    "IndexSelectBackward0": _AT_INDICES,
    "GatherBackward0": _AT_INDICES,
    "TakeBackward0": _AT_INDICES,
    "EmbeddingBackward0": template("added to the rows used"),
    "MaskedSelectBackward0": template("to the mask"),
    "MaskedFillBackward1": template("× 1[not mask]", "Σ at the mask"),
    "ScatterBackward0": _PUT,
    "ScatterBackward1": _PUT,
    "ScatterAddBackward0": template("× 1", "taken at the indices"),
    "IndexPutBackward0": _index_put,
    "IndexCopyBackward0": _PUT,
    "IndexFillBackward0": template("0 at the indices"),
    "MaxBackward0": template("routed to the maximum"),
    "MaxBackward1": template("routed to the maximum"),
    "MinBackward0": template("routed to the minimum"),
    "MinBackward1": template("routed to the minimum"),
    "AmaxBackward0": template("routed to the maximum"),
    "AminBackward0": template("routed to the minimum"),
    "MedianBackward0": template("routed to the median"),
    "MedianBackward1": template("routed to the median"),
    "KthvalueBackward0": template("routed to the k-th"),
    "ModeBackward0": template("routed to the mode"),
    "TopkBackward0": template("routed to the top k"),
    "SortBackward0": template("back to the old order"),
    "CummaxBackward0": template("added at the maxima"),
    "CumminBackward0": template("added at the minima"),
    **dict.fromkeys(
        (
            "MaxPool2DWithIndicesBackward0",
            "MaxPool3DWithIndicesBackward0",
            "MaxPool2DBackward0",
            "AdaptiveMaxPool2DBackward0",
            "AdaptiveMaxPool3DBackward0",
        ),
        template("to each window's maximum"),
    ),
}
"""The gradient reaches some elements of the input; the others get zero."""
