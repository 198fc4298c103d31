"""Rules of special functions, of rarer activations, of randomness, and of the parts of complex numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from autograd_tour.record.rule import Constant, Expression, Symbol, apply
from autograd_tour.rules.activations import compared, indicator
from autograd_tour.rules.definition import A, B, Definition, G, X, Y, attribute, by_slot, define
from autograd_tour.rules.elementwise import ZERO, exp, ln, root
from autograd_tour.rules.node import NodeView
from autograd_tour.rules.normalisation import U, let

__all__ = ["SPECIAL"]

PI = Constant(math.pi)
I = apply("imaginary_unit")  # noqa: E741 - the name it has everywhere


def where(condition: Expression, value: Expression | float, otherwise: Expression | float) -> Expression:
    return apply("where", condition, value, otherwise)


def _sigmoid(x: Expression) -> Expression:
    return apply("sigmoid", x)


def _is_complex(node: NodeView, slot: int = 0) -> bool:
    return "complex" in node.operand(slot).dtype


def _polygamma(node: NodeView, _: int) -> Expression | None:
    order = node.integer("n")
    return None if order is None else G * apply("polygamma", order + 1, X)


def _mvlgamma(node: NodeView, _: int) -> Expression | None:
    """The multivariate gamma function is a product of gamma functions, half a step apart."""
    count = node.integer("p")
    if not count:
        return None
    terms = [apply("digamma", X - number / 2 if number else X) for number in range(count)]
    total: Expression = terms[0]
    for term in terms[1:]:
        total = total + term
    return G * total


def _xlog1py(node: NodeView, _: int) -> Expression:
    """``ln(1 + b)``, and 0 where ``a`` is 0 and that is no number, which it cannot be of ``x·ln(1 + x)``."""
    if node.is_twice(0, 1):
        return G * ln(1 + B)
    flat = apply("both", compared("equal", A, 0), compared("less_equal", B, -1))
    return G * where(flat, 0, ln(1 + B))


def _logit(node: NodeView, _: int) -> Expression:
    """With ``eps``, what lies outside is clamped; without, torch gives NaN outside 0 to 1.

    NaN lies nowhere, and stays NaN.
    """
    eps, slope = node.number("eps"), 1 / (X * (1 - X))
    low, high = (0.0, 1.0) if eps is None else (eps, 1 - eps)
    outside = apply("either", compared("less", X, low), compared("greater", X, high))
    return G * where(outside, Constant("nan") if eps is None else 0, slope)


def _rrelu(kept: Expression) -> Callable[[NodeView, int], Expression | None]:
    """``kept``: the input, or the result of what worked in place; both have the same sign."""
    return lambda node, _: _rrelu_of(node, kept)


def _rrelu_of(node: NodeView, kept: Expression) -> Expression | None:
    lower, upper = node.number("lower"), node.number("upper")
    if lower is None or upper is None or node.flag("training") is None:
        return None
    if node.flag("training") and upper - lower > 1e-6:
        return G * node.kept("noise", "slopes")
    return G * where(compared("greater", kept, 0), 1, (lower + upper) / 2)


def _glu(node: NodeView, _: int) -> Expression | None:
    shape, dim = node.shape(0), node.integer("dim")
    if not shape or dim is None:
        return None
    dim %= len(shape)
    a, b = Symbol("saved", 0, "h₁"), Symbol("saved", 0, "h₂")
    halves = [apply("half", node.input(0), dim=dim, which=which) for which in (1, 2)]
    joined = apply("joined", G * _sigmoid(b), G * (a * (_sigmoid(b) * (1 - _sigmoid(b)))), dim=dim)
    return let(halves[0], let(halves[1], joined, b), a)


def _sgn(node: NodeView, _: int) -> Expression:
    """Of a real number a step; of a complex one the part across the radius is left."""
    if not _is_complex(node):
        return ZERO
    y, size = node.result(), apply("abs", node.input(0))
    across = G - apply("real", apply("conj", y) * G) * y
    return where(apply("equal", size, 0), 0, across / size)


def _angle(node: NodeView, _: int) -> Expression:
    if not _is_complex(node):
        return ZERO
    x = node.input(0)
    return G * where(apply("equal", x, 0), 0, I * x / apply("abs", x) ** 2)


def _conjugated(node: NodeView, _: int) -> Expression:
    return apply("conj", G) if _is_complex(node) else G


def _vdot(node: NodeView, slot: int) -> Expression | None:
    if slot > 1:
        return None
    g = apply("conj", G) if slot == 0 and _is_complex(node) else G
    return g * node.input(1 - slot)


def _nextafter(_: NodeView, slot: int) -> Expression:
    return ZERO if slot else G * where(apply("equal", A, B), 0, 1)


def _pointwise(*slots: object, holomorphic: bool = False, any_numbers: bool = False) -> Definition:
    return Definition(slots, pointwise=True, holomorphic=holomorphic, any_numbers=any_numbers)


_NONE = by_slot(lambda _node, _slot: ZERO)
_RANDOM = (
    *(f"BernoulliBackward{number}" for number in range(3)),
    *(f"NormalBackward{number}" for number in range(4)),
    *(f"RandomBackward{number}" for number in range(3)),
    "CauchyBackward0",
    "ExponentialBackward0",
    "GeometricBackward0",
    "LogNormalBackward0",
    "PoissonBackward0",
    "UniformBackward0",
)
_SOFTPLUS = ln(1 + exp(X))

SPECIAL: Mapping[str, Definition] = {
    "DigammaBackward0": _pointwise(G * apply("polygamma", 1, X)),
    "PolygammaBackward0": _pointwise(_polygamma),
    "MvlgammaBackward0": _pointwise(_mvlgamma),
    "I0Backward0": _pointwise(G * apply("bessel_i1", X)),
    "SpecialI0EBackward0": _pointwise(G * (apply("bessel_i1e", X) - apply("sign", X) * Y)),
    "SpecialI1Backward0": _pointwise(
        G * where(compared("equal", X, 0), 0.5, apply("bessel_i0", X) - Y / X),
    ),
    "SpecialI1EBackward0": _pointwise(
        G * where(compared("equal", X, 0), 0.5, apply("bessel_i0e", X) - Y * (apply("sign", X) + 1 / X)),
    ),
    "SincBackward0": _pointwise(
        G * where(compared("equal", X, 0), 0, (apply("cos", PI * X) - Y) / X), holomorphic=True
    ),
    "SpecialNdtriBackward0": _pointwise(G * (root(Constant(2)) * root(PI) * exp(Y**2 / 2))),
    "SpecialLogNdtrBackward0": _pointwise(G * (exp(-(Y + X**2 / 2)) / (root(Constant(2)) * root(PI)))),
    "SpecialErfcxBackward0": _pointwise(G * (2 * X * Y - 2 / root(PI))),
    "SpecialEntrBackward0": _pointwise(G * (-1 - ln(X))),
    "SpecialXlog1PyBackward0": _pointwise(
        _xlog1py,
        G * (A / (1 + B)),
    ),
    "SpecialXlog1PyBackward1": _pointwise(G * (attribute("self") / (1 + X))),
    "LdexpBackward0": _pointwise(G * 2.0**B, G * (Y * ln(2)), holomorphic=True),
    "FrexpBackward0": _pointwise(lambda node, _: G / 2.0 ** node.kept("exponent", "exponent")),
    "LogitBackward0": _pointwise(_logit),
    "MishBackward0": _pointwise(
        let(apply("tanh", _SOFTPLUS), G * (U + X * (1 - U**2) * _sigmoid(X))),
    ),
    "GluBackward0": by_slot(_glu),
    **dict.fromkeys(("RreluWithNoiseBackward0", "RreluWithNoiseFunctionalBackward0"), _pointwise(_rrelu(X))),
    "RreluWithNoiseBackward1": _pointwise(_rrelu(Y)),
    "NanToNumBackward0": _pointwise(G * indicator(apply("finite", X))),
    "CopysignBackward0": _pointwise(G * where(compared("equal", A, 0), 0, Y / A), ZERO),
    "CopysignBackward1": _pointwise(G * where(compared("equal", X, 0), 0, Y / X)),
    "NextafterBackward0": _pointwise(_nextafter, _nextafter),
    "Deg2RadBackward0": _pointwise(G * (PI / 180)),
    "Rad2DegBackward0": _pointwise(G * (180 / PI)),
    **dict.fromkeys(_RANDOM, _NONE),
    # complex numbers and their parts
    "ConjBackward0": _pointwise(_conjugated, any_numbers=True),
    "ConjPhysicalBackward0": _pointwise(_conjugated, any_numbers=True),
    "ComplexBackward0": _pointwise(apply("real", G), apply("imag", G), any_numbers=True),
    "PolarBackward0": _pointwise(
        apply("real", apply("conj", G) * apply("sign", Y)),
        apply("real", apply("conj", G) * (Y * I)),
        any_numbers=True,
    ),
    "ViewAsRealBackward0": define(apply("as_complex", G), any_numbers=True),
    "ViewAsComplexBackward0": define(apply("as_real", G), any_numbers=True),
    "SgnBackward0": _pointwise(_sgn, any_numbers=True),
    "AngleBackward0": _pointwise(_angle, any_numbers=True),
    "VdotBackward0": define(_vdot, _vdot, any_numbers=True),
}
"""These rules, by the name of the grad_fn."""
