"""How wide a text is, and how to make any text safe to draw.

Layout and drawing agree on these widths: boxes are sized by them, and every text element carries
its width (``textLength``), so text stays in its box whatever font the reader has.
"""

from __future__ import annotations

import html
import re
import unicodedata
from functools import lru_cache

from autograd_tour.text import clean

__all__ = ["clean", "escape", "escape_once", "fit", "fit_around", "fit_heading", "text_width", "wrapped"]

# Advance widths of Arial in 1/1000 em (the same as Helvetica's and Liberation Sans's).
_REGULAR: dict[int, str] = {
    188: "′",
    191: "'",
    222: "ijlίι‘’",
    260: "|",
    278: " !,./:;I[\\]ft\xa0·íîïΙΪ",
    333: "()-`r²³“”",
    334: "{}",
    355: '"',
    365: "ⁿ",
    389: "*",
    395: "τ",
    400: "°",
    441: "ζ",
    446: "έε",
    448: "ξ",
    469: "^",
    482: "ς",
    494: "∂",
    500: "Jcksvxyzçγκλν",
    525: "χ",
    547: "ΰυ",
    549: "±÷√≈≠≤≥",
    551: "Γ",
    556: "#$0123456789?L_abdeghnopquàáâäèéêëñóôöùúûüåήηθο–",
    557: "δ",
    569: "ρ",
    575: "β",
    576: "μ",
    578: "άα",
    584: "+<=>~×−",
    611: "FTZßøΖΤ",
    617: "σ",
    618: "Σ",
    648: "φ",
    650: "Ξ",
    667: "&ABEKPSVXYÀÁÄÉΑΒΕΚΡΥΧΫ",
    668: "ΔΛ",
    690: "π",
    713: "ψ∞",
    722: "CDHNRUwÇÜΗΝΠ",
    748: "Ω",
    778: "GOQÖØΘΟ",
    781: "ω",
    798: "Φ",
    833: "MmΜ",
    835: "Ψ",
    889: "%æ",
    944: "W",
    1000: "—→←…",
    1015: "@",
}
_BOLD: dict[int, str] = {
    238: "'",
    240: "′",
    278: " ,./I\\ijl\xa0·íîïΙΪίι‘’",
    280: "|",
    333: "!()-:;[]`ft²³",
    389: "*r{}",
    396: "ⁿ",
    400: "°",
    445: "ξ",
    446: "τ",
    451: "έ",
    460: "ζ",
    474: '"',
    475: "ε",
    494: "∂",
    500: "z“”",
    520: "ς",
    541: "θ",
    549: "±÷√≈≠≤≥",
    556: "#$0123456789J_aceksvxyàáâäçèéêëåγλν–",
    558: "κ",
    576: "χ",
    582: "ΰυ",
    584: "+<=>^~×−",
    600: "Σ",
    601: "Γ",
    606: "δ",
    610: "β",
    611: "?FLTZbdghnopquñóôöùúûüßøΖΤήηο",
    612: "μ",
    615: "άα",
    619: "ρ",
    644: "Ξ",
    667: "EPSVXYÉΕΛΡΥΧΫ",
    684: "σ",
    713: "∞",
    715: "φ",
    719: "Δ",
    722: "&ABCDHKNRUÀÁÄÇÜΑΒΗΚΝΠ",
    753: "ψ",
    766: "π",
    778: "GOQwÖØΘΟ",
    802: "Ω",
    809: "Ψ",
    821: "Φ",
    833: "MΜ",
    845: "ω",
    889: "%mæ",
    944: "W",
    975: "@",
    1000: "—→←…",
}


class _Widths(dict[str, float]):
    """Advance widths by character; those that are in no table are worked out once."""

    def __missing__(self, char: str) -> float:
        width = self[char] = _other(char)
        return width


_WIDTHS = [
    _Widths({char: width / 1000 for width, chars in table.items() for char in chars})
    for table in (_REGULAR, _BOLD)
]
_SMALL = frozenset("⁰¹⁴⁵⁶⁷⁸⁹⁻⁺ᵀ₀₁₂₃₄₅₆₇₈₉")


_HARMLESS = re.compile(r"[\w .:+-]*", re.ASCII).fullmatch


def escape_once(text: str) -> str:
    """``text`` for an XML text or a double-quoted attribute."""
    if _HARMLESS(text):
        return text
    return html.escape(clean(text), quote=False).replace('"', "&quot;")


@lru_cache(maxsize=4096)
def escape(text: str) -> str:
    """The same for what comes again and again; an id comes once."""
    return escape_once(text)


@lru_cache(maxsize=4096)
def text_width(text: str, size: float, bold: bool = False) -> float:
    """Width of ``text`` in px at ``size`` px."""
    return sum(map(_WIDTHS[bold].__getitem__, text)) * size


_UNSEEN = frozenset({"Mn", "Me", "Cf"})
"""Marks above and below others, and signs that join, part or turn them."""


def _other(char: str) -> float:
    if char in _SMALL:
        return 0.36
    if unicodedata.category(char) in _UNSEEN:
        return 0.0
    return 1.0 if unicodedata.east_asian_width(char) in "WF" else 0.62


@lru_cache(maxsize=4096)
def fit(text: str, width: float, size: float, bold: bool = False, *, keep_end: bool = False) -> str:
    """``text``, or as much of it with an ellipsis as takes at most ``width`` px.

    That is its beginning, or its end for what is told apart there, such as the path of a parameter.
    """
    if keep_end:
        return _end(clean(text[-500:]), width, size, bold)
    text = clean(text[:500])
    if text_width(text, size, bold) <= width:
        return text
    room = width - text_width("…", size, bold)
    used = 0.0
    for i, char in enumerate(text):
        used += text_width(char, size, bold)
        if used > room:
            return text[:i].rstrip() + "…"
    return text


_WORD = re.compile(r"(?<=[a-z])[A-Z]|(?<![^\W_])[^\W_]|\[")
"""Where a word begins, also in ``two_words`` and ``TwoWords``, or an index."""
LEAST_END = 0.3
"""What a few whole words fill at least of the room that a text has; rather than less of it a word is cut."""


def fit_heading(text: str, width: float) -> tuple[str, int]:
    """``text`` in at most ``width`` px, in bold, and its size in px: smaller before it is cut."""
    size = next((size for size in (20, 18, 16) if text_width(text, size, bold=True) <= width), 14)
    return fit(text, width, size, bold=True), size


def _end(text: str, width: float, size: float, bold: bool) -> str:
    """The end of ``text`` from the beginning of a word on, with each bracket that it closes.

    Where that would be next to nothing its beginning stays, too: ``discrim….0``, ``critic(…)``.
    """
    if text_width(text, size, bold) <= width:
        return text
    starts = [match.start() for match in _WORD.finditer(text) if _balanced(text[match.start() :])]
    for start in starts:
        tail = f"…{text[start:]}"
        if LEAST_END * width <= text_width(tail, size, bold) <= width:
            return tail
    name, bracket, _ = text.partition("(")
    if bracket:
        short = f"{_end(name, width - text_width('(…)', size, bold), size, bold)}(…)"
    else:
        tail = text[starts[-1] - (text[starts[-1] - 1] == ".") :] if starts and starts[-1] else ""
        short = fit(text, width - text_width(tail, size, bold), size, bold) + tail
    return short if text_width(short, size, bold) <= width else fit(text, width, size, bold)


def _balanced(text: str) -> bool:
    """Whether each bracket that is closed in ``text`` was opened there."""
    depth = 0
    for char in text:
        depth += (char in "([{") - (char in ")]}")
        if depth < 0:
            return False
    return True


def wrapped(text: str, width: float, size: float, *, bold: bool = True) -> list[str]:
    """``text`` in lines of at most ``width`` px, broken between words; a longer word is shortened."""
    lines: list[str] = []
    for word in clean(text[:2000]).split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and text_width(longer, size, bold) <= width:
            lines[-1] = longer
        else:
            lines.append(fit(word, width, size, bold))
    return lines


def fit_around(text: str, part: str, width: float, size: float) -> str:
    """``text`` cut at both ends so that ``part`` of it stays in sight, as far as it fits."""
    text, part = clean(text), clean(part)
    start = text.find(part) if part else -1
    if start <= 0 or text_width(text, size) <= width:
        return fit(text, width, size)
    # What stands before the part gives way, but for what there is room for.
    while start > 0 and text_width("…" + text[start - 1 :], size) <= width:
        start -= 1
    return fit("…" + text[start:], width, size)
