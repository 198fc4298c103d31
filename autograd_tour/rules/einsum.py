"""The rule of a whole ``torch.einsum``, which torch makes of a dozen permutes, views and products.

What a factor gets is an einsum too, with the result's indices in the place of its own: of ``ij,jk->ik`` the
first gets ``ik,jk->ij`` of the gradient and the second.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from autograd_tour.record.rule import Expression, Rule, Symbol, Words, apply
from autograd_tour.rules.definition import G, bind
from autograd_tour.rules.node import NodeView, Shape
from autograd_tour.rules.pieces import Level, bracket
from autograd_tour.rules.spelling import plain_name

__all__ = ["einsum_rule"]


class _Indices(NamedTuple):
    """The indices of each factor, and of the result."""

    factors: tuple[str, ...]
    result: str


def einsum_rule(equation: str, node: NodeView, slot: int) -> Rule:
    """What happens to the gradient of ``einsum(equation, *inputs)`` on its way to input ``slot``.

    ``node`` has the inputs in the program's order. Where no formula of a line's length tells it, it is words.
    """
    indices = _read(equation, node)
    form = _formula(indices, node, slot) if indices is not None else None
    conjugate = "the conjugate of " if any("complex" in given.dtype for given in node.inputs) else ""
    words = Words(f"Σ of {{g}} × {conjugate}what each element was multiplied with")
    return bind(words if form is None else form, node, slot)[0]


def _read(equation: str, node: NodeView) -> _Indices | None:
    """The indices, if they are letters, no factor has one of them twice, and none is broadcast."""
    left, arrow, right = equation.replace(" ", "").partition("->")
    factors = tuple(left.split(","))
    shapes = [given.shape for given in node.inputs]
    if "." in equation or len(factors) != len(shapes):
        return None
    sizes: dict[str, set[int]] = {}
    for letters, shape in zip(factors, shapes, strict=True):
        if shape is None or len(shape) != len(letters) or len(set(letters)) < len(letters):
            return None
        for letter, size in zip(letters, shape, strict=True):
            sizes.setdefault(letter, set()).add(size)
    once = "".join(sorted(letter for letter in sizes if left.count(letter) == 1))
    return (
        _Indices(factors, right if arrow else once)
        if all(len(each) == 1 for each in sizes.values())
        else None
    )


def _formula(indices: _Indices, node: NodeView, slot: int) -> Expression | Words | None:
    if any("complex" in given.dtype for given in node.inputs):
        return None
    own, others = indices.factors[slot], [i for i in range(len(indices.factors)) if i != slot]
    reached = set(indices.result).union(*(indices.factors[i] for i in others))
    alone = [letter for letter in own if letter not in reached]
    if not others:
        if alone:
            return Words(f"{{g}}, repeated along {', '.join(alone)}")
        return _turned(tuple(indices.result.index(letter) for letter in own))
    kept = "".join(letter for letter in own if letter in reached)
    equation = f"{','.join([indices.result, *(indices.factors[i] for i in others)])}->{kept}"
    if len(others) == 1 and not alone:
        return apply("einsum", G, node.input(others[0]), equation=equation)
    repeated = f", repeated along {', '.join(alone)}" if alone else ""
    return Words(f'einsum("{equation}", {{g}}, {_listed(node, others)}){repeated}')


def _turned(dims: Shape) -> Expression:
    if dims == tuple(range(len(dims))):
        return G
    return apply("transpose", G) if len(dims) == 2 else apply("permute", G, dims=dims)


def _listed(node: NodeView, slots: Sequence[int]) -> str:
    given = (node.input(slot) for slot in slots)
    return ", ".join(bracket(plain_name(item), Level.CHOICE) for item in given if isinstance(item, Symbol))
