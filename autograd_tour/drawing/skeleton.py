"""The picture torchviz users know: bare boxes, leaves blue, results marked, arrows with the data."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

from autograd_tour.drawing.metrics import fit
from autograd_tour.drawing.pause import collector_paused
from autograd_tour.drawing.scene import Card, Link, Role, Row, Run, Scene, Shape
from autograd_tour.drawing.wording import shape_text
from autograd_tour.record.graph import Graph, Node

__all__ = ["skeleton_scene"]

ROOM = 260.0
_FILLS: dict[str, Role] = {"leaf": "leaf_fill", "saved": "saved_fill"}


@collector_paused()
def skeleton_scene(graph: Graph, direction: Literal["LR", "TB"] = "TB") -> Scene:
    """Boxes and arrows for a graph in the style ``skeleton``."""
    cards = [_box(node) for node in graph.nodes]
    texts = {node.id: node.grad_fn or node.name or node.op for node in graph.nodes}
    links = [
        Link(
            f"{edge.src}-{edge.dst}-{edge.slot[0]}-{edge.slot[1]}",
            edge.src,
            edge.dst,
            "constant" if edge.kind == "saved" else "forward",
            ports=("", ""),
            title=_title(texts[edge.src], texts[edge.dst]),
        )
        for edge in graph.edges
        if edge.kind != "gradient"
    ]
    count = sum(node.kind in ("operation", "accumulate", "group") for node in graph.nodes)
    desc = f"The backward graph as torchviz draws it: {count} backward nodes and {len(links)} arrows."
    return Scene(tuple(cards), tuple(links), "Backward graph", desc, direction, graph.meta.remarks)


@lru_cache(maxsize=4096)
def _title(start: str, end: str) -> str:
    return f"{start} → {end}"


@lru_cache(maxsize=4096)
def _operation_rows(grad_fn: str) -> tuple[Row, ...]:
    """The same rows for all operations of one kind: a chain of 100,000 has few kinds."""
    return (Row((Run(fit(grad_fn, ROOM, 12)),), fill="constant_fill", height=24),)


def _box(node: Node) -> Card:
    if node.kind in ("operation", "accumulate", "group"):
        shape: Shape = "group" if node.kind == "group" else "box"
        return Card(node.id, shape, _operation_rows(node.grad_fn), title=node.grad_fn)
    size = shape_text(node.value.shape) if node.value is not None else ""
    fill = _FILLS.get(node.kind, "accumulated_fill")
    name = fit(node.name, ROOM, 12, bold=True)
    rows = tuple(
        Row((Run(text, bold=bold),), fill=fill, height=20)
        for text, bold in ((name, True), (size or "scalar", False))
        if text
    )
    return Card(node.id, "box", rows, title=f"{node.kind} {node.name}")
