"""The functions that rules are made of, as data: how many arguments each takes, and the options it needs."""

from __future__ import annotations

from collections.abc import Mapping

from autograd_tour.record.rule import Apply, Constant, Expression, Rule, Words

__all__ = ["OPTIONS", "SIGNATURES", "fault"]

SIGNATURES: Mapping[str, int] = {
    # of single numbers
    **dict.fromkeys(
        (
            "neg",
            "exp",
            "ln",
            "sqrt",
            "sin",
            "cos",
            "tan",
            "sinh",
            "cosh",
            "tanh",
            "sigmoid",
            "normal_cdf",
            "normal_density",
            "gelu_tanh_derivative",
            "sign",
            "abs",
            "digamma",
            "bessel_i0",
            "bessel_i0e",
            "bessel_i1",
            "bessel_i1e",
            "finite",
            "is_nan",
            "floor",
            "truncated",
            "conj",
            "real",
            "imag",
            "not",
        ),
        1,
    ),
    **dict.fromkeys(
        (
            "add",
            "sub",
            "mul",
            "div",
            "pow",
            "polygamma",
            "less",
            "less_equal",
            "greater",
            "greater_equal",
            "equal",
            "both",
            "either",
            "greater_ties_half",
            "less_ties_half",
        ),
        2,
    ),
    **dict.fromkeys(("clamp", "where"), 3),
    # products of matrices
    "matmul": 2,
    "outer": 2,
    "transpose": 1,
    "einsum": 2,
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
    "masked_attention": 3,
    "heads_repeated": 1,
    "heads_summed": 1,
    "over_norm": 2,
    # `told`: what is sent beside a NaN
    "beside_nan": 2,
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
"""How many arguments each function takes."""

OPTIONS: Mapping[str, tuple[str, ...]] = {
    "cast": ("dtype",),
    "sum_to": ("shape",),
    "expand": ("shape",),
    "reshape": ("shape",),
    "permute": ("dims",),
    "swap_dims": ("dims",),
    "element_gradient": ("dim", "inside"),
    "slice_gradient": ("dim", "inside"),
    "slice": ("dim", "inside"),
    "rows_added": ("where",),
    "added_at": ("where",),
    "zero_at": ("where",),
    "taken_at": ("where",),
    "crop": ("where",),
    "placed_at": ("where",),
    "shared_by_equals": ("where",),
    "windows_placed": ("where",),
    "placed_at_target": ("where",),
    "upsample_back": ("where",),
    "spread": ("told",),
    "conv_input": ("told",),
    "block": ("inside",),
    "zero_slice": ("dim", "inside"),
    "zeros_behind": ("size",),
    **dict.fromkeys(("heads_repeated", "heads_summed"), ("count",)),
    "let": ("name",),
    "einsum": ("equation",),
    "beside_nan": ("told",),
}
"""The options without which a function cannot be written."""

DEEPEST = 60
LARGEST = 2_000


def fault(rule: Rule | None) -> str:
    """What is wrong with a rule that came from elsewhere, ``""`` if it can be written and worked out."""
    if rule is None or isinstance(rule, Words):
        return ""
    pending: list[tuple[Expression, int]] = [(rule, 0)]
    count = 0
    while pending:
        item, depth = pending.pop()
        count += 1
        if depth > DEEPEST or count > LARGEST:
            return "a rule is too large"
        if isinstance(item, Constant):
            try:
                float(item.value)
            except (ValueError, OverflowError):
                return f"{str(item.value)[:40]!r} is no number"
        if not isinstance(item, Apply):
            continue
        if item.function not in SIGNATURES:
            return f"there is no function {item.function[:40]!r}"
        if len(item.arguments) != SIGNATURES[item.function]:
            return f"{item.function} takes {SIGNATURES[item.function]} arguments, not {len(item.arguments)}"
        for name in OPTIONS.get(item.function, ()):
            if not isinstance(item.option(name), _KINDS[name]):
                return f"{item.function} needs the option {name!r}"
        pending += [(argument, depth + 1) for argument in item.arguments]
    return ""


_KINDS: Mapping[str, type | tuple[type, ...]] = {
    **dict.fromkeys(("shape", "dims"), tuple),
    **dict.fromkeys(("inside", "where", "told", "dtype", "name", "equation"), str),
    **dict.fromkeys(("dim", "count", "size"), (int, float)),
}
