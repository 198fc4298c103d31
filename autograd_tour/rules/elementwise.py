"""Rules of arithmetic, powers, exponentials and trigonometry: the gradient times a derivative."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from autograd_tour.record.rule import Constant, Expression, apply
from autograd_tour.rules.definition import A, B, C, Definition, G, X, Y, attribute, define
from autograd_tour.rules.node import NodeView

__all__ = ["ELEMENTWISE"]


def exp(x: Expression | float) -> Expression:
    return apply("exp", x)


def ln(x: Expression | float) -> Expression:
    return apply("ln", x)


def root(x: Expression) -> Expression:
    return apply("sqrt", x)


def zero_where(condition: Expression, value: Expression) -> Expression:
    """``value``, and 0 where ``condition`` holds: torch sends 0 there, though ``value`` may be no number."""
    return apply("where", condition, 0, value)


def over(x: Expression, y: Expression) -> Expression:
    """``x/y``, and 0 where ``y`` is 0."""
    return apply("over_norm", x, y)


ZERO = Constant(0)


def _abs(node: NodeView, _: int) -> Expression:
    """Of a complex number the direction that it points in."""
    complex_ = "complex" in node.operand(0).dtype
    return G * (over(node.input(0), node.result()) if complex_ else apply("sign", node.input(0)))


def _quotient(node: NodeView, slot: int) -> Expression:
    if node.text("rounding_mode"):
        return ZERO
    return G / B if slot == 0 else G * (-A / B**2)


def _quotient_by_number(node: NodeView, _: int) -> Expression | None:
    return ZERO if node.text("rounding_mode") else G / attribute("other")


def _power(node: NodeView, _: int) -> Expression | None:
    exponent = node.number("exponent")
    if exponent is None:
        return None
    if exponent in (0, 1):
        return G if exponent else ZERO
    if exponent >= 1:
        return G * (exponent * X ** (exponent - 1))
    if exponent == 0.5:
        return G * (0.5 / root(X))
    return G * (exponent / X ** (1 - exponent))


def _power_of_base(node: NodeView, _: int) -> Expression:
    """``e·b^(e − 1)``; at the exponent 0 torch sends 0, whatever the base."""
    base, exponent = node.input(0), node.input(1)
    slope = exponent * base ** (exponent - 1)
    return G * (slope if isinstance(exponent, Constant) else zero_where(apply("equal", exponent, 0), slope))


def _flat(node: NodeView, base: Expression, exponent: Expression) -> Expression | None:
    """Where ``b^e`` is flat: torch sends 0 at the base 0 unless the exponent is negative."""
    if isinstance(base, Constant) and float(base.value) != 0:
        return None
    given = node.operand(len(node.inputs) - 1)
    if node.is_twice(0, 1) and not isinstance(exponent, Constant) and "complex" not in given.dtype:
        return apply("equal", base, 0)  # where both are 0, the exponent is not negative
    on_axis = apply("equal", apply("imag", exponent), 0) if "complex" in given.dtype else None
    part = exponent if on_axis is None else apply("real", exponent)
    conditions = [None if isinstance(base, Constant) else apply("equal", base, 0), on_axis]
    flat = apply("greater_equal", part, 0)
    for condition in filter(None, reversed(conditions)):
        flat = apply("both", condition, flat)
    return flat


def _power_of_exponent(node: NodeView, slot: int, written: Callable[..., Expression]) -> Expression:
    """``b^e·ln(b)``; ``written`` is how ``b^e`` is written."""
    exponent = node.input(slot)
    number = node.number("self")
    base = node.input(0) if slot else attribute("self") if number is None else Constant(number)
    flat = _flat(node, base, exponent) if slot or number is not None else None
    slope = written(base, exponent) * ln(base)
    return G * (slope if flat is None else zero_where(flat, slope))


def _of_operands(node: NodeView, slot: int) -> Expression:
    return _power_of_exponent(node, slot, lambda base, exponent: base**exponent)


def _of_result(node: NodeView, slot: int) -> Expression:
    return _power_of_exponent(node, slot, lambda *_: Y)


def _times_logarithm(node: NodeView, _: int) -> Expression | None:
    """``x·ln(number)``: at ``x = 0`` torch sends 0 where the logarithm is not finite."""
    number = node.number("other")
    if number is None:
        return None
    return G * (ln(number) if number > 0 else zero_where(apply("equal", X, 0), ln(number)))


def _xlogy(node: NodeView, slot: int) -> Expression:
    """``ln(b)`` and ``a/b``; of ``x·ln(x)``, as in ``kl_div``, ``a/b`` is 1 wherever it is a number."""
    none = apply("equal", A, 0)
    if not node.is_twice(0, 1):
        return G * (A / B if slot else zero_where(apply("both", none, apply("less_equal", B, 0)), ln(B)))
    if not slot:
        return G * zero_where(none, ln(A))
    size = apply("abs", A)
    return G * apply(
        "where", apply("both", apply("less", 0, size), apply("less", size, math.inf)), 1, math.nan
    )


def _acosh(node: NodeView, _: int) -> Expression:
    """Of complex numbers the root of the product lies on another branch than the product of the roots."""
    if "complex" in node.operand(0).dtype:
        return G * (1 / (root(X - 1) * root(X + 1)))
    return G * (1 / root(X**2 - 1))


def _pointwise(*slots: object, holomorphic: bool = True) -> Definition:
    return Definition(slots, pointwise=True, holomorphic=holomorphic)


_SAME = _pointwise(G)
_STEPS = _pointwise(ZERO)
_VALUE = attribute("value", 1.0)

ELEMENTWISE: Mapping[str, Definition] = {
    "AddBackward0": _pointwise(G, G * attribute("alpha", 1.0)),
    "AddBackward1": _SAME,
    "SubBackward0": _pointwise(G, G * -attribute("alpha", 1.0)),
    "SubBackward1": _SAME,
    "RsubBackward0": _pointwise(G * -attribute("alpha", 1.0), G),
    "RsubBackward1": _pointwise(G * -attribute("alpha", 1.0)),
    "NegBackward0": _pointwise(-G),
    "MulBackward0": _pointwise(G * B, G * A),
    "MulBackward1": _pointwise(G * attribute("other")),
    "DivBackward0": _pointwise(G / B, G * (-A / B**2)),
    "DivBackward1": _pointwise(G / attribute("other")),
    "DivBackward2": _pointwise(_quotient, _quotient),
    "DivBackward3": _pointwise(_quotient_by_number),
    "PowBackward0": _pointwise(_power),
    "PowBackward1": _pointwise(_power_of_base, (_of_operands, _of_result)),
    "PowBackward2": _pointwise((_of_operands, _of_result)),
    "SqrtBackward0": _pointwise((G * (1 / (2 * root(X))), G * (1 / (2 * Y)))),
    "RsqrtBackward0": _pointwise(G * (-1 / (2 * X**1.5))),
    "ReciprocalBackward0": _pointwise(G * (-1 / X**2)),
    "AddcmulBackward0": define(
        G, G * (_VALUE * C), G * (_VALUE * B), fused=A + _VALUE * (B * C), pointwise=True, holomorphic=True
    ),
    "AddcdivBackward0": define(
        G,
        G * (_VALUE / C),
        G * (-(_VALUE * B) / C**2),
        fused=A + _VALUE * (B / C),
        pointwise=True,
        holomorphic=True,
    ),
    "LerpBackward0": define(
        G * (1 - attribute("weight")),
        G * attribute("weight"),
        fused=A + attribute("weight") * (B - A),
        pointwise=True,
        holomorphic=True,
    ),
    "LerpBackward1": define(
        G * (1 - C), G * C, G * (B - A), fused=A + C * (B - A), pointwise=True, holomorphic=True
    ),
    "HypotBackward0": _pointwise(G * (A / Y), G * (B / Y), holomorphic=False),
    "Atan2Backward0": _pointwise(G * over(B, A**2 + B**2), G * over(-A, A**2 + B**2), holomorphic=False),
    "XlogyBackward0": _pointwise(_xlogy, _xlogy, holomorphic=False),
    "XlogyBackward1": _pointwise(G * (attribute("self") / X), holomorphic=False),
    "XlogyBackward2": _pointwise(_times_logarithm, holomorphic=False),
    "FmodBackward0": _SAME,
    "FmodBackward1": _pointwise(G, G * -apply("truncated", A / B), holomorphic=False),
    "RemainderBackward0": _SAME,
    "RemainderBackward1": _pointwise(G, G * -apply("floor", A / B), holomorphic=False),
    # exponentials, logarithms, trigonometry; a long operand is better written through the result
    "ExpBackward0": _pointwise((G * exp(X), G * Y)),
    "Exp2Backward0": _pointwise((G * (2.0**X * ln(2)), G * (Y * ln(2)))),
    "Expm1Backward0": _pointwise(G * exp(X)),
    "LogBackward0": _pointwise(G * (1 / X)),
    "Log1PBackward0": _pointwise(G * (1 / (1 + X))),
    "Log2Backward0": _pointwise(G * (1 / (X * ln(2)))),
    "Log10Backward0": _pointwise(G * (1 / (X * ln(10)))),
    "LogaddexpBackward0": _pointwise(G * exp(A - Y), G * exp(B - Y)),
    "Logaddexp2Backward0": _pointwise(G * 2.0 ** (A - Y), G * 2.0 ** (B - Y), holomorphic=False),
    "SinBackward0": _pointwise(G * apply("cos", X)),
    "CosBackward0": _pointwise(G * -apply("sin", X)),
    "TanBackward0": _pointwise((G * (1 + apply("tan", X) ** 2), G * (1 + Y**2))),
    "AsinBackward0": _pointwise(G * (1 / root(1 - X**2))),
    "AcosBackward0": _pointwise(G * (-1 / root(1 - X**2))),
    "AtanBackward0": _pointwise(G * (1 / (1 + X**2))),
    "SinhBackward0": _pointwise(G * apply("cosh", X)),
    "CoshBackward0": _pointwise(G * apply("sinh", X)),
    "AsinhBackward0": _pointwise(G * (1 / root(X**2 + 1))),
    "AcoshBackward0": _pointwise(_acosh),
    "AtanhBackward0": _pointwise(G * (1 / (1 - X**2))),
    "ErfBackward0": _pointwise(G * (2 * exp(-(X**2)) / root(Constant(math.pi))), holomorphic=False),
    "ErfcBackward0": _pointwise(G * (-2 * exp(-(X**2)) / root(Constant(math.pi))), holomorphic=False),
    "ErfinvBackward0": _pointwise(G * (root(Constant(math.pi)) / 2 * exp(Y**2)), holomorphic=False),
    "LgammaBackward0": _pointwise(G * apply("digamma", X), holomorphic=False),
    "AbsBackward0": Definition((_abs,), pointwise=True, any_numbers=True),
    **dict.fromkeys(("FloorBackward0", "CeilBackward0", "RoundBackward0", "TruncBackward0"), _STEPS),
    **dict.fromkeys(
        ("RoundBackward1", "SignBackward0", "ZeroBackward0", "FillBackward0", "FillBackward2"), _STEPS
    ),
    "FracBackward0": _SAME,
}
"""The rules of operations that work element by element, by the name of the grad_fn."""
