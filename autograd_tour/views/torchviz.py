"""What ``torchviz.make_dot`` draws of the same tensor: the same nodes and edges, with stable ids."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from functools import lru_cache

from msgspec.structs import replace

from autograd_tour.record.display import amount
from autograd_tour.record.graph import Edge, EdgeKind, Graph
from autograd_tour.record.node import Node
from autograd_tour.record.trace import Trace
from autograd_tour.views.base import View
from autograd_tour.views.pause import collector_paused
from autograd_tour.views.picture import Card, Label, Link, Role, Row, Run, Scene
from autograd_tour.views.wording import shape_text

__all__ = ["arrows", "view"]


ROOM = 260.0
_FILLS: dict[str, Role] = {"leaf": "leaf_fill", "saved": "saved_fill"}
_BACKWARD = ("operation", "accumulate", "group")
KEPT = (*_BACKWARD, "leaf")
_Arrow = tuple[str, str, EdgeKind, tuple[int, int]]
"""The fields of an :class:`Edge`."""


class Torchviz(View):
    """Leaves, accumulators, operations and results; arrows run with the data.

    As in torchviz, what a custom Function saved has a box of its own. One thing is missing: of a
    result that is a view torchviz also draws the base tensor, and a trace does not hold which
    tensors share memory. Where the record does not tell that a saved tensor is a leaf, it stands
    beside the leaf's box.
    """

    name = "torchviz"
    summary = "the bare backward graph in the style of torchviz"

    of_edges = True

    def picture(self, trace: Trace) -> Scene:
        """A box for each of torchviz's nodes, an arrow for each of its edges."""
        return _scene(*_drawn(trace.graph), trace.graph.meta.remarks)


def arrows(graph: Graph) -> Graph:
    """One edge for each ``next_functions`` entry, leaf -> accumulator, grad_fn -> result.

    This is what torchviz draws, and no record: a result and a saved tensor are nodes in it.
    """
    nodes, gradients, others, _ = _drawn(graph)
    edges = [Edge(edge.dst, edge.src, "forward", _turned(edge.slot)) for edge in gradients]
    edges += [Edge(*end) for end in others]
    return replace(graph, nodes=tuple(nodes), edges=tuple(edges), passes=())


@collector_paused()
def _drawn(graph: Graph) -> tuple[list[Node], list[Edge], list[_Arrow], dict[str, str]]:
    """Nodes of :func:`arrows`, the gradient edges that it turns, its other edges, and what nodes are called.

    There may be 100,000: no table is made of them but the last.
    """
    rare = [node for node in graph.nodes if node.kind != "operation"]  # of a large graph few are
    others = {node.id for node in rare if node.kind not in KEPT}
    leaves = {node.id for node in rare if node.kind == "leaf"}
    silent = others | leaves
    nodes = [node for node in graph.nodes if node.id not in others] if others else list(graph.nodes)
    gradients = [
        edge
        for edge in graph.edges
        if edge.kind == "gradient" and edge.src not in silent and edge.dst not in others
    ]
    texts = {node.id: node.grad_fn or node.name or node.op for node in graph.nodes}
    results = dict(graph.outputs)
    special = [node for node in graph.nodes if node.custom or node.id in results]
    makers = {node.id: node for node in special}
    edges: list[_Arrow] = []
    boxes: list[Node] = []
    for number, (node_id, slot) in enumerate(graph.outputs):
        node = makers[node_id]
        if node.kind == "accumulate":
            continue  # the result is a leaf: its box is there already
        facts = node.values[slot] if slot < len(node.values) else None
        name = node.names[slot] if slot < len(node.names) else ""
        result = Node(
            _free(f"o{number}", texts), "output", op=name or "result", values=(facts,), names=(name,)
        )
        boxes.append(result)
        if node_id not in others:
            edges.append((node_id, result.id, "forward", (slot, 0)))
    for node in [node for node in special if node.custom and node.id not in others]:
        for number, item in enumerate(item for item in node.saved if item.facts is not None):
            saved = item.of
            if saved not in leaves:
                saved = _free(f"{node.id}s{number}", texts)
                boxes.append(Node(saved, "saved", op=item.name, values=(item.facts,)))
            edges.append((saved, node.id, "saved", (0, 0)))
    texts |= {box.id: box.name or box.op for box in boxes}
    return nodes + boxes, gradients, edges, texts


def _free(name: str, taken: Container[str]) -> str:
    """``name``, longer if a node of the graph is called so."""
    while name in taken:
        name += "x"
    return name


@lru_cache(maxsize=4096)
def _turned(slot: tuple[int, int]) -> tuple[int, int]:
    """One tuple for all arrows with these slots."""
    return slot[1], slot[0]


class _Ends(dict[tuple[int, int], str]):
    """What the slots of a gradient edge add to the id of its arrow, which is turned."""

    def __missing__(self, slot: tuple[int, int]) -> str:
        self[slot] = text = f"-{slot[1]}-{slot[0]}"
        return text


class _Titles(dict[tuple[str, str], str]):
    """What an arrow is called, by what its ends are called: few are called otherwise than all others."""

    def __missing__(self, ends: tuple[str, str]) -> str:
        self[ends] = title = f"{ends[0]} → {ends[1]}"
        return title


class _Rows(dict[str, tuple[Row, ...]]):
    """The same rows for all operations of one kind: a chain of 100,000 has few kinds."""

    def __missing__(self, grad_fn: str) -> tuple[Row, ...]:
        self[grad_fn] = rows = (Row((Run(grad_fn, room=ROOM),), fill="constant_fill", height=24),)
        return rows


@collector_paused()
def _scene(
    nodes: Sequence[Node],
    gradients: Sequence[Edge],
    others: Sequence[_Arrow],
    texts: Mapping[str, str],
    remarks: tuple[str, ...],
) -> Scene:
    """Boxes and arrows for what is to be drawn.

    They are made by position: there may be 100,000, and with names they take longer.
    """
    rows, ends, titles = _Rows(), _Ends(), _Titles()
    cards = [
        Card(node.id, "box", rows[node.grad_fn], 0.0, node.grad_fn)
        if node.kind == "operation"
        else _card(node, rows)
        for node in nodes
    ]
    plain, anywhere = Label(), ("", "")
    links = [
        Link(
            f"{edge.dst}-{edge.src}{ends[edge.slot]}",
            edge.dst,
            edge.src,
            "forward",
            plain,
            False,
            anywhere,
            titles[texts[edge.dst], texts[edge.src]],
        )
        for edge in gradients
    ]
    links += [
        Link(
            f"{src}-{dst}-{a}-{b}",
            src,
            dst,
            "forward" if kind == "forward" else "constant",
            plain,
            False,
            anywhere,
            titles[texts[src], texts[dst]],
        )
        for src, dst, kind, (a, b) in others
    ]
    count = sum([node.kind in _BACKWARD for node in nodes])
    size = f"{amount(count, 'backward node')} and {amount(len(links), 'arrow')}"
    desc = f"The backward graph as torchviz draws it: {size}."
    return Scene(tuple(cards), tuple(links), "Backward graph", desc, notes=remarks)


@lru_cache(maxsize=4096)
def _shape_row(shape: tuple[int, ...], fill: Role) -> Row:
    return Row((Run(shape_text(shape) or "scalar"),), fill=fill, height=20)


def _card(node: Node, rows: Mapping[str, tuple[Row, ...]]) -> Card:
    """What is no single operation: an accumulator, a folded group, a leaf, a saved tensor or a result."""
    kind = node.kind
    if kind in _BACKWARD:
        return Card(node.id, "group" if kind == "group" else "box", rows[node.grad_fn], 0.0, node.grad_fn)
    name, fill = node.name, _FILLS.get(kind, "accumulated_fill")
    shape_row = _shape_row(node.value.shape if node.value is not None else (), fill)
    name_rows = (Row((Run(name, bold=True, room=ROOM),), fill=fill, height=20),) if name else ()
    return Card(node.id, "box", (*name_rows, shape_row), 0.0, f"{kind} {name}")


view = Torchviz()
