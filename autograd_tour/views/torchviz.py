"""What ``torchviz.make_dot`` draws of the same tensor: the same nodes and edges, with stable ids."""

from __future__ import annotations

from functools import lru_cache

from msgspec.structs import replace

from autograd_tour.record.graph import Edge, Graph, Node
from autograd_tour.views.base import View

__all__ = ["view"]


KEPT = ("operation", "accumulate", "leaf", "group")


class Torchviz(View):
    """Leaves, accumulators, operations and results; arrows run with the data.

    As in torchviz, what a custom Function saved has a box of its own. One thing is missing: of a
    result that is a view torchviz also draws the base tensor, and a trace does not hold which
    tensors share memory. Where the record does not tell that a saved tensor is a leaf, it stands
    beside the leaf's box.
    """

    name = "torchviz"
    summary = "the bare backward graph in the style of torchviz"

    def apply(self, graph: Graph) -> Graph:
        """One edge for each ``next_functions`` entry, leaf -> accumulator, grad_fn -> result."""
        by_id = graph.by_id()
        nodes = [node for node in graph.nodes if node.kind in KEPT]
        # Of a large graph little is left out, so it is quicker to know what is.
        others = {node.id for node in graph.nodes if node.kind not in KEPT}
        silent = others | {node.id for node in nodes if node.kind == "leaf"}
        edges = [
            Edge(edge.dst, edge.src, "forward", _turned(edge.slot))
            for edge in graph.edges
            if edge.kind == "gradient" and edge.src not in silent and edge.dst not in others
        ]
        for number, (node_id, slot) in enumerate(graph.outputs):
            node = by_id[node_id]
            if node.kind == "accumulate":
                continue  # the result is a leaf: its box is there already
            facts = node.values[slot] if slot < len(node.values) else None
            name = node.names[slot] if slot < len(node.names) else ""
            result = Node(f"o{number}", "output", op=name or "result", values=(facts,), names=(name,))
            nodes.append(result)
            if node_id not in others:
                edges.append(Edge(node_id, result.id, "forward", (slot, 0)))
        for node in nodes[:]:
            if node.custom:
                for number, item in enumerate(item for item in node.saved if item.facts is not None):
                    box = by_id.get(item.of)
                    if box is None or box.kind != "leaf":
                        box = Node(f"{node.id}s{number}", "saved", op=item.name, values=(item.facts,))
                        nodes.append(box)
                    edges.append(Edge(box.id, node.id, "saved"))
        return replace(graph, nodes=tuple(nodes), edges=tuple(edges), passes=(), style="skeleton")


@lru_cache(maxsize=4096)
def _turned(slot: tuple[int, int]) -> tuple[int, int]:
    """One tuple for all arrows with these slots."""
    return slot[1], slot[0]


view = Torchviz()
