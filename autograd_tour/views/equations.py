"""The rule of an arrow as an equation between derivatives: ``∂loss/∂W = xᵀ · ∂loss/∂y``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from autograd_tour.record.graph import Edge, Graph
from autograd_tour.record.node import Node
from autograd_tour.record.rule import Apply, Rule, Symbol, Words
from autograd_tour.rules.mathematics import equation
from autograd_tour.views.derivatives import Derivatives

__all__ = ["equation_of"]

Tensor = tuple[str, int]
"""The node that made a tensor, and the output slot."""


def equation_of(graph: Graph, derivatives: Derivatives, edge: Edge) -> str:
    """The equation of a gradient edge, ``""`` where there is none that is sure.

    There is one where what comes in and what goes out are derivatives, the rule is a formula, and no name in
    it stands for two tensors. Behind what is only one of several parts of a derivative stands ``+ …``.
    """
    rule, node = edge.rule, graph.node(edge.src)
    _, step = graph.step(edge.src)
    if rule is None or isinstance(rule, Words) or step is None or node.kind != "operation":
        return ""
    slots = [slot for slot, facts in enumerate(step.received) if facts is not None]
    if not derivatives.of(edge.dst, edge.slot[1]) or not all(derivatives.of(node.id, slot) for slot in slots):
        return ""
    target = derivatives.name(edge.dst, edge.slot[1])
    results = _results(graph, derivatives, edge, target, len(step.received))
    if not results:
        return ""
    more = " + …" if derivatives.parts(edge) > 1 else ""
    return equation(rule, target, results, derivatives.result) + more


def _results(graph: Graph, derivatives: Derivatives, edge: Edge, target: str, count: int) -> tuple[str, ...]:
    """What the outputs of the edge's node are called, nothing if a name would stand for two tensors.

    A program may put a result under the name of what it was made of: ``x = x * w``. Then it is called by the
    expression that made it.
    """
    node = graph.node(edge.src)
    tensors: list[tuple[str, Tensor]] = [(target, (graph.card_of(edge.dst), edge.slot[1]))]
    tensors += _operands(graph, node, edge.rule)
    names = [derivatives.name(node.id, slot) for slot in range(count)]
    for results in (names, [node.op] if count == 1 else []):
        own = [(name, (node.id, slot)) for slot, name in enumerate(results)]
        if results and _are_told_apart([*tensors, *own]):
            return tuple(results)
    return ()


def _are_told_apart(tensors: Iterable[tuple[str, Tensor]]) -> bool:
    """Whether each name stands for one tensor."""
    meant: dict[str, Tensor] = {}
    return all(name and meant.setdefault(name, tensor) == tensor for name, tensor in tensors)


def _operands(graph: Graph, node: Node, rule: Rule | None) -> Iterator[tuple[str, Tensor]]:
    """The names in a rule, and the tensor that each stands for."""
    inputs = {
        edge.slot[1]: (edge.src, edge.slot[0]) for edge in graph.select("forward") if edge.dst == node.id
    }
    saved = {item.name: (item.of, item.slot) for item in node.saved if item.of}
    for symbol in _symbols(rule):
        if symbol.role == "input":
            yield symbol.name, inputs.get(symbol.slot, (symbol.role, symbol.slot))
        elif symbol.role == "result":
            yield symbol.name, (node.id, symbol.slot)
        elif symbol.role == "saved":
            yield symbol.alias or symbol.name, saved.get(symbol.name, (symbol.name, -1))


def _symbols(rule: object) -> Iterator[Symbol]:
    if isinstance(rule, Symbol):
        yield rule
    elif isinstance(rule, Apply):
        for argument in rule.arguments:
            yield from _symbols(argument)
