"""A derivative rule as data: what a node does to the gradient that comes in, as a small tree.

A rule of ``w * t_u`` on its way to ``w`` is ``gradient * input 1``. From the one tree come the text on
an arrow, the formula, the line with numbers, the wrong answers of a question, and the check against torch.
"""

from __future__ import annotations

import math
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import force_setattr

from autograd_tour.record.facts import Number

__all__ = [
    "Apply",
    "Constant",
    "Expression",
    "Option",
    "Role",
    "Rule",
    "Symbol",
    "Words",
    "apply",
    "constant",
]

Role = Literal["gradient", "input", "result", "saved"]
Option = bool | int | float | str | None | tuple[int, ...]


class Expression(Struct, frozen=True, array_like=True):
    """A number, a symbol, or a function applied to expressions. Python's operators make larger ones."""

    def __add__(self, other: Expression | float) -> Expression:
        return apply("add", self, other)

    def __radd__(self, other: float) -> Expression:
        return apply("add", other, self)

    def __sub__(self, other: Expression | float) -> Expression:
        return apply("sub", self, other)

    def __rsub__(self, other: float) -> Expression:
        return apply("sub", other, self)

    def __mul__(self, other: Expression | float) -> Expression:
        return apply("mul", self, other)

    def __rmul__(self, other: float) -> Expression:
        return apply("mul", other, self)

    def __truediv__(self, other: Expression | float) -> Expression:
        return apply("div", self, other)

    def __rtruediv__(self, other: float) -> Expression:
        return apply("div", other, self)

    def __pow__(self, other: Expression | float) -> Expression:
        return apply("pow", self, other)

    def __rpow__(self, other: float) -> Expression:
        return apply("pow", other, self)

    def __matmul__(self, other: Expression) -> Expression:
        return apply("matmul", self, other)

    def __neg__(self) -> Expression:
        return apply("neg", self)


class Constant(Expression, frozen=True, array_like=True, omit_defaults=True, tag="number", gc=False):
    """A number that stands in the rule. Text where JSON has no number: ``"inf"``, ``"-inf"``, ``"nan"``."""

    value: Number = 0.0

    def __post_init__(self) -> None:
        if isinstance(self.value, float) and not math.isfinite(self.value):
            force_setattr(self, "value", str(self.value))


class Symbol(Expression, frozen=True, array_like=True, omit_defaults=True, tag="symbol", gc=False):
    """A tensor: the gradient that comes into output ``slot``, input or result ``slot``, or a saved one.

    ``slot`` -1 of a gradient stands for those of all outputs. ``name`` is how the program calls it, for a
    saved tensor how torch does, ``alias`` then how the program does. ``transposed``: what it
    names is the transpose of ``name``. ``compound``: the name is an expression with operators, which a
    product or a power has to bracket.
    """

    role: Role
    slot: int = 0
    name: str = ""
    alias: str = ""
    transposed: bool = False
    compound: bool = False


class Apply(Expression, frozen=True, array_like=True, omit_defaults=True, tag="apply"):
    """A function of :mod:`autograd_tour.rules.vocabulary`, its arguments, and options such as a shape."""

    function: str
    arguments: tuple[Constant | Symbol | Apply, ...] = ()
    options: tuple[tuple[str, Option], ...] = ()

    def option(self, name: str) -> Any:
        """The value of an option; ``None`` if it is not there."""
        return next((value for key, value in self.options if key == name), None)


class Words(Struct, frozen=True, array_like=True, tag="words", gc=False):
    """What happens in words, where no formula of a line's length tells it."""

    text: str


Rule = Constant | Symbol | Apply | Words
"""The vector-Jacobian product of one edge: an expression of the gradient, or words."""


def constant(value: Expression | Number) -> Expression:
    """``value`` as an expression."""
    return value if isinstance(value, Expression) else Constant(value)


def apply(function: str, *arguments: Expression | Number, **options: Option) -> Apply:
    """``function`` of ``arguments``; numbers become constants, options keep the order of their names."""
    given: Any = tuple(map(constant, arguments))
    return Apply(function, given, tuple(sorted(options.items())))
