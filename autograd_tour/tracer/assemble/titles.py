"""What nodes are called: by the expression of the program that made them, or by what torch calls them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor, nn

from autograd_tour.rules.labels import describe
from autograd_tour.rules.titles import BRIEF_LIMIT, TITLE_LIMIT, Expression, shape_title
from autograd_tour.text import attribute_text, friendly_name
from autograd_tour.tracer.assemble.material import Material
from autograd_tour.tracer.assemble.operands import Constant, Input, Number, Operand, Operands
from autograd_tour.tracer.assemble.readings import Reading
from autograd_tour.tracer.assemble.values import Values
from autograd_tour.tracer.listen.calls import CallRecord
from autograd_tour.tracer.listen.calls import Operand as Heard

__all__ = ["Title", "Titles", "title_nodes"]


class Title(NamedTuple):
    """``op`` is the title, ``brief`` the same where room is short, ``name`` how rules refer to the result.

    ``expression`` is all of the source it was read from. ``operands`` names what came in at each slot of
    ``next_functions``, ``""`` for what has no name.
    """

    op: str
    name: str = ""
    brief: str = ""
    expression: str = ""
    operands: tuple[str, ...] = ()


class Titles(NamedTuple):
    """The titles of all nodes, and of the constants by number."""

    nodes: list[Title]
    constants: dict[int, Title]


def title_nodes(
    material: Material, readings: Sequence[Reading], values: Values, operands: Sequence[Operands]
) -> Titles:
    """A title for every node. A leaf is called by its name."""
    reader = _Reader(material)
    titles = Titles([], {})
    for i, (fn, name) in enumerate(zip(material.skeleton.fns, material.skeleton.names, strict=True)):
        if name == "AccumulateGrad":
            titles.nodes.append(_leaf(material, reader, values.name(i), fn.variable))
            continue
        for constant in operands[i].constants:
            if constant.number not in titles.constants:
                titles.constants[constant.number] = _constant(material, reader, constant.number)
        slots = tuple([_text(material, values, titles, i, operand) for operand in operands[i].slots])
        given = operands[i].given
        texts = (
            slots if given is None else tuple([_text(material, values, titles, i, item) for item in given])
        )
        title = _operation(material, reader, readings[i], i, texts, returned=i in values.returned)
        named = title._replace(name=values.name(i) or title.name)
        titles.nodes.append(named._replace(operands=slots) if material.thorough else named)
    return titles


def _leaf(material: Material, reader: _Reader, name: str, leaf: Tensor) -> Title:
    if name:
        return Title(name, name)
    born = material.record.birth(leaf) if material.record is not None else -1
    kind = "Parameter" if isinstance(leaf, nn.Parameter) else "leaf"
    return reader.tensor(id(leaf), born, tuple(leaf.shape), kind)


def _constant(material: Material, reader: _Reader, number: int) -> Title:
    """Its name in the program, or its path if it is a module's buffer, or what it is there."""
    name = material.constant_name(number)
    if name:
        return Title(name, name)
    constant = material.constant(number)
    return reader.tensor(-1 - number, constant.spot, constant.facts.shape)


def _operation(
    material: Material, reader: _Reader, reading: Reading, i: int, texts: Sequence[str], *, returned: bool
) -> Title:
    fn, grad_fn, call = material.skeleton.fns[i], material.skeleton.names[i], material.calls[i]
    function = getattr(fn, "_forward_cls", None)
    custom = function.__name__.removesuffix("Backward") if function is not None else ""
    attributes = {name: attribute_text(value) for name, value in reading.attributes}
    alone = call.function if call is not None and call.stop - call.start == 1 else ""
    plain = Title(custom) if custom else Title(*describe(grad_fn, alone, texts, attributes))
    called = alone if alone and not alone.startswith("_") else custom or friendly_name(grad_fn)
    plain = plain._replace(name=plain.name or f"{called}(…)")
    source = reader.read(call.site.spot) if call is not None else None
    if call is None or source is None:
        return plain
    if (returned or (not call.stop and friendly_name(grad_fn) in call.function)) and call.whole:
        return source._replace(name=source.name or plain.name)
    step = friendly_name(grad_fn)
    room = TITLE_LIMIT - len(step) - len(" in ")
    outer = reader.expression(call.site.spot)
    whole = f"{step} in {outer.title(max(room, BRIEF_LIMIT))}" if outer is not None else step
    return Title(whole, plain.name, step, source.expression)


def _text(material: Material, values: Values, titles: Titles, i: int, operand: Operand | None) -> str:
    """How labels name an operand of node ``i``."""
    match operand:
        case None:
            return ""
        case Input(slot):
            j, k = material.skeleton.next[i][slot]
            names = values.names[j]
            if len(names) > 1:
                call = material.calls[j]
                function = call.function if call is not None else ""
                name = names[k] if k < len(names) else ""
                return name or f"{function or friendly_name(material.skeleton.names[j])}[{k}]"
            return titles.nodes[j].name
        case Constant(number):
            if number not in titles.constants:
                return material.constant_name(number)
            return titles.constants[number].name
        case Number(value):
            return f"{value:g}" if isinstance(value, float) else str(value)
    return operand.name


class _Reader:
    """Reads expressions of one record; each place of the program is read once."""

    def __init__(self, material: Material) -> None:
        self.record = material.record
        self._by_spot: dict[int, Title | None] = {}
        self._used_as: dict[int, Expression] | None = None

    def expression(self, spot: int) -> Expression | None:
        """The expression at a place of the program."""
        return self.record.spots.expression(spot) if self.record is not None and spot >= 0 else None

    def read(self, spot: int) -> Title | None:
        """The title that the expression at a place of the program gives."""
        if spot < 0:
            return None
        if spot not in self._by_spot:
            expression = self.expression(spot)
            self._by_spot[spot] = _titled(expression) if expression is not None else None
        return self._by_spot[spot]

    def tensor(self, key: int, spot: int, shape: tuple[int, ...], kind: str = "tensor") -> Title:
        """The title of a tensor without a name: how it is used, how it was made, or its shape.

        ``key`` is the ``id`` of a leaf, or -1 - number of a constant.
        """
        used = self._uses().get(key)
        if used is not None:
            return _titled(used)
        source = self.read(spot)
        if source is not None and source.name:
            return source
        text = shape_title(shape, kind)
        return Title(text, text)

    def _uses(self) -> dict[int, Expression]:
        """Key of a leaf or constant -> the argument that it is at its first use."""
        if self._used_as is None:
            self._used_as = {}
            for call in self.record.calls if self.record is not None else ():
                for operand in call.operands:
                    key = _key(operand)
                    if key is None or key in self._used_as:
                        continue
                    argument = self._argument(call, operand)
                    if argument is not None and argument.tree is not None:
                        self._used_as[key] = argument
        return self._used_as

    def _argument(self, call: CallRecord, operand: Heard) -> Expression | None:
        if not (call.site.direct and operand.path):
            return None
        expression = self.expression(call.site.spot)
        mixed = any(not other.differentiable and other.constant < 0 for other in call.operands)
        return expression.argument(operand.path, call.method, call.given, mixed) if expression else None


def _key(operand: Heard) -> int | None:
    if operand.constant >= 0:
        return -1 - operand.constant
    return id(operand.source) if isinstance(operand.source, Tensor) else None


def _titled(expression: Expression) -> Title:
    title = expression.title()
    brief = expression.title(BRIEF_LIMIT) if len(title) > BRIEF_LIMIT else ""
    return Title(title, expression.name(), brief, expression.full())
