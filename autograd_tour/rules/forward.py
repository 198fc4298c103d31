"""What each kind of node computes forward, as values: the other half of its rules.

With these expressions and the rules of gradients a recorded graph can be worked out anew for other numbers,
wherever somebody evaluates the words they are made of. A kind that is not here is not worked out anew.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from autograd_tour.record.rule import Constant, Expression, Words, apply
from autograd_tour.rules.definition import A, B, C, Source, attribute, bind
from autograd_tour.rules.forward_parts import PARTS_FORWARD, reduced
from autograd_tour.rules.node import NodeView

__all__ = ["FORWARD", "FORWARD_WORDS", "forward"]

FORWARD_WORDS: Mapping[str, int] = {
    **dict.fromkeys(("expm1", "ln1p", "asin", "acos", "atan", "asinh", "acosh", "atanh", "erf", "ceil"), 1),
    **dict.fromkeys(("atan2", "maximum", "minimum"), 2),
    **dict.fromkeys(("amax", "amin", "prod", "cumsum", "tiled", "variance"), 1),
    "element_at": 2,
    "stacked": -1,
    "concatenated": -1,
}
"""Words of forward expressions that no gradient rule needs, and how many arguments each takes; -1: any."""

_ALPHA, _BETA = attribute("alpha", 1.0), attribute("beta", 1.0)
_LN2, _LN10 = Constant(math.log(2)), Constant(math.log(10))


def _on(word: str) -> Expression:
    return apply(word, A)


def _where(condition: Expression, a: Expression | float, b: Expression | float) -> Expression:
    return apply("where", condition, a, b)


def _greater(a: Expression | float, b: Expression | float) -> Expression:
    return apply("greater", a, b)


def _from_number(node: NodeView, _: int) -> Expression | None:
    """``number − α·x``: the number is no operand of the node."""
    return None if node.number("other") is None else attribute("other") - _ALPHA * A


def _elu(node: NodeView, _: int) -> Expression:
    alpha, scale, inner = (node.number(name) for name in ("alpha", "scale", "input_scale"))
    alpha, scale = 1.0 if alpha is None else alpha, 1.0 if scale is None else scale
    below = alpha * scale * apply("expm1", A if inner in (None, 1) else (inner or 1.0) * A)
    return _where(_greater(A, 0), A if scale == 1 else scale * A, below)


def _celu(node: NodeView, _: int) -> Expression:
    alpha = node.number("alpha")
    alpha = 1.0 if alpha is None else alpha
    return _where(_greater(A, 0), A, alpha * apply("expm1", A / alpha))


def _log1p_exp(x: Expression) -> Expression:
    """``ln(1 + eˣ)`` that overflows for no x."""
    return apply("maximum", x, 0) + apply("ln1p", apply("exp", -apply("abs", x)))


def _softplus(node: NodeView, _: int) -> Expression:
    beta, threshold = node.number("beta"), node.number("threshold")
    beta, threshold = 1.0 if beta is None else beta, 20.0 if threshold is None else threshold
    return _where(_greater(beta * A, threshold), A, _log1p_exp(beta * A) / beta)


def _gelu(node: NodeView, _: int) -> Expression:
    if node.text("approximate") != "tanh":
        return A * apply("normal_cdf", A)
    inner = math.sqrt(2 / math.pi) * (A + 0.044715 * A**3)
    return 0.5 * A * (1 + apply("tanh", inner))


def _between(low: str, high: str) -> Any:
    """Cut off at bounds that the node keeps; NaN stays NaN."""

    def write(node: NodeView, _: int) -> Expression:
        bounds, value = (node.number(low), node.number(high)), node.input(0)
        if bounds[0] is not None:
            value = apply("maximum", value, bounds[0])
        return value if bounds[1] is None else apply("minimum", value, bounds[1])

    return write


def _clamped(node: NodeView, _: int) -> Expression:
    value = node.input(0)
    for slot, word in ((1, "maximum"), (2, "minimum")):
        if node.operand(slot).shape is not None:
            value = apply(word, value, node.input(slot))
    return value


def _chosen(node: NodeView, _: int) -> Expression:
    return _where(node.kept("condition"), node.input(0), node.input(1))


def _shrunk(soft: bool) -> Expression:
    bound = attribute("lambd")
    size = apply("abs", A)
    return _where(_greater(size, bound), A - apply("sign", A) * bound if soft else A, 0)


def _loss(element: Expression) -> Any:
    """Its elements, their mean or their sum, with the weights that the program gave."""

    def write(node: NodeView, _: int) -> Expression | None:
        if "pos_weight" in node.saved:
            return None
        weighted = element * node.kept("weight") if "weight" in node.saved else element
        return reduced(weighted, node.integer("reduction"))

    return write


def _huber(node: NodeView, _: int) -> Expression | None:
    """Half the square up to a bound, a line beyond it."""
    beta, delta = node.number("beta"), node.number("delta")
    size = apply("abs", A - B)
    if delta is not None:
        element = _where(apply("less_equal", size, delta), (A - B) ** 2 * 0.5, delta * (size - 0.5 * delta))
    elif beta:
        element = _where(apply("less", size, beta), (A - B) ** 2 * 0.5 / beta, size - 0.5 * beta)
    else:
        element = size
    return reduced(element, node.integer("reduction"))


def _soft_margin(node: NodeView, _: int) -> Expression | None:
    target = node.input(1) if node.operand(1).shape is not None else node.kept("target")
    return reduced(_log1p_exp(-target * node.input(0)), node.integer("reduction"))


def _at_least(x: Expression, bound: float) -> Expression:
    return apply("maximum", x, bound)


def _linear(node: NodeView, _: int) -> Expression:
    product = A @ apply("transpose", B)
    return product + C if node.operand(2).shape is not None else product


_CROSS_ENTROPY = -(B * _at_least(apply("ln", A), -100) + (1 - B) * _at_least(apply("ln1p", -A), -100))
_OF_LOGITS = (1 - B) * A + _log1p_exp(-A)
_S = apply("sigmoid", A)

FORWARD: Mapping[str, Source] = {
    **PARTS_FORWARD,
    # arithmetic
    "AddBackward0": A + _ALPHA * B,
    "SubBackward0": A - _ALPHA * B,
    "RsubBackward0": B - _ALPHA * A,
    "RsubBackward1": _from_number,
    "MulBackward0": A * B,
    "MulBackward1": A * attribute("other"),
    "DivBackward0": A / B,
    "DivBackward1": A / attribute("other"),
    "NegBackward0": -A,
    "PowBackward0": A ** attribute("exponent"),
    "PowBackward1": A**B,
    "SqrtBackward0": _on("sqrt"),
    "RsqrtBackward0": 1 / _on("sqrt"),
    "ReciprocalBackward0": 1 / A,
    "AddcmulBackward0": A + attribute("value", 1.0) * (B * C),
    "AddcdivBackward0": A + attribute("value", 1.0) * (B / C),
    "LerpBackward0": A + attribute("weight") * (B - A),
    "LerpBackward1": A + C * (B - A),
    "HypotBackward0": apply("sqrt", A**2 + B**2),
    "Atan2Backward0": apply("atan2", A, B),
    "AbsBackward0": _on("abs"),
    "SgnBackward0": _on("sign"),
    "SignBackward0": _on("sign"),
    "FloorBackward0": _on("floor"),
    "CeilBackward0": _on("ceil"),
    "TruncBackward0": _on("truncated"),
    "FracBackward0": A - _on("truncated"),
    # exponentials, logarithms, trigonometry
    "ExpBackward0": _on("exp"),
    "Exp2Backward0": 2.0**A,
    "Expm1Backward0": _on("expm1"),
    "LogBackward0": _on("ln"),
    "Log1PBackward0": _on("ln1p"),
    "Log2Backward0": _on("ln") / _LN2,
    "Log10Backward0": _on("ln") / _LN10,
    "LogaddexpBackward0": _where(
        apply("equal", A, B),
        A + _LN2,
        apply("maximum", A, B) + apply("ln1p", apply("exp", -apply("abs", A - B))),
    ),
    "SinBackward0": _on("sin"),
    "CosBackward0": _on("cos"),
    "TanBackward0": _on("tan"),
    "AsinBackward0": _on("asin"),
    "AcosBackward0": _on("acos"),
    "AtanBackward0": _on("atan"),
    "SinhBackward0": _on("sinh"),
    "CoshBackward0": _on("cosh"),
    "TanhBackward0": _on("tanh"),
    "AsinhBackward0": _on("asinh"),
    "AcoshBackward0": _on("acosh"),
    "AtanhBackward0": _on("atanh"),
    "ErfBackward0": _on("erf"),
    "ErfcBackward0": 2 * apply("normal_cdf", -A * math.sqrt(2)),
    # activations
    "SigmoidBackward0": _S,
    "LogSigmoidBackward0": -_log1p_exp(-A),
    "ReluBackward0": apply("maximum", A, 0),
    "LeakyReluBackward0": _where(_greater(A, 0), A, A * attribute("negative_slope")),
    "PreluKernelBackward0": _where(_greater(A, 0), A, B * A),
    "EluBackward0": _elu,
    "CeluBackward0": _celu,
    "SoftplusBackward0": _softplus,
    "GeluBackward0": _gelu,
    "SiluBackward0": A * _S,
    "HardtanhBackward0": _between("min_val", "max_val"),
    "HardsigmoidBackward0": apply("minimum", apply("maximum", A + 3, 0), 6) / 6,
    "HardswishBackward0": A * (apply("minimum", apply("maximum", A + 3, 0), 6) / 6),
    "HardshrinkBackward0": _shrunk(soft=False),
    "SoftshrinkBackward0": _shrunk(soft=True),
    "ClampBackward0": _clamped,
    "ClampBackward1": _between("min", "max"),
    "ClampMinBackward0": _between("min", ""),
    "ClampMinBackward1": apply("maximum", A, B),
    "ClampMaxBackward0": _between("", "max"),
    "ClampMaxBackward1": apply("minimum", A, B),
    "MaximumBackward0": apply("maximum", A, B),
    "MinimumBackward0": apply("minimum", A, B),
    "WhereBackward0": _chosen,
    # products of matrices
    "MmBackward0": A @ B,
    "BmmBackward0": A @ B,
    "MvBackward0": A @ B,
    "DotBackward0": apply("sum", A * B),
    "AddmmBackward0": _BETA * A + _ALPHA * (B @ C),
    "BaddbmmBackward0": _BETA * A + _ALPHA * (B @ C),
    "AddmvBackward0": _BETA * A + _ALPHA * (B @ C),
    "AddrBackward0": _BETA * A + _ALPHA * apply("outer", B, C),
    "LinearBackward0": _linear,
    # losses
    "MseLossBackward0": _loss((A - B) ** 2),
    "SmoothL1LossBackward0": _huber,
    "HuberLossBackward0": _huber,
    "BinaryCrossEntropyBackward0": _loss(_CROSS_ENTROPY),
    "BinaryCrossEntropyWithLogitsBackward0": _loss(_OF_LOGITS),
    "SoftMarginLossBackward0": _soft_margin,
}
"""What comes out of a node, by the name of its grad_fn: an expression of its inputs, or a
function that gives that of one output."""


def forward(node: NodeView, output: int = 0) -> Expression | None:
    """What ``output`` of ``node`` is made of; ``None`` if nobody has written it down."""
    source = FORWARD.get(node.grad_fn.rpartition("::")[2].removesuffix("_copy"))
    forms = bind(source, node, output) if source is not None else ()
    form = forms[0] if forms else None
    return None if isinstance(form, Words) else form
