"""One part of a graph and its surroundings; all the rest is left out or folded."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from autograd_tour.errors import UsageError, suggestion
from autograd_tour.graph import BackwardPass, Graph, Node
from autograd_tour.views.fold import fold

__all__ = ["focus"]


def focus(graph: Graph, name: str) -> Graph:
    """The nodes called ``name`` and their direct neighbours.

    ``name`` is a module path (all of the module), a variable or parameter, an operation, a grad_fn
    or a node id. What is inside is folded if it does not fit one screen.

    Raises:
        UsageError: nothing has that name; the message has the closest ones.
    """
    chosen = {node.id for node in graph.nodes if _matches(node, name)}
    if not chosen:
        known = sorted({candidate for node in graph.nodes for candidate in _names(node)} | _paths(graph.nodes))
        close = suggestion(name, known) if len(known) <= 30 else suggestion(name, known).partition("Known:")[0].strip()
        raise UsageError(f"nothing in this graph is called {name[:60]!r}", close)
    around = set(chosen)
    for edge in graph.edges:
        if edge.src in chosen or edge.dst in chosen:
            around |= {edge.src, edge.dst}
    kinds = {node.id: node.kind for node in graph.nodes}
    for edge in graph.select("gradient"):  # a leaf and its accumulator stay together
        if kinds[edge.dst] == "leaf" and (edge.src in around or edge.dst in around):
            around |= {edge.src, edge.dst}
    nodes = tuple(node for node in graph.nodes if node.id in around)
    left = sum(node.kind == "operation" for node in graph.nodes) - sum(node.kind == "operation" for node in nodes)
    notes = (*graph.meta.notes, f"focus on {name}: {left} other operations are not shown") if left else graph.meta.notes
    part = replace(
        graph,
        nodes=nodes,
        edges=tuple(edge for edge in graph.edges if edge.src in around and edge.dst in around),
        passes=tuple(BackwardPass(tuple(s for s in run.steps if s.node in around)) for run in graph.passes),
        outputs=tuple(output for output in graph.outputs if output[0] in around),
        meta=replace(graph.meta, notes=notes),
    )
    return fold(part)


def _names(node: Node) -> Iterable[str]:
    return [text for text in (node.id, node.op, node.grad_fn, *node.names) if text and node.kind != "accumulate"]


def _matches(node: Node, name: str) -> bool:
    return name in _names(node) or node.group == name or node.group.startswith(name + ".")


def _paths(nodes: Iterable[Node]) -> set[str]:
    paths = set()
    for node in nodes:
        parts = node.group.split(".") if node.group else []
        paths |= {".".join(parts[:i]) for i in range(1, len(parts) + 1)}
    return paths
