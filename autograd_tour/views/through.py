"""The rule of several operations that hand a gradient straight on, as the rule of their fold."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

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
        if _of_gradient(second, "reshape"):
            return first
        if _of_gradient(first, "reshape"):
            return second
        # Of other rules put into one nobody reads what happens.
        return Apply("transpose", (first,)) if _of_gradient(second, "transpose") else None
    return None


def _of_gradient(rule: Expression, function: str) -> bool:
    """Whether ``rule`` does just that to the gradient."""
    return isinstance(rule, Apply) and rule.function == function and isinstance(rule.arguments[0], Symbol)
