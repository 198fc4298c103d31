"""Signs of our texts that pdflatex does not know: it leaves out a minus, and the number is another."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.config import Config

__all__ = ["declare_signs"]

_SIGNS = {
    "−": "-",
    "∂": r"\partial",
    "√": r"\surd",
    "∞": r"\infty",
    "≈": r"\approx",
    "≠": r"\neq",
    "≤": r"\leq",
    "≥": r"\geq",
    "⊗": r"\otimes",
    "⊙": r"\odot",
    "✕": r"\times",
    "→": r"\rightarrow",
    "←": r"\leftarrow",
    "′": "{}'",
    "‖": r"\Vert",
    "⁻": "{}^{-}",
    "ᵀ": r"{}^{\mathrm{T}}",
    "ᴴ": r"{}^{\mathrm{H}}",
    "\u0302": r"\hat{}",
}
_GREEK = "ΓΔΘΛΞΠΣΦΨΩαβγδεζηθικλμνξπρστυφχψω"
"""Names of the user's own are written in them, and so are rules."""


def declare_signs(_: Sphinx, config: Config) -> None:
    """Put them before the author's preamble, which may say otherwise; what is known already stays."""
    if config.latex_engine != "pdflatex":
        return
    signs = _SIGNS | {letter: _command(letter) for letter in _GREEK}
    lines = [
        f"\\ifcsname u8:\\detokenize{{{sign}}}\\endcsname\\else"
        f"\\DeclareUnicodeCharacter{{{ord(sign):04X}}}{{\\ensuremath{{{tex}}}}}\\fi"
        for sign, tex in signs.items()
    ]
    elements = dict(config.latex_elements)
    elements["preamble"] = "\n".join([*lines, elements.get("preamble", "")])
    config.latex_elements = elements


def _command(letter: str) -> str:
    """What TeX calls a Greek letter."""
    name = unicodedata.name(letter).rpartition(" ")[2].replace("LAMDA", "LAMBDA")
    return f"\\{name.capitalize() if letter.isupper() else name.lower()}"
