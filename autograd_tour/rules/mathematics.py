"""The rule of an edge as an equation: ``∂L/∂W = xᵀ · ∂L/∂y``, in plain text, LaTeX and MathML."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from autograd_tour.record.rule import Apply, Constant, Expression, Rule, Symbol, Words
from autograd_tour.rules.boxes import (
    Box,
    Fraction,
    Power,
    Root,
    Row,
    Word,
    to_latex,
    to_mathml,
    to_plain,
)
from autograd_tour.rules.pieces import Level, numeral
from autograd_tour.rules.spelling import Printer, plain_name
from autograd_tour.rules.vocabulary import CALLS
from autograd_tour.rules.wording import has_gradient, shape_text, short

__all__ = ["ELEMENTWISE", "equation", "latex", "mathml"]

ELEMENTWISE = "\N{CIRCLED DOT OPERATOR}"
"""The sign of a product element by element."""


def equation(rule: Rule, target: str, result: str | Sequence[str]) -> str:
    """``rule`` as an equation in plain text: ``∂L/∂W = xᵀ · ∂L/∂y``.

    ``target`` is the name of the input that the gradient goes to, ``result`` that of what the node made: one
    name, or one for each output. ``·`` is a product of matrices or one with a number, ``⊙``
    one of elements.
    """
    return to_plain(_equation(rule, target, result))


def latex(rule: Rule, target: str, result: str | Sequence[str]) -> str:
    """The same for LaTeX's mathematics mode, without dollar signs; words in it need amsmath."""
    return to_latex(_equation(rule, target, result))


def mathml(rule: Rule, target: str, result: str | Sequence[str]) -> str:
    """The same as a MathML element."""
    return to_mathml(_equation(rule, target, result))


class _Part(NamedTuple):
    """A box and how tightly it holds together."""

    box: Box
    level: int = Level.ATOM


def _equation(rule: Rule, target: str, result: str | Sequence[str]) -> Box:
    names = (result,) if isinstance(result, str) else tuple(result)
    left = _derivative(target)
    if isinstance(rule, Apply) and rule.function == "expand":
        setter = _Typesetter(names)
        right: Box = Row((setter.part(rule.arguments[0]).box, _text(f", {_broadcast(rule)}")))
    elif isinstance(rule, Words):
        right = Row((_Typesetter(names).gradient(0), _text(f", {rule.text}")))
    else:
        right = _Typesetter(names).part(rule).box
    return Row((left, _operator("="), right))


def _broadcast(rule: Apply) -> str:
    return f"broadcast to {shape_text(rule.option('shape'))}"


def _operator(text: str) -> Word:
    return Word(text, "operator")


def _text(text: str) -> Word:
    return Word(text, "text")


def _derivative(name: str) -> Box:
    below = Row((_operator("∂"), _named(name)))
    return Fraction(Row((_operator("∂"), Word("L"))), below, flat=True)


def _named(name: str, compound: bool = False) -> Box:
    """A name of the program; an expression of the program stands in brackets, as it was written."""
    if compound or " " in name:
        return Row((_operator("("), _text(name), _operator(")")))
    return Word(name)


_FRACTION = Level.POWER + 1
"""A derivative can be a factor as it stands, but no base of a power."""


class _Typesetter:
    """Builds the boxes of expressions; ``names`` are those of the node's outputs."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self._names = names

    def gradient(self, slot: int) -> Box:
        if slot < 0:
            every = (_derivative(name) for name in self._names)
            return Row(tuple(box for derivative in every for box in (derivative, _text(", ")))[:-1])
        return _derivative(self._names[slot] if slot < len(self._names) else f"output {slot + 1}")

    def part(self, node: Expression) -> _Part:
        if isinstance(node, Constant):
            text = numeral(node.value)
            return _Part(Word(text, "number"), Level.NEGATIVE if text.startswith("−") else Level.ATOM)
        if isinstance(node, Symbol):
            return self._symbol(node)
        assert isinstance(node, Apply)
        writer = _WRITERS.get(node.function)
        if writer is not None:
            return writer(self, node, [self.part(argument) for argument in node.arguments])
        if node.function in CALLS:
            return self.call(CALLS[node.function], node)
        first = node.arguments[0] if node.arguments else None
        if first is not None and has_gradient(first):
            return self._deed(node, first)
        piece = Printer(plain_name).piece(node)
        return _Part(_text(piece.text), piece.level)

    def _symbol(self, node: Symbol) -> _Part:
        if node.role == "gradient":
            return _Part(self.gradient(node.slot), _FRACTION)
        name = node.alias or node.name
        plain = _named(name.replace("-", "−") if name[:1] == "-" else name, node.compound)
        return _Part(Power(plain, Word("T")), Level.POWER) if node.transposed else _Part(plain)

    def call(self, name: str, node: Apply) -> _Part:
        given: list[Box] = []
        for argument in node.arguments:
            given += [_text(", "), self.part(argument).box]
        return _Part(Row((Word(name, "function"), _operator("("), *given[1:], _operator(")"))))

    def _deed(self, node: Apply, first: Expression) -> _Part:
        """What is done to the gradient and is no formula stands in words behind it."""
        inner = self.part(first)
        words = short(Apply(node.function, (Symbol("gradient"), *node.arguments[1:]), node.options))
        return _Part(Row((inner.box, _text(f", {words}"))), Level.CHOICE)


Parts = list[_Part]
Writer = Callable[[_Typesetter, Apply, Parts], _Part]


def _within(part: _Part, level: int) -> Box:
    """The box, in brackets if it holds together less than ``level``."""
    if part.level >= level:
        return part.box
    return Row((_operator("("), part.box, _operator(")")))


def _infix(sign: str, level: int, left: int, right: int) -> Writer:
    def write(_: _Typesetter, _node: Apply, parts: Parts) -> _Part:
        return _Part(Row((_within(parts[0], left), _operator(sign), _within(parts[1], right))), level)

    return write


def _multiplied(_: _Typesetter, node: Apply, parts: Parts) -> _Part:
    scaled = any(isinstance(item, Constant) or _is_number(item) for item in node.arguments)
    sign = "·" if scaled else ELEMENTWISE
    box = Row((_within(parts[0], Level.NEGATIVE), _operator(sign), _within(parts[1], Level.PRODUCT)))
    return _Part(box, Level.NEGATIVE if parts[0].level == Level.NEGATIVE else Level.PRODUCT)


def _is_number(item: Expression) -> bool:
    """Whether an expression holds no tensor."""
    return isinstance(item, Constant) or (isinstance(item, Apply) and all(map(_is_number, item.arguments)))


def _divided(_: _Typesetter, _node: Apply, parts: Parts) -> _Part:
    level = Level.NEGATIVE if parts[0].level == Level.NEGATIVE else Level.PRODUCT
    return _Part(Fraction(parts[0].box, parts[1].box), level)


def _negated(_: _Typesetter, _node: Apply, parts: Parts) -> _Part:
    return _Part(Row((Word("−", "number"), _within(parts[0], Level.PRODUCT))), Level.NEGATIVE)


def _raised(_: _Typesetter, node: Apply, parts: Parts) -> _Part:
    exponent = node.arguments[1]
    if isinstance(exponent, Constant) and float(exponent.value) == 0.5:
        return _Part(Root(parts[0].box), Level.POWER)
    return _Part(Power(_within(parts[0], Level.ATOM), parts[1].box), Level.POWER)


def _rooted(_: _Typesetter, _node: Apply, parts: Parts) -> _Part:
    return _Part(Root(parts[0].box), Level.POWER)


def _transposed(_: _Typesetter, node: Apply, parts: Parts) -> _Part:
    given = node.arguments[0]
    if isinstance(given, Symbol) and given.transposed:
        return _Part(_named(given.alias or given.name, given.compound))
    return _Part(Power(_within(parts[0], Level.ATOM), Word("T")), Level.POWER)


def _conjugated(setter: _Typesetter, node: Apply, _: Parts) -> _Part:
    given = node.arguments[0]
    if isinstance(given, Apply) and given.function == "transpose":
        inner = given.arguments[0]
        if not (isinstance(inner, Symbol) and inner.transposed):
            return _Part(Power(_within(setter.part(inner), Level.ATOM), Word("H")), Level.POWER)
    return setter.call("conj", node)


def _inverted(_: _Typesetter, _node: Apply, parts: Parts) -> _Part:
    return _Part(Power(_within(parts[0], Level.ATOM), Word("−1", "number")), Level.POWER)


def _summed(_: _Typesetter, _node: Apply, parts: Parts) -> _Part:
    return _Part(Row((_operator("Σ"), _text(" "), _within(parts[0], Level.POWER))), Level.PRODUCT)


def _summed_over(setter: _Typesetter, node: Apply, parts: Parts) -> _Part:
    count = node.option("count")
    summed = _summed(setter, node, parts)
    return _Part(Row((summed.box, _text(f" over {count} copies"))), Level.CHOICE) if count else summed


def _chosen(_: _Typesetter, node: Apply, parts: Parts) -> _Part:
    condition, when_true, when_false = parts
    if node.arguments[1:] == (Constant(1), Constant(0)):
        return _Part(Row((_operator("1["), condition.box, _operator("]"))))
    row = Row(
        (
            _within(when_true, Level.SUM),
            _operator("if"),
            condition.box,
            _operator("else"),
            _within(when_false, Level.SUM),
        )
    )
    return _Part(row, Level.CHOICE)


def _ties(sign: str) -> Writer:
    def write(_: _Typesetter, _node: Apply, parts: Parts) -> _Part:
        a, b = (_within(part, Level.SUM) for part in parts)
        inside = (_operator("1["), a, _operator(sign), b, _operator("]"))
        one_half = Fraction(Word("1", "number"), Word("2", "number"))
        half = (one_half, _operator("·"), _operator("1["), a, _operator("="), b)
        return _Part(Row((*inside, _operator("+"), *half, _operator("]"))), Level.SUM)

    return write


def _denied(_: _Typesetter, _node: Apply, parts: Parts) -> _Part:
    return _Part(Row((_text("not "), _within(parts[0], Level.ATOM))), Level.RELATION)


def _sized(_: _Typesetter, _node: Apply, parts: Parts) -> _Part:
    return _Part(Row((_operator("|"), parts[0].box, _operator("|"))))


def _let(_: _Typesetter, node: Apply, parts: Parts) -> _Part:
    name = Word(node.option("name"))
    return _Part(Row((parts[1].box, _text(", "), name, _operator("="), parts[0].box)), Level.CHOICE)


def _normalised(_: _Typesetter, node: Apply, parts: Parts) -> _Part:
    """``x̂`` written out: the mean and the deviation are those of the row."""
    deviation = Word("std" if node.option("centred") else "rms", "function")
    above = parts[0].box
    if node.option("centred"):
        mean = Row((Word("mean", "function"), _operator("("), above, _operator(")")))
        above = Row((above, _operator("−"), mean))
    return _Part(Fraction(above, _applied(deviation, parts[0].box)), Level.PRODUCT)


def _applied(name: Word, given: Box) -> Box:
    return Row((name, _operator("("), given, _operator(")")))


def _deviation(_: _Typesetter, node: Apply, parts: Parts) -> _Part:
    return _Part(_applied(Word("std" if node.option("centred") else "rms", "function"), parts[0].box))


def _attention(_: _Typesetter, node: Apply, parts: Parts) -> _Part:
    """The weights: a softmax of scaled products, masked if the node was told so."""
    query, key = (_within(part, Level.ATOM) for part in parts)
    scores: tuple[Box, ...] = (query, _operator("·"), Power(key, Word("T")))
    scale = node.option("scale")
    if scale not in (None, 1):
        scores = (Word(numeral(scale), "number"), _operator("·"), *scores)
    masked = (_text(", masked"),) if node.option("causal") or node.option("masked") else ()
    return _Part(_applied(Word("softmax", "function"), Row((*scores, *masked))))


def _clamped(setter: _Typesetter, node: Apply, _: Parts) -> _Part:
    return setter.call("clamp", node)


def _solved(setter: _Typesetter, node: Apply, _: Parts) -> _Part:
    called = setter.call("solve", node)
    return called if node.option("left") else _Part(Row((called.box, _text(" from the right"))), Level.CHOICE)


def _followed(words: str) -> Writer:
    """The first argument, and words behind it; options stand in braces."""

    def write(_: _Typesetter, node: Apply, parts: Parts) -> _Part:
        return _Part(Row((parts[0].box, _text(words.format_map(dict(node.options))))), Level.CHOICE)

    return write


def _cut(_: _Typesetter, node: Apply, parts: Parts) -> _Part:
    dim = node.option("dim") or 0
    return _Part(Row((_within(parts[0], Level.ATOM), _text(f"[{':, ' * dim}{node.option('inside')}]"))))


def _paired(signed: bool) -> Writer:
    def write(_: _Typesetter, _node: Apply, parts: Parts) -> _Part:
        g, a, b, *distance = parts
        difference: Box = Row((_within(a, Level.SUM), _operator("−"), _within(b, Level.PRODUCT)))
        factor: Box = _applied(Word("sign", "function"), difference)
        if not signed:
            factor = Fraction(difference, distance[0].box)
        row = (_operator("Σ"), _text(" "), g.box, _operator(ELEMENTWISE), factor, _text(" over the pairs"))
        return _Part(Row(row), Level.CHOICE)

    return write


def _later(_: _Typesetter, _node: Apply, parts: Parts) -> _Part:
    words = _text(" · the product up to there without its own of "), parts[1].box
    return _Part(Row((_operator("Σ"), _text(" later "), parts[0].box, *words)), Level.CHOICE)


def _exp_block(_: _Typesetter, _node: Apply, parts: Parts) -> _Part:
    a, g = parts[0].box, parts[1].box
    inside = Row((_operator("["), a, _text(", "), g, _text("; 0, "), a, _operator("]")))
    return _Part(Row((_text("upper right of "), _applied(Word("exp", "function"), inside))), Level.CHOICE)


def _over_norm(setter: _Typesetter, node: Apply, parts: Parts) -> _Part:
    """A quotient that counts as 0 where the norm is 0."""
    return _divided(setter, node, parts)


def _unwritten(_: _Typesetter, _node: Apply, parts: Parts) -> _Part:
    """A change of shape that elements do not notice."""
    return parts[0]


_RELATIONS = {"less": "<", "less_equal": "≤", "greater": ">", "greater_equal": "≥", "equal": "="}

_WRITERS: dict[str, Writer] = {
    "add": _infix("+", Level.SUM, Level.SUM, Level.PRODUCT),
    "sub": _infix("−", Level.SUM, Level.SUM, Level.PRODUCT),
    "mul": _multiplied,
    "div": _divided,
    "neg": _negated,
    "pow": _raised,
    "sqrt": _rooted,
    "matmul": _infix("·", Level.MATRIX_PRODUCT, Level.MATRIX_PRODUCT, Level.POWER),
    "outer": _infix("⊗", Level.MATRIX_PRODUCT, Level.POWER, Level.POWER),
    "transpose": _transposed,
    "conj": _conjugated,
    "inverse": _inverted,
    **{name: _infix(sign, Level.RELATION, Level.SUM, Level.SUM) for name, sign in _RELATIONS.items()},
    "both": _infix("and", Level.CHOICE, Level.RELATION, Level.RELATION),
    "either": _infix("or", Level.CHOICE, Level.RELATION, Level.RELATION),
    "not": _denied,
    "where": _chosen,
    "greater_ties_half": _ties(">"),
    "less_ties_half": _ties("<"),
    "abs": _sized,
    "sum": _summed,
    "sum_but": _summed,
    "sum_to": _summed_over,
    "let": _let,
    "normalised": _normalised,
    "deviation": _deviation,
    "attention": _attention,
    "over_norm": _over_norm,
    "clamp": _clamped,
    "solve": _solved,
    "solve_triangular": _solved,
    "zeros_behind": _followed(" and zeros up to {size}"),
    "inner_doubled": _followed(" with inner frequencies doubled"),
    "exp_block": _exp_block,
    "slice": _cut,
    "block": _cut,
    "pairs_pulled": _paired(signed=False),
    "pairs_signed": _paired(signed=True),
    "later_products": _later,
    **dict.fromkeys(("expand", "beside"), _unwritten),
}
