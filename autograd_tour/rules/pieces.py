"""Pieces of a formula's text, and how tightly each holds together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from autograd_tour.record.rule import Apply

__all__ = ["Level", "Piece", "along", "bracket", "gradient_name", "numeral", "steps_of"]

_SUBSCRIPTS = ("", "₁", "₂", "₃")


class Level:
    """How tightly a text holds together: what a larger expression has to bracket."""

    CHOICE = 0
    RELATION = 10
    SUM = 20
    NEGATIVE = 30
    MATRIX_PRODUCT = 35
    PRODUCT = 40
    POWER = 50
    ATOM = 60


class Piece(NamedTuple):
    """A text, how tightly it holds together, and whether it is a numeral."""

    text: str
    level: int = Level.ATOM
    numeral: bool = False
    quoted: bool = False


def numeral(value: float | str, digits: int = 4) -> str:
    """A number as people write it: ``2``, ``0.5``, ``−1.051``, ``∞``."""
    number = float(value)
    if abs(number) == math.pi:
        return "π" if number > 0 else "−π"
    if math.isfinite(number) and number == int(number) and abs(number) < 1e6:
        text = str(int(number))
    else:
        text = f"{number:.{digits}g}".replace("e-0", "e-").replace("e+0", "e").replace("e+", "e")
    return text.replace("-", "−").replace("inf", "∞").replace("nan", "NaN")


def bracket(piece: Piece, level: int) -> str:
    """The text, in brackets if it holds together less than ``level``."""
    return piece.text if piece.level >= level else f"({piece.text})"


def gradient_name(slot: int, letter: str) -> str:
    """What the gradient of output ``slot`` is called: ``g`` of the first, or of all, ``g₁`` of the next."""
    return f"{letter}{_SUBSCRIPTS[slot]}" if 0 < slot < len(_SUBSCRIPTS) else letter


def along(node: Apply) -> str:
    """Which dimensions a function is about, where its rule is to say so."""
    dims = dict(node.options).get("along")
    if not isinstance(dims, tuple) or not dims:
        return ""
    return f" along dim{'s' if len(dims) > 1 else ''} {', '.join(map(str, dims))}"


def steps_of(node: Apply, names: Sequence[str]) -> list[str]:
    """How a convolution goes over its input, where it is no plain one: ``stride 2``, ``4 groups``."""
    options = dict(node.options)
    steps = []
    for name in names:
        sizes = options.get(name)
        if isinstance(sizes, tuple) and set(sizes) - {int(name != "padding")}:
            steps.append(f"{name} {sizes[0] if len(set(sizes)) == 1 else sizes}")
    groups = options.get("groups", 1)
    return [*steps, f"{groups} groups"] if groups != 1 else steps
