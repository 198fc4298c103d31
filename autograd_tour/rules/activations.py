"""Rules of activations, gates and steps: the derivative depends on which side of a bound a value lies."""

from __future__ import annotations

from collections.abc import Mapping

from autograd_tour.record.rule import Expression, apply
from autograd_tour.rules.definition import A, B, C, Definition, G, X, Y, attribute
from autograd_tour.rules.elementwise import ZERO, exp
from autograd_tour.rules.node import NodeView

__all__ = ["ACTIVATIONS"]


def indicator(condition: Expression) -> Expression:
    """1 where ``condition`` holds, else 0."""
    return apply("where", condition, 1, 0)


def compared(relation: str, a: Expression | float, b: Expression | float) -> Expression:
    return apply(relation, a, b)


def _within(low: Expression | float, high: Expression | float, strict: bool) -> Expression:
    relation = "less" if strict else "less_equal"
    return indicator(apply("both", apply(relation, low, X), apply(relation, X, high)))


def _between(low: str, high: str, strict: bool) -> object:
    """1 between two bounds that the node keeps, 0 outside; a missing one is no bound."""
    above = "greater" if strict else "greater_equal"

    def rule(node: NodeView, _: int) -> Expression:
        lower, upper = node.number(low), node.number(high)
        if lower is None and upper is None:
            return G
        if upper is None or lower is None:
            bound = lower if upper is None else upper
            assert bound is not None
            relation = above if upper is None else ("less" if strict else "less_equal")
            return G * indicator(apply(relation, X, bound))
        return G * _within(lower, upper, strict)

    return rule


def _elu(node: NodeView, _: int) -> Expression:
    alpha, scale = node.number("alpha"), node.number("scale")
    alpha, scale = 1.0 if alpha is None else alpha, 1.0 if scale is None else scale
    inner = node.number("input_scale") or 1.0
    return G * apply("where", X_POSITIVE, scale, alpha * scale * inner * exp(inner * X))


def _celu(node: NodeView, _: int) -> Expression:
    alpha = node.number("alpha")
    return G * apply("where", X_POSITIVE, 1, exp(X if alpha is None else X / alpha))


def _elu_of_result(node: NodeView, _: int) -> Expression | None:
    """In place only the result is kept; where it is negative it says what the exponential was."""
    alpha, scale, inner = (node.number(name) for name in ("alpha", "scale", "input_scale"))
    if alpha is None or scale is None or inner is None:
        return None
    # As torch asks: to NaN the answer is no, and the gradient goes on.
    return G * apply("where", compared("less_equal", Y, 0), inner * (Y + alpha * scale), scale)


def _celu_of_result(node: NodeView, _: int) -> Expression | None:
    alpha = node.number("alpha")
    return None if not alpha else G * apply("where", compared("greater", Y, 0), 1, Y / alpha + 1)


def _softplus(node: NodeView, _: int) -> Expression:
    """As torch computes it: above the threshold the function is the identity.

    From the usual threshold of 20 on, that is what the sigmoid says too, to eight digits.
    """
    beta, threshold = node.number("beta"), node.number("threshold")
    beta, threshold = 1.0 if beta is None else beta, 20.0 if threshold is None else threshold
    slope = _SIGMOID(beta * X)
    return G * (
        slope if threshold >= 20 else apply("where", compared("greater", beta * X, threshold), 1, slope)
    )


def _gelu(node: NodeView, _: int) -> Expression:
    if node.text("approximate") == "tanh":
        # The derivative of the approximation, too long to write out on an arrow.
        return G * apply("gelu_tanh_derivative", X)
    return G * (apply("normal_cdf", X) + X * apply("normal_density", X))


def _dropout(node: NodeView, _: int) -> Expression | None:
    dropped = node.number("p")
    if dropped is None:
        return None
    return ZERO if dropped == 1 else G * (node.kept("result1", "kept") / (1 - dropped))


def _SIGMOID(x: Expression) -> Expression:  # noqa: N802 - written like the function it stands for
    return apply("sigmoid", x)


def _condition(node: NodeView, slot: int) -> Expression:
    taken = node.kept("condition", "taken")
    return G * indicator(taken if slot == 0 else apply("not", taken))


def _unfilled(node: NodeView, _: int) -> Expression:
    return G * indicator(apply("not", node.kept("mask", "filled")))


def _clamp(node: NodeView, slot: int) -> Expression | None:
    """Between two tensors, either of which may be missing; where they cross, the upper one wins."""
    low, high = (node.operand(number).shape is not None for number in (1, 2))
    if slot == 0:
        above, below = compared("less_equal", B, A), compared("less_equal", A, C)
        if low and high:
            return G * indicator(apply("both", above, below))
        return G * indicator(compared("greater_equal", A, B) if low else below) if low or high else G
    if slot == 1:
        under = compared("less", A, B)
        return G * indicator(apply("both", under, compared("less", B, C)) if high else under)
    over = compared("greater", A, C)
    return G * indicator(apply("either", over, compared("greater", B, C)) if low else over)


def _pointwise(*slots: object, routed: bool = False) -> Definition:
    return Definition(slots, pointwise=True, routed=routed)


def _passing_nan(relation: str) -> tuple[Expression, Expression]:
    """What the chosen of two gets: the second only where the first is not chosen, and is itself a number."""
    first = apply("either", compared(relation, A, B), apply("is_nan", B))
    return G * indicator(first), G * indicator(apply("not", first))


X_POSITIVE = compared("greater", X, 0)
_S = _SIGMOID(X)
_SLOPE = attribute("negative_slope")

ACTIVATIONS: Mapping[str, Definition] = {
    "SigmoidBackward0": Definition(
        ((G * (_S * (1 - _S)), G * (Y * (1 - Y))),), pointwise=True, holomorphic=True
    ),
    "TanhBackward0": Definition(
        ((G * (1 - apply("tanh", X) ** 2), G * (1 - Y**2)),), pointwise=True, holomorphic=True
    ),
    "LogSigmoidBackward0": _pointwise(G * _SIGMOID(-X)),
    "ReluBackward0": _pointwise(G * indicator(X_POSITIVE)),
    "ThresholdBackward0": _pointwise(G * indicator(compared("greater", X, attribute("threshold")))),
    "LeakyReluBackward0": _pointwise(G * apply("where", X_POSITIVE, 1, _SLOPE)),
    # in place: mostly of the result, since the input is gone
    "ThresholdBackward1": _pointwise(G * indicator(compared("greater", X, attribute("threshold")))),
    "LeakyReluBackward1": _pointwise(G * apply("where", compared("greater", Y, 0), 1, _SLOPE)),
    "EluBackward1": _pointwise(_elu_of_result),
    "CeluBackward1": _pointwise(_celu_of_result),
    "PreluKernelBackward0": _pointwise(
        G * apply("where", compared("greater", A, 0), 1, B),
        G * apply("where", compared("greater", A, 0), 0, A),
    ),
    "EluBackward0": _pointwise(_elu),
    "CeluBackward0": _pointwise(_celu),
    "SoftplusBackward0": _pointwise(_softplus),
    "GeluBackward0": _pointwise(_gelu),
    "SiluBackward0": _pointwise((G * (_S * (1 + X * (1 - _S))), G * (_S + Y * (1 - _S)))),
    "HardtanhBackward0": _pointwise(_between("min_val", "max_val", strict=True)),
    "HardsigmoidBackward0": _pointwise(G * (_within(-3, 3, strict=True) / 6)),
    "HardswishBackward0": _pointwise(
        G
        * apply(
            "where", compared("less_equal", X, -3), 0, apply("where", compared("less", X, 3), X / 3 + 0.5, 1)
        )
    ),
    "HardshrinkBackward0": _pointwise(
        G * indicator(compared("greater", apply("abs", X), attribute("lambd")))
    ),
    "SoftshrinkBackward0": _pointwise(
        G * indicator(compared("greater", apply("abs", X), attribute("lambd")))
    ),
    "NativeDropoutBackward0": _pointwise(_dropout),
    # gates and steps
    "ClampBackward0": _pointwise(_clamp, _clamp, _clamp),
    "ClampBackward1": _pointwise(_between("min", "max", strict=False)),
    "ClampMinBackward0": _pointwise(_between("min", "", strict=False)),
    "ClampMinBackward1": _pointwise(
        G * indicator(compared("greater_equal", A, B)), G * indicator(compared("less", A, B))
    ),
    "ClampMaxBackward0": _pointwise(_between("", "max", strict=False)),
    "ClampMaxBackward1": _pointwise(
        G * indicator(compared("less_equal", A, B)), G * indicator(compared("greater", A, B))
    ),
    "MaximumBackward0": _pointwise(
        G * apply("greater_ties_half", A, B), G * apply("greater_ties_half", B, A), routed=True
    ),
    "MinimumBackward0": _pointwise(
        G * apply("less_ties_half", A, B), G * apply("less_ties_half", B, A), routed=True
    ),
    "FmaxBackward0": _pointwise(*_passing_nan("greater_equal"), routed=True),
    "FminBackward0": _pointwise(*_passing_nan("less_equal"), routed=True),
    "WhereBackward0": Definition((_condition, _condition), pointwise=True, routed=True),
    "MaskedFillBackward0": Definition((_unfilled,), pointwise=True, routed=True),
}
"""The rules of activations and of operations that choose between values, by the name of the grad_fn."""
