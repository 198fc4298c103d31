"""What a call of several factors was given, as rules see it: an einsum, of which torch makes many nodes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from autograd_tour.record.facts import TensorFacts
from autograd_tour.record.rule import Rule
from autograd_tour.rules.einsum import einsum_rule
from autograd_tour.rules.node import NodeView, is_compound
from autograd_tour.rules.node import Operand as Seen
from autograd_tour.tracer.assemble.material import Material
from autograd_tour.tracer.assemble.titles import Titles
from autograd_tour.tracer.assemble.values import Values
from autograd_tour.tracer.listen.calls import CallRecord
from autograd_tour.tracer.listen.calls import Operand as Heard

__all__ = ["Factors", "seen"]

_Output = tuple[int, int]
"""A node and which of its outputs."""


def seen(name: str, facts: TensorFacts | None, *, transposed: bool = False) -> Seen:
    """A tensor as a rule sees it."""
    shape = facts.shape if facts is not None and facts.layout != "nested" else None
    nan = facts is not None and facts.stats is not None and bool(facts.stats.nan)
    dtype = facts.dtype if facts is not None else ""
    return Seen(name, shape, dtype, transposed, is_compound(name), nan=nan)


@dataclass(frozen=True)
class Factors:
    """``taken``: letters that rules may not use, see :class:`~autograd_tour.rules.node.NodeView`."""

    material: Material
    values: Values
    titles: Titles
    taken: frozenset[str]

    def rules(self, i: int) -> tuple[Rule | None, ...]:
        """The rules of the whole einsum that made node ``i`` and others, for the factors that came in."""
        call = self.material.calls[i]
        if call is None or not call.equation or call.stop - call.start < 2:
            return ()
        outputs = [self._output(heard) for heard in call.operands]
        factors = tuple(self._seen(heard, end) for heard, end in zip(call.operands, outputs, strict=True))
        if any(factor is None for factor in factors):
            return ()
        node = NodeView("", tuple(factor for factor in factors if factor is not None), taken=self.taken)
        ends = self.material.skeleton.next[i]
        return tuple(
            [
                einsum_rule(call.equation, node, outputs.index(end)) if outputs.count(end) == 1 else None
                for end in ends
            ]
        )

    def _output(self, heard: Heard) -> _Output | None:
        """The output that an operand with a gradient is, or its leaf."""
        j = self._makers.get(id(heard.source), -1) if heard.source is not None else -1
        if j < 0 or not isinstance(heard.source, CallRecord):
            return None if j < 0 else (j, 0)
        numbers = heard.source.output_numbers
        return (j, numbers[heard.position]) if heard.position < len(numbers) else None

    def _seen(self, heard: Heard, end: _Output | None) -> Seen | None:
        """An operand as rules see it; ``None`` where it is not known."""
        if heard.constant >= 0:
            title = self.titles.constants.get(heard.constant)
            return (
                seen(title.name, self.material.constant(heard.constant).facts) if title is not None else None
            )
        if end is None:
            return None
        names, facts = self.values.names[end[0]], self.values.of(*end)
        return seen(names[end[1]] if len(names) > 1 else self.titles.nodes[end[0]].name, facts)

    @cached_property
    def _makers(self) -> dict[int, int]:
        """Id of a leaf, or of a call -> the node that stands for it."""
        return dict(self._made())

    def _made(self) -> Iterator[tuple[int, int]]:
        for i, call in enumerate(self.material.calls):
            if self.material.is_leaf(i):
                yield id(self.material.skeleton.fns[i].variable), i
            elif call is not None and call.one_node_made_all and self.material.makes_result(i):
                yield id(call), i
