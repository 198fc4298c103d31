"""The grad_fn chain as torch itself tells it: each card lists its ``next_functions``, stubs included."""

from __future__ import annotations

from typing import Literal

from autograd_tour.record.graph import Edge, Graph
from autograd_tour.record.node import Node
from autograd_tour.record.trace import Trace
from autograd_tour.text import one_line
from autograd_tour.views.base import View
from autograd_tour.views.look import ALL, Look
from autograd_tour.views.naming import title_run
from autograd_tour.views.picture import Card, Link, Row, Run, Scene, Shape, within
from autograd_tour.views.wording import shape_text

__all__ = ["chain_scene", "view"]

ROOM = 210.0
SLOT_ROOM = 160.0
RESULT_ROOM = 80.0
SLOT_ROWS = 8
_SHAPES: dict[str, Shape] = {"accumulate": "leaf", "group": "group"}


class Chain(View):
    """Backward nodes only: operations and accumulators, and the leaves these belong to.

    The loss stands where it does in the graph, at the end, and backward runs towards the beginning.
    """

    name = "chain"
    summary = "the grad_fn chain: next_functions with output numbers and None stubs"

    rows = True
    of_edges = True

    def picture(self, trace: Trace) -> Scene:
        """A card for each backward node, a row and an arrow for each of its ``next_functions``."""
        return chain_scene(trace.graph)

    def chosen(self, trace: Trace, look: Look) -> Scene:
        """The same; without ``shape`` the leaves have none."""
        return chain_scene(trace.graph, look)


def chain_scene(graph: Graph, look: Look = ALL) -> Scene:
    """Cards and links from the leaves to the loss."""
    nodes = graph.by_id()
    entries: dict[str, dict[int, Edge]] = {}
    for e in graph.select("gradient"):
        if not graph.leaf_of(e.src):
            entries.setdefault(e.src, {})[e.slot[0]] = e
    outputs = dict(graph.outputs)
    cards: list[Card] = []
    links: list[Link] = []
    constants = _constants(graph)
    for node in graph.nodes:
        if node.kind not in ("operation", "accumulate", "group"):
            continue
        rows = [_head(node, outputs)]
        if node.kind == "accumulate":
            rows.append(_leaf_row(graph, graph.leaf_of(node.id), shape=look.shows("shape")))
        for slot in range(node.slots):
            if slot == SLOT_ROWS:
                rows.append(Row((Run(f"… {node.slots - SLOT_ROWS} more", "muted"),), port="more"))
                break
            edge = entries.get(node.id, {}).get(slot)
            name, number = (nodes[edge.dst].grad_fn, edge.slot[1]) if edge is not None else ("None", 0)
            colour: Literal["backward", "muted"] = "backward" if edge is not None else "muted"
            text = within("(", name, f", {number})", colour, SLOT_ROOM)
            runs = (Run(f"[{slot}]  ", "muted"), text)
            constant = constants.get((node.id, slot), ()) if edge is None else ()
            rows.append(Row(runs, constant, port=f"s{slot}"))
        shape = _SHAPES.get(node.kind, "operation")
        cards.append(Card(node.id, shape, tuple(rows), title=node.grad_fn))
        for slot, edge in sorted(entries.get(node.id, {}).items()):
            if slot < node.slots:
                port = f"s{slot}" if slot < SLOT_ROWS else "more"
                ident = f"{edge.src}-{edge.dst}-{edge.slot[0]}-{edge.slot[1]}"
                title = f"next_functions[{slot}] of {node.grad_fn}"
                ports = (port, "")
                links.append(
                    Link(ident, edge.src, edge.dst, "backward", reverse=True, ports=ports, title=title)
                )
    return Scene(tuple(cards), tuple(links), "grad_fn chain", _describe(graph), notes=graph.meta.remarks)


def _head(node: Node, outputs: dict[str, int]) -> Row:
    right = (Run(node.name or "result", "forward", room=RESULT_ROOM),) if node.id in outputs else ()
    if node.kind == "accumulate":
        name = Run(node.grad_fn, "paper", True, 14, room=ROOM)
        return Row((name,), fill="forward", height=26)
    return Row((Run(node.grad_fn, "ink", True, 14, room=ROOM),), right, fill="constant_fill", height=26)


def _constants(graph: Graph) -> dict[tuple[str, int], tuple[Run, ...]]:
    """(node, slot) -> the constant that goes in there, to which no gradient goes."""
    nodes = graph.by_id()
    texts: dict[tuple[str, int], tuple[Run, ...]] = {}
    for edge in graph.select("forward"):
        node = nodes[edge.src]
        if node.kind == "constant":
            kind = "a constant" if node.cut is None else "cut off"
            name = node.name or node.op
            text = within("", name, f", {kind}", "muted", RESULT_ROOM) if name else Run(kind, "muted")
            texts[edge.dst, edge.slot[1]] = (text,)
    return texts


def _leaf_row(graph: Graph, leaf: str, *, shape: bool) -> Row:
    if not leaf:
        return Row((Run("variable", "muted"),))
    value = graph.node(leaf).value
    extents = value.shape if value is not None else ()
    runs = [
        Run("variable  ", "muted"),
        title_run(graph, graph.node(leaf), "forward", ROOM, size=12),
    ]
    if shape:
        runs.append(Run(f"  {shape_text(extents)}" if extents else "  scalar", "forward"))
    return Row(tuple(runs), height=22)


def _describe(graph: Graph) -> str:
    nodes = graph.by_id()
    count = sum(node.kind in ("operation", "accumulate", "group") for node in graph.nodes)
    if not count:
        return "An empty graph."
    start = ", ".join(dict.fromkeys(nodes[node].grad_fn for node, _ in graph.outputs if nodes[node].grad_fn))
    edges = sum(not graph.leaf_of(edge.src) for edge in graph.select("gradient"))
    stubs = sum(node.slots for node in graph.nodes) - edges
    names = [one_line(node.name, 60) for node in graph.nodes if node.kind == "leaf" and node.name]
    text = (
        f"The {count} backward nodes behind {start or 'the result'}, linked by {edges} next_functions entries"
    )
    text += f"; {stubs} more entries are None" if stubs else ""
    return text + (f". They end in AccumulateGrad of {', '.join(names[:8])}." if names else ".")


view = Chain()
