"""The value of an expression for single numbers."""

from __future__ import annotations

from collections.abc import Callable

from autograd_tour.record.rule import Apply, Constant, Expression, Symbol
from autograd_tour.rules.vocabulary import ON_NUMBERS

__all__ = ["evaluate", "is_elementwise", "symbols"]


def evaluate(expression: Expression, value: Callable[[Symbol], float | None]) -> float | None:
    """What ``expression`` comes to if ``value`` gives the number behind each symbol.

    ``None`` if a symbol has no number, or a function looks at more than one element. Numbers are
    64-bit floats; what overflows is infinite, as in torch.
    """
    if isinstance(expression, Constant):
        return float(expression.value)
    if isinstance(expression, Symbol):
        return value(expression)
    assert isinstance(expression, Apply)
    function = ON_NUMBERS.get(expression.function)
    if function is None:
        return None
    numbers = [evaluate(argument, value) for argument in expression.arguments]
    if any(number is None for number in numbers):
        return None
    try:
        return float(function(*numbers))
    except OverflowError:
        return float("inf")
    except (ValueError, ZeroDivisionError):
        return float("nan")


def is_elementwise(expression: Expression) -> bool:
    """Whether each element of the result depends on one element of every tensor."""
    if not isinstance(expression, Apply):
        return True
    return expression.function in ON_NUMBERS and all(map(is_elementwise, expression.arguments))


def symbols(expression: Expression) -> tuple[Symbol, ...]:
    """The symbols in ``expression``, each once, from left to right."""
    if isinstance(expression, Symbol):
        return (expression,)
    if not isinstance(expression, Apply):
        return ()
    return tuple(dict.fromkeys(item for argument in expression.arguments for item in symbols(argument)))
