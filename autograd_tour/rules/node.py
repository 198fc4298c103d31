"""What a rule may know about a node: its operands, results and attributes. Everything may be missing."""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping
from functools import lru_cache

from msgspec import Struct

from autograd_tour.record.rule import Constant, Expression, Option, Symbol
from autograd_tour.text import friendly_name

__all__ = ["CHANGED", "LETTERS", "NodeView", "Operand", "Shape", "is_compound"]

Shape = tuple[int, ...]
Attribute = Option | tuple[object, ...]


_ATOMS = (ast.Name, ast.Attribute, ast.Call, ast.Subscript, ast.Constant, ast.Tuple, ast.List, ast.Dict)


CHANGED = " (changed"
"""Behind a name, what tells a content from an earlier one, of the same name, that was changed in place."""


@lru_cache(maxsize=4096)
def is_compound(name: str) -> bool:
    """Whether the source expression ``name`` has operators of its own: ``a + b``, but not ``f(a + b)``."""
    # Dots stand for an expression, and a minus sign is what Python writes as a hyphen.
    name = name.partition(CHANGED)[0].replace("…", "_").replace("−", "-")
    if name.isidentifier() or not name:
        return False
    try:
        return not isinstance(ast.parse(name, mode="eval").body, _ATOMS)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        # A path such as encoder.0.weight is no Python.
        return any(sign in name for sign in " +-*/@^%<>=|&")


LETTERS = frozenset("gsuP")
"""What rules call something themselves: the gradient, and what a ``let`` names."""


class Operand(Struct, frozen=True):
    """An input or a result: how the program calls it, its shape and dtype.

    ``transposed``: it is the transpose of what ``name`` says. ``compound``: the name is an expression with
    operators. ``number`` is the value of an operand that is a Python number. ``origin`` tells tensors apart,
    whatever they are called: that of one tensor is always the same, ``None`` where it is not known. ``nan``:
    an element is NaN.
    """

    name: str = ""
    shape: Shape | None = None
    dtype: str = ""
    transposed: bool = False
    compound: bool = False
    number: float | None = None
    origin: tuple[int, int] | None = None
    nan: bool = False

    @property
    def numel(self) -> int | None:
        """Number of elements; ``None`` if the shape is not known, or ragged."""
        return None if self.shape is None or min(self.shape, default=0) < 0 else math.prod(self.shape)


class NodeView(Struct, frozen=True):
    """One node as its rules see it.

    ``inputs`` has one entry for each slot of ``next_functions``, ``outputs`` one for each result.
    ``attributes`` are the plain values the node keeps. ``saved`` has the tensors that it keeps, by torch's
    name, with the program's name for each, ``""`` if it has none. ``taken`` are names that something in the
    program has, so that no rule may use them for something else. ``unused`` are results that nothing was made
    of, so that no gradient comes back from them. ``beside`` are tensors that the call was given and that
    ``next_functions`` has no place for: a mask, indices. ``arguments`` is what torch calls the inputs.
    """

    grad_fn: str
    inputs: tuple[Operand, ...] = ()
    outputs: tuple[Operand, ...] = ()
    attributes: Mapping[str, Attribute] = {}
    saved: Mapping[str, str] = {}
    taken: frozenset[str] = frozenset()
    unused: frozenset[int] = frozenset()
    beside: tuple[Operand, ...] = ()
    arguments: tuple[str, ...] = ()

    def operand(self, slot: int) -> Operand:
        """Input ``slot``; one of which nothing is known if there is none."""
        return self.inputs[slot] if 0 <= slot < len(self.inputs) else Operand()

    @property
    def has_nan(self) -> bool:
        """Whether a NaN is known to be in an operand or a result."""
        return any(operand.nan for operand in (*self.inputs, *self.outputs))

    def is_twice(self, a: int, b: int) -> bool:
        """Whether inputs ``a`` and ``b`` are sure to be one tensor."""
        origin = self.operand(a).origin
        return origin is not None and origin == self.operand(b).origin

    def input(self, slot: int) -> Expression:
        """The symbol of an input, or its value if it is a Python number."""
        given = self.operand(slot)
        if given.number is not None:
            return Constant(given.number)
        name = given.name or self.unnamed(slot)
        compound = given.compound or (not given.name and len(self.inputs) > 1)
        return Symbol("input", slot, name, transposed=given.transposed, compound=compound)

    def unnamed(self, slot: int) -> str:
        """What an input is that the program has no name for: torch's name, and of which operation."""
        if len(self.inputs) < 2:
            return "input"
        if slot < len(self.arguments) and self.arguments[slot]:
            return f"{self.arguments[slot]} of {friendly_name(self.grad_fn)}"
        return f"input {slot + 1}"

    def result(self, slot: int = 0, otherwise: str = "result") -> Symbol:
        """The symbol of a result; ``otherwise`` says what it is where it has no name in the program."""
        given = self.outputs[slot] if slot < len(self.outputs) else Operand()
        return Symbol("result", slot, given.name or otherwise, compound=given.compound)

    def kept(self, name: str, otherwise: str = "") -> Symbol:
        """The symbol of a saved tensor; ``otherwise`` says what it is where it has no name in the program."""
        alias = self.saved.get(name, "")
        return Symbol("saved", 0, name, alias or otherwise, compound=is_compound(alias))

    def number(self, name: str) -> float | None:
        """An attribute as a number."""
        value = self.attributes.get(name)
        if isinstance(value, int | float):
            return float(value)
        try:
            return float(value) if isinstance(value, str) else None
        except ValueError:
            return None

    def complex_number(self, name: str) -> complex | None:
        """An attribute as a complex number: torch hands those out as their text."""
        value = self.attributes.get(name)
        try:
            return complex(value) if isinstance(value, str) else None
        except ValueError:
            return None

    def integer(self, name: str) -> int | None:
        """An attribute as an integer."""
        value = self.number(name)
        return int(value) if value is not None and math.isfinite(value) else None

    def integers(self, name: str) -> Shape | None:
        """An attribute that is a tuple of integers, or a single one."""
        value = self.attributes.get(name)
        if isinstance(value, int) and not isinstance(value, bool):
            return (value,)
        if isinstance(value, tuple) and all(isinstance(item, int) for item in value):
            return tuple(int(item) for item in value if isinstance(item, int))
        return None

    def text(self, name: str) -> str:
        """An attribute that is a word; ``""`` if it is none."""
        value = self.attributes.get(name)
        return value if isinstance(value, str) else ""

    def flag(self, name: str) -> bool | None:
        """An attribute that is true or false."""
        value = self.attributes.get(name)
        return value if isinstance(value, bool) else None

    def shape(self, slot: int) -> Shape | None:
        """The shape of an input: as given, or as the node saved it."""
        given = self.operand(slot).shape
        return self.integers("self_sym_sizes") if given is None and slot == 0 else given

    def elements(self) -> int | None:
        """How many elements the first input has."""
        shape = self.shape(0)
        return None if shape is None or min(shape, default=0) < 0 else math.prod(shape)

    @property
    def output_shape(self) -> Shape | None:
        """The shape of the first result."""
        return self.outputs[0].shape if self.outputs else None
