"""Rules of matrix products, normalisations, losses and other nodes that do several things at once."""

from __future__ import annotations

import math
from collections.abc import Mapping

from autograd_tour.rules.texts.operands import Operands, Rule, Term, show, template

__all__ = ["FUSED_NOTES", "LEARNING"]


def _transposed(name: Term) -> str:
    """``Wᵀ``, and ``W`` again for something that is a transpose already."""
    return name[:-1] if name.endswith("ᵀ") else f"{name:p}ᵀ"


def _product(first: int, scaled: bool = False) -> Rule:
    """``left @ right`` with ``left`` in slot ``first``; before it there may be something added."""

    def rule(operands: Operands, slot: int) -> str:
        left, right = operands.name(first), operands.name(first + 1)
        alpha, beta = operands.number("alpha"), operands.number("beta")
        factor = 1.0 if alpha is None or not scaled else alpha
        if slot < first:
            return f"× {show(1.0 if beta is None else beta)}"
        extra = "" if factor == 1 else f" × {show(factor)}"
        if slot == first:
            return f"@ {_transposed(right)}{extra}"
        return f"{_transposed(left)} @{extra}" if slot == first + 1 else ""

    return rule


def _matrix_vector(first: int) -> Rule:
    plain = _product(first, scaled=True)

    def rule(operands: Operands, slot: int) -> str:
        if slot != first:
            return plain(operands, slot)
        alpha = operands.number("alpha")
        extra = "" if alpha in (None, 1) else f" × {show(alpha or 0.0)}"
        return f"⊗ {operands.name(first + 1):p}{extra}"

    return rule


def _linear(operands: Operands, slot: int) -> str:
    x, weight = operands.name(0), operands.name(1)
    return (f"@ {weight:p}", f"gᵀ @ {x:p}", "× 1")[slot] if 0 <= slot < 3 else ""


def _over_count(operands: Operands, text: str) -> str:
    """A loss by its reduction: 0 keeps every element, 1 takes the mean, 2 the sum."""
    if operands.number("reduction") in (0, 2):
        return f"× {text}"
    count = operands.elements()
    return f"× {text}/{'n' if count is None else count}"


def _mse(operands: Operands, slot: int) -> str:
    a, b = operands.name(slot), operands.name(1 - slot)
    return _over_count(operands, f"2({a} − {b:f})")


def _clamped(operands: Operands, slot: int) -> str:
    """Smooth L1 and Huber: the difference, cut off where the loss turns into a line."""
    a, b = operands.name(slot), operands.name(1 - slot)
    beta, delta = operands.number("beta"), operands.number("delta")
    if delta is not None:
        return _over_count(operands, f"clamp({a} − {b:f}, ±{show(delta)})")
    if beta in (None, 1):
        return _over_count(operands, f"clamp({a} − {b:f}, ±1)")
    if beta == 0:
        return _over_count(operands, f"sign({a} − {b:f})")
    return _over_count(operands, f"clamp(({a} − {b:f})/{show(beta or 1)}, ±1)")


def _cross_entropy_of(logits: bool) -> Rule:
    def rule(operands: Operands, slot: int) -> str:
        if operands.text("weight") or operands.text("pos_weight"):
            return ""
        p, t = operands.name(0), operands.name(1)
        if slot == 1:
            return _over_count(operands, f"(−{p:p})" if logits else f"ln((1 − {p:f})/{p:q})")
        if logits:
            return _over_count(operands, f"(σ({p}) − {t:f})")
        return _over_count(operands, f"({p} − {t:f})/({p:m}(1 − {p:f}))")

    return rule


def _nll(operands: Operands, _: int) -> str:
    """What the node divided by: fewer than the rows when some targets are ignored."""
    total = operands.number("total_weight")
    weight = "weight" if operands.text("weight") else "1"
    if operands.number("reduction") in (0, 2):
        return f"−{weight} at the target"
    return f"−{weight}/{'n' if total is None else show(total)} at the target"


def _spread(operands: Operands) -> tuple[str, float | None]:
    """``correction`` and the count that var and std divide by."""
    count, correction = operands.elements(), operands.number("correction")
    if count is None or operands.output_shape is None:
        return "(n − 1)", None
    per_value = count // max(math.prod(operands.output_shape), 1)
    left = per_value - (1 if correction is None else correction)
    return show(left), left


def _var(operands: Operands, _: int) -> str:
    return f"× 2({operands.name(0)} − mean)/{_spread(operands)[0]}"


def _std(operands: Operands, _: int) -> str:
    below, left = _spread(operands)
    y = operands.output("std")
    if left == 1:
        return f"× ({operands.name(0)} − mean)/{y:q}"
    return f"× ({operands.name(0)} − mean)/({below}{y:d})"


def _norm(operands: Operands, _: int) -> str:
    order = operands.number("ord")
    order = operands.number("p") if order is None else order
    x = operands.name(0)
    match order:
        case None | 2:
            return f"× {x:f}/{operands.output(f'‖{x}‖')}"
        case 1:
            return f"× sign({x})"
        case math.inf:
            return "routed to the largest"
    return ""


def _dist(operands: Operands, slot: int) -> str:
    if operands.number("p") not in (None, 2):
        return ""
    a, b = operands.name(slot), operands.name(1 - slot)
    return f"× ({a} − {b:f})/{operands.output():q}"


def _softmax(operands: Operands, _: int) -> str:
    s = operands.output("s")
    return f"{s:m}(g − Σ {s:f}·g)"


def _average_pool(operands: Operands, _: int) -> str:
    window = operands.integers("kernel_size")
    override = operands.number("divisor_override")
    if window is None:
        return "shared by the window"
    return f"÷ {show(override or math.prod(window))} over the window"


def _batch_norm(operands: Operands, slot: int) -> str:
    if slot == 0 and operands.text("training") == "False":
        return f"× {operands.name(1):f}/√(var + ε)"
    return _NORMALISED(operands, slot)


def _convolution(operands: Operands, slot: int) -> str:
    x, weight = operands.name(0), operands.name(1)
    if slot == 2:
        return "Σ over all positions"
    if slot == 1:
        return f"correlate with {x}"
    turned = operands.text("transposed") == "True"
    return f"{'conv' if turned else 'transposed conv'} with {weight}" if slot == 0 else ""


def _attention(operands: Operands, slot: int) -> str:
    query, key = operands.name(0), operands.name(1)
    rules = (f"softmax rule, @ {key:p}", f"softmax rule, ᵀ @ {query:p}", "softmax(Q Kᵀ)ᵀ @")
    return rules[slot] if 0 <= slot < 3 else ""


def _outer(operands: Operands, slot: int) -> str:
    """Outer product plus something: ``self·beta + alpha·(vec1 ⊗ vec2)``."""
    alpha, beta = operands.number("alpha"), operands.number("beta")
    if slot == 0:
        return f"× {show(1.0 if beta is None else beta)}"
    text = f"@ {operands.name(2):p}" if slot == 1 else f"gᵀ @ {operands.name(1):p}"
    return text if alpha in (None, 1) else f"{text} × {show(alpha or 0.0)}"


_NORMALISED = template("× weight/std, centred", "× normalised {a:l}, Σ", "Σ over the samples")
_ATTENTION = (
    "CudnnAttentionBackward0",
    "EfficientAttentionBackward0",
    "FlashAttentionBackward0",
    "ScaledDotProductCudnnAttentionBackward0",
    "ScaledDotProductEfficientAttentionBackward0",
    "ScaledDotProductFlashAttentionBackward0",
    "ScaledDotProductFlashAttentionForCpuBackward0",
    "ScaledDotProductFusedAttentionOverrideableBackward0",
)

LEARNING: Mapping[str, Rule] = {
    "MmBackward0": _product(0),
    "BmmBackward0": _product(0),
    "AddmmBackward0": _product(1, scaled=True),
    "BaddbmmBackward0": _product(1, scaled=True),
    "MvBackward0": _matrix_vector(0),
    "AddmvBackward0": _matrix_vector(1),
    "AddrBackward0": _outer,
    "DotBackward0": template("× {b:l}", "× {a:l}"),
    "LinearBackward0": _linear,
    "MkldnnLinearBackward0": _linear,
    "ConvolutionBackward0": _convolution,
    "ProdBackward0": template("× {y:f}/{x:q}"),
    "ProdBackward1": template("× {y:f}/{x:q}"),
    "VarBackward0": _var,
    "StdBackward0": _std,
    "LinalgVectorNormBackward0": _norm,
    **dict.fromkeys((f"NormBackward{number}" for number in range(4)), _norm),
    "DistBackward0": _dist,
    "LogsumexpBackward0": template("× softmax({x})"),
    "SoftmaxBackward0": _softmax,
    "SafeSoftmaxBackward0": _softmax,
    "LogSoftmaxBackward0": template("g − softmax·Σg"),
    "MseLossBackward0": _mse,
    "SmoothL1LossBackward0": _clamped,
    "HuberLossBackward0": _clamped,
    "BinaryCrossEntropyBackward0": _cross_entropy_of(logits=False),
    "BinaryCrossEntropyWithLogitsBackward0": _cross_entropy_of(logits=True),
    "NllLossBackward0": _nll,
    "NllLoss2DBackward0": _nll,
    "NativeLayerNormBackward0": _NORMALISED,
    "NativeGroupNormBackward0": _NORMALISED,
    "NativeBatchNormBackward0": _batch_norm,
    "CudnnBatchNormBackward0": _batch_norm,
    "AvgPool2DBackward0": _average_pool,
    "AvgPool3DBackward0": _average_pool,
    "AdaptiveAvgPool2DBackward0": template("shared by the window"),
    "UpsampleNearest2DBackward0": template("Σ over the copies"),
    "LinalgDetBackward0": template("× {y:f}·inv({x})ᵀ"),
    "LinalgInvExBackward0": template("−{y:p}ᵀ @ g @ {y:p}ᵀ"),
    **dict.fromkeys(_ATTENTION, _attention),
}

FUSED_NOTES: Mapping[str, str] = {
    "AddmmBackward0": "fused: matrix product + bias",
    "AddmvBackward0": "fused: matrix-vector product + bias",
    "AddrBackward0": "fused: outer product + sum",
    "BaddbmmBackward0": "fused: batched matrix product + bias",
    "LinearBackward0": "fused: matrix product + bias",
    "MkldnnLinearBackward0": "fused: matrix product + bias",
    "ConvolutionBackward0": "fused: convolution + bias",
    "AddcmulBackward0": "fused: product + sum",
    "AddcdivBackward0": "fused: quotient + sum",
    "LerpBackward0": "fused: weighted mean of two",
    "LerpBackward1": "fused: weighted mean of two",
    "MseLossBackward0": "fused: mean of squared differences",
    "SmoothL1LossBackward0": "fused: mean of smoothed absolute differences",
    "HuberLossBackward0": "fused: mean of clipped squared differences",
    "BinaryCrossEntropyBackward0": "fused: mean of −t·ln(p) − (1 − t)·ln(1 − p)",
    "BinaryCrossEntropyWithLogitsBackward0": "fused: sigmoid + binary cross-entropy",
    "NllLossBackward0": "fused: pick the target's log-probability, negate, mean",
    "NllLoss2DBackward0": "fused: pick the target's log-probability, negate, mean",
    "CtcLossBackward0": "fused: alignment sums + negative log-likelihood",
    "SoftmaxBackward0": "fused: exp, divided by its sum",
    "LogSoftmaxBackward0": "fused: x minus logsumexp(x)",
    "LogsumexpBackward0": "fused: exp, sum, log",
    "VarBackward0": "fused: mean of squared deviations",
    "StdBackward0": "fused: square root of the variance",
    "LinalgVectorNormBackward0": "fused: square, sum, square root",
    "NativeLayerNormBackward0": "fused: centre, scale, weight, bias",
    "NativeGroupNormBackward0": "fused: centre, scale, weight, bias by group",
    "NativeBatchNormBackward0": "fused: centre, scale, weight, bias by channel",
    "CudnnBatchNormBackward0": "fused: centre, scale, weight, bias by channel",
    "FusedRmsNormBackward0": "fused: divide by the root mean square, weight",
    "MkldnnRnnLayerBackward0": "fused: a whole recurrent layer",
    "CudnnRnnBackward0": "fused: a whole recurrent network",
    "EmbeddingBagBackward0": "fused: rows picked, then summed or averaged",
    **dict.fromkeys(_ATTENTION, "fused: softmax(Q Kᵀ · scale) V"),
}
