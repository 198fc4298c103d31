"""The rule of several operations that hand a gradient straight on, as the rule of their fold."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from msgspec.structs import replace

from autograd_tour.record.graph import Edge
from autograd_tour.record.rule import Apply, Expression, Rule, Symbol

__all__ = ["rule_through"]

LONGEST = 4
"""Rules of so many operations are put into one at most: longer ones nobody reads."""


def rule_through(edge: Edge, members: Collection[str], into: Mapping[str, Sequence[Edge]]) -> Rule | None:
    """What a fold of ``members`` does to the gradient that enters it, until it leaves along ``edge``.

    ``into`` has for each node the gradient edges that end there. ``None`` where gradients are added up
    inside, or where a rule on the way is not known. What only reshapes is not written: a fold shows shapes.
    """
    rule, node = edge.rule, edge.src
    for _ in range(LONGEST):
        before = into.get(node, ())
        inside = [each for each in before if each.src in members]
        if not inside:
            return rule
        if len(before) > 1:
            return None
        rule = _after(inside[0].rule, rule)
        if rule is None:
            return None
        node = inside[0].src
    return None


def _after(first: Rule | None, second: Rule | None) -> Rule | None:
    """``second`` of what ``first`` makes of the gradient."""
    if isinstance(first, Expression) and isinstance(second, Expression):
        if _reshapes(second):
            return first
        return second if _reshapes(first) else _with_gradient(second, first)
    return None


def _reshapes(rule: Expression) -> bool:
    return isinstance(rule, Apply) and rule.function == "reshape" and isinstance(rule.arguments[0], Symbol)


def _with_gradient(rule: Expression, gradient: Expression) -> Rule | None:
    """``rule`` with ``gradient`` in the place of the gradient that comes in."""
    if isinstance(rule, Symbol):
        return gradient if rule.role == "gradient" else rule  # type: ignore[return-value]
    if isinstance(rule, Apply):
        arguments = tuple(_with_gradient(argument, gradient) for argument in rule.arguments)
        return replace(rule, arguments=arguments)
    return rule  # type: ignore[return-value]
