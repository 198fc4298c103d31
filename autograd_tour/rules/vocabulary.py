"""The functions that derivative rules are made of, and what those that work on single numbers compute.

A function that is not in :data:`ON_NUMBERS` looks at more than one element.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from autograd_tour.rules.special_numbers import (
    bessel_i0,
    bessel_i0e,
    bessel_i1,
    bessel_i1e,
    digamma,
    polygamma,
)

__all__ = ["CALLS", "ON_NUMBERS"]


def _sign(x: float) -> float:
    return float((x > 0) - (x < 0))


def _sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


def _normal_density(x: float) -> float:
    return math.exp(-x * x / 2) / math.sqrt(2 * math.pi)


def _divide(a: float, b: float) -> float:
    if b == 0:
        return math.nan if a == 0 or math.isnan(a) else math.copysign(math.inf, a) * math.copysign(1.0, b)
    return a / b


def _power(a: float, b: float) -> float:
    if a == 0 and b < 0:
        return math.inf
    value = a**b
    return value if isinstance(value, float | int) else math.nan


def _logarithm(x: float) -> float:
    return -math.inf if x == 0 else math.log(x) if x > 0 else math.nan


def _root(x: float) -> float:
    return math.sqrt(x) if x >= 0 else math.nan


def _tanh_gelu(x: float) -> float:
    k, c = math.sqrt(2 / math.pi), 0.044715
    t = math.tanh(k * (x + c * x**3))
    return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * k * (1 + 3 * c * x * x)


ON_NUMBERS: Mapping[str, Callable[..., float]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": _divide,
    "neg": lambda a: -a,
    "pow": _power,
    "exp": math.exp,
    "ln": _logarithm,
    "sqrt": _root,
    "sin": math.sin,
    "cos": math.cos,
    "tan": math.tan,
    "sinh": math.sinh,
    "cosh": math.cosh,
    "tanh": math.tanh,
    "sigmoid": _sigmoid,
    "normal_cdf": lambda x: 0.5 * math.erfc(-x / math.sqrt(2)),
    "normal_density": _normal_density,
    "gelu_tanh_derivative": _tanh_gelu,
    "sign": _sign,
    "abs": abs,
    "over_norm": lambda x, y: _divide(x, y) if y else 0.0,
    "clamp": lambda x, low, high: min(max(x, low), high),
    "digamma": digamma,
    "polygamma": polygamma,
    "bessel_i0": bessel_i0,
    "bessel_i0e": bessel_i0e,
    "bessel_i1": bessel_i1,
    "bessel_i1e": bessel_i1e,
    "is_nan": lambda x: float(math.isnan(x)),
    "finite": lambda x: float(math.isfinite(x)),
    "floor": lambda x: float(math.floor(x)) if math.isfinite(x) else x,
    "truncated": lambda x: float(math.trunc(x)) if math.isfinite(x) else x,
    "conj": lambda x: x,
    "real": lambda x: x,
    "imag": lambda _: 0.0,
    "less": lambda a, b: float(a < b),
    "less_equal": lambda a, b: float(a <= b),
    "greater": lambda a, b: float(a > b),
    "greater_equal": lambda a, b: float(a >= b),
    "equal": lambda a, b: float(a == b),
    "both": lambda a, b: float(bool(a) and bool(b)),
    "either": lambda a, b: float(bool(a) or bool(b)),
    "not": lambda a: float(not a),
    "where": lambda condition, a, b: a if condition else b,
    # Beside a NaN nothing is greater, and torch lets both pass.
    "greater_ties_half": lambda a, b: 0.0 if a < b else 0.5 if a == b else 1.0,
    "less_ties_half": lambda a, b: 0.0 if a > b else 0.5 if a == b else 1.0,
}
"""What each function of single numbers computes, as torch does: ``1/0`` is infinite, ``ln(-1)`` is NaN."""


CALLS: Mapping[str, str] = {
    "exp": "exp",
    "ln": "ln",
    "sin": "sin",
    "cos": "cos",
    "tan": "tan",
    "sinh": "sinh",
    "cosh": "cosh",
    "tanh": "tanh",
    "sigmoid": "σ",
    "normal_cdf": "Φ",
    "normal_density": "φ",
    "gelu_tanh_derivative": "gelu_tanh′",
    "sign": "sign",
    "abs": "abs",
    "digamma": "digamma",
    "polygamma": "polygamma",
    "bessel_i0": "I₀",
    "bessel_i0e": "I₀e",
    "bessel_i1": "I₁",
    "bessel_i1e": "I₁e",
    "imag": "Im",
    "joined": "cat",
    "stack_all": "stack",
    "cat_all": "cat",
    "cofactors": "cofactors",
    "mirrored": "mirrored",
    "skew": "skew",
    "cross": "cross",
    "fft": "fft",
    "ifft": "ifft",
    "rfft": "rfft",
    "as_diagonal": "diag",
    "cumulative_from_end": "cumsum_from_end",
    "floor": "floor",
    "truncated": "trunc",
    "conj": "conj",
    "real": "Re",
    "softmax": "softmax",
    "mean": "mean",
    "conv": "conv",
    "at_target": "picked",
    "inverse": "inv",
    "logsumexp": "logsumexp",
}
"""Functions that are written as calls, and by which name."""
