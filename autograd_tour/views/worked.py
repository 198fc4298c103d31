"""A local rule worked out for one element, with numbers in place of names: ``0.09091 × 2(35.2) = 6.4``."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from msgspec import Struct

from autograd_tour.record.facts import Number, TensorFacts
from autograd_tour.record.graph import Edge, Graph
from autograd_tour.record.node import Node
from autograd_tour.record.rule import Apply, Expression, Symbol, Words
from autograd_tour.rules.evaluate import evaluate, is_elementwise, symbols
from autograd_tour.rules.spelling import Level, Piece, spell
from autograd_tour.rules.wording import follows_gradient, has_gradient, short
from autograd_tour.text import closing, number, rounded

__all__ = ["Operands", "Worked", "element", "on_first_elements", "operand_values", "pieces", "worked"]

Operands = Mapping[tuple[str, int | str], TensorFacts]
"""What is known of a node's tensors: ``("input", slot)``, ``("result", slot)``, ``("saved", name)``."""

_SAME_FIRST = frozenset(
    ("expand", "reshape", "beside", "transpose", "swap_dims", "permute", "cast", "beside_nan")
)
"""Functions whose first element is the first element of what they are given."""

_CLOSE = 2e-3
"""Relative: numbers with four digits agree to this."""


class Worked(Struct, frozen=True, omit_defaults=True):
    """The arithmetic of one element: ``text``, which ``element`` it is, counted from 0.

    ``terms`` is the number of terms if that element is a sum, ``whole`` whether all of them are written.
    """

    text: str
    element: int = 0
    terms: int = 0
    whole: bool = True


def operand_values(graph: Graph) -> dict[str, dict[tuple[str, int | str], TensorFacts]]:
    """For every node what is known of its inputs, results and saved tensors."""
    nodes = graph.by_id()
    values: dict[str, dict[tuple[str, int | str], TensorFacts]] = {node.id: {} for node in graph.nodes}
    for edge in graph.select("forward"):
        maker, slot = nodes[edge.src], edge.slot[0]
        facts = maker.values[slot] if slot < len(maker.values) else None
        if facts is not None and edge.slot[1] >= 0 and edge.dst in values:
            values[edge.dst]["input", edge.slot[1]] = facts
    for node in graph.nodes:
        for slot, facts in enumerate(node.values):
            if facts is not None:
                values[node.id]["result", slot] = facts
        for item in node.saved:
            if item.facts is not None and item.state == "kept":
                values[node.id]["saved", item.name] = item.facts
    return values


def worked(
    edge: Edge,
    node: Node,
    received: Iterable[TensorFacts | None],
    sent: TensorFacts | None,
    operands: Operands,
) -> Worked | None:
    """The arithmetic of one element sent along ``edge``, ``None`` where one element cannot tell it.

    ``received`` is what came into ``node`` and ``operands`` comes from :func:`operand_values`. It is the
    first element that is not finite, if there is one, or else the first. Of a sum over a broadcast the
    terms are shown. A hook on the way, a rule that looks at more than one element, an operand whose value
    was not recorded, and numbers that do not agree as they are printed have no such line.
    """
    arrived = [facts for facts in received if facts is not None]
    rule = edge.rule
    if len(arrived) != 1 or sent is None or node.kind != "operation" or "hooked" in edge.marks:
        return None
    if rule is None or isinstance(rule, Words):
        return None
    incoming, terms = arrived[0], 0
    if isinstance(rule, Apply) and rule.function == "sum_to":
        rule, terms = rule.arguments[0], max(incoming.numel // max(sent.numel, 1), 1)
        if sent.numel != 1:
            return None
    elif not (incoming.shape == sent.shape or incoming.numel == 1):
        return None
    plain = on_first_elements(rule)
    if not is_elementwise(plain) or not has_gradient(plain):
        return None
    if terms:
        return _sum(plain, incoming, sent, operands, terms)
    index = _first_odd(sent)
    factors = _line(plain, incoming, operands, index, sent.numel)
    result = element(sent, index, sent.numel)
    if factors is None or result is None:
        return None
    text, value = factors
    result_text = number(result) if sent.numel == 1 else rounded(result)
    return Worked(f"{text} = {result_text}", index) if _agree(value, result) else None


def pieces(rule: Expression) -> tuple[str | Symbol, ...]:
    """The line of one element with its symbols instead of numbers: texts and symbols in turns, a text first.

    Empty where one element cannot tell it.
    """
    plain = on_first_elements(rule)
    if not is_elementwise(plain) or not has_gradient(plain):
        return ()
    order = symbols(plain)
    marks = {symbol: chr(_MARKS + number) for number, symbol in enumerate(order)}
    text = _written(plain, marks)
    line: list[str | Symbol] = [""]
    for character in text:
        number = ord(character) - _MARKS
        if 0 <= number < len(order):
            line += [order[number], ""]
        else:
            line[-1] = f"{line[-1]}{character}"
    return tuple(line)


_MARKS = 0xF0000
"""The first of the characters, of no meaning anywhere, that stand for symbols until numbers do."""


def on_first_elements(rule: Expression) -> Expression:
    """``rule`` as its first element sees it: without changes of shape that keep the first element first."""
    if not isinstance(rule, Apply):
        return rule
    if rule.function in _SAME_FIRST:
        return on_first_elements(rule.arguments[0])
    arguments = tuple(map(on_first_elements, rule.arguments))
    return Apply(rule.function, arguments, rule.options)  # type: ignore[arg-type]


def element(facts: TensorFacts, position: int, count: int) -> float | None:
    """Element ``position`` of ``count`` as a real number, if it was kept; a lone element stands for all."""
    if facts.numel not in (count, 1) and position:
        return None
    index = 0 if facts.numel == 1 else position
    if index < len(facts.first):
        return _real(facts.first[index])
    return None


def _real(value: Number) -> float | None:
    try:
        return float(value)
    except ValueError:
        return None  # a complex number


def _first_odd(facts: TensorFacts) -> int:
    """The index of the first element that is not finite, or 0."""
    for index, value in enumerate(facts.first):
        real = _real(value)
        if real is not None and not math.isfinite(real):
            return index
    return 0


def _line(
    rule: Expression, incoming: TensorFacts, operands: Operands, index: int, count: int
) -> tuple[str, float] | None:
    """``incoming × factor`` with numbers, and what the numbers come to as they are printed."""
    numbers: dict[Symbol, float] = {}
    for symbol in symbols(rule):
        facts = incoming if symbol.role == "gradient" else operands.get(_key(symbol))
        value = element(facts, index, count) if facts is not None else None
        if value is None:
            return None
        numbers[symbol] = value
    exact = evaluate(rule, numbers.get)
    if exact is None:
        return None
    for digits in (4, 5, 6, 7, 8):
        texts = {symbol: rounded(value, digits) for symbol, value in numbers.items()}
        printed = evaluate(rule, {symbol: _read(text) for symbol, text in texts.items()}.get)
        if printed is not None and _agree(printed, exact):
            return _written(rule, texts), printed
    return None


def _key(symbol: Symbol) -> tuple[str, int | str]:
    return (symbol.role, symbol.name) if symbol.role == "saved" else (symbol.role, symbol.slot)


def _written(rule: Expression, texts: Mapping[Symbol, str]) -> str:
    def name(symbol: Symbol) -> Piece:
        text = texts[symbol]
        return Piece(text, Level.NEGATIVE if text.startswith("−") else Level.ATOM, numeral=True)

    first = next((texts[symbol] for symbol in texts if symbol.role == "gradient"), "")
    return f"{first} {short(rule, name)}" if follows_gradient(rule) else spell(rule, name)


def _read(text: str) -> float:
    """The number that was just written: rounded as the reader sees it."""
    return float(text.replace("−", "-"))


def _agree(a: float, b: float) -> bool:
    if math.isnan(a) or math.isnan(b):
        return math.isnan(a) and math.isnan(b)
    return a == b or math.isclose(a, b, rel_tol=_CLOSE, abs_tol=1e-30)


def _sum(
    rule: Expression, incoming: TensorFacts, sent: TensorFacts, operands: Operands, terms: int
) -> Worked | None:
    """``g₁·x₁ + … = total``: all terms if they are few, else those that show how it goes."""
    total = element(sent, 0, 1)
    if total is None:
        return None
    if isinstance(rule, Symbol):
        return _plain_sum(incoming, total, terms)
    index = _first_odd(incoming) if not math.isfinite(total) else 0
    line = _line(rule, incoming, operands, index, incoming.numel)
    if line is None:
        return None
    return Worked(f"{line[0]} + … ({terms} terms) = {number(total)}", index, terms, whole=False)


def _plain_sum(facts: TensorFacts, total: float, terms: int) -> Worked | None:
    values = [value for value in map(_real, facts.first) if value is not None]
    if len(values) == facts.numel <= 3:
        texts, result = closing(values, total)
        sign = "=" if result is not None else "≈"
        return Worked(f"{' + '.join(map(_signed, texts))} {sign} {result or number(total)}", 0, terms)
    last = _real(facts.last) if facts.last is not None else None
    if not values or last is None:
        return None
    text = f"{_signed(rounded(values[0]))} + … + {_signed(rounded(last))} = {number(total)}"
    return Worked(text, 0, terms, whole=False)


def _signed(text: str) -> str:
    return f"({text})" if text.startswith("−") else text
