"""Rules of attention, computed in one node: softmax(Q Kᵀ · scale) V, and back through it."""

from __future__ import annotations

import math
from collections.abc import Mapping

from autograd_tour.record.rule import Expression, Symbol, apply
from autograd_tour.rules.definition import Definition, G, by_slot
from autograd_tour.rules.node import NodeView, Operand
from autograd_tour.rules.normalisation import U, let
from autograd_tour.rules.products import transpose

__all__ = ["ATTENTION"]

P = Symbol("saved", 0, "P")
"""The weights, in the rules that use them twice."""


def _weights(node: NodeView) -> Expression:
    """P = softmax(Q Kᵀ · scale), masked as the node was told."""
    query = node.shape(0)
    scale = node.number("scale")
    if scale is None and query:
        scale = 1 / math.sqrt(query[-1])
    mask, added = _mask(node)
    given, causal = (node.input(0), _each_head(node, 1)), bool(node.flag("is_causal"))
    if mask is None:
        return apply("attention", *given, scale=scale, causal=causal)
    return apply("masked_attention", *given, mask, scale=scale, causal=causal, added=added)


def _mask(node: NodeView) -> tuple[Symbol | None, bool]:
    """The mask, and whether its numbers are added to the scores; one of truth values says what counts.

    torch turns truth values into 0 and −inf before the node: so what the program gave decides.
    """
    kept = next((name for name in ("attn_mask", "attn_bias") if name in node.saved), "")
    if not kept:
        return None, False
    given = node.beside[0] if len(node.beside) == 1 else Operand()
    return Symbol("saved", 0, kept, given.name or "the mask", compound=given.compound), given.dtype != "bool"


def _heads(node: NodeView, slot: int) -> int:
    """How many heads of the query share one of the key or the value: 1 unless they come in groups."""
    query, shape = node.shape(0), node.operand(slot).shape
    if not query or not shape or len(query) < 3 or len(shape) < 3 or not shape[-3]:
        return 1
    return query[-3] // shape[-3]


def _each_head(node: NodeView, slot: int) -> Expression:
    """The key or the value, once for each head of the query."""
    count = _heads(node, slot)
    return node.input(slot) if count == 1 else apply("heads_repeated", node.input(slot), count=count)


def _of_group(node: NodeView, slot: int, form: Expression) -> Expression:
    """Summed over the heads of the query that shared one of the key or the value."""
    count = 1 if slot == 0 else _heads(node, slot)
    return form if count == 1 else apply("heads_summed", form, count=count)


def _attention(node: NodeView, slot: int) -> Expression | None:
    dropped = node.number("dropout_p")
    if slot > 2 or dropped:
        return None
    weights = _weights(node)
    scale = next((value for key, value in getattr(weights, "options", ()) if key == "scale"), None)
    if slot == 2:
        return _of_group(node, slot, transpose(weights) @ G)
    if scale is None:
        return None
    inner = P * (U - apply("sum", P * U, dims=(-1,), keepdim=True))
    product = inner @ _each_head(node, 1) if slot == 0 else transpose(inner) @ node.input(0)
    body = _of_group(node, slot, float(scale) * product)
    return let(weights, let(G @ transpose(_each_head(node, 2)), body), P)


def _attended(node: NodeView, _: int) -> Expression:
    return _weights(node) @ _each_head(node, 2)


_NODES = (
    "CudnnAttentionBackward0",
    "EfficientAttentionBackward0",
    "FlashAttentionBackward0",
    "ScaledDotProductCudnnAttentionBackward0",
    "ScaledDotProductEfficientAttentionBackward0",
    "ScaledDotProductFlashAttentionBackward0",
    "ScaledDotProductFlashAttentionForCpuBackward0",
    "ScaledDotProductFusedAttentionOverrideableBackward0",
)

ATTENTION: Mapping[str, Definition] = dict.fromkeys(_NODES, by_slot(_attention, fused=_attended))
"""These rules, by the name of the grad_fn."""
