"""What ``torchviz.make_dot`` draws of the same tensor: the same nodes and edges, with stable ids."""

from __future__ import annotations

from msgspec.structs import replace

from autograd_tour.graph import Edge, Graph, Node
from autograd_tour.views.base import View

__all__ = ["view"]


class Torchviz(View):
    """Leaves, accumulators, operations and results; arrows run with the data."""

    name = "torchviz"
    summary = "the bare backward graph in the style of torchviz"

    def apply(self, graph: Graph) -> Graph:
        """One edge for each ``next_functions`` entry, leaf -> accumulator, grad_fn -> result."""
        by_id = graph.by_id()
        nodes = [node for node in graph.nodes if node.kind in ("leaf", "accumulate", "operation", "group")]
        senders = {node.id for node in nodes if node.kind != "leaf"}
        edges = [
            Edge(edge.dst, edge.src, "forward", edge.slot[::-1])
            for edge in graph.select("gradient")
            if edge.src in senders
        ]
        for number, (node_id, slot) in enumerate(graph.outputs):
            node = by_id[node_id]
            if node.kind == "accumulate":
                continue  # the result is a leaf: its box is there already
            facts = node.values[slot] if slot < len(node.values) else None
            name = node.names[slot] if slot < len(node.names) else ""
            result = Node(f"o{number}", "output", op=name or "result", values=(facts,), names=(name,))
            nodes.append(result)
            edges.append(Edge(node_id, result.id, "forward", (slot, 0)))
        return replace(graph, nodes=tuple(nodes), edges=tuple(edges), passes=(), style="skeleton")


view = Torchviz()
