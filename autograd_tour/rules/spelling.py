"""Expressions as people write them, with as few brackets as can be: ``2(t_p − t_c)``, ``1[x > 0]``."""

from __future__ import annotations

import math
from collections.abc import Callable

from autograd_tour.record.rule import Apply, Constant, Expression, Symbol
from autograd_tour.rules.array_words import ARRAY_WRITERS
from autograd_tour.rules.pieces import Level, Piece, along, bracket, gradient_name, numeral, steps_of
from autograd_tour.rules.vocabulary import CALLS

__all__ = ["Level", "Piece", "Printer", "Speller", "bracket", "numeral", "plain_name", "spell"]


Speller = Callable[[Symbol], Piece]

_SUPERSCRIPTS = {2: "²", 3: "³"}
_RELATIONS = {"less": "<", "less_equal": "≤", "greater": ">", "greater_equal": "≥", "equal": "="}


def plain_name(symbol: Symbol) -> Piece:
    """The name of a symbol in the program; of a gradient ``g``; of what has no name what it is."""
    if symbol.role == "gradient":
        return Piece(symbol.name or gradient_name(symbol.slot, "g"))
    name = symbol.alias or symbol.name or ("result" if symbol.role == "result" else "input")
    level = Level.RELATION if symbol.compound else Level.ATOM
    if symbol.transposed:
        return Piece(f"({name})ᵀ" if symbol.compound else f"{name}ᵀ", quoted=True)
    return Piece(f"−{name[1:]}" if name.startswith("-") else name, level, quoted=True)


def spell(expression: Expression, name: Speller = plain_name, digits: int = 4) -> str:
    """``expression`` as text; ``name`` gives the text of a symbol."""
    return Printer(name, digits).piece(expression).text


class Printer:
    """Writes expressions, with ``name`` for symbols and ``digits`` significant digits of numbers."""

    def __init__(self, name: Speller = plain_name, digits: int = 4) -> None:
        self.name, self.digits = name, digits

    def piece(self, node: Expression) -> Piece:
        """The text of ``node`` and what a larger expression needs to know of it."""
        if isinstance(node, Constant):
            text = numeral(node.value, self.digits)
            return Piece(text, Level.NEGATIVE if text.startswith("−") else Level.ATOM, numeral=True)
        if isinstance(node, Symbol):
            return self.name(node)
        assert isinstance(node, Apply)
        if node.function == "both":
            return self._both(*node.arguments)
        parts = [self.piece(argument) for argument in node.arguments]
        writer = _WRITERS.get(node.function)
        if writer is not None:
            return writer(node, parts)
        called = CALLS.get(node.function, node.function)
        return Piece(f"{called}({', '.join(part.text for part in parts)})")

    def _both(self, first: Expression, second: Expression) -> Piece:
        chained = (
            isinstance(first, Apply)
            and isinstance(second, Apply)
            and first.arguments[1:] == second.arguments[:1]
        )
        if chained and isinstance(second, Apply) and second.function in _RELATIONS:
            last = bracket(self.piece(second.arguments[1]), Level.RELATION)
            return Piece(f"{self.piece(first).text} {_RELATIONS[second.function]} {last}", Level.RELATION)
        return Piece(f"{self.piece(first).text} and {self.piece(second).text}", Level.CHOICE)


def _add(_: Apply, parts: list[Piece]) -> Piece:
    left, right = parts
    if right.level == Level.NEGATIVE:
        return Piece(f"{bracket(left, Level.SUM)} − {right.text[1:]}", Level.SUM)
    return Piece(f"{bracket(left, Level.SUM)} + {bracket(right, Level.SUM)}", Level.SUM)


def _subtract(_: Apply, parts: list[Piece]) -> Piece:
    return Piece(f"{bracket(parts[0], Level.SUM)} − {bracket(parts[1], Level.PRODUCT)}", Level.SUM)


def _negate(_: Apply, parts: list[Piece]) -> Piece:
    return Piece(f"−{bracket(parts[0], Level.PRODUCT)}", Level.NEGATIVE)


def _multiply(_: Apply, parts: list[Piece]) -> Piece:
    left, right = parts
    if left.text in ("−1", "1") and left.numeral:
        sign = "−" if left.text == "−1" else ""
        return Piece(
            f"{sign}{bracket(right, Level.PRODUCT)}",
            Level.NEGATIVE if sign else max(right.level, Level.PRODUCT),
        )
    first = left.text if left.level >= Level.NEGATIVE else f"({left.text})"
    second = bracket(right, Level.ATOM if left.numeral and right.numeral else Level.PRODUCT)
    if left.numeral and right.numeral and not second.startswith("("):
        second = f"({second})"
    level = Level.NEGATIVE if first.startswith("−") else Level.PRODUCT
    return Piece(f"{first}{_between(first, second, left, right)}{second}", level)


def _between(first: str, second: str, left: Piece, right: Piece) -> str:
    """Nothing where two factors may touch, as in ``2x``, ``2(a + b)`` and ``y(1 − y)``, else a dot."""
    if right.numeral and not second.startswith("("):
        return "·"
    if second.startswith("("):
        if right.quoted and second == right.text:
            return "·"  # 2·(s * 2 + 1).softmax(-1): the bracket is only the beginning of a name
        called = first.endswith(")") and not (left.quoted and first == left.text)
        touching = left.numeral or called or (len(first) == 1 and first.islower() and first != "g")
        return "" if touching else "·"  # g(x) would look like a call
    if second[:1].isdigit():
        return "·"  # 3·2²: a number with an exponent
    if left.numeral:
        return "" if len(second.rstrip("²³")) == 1 or second.startswith("√") else "·"
    return "·"


def _divide(_: Apply, parts: list[Piece]) -> Piece:
    above, below = parts
    text = f"{bracket(above, Level.NEGATIVE)}/{bracket(below, Level.POWER)}"
    return Piece(text, Level.NEGATIVE if text.startswith("−") else Level.PRODUCT)


def _raise(node: Apply, parts: list[Piece]) -> Piece:
    base, exponent = parts
    given = node.arguments[1]
    text = bracket(base, Level.ATOM)
    number = float(given.value) if isinstance(given, Constant) else math.nan
    if number == 0.5:
        return Piece(f"√{text}", Level.POWER)
    if number in _SUPERSCRIPTS:
        called = node.arguments[0]
        if isinstance(called, Apply) and called.function in ("tan", "tanh"):
            head, _, tail = text.partition("(")
            return Piece(f"{head}{_SUPERSCRIPTS[int(number)]}({tail}", Level.POWER)
        return Piece(f"{text}{_SUPERSCRIPTS[int(number)]}", Level.POWER)
    tight = exponent.text if exponent.level >= Level.ATOM else f"({exponent.text})"
    return Piece(f"{text}^{tight}", Level.POWER)


def _root(_: Apply, parts: list[Piece]) -> Piece:
    return Piece(f"√{bracket(parts[0], Level.ATOM)}", Level.POWER)


def _matrix_product(_: Apply, parts: list[Piece]) -> Piece:
    left, right = bracket(parts[0], Level.MATRIX_PRODUCT), bracket(parts[1], Level.POWER)
    return Piece(f"{left} @ {right}", Level.MATRIX_PRODUCT)


def _outer(_: Apply, parts: list[Piece]) -> Piece:
    left, right = bracket(parts[0], Level.POWER), bracket(parts[1], Level.POWER)
    return Piece(f"{left} ⊗ {right}", Level.MATRIX_PRODUCT)


def _conjugate(node: Apply, parts: list[Piece]) -> Piece:
    """``Wᴴ`` for a transpose; the conjugate of a conjugate is not written anew."""
    given = node.arguments[0]
    if isinstance(given, Apply) and given.function == "transpose":
        inner = given.arguments[0]
        if not (isinstance(inner, Symbol) and inner.transposed):
            return Piece(f"{parts[0].text[:-1]}ᴴ")
    return Piece(f"conj({parts[0].text})")


def _transpose(node: Apply, parts: list[Piece]) -> Piece:
    given = node.arguments[0]
    if isinstance(given, Symbol) and given.transposed:
        text = given.alias or given.name
        return Piece(text, Level.RELATION if given.compound else Level.ATOM)
    return Piece(f"{bracket(parts[0], Level.ATOM)}ᵀ")


def _relation(node: Apply, parts: list[Piece]) -> Piece:
    sign = _RELATIONS[node.function]
    return Piece(
        f"{bracket(parts[0], Level.RELATION)} {sign} {bracket(parts[1], Level.RELATION)}", Level.RELATION
    )


def _where(node: Apply, parts: list[Piece]) -> Piece:
    condition, when_true, when_false = parts
    if node.arguments[1:] == (Constant(1), Constant(0)):
        return Piece(f"1[{condition.text}]")
    text = f"{bracket(when_true, Level.SUM)} if {condition.text} else {bracket(when_false, Level.SUM)}"
    return Piece(text, Level.CHOICE)


def _either(_: Apply, parts: list[Piece]) -> Piece:
    return Piece(f"{parts[0].text} or {parts[1].text}", Level.CHOICE)


def _not(_: Apply, parts: list[Piece]) -> Piece:
    return Piece(f"not {bracket(parts[0], Level.ATOM)}", Level.RELATION)


def _ties(sign: str) -> Callable[[Apply, list[Piece]], Piece]:
    def write(_: Apply, parts: list[Piece]) -> Piece:
        a, b = (bracket(part, Level.RELATION) for part in parts)
        return Piece(f"0 if {a} {sign} {b}, ½ if {a} = {b}, else 1", Level.CHOICE)

    return write


def _clamp(node: Apply, parts: list[Piece]) -> Piece:
    low, high = node.arguments[1:]
    if high == Constant("inf"):
        return Piece(f"max({parts[0].text}, {parts[1].text})")
    if isinstance(low, Constant) and isinstance(high, Constant) and float(low.value) == -float(high.value):
        return Piece(f"clamp({parts[0].text}, ±{parts[2].text})")
    return Piece(f"clamp({', '.join(part.text for part in parts)})")


def _sum(node: Apply, parts: list[Piece]) -> Piece:
    return Piece(f"Σ {bracket(parts[0], Level.PRODUCT)}{along(node)}", Level.PRODUCT)


def _norm(_: Apply, parts: list[Piece]) -> Piece:
    return Piece(f"‖{parts[0].text}‖")


def _unwritten(_: Apply, parts: list[Piece]) -> Piece:
    """A change of shape that elements do not notice: what is inside stands for it."""
    return parts[0]


def _let(node: Apply, parts: list[Piece]) -> Piece:
    return Piece(f"{parts[1].text}, {node.option('name')} = {parts[0].text}", Level.CHOICE)


def _normalised(_: Apply, parts: list[Piece]) -> Piece:
    """x̂: the input without its mean, divided by its standard deviation."""
    return Piece(f"{parts[0].text}̂" if len(parts[0].text) == 1 else "x̂")


def _deviation(node: Apply, _: list[Piece]) -> Piece:
    """What torch divides by: ε keeps it away from 0."""
    return Piece(f"√({'var' if node.option('centred') else 'mean square'} + ε)", Level.POWER)


def _of_rows(node: Apply, parts: list[Piece]) -> Piece:
    return Piece(f"{CALLS[node.function]}({parts[0].text}{along(node)})")


def _attention(node: Apply, parts: list[Piece]) -> Piece:
    query, key = (bracket(part, Level.ATOM) for part in parts[:2])
    scale = node.option("scale")
    scaled = f"{query} @ {key}ᵀ" + (f"·{numeral(scale)}" if scale not in (None, 1) else "")
    if node.option("causal"):
        scaled = f"{scaled} causally masked"
    if node.function == "masked_attention":
        added, mask = node.option("added"), parts[2]
        scaled += f" + {bracket(mask, Level.PRODUCT)}" if added else f" masked by {bracket(mask, Level.ATOM)}"
    return Piece(f"softmax({scaled})")


def _over_norm(_: Apply, parts: list[Piece]) -> Piece:
    return Piece(f"({_divide(_, parts).text}; 0 at 0)")


def _product_of_others(node: Apply, parts: list[Piece]) -> Piece:
    return Piece(f"(the product of the others in {parts[0].text}{along(node)})")


def _convolution(node: Apply, parts: list[Piece]) -> Piece:
    called = "conv_transpose" if node.option("transposed") else "conv"
    walk = "".join(f", {step}" for step in steps_of(node, ("stride", "padding", "dilation")))
    return Piece(f"{called}({', '.join(part.text for part in parts)}{walk})")


_WRITERS: dict[str, Callable[[Apply, list[Piece]], Piece]] = {
    "add": _add,
    "sub": _subtract,
    "neg": _negate,
    "mul": _multiply,
    "div": _divide,
    "pow": _raise,
    "sqrt": _root,
    "matmul": _matrix_product,
    "outer": _outer,
    "transpose": _transpose,
    "conj": _conjugate,
    "conv": _convolution,
    **dict.fromkeys(_RELATIONS, _relation),
    "where": _where,
    "not": _not,
    "either": _either,
    "greater_ties_half": _ties("<"),
    "less_ties_half": _ties(">"),
    "clamp": _clamp,
    "sum": _sum,
    "norm": _norm,
    "sum_but": _sum,
    "sum_to": _sum,
    "let": _let,
    "normalised": _normalised,
    "deviation": _deviation,
    **dict.fromkeys(("mean", "softmax", "logsumexp"), _of_rows),
    **dict.fromkeys(("attention", "masked_attention"), _attention),
    "over_norm": _over_norm,
    "product_of_others": _product_of_others,
    **dict.fromkeys(("expand", "beside", "reshape"), _unwritten),
    **ARRAY_WRITERS,
}
