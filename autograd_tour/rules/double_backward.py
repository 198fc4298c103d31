"""Rules of a second backward: what a derivative, itself an operation, does to the gradient.

Each of these nodes computed ``a · f′(b)`` in a first backward with ``create_graph=True``: ``a`` is the
gradient that came in then, ``b`` what the forward pass kept.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from autograd_tour.record.rule import Expression, Rule, Words, apply
from autograd_tour.rules.activations import compared, indicator
from autograd_tour.rules.definition import A, B, Definition, G, attribute, by_slot, define
from autograd_tour.rules.elementwise import ZERO, exp
from autograd_tour.rules.node import NodeView

__all__ = ["DOUBLE_BACKWARD"]


def _pointwise(*slots: object, holomorphic: bool = False) -> Definition:
    return Definition(slots, pointwise=True, holomorphic=holomorphic)


_S = apply("sigmoid", B)
_SLOPE = attribute("negative_slope")


def _between(low: str, high: str) -> Callable[[NodeView, int], Expression | None]:
    def rule(node: NodeView, slot: int) -> Expression | None:
        lower, upper = node.number(low), node.number(high)
        if slot or lower is None or upper is None:
            return ZERO if slot == 1 else None
        inside = apply("both", compared("less", lower, node.input(1)), compared("less", node.input(1), upper))
        return G * indicator(inside)

    return rule


def _elu(node: NodeView, slot: int) -> Expression | None:
    """``b`` is the input, or, where that was overwritten, the result."""
    alpha, scale, inner = (node.number(name) for name in ("alpha", "scale", "input_scale"))
    if alpha is None or scale is None or inner is None or slot > 1:
        return None
    a, b = node.input(0), node.input(1)
    kept = node.flag("is_result")
    if slot == 0:
        below = inner * (b + alpha * scale) if kept else alpha * scale * inner * exp(inner * b)
        return G * apply("where", compared("less_equal", b, 0), below, scale)
    bend = inner if kept else alpha * scale * inner * inner * exp(inner * b)
    return G * a * apply("where", compared("less_equal", b, 0), bend, 0)


def _softplus(node: NodeView, slot: int) -> Expression | None:
    beta, threshold = node.number("beta"), node.number("threshold")
    if beta is None or threshold is None or slot > 1:
        return None
    a, b = node.input(0), node.input(1)
    slope = apply("sigmoid", beta * b)
    linear = compared("greater", beta * b, threshold)
    if slot == 0:
        return G * (slope if threshold >= 20 else apply("where", linear, 1, slope))
    bend = beta * (slope * (1 - slope))
    return G * a * (bend if threshold >= 20 else apply("where", linear, 0, bend))


def _gelu(node: NodeView, slot: int) -> Expression | Words:
    a, b = node.input(0), node.input(1)
    if node.text("approximate") == "tanh":
        return (
            G * apply("gelu_tanh_derivative", b)
            if slot == 0
            else Words("× the second derivative of gelu_tanh")
        )
    density = apply("normal_density", b)
    if slot == 0:
        return G * (apply("normal_cdf", b) + b * density)
    return G * a * ((2 - b**2) * density)


Sum = Callable[[Expression], Expression]


def _of_rows(
    rules: Callable[[Expression, Expression, Sum], Sequence[Expression]],
) -> Callable[[NodeView, int], Expression | None]:
    """``rules(a, b, summed)`` gives those of both inputs; ``summed`` adds up the rows of the softmax."""

    def rule(node: NodeView, slot: int) -> Expression | None:
        dim, shape = node.integer("dim"), node.shape(0)
        if dim is None or shape is None or slot > 1:
            return None
        over = (dim % len(shape),) if shape else ()
        both = rules(node.input(0), node.input(1), lambda item: apply("sum", item, dims=over, keepdim=True))
        return both[slot]

    return rule


def _softmax(a: Expression, b: Expression, summed: Sum) -> tuple[Expression, Expression]:
    """Of ``b·(a − Σ b·a)``; ``b`` is the softmax."""
    return b * (G - summed(b * G)), G * (a - summed(a * b)) - a * summed(b * G)


def _log_softmax(a: Expression, b: Expression, summed: Sum) -> tuple[Expression, Expression]:
    """Of ``a − exp(b)·Σ a``; ``b`` is the logarithm of the softmax."""
    return G - summed(exp(b) * G), -(G * (exp(b) * summed(a)))


def _mse(node: NodeView, slot: int) -> Expression | None:
    """``a·2(b − c)``, over the count for a mean; ``a`` is a single number unless the loss was not reduced."""
    reduction, shape = node.integer("reduction"), node.shape(1)
    if reduction is None or shape is None or slot > 2:
        return None
    count = float(math.prod(shape)) if reduction == 1 else 1.0
    if slot == 0:
        slope = G * (2 * (node.input(1) - node.input(2)) / count)
        return slope if reduction == 0 else apply("sum", slope)
    first = node.input(0) if reduction == 0 else apply("expand", node.input(0), shape=shape, dims=())
    return G * first * ((2 if slot == 1 else -2) / count)


def _convolution(node: NodeView, slot: int) -> Rule | None:
    forward, backward = "convolution", "transposed convolution"
    if node.flag("transposed"):
        forward, backward = backward, forward
    words = (
        f"the {forward} of {{g}} with the weight, and of the input with {{g1}}",
        f"the {backward} of the first gradient with {{g1}}",
        "the first gradient correlated with {g}",
    )
    return Words(words[slot]) if slot < 3 else None


def _taken(rank: int) -> Callable[[NodeView, int], Expression | None]:
    def rule(node: NodeView, slot: int) -> Expression | None:
        shape = node.operand(0).shape
        if slot:
            return ZERO if slot == 1 else None
        if shape is None or "indices" not in node.saved:
            return None
        return apply("windows_taken", G, node.kept("indices", "the places"), shape=shape, flat=rank)

    return rule


def _selected(node: NodeView, _: int) -> Expression | None:
    dim, index, shape = node.integer("dim"), node.integer("index"), node.output_shape
    if dim is None or index is None or not shape:
        return None
    return apply("slice", G, dim=dim % len(shape), index=index, inside=str(index))


def _sliced(node: NodeView, _: int) -> Expression | None:
    dim, shape = node.integer("dim"), node.output_shape
    start, end, step = (node.integer(name) for name in ("start", "end", "step"))
    if dim is None or not shape:
        return None
    dim %= len(shape)
    last = None if end is None or end >= shape[dim] else end
    inside = f"{start or ''}:{'' if last is None else last}" + (f":{step}" if step not in (None, 1) else "")
    return apply("slice", G, dim=dim, start=start or 0, end=last, step=step or 1, inside=inside)


def _diagonal(node: NodeView, _: int) -> Expression | None:
    rank, dim1, dim2 = len(node.output_shape or ()), node.integer("dim1"), node.integer("dim2")
    if dim1 is None or dim2 is None or not rank:
        return None
    return apply("diagonal", G, offset=node.integer("offset") or 0, dims=(dim1 % rank, dim2 % rank))


def _embedding(node: NodeView, _: int) -> Expression | None:
    shape = node.shape(0)
    skipped = node.integer("padding_idx")
    return (
        None
        if shape is None
        else apply("rows_taken", G, node.kept("indices", "the indices"), shape=shape, padding_idx=skipped)
    )


def _dropout(node: NodeView, slot: int) -> Expression | None:
    scale = node.number("scale")
    return None if slot or scale is None else G * (node.kept("mask", "kept") * scale)


def _windows(node: NodeView, _: int) -> Expression | None:
    shape = node.shape(0)
    dim, size, step = (node.integer(name) for name in ("dim", "size", "step"))
    if not shape or dim is None or size is None or step is None:
        return None
    return apply("windows", G, dim=dim % len(node.output_shape or (1,)), size=size, step=step)


_POOLED = Words("averaged over the same windows")
_RESAMPLED = by_slot(lambda _node, _slot: Words("interpolated as the input was"))
_PADDED = define(Words("padded as the input was"), ZERO)
_GATE = indicator(compared("greater", B, attribute("threshold")))
_BEYOND = indicator(compared("greater", apply("abs", B), attribute("lambd")))

DOUBLE_BACKWARD: Mapping[str, Definition] = {
    "SigmoidBackwardBackward0": _pointwise(G * (B * (1 - B)), G * A * (1 - 2 * B)),
    "TanhBackwardBackward0": _pointwise(G * (1 - B**2), G * A * (-2 * B)),
    "ThresholdBackwardBackward0": _pointwise(G * _GATE, ZERO),
    "LeakyReluBackwardBackward0": _pointwise(G * apply("where", compared("greater", B, 0), 1, _SLOPE), ZERO),
    "HardtanhBackwardBackward0": _pointwise(_between("min_val", "max_val"), _between("min_val", "max_val")),
    "HardshrinkBackwardBackward0": _pointwise(G * _BEYOND, ZERO),
    "SoftshrinkBackwardBackward0": _pointwise(G * _BEYOND, ZERO),
    "HardswishBackwardBackward0": _pointwise(
        G
        * apply(
            "where", compared("less_equal", B, -3), 0, apply("where", compared("less", B, 3), B / 3 + 0.5, 1)
        ),
        G * A * (indicator(apply("both", compared("less", -3, B), compared("less", B, 3))) / 3),
    ),
    "EluBackwardBackward0": _pointwise(_elu, _elu),
    "SoftplusBackwardBackward0": _pointwise(_softplus, _softplus),
    "LogSigmoidBackwardBackward0": _pointwise(G * apply("sigmoid", -B), G * A * (-(_S * (1 - _S)))),
    "GeluBackwardBackward0": _pointwise(_gelu, _gelu),
    "NativeDropoutBackwardBackward0": _pointwise(_dropout),
    "SoftmaxBackwardDataBackward0": by_slot(_of_rows(_softmax)),
    "LogSoftmaxBackwardDataBackward0": by_slot(_of_rows(_log_softmax)),
    "MseLossBackwardBackward0": by_slot(_mse),
    "ConvolutionBackwardBackward0": by_slot(_convolution),
    **{
        f"{kind}Pool{rank}DWithIndicesBackwardBackward0": by_slot(_taken(rank))
        for kind, rank in (("Max", 2), ("Max", 3))
    },
    **{f"AdaptiveMaxPool{rank}DBackwardBackward0": by_slot(_taken(rank)) for rank in (2, 3)},
    **{f"AvgPool{rank}DBackwardBackward0": define(_POOLED, ZERO) for rank in (2, 3)},
    **{f"AdaptiveAvgPool{rank}DBackwardBackward0": define(_POOLED, ZERO) for rank in (2, 3)},
    **{
        f"Upsample{kind}BackwardBackward0": _RESAMPLED
        for kind in (
            *("Nearest1D", "Nearest2D", "Nearest3D", "Linear1D", "Bilinear2D", "Trilinear3D", "Bicubic2D"),
            *("NearestExact1D", "NearestExact2D", "NearestExact3D", "Bilinear2DAa", "Bicubic2DAa"),
        )
    },
    **{f"ReflectionPad{rank}DBackwardBackward0": _PADDED for rank in (1, 2, 3)},
    **{f"ReplicationPad{rank}DBackwardBackward0": _PADDED for rank in (1, 2, 3)},
    "SelectBackwardBackward0": by_slot(_selected),
    "SliceBackwardBackward0": by_slot(_sliced),
    "DiagonalBackwardBackward0": by_slot(_diagonal),
    "UnfoldBackwardBackward0": by_slot(_windows),
    "EmbeddingDenseBackwardBackward0": by_slot(_embedding),
}
"""The rules of a second backward, by the name of the grad_fn."""
