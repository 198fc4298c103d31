"""Which operators the gallery shows, and where each has a kink."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["FAMILIES", "KINKS", "Kink"]

FAMILIES = {
    "Arithmetic": "add sub mul div pow reciprocal neg square sqrt rsqrt addcmul lerp maximum minimum clamp "
    "where",
    "Functions": "exp expm1 log log1p sin cos tan atan atan2 sinh tanh abs sign round erf lgamma logit xlogy",
    "Activations": "sigmoid nn.functional.relu nn.functional.leaky_relu nn.functional.elu nn.functional.gelu "
    "nn.functional.silu nn.functional.softplus nn.functional.hardtanh nn.functional.hardswish "
    "nn.functional.softshrink nn.functional.prelu softmax log_softmax nn.functional.glu",
    "Reductions": "sum mean prod cumsum cumprod var std amax amin median logsumexp logcumsumexp "
    "linalg.vector_norm dist sort topk kthvalue",
    "Products and matrices": "mm mv bmm addmm dot outer nn.functional.linear nn.functional.conv1d linalg.det "
    "linalg.inv linalg.solve trace",
    "Shapes and indices": "reshape transpose expand cat stack flip roll tril diagonal gather index_select "
    "take scatter_add masked_fill",
    "Losses, rows and windows": "nn.functional.mse_loss nn.functional.l1_loss nn.functional.smooth_l1_loss "
    "nn.functional.huber_loss nn.functional.binary_cross_entropy "
    "nn.functional.binary_cross_entropy_with_logits nn.functional.cross_entropy nn.functional.nll_loss "
    "nn.functional.kl_div nn.functional.layer_norm nn.functional.batch_norm nn.functional.avg_pool1d "
    "nn.functional.max_pool1d",
}
"""Operators by torch's name in its own list of tests, a family a page."""


class Kink(NamedTuple):
    """A point ``at`` (the elements of ``x``) where ``code`` has no slope, or several."""

    code: str
    at: tuple[float, ...]


KINKS = {
    "pow": (Kink("x ** 0.5", (0.0,)), Kink("x ** 0", (0.0,)), Kink("x ** x", (0.0,))),
    "div": (Kink("x / torch.tensor(0.0)", (0.0,)),),
    "reciprocal": (Kink("torch.reciprocal(x)", (0.0,)),),
    "sqrt": (Kink("torch.sqrt(x)", (0.0,)),),
    "rsqrt": (Kink("torch.rsqrt(x)", (0.0,)),),
    "maximum": (Kink("torch.maximum(x, torch.tensor(2.0))", (2.0,)),),
    "minimum": (Kink("torch.minimum(x, torch.tensor(2.0))", (2.0,)),),
    "clamp": (Kink("torch.clamp(x, 0, 1)", (0.0,)), Kink("torch.clamp(x, 0, 1)", (1.0,))),
    "where": (Kink("torch.where(x > 0, torch.sqrt(x), 0.0)", (0.0,)),),
    "log": (Kink("torch.log(x)", (0.0,)),),
    "abs": (Kink("torch.abs(x)", (0.0,)),),
    "sign": (Kink("torch.sign(x)", (0.0,)),),
    "round": (Kink("torch.round(x)", (0.5,)),),
    "atan2": (Kink("torch.atan2(x, torch.tensor(0.0))", (0.0,)),),
    "logit": (Kink("torch.logit(x)", (1.0,)),),
    "xlogy": (Kink("torch.xlogy(x, x)", (0.0,)),),
    "nn.functional.relu": (Kink("F.relu(x)", (0.0,)),),
    "nn.functional.leaky_relu": (Kink("F.leaky_relu(x)", (0.0,)),),
    "nn.functional.elu": (Kink("F.elu(x, 0.5)", (0.0,)),),
    "nn.functional.hardtanh": (Kink("F.hardtanh(x)", (-1.0,)), Kink("F.hardtanh(x)", (1.0,))),
    "nn.functional.hardswish": (Kink("F.hardswish(x)", (-3.0,)), Kink("F.hardswish(x)", (3.0,))),
    "nn.functional.softshrink": (Kink("F.softshrink(x)", (0.5,)),),
    "nn.functional.prelu": (Kink("F.prelu(x, torch.tensor([0.25], dtype=x.dtype))", (0.0,)),),
    "prod": (Kink("torch.prod(x)", (0.0, 3.0)), Kink("torch.prod(x)", (0.0, 0.0))),
    "std": (Kink("torch.std(x)", (2.0, 2.0)),),
    "amax": (Kink("torch.amax(x)", (2.0, 2.0, 1.0)), Kink("torch.max(x, 0).values", (2.0, 2.0, 1.0))),
    "amin": (Kink("torch.amin(x)", (2.0, 2.0, 3.0)), Kink("torch.min(x, 0).values", (2.0, 2.0, 3.0))),
    "median": (Kink("torch.median(x)", (2.0, 2.0, 1.0)),),
    "sort": (Kink("torch.sort(x).values[0]", (2.0, 2.0)),),
    "topk": (Kink("torch.topk(x, 1).values[0]", (2.0, 2.0, 1.0)),),
    "linalg.vector_norm": (
        Kink("torch.linalg.vector_norm(x)", (0.0, 0.0)),
        Kink("torch.linalg.vector_norm(x, 1)", (0.0, 2.0)),
        Kink("torch.linalg.vector_norm(x, float('inf'))", (2.0, 2.0)),
    ),
    "dist": (Kink("torch.dist(x, torch.zeros_like(x))", (0.0, 0.0)),),
    "nn.functional.l1_loss": (Kink("F.l1_loss(x, torch.ones_like(x))", (1.0,)),),
    "nn.functional.max_pool1d": (Kink("F.max_pool1d(x[None], 2)[0, 0]", (2.0, 2.0)),),
    "nn.functional.binary_cross_entropy": (Kink("F.binary_cross_entropy(x, torch.ones_like(x))", (0.0,)),),
    "masked_fill": (Kink("(x.log()).masked_fill(x == 0, 0.0)", (0.0,)),),
}
"""By operator. Values, slopes on both sides and what backward sends are computed, never written here."""
