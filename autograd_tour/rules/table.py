"""The rule of every node class that has one, and the question asked of them: what happens on this edge?"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from autograd_tour.record.rule import Apply, Constant, Expression, Rule, Symbol, Words, apply
from autograd_tour.rules.accumulations import ACCUMULATIONS
from autograd_tour.rules.activations import ACTIVATIONS
from autograd_tour.rules.attention import ATTENTION
from autograd_tour.rules.beside_nan import beside_nan
from autograd_tour.rules.definition import Definition, bind
from autograd_tour.rules.double_backward import DOUBLE_BACKWARD
from autograd_tour.rules.elementwise import ELEMENTWISE
from autograd_tour.rules.evaluate import symbols
from autograd_tour.rules.linalg import LINALG
from autograd_tour.rules.losses import LOSSES
from autograd_tour.rules.node import NodeView, Shape
from autograd_tour.rules.normalisation import NORMALISATION
from autograd_tour.rules.parts import PARTS
from autograd_tour.rules.pooling import POOLING
from autograd_tour.rules.products import PRODUCTS
from autograd_tour.rules.routing import ROUTING
from autograd_tour.rules.sampling import SAMPLING
from autograd_tour.rules.special import SPECIAL
from autograd_tour.rules.spectral import SPECTRAL
from autograd_tour.rules.structure import STRUCTURE
from autograd_tour.rules.wording import short

__all__ = ["DEFINITIONS", "definition", "fused", "marks", "rule", "rules"]

DEFINITIONS: Mapping[str, Definition] = {
    **ELEMENTWISE,
    **ACTIVATIONS,
    **PRODUCTS,
    **STRUCTURE,
    **ROUTING,
    **NORMALISATION,
    **ATTENTION,
    **LOSSES,
    **POOLING,
    **SPECIAL,
    **LINALG,
    **SPECTRAL,
    **SAMPLING,
    **ACCUMULATIONS,
    **PARTS,
    **DOUBLE_BACKWARD,
}

_REAL = frozenset({"abs", "as_real", "imag", "real"})
"""Functions whose values are real."""

_SHORT = 20
"""Most characters of a rule on an arrow, as long as there is a shorter way to write it."""


def definition(grad_fn: str) -> Definition | None:
    """How a node class is defined; ``torch.copy`` variants of views share their rule."""
    return DEFINITIONS.get(grad_fn.rpartition("::")[2].removesuffix("_copy"))


def rules(node: NodeView, slot: int) -> tuple[Rule, ...]:
    """The ways to write the rule of ``slot``: what each tells is the same. Empty if there is no rule.

    The sum that undoes a broadcast is part of each.
    """
    kind = definition(node.grad_fn)
    if kind is None or slot < 0:
        return ()
    forms = bind(kind.source(slot), node, slot)
    if _is_complex(node):
        turned = (_conjugated(form, kind, node, slot) for form in forms)
        forms = tuple(form for form in turned if form is not None)
    forms = tuple(_told_apart(form, node) for form in forms)
    return tuple(beside_nan(node, slot, _with_sum(form, kind, node, slot)) for form in forms)


def rule(node: NodeView, slot: int) -> Rule | None:
    """What happens to the gradient on its way to ``slot``, in the form that is read best."""
    forms = rules(node, slot)
    if len(forms) < 2:
        return forms[0] if forms else None
    texts = [short(form) for form in forms]
    best = next((i for i, text in enumerate(texts) if len(text) <= _SHORT), -1)
    return forms[best if best >= 0 else texts.index(min(texts, key=len))]


def fused(node: NodeView) -> Rule | None:
    """What the steps inside a node compute together; ``None`` for a node that is a single step."""
    kind = definition(node.grad_fn)
    forms = bind(kind.fused, node, 0) if kind is not None else ()
    return forms[0] if forms else None


def marks(node: NodeView, given: Rule | None) -> tuple[str, ...]:
    """``routed`` where the gradient reaches some elements only, ``broadcast`` where it is summed."""
    kind = definition(node.grad_fn)
    routed = ("routed",) if kind is not None and kind.routed else ()
    summed = ("broadcast",) if isinstance(given, Apply) and given.function == "sum_to" else ()
    return (*routed, *summed)


def _told_apart(form: Rule, node: NodeView) -> Rule:
    """Two inputs that are both called `norm(…)` are called what torch calls them instead."""
    inputs = {} if isinstance(form, Words) else {s.slot: s for s in symbols(form) if s.role == "input"}
    alike = {
        a: node.unnamed(a)
        for a, b in itertools.permutations(inputs, 2)
        if "…" in inputs[a].name and inputs[a].name == inputs[b].name and not node.is_twice(a, b)
    }
    return _called(form, alike) if alike else form


def _called(form: Any, names: Mapping[int, str]) -> Any:
    """``form`` with other names for some inputs, by slot."""
    if isinstance(form, Symbol) and form.role == "input" and form.slot in names:
        return replace(form, name=names[form.slot], transposed=False, compound=True)
    if isinstance(form, Apply):
        arguments = tuple(_called(argument, names) for argument in form.arguments)
        return Apply(form.function, arguments, form.options)
    return form


def _with_sum(form: Rule, kind: Definition, node: NodeView, slot: int) -> Rule:
    """With the sum over the places to which a smaller operand was broadcast."""
    # A bias that a fused product adds is broadcast like any other sum.
    if isinstance(form, Words | Constant) or not (kind.pointwise or _only_scales(form)):
        return form
    inner, outer = node.operand(slot).shape, node.output_shape
    if inner is None or outer is None or inner == outer or not _broadcasts(inner, outer):
        return form
    small, large = math.prod(inner), math.prod(outer)
    if small == large:
        return apply("reshape", form, shape=inner)
    return apply("sum_to", form, shape=inner, count=large // small if 0 < small < large else None)


def _broadcasts(inner: Shape, outer: Shape) -> bool:
    """Whether ``inner`` becomes ``outer`` by copies. It does not where the result is a reduction."""
    behind = outer[len(outer) - len(inner) :]
    ragged = min((*inner, *outer), default=0) < 0
    return (
        not ragged
        and len(inner) <= len(outer)
        and all(size in (1, other) for size, other in zip(inner, behind, strict=True))
    )


def _only_scales(form: Rule) -> bool:
    """Whether the gradient comes through as it is, or times a number."""
    if isinstance(form, Apply) and form.function == "mul" and not symbols(form.arguments[1]):
        return _only_scales(form.arguments[0])
    return isinstance(form, Symbol) and form.role == "gradient"


def _is_complex(node: NodeView) -> bool:
    return any("complex" in operand.dtype for operand in (*node.inputs, *node.outputs))


def _conjugated(form: Rule, kind: Definition, node: NodeView, slot: int) -> Rule | None:
    """The rule for complex operands: factors conjugated; a real input takes the real part."""
    if isinstance(form, Words):
        return form
    own = node.operand(slot).dtype
    if not own:
        return None
    turned: Any = form
    if kind.holomorphic:
        turned = _turned(form, node, {})
    elif not kind.any_numbers and not _moves_only(form):
        return None
    if "complex" in own or not _is_complex_valued(turned, node):
        return turned  # type: ignore[no-any-return]
    return apply("real", turned)


def _turned(item: Expression, node: NodeView, names: Mapping[str, bool]) -> Expression:
    """``item`` with everything complex that the gradient is multiplied by conjugated.

    ``names`` are those that stand for a part that was turned already, and whether it holds the gradient.
    """
    if not isinstance(item, Apply | Symbol) or not _is_complex_valued(item, node):
        return item
    if isinstance(item, Symbol):
        left_alone = item.role == "gradient" or (item.role == "saved" and item.name in names)
        return item if left_alone else apply("conj", item)
    if not _holds_gradient(item, names):
        return apply("conj", item)
    if item.function == "let":
        value, body = item.arguments
        inner = {**names, item.option("name"): _holds_gradient(value, names)}
        parts: tuple[Any, ...] = (_turned(value, node, names), _turned(body, node, inner))
    else:
        parts = tuple(_turned(part, node, names) for part in item.arguments)
    return Apply(item.function, parts, item.options)


def _holds_gradient(item: Expression, names: Mapping[str, bool]) -> bool:
    return any(
        symbol.role == "gradient" or (symbol.role == "saved" and names.get(symbol.name, False))
        for symbol in symbols(item)
    )


def _is_complex_valued(item: Rule | Expression, node: NodeView) -> bool:
    """Whether ``item`` may be complex: of a saved tensor the type is not known."""
    if isinstance(item, Apply):
        if item.function in _REAL:
            return False
        return item.function == "imaginary_unit" or any(
            _is_complex_valued(part, node) for part in item.arguments
        )
    for symbol in symbols(item) if isinstance(item, Expression) else ():
        operands = node.inputs if symbol.role == "input" else node.outputs
        if symbol.role == "saved" or symbol.slot >= len(operands):
            return True
        # Slot -1 stands for the gradients of all outputs, which are of one type.
        operand = operands[symbol.slot]
        if "complex" in operand.dtype or (not operand.dtype and operand.number is None):
            return True
    return False


def _moves_only(form: Rule) -> bool:
    """Whether the gradient is moved, copied and scaled by numbers, and by no operand."""
    return isinstance(form, Words) or all(symbol.role in ("gradient", "saved") for symbol in symbols(form))
