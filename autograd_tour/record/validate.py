"""What holds for every graph, written down once: for files, for views, for plug-ins."""

from __future__ import annotations

from autograd_tour.errors import GraphError
from autograd_tour.record.graph import Graph
from autograd_tour.record.node import Node
from autograd_tour.record.vocabulary import fault

__all__ = ["LONGEST_ID", "validate"]

LONGEST_ID = 60

_MADE = ("leaf", "constant", "operation", "group")
_RUN = ("operation", "group")
_ENDS = frozenset(
    [("forward", maker, user) for maker in _MADE for user in (*_RUN, "constant")]
    + [("forward", "leaf", "accumulate")]
    + [("gradient", ran, onto) for ran in _RUN for onto in (*_RUN, "accumulate")]
    + [("gradient", "accumulate", "leaf")]
)
"""Kinds of edges, and between which kinds of nodes they run."""


def validate(graph: Graph) -> None:
    """Nothing, if ``graph`` is one that every view, report and picture can rely on.

    - Ids are made of letters and digits, at most 60, and unique; an accumulator has no slots.
    - What names a node, a source line or a scope finds it: edges, outputs, steps, ``where``, ``scope``; a
      scope stands behind the one around it. (What a tensor was
      saved ``of`` may be folded or left out.)
    - An edge runs between nodes that it can connect: a gradient goes from an operation to operations
      and accumulators, from an accumulator to its one leaf.
    - Slots count from 0, a forward edge into no differentiable input has -1. A gradient leaves through a
      slot that the operation has, and arrives at an output that received one.
    - A step has as many gradients sent as the node has slots, or none.
    - A rule is made of functions that there are, with the arguments and options that they need.
    - What is kept in memory has a size and a keeper, whose line there is.
    - Makers come before users. In a comparison they need not: what is gone and what is new may lie on
      a loop. Every node of a comparison has a state, and no node of another graph.

    The time grows with the number of nodes, edges and steps.

    Raises:
        GraphError: one of these does not hold; ``path`` says at which field (``edges[3].dst``).
    """
    for i, scope in enumerate(graph.scopes):
        if scope.outer is not None and not 0 <= scope.outer < i:
            raise GraphError("no such scope before it", f"scopes[{i}].outer")
        if scope.number < 0:
            raise GraphError("calls are counted from 0", f"scopes[{i}].number")
    places = _check_nodes(graph)
    for i, (node, slot) in enumerate(graph.outputs):
        if node not in places:
            raise _missing(node, f"outputs[{i}]")
        if slot < 0:
            raise GraphError("no such slot", f"outputs[{i}]")
    _check_memory(graph)
    received = _check_steps(graph, places)
    _check_edges(graph, places, received)


def _check_nodes(graph: Graph) -> dict[str, int]:
    """The place of each node in the graph, by id."""
    places: dict[str, int] = {}
    compared = graph.compared
    for i, node in enumerate(graph.nodes):
        if node.id in places:
            raise GraphError("two nodes have the same id", f"nodes[{i}].id")
        if not (node.id.isalnum() and node.id.isascii() and len(node.id) <= LONGEST_ID):
            raise GraphError("an id is made of letters and digits", f"nodes[{i}].id")
        if node.where is not None and not 0 <= node.where < len(graph.source):
            raise GraphError("no such source line", f"nodes[{i}].where")
        if node.inner is not None and not 0 <= node.inner < len(graph.source):
            raise GraphError("no such source line", f"nodes[{i}].inner")
        if node.scope is not None and not 0 <= node.scope < len(graph.scopes):
            raise GraphError("no such scope", f"nodes[{i}].scope")
        if node.slots < 0:
            raise GraphError("less than no slots", f"nodes[{i}].slots")
        if node.fused is not None and (wrong := fault(node.fused)):
            raise GraphError(wrong, f"nodes[{i}].fused")
        if node.kind == "accumulate" and node.slots:
            raise GraphError("an accumulator has no slots", f"nodes[{i}].slots")
        if bool(node.state) != compared:
            raise GraphError("in a comparison every node has a state, elsewhere none", f"nodes[{i}].state")
        places[node.id] = i
    return places


def _check_memory(graph: Graph) -> None:
    for i, block in enumerate(graph.memory.blocks if graph.memory is not None else ()):
        if block.size < 0:
            raise GraphError("less than no bytes", f"memory.blocks[{i}].size")
        if not block.keepers:
            raise GraphError("nothing keeps it", f"memory.blocks[{i}].keepers")
        for j, keeper in enumerate(block.keepers):
            if keeper.where is not None and not 0 <= keeper.where < len(graph.source):
                raise GraphError("no such source line", f"memory.blocks[{i}].keepers[{j}].where")


def _check_steps(graph: Graph, places: dict[str, int]) -> dict[str, int]:
    """How many gradients each node received in the last backward, by id."""
    received: dict[str, int] = {}
    for p, run in enumerate(graph.passes):
        received = {}
        for i, step in enumerate(run.steps):
            if step.node not in places:
                raise _missing(step.node, f"passes[{p}].steps[{i}].node")
            # A leaf that a checkpoint's own backward reaches too gets two deposits in one backward.
            if step.node in received and graph.nodes[places[step.node]].kind != "accumulate":
                raise GraphError("a node runs once in a backward", f"passes[{p}].steps[{i}].node")
            if step.sent and len(step.sent) != graph.nodes[places[step.node]].slots:
                raise GraphError(
                    "as many gradients are sent as the node has slots", f"passes[{p}].steps[{i}].sent"
                )
            received[step.node] = len(step.received)
    return received


def _check_edges(graph: Graph, places: dict[str, int], received: dict[str, int]) -> None:
    nodes, ordered = graph.nodes, not graph.compared
    leaves: dict[str, str] = {}
    for i, edge in enumerate(graph.edges):
        a, b = places.get(edge.src), places.get(edge.dst)
        if a is None:
            raise _missing(edge.src, f"edges[{i}].src")
        if b is None:
            raise _missing(edge.dst, f"edges[{i}].dst")
        src, dst = nodes[a], nodes[b]
        for field in ("rule", "whole"):
            if wrong := fault(getattr(edge, field)):
                raise GraphError(wrong, f"edges[{i}].{field}")
        if edge.slot[0] < 0 or edge.slot[1] < (-1 if edge.kind == "forward" else 0):
            raise GraphError("no such slot", f"edges[{i}].slot")
        if (edge.kind, src.kind, dst.kind) not in _ENDS:
            what = f"a {edge.kind} edge cannot run from {_kind(src)} to {_kind(dst)}"
            raise GraphError(what, f"edges[{i}].kind")
        if edge.kind == "gradient":
            if src.kind == "accumulate":
                if leaves.setdefault(edge.src, edge.dst) != edge.dst:
                    raise GraphError("an accumulator has one leaf", f"edges[{i}].dst")
                continue  # a leaf and its accumulator may stand in either order
            if edge.slot[0] >= src.slots or edge.slot[1] >= received.get(edge.dst, edge.slot[1] + 1):
                raise GraphError("no such slot", f"edges[{i}].slot")
            a, b = b, a
        if ordered and a >= b:
            raise GraphError("a node stands before what it uses", f"edges[{i}]")


def _missing(node: str, path: str) -> GraphError:
    return GraphError(f"no node has the id {node[:LONGEST_ID]!r}", path)


def _kind(node: Node) -> str:
    return f"{'an' if node.kind[0] in 'ao' else 'a'} {node.kind}"
