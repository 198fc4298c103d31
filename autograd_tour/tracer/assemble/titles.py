"""What nodes are called: by the expression of the program that made them, or by what torch calls them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor, nn

from autograd_tour.rules.labels import describe
from autograd_tour.rules.node import CHANGED
from autograd_tour.text import attribute_text, friendly_name
from autograd_tour.tracer.assemble.material import Material
from autograd_tour.tracer.assemble.naming import SourceNames, SourceTitle
from autograd_tour.tracer.assemble.operands import Constant, Input, Number, Operand, Operands
from autograd_tour.tracer.assemble.readings import Reading
from autograd_tour.tracer.assemble.values import Values
from autograd_tour.tracer.listen.calls import BASE_OF, Site

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
    """The titles of all nodes, and of the constants by number.

    ``written``: what nodes changed, all of it or a part, as it is called, and how often under that name.
    """

    nodes: list[Title]
    constants: dict[int, Title]
    written: dict[int, tuple[str, int]]


def title_nodes(
    material: Material, readings: Sequence[Reading], values: Values, operands: Sequence[Operands]
) -> Titles:
    """A title for every node. A leaf is called by its name."""
    reader = SourceNames(material.record)
    titles = Titles([], {}, {})
    last = {id(call): i for i, call in enumerate(material.calls)}
    for i, (fn, name) in enumerate(zip(material.skeleton.fns, material.skeleton.names, strict=True)):
        if name == "AccumulateGrad":
            titles.nodes.append(_leaf(material, reader, values.name(i), fn.variable))
            continue
        for constant in operands[i].constants:
            if constant.number not in titles.constants:
                titles.constants[constant.number] = _constant(material, reader, titles, constant.number)
        slots = tuple([_text(material, values, titles, i, operand) for operand in operands[i].slots])
        given = operands[i].given
        texts = (
            slots if given is None else tuple([_text(material, values, titles, i, item) for item in given])
        )
        # A function of torch that writes into parts of its result returns it when it has written the last.
        returned = i in values.returned or (name == "CopySlices" and last.get(id(material.calls[i])) == i)
        title = _operation(material, reader, readings[i], i, texts, returned=returned)
        if _is_written_to(material, i):
            named = _of_base(material, titles, i, title)
        else:
            called = values.name(i) or title.name
            count = _changes_of_result(material, values, titles, i)
            if count:
                titles.written[i] = called, count
            named = title._replace(name=called + _changed(count))
        titles.nodes.append(named._replace(operands=slots) if material.thorough else named)
    return titles


def _leaf(material: Material, reader: SourceNames, name: str, leaf: Tensor) -> Title:
    if name:
        return Title(name, name)
    born = material.record.birth(leaf) if material.record is not None else Site()
    kind = "Parameter" if isinstance(leaf, nn.Parameter) else "leaf"
    return _of(reader.tensor(id(leaf), born, tuple(leaf.shape), kind))


def _changed(count: int) -> str:
    """What is said of a content after ``count`` changes in place, where an earlier one has the same name."""
    return "" if count < 1 else f"{CHANGED})" if count == 1 else f"{CHANGED} {count} times)"


def _changes_of_result(material: Material, values: Values, titles: Titles, i: int) -> int:
    """How often the result of node ``i`` changed, if ``i`` changed in place what has the same name."""
    inputs, facts, name = material.skeleton.next[i], values.facts[i], values.name(i)
    j, k = inputs[0] if inputs else (-1, 0)
    if j < 0 or len(facts) != 1 or facts[0] is None or not facts[0].version or not name:
        return 0
    written, count = titles.written.get(j, ("", 0))
    call, before = material.calls[i], values.of(j, k)
    if written == name and call is not None and call.writes:
        return max(count + 1, facts[0].version)
    same = before is not None and before.version < facts[0].version and name == values.name(j)
    return facts[0].version if same else 0


def _of_base(material: Material, titles: Titles, i: int, title: Title) -> Title:
    """The title of node ``i``, which wrote into a part of a tensor, and what that tensor is called after it.

    ``title`` is what the source says. A name that the tensor had before tells nobody that it was changed.
    """
    call, (j, _) = material.calls[i], material.skeleton.next[i][0]
    before, count = titles.written.get(j, (titles.nodes[j].name if j >= 0 else "", 0))
    base = call.base if call is not None else ""
    name = base or (before if before and title.name == f"{BASE_OF}{before}" else title.name)
    count = count + 1 if name == before else 0
    titles.written[i] = name, count
    if _is_put_back(material, i, j):
        # `a[0] *= 2` changes a[0], which is then put where it is.
        target = title.op.partition(" = ")[0]
        title = title._replace(op=f"{target} = {target}", brief="")
    return title._replace(name=name + _changed(count))


def _is_written_to(material: Material, i: int) -> bool:
    """Whether node ``i`` is a tensor after the program wrote into a part of it."""
    call = material.calls[i]
    if call is None or not call.writes:
        return False
    on_view = material.skeleton.names[i] == "CopySlices"
    return on_view or (call.function == "setitem" and material.makes_result(i))


def _is_put_back(material: Material, i: int, j: int) -> bool:
    """Whether node ``i`` wrote a view to where it is: the call that made the base ``j`` made that anew."""
    call, value = material.calls[i], material.skeleton.next[i][-1][0]
    if call is None or call.function != "setitem" or min(j, value) < 0:
        return False
    return (
        material.skeleton.names[value] == "AsStridedBackward0" and material.calls[value] is material.calls[j]
    )


def _constant(material: Material, reader: SourceNames, titles: Titles, number: int) -> Title:
    """Its name in the program, or its path if it is a module's buffer, or what it is there."""
    name = material.constant_name(number)
    if name:
        first, count = material.constant(number), 0
        version = first.facts.version
        while first.earlier >= 0:
            if first.earlier in titles.constants:
                count = version - material.constant(first.earlier).facts.version
            first = material.constant(first.earlier)
        name += _changed(count)
        return Title(name, name)
    constant = material.constant(number)
    return _of(reader.tensor(-1 - number, constant.born, constant.facts.shape))


def _operation(
    material: Material, reader: SourceNames, reading: Reading, i: int, texts: Sequence[str], *, returned: bool
) -> Title:
    fn, grad_fn, call = material.skeleton.fns[i], material.skeleton.names[i], material.calls[i]
    function = getattr(fn, "_forward_cls", None)
    custom = function.__name__.removesuffix("Backward") if function is not None else ""

    def without_source() -> tuple[str, str]:
        alone = call.function if call is not None and call.made_one_node else ""
        attributes = {name: attribute_text(value) for name, value in reading.attributes}
        return (custom, "") if custom else describe(grad_fn, alone, texts, attributes)

    step, on_view = custom or friendly_name(grad_fn), grad_fn == "CopySlices"
    return _of(reader.operation(call, step, returned, on_view, without_source))


def _of(source: SourceTitle) -> Title:
    return Title(source.op, source.name, source.brief, source.expression)


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
                function = call.function if call is not None and call.made_one_node else ""
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
