"""Numbers as people read them: a few digits, a real minus sign, no padding."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Sequence
from decimal import Decimal
from functools import lru_cache

from autograd_tour.record.facts import Number
from autograd_tour.record.node import Attribute, Cut

__all__ = [
    "MINUS",
    "attribute_text",
    "clean",
    "closing",
    "cut_text",
    "friendly_name",
    "number",
    "one_line",
    "rounded",
]

MINUS = "\u2212"
"""The minus sign. A hyphen is shorter and easily lost in front of a digit."""

LONGEST = 24


def number(value: Number | complex, digits: int = 6) -> str:
    """``value`` with at most ``digits`` significant digits and no trailing zeros.

    Text stands for what JSON cannot hold (see :data:`autograd_tour.record.facts.Number`); text that is
    not a number comes back cut to 24 characters.

    >>> number(4517.296875), number(-2.5e-7), number(1.0), number("-inf"), number("(1-2j)")
    ('4517.3', '−2.5e−7', '1', '−inf', '1−2j')
    """
    if type(value) is float:
        return _real(value, digits)
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, str):
        return _from_text(value, digits)
    if isinstance(value, complex):
        imaginary = _real(value.imag, digits)
        sign = "" if imaginary.startswith(MINUS) else "+"
        return f"{_real(value.real, digits)}{sign}{imaginary}j"
    return _real(value, digits)


def _from_text(value: str, digits: int) -> str:
    text = value[:200]
    try:
        return _real(float(text), digits)
    except ValueError:
        pass
    try:
        return number(complex(text), digits)
    except ValueError:
        return one_line(value, LONGEST)


def _real(value: int | float, digits: int) -> str:
    if isinstance(value, int):
        # Counts and sizes are exact; an integer too long for a float must not raise.
        text = str(value) if abs(value) < 10**9 else f"{Decimal(value):.{max(digits - 1, 0)}e}"
    elif math.isfinite(value):
        text = format(value, _DIGITS.get(digits) or f".{max(digits, 1)}g")
    else:
        text = str(value)
    if "e" in text:
        mantissa, _, exponent = text.partition("e")
        if "." in mantissa:
            mantissa = mantissa.rstrip("0").rstrip(".")
        text = f"{mantissa}e{int(exponent)}"
    return "0" if text == "-0" else text.replace("-", MINUS)


def rounded(value: Number, digits: int = 4) -> str:
    """``value`` with ``digits`` significant digits; up to a million its integer part stays whole.

    >>> rounded(4517.296875), rounded(35.2), rounded(123456.7)
    ('4517', '35.2', '123457')
    """
    if isinstance(value, float) and 10**digits <= abs(value) < 10**6:
        return number(float(round(value)), 7)
    return number(value, digits)


_MOST_LOST = 0.01
"""Of a term of a sum, by rounding: more would make it another number."""


def closing(terms: Sequence[float], total: float, digits: int = 6) -> tuple[list[str], str | None]:
    """The terms of a sum and the sum, rounded to one decimal place in such a way that it closes as printed.

    The place is the one that leaves the largest number ``digits`` significant digits, or the nearest at
    which the rounded terms add up. ``None`` for the sum if there is none: what was lost in rounding is
    then larger than what is printed.

    >>> closing([4517.296875, 4517.296875], 9034.59375)
    (['4517.3', '4517.3'], '9034.6')
    >>> closing([3.0, 3.0, 1.0], 7.0)
    (['3', '3', '1'], '7')
    >>> closing([1e8, 1.0], 1e8)
    (['1e8', '1'], None)
    """
    values = [*terms, total]
    if not all(map(math.isfinite, values)):
        agree = math.isnan(total) or total == sum(terms)
        return [number(term, digits) for term in terms], number(total, digits) if agree else None
    largest = max(map(abs, values), default=0.0)
    natural = digits - 1 - (math.floor(math.log10(largest)) if largest else 0)
    for shift in (0, -1, 1, -2, 2, 3, 4, 5, 6):
        decimal_place = natural + shift
        if decimal_place < 0 and largest < 10**9:
            continue
        texts = [number(round(value, decimal_place), 15) for value in values]
        decimals = [Decimal(text.replace(MINUS, "-")) for text in texts]
        pairs = zip(values, decimals, strict=True)
        lost = any(abs(value - float(decimal)) > _MOST_LOST * abs(value) for value, decimal in pairs)
        if not lost and sum(decimals[:-1], Decimal(0)) == decimals[-1]:
            return texts[:-1], texts[-1]
    return [number(term, digits) for term in terms], None


def attribute_text(value: Attribute) -> str:
    """A node's attribute as people read it.

    >>> attribute_text((1, -1)), attribute_text("mean"), attribute_text(0.1)
    ('(1, −1)', 'mean', '0.1')
    """
    if isinstance(value, tuple):
        return f"({', '.join(map(attribute_text, value))})"
    return value if isinstance(value, str) and value != "-inf" else number(value)


def cut_text(cut: Cut) -> str:
    """What cut a constant off: ``detach of y``."""
    return f"{cut.function} of {cut.name}" if cut.name else cut.function


_DIGITS = {digits: f".{digits}g" for digits in range(1, 10)}


_BIDI = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def clean(text: str) -> str:
    """``text`` on one line; what XML, a terminal or the reader cannot bear becomes U+FFFD.

    That is control characters, lone surrogates, U+FFFE, U+FFFF, unassigned characters, and marks
    that turn the direction of writing.
    """
    if text.isprintable():  # none of its characters is of a category that is unfit
        return text
    return "".join(" " if c in "\t\n\r\u2028\u2029" else "\ufffd" if _unfit(c) else c for c in text)


def _unfit(char: str) -> bool:
    return char in _BIDI or unicodedata.category(char) in ("Cc", "Cs", "Cn")


def one_line(text: str, limit: int) -> str:
    """``text`` made clean and cut to ``limit`` characters, the last one then an ellipsis."""
    text = clean(text[: limit + 1])
    return text if len(text) <= limit else text[: limit - 1] + "…"


_PLAIN = {"t": "transpose", "unsafe_view": "view", "to_copy": "to", "native_layer_norm": "layer_norm"}


@lru_cache(maxsize=4096)
def friendly_name(grad_fn: str) -> str:
    """``NllLossBackward0`` -> ``nll_loss``."""
    bare = re.sub(r"(?<=\d)D", "d", re.sub(r"Backward\d*$", "", grad_fn))
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", bare).lower().strip("_")
    return _PLAIN.get(snake, snake) or grad_fn
