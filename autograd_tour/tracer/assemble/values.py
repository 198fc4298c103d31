"""The value and the name of every output of every node, from whatever shows it.

That is, in this order: the node's metadata (shape and type), the call that made it, the use that
another call made of it, what the program returned, and what later nodes saved of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache, lru_cache
from typing import Any

import torch
from torch import Tensor

from autograd_tour.record.facts import TensorFacts
from autograd_tour.tracer.assemble.material import Material, Result
from autograd_tour.tracer.assemble.readings import Reading, origin
from autograd_tour.tracer.listen.calls import CallRecord
from autograd_tour.tracer.measure import Recorder, bare, measure_shape

__all__ = ["Facts", "Values", "outline", "outlines", "read_result", "read_values", "unnamed"]

Facts = tuple[TensorFacts | None, ...]


class Values:
    """``facts`` and ``names`` of each node: tuples with one entry per output. All may be shared."""

    def __init__(self, facts: list[Facts], names: list[tuple[str, ...]]) -> None:
        self.facts = facts
        self.names = names
        self.returned: set[int] = set()
        """Nodes that made what their call returned."""

    def of(self, i: int, k: int) -> TensorFacts | None:
        """What is known of output ``k`` of node ``i``; ``None`` for a stub (``i`` is -1)."""
        facts = self.facts[i] if i >= 0 else ()
        return facts[k] if 0 <= k < len(facts) else None

    def name(self, i: int) -> str:
        """The first name that a result of node ``i`` has, or ``""``."""
        return next(filter(None, self.names[i]), "")

    def learn(self, i: int, k: int, facts: TensorFacts | None = None, name: str = "") -> None:
        """Note what was learned about output ``k`` of node ``i``."""
        if facts is not None:
            self.facts[i] = (*self.facts[i][:k], facts, *self.facts[i][k + 1 :])
        if name:
            self.names[i] = (*self.names[i][:k], name, *self.names[i][k + 1 :])

    def learn_result(self, i: int, k: int, call: CallRecord, result: int) -> None:
        """Output ``k`` of node ``i`` is this result of ``call``, if shapes and types agree."""
        facts, output_facts = call.outputs[result], self.of(i, k)
        self.returned.add(i)
        if output_facts is not None and (output_facts.shape, output_facts.dtype) == (
            facts.shape,
            facts.dtype,
        ):
            self.learn(i, k, facts, call.names[result] if result < len(call.names) else "")


def read_values(material: Material, readings: Sequence[Reading]) -> Values:
    """All that can be known of what the nodes made."""
    values = _from_calls(material)
    for result in (*material.results, *material.earlier):
        if not material.is_leaf(result.node) and result.slot < len(values.facts[result.node]):
            facts, name = read_result(material.recorder, result, values.of(result.node, result.slot))
            values.learn(result.node, result.slot, facts, values.names[result.node][result.slot] or name)
    for i, call in enumerate(material.calls):
        if call is not None and call.made_one_node:
            _from_use(material, values, i, call)
    _from_uses(material, values)
    _from_saved(material, readings, values)
    return values


def read_result(
    recorder: Recorder, result: Result, output_facts: TensorFacts | None
) -> tuple[TensorFacts | None, str]:
    """(facts if they tell more than ``output_facts`` do, name) of a tensor that the program returned."""
    facts = recorder.measure(result.tensor) if output_facts is None or not output_facts.has_values else None
    return facts, result.name


def _from_calls(material: Material) -> Values:
    """Shapes from the nodes' own metadata; of what a call returned all that was heard."""
    facts: list[Facts] = []
    names: list[tuple[str, ...]] = []
    values = Values(facts, names)
    for i, (fn, call) in enumerate(zip(material.skeleton.fns, material.calls, strict=True)):
        if material.is_leaf(i):
            leaf = fn.variable
            facts.append((material.recorder.measure(leaf),))
            names.append((material.leaf_names.get(id(leaf), ""),))
            continue
        facts.append(outline(fn))
        names.append(unnamed(len(facts[-1])))
        # The last node of a call made its results.
        last = call is not None and fn._sequence_nr() == call.stop - 1
        if last:
            values.returned.add(i)
        if last and call is not None and call.one_node_made_all:
            for result, k in enumerate(call.output_numbers):
                values.learn_result(i, k, call, result)
    return values


def _from_use(material: Material, values: Values, i: int, call: CallRecord) -> None:
    """Of the nodes of a call with several results, a use tells which of them made the result used."""
    edges = [edge for edge in material.skeleton.next[i] if edge[0] >= 0]
    given = [operand for operand in call.operands if operand.differentiable]
    if len(edges) != len(given):
        return
    for (j, k), operand in zip(edges, given, strict=True):
        source = operand.source
        if isinstance(source, CallRecord) and not source.one_node_made_all:
            values.learn_result(j, k, source, operand.position)


def _from_uses(material: Material, values: Values) -> None:
    """The same of a call that made several nodes, if it took one result, and one edge leads there."""
    edges: dict[int, tuple[CallRecord, set[tuple[int, int]]]] = {}
    for i, call in enumerate(material.calls):
        if call is not None and not call.made_one_node and not call.second_order:
            ends = edges.setdefault(id(call), (call, set()))[1]
            ends.update((j, k) for j, k in material.skeleton.next[i] if j >= 0)
    for call, ends in edges.values():
        for operand in call.operands:
            source = operand.source
            if not isinstance(source, CallRecord) or source.one_node_made_all:
                continue
            alike = [other for other in call.operands if other.source is source]
            outputs = [(j, k) for j, k in ends if material.calls[j] is source]
            if len(alike) == len(outputs) == 1:
                values.learn_result(*outputs[0], source, operand.position)


def _from_saved(material: Material, readings: Sequence[Reading], values: Values) -> None:
    """Values that composite calls did not show, from what other nodes saved of them."""
    skeleton = material.skeleton
    for i, reading in enumerate(readings):
        for view in reading.saved:
            if view.tensor is not None and (home := origin(material, readings, i, view)) is not None:
                _offer(material, values, *home, view.tensor)
        if skeleton.names[i] == "TBackward0":
            # `linear` turns its weight around inside; where that is a leaf, it is at hand.
            j, _ = skeleton.next[i][0]
            if j >= 0 and material.is_leaf(j):
                with torch.no_grad():  # a view of the leaf itself, whose statistics are known
                    _offer(material, values, i, 0, skeleton.fns[j].variable.t())


def _offer(material: Material, values: Values, i: int, k: int, tensor: Tensor) -> None:
    output_facts = values.of(i, k)
    if tensor.is_nested or output_facts is None or output_facts.has_values:
        return
    if output_facts.shape == tuple(tensor.shape) and output_facts.dtype == bare(tensor.dtype):
        values.learn(i, k, material.recorder.measure(tensor))


def outline(fn: Any) -> Facts:
    """Shape and type of each output, which is all that a node knows of them by itself."""
    metadata = fn._input_metadata
    if len(metadata) == 1:
        return _from_metadata(metadata[0])
    return tuple(facts for item in metadata for facts in _from_metadata(item))


def outlines(fns: Iterable[Any]) -> list[Facts]:
    """The outline of each of many nodes: neighbours are often alike, and few are like none before them."""
    all_facts: list[Facts] = []
    add = all_facts.append
    by_look: dict[tuple[Any, ...], Facts] = {}
    last: tuple[Any, ...] = ()
    facts: Facts = ()
    for fn in fns:
        metadata = fn._input_metadata
        if len(metadata) != 1:
            add(outline(fn))
            continue
        (item,) = metadata
        try:
            look = item.shape, item.dtype, item.device
            if look != last:
                key = tuple(look[0]), *look[1:]
                if key not in by_look:
                    facts = _from_metadata(item)
                    if item.is_nested_tensor:  # its shape is not all that tells it from others
                        add(facts)
                        last = ()
                        continue
                    by_look[key] = facts
                last, facts = look, by_look[key]
            add(facts)
        except (RuntimeError, AttributeError, TypeError):  # some have no shape
            add(_from_metadata(item))
    return all_facts


def _from_metadata(item: Any) -> tuple[TensorFacts | None]:
    try:
        if item.is_nested_tensor:
            dtype = str(item.dtype).removeprefix("torch.")
            return (TensorFacts((), dtype, str(item.device), "nested", requires_grad=True),)
        return _shape_facts(tuple(item.shape), item.dtype, item.device)
    except (RuntimeError, AttributeError, TypeError):
        return (None,)


@lru_cache(maxsize=4096)
def _shape_facts(shape: torch.Size, dtype: torch.dtype, device: torch.device) -> tuple[TensorFacts | None]:
    """One tuple for all nodes with such an output: a million nodes need only a few."""
    return (measure_shape(shape, dtype, device),)


@cache
def unnamed(count: int) -> tuple[str, ...]:
    """As many names as there are outputs, none of them known."""
    return ("",) * count
