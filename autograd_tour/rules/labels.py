"""What a person calls an operation: ``w * t_u``, ``(t_p − t_c)²``, ``mean``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from autograd_tour.rules.node import is_compound
from autograd_tour.text import friendly_name

__all__ = ["describe"]

EXPRESSION_LIMIT = 16
"""A longer expression is not repeated inside another label."""

LABEL_LIMIT = 28
_UNKNOWN = "…"
"""An operand that has no name."""

_INFIX = {
    "Add": "+",
    "Sub": "−",
    "Mul": "*",
    "Div": "/",
    "Mm": "@",
    "Bmm": "@",
    "Mv": "@",
    "Dot": "@",
    "Pow": "^",
}
_MATMUL = ("mm", "matmul", "mv", "dot", "inner", "linear")
_SIGNED = {"Add": ("add",), "Sub": ("sub",), "Mul": ("mul",), "Div": ("div",)} | dict.fromkeys(
    ("Mm", "Bmm", "Mv", "Dot"), _MATMUL
)
"""What a function is called that is its own operator: a dropout multiplies, but is no ``x * 0.5``."""
_SWAPPED = {"Rsub": "Sub"}
_SUPERSCRIPT = str.maketrans("0123456789−-.", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁻·")


def describe(
    grad_fn: str, function: str, texts: Sequence[str], attributes: Mapping[str, str]
) -> tuple[str, str]:
    """(label, expression) of an operation.

    ``texts`` are the operands as the program wrote them, ``""`` for one without a name.
    ``function`` is the torch function if it made this node alone, else ``""``. The expression is
    ``""`` if it would be too long to stand inside another label.
    """
    bare = re.sub(r"Backward\d*$", "", grad_fn)
    if bare in _SWAPPED:
        bare, texts = _SWAPPED[bare], (list(texts)[::-1] if function == "rsub" else texts)
    if bare == "Pow":
        return _power(texts, attributes)
    if bare == "T" and texts and texts[0]:
        return "transpose", texts[0].removesuffix("ᵀ") if texts[0].endswith("ᵀ") else f"{_inner(texts[0])}ᵀ"
    if bare == "Neg" and texts:
        return _both(f"−{_inner(texts[0])}" if texts[0] else f"−{_UNKNOWN}", bool(texts[0]))
    if function and bare in _SIGNED and not any(stem in function for stem in _SIGNED[bare]):
        return _call(function, grad_fn, texts)
    if bare in _INFIX and len(texts) == 1 and texts[0] and bare == "Mul":
        texts = [*texts, ""]
    fused = function.startswith("add") and bare == "Mm"
    if bare in _INFIX and len(texts) >= 2 and any(texts[:2]) and not fused:
        return _infix(_INFIX[bare], texts[0], texts[1])
    return _call(function, grad_fn, texts)


def _call(function: str, grad_fn: str, texts: Sequence[str]) -> tuple[str, str]:
    """``exp(x)``, or ``exp`` where that would be long."""
    name = function if function and not function.startswith("_") else friendly_name(grad_fn)
    operands = [text for text in texts if text]
    if any("…" in text for text in operands):
        return name, f"{name}(…)"
    if operands and len(operands) == len(texts):
        call = f"{name}({', '.join(operands)})"
        if len(call) <= EXPRESSION_LIMIT:
            return call, call
    return name, ""


def _power(texts: Sequence[str], attributes: Mapping[str, str]) -> tuple[str, str]:
    base = texts[0] if texts else ""
    exponent = texts[1] if len(texts) > 1 and texts[1] else attributes.get("exponent", "")
    base_text = _inner(base) if base else _UNKNOWN
    if re.fullmatch(r"[-−]?\d{1,3}", exponent):
        return _both(base_text + exponent.translate(_SUPERSCRIPT), bool(base))
    return _both(f"{base_text}^{_inner(exponent) if exponent else _UNKNOWN}", bool(base and exponent))


def _infix(sign: str, left: str, right: str) -> tuple[str, str]:
    if left and right:
        tight = sign in "*/@^"
        a, b = (_inner(left), _inner(right)) if tight else (left, _inner(right) if sign == "−" else right)
        return _both(f"{a} {sign} {b}", True)
    return f"{_inner(left) or _UNKNOWN} {sign} {_inner(right) or _UNKNOWN}", ""


def _inner(text: str) -> str:
    """An operand inside a larger expression: in brackets if it is one itself."""
    return f"({text})" if is_compound(text) or text.startswith("−") else text


def _both(label: str, whole: bool) -> tuple[str, str]:
    return label[:LABEL_LIMIT], label if whole and len(label) <= EXPRESSION_LIMIT else ""
