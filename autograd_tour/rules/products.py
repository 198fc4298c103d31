"""Rules of matrix products and convolutions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from autograd_tour.record.rule import Apply, Expression, Words, apply
from autograd_tour.rules.definition import A, B, C, Definition, G, attribute, by_slot, define
from autograd_tour.rules.node import NodeView

__all__ = ["PRODUCTS", "transpose"]

_ALPHA, _BETA = attribute("alpha", 1.0), attribute("beta", 1.0)


def transpose(x: Expression) -> Apply:
    """The last two dimensions swapped."""
    return apply("transpose", x)


def outer(a: Expression, b: Expression) -> Apply:
    return apply("outer", a, b)


def _linear(node: NodeView, slot: int) -> Expression | None:
    """``x @ Wᵀ`` with x of any number of dimensions, the last one of which is contracted."""
    if slot != 1:
        return G @ B if slot == 0 else G
    shape = node.shape(0)
    product = transpose(G) @ A
    if shape is None:
        return None
    if len(shape) == 1:
        return outer(G, A)
    return product if len(shape) == 2 else apply("sum", product, dims=tuple(range(len(shape) - 2)))


def _geometry(node: NodeView) -> dict[str, Any]:
    """How a convolution walks over its input."""
    return {
        "stride": node.integers("stride"),
        "padding": node.integers("padding"),
        "dilation": node.integers("dilation"),
        "output_padding": node.integers("output_padding"),
        "groups": node.integer("groups") or 1,
        "transposed": bool(node.flag("transposed")),
    }


def _convolved(node: NodeView, _: int) -> Expression | None:
    """What a convolution computes; its bias has one number for each channel."""
    shape = node.output_shape
    if shape is None:
        return None
    product = apply("conv", A, B, **_geometry(node), shape=shape)
    biased = len(node.inputs) > 2 and node.operand(2).shape is not None
    return product + apply("beside", C, dims=(1,), rank=len(shape)) if biased else product


def _convolution(node: NodeView, slot: int) -> Expression | None:
    if slot == 2:
        rank = len(node.output_shape or ())
        return apply("sum", G, dims=(0, *range(2, rank))) if rank > 2 else None
    if slot not in (0, 1) or node.shape(0) is None:
        return None
    options = _geometry(node) | {"shape": node.operand(slot).shape}
    turned = bool(node.flag("transposed"))
    if slot == 1:
        return apply("conv_weight", G, A, **options)
    return apply("conv_input", G, B, told="conv" if turned else "transposed conv", **options)


def _grouped(node: NodeView, slot: int) -> Expression | Words | None:
    """Batched or two-dimensional on both sides; with offsets, which cut a side into groups, in words."""
    if "offs" in node.saved:
        return Words(
            ("each group @ its own matrix, transposed", "each group, transposed @ its part of {g}")[slot]
        )
    return (G @ transpose(B), transpose(A) @ G)[slot] if slot < 2 else None


def _bias_of(fused: Expression) -> Callable[[NodeView, int], Expression]:
    """The bias of a convolution or a linear map is part of the note only where there is one."""

    def write(node: NodeView, _: int) -> Expression:
        return (
            fused + C if len(node.inputs) > 2 and (node.operand(2).name or node.operand(2).shape) else fused
        )

    return write


_PRODUCT = Definition((G @ transpose(B), transpose(A) @ G), holomorphic=True)


def _added_to(product: Expression) -> Definition:
    """``β·A + α·product``, a product of ``B`` and ``C``."""
    by_matrices = (G @ transpose(C)) * _ALPHA, (transpose(B) @ G) * _ALPHA
    return define(G * _BETA, *by_matrices, fused=_BETA * A + _ALPHA * product, holomorphic=True)


PRODUCTS: Mapping[str, Definition] = {
    "MmBackward0": _PRODUCT,
    "BmmBackward0": _PRODUCT,
    "AddmmBackward0": _added_to(B @ C),
    "BaddbmmBackward0": _added_to(B @ C),
    "AddbmmBackward0": _added_to(apply("sum", B @ C, dims=(0,))),
    "MvBackward0": define(outer(G, B), transpose(A) @ G, holomorphic=True),
    "AddmvBackward0": define(
        G * _BETA,
        outer(G, C) * _ALPHA,
        (transpose(B) @ G) * _ALPHA,
        fused=_BETA * A + _ALPHA * (B @ C),
        holomorphic=True,
    ),
    "AddrBackward0": define(
        G * _BETA,
        (G @ C) * _ALPHA,
        (transpose(G) @ B) * _ALPHA,
        fused=_BETA * A + _ALPHA * outer(B, C),
        holomorphic=True,
    ),
    "DotBackward0": define(G * B, G * A, holomorphic=True),
    "LinearBackward0": by_slot(_linear, fused=_bias_of(A @ transpose(B)), holomorphic=True),
    "MkldnnLinearBackward0": by_slot(_linear, fused=_bias_of(A @ transpose(B))),
    "ConvolutionBackward0": by_slot(_convolution, fused=_convolved, holomorphic=True),
    "GroupedMmBackward0": by_slot(_grouped),
}
"""The rules of products, by the name of the grad_fn."""
