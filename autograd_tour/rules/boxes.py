"""Formulas as boxes: rows, fractions, powers and roots, written as plain text, LaTeX or MathML."""

from __future__ import annotations

import re
from html import escape
from typing import Literal

from msgspec import Struct

from autograd_tour.text import clean

__all__ = ["Box", "Fraction", "Power", "Root", "Row", "Word", "to_latex", "to_mathml", "to_plain"]

Kind = Literal["name", "number", "operator", "function", "text"]


class Box(Struct, frozen=True):
    """A part of a formula."""


class Word(Box, frozen=True):
    """A name of the program, a number, an operator, a function's name, or words."""

    text: str
    kind: Kind = "name"


class Row(Box, frozen=True):
    """Boxes side by side."""

    items: tuple[Box, ...]


class Fraction(Box, frozen=True):
    """One box above another. ``flat``: in plain text it needs no brackets around its parts."""

    above: Box
    below: Box
    flat: bool = False


class Power(Box, frozen=True):
    """A box with another one above its right corner: an exponent, ``T`` or ``H``."""

    base: Box
    exponent: Box


class Root(Box, frozen=True):
    """The square root of a box."""

    inside: Box


# ---- plain text ------------------------------------------------------------------------------

_RAISED = {"2": "²", "3": "³", "T": "ᵀ", "H": "ᴴ", "−1": "⁻¹"}


def to_plain(box: Box) -> str:
    """The formula in one line of text."""
    match box:
        case Word(text, kind):
            return f" {text} " if kind == "operator" and text in _SPACED else text
        case Row(items):
            return "".join(map(to_plain, items))
        case Fraction(above, below, flat):
            parts = to_plain(above), to_plain(below)
            return "/".join(part if flat or _is_single(part) else f"({part})" for part in parts)
        case Power(base, exponent):
            given = to_plain(exponent)
            raised = _RAISED.get(given)
            return f"{to_plain(base)}{raised or ('^' + (given if _is_single(given) else f'({given})'))}"
        case Root(inside):
            given = to_plain(inside)
            return f"√{given}" if _is_single(given) else f"√({given})"
    raise TypeError(box)


_SPACED = frozenset("=+−·⊙⊗@<>≤≥≠") | {"and", "or", "if", "else"}


def _is_single(text: str) -> bool:
    """Whether nothing can be torn apart: a name, a number, or brackets around all of it."""
    depth = 0
    for position, char in enumerate(text):
        depth += (char in "([‖") - (char in ")]")
        if depth == 0 and char in " /+−·^" and position:
            return False
    return True


# ---- LaTeX -----------------------------------------------------------------------------------

_GREEK = dict(
    zip(
        "αβγδεζηθικλμνξπρστυφχψωΓΔΘΛΞΠΣΦΨΩ",
        (
            *("alpha", "beta", "gamma", "delta", "varepsilon", "zeta", "eta", "theta", "iota", "kappa"),
            *("lambda", "mu", "nu", "xi", "pi", "rho", "sigma", "tau", "upsilon", "varphi", "chi", "psi"),
            *("omega", "Gamma", "Delta", "Theta", "Lambda", "Xi", "Pi", "Sigma", "Phi", "Psi", "Omega"),
        ),
        strict=True,
    )
)
_OPERATORS = {
    "|": "|",
    "·": r"\cdot",
    "⊙": r"\odot",
    "⊗": r"\otimes",
    "−": "-",
    "≤": r"\leq",
    "≥": r"\geq",
    "≠": r"\neq",
    "Σ": r"\sum",
    "∂": r"\partial",
    "‖": r"\|",
    "∞": r"\infty",
    "and": r"\text{ and }",
    "or": r"\text{ or }",
    "if": r"\text{ if }",
    "else": r"\text{ else }",
    "[": r"\left[",
    "]": r"\right]",
    "(": r"\left(",
    ")": r"\right)",
    "1[": r"\mathbf{1}\left[",
}
_SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{char: f"\\{char}" for char in "&%$#_{}"},
}


def to_latex(box: Box) -> str:
    """The formula for LaTeX's mathematics mode, without dollar signs. Words in it need amsmath."""
    match box:
        case Word(text, kind):
            return _latex_word(text, kind)
        case Row(items):
            return " ".join(map(to_latex, items))
        case Fraction(above, below):
            return rf"\frac{{{to_latex(above)}}}{{{to_latex(below)}}}"
        case Power(base, exponent):
            given = to_latex(exponent)
            raised = rf"\mathsf{{{given}}}" if given in ("T", "H") else given
            return f"{{{to_latex(base)}}}^{{{raised}}}"
        case Root(inside):
            return rf"\sqrt{{{to_latex(inside)}}}"
    raise TypeError(box)


def _latex_word(text: str, kind: Kind) -> str:
    match kind:
        case "number":
            return _latex_number(text)
        case "operator":
            return _OPERATORS.get(text, text)
        case "function":
            return _GREEK_COMMAND(text) or rf"\operatorname{{{_escaped(text)}}}"
        case "text":
            return rf"\text{{{_escaped(text)}}}"
    if re.fullmatch("[A-Za-z]", text):
        return text
    return _GREEK_COMMAND(text) or rf"\mathit{{{_escaped(text)}}}"


def _GREEK_COMMAND(text: str) -> str:  # noqa: N802 - a table with one exception
    return f"\\{_GREEK[text]}" if text in _GREEK else ""


def _latex_number(text: str) -> str:
    mantissa, sign, exponent = text.replace("−", "-").partition("e")
    if not sign or not exponent.lstrip("-").isdigit():
        return {"∞": r"\infty", "-∞": r"-\infty", "π": r"\pi", "-π": r"-\pi", "NaN": r"\text{NaN}"}.get(
            mantissa + sign + exponent, mantissa + sign + exponent
        )
    return rf"{mantissa} \cdot 10^{{{exponent}}}"


def _escaped(text: str) -> str:
    return "".join(_SPECIAL.get(char, char) for char in text)


# ---- MathML ----------------------------------------------------------------------------------

_TAGS = {"name": "mi", "number": "mn", "operator": "mo", "function": "mi", "text": "mtext"}
_BRACKETS = {"1[": "<mn>1</mn><mo>[</mo>"}


def to_mathml(box: Box) -> str:
    """The formula as a ``math`` element, well-formed on its own."""
    return f'<math xmlns="http://www.w3.org/1998/Math/MathML">{_mathml(box)}</math>'


def _mathml(box: Box) -> str:
    match box:
        case Word(text, kind):
            if text in _BRACKETS:
                return _BRACKETS[text]
            if kind == "operator" and text.isalpha() and text not in _GREEK:
                return f"<mtext>&#160;{text}&#160;</mtext>"
            if kind == "text":
                # A space at either end of words would be dropped.
                text = text.replace(" ", "\u00a0")
            return f"<{_TAGS[kind]}>{escape(clean(text))}</{_TAGS[kind]}>"
        case Row(items):
            return f"<mrow>{''.join(map(_mathml, items))}</mrow>"
        case Fraction(above, below):
            return f"<mfrac>{_mathml(above)}{_mathml(below)}</mfrac>"
        case Power(base, exponent):
            return f"<msup>{_mathml(base)}{_mathml(exponent)}</msup>"
        case Root(inside):
            return f"<msqrt>{_mathml(inside)}</msqrt>"
    raise TypeError(box)
