"""How large a layer is: features or channels in and out, its kernel, as its operations and its weight say."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from autograd_tour.record.facts import TensorFacts
from autograd_tour.record.node import Node

__all__ = ["extents", "kernel"]

_USUAL = {"stride": 1, "padding": 0, "dilation": 1, "groups": 1, "output_padding": 0}
"""What is said of a convolution or a pool only where it is something else."""


def extents(nodes: Iterable[Node], parameters: Iterable[Node]) -> str:
    """``(1→8)``: how many features, channels or words go into a layer, and how many come out."""
    weight = next((node.value for node in parameters if node.name.endswith(".weight")), None)
    sizes = {_sizes(node, weight) for node in nodes} - {""} if weight is not None else set()
    return f"({sizes.pop()})" if len(sizes) == 1 else ""


def _sizes(node: Node, weight: TensorFacts) -> str:
    """As the function that was called reads the shape of its weight."""
    rank = len(weight.shape)
    groups = dict(node.attributes).get("groups", 1)
    if rank < 2 or not isinstance(groups, int):
        return ""
    first, second = weight.shape[:2]
    if node.call == "embedding" or (node.call.startswith("conv_transpose") and rank > 2):
        return f"{first}→{second * groups}"
    if (node.call == "linear" and rank == 2) or (node.call in ("conv1d", "conv2d", "conv3d")):
        return f"{second * groups}→{first}"
    return ""


def kernel(nodes: Sequence[Node], parameters: Iterable[Node]) -> str:
    """``kernel 3×3, padding 1`` of the only operation of a layer, ``""`` for one that has none."""
    if len(nodes) != 1:
        return ""
    attributes = dict(nodes[0].attributes)
    size = attributes.get("kernel_size")
    weight = next((node.value for node in parameters if node.name.endswith("weight")), None)
    if size is None and nodes[0].call.startswith("conv") and weight is not None:
        size = tuple(weight.shape[2:])
    if not size:
        return f"p = {attributes['p']}" if "dropout" in nodes[0].call and "p" in attributes else ""
    usual = dict(_USUAL)
    if "pool" in nodes[0].call:
        del usual["stride"]
    parts = [f"kernel {_each(size)}"]
    for name in ("stride", "padding", "dilation", "groups", "output_padding"):
        value = attributes.get(name)
        if value is not None and value != () and not _all(value, usual.get(name)):
            parts.append(f"{name.replace('_', ' ')} {_each(value)}")
    return ", ".join(parts)


def _all(value: object, usual: int | None) -> bool:
    return all(item == usual for item in value) if isinstance(value, tuple) else value == usual


def _each(value: object) -> str:
    """``3×3``; of equal numbers that are no size too, as a stride is given."""
    return "×".join(map(str, value)) if isinstance(value, tuple) else str(value)
