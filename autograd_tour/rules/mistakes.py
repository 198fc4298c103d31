"""What people get wrong when they apply a rule, as numbers computed from the rule itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from autograd_tour.record.rule import Apply, Constant, Expression, Symbol
from autograd_tour.rules.evaluate import evaluate
from autograd_tour.rules.spelling import numeral, plain_name, spell
from autograd_tour.rules.wording import has_gradient, is_gradient

__all__ = ["mistakes"]

_ROUNDING = 1e-3
"""An answer further from what the rule gives is not off by rounding."""

Numbers = Callable[[Symbol], float | None]
Mistake = tuple[float, str]


def mistakes(rule: Expression, numbers: Numbers, answer: float | None = None) -> Iterator[Mistake]:
    """(wrong answer, what whoever gives it has done) for an elementwise rule; ``numbers`` gives the operands.

    Each is the value of a changed rule, so it is right about what it betrays. ``answer`` is the right one as
    recorded: what was rounded on its way there rounds the wrong ones alike.
    """
    incoming = evaluate(Symbol("gradient"), numbers)
    factor = _factor(rule)
    if factor is None or incoming is None:
        return
    above, below = factor
    alone = evaluate(above, numbers)
    divisor = evaluate(below, numbers)
    exact = incoming * alone / divisor if alone is not None and divisor else 0.0
    rounding = answer / exact if answer is not None and exact else 1.0
    if abs(rounding - 1) > _ROUNDING:
        rounding = 1.0
    for changed, betrayed in _changes(above, below):
        value = evaluate(changed, numbers)
        if value is not None:
            yield value * rounding, betrayed
    if alone is not None and divisor:
        local = alone / divisor * rounding
        yield incoming, "you handed on the gradient that comes in, without the local derivative."
        yield local, "you gave the local derivative alone, without the gradient that comes in."
        yield incoming + local, "you added the two; the chain rule multiplies them."
        yield -incoming * local, "the size is right; the sign is not."


def _factor(rule: Expression) -> tuple[Expression, Expression] | None:
    """What the gradient is multiplied and divided by; ``None`` if the rule is no such product."""
    unit = Constant(1)
    if isinstance(rule, Symbol) and rule.role == "gradient":
        return unit, unit
    if not isinstance(rule, Apply):
        return None
    if rule.function == "neg" and is_gradient(rule.arguments[0]):
        return Constant(-1), unit
    if rule.function not in ("mul", "div") or not is_gradient(rule.arguments[0]):
        return None
    other = rule.arguments[1]
    if has_gradient(other):
        return None
    return (other, unit) if rule.function == "mul" else (unit, other)


def _changes(above: Expression, below: Expression) -> Iterator[tuple[Expression, str]]:
    """Changed rules, the most telling first."""
    g = Symbol("gradient")
    if isinstance(below, Constant) and float(below.value) not in (1, -1):
        yield g * below, f"you multiplied by {spell(below)}; this rule divides by it."
    elif below != Constant(1):
        yield g * below, f"you multiplied by {_named(below)}; this rule divides by it."
    for rest, name in _left_out(above):
        yield g * rest / below, f"you left out the factor {name}."
    for changed, name in _terms_left_out(above):
        yield g * changed / below, f"you left out the term {name}."
    divisor, undivided = _divisor(above)
    if divisor is not None and undivided is not None:
        yield g * undivided, f"you forgot to divide by {spell(divisor)}."
        yield g * above * divisor * divisor, f"you multiplied by {spell(divisor)}; this rule divides by it."
    if isinstance(above, Symbol) or (isinstance(above, Constant) and float(above.value) not in (0, 1, -1)):
        yield g / above, f"you divided by {_named(above)}; this rule multiplies by it."


def _left_out(node: Expression) -> Iterator[tuple[Expression, str]]:
    """What is left of a product without one of its factors, and what that factor is called."""
    if not isinstance(node, Apply):
        return
    if node.function == "div":
        for rest, name in _left_out(node.arguments[0]):
            yield rest / node.arguments[1], name
    elif node.function == "mul":
        for position, factor in enumerate(node.arguments):
            others = node.arguments[1 - position]
            if factor not in (Constant(1), Constant(-1)):
                yield others, _named(factor)
            if isinstance(factor, Apply) and factor.function == "mul":
                for rest, name in _left_out(factor):
                    yield rest * others, name


def _terms_left_out(node: Expression) -> Iterator[tuple[Expression, str]]:
    """A factor without one of the terms of its sum or difference, and what that term is called."""
    if not isinstance(node, Apply):
        return
    if node.function in ("add", "sub") and len(node.arguments) == 2:
        left, right = node.arguments
        yield right if node.function == "add" else -right, _named(left)
        yield left, _named(right)
    elif node.function in ("mul", "div"):
        for position, factor in enumerate(node.arguments):
            rest = node.arguments[1 - position]
            if node.function == "div" and position:
                continue
            for changed, name in _terms_left_out(factor):
                yield (changed * rest if node.function == "mul" else changed / rest), name


def _divisor(node: Expression) -> tuple[Expression | None, Expression | None]:
    """The number that a factor is divided by, and the factor without it."""
    if isinstance(node, Apply) and node.function == "div" and isinstance(node.arguments[1], Constant):
        return node.arguments[1], node.arguments[0]
    return None, None


def _named(node: Expression) -> str:
    if isinstance(node, Constant):
        return numeral(float(node.value))
    return plain_name(node).text if isinstance(node, Symbol) else spell(node)
