"""What was examined -> the nodes and edges of a Graph."""

from __future__ import annotations

from collections.abc import Set
from typing import NamedTuple

from autograd_tour.record.graph import Edge, Node
from autograd_tour.tracer.assemble.bare import bare_structure
from autograd_tour.tracer.assemble.edges import make_edges
from autograd_tour.tracer.assemble.examined import Examined
from autograd_tour.tracer.assemble.material import Material
from autograd_tour.tracer.assemble.nodes import make_nodes, number_nodes

__all__ = ["Assembled", "assemble"]


class Assembled(NamedTuple):
    """The structure of one Graph; ``ids`` are those of the skeleton's nodes."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    ids: list[str]


def assemble(
    material: Material, examined: Examined | None, hooked: Set[tuple[int, int]] = frozenset()
) -> Assembled:
    """Put the graph together, inputs before what uses them. It uses up ``material.skeleton.next``.

    ``examined`` is ``None`` where only the structure is wanted. ``hooked`` are the (node, output) that
    received something else than was sent there: a hook of the program changed the gradient on its way.
    """
    if examined is None:
        return Assembled(*bare_structure(material, hooked))
    ids = number_nodes(examined)
    nodes = tuple(make_nodes(examined, ids))
    return Assembled(nodes, tuple(make_edges(examined, ids, hooked)), ids.nodes)
