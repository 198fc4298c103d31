"""A rule in a few words, as it stands on an arrow: ``× 2(t_p − t_c)``, ``@ Wᵀ``, ``Σ over 11``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from autograd_tour.record.rule import Apply, Constant, Expression, Rule, Symbol, Words
from autograd_tour.rules.spelling import Level, Printer, Speller, bracket, numeral, plain_name

__all__ = ["PHRASES", "follows_gradient", "has_gradient", "is_gradient", "shape_text", "short"]

PHRASES: dict[str, str] = {
    "cast": "cast to {dtype}",
    "flip": "flip back",
    "roll": "roll back",
    "crop": "{where}",
    "copies_summed": "Σ over the copies",
    "windows_added": "added back in place",
    "diagonal": "its diagonal",
    "diagonal_gradient": "to the diagonal",
    "trace_gradient": "to the diagonal",
    "cumulative_from_end": "cumsum from the end",
    "stack_all": "stack of all {g}",
    "cat_all": "cat of all {g}",
    "heads_summed": "Σ over groups of {count} heads",
    "added_at": "added at {where}",
    "zero_at": "0 at {where}",
    "taken_at": "taken at {where}",
    "rows_added": "{where}",
    "placed_at": "{where}",
    "placed_at_mask": "to the mask",
    "shared_by_equals": "{where}",
    "windows_placed": "{where}",
    "placed_at_target": "× {a2} {where}",
    "spread": "{told}",
    "spread_unevenly": "shared by each window",
    "conv_input": "{told} with {a1}{walk}",
    "conv_weight": "correlate with {a1}{walk}",
    "as_complex": "pairs as complex numbers",
    "as_real": "complex numbers as pairs",
    "block": "slice {g}[{inside}]",
    "padding_added": "added where it was copied from",
    "upsample_back": "{where}",
    "patches_added": "patches added back in place",
    "patches": "patches taken",
    "pixel_shuffle": "channels back to pixels",
    "pixel_unshuffle": "pixels back to channels",
    "channel_shuffle": "channels shuffled back",
    "windows_taken": "taken at {a1}",
    "rot90": "turned back",
    "zero_diagonal": "0 on the diagonal",
    "windows": "windows taken",
    "rows_taken": "rows taken",
    "taken_at_mask": "taken at {a1}, in order",
    "summed_at": "Σ at the indices",
}
"""What a function does to its first argument, the gradient ``g``; options stand in braces."""


def short(rule: Rule | Expression | None, name: Speller = plain_name, digits: int = 4) -> str:
    """``rule`` as it stands on an arrow, ``""`` for no rule.

    The gradient itself is not written, only what is done to it; where that is no single deed, the whole
    expression is, with ``g`` for the gradient.
    """
    if rule is None:
        return ""
    if isinstance(rule, Words):
        return rule.text
    return _deed(Printer(name, digits), rule)


def shape_text(shape: tuple[int, ...]) -> str:
    """``(2, 3)``, ``(11)``; words for the shape of a scalar."""
    return f"({', '.join(map(str, shape))})" if shape else "a scalar"


def has_gradient(node: Expression) -> bool:
    """Whether the gradient that comes in stands anywhere in ``node``."""
    if isinstance(node, Apply):
        return any(map(has_gradient, node.arguments))
    return is_gradient(node)


def follows_gradient(rule: Expression) -> bool:
    """Whether ``rule`` is written as what is done to the gradient in front of it: ``× 2x``, ``÷ 11``."""
    if isinstance(rule, Symbol):
        return rule.role == "gradient"
    if not isinstance(rule, Apply) or not rule.arguments or not is_gradient(rule.arguments[0]):
        return False
    return rule.function == "neg" or (
        rule.function in ("mul", "div") and not any(map(has_gradient, rule.arguments[1:]))
    )


def is_gradient(node: Expression) -> bool:
    """Whether ``node`` is the gradient, maybe repeated over the elements that a sum was made of."""
    if isinstance(node, Apply) and node.function == "expand":
        return is_gradient(node.arguments[0])
    return isinstance(node, Symbol) and node.role == "gradient"


def _deed(printer: Printer, node: Expression) -> str:
    if isinstance(node, Symbol) and node.role == "gradient":
        return "× 1"
    if isinstance(node, Constant) and float(node.value) == 0:
        return "× 0"
    if not isinstance(node, Apply) or not has_gradient(node):
        return printer.piece(node).text
    writer = _WRITERS.get(node.function)
    text = writer(printer, node) if writer is not None else ""
    if not text and node.function in PHRASES:
        names = {f"a{i}": printer.piece(item).text for i, item in enumerate(node.arguments)}
        names["g"] = _letter(printer, node)
        names["walk"] = _walk(node).format_map(names)
        text = _after(printer, node, PHRASES[node.function].format_map(_options(node) | names))
    return text or printer.piece(node).text


def _letter(printer: Printer, node: Expression) -> str:
    """What the gradient in ``node`` is called; ``""`` if there is none."""
    if isinstance(node, Apply):
        return next(filter(None, (_letter(printer, argument) for argument in node.arguments)), "")
    return printer.piece(node).text if is_gradient(node) else ""


def _options(node: Apply) -> dict[str, Any]:
    return {
        key: shape_text(value)
        if isinstance(value, tuple)
        else numeral(value)
        if isinstance(value, float)
        else value
        for key, value in node.options
    }


def _walk(node: Apply) -> str:
    """How a convolution goes over its input, where it is no plain one: ``, stride 2, 4 groups``."""
    # Towards the weight g is the kernel: a step over the input is a gap in it, and a gap a step. A transposed
    # convolution steps over g, so there the gaps are in the input.
    spread = "{a1}" if _has(node, "transposed") and node.option("transposed") else "{g}"
    towards_weight = node.function == "conv_weight"
    turned = {"stride": f"{spread} dilated by", "dilation": "in steps of"} if towards_weight else {}
    steps = [(name, set(node.option(name) or (1,))) for name in ("stride", "dilation") if _has(node, name)]
    parts = [
        f"{turned.get(name, name)} {max(sizes) if len(sizes) == 1 else shape_text(node.option(name))}"
        for name, sizes in steps
        if sizes != {1}
    ]
    if _has(node, "groups") and node.option("groups") > 1:
        parts.append(f"{node.option('groups')} groups")
    return "".join(f", {part}" for part in parts)


def _has(node: Apply, name: str) -> bool:
    return any(key == name for key, _ in node.options)


def _after(printer: Printer, node: Apply, text: str) -> str:
    """``text``, behind what is done to the gradient before it."""
    inner = _deed(printer, node.arguments[0])
    return text if inner == "× 1" else f"{inner}, {text}"


def _multiplied(printer: Printer, node: Apply) -> str:
    left, right = node.arguments
    if has_gradient(right):
        return ""
    if is_gradient(left):
        return f"× {_factor(printer, right)}"
    if isinstance(left, Apply) and left.function in ("matmul", "outer"):
        return f"{_deed(printer, left)}, × {_factor(printer, right)}"
    return ""


def _factor(printer: Printer, node: Expression) -> str:
    """A factor behind ×."""
    return bracket(printer.piece(node), Level.NEGATIVE)


def _divided(printer: Printer, node: Apply) -> str:
    above, below = node.arguments
    return f"÷ {bracket(printer.piece(below), Level.POWER)}" if is_gradient(above) else ""


def _negated(_: Printer, node: Apply) -> str:
    return "× −1" if is_gradient(node.arguments[0]) else ""


def _matrix(printer: Printer, node: Apply) -> str:
    left, right = node.arguments
    if is_gradient(left) and not has_gradient(right):
        return f"@ {bracket(printer.piece(right), Level.POWER)}"
    if is_gradient(right) and not has_gradient(left):
        return f"{bracket(printer.piece(left), Level.POWER)} @"
    return ""


def _outer(printer: Printer, node: Apply) -> str:
    left, right = node.arguments
    return f"⊗ {bracket(printer.piece(right), Level.POWER)}" if is_gradient(left) else ""


def _summed(printer: Printer, node: Apply) -> str:
    count = node.option("count")
    return _after(printer, node, f"Σ over {count}" if count else f"Σ to {shape_text(node.option('shape'))}")


def _expanded(printer: Printer, node: Apply) -> str:
    inner = _deed(printer, node.arguments[0])
    return f"broadcast to {shape_text(node.option('shape'))}" if inner == "× 1" else inner


def _beside_nan(printer: Printer, node: Expression) -> str:
    assert isinstance(node, Apply)
    return f"{_deed(printer, node.arguments[0])}; {node.option('told')}"


def _reshaped(printer: Printer, node: Apply) -> str:
    return _after(printer, node, f"reshape to {shape_text(node.option('shape'))}")


def _transposed(printer: Printer, node: Apply) -> str:
    return _after(printer, node, "transpose") if is_gradient(node.arguments[0]) else ""


def _ordered(printer: Printer, node: Apply) -> str:
    return _after(printer, node, f"permute {shape_text(node.option('dims'))}")


def _swapped(printer: Printer, node: Apply) -> str:
    return _after(printer, node, f"swap dims {', '.join(map(str, node.option('dims')))}")


def _real_part(printer: Printer, node: Apply) -> str:
    """Words, behind a deed in words; a formula takes its real part itself."""
    inner = node.arguments[0]
    in_words = isinstance(inner, Apply) and (inner.function in PHRASES or inner.function in _IN_WORDS)
    return _after(printer, node, "real part") if in_words else ""


def _indexed(lead: str) -> Callable[[Printer, Apply], str]:
    def write(printer: Printer, node: Apply) -> str:
        index = f"[{':, ' * node.option('dim')}{node.option('inside')}]"
        return _after(printer, node, f"{lead.format(g=_letter(printer, node))}{index}")

    return write


def _triangle(side: str) -> Callable[[Printer, Apply], str]:
    def write(printer: Printer, node: Apply) -> str:
        diagonal = node.option("diagonal")
        edge = f" from diagonal {numeral(diagonal)}" if diagonal else ""
        return _after(printer, node, f"× 1[{side} triangle{edge}]")

    return write


_IN_WORDS = frozenset(
    {"element_gradient", "expand", "permute", "reshape", "slice", "slice_gradient", "sum_to", "swap_dims"}
    | {"lower", "transpose", "upper", "zero_slice"}
)
"""Functions that are deeds in words, though they are no mere phrase."""

_WRITERS: dict[str, Callable[[Printer, Apply], str]] = {
    "mul": _multiplied,
    "div": _divided,
    "neg": _negated,
    "matmul": _matrix,
    "outer": _outer,
    "sum_to": _summed,
    "expand": _expanded,
    "reshape": _reshaped,
    "transpose": _transposed,
    "permute": _ordered,
    "swap_dims": _swapped,
    "element_gradient": _indexed("to element "),
    "slice_gradient": _indexed("to slice "),
    "slice": _indexed("slice {g}"),
    "zero_slice": _indexed("0 at "),
    "upper": _triangle("upper"),
    "lower": _triangle("lower"),
    "real": _real_part,
    "beside_nan": _beside_nan,
}
