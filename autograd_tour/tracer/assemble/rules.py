"""What each node does to the gradient on its way to each slot."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from msgspec.structs import replace

from autograd_tour.record.rule import Apply, Rule, Words
from autograd_tour.rules import table
from autograd_tour.rules.node import LETTERS, NodeView
from autograd_tour.rules.node import Operand as Seen
from autograd_tour.tracer.assemble.factors import Factors, seen
from autograd_tour.tracer.assemble.kept import Kept
from autograd_tour.tracer.assemble.material import Material
from autograd_tour.tracer.assemble.naming import place_of_backward
from autograd_tour.tracer.assemble.operands import Constant, Input, Number, Operands
from autograd_tour.tracer.assemble.readings import Reading
from autograd_tour.tracer.assemble.titles import Titles
from autograd_tour.tracer.assemble.values import Values
from autograd_tour.tracer.measure import measure

__all__ = ["LocalRules", "local_rules"]


class LocalRules(NamedTuple):
    """The rule of each slot and the marks of its gradient edge; ``fused``: what the node computes in all.

    ``whole``: the rule of the whole call that made the node, for slots where something from outside came in.
    """

    rules: tuple[Rule | None, ...] = ()
    marks: tuple[tuple[str, ...], ...] = ()
    fused: Rule | None = None
    whole: tuple[Rule | None, ...] = ()


_NONE = LocalRules()


def local_rules(
    material: Material,
    readings: Sequence[Reading],
    values: Values,
    operands: Sequence[Operands],
    kept: Sequence[Sequence[Kept]],
    titles: Titles,
) -> list[LocalRules]:
    """The rules of every node; none at all if the graph is large."""
    if not material.thorough:
        return []
    views = _Views(material, readings, values, operands, kept, titles)
    factors = Factors(material, values, titles, views.taken)
    by_text: dict[str, LocalRules] = {}
    return [
        _NONE
        if material.is_leaf(i)
        else (_own_words(material, i) or _alike(material, views.node(i), i, by_text))._replace(
            whole=factors.rules(i)
        )
        for i in range(len(material))
    ]


_TURNING = frozenset({"TBackward0", "TransposeBackward0", "TransposeBackward1", "PermuteBackward0"})
"""Nodes that may transpose a matrix."""

_OF_MATRICES = frozenset({"MmBackward0", "AddmmBackward0"})
"""Nodes whose operands are matrices; torch makes them of products with more or fewer dimensions."""

_OF_TORCH = {
    "BackwardHookFunctionBackward": Words("× 1, or what a backward hook of the module returns"),
    "CheckpointFunctionBackward": Words("a backward of its own through what it runs again"),
}
"""Functions that torch itself has written in Python."""


_WRITING = frozenset({"setitem", "copy", "fill", "zero"})
"""Functions that put something in the place of what was there."""

_WRITTEN = (
    Words("0 where it was overwritten, × 1 elsewhere"),
    Words("its part where it was written, Σ where it was repeated"),
)


def _own_words(material: Material, i: int) -> LocalRules | None:
    """The rules, in words, of what is written in Python or writes into a part; ``None`` for another node."""
    function = getattr(material.skeleton.fns[i], "_forward_cls", None)
    location = place_of_backward(function) if function is not None else ""
    # What the program wrote itself is told by its own line.
    inputs, call = material.skeleton.next[i], material.calls[i]
    words = Words(f"your backward(), {location}") if location else _OF_TORCH.get(material.skeleton.names[i])
    if words is None:
        writes = call is not None and call.function in _WRITING
        if not writes or material.skeleton.names[i] != "CopySlices":
            return None
        return LocalRules(_WRITTEN[: len(inputs)], ((),) * len(inputs))
    return LocalRules(tuple([words if j >= 0 else None for j, _ in inputs]), ((),) * len(inputs))


def _alike(material: Material, node: NodeView, i: int, by_text: dict[str, LocalRules]) -> LocalRules:
    """The rules of a node of torch's own. Layers of one kind have nodes alike: they are worked out once.

    A node is known by its text, which tells 1 from 1.0 and True, and 0.0 from −0.0. Which tensors its inputs
    are does not matter, only which of them are the same.
    """
    present = [j >= 0 for j, _ in material.skeleton.next[i]]
    origins = [item.origin for item in node.inputs]
    same = [-1 if origin is None else origins.index(origin) for origin in origins]
    inputs = tuple([replace(item, origin=None) for item in node.inputs])
    key = f"{replace(node, inputs=inputs)} {same} {present}"
    if key not in by_text:
        by_text[key] = _rules(node, present)
    return by_text[key]


def _rules(node: NodeView, present: Sequence[bool]) -> LocalRules:
    rules = tuple([table.rule(node, slot) if there else None for slot, there in enumerate(present)])
    return LocalRules(rules, tuple([table.marks(node, rule) for rule in rules]), table.fused(node))


@dataclass(frozen=True)
class _Views:
    """Nodes as their rules see them."""

    material: Material
    readings: Sequence[Reading]
    values: Values
    operands: Sequence[Operands]
    kept: Sequence[Sequence[Kept]]
    titles: Titles

    @cached_property
    def taken(self) -> frozenset[str]:
        """Letters of rules that something in the program is called by."""
        named = {name for names in self.values.names for name in names}
        titles = (*self.titles.nodes, *self.titles.constants.values())
        heads = (
            re.split(r"[.\[]", name, maxsplit=1)[0] for name in {*named, *(item.name for item in titles)}
        )
        return LETTERS & set(heads)  # `g.weight` is of a `g`

    def node(self, i: int) -> NodeView:
        """Node ``i``."""
        names = self.values.names[i]
        outputs = tuple(
            [
                seen(names[k] if len(names) > 1 else self.titles.nodes[i].name, facts)
                for k, facts in enumerate(self.values.facts[i])
            ]
        )
        attributes: dict[str, Any] = dict(self.readings[i].attributes)
        saved: dict[str, str] = {}
        for item in self.kept[i]:
            saved[item.name.partition("[")[0]] = self._name_of(item)
        for view in self.readings[i].saved:
            number = _number(view.tensor) if view.tensor is not None and view.tensor.dim() == 0 else None
            if number is not None:
                attributes[view.name] = number
        inputs = tuple(
            [self._input(i, slot, attributes) for slot in range(len(self.material.skeleton.next[i]))]
        )
        name, unused = self.material.skeleton.names[i], self._unused(i, len(outputs))
        arguments = self.readings[i].arguments
        beside = tuple([self._constant(i, number) for number, slot in self.operands[i].constants if slot < 0])
        return NodeView(name, inputs, outputs, attributes, saved, self.taken, unused, beside, arguments)

    def _unused(self, i: int, count: int) -> frozenset[int]:
        """The results of node ``i`` that no node was made of; none of the node that backward begins with."""
        if count < 2 or i in self.material.skeleton.roots:
            return frozenset()
        return frozenset(k for k in range(count) if (i, k) not in self._used)

    @cached_property
    def _used(self) -> frozenset[tuple[int, int]]:
        """(node, output) of each tensor that a node was made of."""
        return frozenset(end for ends in self.material.skeleton.next for end in ends)

    def _name_of(self, item: Kept) -> str:
        """How the program calls a saved tensor."""
        if item.node >= 0:
            outputs = self.values.names[item.node]
            if len(outputs) > 1:
                return outputs[item.output] if item.output < len(outputs) else ""
            return self.titles.nodes[item.node].name
        title = self.titles.constants.get(item.constant)
        return title.name if title is not None else ""

    def _input(self, i: int, slot: int, attributes: dict[str, Any]) -> Seen:
        match self.operands[i].slots[slot]:
            case Input():
                return self._edge(i, slot)
            case Constant(number):
                return self._constant(i, number)
            case Number(value):
                return Seen(number=float(value)) if isinstance(value, int | float) else Seen()
        call = self.material.calls[i]
        if (
            call is not None
            and "dropout" in call.function
            and self.material.skeleton.names[i] == "MulBackward0"
        ):
            return Seen(
                "scaled mask", compound=True
            )  # torch drew it, and divided it by what stays on average
        # Torch wrapped a Python number as a tensor, and the node kept it.
        arguments = self.readings[i].arguments
        wrapped = attributes.get(arguments[slot]) if slot < len(arguments) else None
        return Seen(number=float(wrapped)) if isinstance(wrapped, int | float) else Seen()

    def _constant(self, i: int, number: int) -> Seen:
        """A batch that torch flattened for a product of matrices is a view of what the program calls it."""
        name, facts = self.titles.constants[number].name, self.material.constant(number).facts
        of_matrices = self.material.skeleton.names[i] in _OF_MATRICES
        if name and of_matrices and len(facts.shape) != 2:
            name = f"view({name})"
        return replace(seen(name, facts), origin=(-1, number))

    def _edge(self, i: int, slot: int) -> Seen:
        j, k = self.material.skeleton.next[i][slot]
        name, facts = self.titles.nodes[i].operands[slot], self.values.of(j, k)
        if not self.values.name(j) and self._turns_matrices(j):
            inner = self.titles.nodes[j].operands[0]
            if inner:
                return seen(inner, facts, transposed=True)
        return replace(seen(name, facts), origin=(j, k))

    def _turns_matrices(self, j: int) -> bool:
        """Whether node ``j`` transposes a matrix, or each matrix of a batch."""
        if self.material.skeleton.names[j] not in _TURNING:
            return False
        rule = table.rule(self.node(j), 0)
        if not isinstance(rule, Apply):
            return False
        facts = self.values.of(j, 0)
        rank = len(facts.shape or ()) if facts is not None else 0
        return rule.function == "transpose" or (
            rule.function == "swap_dims" and rule.option("dims") == (rank - 2, rank - 1)
        )


def _number(tensor: Any) -> float | None:
    """The number in a tensor of no dimensions; ``None`` if it is no real number or cannot be read."""
    first = measure(tensor, 1).first
    return float(first[0]) if first and not isinstance(first[0], str) else None
