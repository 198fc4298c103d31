"""A recorded node as its rules see it."""

from __future__ import annotations

from autograd_tour.record.facts import TensorFacts
from autograd_tour.record.graph import Graph
from autograd_tour.record.node import Node
from autograd_tour.rules.node import LETTERS, NodeView, Operand, is_compound

__all__ = ["node_view"]


def node_view(graph: Graph, node: Node) -> NodeView:
    """``node`` with its operands named as the graph names them.

    So that a rule can be had for a slot too that has no gradient edge, since its input needs none.
    """
    nodes = graph.by_id()
    inputs = [Operand()] * node.slots
    for edge in graph.select("forward"):
        if edge.dst == node.id and 0 <= edge.slot[1] < node.slots:
            maker, slot = nodes[edge.src], edge.slot[0]
            name = _result(maker, slot)
            inputs[edge.slot[1]] = _operand(name, maker.values[slot] if slot < len(maker.values) else None)
    outputs = tuple(
        _operand(node.names[slot] if slot < len(node.names) else "", facts)
        for slot, facts in enumerate(node.values)
    )
    saved = {
        item.name.partition("[")[0]: _result(nodes[item.of], item.slot) if item.of in nodes else ""
        for item in node.saved
    }
    taken = LETTERS & {name for each in graph.nodes for name in (each.expr, *each.names)}
    used = {edge.slot[1] for edge in graph.select("gradient") if edge.dst == node.id}
    begins = any(result == node.id for result, _ in graph.outputs)
    unused: frozenset[int] = (
        frozenset() if begins or len(outputs) < 2 else frozenset(range(len(outputs))) - used
    )
    return NodeView(node.grad_fn, tuple(inputs), outputs, dict(node.attributes), saved, taken, unused)


def _result(maker: Node, slot: int) -> str:
    """What rules call an output of ``maker``; ``""`` for one of several without a name."""
    if len(maker.names) < 2:
        return maker.expr
    return maker.names[slot] if slot < len(maker.names) else ""


def _operand(name: str, facts: TensorFacts | None) -> Operand:
    shape = facts.shape if facts is not None and facts.layout != "nested" else None
    return Operand(name, shape, facts.dtype if facts is not None else "", compound=is_compound(name))
