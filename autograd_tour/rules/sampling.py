"""Rules of padding, patches, interpolation, and of pictures put together anew."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from autograd_tour.record.rule import Expression, Rule, Words, apply
from autograd_tour.rules.definition import Definition, G, by_slot, define
from autograd_tour.rules.node import NodeView

__all__ = ["SAMPLING"]


def _padded(mode: str) -> Any:
    def rule(node: NodeView, slot: int) -> Expression | None:
        shape, padding = node.shape(0), node.integers("padding")
        if slot or shape is None or padding is None:
            return None
        return apply("padding_added", G, shape=shape, padding=padding, mode=mode)

    return rule


def _upsampled(mode: str) -> Any:
    """Each element of the input gets what it gave, by the same weights."""

    def rule(node: NodeView, slot: int) -> Expression | None:
        shape, outer = node.shape(0), node.output_shape
        if slot or shape is None or outer is None:
            return None
        scales = tuple(_scale(node, axis) for axis in range(len(shape) - 2))
        options: dict[str, Any] = {f"scale{axis}": scale for axis, scale in enumerate(scales)}
        where = "Σ over the copies" if "nearest" in mode else f"spread by the {mode} weights"
        corners = bool(node.flag("align_corners"))
        return apply("upsample_back", G, shape=shape, mode=mode, corners=corners, where=where, **options)

    return rule


def _scale(node: NodeView, axis: int) -> float | None:
    """The factor that the program gave for a dimension, if it gave one."""
    rank = len(node.shape(0) or ()) - 2
    name = {1: ("scales",), 2: ("scales_h", "scales_w"), 3: ("scales_d", "scales_h", "scales_w")}[rank][axis]
    return node.number(name)


def _patches(node: NodeView, _: int) -> Expression | None:
    """``unfold`` copied overlapping patches, so they are added up."""
    shape = node.shape(0)
    return None if shape is None else apply("patches_added", G, shape=shape, **_walk(node))


def _patches_read(node: NodeView, _: int) -> Expression | None:
    """``fold`` added patches up, so each reads its part."""
    shape = node.shape(0)
    return None if shape is None else apply("patches", G, shape=shape, **_walk(node))


def _walk(node: NodeView) -> dict[str, Any]:
    return {
        "window": node.integers("kernel_size"),
        "stride": node.integers("stride"),
        "padding": node.integers("padding"),
        "dilation": node.integers("dilation"),
    }


def _shuffled(function: str, factor: str) -> Any:
    def rule(node: NodeView, _: int) -> Expression | None:
        count = node.integer(factor)
        return None if count is None else apply(function, G, factor=count)

    return rule


def _channels(node: NodeView, _: int) -> Expression | None:
    groups, shape = node.integer("groups"), node.shape(0)
    return None if not groups or shape is None else apply("channel_shuffle", G, groups=shape[1] // groups)


def _unpooled(rank: int) -> Any:
    def rule(node: NodeView, slot: int) -> Expression | None:
        shape = node.shape(0)
        if slot or shape is None or "indices" not in node.saved:
            return None
        return apply("windows_taken", G, node.kept("indices", "the places"), shape=shape, flat=rank)

    return rule


def _grid(_: NodeView, slot: int) -> Rule | None:
    if slot == 0:
        return Words("added to the neighbours, by the weights of the interpolation")
    return Words("× the slope between the neighbours, Σ over the channels") if slot == 1 else None


def _affine(node: NodeView, _: int) -> Rule:
    axes = "x, y, 1" if len(node.output_shape or ()) == 4 else "x, y, z, 1"
    return Words(f"Σ over the pixels of {{g}} ⊗ ({axes}), the place of each in the output")


_SPREAD = "Σ over the pixels that each pixel was made into, by the filter's weights"

SAMPLING: Mapping[str, Definition] = {
    **{f"ReflectionPad{rank}DBackward0": by_slot(_padded("reflect")) for rank in (1, 2, 3)},
    **{f"ReplicationPad{rank}DBackward0": by_slot(_padded("replicate")) for rank in (1, 2, 3)},
    **{f"UpsampleNearest{rank}DBackward0": by_slot(_upsampled("nearest")) for rank in (1, 2, 3)},
    **{f"UpsampleNearestExact{rank}DBackward0": by_slot(_upsampled("nearest-exact")) for rank in (1, 2, 3)},
    "UpsampleLinear1DBackward0": by_slot(_upsampled("linear")),
    "UpsampleBilinear2DBackward0": by_slot(_upsampled("bilinear")),
    "UpsampleTrilinear3DBackward0": by_slot(_upsampled("trilinear")),
    "UpsampleBicubic2DBackward0": by_slot(_upsampled("bicubic")),
    **{f"Upsample{kind}2DAaBackward0": define(Words(_SPREAD)) for kind in ("Bilinear", "Bicubic", "Lanczos")},
    **{
        name: by_slot(_grid)
        for name in ("GridSampler2DBackward0", "GridSampler3DBackward0", "GridSampler2DCpuFallbackBackward0")
    },
    "AffineGridGeneratorBackward0": by_slot(_affine),
    "PixelShuffleBackward0": by_slot(_shuffled("pixel_unshuffle", "upscale_factor")),
    "PixelUnshuffleBackward0": by_slot(_shuffled("pixel_shuffle", "downscale_factor")),
    "ChannelShuffleBackward0": by_slot(_channels),
    "Im2ColBackward0": by_slot(_patches),
    "Col2ImBackward0": by_slot(_patches_read),
    "MaxUnpool2DBackward0": by_slot(_unpooled(2), routed=True),
    "MaxUnpool3DBackward0": by_slot(_unpooled(3), routed=True),
}
"""These rules, by the name of the grad_fn."""
