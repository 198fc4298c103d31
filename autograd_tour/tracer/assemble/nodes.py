"""Titles, values and what is kept -> the nodes of a Graph, in their order and with their ids."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from autograd_tour.record.node import Cut, Node, Saved
from autograd_tour.rules import formulas
from autograd_tour.tracer.assemble.examined import Examined
from autograd_tour.tracer.assemble.kept import Kept
from autograd_tour.tracer.assemble.material import Material
from autograd_tour.tracer.assemble.naming import place_of_backward
from autograd_tour.tracer.assemble.straight_through import straight_through
from autograd_tour.tracer.assemble.titles import Title

__all__ = [
    "Ids",
    "formulas_of",
    "is_compiled",
    "is_custom",
    "leaf_nodes",
    "listed",
    "make_nodes",
    "notes_of",
    "number_nodes",
]


class Ids(NamedTuple):
    """Ids of the skeleton's nodes by index, of the leaves by the index of their accumulator, of the
    constants by number.
    """

    nodes: list[str]
    leaves: dict[int, str]
    constants: dict[int, str]

    def source(self, i: int) -> str:
        """What a forward edge from node ``i`` starts at: a leaf, not its accumulator."""
        return self.leaves.get(i) or self.nodes[i]


def number_nodes(examined: Examined) -> Ids:
    """Ids in the order of the nodes: inputs before what uses them, a constant right before its first use."""
    ids = Ids([], {}, {})
    count = 0

    def fresh() -> str:
        nonlocal count
        count += 1
        return f"n{count - 1}"

    for i, operands in enumerate(examined.operands):
        if examined.material.is_leaf(i):
            ids.leaves[i] = fresh()
        for constant in operands.constants:
            if constant.number not in ids.constants:
                ids.constants[constant.number] = fresh()
        ids.nodes.append(fresh())
    return ids


def make_nodes(examined: Examined, ids: Ids) -> list[Node]:
    """All nodes: leaves with their accumulators, constants, operations."""
    material, values, titles = examined.material, examined.values, examined.titles
    skeleton = material.skeleton
    nodes: list[Node] = []
    makers = _makers(material)
    placed: set[int] = set()
    for i, (fn, name) in enumerate(zip(skeleton.fns, skeleton.names, strict=True)):
        if name == "AccumulateGrad":
            nodes += leaf_nodes(ids.leaves[i], ids.nodes[i], values.facts[i], values.name(i), titles.nodes[i])
            continue
        for constant in examined.operands[i].constants:
            if constant.number not in placed:
                placed.add(constant.number)
                nodes.append(_constant(examined, ids, constant.number, makers))
        call, slots, title = material.calls[i], len(skeleton.next[i]), titles.nodes[i]
        made_inside = (f"double backward: autograd.{call.function}",) if call and call.second_order else ()
        nodes.append(
            Node(
                ids.nodes[i],
                "operation",
                title.op,
                title.name,
                name,
                call=call.function if call is not None else "",
                slots=slots,
                values=values.facts[i],
                names=values.names[i],
                formula=formulas_of(name, slots),
                where=material.line(call.site.spot) if call is not None else None,
                inner=material.line(call.site.inner) if call is not None else None,
                expression=title.expression,
                brief=title.brief,
                group=material.group(i),
                scope=material.scope(i),
                attributes=examined.attributes[i],
                saved=tuple([_saved(item, ids) for item in examined.kept[i]]),
                notes=(*notes_of(fn, name), *made_inside, *straight_through(material, i)),
                fused=examined.rules[i].fused if examined.rules else None,
                custom=is_custom(fn, name),
                compiled=is_compiled(name),
                second_order=bool(made_inside),
                numbers=examined.operands[i].numbers,
            )
        )
    return nodes


def leaf_nodes(
    leaf: str, accumulator: str, values: tuple[Any, ...], name: str, title: Title | None = None
) -> tuple[Node, Node]:
    """A leaf and its accumulator. A parameter belongs to the module that its path leads to.

    ``title`` is what a leaf without a name is called.
    """
    group, title = name.rpartition(".")[0], title or Title(name or "leaf", name)
    return (
        Node(
            leaf,
            "leaf",
            title.op,
            title.name,
            values=values,
            names=(name,),
            group=group,
            expression=title.expression,
            brief=title.brief,
        ),
        Node(accumulator, "accumulate", "accumulate", grad_fn="AccumulateGrad", group=group),
    )


def listed(names: Sequence[str], most: int) -> str:
    """The first of ``names``, and how many more there are."""
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")


def _constant(examined: Examined, ids: Ids, number: int, makers: Mapping[int, int]) -> Node:
    material, title = examined.material, examined.titles.constants[number]
    constant, name = material.constant(number), material.constant_name(number)
    cut: Cut | None = None
    if constant.cut_from is not None:
        function, call, leaf = constant.cut_from
        source = material.leaf_names.get(id(leaf), "") if leaf is not None else ""
        source = source or next(iter(call.names if call else ()), "")
        maker = makers.get(id(leaf if leaf is not None else call), -1)
        cut = Cut(function, ids.source(maker) if maker >= 0 else "", source)
    group, scope = material.home_of_constant(number)
    return Node(
        ids.constants[number],
        "constant",
        title.op,
        title.name,
        values=(constant.facts,),
        names=(name,),
        group=group,
        scope=scope,
        cut=cut,
        expression=title.expression,
        brief=title.brief,
    )


def _makers(material: Material) -> dict[int, int]:
    """Id of a leaf or of a call -> the node that stands for it; for a call the one that made its result."""
    makers: dict[int, int] = {}
    for i, (fn, call) in enumerate(zip(material.skeleton.fns, material.calls, strict=True)):
        if material.is_leaf(i):
            makers[id(fn.variable)] = i
        elif call is not None and call.one_node_made_all and fn._sequence_nr() == call.stop - 1:
            makers[id(call)] = i
    return makers


def _saved(item: Kept, ids: Ids) -> Saved:
    of = ids.source(item.node) if item.node >= 0 else ids.constants.get(item.constant, "")
    return Saved(item.name, item.facts, of, item.state, item.output)


def is_compiled(name: str) -> bool:
    """Whether a node of that name stands for all that ``torch.compile`` made."""
    return name.startswith("CompiledFunction")


def is_custom(fn: Any, name: str) -> bool:
    """Whether the program wrote this node's forward and backward itself."""
    return hasattr(fn, "_forward_cls") and not is_compiled(name)


@cache
def formulas_of(name: str, slots: int) -> tuple[str, ...]:
    """Torch's derivative formula for each slot: one tuple for all nodes of a kind."""
    return formulas.formulas(name, slots)


def notes_of(fn: Any, name: str) -> tuple[str, ...]:
    """What a reader has to know about a kind of node."""
    notes: list[str] = []
    if is_compiled(name):
        notes.append("opaque: torch.compile keeps what happens inside to itself")
    elif is_custom(fn, name):
        notes.append("custom Function")
        if location := place_of_backward(fn._forward_cls):
            notes.append(f"its backward() is at {location}")
    if name == "CopySlices":
        notes.append("in place on a view: the real node is hidden inside")
    return tuple(notes)
