"""The grad_fn chain from the loss to the leaves, as torch's ``next_functions`` give it."""

from __future__ import annotations

from msgspec.structs import replace

from autograd_tour.record.graph import Graph
from autograd_tour.views.base import View

__all__ = ["view"]


class Chain(View):
    """Backward nodes only: operations, accumulators and the leaves these belong to."""

    name = "chain"
    summary = "the grad_fn chain: next_functions with output numbers and None stubs"

    def apply(self, graph: Graph) -> Graph:
        """The graph without constants and forward edges between operations."""
        kinds = ("operation", "group", "accumulate", "leaf")
        kept = {node.id for node in graph.nodes if node.kind in kinds}
        return replace(
            graph,
            nodes=tuple(node for node in graph.nodes if node.id in kept),
            outputs=tuple(output for output in graph.outputs if output[0] in kept),
            edges=tuple(e for e in graph.edges if e.kind == "gradient" and e.src in kept and e.dst in kept),
            style="chain",
        )


view = Chain()
