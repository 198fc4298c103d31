"""How each function of a rule is set as mathematics: fractions, roots, powers, as few brackets as can be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol

from autograd_tour.record.rule import Apply, Constant, Expression, Symbol
from autograd_tour.rules.boxes import Box, Fraction, Power, Root, Row, Word
from autograd_tour.rules.pieces import Level, along, numeral

__all__ = ["WRITERS", "Part", "Setter", "named", "operator", "text"]


class Part(NamedTuple):
    """A box and how tightly it holds together."""

    box: Box
    level: int = Level.ATOM


class Setter(Protocol):
    """What sets an expression inside another."""

    def part(self, node: Expression) -> Part:
        """``node`` as a box."""

    def call(self, name: str, node: Apply) -> Part:
        """``name(argument, …)`` with the arguments of ``node``."""


Parts = list[Part]
Writer = Callable[[Setter, Apply, Parts], Part]


def operator(sign: str) -> Word:
    """A sign between two parts, with room around it."""
    return Word(sign, "operator")


def text(words: str) -> Word:
    """Upright words."""
    return Word(words, "text")


def named(name: str, compound: bool = False) -> Box:
    """A name of the program; an expression of the program stands in brackets, as it was written."""
    if compound or " " in name:
        return Row((operator("("), text(name), operator(")")))
    return Word(name)


def _within(part: Part, level: int) -> Box:
    """The box, in brackets if it holds together less than ``level``."""
    if part.level >= level:
        return part.box
    return Row((operator("("), part.box, operator(")")))


def _infix(sign: str, level: int, left: int, right: int) -> Writer:
    def write(_: Setter, _node: Apply, parts: Parts) -> Part:
        return Part(Row((_within(parts[0], left), operator(sign), _within(parts[1], right))), level)

    return write


def _multiplied(_: Setter, node: Apply, parts: Parts) -> Part:
    scaled = any(isinstance(item, Constant) or _is_number(item) for item in node.arguments)
    sign = "·" if scaled else "⊙"
    box = Row((_within(parts[0], Level.NEGATIVE), operator(sign), _within(parts[1], Level.PRODUCT)))
    return Part(box, Level.NEGATIVE if parts[0].level == Level.NEGATIVE else Level.PRODUCT)


def _is_number(item: Expression) -> bool:
    """Whether an expression holds no tensor."""
    return isinstance(item, Constant) or (isinstance(item, Apply) and all(map(_is_number, item.arguments)))


def _divided(_: Setter, _node: Apply, parts: Parts) -> Part:
    level = Level.NEGATIVE if parts[0].level == Level.NEGATIVE else Level.PRODUCT
    return Part(Fraction(parts[0].box, parts[1].box), level)


def _negated(_: Setter, _node: Apply, parts: Parts) -> Part:
    return Part(Row((Word("−", "number"), _within(parts[0], Level.PRODUCT))), Level.NEGATIVE)


def _raised(_: Setter, node: Apply, parts: Parts) -> Part:
    exponent = node.arguments[1]
    if isinstance(exponent, Constant) and float(exponent.value) == 0.5:
        return Part(Root(parts[0].box), Level.POWER)
    return Part(Power(_within(parts[0], Level.ATOM), parts[1].box), Level.POWER)


def _rooted(_: Setter, _node: Apply, parts: Parts) -> Part:
    return Part(Root(parts[0].box), Level.POWER)


def _transposed(_: Setter, node: Apply, parts: Parts) -> Part:
    given = node.arguments[0]
    if isinstance(given, Symbol) and given.transposed:
        return Part(named(given.alias or given.name, given.compound))
    return Part(Power(_within(parts[0], Level.ATOM), Word("T")), Level.POWER)


def _conjugated(setter: Setter, node: Apply, _: Parts) -> Part:
    given = node.arguments[0]
    if isinstance(given, Apply) and given.function == "transpose":
        inner = given.arguments[0]
        if not (isinstance(inner, Symbol) and inner.transposed):
            return Part(Power(_within(setter.part(inner), Level.ATOM), Word("H")), Level.POWER)
    return setter.call("conj", node)


def _inverted(_: Setter, _node: Apply, parts: Parts) -> Part:
    return Part(Power(_within(parts[0], Level.ATOM), Word("−1", "number")), Level.POWER)


def _summed(_: Setter, node: Apply, parts: Parts) -> Part:
    summed = (operator("Σ"), text(" "), _within(parts[0], Level.POWER))
    return Part(Row((*summed, text(along(node))) if along(node) else summed), Level.PRODUCT)


def _summed_over(setter: Setter, node: Apply, parts: Parts) -> Part:
    count = node.option("count")
    summed = _summed(setter, node, parts)
    return Part(Row((summed.box, text(f" over {count} copies"))), Level.CHOICE) if count else summed


def _chosen(_: Setter, node: Apply, parts: Parts) -> Part:
    condition, when_true, when_false = parts
    if node.arguments[1:] == (Constant(1), Constant(0)):
        return Part(Row((operator("1["), condition.box, operator("]"))))
    row = Row(
        (
            _within(when_true, Level.SUM),
            operator("if"),
            condition.box,
            operator("else"),
            _within(when_false, Level.SUM),
        )
    )
    return Part(row, Level.CHOICE)


def _ties(sign: str) -> Writer:
    def write(_: Setter, _node: Apply, parts: Parts) -> Part:
        a, b = (_within(part, Level.SUM) for part in parts)
        half = Fraction(Word("1", "number"), Word("2", "number"))
        never = (Word("0", "number"), operator("if"), a, operator(sign), b, text(", "))
        shared = (half, operator("if"), a, operator("="), b, text(", else "))
        return Part(Row((*never, *shared, Word("1", "number"))), Level.CHOICE)

    return write


def _denied(_: Setter, _node: Apply, parts: Parts) -> Part:
    return Part(Row((text("not "), _within(parts[0], Level.ATOM))), Level.RELATION)


def _sized(_: Setter, _node: Apply, parts: Parts) -> Part:
    return Part(Row((operator("|"), parts[0].box, operator("|"))))


def _let(_: Setter, node: Apply, parts: Parts) -> Part:
    name = Word(node.option("name"))
    return Part(Row((parts[1].box, text(", "), name, operator("="), parts[0].box)), Level.CHOICE)


def _normalised(_: Setter, node: Apply, parts: Parts) -> Part:
    """``x̂`` written out: the mean and the deviation are those of the row."""
    above = parts[0].box
    if node.option("centred"):
        mean = Row((Word("mean", "function"), operator("("), above, operator(")")))
        above = Row((above, operator("−"), mean))
    return Part(Fraction(above, _spread(node, parts[0].box)), Level.PRODUCT)


def _applied(name: Word, given: Box) -> Box:
    return Row((name, operator("("), given, operator(")")))


def _deviation(_: Setter, node: Apply, parts: Parts) -> Part:
    return Part(_spread(node, parts[0].box))


def _spread(node: Apply, given: Box) -> Box:
    """``√(var(x) + ε)``, or of the mean square where the mean is not taken off."""
    if node.option("centred"):
        inside = _applied(Word("var", "function"), given)
    else:
        inside = _applied(Word("mean", "function"), Power(given, Word("2", "number")))
    return Root(Row((inside, operator("+"), Word("ε"))))


def _attention(_: Setter, node: Apply, parts: Parts) -> Part:
    """The weights: a softmax of scaled products, with a mask if the node was given one."""
    query, key = (_within(part, Level.ATOM) for part in parts[:2])
    scores: tuple[Box, ...] = (query, operator("·"), Power(key, Word("T")))
    scale = node.option("scale")
    if scale not in (None, 1):
        scores = (Word(numeral(scale), "number"), operator("·"), *scores)
    if node.option("causal"):
        scores = (*scores, text(" causally masked"))
    if node.function == "masked_attention":
        mask = parts[2]
        sign = operator("+") if node.option("added") else text(" masked by ")
        scores = (*scores, sign, _within(mask, Level.PRODUCT if node.option("added") else Level.ATOM))
    return Part(_applied(Word("softmax", "function"), Row(scores)))


def _clamped(setter: Setter, node: Apply, parts: Parts) -> Part:
    if node.arguments[2] != Constant("inf"):
        return setter.call("clamp", node)
    row = (Word("max", "function"), operator("("), parts[0].box, text(", "), parts[1].box, operator(")"))
    return Part(Row(row))


def _solved(setter: Setter, node: Apply, _: Parts) -> Part:
    called = setter.call("solve", node)
    words = ", 1 on the diagonal" if node.option("unit") else ""
    words += "" if node.option("left") else ", from the right"
    return Part(Row((called.box, text(words))), Level.CHOICE) if words else called


def _einsum(_: Setter, node: Apply, parts: Parts) -> Part:
    given: list[Box] = [box for part in parts for box in (text(", "), part.box)]
    equation = text(f'"{node.option("equation")}"')
    return Part(Row((Word("einsum", "function"), operator("("), equation, *given, operator(")"))))


def _called(name: str, last: str, lead: str = ", ") -> Writer:
    """A call whose last argument is an option, if it is one that counts."""

    def write(_: Setter, node: Apply, parts: Parts) -> Part:
        given: list[Box] = [box for part in parts for box in (text(", "), part.box)][1:]
        value = node.option(last)
        if value is not None and (value or last == "ignored"):
            given.append(text(f"{lead}{numeral(value)}"))
        return Part(Row((Word(name, "function"), operator("("), *given, operator(")"))))

    return write


def _followed(words: str) -> Writer:
    """The first argument, and words behind it; options stand in braces."""

    def write(_: Setter, node: Apply, parts: Parts) -> Part:
        return Part(Row((parts[0].box, text(words.format_map(dict(node.options))))), Level.CHOICE)

    return write


def _cut(_: Setter, node: Apply, parts: Parts) -> Part:
    dim = node.option("dim") or 0
    return Part(Row((_within(parts[0], Level.ATOM), text(f"[{':, ' * dim}{node.option('inside')}]"))))


def _paired(signed: bool) -> Writer:
    def write(_: Setter, _node: Apply, parts: Parts) -> Part:
        g, a, b, *distance = parts
        sides: tuple[Box, ...] = (_within(a, Level.SUM), operator("−"), _within(b, Level.PRODUCT))
        if a.box == b.box:  # rows of one tensor
            rows = _within(a, Level.ATOM)
            sides = (rows, text("[i]"), operator("−"), rows, text("[j]"))
        difference: Box = Row(sides)
        factor: Box = _applied(Word("sign", "function"), difference)
        if not signed:
            factor = Row((Fraction(difference, distance[0].box), text(" (0 at 0)")))
        row = (operator("Σ"), text(" "), g.box, operator("⊙"), factor, text(" over the pairs"))
        return Part(Row(row), Level.CHOICE)

    return write


def _later(_: Setter, _node: Apply, parts: Parts) -> Part:
    words = text(" from here on · the product up to there without its own of "), parts[1].box
    return Part(Row((operator("Σ"), text(" "), parts[0].box, *words)), Level.CHOICE)


def _exp_block(_: Setter, _node: Apply, parts: Parts) -> Part:
    a, g = parts[0].box, parts[1].box
    inside = Row((operator("["), a, text(", "), g, text("; 0, "), a, operator("]")))
    return Part(Row((text("upper right of "), _applied(Word("exp", "function"), inside))), Level.CHOICE)


def _over_norm(setter: Setter, node: Apply, parts: Parts) -> Part:
    """A quotient that counts as 0 where the norm is 0."""
    return Part(Row((_divided(setter, node, parts).box, text(" (0 at 0)"))), Level.CHOICE)


def _unwritten(_: Setter, _node: Apply, parts: Parts) -> Part:
    """A change of shape that elements do not notice."""
    return parts[0]


_RELATIONS = {"less": "<", "less_equal": "≤", "greater": ">", "greater_equal": "≥", "equal": "="}

WRITERS: Mapping[str, Writer] = {
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
    "greater_ties_half": _ties("<"),
    "less_ties_half": _ties(">"),
    "abs": _sized,
    "sum": _summed,
    "sum_but": _summed,
    "sum_to": _summed_over,
    "let": _let,
    "normalised": _normalised,
    "deviation": _deviation,
    **dict.fromkeys(("attention", "masked_attention"), _attention),
    "over_norm": _over_norm,
    "clamp": _clamped,
    "solve": _solved,
    "solve_triangular": _solved,
    "upper": _called("triu", "diagonal"),
    "lower": _called("tril", "diagonal"),
    "heads_repeated": _called("repeat_interleave", "count"),
    "heads_summed": _followed(", Σ over groups of {count} heads"),
    "at_target": _called("picked", "ignored", "; 0 at "),
    "einsum": _einsum,
    "beside_nan": _followed("; {told}"),
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
