"""The rule of an edge as an equation: ``∂L/∂W = xᵀ · ∂L/∂y``, in plain text, LaTeX and MathML."""

from __future__ import annotations

from collections.abc import Sequence

from autograd_tour.record.rule import Apply, Constant, Expression, Rule, Symbol, Words
from autograd_tour.rules.boxes import (
    Box,
    Fraction,
    Power,
    Row,
    Word,
    to_latex,
    to_mathml,
    to_plain,
)
from autograd_tour.rules.node import is_compound
from autograd_tour.rules.pieces import Level, numeral
from autograd_tour.rules.spelling import Printer, plain_name
from autograd_tour.rules.typesetting import WRITERS, Part, named, operator, text
from autograd_tour.rules.vocabulary import CALLS
from autograd_tour.rules.wording import has_gradient, shape_text, short

__all__ = ["equation", "latex", "mathml"]


def equation(rule: Rule, target: str, result: str | Sequence[str], loss: str = "L") -> str:
    """``rule`` as an equation in plain text: ``∂L/∂W = xᵀ · ∂L/∂y``.

    ``target`` is the name of the input that the gradient goes to, ``result`` that of what the node made: one
    name, or one for each output; ``loss`` is what the derivatives are of. ``·`` is a product of matrices or
    one with a number, ``⊙`` one of elements.
    """
    return to_plain(_equation(rule, target, result, loss))


def latex(rule: Rule, target: str, result: str | Sequence[str]) -> str:
    """The same for LaTeX's mathematics mode, without dollar signs; words in it need amsmath."""
    return to_latex(_equation(rule, target, result))


def mathml(rule: Rule, target: str, result: str | Sequence[str]) -> str:
    """The same as a MathML element."""
    return to_mathml(_equation(rule, target, result))


def _equation(rule: Rule, target: str, result: str | Sequence[str], loss: str = "L") -> Box:
    names = (result,) if isinstance(result, str) else tuple(result)
    left = _derivative(target, loss)
    if isinstance(rule, Apply) and rule.function == "expand":
        setter = _Typesetter(names, loss)
        right: Box = Row((setter.part(rule.arguments[0]).box, text(f", {_broadcast(rule)}")))
    elif isinstance(rule, Words):
        right = Row((_Typesetter(names, loss).gradient(0), text(f", {rule.text}")))
    else:
        right = _Typesetter(names, loss).part(rule).box
    return Row((left, operator("="), right))


def _broadcast(rule: Apply) -> str:
    return f"broadcast to {shape_text(rule.option('shape'))}"


def _derivative(name: str, loss: str) -> Box:
    below = Row((operator("∂"), named(name, is_compound(name))))
    return Fraction(Row((operator("∂"), Word(loss))), below, flat=True)


_FRACTION = Level.POWER + 1
"""A derivative can be a factor as it stands, but no base of a power."""


class _Typesetter:
    """Builds the boxes of expressions; ``names`` are those of outputs, ``loss`` is what is derived."""

    def __init__(self, names: tuple[str, ...], loss: str) -> None:
        self._names = names
        self._loss = loss

    def gradient(self, slot: int) -> Box:
        if slot < 0:
            every = (_derivative(name, self._loss) for name in self._names)
            return Row(tuple(box for derivative in every for box in (derivative, text(", ")))[:-1])
        name = self._names[slot] if slot < len(self._names) else f"output {slot + 1}"
        return _derivative(name, self._loss)

    def part(self, node: Expression) -> Part:
        if isinstance(node, Constant):
            digits = numeral(node.value)
            return Part(Word(digits, "number"), Level.NEGATIVE if digits.startswith("−") else Level.ATOM)
        if isinstance(node, Symbol):
            return self._symbol(node)
        assert isinstance(node, Apply)
        writer = WRITERS.get(node.function)
        if writer is not None:
            return writer(self, node, [self.part(argument) for argument in node.arguments])
        if node.function in CALLS:
            return self.call(CALLS[node.function], node)
        first = node.arguments[0] if node.arguments else None
        if first is not None and has_gradient(first):
            return self._deed(node, first)
        piece = Printer(plain_name).piece(node)
        return Part(text(piece.text), piece.level)

    def _symbol(self, node: Symbol) -> Part:
        if node.role == "gradient":
            return Part(self.gradient(node.slot), _FRACTION)
        name = node.alias or node.name
        plain = named(name.replace("-", "−") if name[:1] == "-" else name, node.compound)
        return Part(Power(plain, Word("T")), Level.POWER) if node.transposed else Part(plain)

    def call(self, name: str, node: Apply) -> Part:
        given: list[Box] = []
        for argument in node.arguments:
            given += [text(", "), self.part(argument).box]
        return Part(Row((Word(name, "function"), operator("("), *given[1:], operator(")"))))

    def _deed(self, node: Apply, first: Expression) -> Part:
        """What is done to the gradient and is no formula stands in words behind it."""
        inner = self.part(first)
        words = short(Apply(node.function, (Symbol("gradient"), *node.arguments[1:]), node.options))
        return Part(Row((inner.box, text(f", {words}"))), Level.CHOICE)
