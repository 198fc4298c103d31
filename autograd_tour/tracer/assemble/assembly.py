"""What was examined -> the nodes and edges of a Graph."""

from __future__ import annotations

from collections.abc import Sequence, Set

from autograd_tour.tracer.assemble.bare import Bare, bare_structure
from autograd_tour.tracer.assemble.edges import make_edges
from autograd_tour.tracer.assemble.examined import Examined
from autograd_tour.tracer.assemble.inner import Assembled, InnerLeaf, with_inner_leaves
from autograd_tour.tracer.assemble.nodes import make_nodes, number_nodes

__all__ = ["Assembled", "assemble"]


def assemble(
    source: Examined | Bare,
    hooked: Set[tuple[int, int]] = frozenset(),
    inner: Sequence[InnerLeaf] = (),
) -> Assembled:
    """Put the graph together, inputs before what uses them. A :class:`Bare` is used up by it.

    ``hooked`` are the (node, output) that received something else than was sent there: a hook of the program
    changed the gradient on its way. ``inner`` are leaves that got their gradient inside a node.
    """
    if isinstance(source, Bare):
        return with_inner_leaves(Assembled(*bare_structure(source, hooked)), inner)
    ids = number_nodes(source)
    nodes = tuple(make_nodes(source, ids))
    edges = tuple(make_edges(source, ids, hooked))
    return with_inner_leaves(Assembled(nodes, edges, ids.nodes), inner)
