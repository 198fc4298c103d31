"""Gradients that vanish or explode along the depth of a network, with the norms by layer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median

from autograd_tour.findings.base import Finding, Subject, lines_of, norm
from autograd_tour.record.graph import Graph

__all__ = ["changes_along", "findings"]

LAYERS = 5
"""Weights that a network has at least to be judged by its depth."""
VANISHED = 1e-6
EXPLODED = 1e6
"""The gradient of the first layer's weight by that of the last, per element."""
GRADUAL = 10.0
"""How many times a third of the layers has that of the third before it, at least, and as a median."""


def findings(subject: Subject) -> Iterator[Finding]:
    """Of the first graph that shows it."""
    for number, graph in enumerate(subject.graphs):
        layers = _layers(graph)
        if len(layers) < LAYERS:
            continue
        first, last = layers[0][1], layers[-1][1]
        if not first or not last or VANISHED < first / last < EXPLODED:
            continue
        if not changes_along([size for _, size in layers]):
            continue
        vanished = first < last
        chosen = layers if len(layers) <= 6 else [*layers[:3], *layers[-3:]]
        numbers = ", ".join(f"{graph.title(leaf)} {size:.2g}" for leaf, size in chosen)
        why = (
            "Every layer multiplies the gradient on its way back. "
            + (
                "Here these factors are well below 1, so the product shrinks with each layer, and the "
                "first layers hardly learn. "
                if vanished
                else "Here these factors are well above 1, so the product grows with each layer, and a step "
                "throws the first layers far. "
            )
            + f"Per element, from the first layer to the last: {numbers}."
        )
        fix = (
            "x = x + block(x)             # a residual connection; or relu with He initialisation, LayerNorm"
            if vanished
            else "torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)   # and a smaller initialisation"
        )
        leaf = layers[0][0]
        yield Finding(
            "vanishing" if vanished else "exploding",
            "warning",
            f"the gradient per element is {first:.2g} in the first layer and {last:.2g} in the last",
            lines_of(("first layer", graph.line(leaf)), ("last layer", graph.line(layers[-1][0]))),
            why,
            fix,
            leaf,
            number,
            depth=tuple((graph.title(layer), size) for layer, size in layers),
        )
        return


def changes_along(sizes: Sequence[float]) -> bool:
    """Whether they shrink or grow from third to third, and not in one place only.

    A token that is read through branches scaled by 1e-5 gets little, however deep the network is.
    """
    part = len(sizes) // 3
    first, middle, last = (median(items) for items in (sizes[:part], sizes[part:-part], sizes[-part:]))
    low, high = sorted((first, last))
    return low * GRADUAL < middle < high / GRADUAL


def _layers(graph: Graph) -> list[tuple[str, float]]:
    """The weights (leaves of two dimensions or more) with the gradient per element, by depth."""
    layers: list[tuple[str, float]] = []
    for node in graph.nodes:
        if node.kind != "leaf" or node.value is None or len(node.value.shape) < 2:
            continue
        _, step = graph.step(graph.accumulator_of(node.id))
        size = norm(step.received[0]) if step is not None and step.received else None
        if size and step is not None and step.received[0] is not None:
            layers.append((node.id, size / step.received[0].numel ** 0.5))
    return layers
