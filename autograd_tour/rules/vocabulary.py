"""The functions that derivative rules are made of, and what those that work on single numbers compute.

A function that is not in :data:`ON_NUMBERS` looks at more than one element. ``SIGNATURES`` has the number
of arguments of each (``None``: any), so that a rule from a file can be checked.
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

__all__ = ["CALLS", "ON_NUMBERS", "SIGNATURES"]


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
    "greater_ties_half": lambda a, b: 1.0 if a > b else 0.5 if a == b else 0.0,
    "less_ties_half": lambda a, b: 1.0 if a < b else 0.5 if a == b else 0.0,
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
    "upper": "triu",
    "lower": "tril",
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

_STRUCTURE: dict[str, int | None] = {
    # products of matrices
    "matmul": 2,
    "outer": 2,
    "transpose": 1,
    # reductions: `dims` (none: all), `keepdim`
    "sum": 1,
    "mean": 1,
    "softmax": 1,
    "logsumexp": 1,
    # shapes: `shape`; `dims` of an order
    "sum_to": 1,
    "expand": 1,
    "reshape": 1,
    "permute": 1,
    "swap_dims": 1,
    "cast": 1,
    # parts and places
    "element_gradient": 1,
    "slice_gradient": 1,
    "slice": 1,
    "stack_all": 1,
    "cat_all": 1,
    "flip": 1,
    "roll": 1,
    "crop": 1,
    "copies_summed": 1,
    "windows_added": 1,
    "diagonal": 1,
    "diagonal_gradient": 1,
    "trace_gradient": 1,
    "upper": 1,
    "lower": 1,
    "cumulative_from_end": 1,
    # places chosen by values or by an index: the index is an argument
    "added_at": 2,
    "zero_at": 2,
    "taken_at": 2,
    "rows_added": 2,
    "placed_at": 2,
    "inverse": 1,
    "placed_at_mask": 2,
    "placed_at_target": 3,
    "at_target": 2,
    "shared_by_equals": 3,
    "windows_placed": 2,
    "spread": 1,
    "spread_unevenly": 1,
    "product_of_others": 1,
    "conv": 2,
    "conv_input": 2,
    "conv_weight": 2,
    # rows: `dims` of a row, `groups` of channels; `kept`: all dimensions but these are summed
    "let": 2,
    "normalised": 1,
    "deviation": 1,
    "sum_but": 1,
    "beside": 1,
    "attention": 2,
    "over_norm": 2,
    # halves of a row; complex numbers and their parts
    "half": 1,
    "joined": 2,
    "imaginary_unit": 0,
    "as_complex": 1,
    "as_real": 1,
    # linear algebra: `left`: the matrix stands on the left
    "cofactors": 1,
    "solve": 2,
    "solve_triangular": 2,
    "mirrored": 1,
    "skew": 1,
    "inverse_gaps": 1,
    "as_diagonal": 1,
    "exp_block": 2,
    "cross": 2,
    "block": 1,
    # Fourier transforms over `dims`
    "fft": 1,
    "ifft": 1,
    "rfft": 1,
    "zeros_behind": 1,
    "inner_doubled": 1,
    # pictures
    "padding_added": 1,
    "upsample_back": 1,
    "patches_added": 1,
    "patches": 1,
    "pixel_shuffle": 1,
    "pixel_unshuffle": 1,
    "channel_shuffle": 1,
    "windows_taken": 2,
    "rot90": 1,
    "zero_diagonal": 1,
    "zero_slice": 1,
    "windows": 1,
    "rows_taken": 2,
    # running products, pairs of rows, and what was written at a mask or an index
    "later_products": 2,
    "pairs_pulled": 4,
    "pairs_signed": 3,
    "taken_at_mask": 2,
    "summed_at": 2,
}


def _signatures() -> dict[str, int | None]:
    counts: dict[str, int | None] = dict.fromkeys(("add", "sub", "mul", "div", "pow", "both", "either"), 2)
    counts |= {name: 2 for name in ON_NUMBERS if name.startswith(("less", "greater", "equal"))}
    counts |= {"clamp": 3, "where": 3, "polygamma": 2}
    return dict.fromkeys(ON_NUMBERS, 1) | counts | _STRUCTURE


SIGNATURES: Mapping[str, int | None] = _signatures()
"""How many arguments each function takes."""
