"""What a rule may know about a node, and how it writes names and numbers."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from autograd_tour.record.graph import Attribute

__all__ = ["Operands", "Rule", "Shape", "Term", "attribute_texts", "show", "template", "times"]

Shape = tuple[int, ...]
Rule = Callable[["Operands", int], str]

_NAME = re.compile(r"[^\W\d⁰¹²³⁴⁵⁶⁷⁸⁹][^\W⁰¹²³⁴⁵⁶⁷⁸⁹]*(?:\.\w+)*|\d+(?:\.\d*)?(?:e[+−-]?\d+)?")
_OPENING = ("(", "[")
_SHORT = 20


@dataclass(frozen=True, slots=True)
class Operands:
    """One node as its rules see it. Everything may be missing; a rule then says less.

    ``inputs`` and ``input_shapes``, ``input_dtypes`` have one entry per slot of ``next_functions``:
    how labels name that input, and its shape and dtype. ``result`` names the output. ``attributes``
    holds what the node saved, as text, without the ``_saved_``: ``{"exponent": "2", "dim": "-1"}``. A
    saved tensor may be there too: its value if it is a single number, else the word ``tensor``. Only
    so can a loss with weights be told from one without.
    """

    inputs: tuple[str, ...] = ()
    result: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)
    input_shapes: tuple[Shape | None, ...] = ()
    output_shape: Shape | None = None
    input_dtypes: tuple[str, ...] = ()

    def name(self, slot: int) -> Term:
        """The name of an input; ``x`` for one that has none."""
        given = self.inputs[slot] if 0 <= slot < len(self.inputs) else ""
        return Term(_typeset(given or "x"))

    def output(self, default: str = "y") -> Term:
        """The name of the result."""
        return Term(_typeset(self.result or default))

    def text(self, key: str) -> str:
        """A saved attribute; ``""`` when it is missing or ``None``."""
        value = self.attributes.get(key, "")
        return "" if value == "None" else value

    def number(self, key: str) -> float | None:
        """A saved attribute as a number."""
        return _number(self.text(key))

    def integers(self, key: str) -> Shape | None:
        """A saved tuple of integers, or a single one."""
        found = re.fullmatch(r"[(\[]?((?:\s*-?\d+\s*,?)*)[)\]]?", self.text(key))
        if found is None or not self.text(key):
            return None
        return tuple(_signed(int(part)) for part in re.findall(r"-?\d+", found[1]))

    def shape(self, slot: int) -> Shape | None:
        """The shape of an input: as given, or as the node saved it."""
        given = self.input_shapes[slot] if 0 <= slot < len(self.input_shapes) else None
        return self.integers("self_sym_sizes") if given is None and slot == 0 else given

    def elements(self) -> int | None:
        """How many elements the first input has."""
        shape = self.shape(0)
        return math.prod(shape) if shape is not None else None


def attribute_texts(attributes: Iterable[tuple[str, Attribute]]) -> dict[str, str]:
    """The attributes of a node as :class:`Operands` wants them."""
    return {name: _attribute_text(value) for name, value in attributes}


def _attribute_text(value: Attribute) -> str:
    if isinstance(value, tuple):
        return f"({', '.join(map(_attribute_text, value))})"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


class Term(str):
    """A name, number or expression that knows when it needs parentheses.

    Format codes: none, as it is; ``l`` first after a sign such as ×; ``f`` a factor in a product;
    ``p`` the base of a power; ``q`` what is divided by; ``d`` behind a coefficient; ``m`` in front of a
    parenthesis, where ``loss(1 − p)`` would look like a call.
    """

    __slots__ = ()

    def __format__(self, code: str) -> str:
        text = str(self)
        match code:
            case "l" | "f":
                plain = " " not in _outside(text) and not (code == "f" and text.startswith("−"))
            case "p":
                plain = _is_atom(text)
            case "q":
                plain = _is_atom(text.rstrip("²³"))
            case "d":
                plain = len(text) == 1
                if not plain and _is_atom(text):
                    return f"·{text}"
            case "m":
                factor = f"{self:f}"
                return factor if len(text) == 1 or factor.startswith("(") else f"{factor}·"
            case _:
                plain = True
        return text if plain else f"({text})"


class _Fields:
    """The names that a template can use: a, b, c for the inputs, x for its own, y, attributes."""

    def __init__(self, operands: Operands, slot: int) -> None:
        self._operands, self._slot = operands, slot

    def __getitem__(self, key: str) -> Term:
        match key:
            case "x":
                return self._operands.name(self._slot)
            case "a" | "b" | "c":
                return self._operands.name("abc".index(key))
            case "y":
                return self._operands.output()
        return Term(_typeset(self._operands.text(key)) or key)


def template(*slots: str) -> Rule:
    """A rule from one format string per slot.

    ``|`` parts alternatives: the first that is short is taken, or else the shortest.
    """

    def rule(operands: Operands, slot: int) -> str:
        if not 0 <= slot < len(slots):
            return ""
        fields = _Fields(operands, slot)
        forms = [form.format_map(fields) for form in slots[slot].split(" | ")]
        return next((form for form in forms if len(form) <= _SHORT), min(forms, key=len))

    return rule


def show(value: float) -> str:
    """A number as people write it: ``2``, ``0.5``, ``−1.051``."""
    if value == int(value) if math.isfinite(value) else False:
        text = str(int(value)) if abs(value) < 1e6 else f"{value:.4g}"
    else:
        text = f"{value:.4g}"
    return text.replace("-", "−").replace("inf", "∞")


def times(coefficient: float, term: str) -> str:
    """``coefficient`` times a term that is already safe in a product."""
    if coefficient == 1:
        return term
    if term == "1" or term.startswith("1/"):
        return show(coefficient) + term[1:]
    return f"−{term}" if coefficient == -1 else f"{show(coefficient)}·{term}"


def _typeset(text: str) -> str:
    value = _number(text)
    if value is not None and math.isfinite(value):
        return show(value)
    return f"−{text[1:]}" if text.startswith("-") else text


def _number(text: str) -> float | None:
    try:
        value = float(text.replace("−", "-"))
    except ValueError:
        return None
    return float(_signed(int(text))) if text.isdigit() else value


def _signed(value: int) -> int:
    # torch hands out some signed attributes as unsigned: −1 arrives as 2**64 − 1.
    return value - 2**64 if value >= 2**63 else value


def _outside(text: str) -> str:
    """The text with everything inside brackets left out."""
    depth, kept = 0, []
    for char in text:
        depth -= char in ")]"
        if depth == 0:
            kept.append(char)
        depth += char in "(["
    return "".join(kept)


def _bracketed(text: str) -> int:
    """Where the bracket that opens the text has closed."""
    depth = 0
    for position, char in enumerate(text, start=1):
        depth += (char in "([") - (char in ")]")
        if depth == 0:
            return position
    return len(text)


def _is_atom(text: str) -> bool:
    """A name, a number, a call or one pair of brackets: nothing a power could tear apart."""
    head = re.match(r"[(\[]", text) or _NAME.match(text)
    if head is None:
        return False
    rest = text[head.end() :] if head[0] not in _OPENING else text
    if rest.startswith("(") and head[0][0].isdigit():
        return False
    while rest[:1] in _OPENING:
        rest = rest[_bracketed(rest) :]
        if rest.startswith("(") or (member := re.match(r"(?:\.\w+)+", rest)) is None:
            break
        rest = rest[member.end() :]
    return rest in ("", "ᵀ", "′")
