"""A loss that takes a softmax or a sigmoid itself, of what one has made already."""

from __future__ import annotations

import math
from collections.abc import Iterator

from autograd_tour.findings.base import Finding, Subject, lines_of
from autograd_tour.record.graph import Graph
from autograd_tour.record.node import Node

__all__ = ["findings"]

_TWICE = {
    "LogSoftmaxBackward0": ("SoftmaxBackward0", "softmax", "cross_entropy"),
    "BinaryCrossEntropyWithLogitsBackward0": (
        "SigmoidBackward0",
        "sigmoid",
        "binary_cross_entropy_with_logits",
    ),
}
"""What squashes again -> what has squashed before, its name, and the loss that expects logits."""

_SAME_NUMBERS = frozenset(
    f"{name}Backward{n}"
    for name in ("View", "UnsafeView", "Squeeze", "Unsqueeze", "Transpose", "Permute", "T", "Clone", "ToCopy")
    for n in (0, 1)
)
"""What hands numbers on as they are, in another shape or order."""

_FIXES = {
    "softmax": "loss = F.cross_entropy(logits, target)   # logits: what goes into the softmax",
    "sigmoid": (
        "loss = F.binary_cross_entropy_with_logits(logits, target)   # logits: what goes into the sigmoid"
    ),
}


def findings(subject: Subject) -> Iterator[Finding]:
    """One for each line that squashes what has been squashed, from the first graph that has it."""
    marked: set[tuple[str, int]] = set()
    for number, graph in enumerate(subject.graphs):
        if graph.compared:
            continue
        inputs = {edge.src: edge.dst for edge in graph.select("gradient") if edge.slot[0] == 0}
        for node in graph.nodes:
            squashed = _TWICE.get(node.grad_fn)
            first = _source(graph, inputs, node) if squashed is not None else None
            if squashed is None or first is None or first.grad_fn != squashed[0]:
                continue
            line = graph.line(node.id)
            where = (line.file, line.line) if line is not None else ("", -1)
            if where not in marked:
                marked.add(where)
                yield _finding(graph, number, first, node, squashed)


def _source(graph: Graph, inputs: dict[str, str], node: Node) -> Node | None:
    """What made the numbers that ``node`` gets, whatever their shape was."""
    source = graph.node(inputs[node.id]) if node.id in inputs else None
    while source is not None and source.grad_fn in _SAME_NUMBERS and source.id in inputs:
        source = graph.node(inputs[source.id])
    return source


def _finding(graph: Graph, number: int, first: Node, second: Node, squashed: tuple[str, str, str]) -> Finding:
    _, name, loss = squashed
    return Finding(
        f"{name}-twice",
        "warning",
        f"a {name} is taken of what a {name} has made: all of it lies between 0 and 1",
        lines_of((f"{name} here", graph.line(first.id)), (f"{name} again here", graph.line(second.id))),
        f"{loss} expects logits and takes their {name} itself. Between 0 and 1 that is nearly flat, so "
        f"gradients are small and the loss cannot come near 0.{_least(second)} No error is raised.",
        _FIXES[name],
        second.id,
        number,
    )


def _least(node: Node) -> str:
    """The loss of a prediction that is certain and right."""
    if node.grad_fn != "LogSoftmaxBackward0" or node.value is None or len(node.value.shape) != 2:
        return ""
    classes = node.value.shape[1]
    least = math.log(math.e + classes - 1) - 1
    return f" With {classes} classes it stays above {least:.2f}, however certain and right the softmax is."
