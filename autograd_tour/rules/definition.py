"""How a rule is written down: an expression of placeholders, or a function of the node that gives one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from autograd_tour.record.rule import Apply, Constant, Expression, Rule, Symbol, Words, apply
from autograd_tour.rules.node import NodeView
from autograd_tour.rules.pieces import gradient_name

__all__ = ["A", "B", "C", "Definition", "G", "Source", "X", "Y", "attribute", "bind", "by_slot", "define"]

G = Symbol("gradient")
"""The gradient that comes in."""
A, B, C = Symbol("input", 0), Symbol("input", 1), Symbol("input", 2)
X = Symbol("input", -1)
"""The input that the rule is about."""
Y = Symbol("result")
GRADIENT = "grad"
"""What a rule calls the gradient in a program that has a ``g`` of its own."""

Source = (
    Expression | Words | Callable[[NodeView, int], Rule | Expression | None] | tuple["Source", ...] | None
)
"""A rule for one slot. Of a tuple, each tells the same: the first that is short is taken."""


class Definition(Struct, frozen=True):
    """The rules of one kind of node: one for each slot, the last for all slots that follow if ``repeats``.

    ``fused`` is what several steps in one node compute, where a node is more than its name says.
    ``pointwise`` nodes broadcast their operands, so that their rules end in a sum. ``routed``: the
    gradient reaches some elements only. ``holomorphic``: of complex operands the rule is conjugated.
    ``any_numbers``: it holds for complex operands as it stands.
    """

    slots: tuple[Any, ...] = ()
    fused: Any = None
    pointwise: bool = False
    routed: bool = False
    holomorphic: bool = False
    any_numbers: bool = False
    repeats: bool = False

    def source(self, slot: int) -> Any:
        """What gives the rule of ``slot``: a :data:`Source`."""
        if slot < len(self.slots):
            return self.slots[slot]
        return self.slots[-1] if self.repeats and self.slots else None


def define(*slots: Source, **more: Any) -> Definition:
    """The rules of a kind of node, one for each slot."""
    return Definition(slots, **more)


def by_slot(rule: Callable[[NodeView, int], Rule | Expression | None], **more: Any) -> Definition:
    """One function for all slots."""
    return Definition((rule,), repeats=True, **more)


def attribute(name: str, default: float | None = None) -> Apply:
    """A placeholder for a number that the node keeps; without it, and no default, there is no rule."""
    return apply("attribute", name=name, default=default)


class _MissingError(Exception):
    """An attribute that the rule needs is not known."""


def bind(source: Source, node: NodeView, slot: int) -> tuple[Rule, ...]:
    """The rules that ``source`` gives for ``slot`` of ``node``: placeholders become its names and numbers."""
    if source is None:
        return ()
    if isinstance(source, tuple):
        return tuple(rule for item in source for rule in bind(item, node, slot))
    if callable(source):
        source = source(node, slot)
    if source is None:
        return ()
    if isinstance(source, Words):
        return (_worded(source, node),)
    try:
        return (_bound(source, node, slot),)
    except _MissingError:
        return ()


def _worded(words: Words, node: NodeView) -> Words:
    """``words`` with the letter of the gradient where ``{g}`` or ``{g1}`` stands."""
    letter = GRADIENT if "g" in node.taken else "g"
    return Words(words.text.replace("{g}", letter).replace("{g1}", gradient_name(1, letter)))


def _bound(item: Any, node: NodeView, slot: int) -> Any:
    if isinstance(item, Symbol):
        if item.role == "gradient":
            return replace(item, name=gradient_name(item.slot, GRADIENT)) if "g" in node.taken else item
        if item.name:
            return item
        if item.role == "input":
            return node.input(slot if item.slot == -1 else item.slot)
        return node.result(item.slot) if item.role == "result" else item
    if not isinstance(item, Apply):
        return item
    if item.function == "let" and item.option("name") in node.taken:
        item = _renamed(item, item.option("name"), f"{item.option('name')}′")
    if item.function == "attribute":
        name = item.option("name")
        value = node.number(name)
        if value is None and name in node.attributes:
            return _complex_number(node.complex_number(name))
        value = item.option("default") if value is None else value
        if value is None:
            raise _MissingError
        return Constant(float(value))
    arguments = tuple(_bound(argument, node, slot) for argument in item.arguments)
    return _tidy(item if arguments == item.arguments else Apply(item.function, arguments, item.options))


def _complex_number(value: complex | None) -> Expression:
    """``a + b·i`` as an expression."""
    if value is None:
        raise _MissingError
    times_i = _tidy(Apply("mul", (Constant(value.imag), apply("imaginary_unit"))))
    return times_i if value.real == 0 else apply("add", value.real, times_i)


def _renamed(item: Any, name: str, other: str) -> Any:
    """``item`` with another name for what a ``let`` names, since the program uses that name itself."""
    if isinstance(item, Symbol):
        return replace(item, name=other) if item.role == "saved" and item.name == name else item
    if not isinstance(item, Apply):
        return item
    arguments = tuple(_renamed(argument, name, other) for argument in item.arguments)
    options = tuple((key, other if key == "name" and value == name else value) for key, value in item.options)
    return Apply(item.function, arguments, options)


def _tidy(item: Apply) -> Expression:
    """Without factors of 1, and with numbers worked out."""
    values = [arg.value if isinstance(arg, Constant) else None for arg in item.arguments]
    match item.function:
        case "mul" if 1 in values:
            return item.arguments[1 - values.index(1)]
        case "mul" if None not in values:
            return Constant(float(values[0]) * float(values[1]))  # type: ignore[arg-type]
        case "mul" if values[0] is not None and _scaled(item.arguments[1]) is not None:
            inner = item.arguments[1]
            assert isinstance(inner, Apply)
            return _tidy(Apply("mul", (_product(inner.arguments[0], item.arguments[0]), inner.arguments[1])))
        case "add" | "sub" if None not in values:
            left, right = float(values[0]), float(values[1])  # type: ignore[arg-type]
            return Constant(left + right if item.function == "add" else left - right)
        case "div" if values[1] == 1:
            return item.arguments[0]
        case "pow" if values[1] == 1:
            return item.arguments[0]
        case "neg" if values[0] is not None:
            return Constant(-float(values[0]))
        case "neg" if _scaled(item.arguments[0]) is not None:
            inner = item.arguments[0]
            assert isinstance(inner, Apply)
            return _tidy(Apply("mul", (_product(inner.arguments[0], Constant(-1.0)), inner.arguments[1])))
    return item


def _scaled(item: Expression) -> Constant | None:
    """The number in front of a product."""
    if isinstance(item, Apply) and item.function == "mul" and isinstance(item.arguments[0], Constant):
        return item.arguments[0]
    return None


def _product(a: Any, b: Any) -> Constant:
    return Constant(float(a.value) * float(b.value))
