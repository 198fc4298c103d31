"""Rules of pooling by averages: each element of a window gets its share."""

from __future__ import annotations

import math
from collections.abc import Mapping

from autograd_tour.record.rule import Expression, apply
from autograd_tour.rules.definition import Definition, G, by_slot
from autograd_tour.rules.node import NodeView

__all__ = ["POOLING"]


def _share(node: NodeView, window: tuple[int, ...]) -> str:
    """What each element of a window gets: at a border a window may have fewer elements than elsewhere."""
    given = node.integer("divisor_override")
    fewer = any(node.integers("padding") or ()) and not node.flag("count_include_pad")
    if given is None and (fewer or node.flag("ceil_mode")):
        padded = any(node.integers("padding") or ()) and not fewer
        return f"÷ the elements in each window{', padding counted' if padded else ''}"
    return f"÷ {given or math.prod(window)} over the window"


def _average(node: NodeView, _: int) -> Expression | None:
    shape, window = node.shape(0), node.integers("kernel_size")
    if shape is None or window is None:
        return None
    given = node.integer("divisor_override")
    stride = node.integers("stride") or window
    return apply(
        "spread",
        G,
        shape=shape,
        window=window,
        stride=stride,
        padding=node.integers("padding"),
        told=_share(node, window),
        divisor=given,
        ceil_mode=bool(node.flag("ceil_mode")),
        count_include_pad=bool(node.flag("count_include_pad")),
    )


def _adaptive(node: NodeView, _: int) -> Expression | None:
    shape, outer = node.shape(0), node.output_shape
    if shape is None or outer is None:
        return None
    rank = 3 if "3D" in node.grad_fn else 2
    inside, out = shape[-rank:], outer[-rank:]
    if any(size % cut for size, cut in zip(inside, out, strict=True)):
        return apply("spread_unevenly", G, shape=shape, rank=rank)
    window = tuple(size // cut for size, cut in zip(inside, out, strict=True))
    return apply(
        "spread",
        G,
        shape=shape,
        window=window,
        stride=window,
        told=f"÷ {math.prod(window)} over the window",
        padding=None,
    )


POOLING: Mapping[str, Definition] = {
    "AvgPool2DBackward0": by_slot(_average),
    "AvgPool3DBackward0": by_slot(_average),
    "AdaptiveAvgPool2DBackward0": by_slot(_adaptive),
    "AdaptiveAvgPool3DBackward0": by_slot(_adaptive),
}
"""The rules of average pooling, by the name of the grad_fn."""
