"""All that can be seen of the live graph, pass by pass.

Each pass reads what the ones before it wrote and writes a list of its own, with one entry per node of
the skeleton. Nothing after this looks at a live tensor of the graph.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from torch import Tensor

from autograd_tour.record.memory import Memory
from autograd_tour.record.node import Attribute
from autograd_tour.tracer.assemble.kept import Kept, measure_saved
from autograd_tour.tracer.assemble.material import Material
from autograd_tour.tracer.assemble.memory import kept_memory
from autograd_tour.tracer.assemble.operands import Operands, place_operands
from autograd_tour.tracer.assemble.readings import read_nodes
from autograd_tour.tracer.assemble.rules import LocalRules, local_rules
from autograd_tour.tracer.assemble.titles import Titles, title_nodes
from autograd_tour.tracer.assemble.values import Values, read_values

__all__ = ["Examined", "examine"]


@dataclass(frozen=True, slots=True)
class Examined:
    """What the passes wrote. ``rules`` is empty where they were not read."""

    material: Material
    attributes: Sequence[tuple[tuple[str, Attribute], ...]]
    values: Values
    operands: Sequence[Operands]
    kept: Sequence[Sequence[Kept]]
    titles: Titles
    rules: Sequence[LocalRules]
    memory: Memory | None

    @property
    def opaque(self) -> bool:
        """Whether a function of torch, written in Python, gave a node a tensor that nobody saw it make.

        It may have computed that from one with a gradient, and cut it off: so does a hard ``gumbel_softmax``.
        """
        for i, operands in enumerate(self.operands):
            call = self.material.calls[i] if self.material.calls else None
            if call is not None and call.in_python and not call.made_one_node:
                inputs = self.material.skeleton.next[i]
                if any(j < 0 and given is None for (j, _), given in zip(inputs, operands.slots, strict=True)):
                    return True
        return False


def examine(material: Material, before: Iterable[Tensor] = ()) -> Examined:
    """Run the passes over a graph of which more than the bare structure is wanted.

    ``before`` are tensors that were there when the program began.
    """
    readings = read_nodes(material)
    operands = place_operands(material, readings)
    values = read_values(material, readings)
    titles = title_nodes(material, readings, values, operands)
    kept = measure_saved(material, readings, values, operands)
    return Examined(
        material,
        [reading.attributes for reading in readings],
        values,
        operands,
        kept,
        titles,
        local_rules(material, readings, values, operands, kept, titles),
        kept_memory(material, readings, values, kept, titles, before),
    )
