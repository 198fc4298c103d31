"""What was examined -> the nodes and edges of a Graph."""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import NamedTuple

from autograd_tour.record.graph import Edge, Node
from autograd_tour.tracer.assemble.bare import bare_structure
from autograd_tour.tracer.assemble.edges import make_edges
from autograd_tour.tracer.assemble.examined import Examined
from autograd_tour.tracer.assemble.material import InnerLeaf, Material
from autograd_tour.tracer.assemble.nodes import make_nodes, number_nodes

__all__ = ["Assembled", "assemble"]


class Assembled(NamedTuple):
    """The structure of one Graph; ``ids`` are those of the skeleton's nodes, then of what ran inside them."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    ids: list[str]


def assemble(
    material: Material,
    examined: Examined | None,
    hooked: Set[tuple[int, int]] = frozenset(),
    inner: Sequence[InnerLeaf] = (),
) -> Assembled:
    """Put the graph together, inputs before what uses them. It uses up ``material.skeleton.next``.

    ``examined`` is ``None`` where only the structure is wanted. ``hooked`` are the (node, output) that
    received something else than was sent there: a hook of the program changed the gradient on its way.
    ``inner`` are leaves that got their gradient inside a node.
    """
    if examined is None:
        return Assembled(*bare_structure(material, hooked, inner))
    ids = number_nodes(examined, inner)
    nodes = tuple(make_nodes(examined, ids, inner))
    edges = tuple(make_edges(examined, ids, hooked, inner))
    return Assembled(nodes, edges, [*ids.nodes, *(accumulator for _, accumulator in ids.inner)])
