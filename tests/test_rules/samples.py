"""Programs whose graphs hold the nodes that torch's own samples do not reach, or not on every branch."""

from __future__ import annotations

import itertools
import sys
import types
import unittest
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
from live_nodes import Listener, LiveNode, hand_made, nodes_of
from torch import Tensor

__all__ = ["ELSEWHERE", "WORDS_ELSEWHERE", "live_nodes"]

SAMPLES = 3
MOST = 24
"""Nodes of a class and a type that are taken from torch's samples: a product stands in hundreds of them."""
ops = torch.ops.aten


def r(*shape: int, positive: bool = False, dtype: torch.dtype = torch.float64) -> Tensor:
    """A leaf of random numbers."""
    x = torch.randn(shape, dtype=dtype)
    return (x.abs() + 0.5 if positive else x).requires_grad_()


def v(*numbers: Any) -> Tensor:
    """A leaf of these numbers."""
    return torch.tensor(numbers, dtype=torch.float64, requires_grad=True)


def c(*shape: int) -> Tensor:
    return r(*shape, dtype=torch.complex128)


def twice(program: Callable[..., Tensor], *leaves: Tensor) -> tuple[Tensor | None, ...]:
    """The gradients of a program, themselves with a graph: their nodes are those of a second backward."""
    result = program(*leaves)
    given = torch.randn_like(result).requires_grad_()
    return torch.autograd.grad(result, leaves, given, create_graph=True, allow_unused=True)


KINKS = (-4.0, -3.0, -1.0, -0.5, 0.0, 0.5, 1.0, 3.0, 4.0)
TIES = (1.0, 2.0, 2.0, 0.5, 2.0)
ODD = (1.0, 2.0, float("nan"), 0.5, 2.0)

PROGRAMS: tuple[Callable[[], Any], ...] = (
    # arithmetic with numbers, in place and with what is broadcast
    lambda: [3 - r(3), torch.rsub(r(3), r(3), alpha=2), torch.rsub(r(3), 2.0, alpha=3)],
    lambda: [r(2, 3) + r(3), r(2, 3) - r(2, 1), r(2, 3) * r(), r(1, 1) * r(), r(0, 5) * r(5)],
    lambda: [torch.add(r(3), r(3), alpha=0.5), torch.sub(r(3), r(3), alpha=-2), r(3) - 2, r(3) + 2],
    lambda: [r(3) / 4, torch.div(r(3), 4, rounding_mode="floor"), torch.div(r(3), r(2, 3), rounding_mode="trunc")],
    lambda: [r(3) * 2.5, -r(3), r(3, positive=True) ** 0.5, r(3, positive=True) ** -1.5, r(3) ** 0, r(3) ** 1],
    lambda: [v(0.0, 2.0) ** 2, v(0.0, 2.0) ** 3, r(3) ** 4, 2.0 ** r(3), r(3, positive=True) ** r(2, 3)],
    lambda: [v(0.0, 0, 0, 2) ** v(2.0, 0, -1, 0), (lambda x: x**x)(v(0.0, 2, 0.5)), 0.0 ** v(0.0, 2, -1), 2.0 ** v(0.0, 2)],
    lambda: [v(0.0, 0, 2) ** 0.5, v(0.0, 2) ** 0, torch.atan2(v(0.0, 0, -1), v(0.0, -2, 0)), torch.pow(c(2) * 0, c(2)), torch.pow(c(2) * 0, v(0.0, 2)), torch.pow(0.0, torch.tensor([1 + 0j, 0], dtype=torch.complex128, requires_grad=True))],
    lambda: [torch.xlogy(2.0, r(3, positive=True)), torch.xlogy(r(3), 2.0), torch.xlogy(v(0.0, 1), 0.0), torch.xlogy(v(0.0, 1), -1.0), torch.xlogy(v(0.0, 1), v(-1.0, 2))],
    lambda: [torch.xlogy(x, x) for x in (v(0.5, 2.0), v(0.0, -1.0, -torch.inf))] + [x**x for x in (v(0.0, 2.0, 0.5),)],
    lambda: [torch.special.xlog1py(2.0, r(3, positive=True)), torch.special.xlog1py(v(0.0, 0), v(-1.0, 2))],
    lambda: [torch.fmod(r(5), r(5)), torch.fmod(r(5), 0.7), torch.remainder(r(5), r(5)), torch.remainder(r(5), 0.7)],
    lambda: [torch.addcmul(r(2, 3), r(3), r(2, 3), value=-0.5), torch.addcdiv(r(2, 3), r(3), r(2, 3), value=3)],
    lambda: [torch.lerp(r(3), r(3), 0.3), torch.lerp(r(3), r(3), r(3))],
    lambda: [torch.fill(r(3), r()), ops.zero(r(3)), (r(3) * 1).fill_(2.0), (r(3) * 1).zero_()],
    lambda: [r(3).sign(), r(5).floor(), r(5).ceil(), r(5).round(), r(5).round(decimals=1), r(5).trunc(), r(5).frac()],
    lambda: [v(*KINKS).abs(), c(3).abs(), v(*KINKS).sgn(), torch.copysign(v(0.0, -1, 2), -1.0)],
    # activations and gates at their kinks
    lambda: [f(v(*KINKS)) for f in (F.relu, F.relu6, F.hardsigmoid, F.hardswish, F.hardshrink, F.softshrink)],
    lambda: [F.threshold(v(*KINKS), 0.5, 7.0), F.leaky_relu(v(*KINKS), 0.2), F.hardtanh(v(*KINKS), -0.5, 1.0)],
    lambda: [F.elu(v(*KINKS), 0.7), F.selu(v(*KINKS)), F.celu(v(*KINKS), 0.7), F.prelu(r(2, 3, 4), r(3))],
    lambda: [F.softplus(v(*KINKS), 2.0, 3.0), F.softplus(v(*KINKS)), F.gelu(r(5)), F.gelu(r(5), approximate="tanh")],
    lambda: [F.silu(r(5)), F.mish(r(5)), F.logsigmoid(r(5)), F.glu(r(2, 6, 3), 1), F.rrelu(r(5)), F.softsign(r(5))],
    lambda: [F.rrelu(r(9), 0.1, 0.3, training=True), ops.rrelu_with_noise_functional(r(9), torch.rand(9).double(), 0.1, 0.3, True)[0]],
    lambda: [F.threshold(v(*KINKS) * 1, 0.5, 7.0, inplace=True), F.leaky_relu(v(*KINKS) * 1, 0.2, inplace=True), F.elu(v(*KINKS) * 1, 0.7, inplace=True)],
    lambda: [F.selu(v(*KINKS) * 1, inplace=True), F.celu(v(*KINKS) * 1, 0.7, inplace=True), F.rrelu(v(*KINKS) * 1, inplace=True), F.rrelu(r(9) * 1, 0.1, 0.3, True, True)],
    lambda: [F.dropout(r(9), 0.3, training=True), ops.native_dropout(r(9), 0.3, True)[0], ops.native_dropout(r(9), 1.0, True)[0]],
    lambda: [torch.clamp(v(*KINKS), -1, 1), torch.clamp(v(*KINKS), min=-1), torch.clamp(v(*KINKS), max=1)],
    lambda: [torch.clamp_max(v(*KINKS), 1), torch.clamp_min(v(*KINKS), 1), torch.clamp_max(r(5), r(5)), torch.clamp_min(r(5), r(5))],
    lambda: [torch.clamp(r(9), r(9), r(9)), torch.clamp(r(9), r(9), None), torch.clamp(r(9), None, r(9))],
    lambda: [torch.clamp(v(1.0, 2, 3, 0), v(2.0, 2, 2, 3), v(3.0, 2, 1, 1))],
    lambda: [f(v(*TIES), v(1.0, 1, 2, 0.5, 3)) for f in (torch.maximum, torch.minimum, torch.fmax, torch.fmin)],
    lambda: [torch.where(r(2, 3) > 0, r(3), r(2, 1)), r(2, 3).masked_fill(r(2, 3) > 0, 1.5), torch.logit(r(5), 0.2)],
    lambda: [torch.masked_fill(r(2, 3), r(2, 3) > 0, r()), torch.logit(v(-0.5, 0.2, 1.5)), torch.nan_to_num(v(1.0, float("nan")))],
    # products
    lambda: [torch.mm(r(2, 3), r(3, 4)), torch.mm(c(2, 3), c(3, 4)), torch.bmm(r(2, 3, 4), r(2, 4, 5)), torch.bmm(c(2, 3, 4), c(2, 4, 5))],
    lambda: [torch.addmm(r(4), r(2, 3), r(3, 4)), torch.addmm(r(2, 4), r(2, 3), r(3, 4), alpha=2, beta=0.5), torch.addmm(c(4), c(2, 3), c(3, 4), alpha=3)],
    lambda: [torch.baddbmm(r(2, 3, 5), r(2, 3, 4), r(2, 4, 5), beta=2, alpha=3), torch.addbmm(r(5), r(2, 3, 4), r(2, 4, 5), alpha=0.5)],
    lambda: [torch.mv(r(3, 4), r(4)), torch.mv(c(3, 4), c(4)), torch.addmv(r(3), r(3, 4), r(4), alpha=2, beta=3), torch.addmv(c(3), c(3, 4), c(4))],
    lambda: [torch.addr(r(3, 4), r(3), r(4), alpha=2, beta=3), torch.addr(c(3, 4), c(3), c(4)), torch.outer(c(3), c(4)), torch.dot(r(3), r(3)), torch.dot(c(3), c(3))],
    lambda: [torch.vdot(c(3), c(3)), torch.vdot(r(3), r(3)), torch.mm(r(2, 3) + 0j, c(3, 4)), c(3) * r(3), c(3) + r(3)],
    lambda: [torch._grouped_mm(r(2, 16, 16, dtype=torch.bfloat16), r(2, 16, 16, dtype=torch.bfloat16))],
    lambda: [torch._grouped_mm(r(16, 16, dtype=torch.bfloat16), r(2, 16, 16, dtype=torch.bfloat16), offs=torch.tensor([8, 16], dtype=torch.int32))],
    lambda: [F.conv2d(r(2, 4, 6, 5), r(6, 2, 3, 2), r(6), stride=2, padding=1, dilation=2, groups=2), F.conv1d(r(1, 2, 5), r(3, 2, 2))],
    lambda: [F.conv_transpose2d(r(2, 4, 3, 4), r(4, 3, 3, 2), r(6), stride=2, padding=1, output_padding=1, groups=2)],
    lambda: [F.conv3d(r(1, 2, 4, 3, 4), r(2, 2, 2, 2, 2), r(2), padding=(1, 0, 1)), F.conv2d(c(1, 2, 4, 4), c(3, 2, 2, 2), c(3))],
    # reductions, and what they do at ties and at zeros
    lambda: [r(2, 3).sum(), r(2, 3).sum(1), r(2, 3, 4).sum((0, -1), keepdim=True), r().sum(0), r(2, 3).mean(), r(2, 3, 4).mean((-1, 0))],
    lambda: [v(1.0, float("nan"), 2).nansum(), torch.nansum(r(2, 3), 1), v(2.0, 0, 3).prod(), v(0.0, 0, 3).prod(), r(2, 3).prod(1)],
    lambda: [torch.stack([v(2.0, 0, 3), v(0.0, 0, 3)]).prod(1), torch.stack([v(2.0, 0, 3), v(0.0, 0, 3)]).cumprod(1), c(3).cumprod(0), r(4).cumsum(0)],
    lambda: [r(2, 5).var(), r(2, 5).var(1), r(2, 5).var(0, correction=0), r(2, 5).std(), r(2, 5).std(1, keepdim=True), c(4).var(), c(4).std()],
    lambda: [*torch.var_mean(r(2, 5), 1), *torch.std_mean(r(2, 5), 1, correction=0, keepdim=True), *torch.var_mean(r(4)), r(3, 1).std(0), r(2).std(), v(2.0, 2).std(), v(2.0, 2, 2).std(), *torch.std_mean(v(3.0, 3, 3))],
    lambda: [torch.linalg.vector_norm(x, p) for p in (2, 1, float("inf"), -float("inf"), 3, 0, 0.5, 1.5) for x in (r(5), v(0.0, 3, -4))],
    lambda: [torch.linalg.vector_norm(r(2, 3), 2, 1), torch.linalg.vector_norm(v(0.0, 0), 2), torch.linalg.vector_norm(v(2.0, -2, 1), float("inf")), torch.linalg.vector_norm(c(3))],
    lambda: [ops.norm.Scalar(r(4), 3), ops.norm.ScalarOpt_dim(r(2, 3), 2, [1]), ops.norm.ScalarOpt_dtype(r(4), 2, dtype=torch.float64), ops.norm.ScalarOpt_dim_dtype(r(2, 3), 1, [1], True, dtype=torch.float64)],
    lambda: [torch.dist(r(2, 3), r(3), p) for p in (2, 1, 3, float("inf"))],
    lambda: [f(v(*TIES)) for f in (torch.max, torch.min, torch.median, torch.nanmedian, torch.amax, torch.amin)],
    lambda: [f(r(3, 4), 1)[0] for f in (torch.max, torch.min, torch.median, torch.nanmedian, torch.sort, torch.mode, torch.cummax, torch.cummin)],
    # beside a NaN
    lambda: [f(v(*ODD)) for f in (torch.max, torch.min, torch.median, torch.amax, torch.amin, torch.prod, torch.norm)],
    lambda: [f(x, 1) for x in (torch.stack([v(*ODD), v(*TIES)]),) for f in (torch.amax, torch.amin, torch.prod, torch.cumprod)],
    lambda: [torch.linalg.vector_norm(torch.stack([v(*ODD), v(*TIES)]), p, 1) for p in (1, 2, 3, torch.inf)],
    lambda: [torch.linalg.det(torch.stack([v(1.0, 2.0), v(torch.nan, 3.0)])), torch.dist(v(*ODD), v(*TIES)), F.layer_norm(torch.stack([v(*TIES), v(*ODD)]), (5,))],
    lambda: [torch.cdist(torch.stack([v(*ODD), v(*TIES)]), r(3, 5), p) for p in (2.0,)],
    lambda: [*torch.aminmax(torch.stack([v(*ODD), v(*TIES)]), dim=1)],
    lambda: [torch.amax(r(3, 4), (0, 1)), torch.amin(r(3, 4), 1, keepdim=True), *torch.aminmax(v(*TIES)), *torch.aminmax(r(3, 4), dim=1)],
    lambda: [torch.kthvalue(r(3, 4), 2, 1, keepdim=True)[0], torch.topk(r(3, 4), 2, 0)[0], torch.sort(r(4), stable=True, descending=True)[0], torch.logcumsumexp(r(2, 3), 1)],
    lambda: [torch.logsumexp(r(2, 3), 1), torch.logsumexp(c(2, 3), (0, 1)), torch.softmax(r(2, 3), 0), torch.log_softmax(r(2, 3), -1), torch.softmax(r(), 0), torch.log_softmax(r(), 0)],
    # shapes
    lambda: [r(2, 3).view(6), r(2, 3).t().reshape(6), r(2, 1, 3, 1).squeeze(), r(2, 1).squeeze(1), r(2, 1, 1).squeeze((1, 2)), r(3).unsqueeze(0)],
    lambda: [(r(2, 1, 3) * 1).squeeze_(), (r(2, 1, 3) * 1).squeeze_(1), (r(2, 1, 1) * 1).squeeze_((1, 2)), (r(3) * 1).unsqueeze_(0), (r(2, 3) * 1).t_(), (r(2, 3, 4) * 1).transpose_(0, 2)],
    lambda: [r(3).t(), r(2, 3).t(), r(2, 3, 4).transpose(1, 2), r(2, 3, 4).transpose(0, 0), r(2, 3).transpose(0, -1), r(2, 3).permute(1, 0), r(2, 3, 4).permute(2, 0, 1), r(2, 3).permute(0, 1)],
    lambda: [r(3).expand(2, 3), r(2, 1).expand(2, 3), r(2, 3).expand(2, 3), r(2, 3).repeat(2, 1, 3), r(2, 3).flip(0, -1), r(2, 3).roll(1), r(2, 3).roll((1, 2), (0, 1))],
    lambda: [F.pad(r(2, 3), (1, 2)), F.pad(r(2, 3), (-1, 1, 2, -1)), r(5).unfold(0, 3, 2), r(3, 6).unfold(-1, 2, 2), torch.triu(r(3, 4), 1), torch.tril(r(3, 4)), r(3, 4).trace()],
    lambda: [*r(2, 3).unbind(1), *r(5, 2).split(2), *r(5, 2).split((1, 4)), *torch.unsafe_split(r(5, 2), 2), *torch.unsafe_split_with_sizes(r(5, 2), (1, 4))],
    lambda: [torch.cat([r(2, 3), r(2, 1), r(0)], -1), torch.stack([r(2, 3), r(2, 3)], -2), r(2, 3)[1], r(2, 3)[:, -1], r(6)[1:5:2], r(3, 4)[:, 1:]],
    lambda: [r(3, 4).diagonal(1), r(2, 3, 4).diagonal(0, 0, -1), torch.diag_embed(r(3), 1), torch.narrow_copy(r(3, 4), 1, 1, 2), torch.rot90(r(2, 3)), r(3, 4).as_strided((2, 2), (1, 2))],
    lambda: [torch.diagonal_scatter(r(3, 3), r(2), 1), torch.select_scatter(r(2, 3), r(2), 1, -1), torch.slice_scatter(r(5), r(2), 0, 1, 5, 2), r(3).clone(), ops.alias(r(3)), ops.lift(r(3))],
    lambda: [r(3).to(torch.float32), r(3, dtype=torch.float32).to(torch.float64), r(2, 3).view_as(r(3, 2)), ops._reshape_alias(r(2, 3), (6,), (1,)), ops._reshape_copy(r(2, 3), (6,))],
    # indices
    lambda: [r(4, 3)[[0, 2, 0]], r(4, 3)[[0, 2], [1, 1]], r(4, 3)[:, [0, 0]], r(4, 3)[r(4) > 0], torch.index_select(r(4, 3), 1, torch.tensor([0, 0, 2]))],
    lambda: [torch.gather(r(4, 3), 1, torch.tensor([[0, 0], [1, 2], [2, 2], [0, 1]])), torch.take(r(4, 3), torch.tensor([0, 0, 11])), torch.masked_select(r(2, 3), r(3) > -0.2)],
    lambda: [F.embedding(torch.tensor([[0, 2], [0, 1]]), r(4, 3)), F.embedding(torch.tensor([0, 2, 0]), r(4, 3), padding_idx=2, scale_grad_by_freq=True)],
    lambda: [torch.scatter(r(3, 4), 1, torch.tensor([[0, 2]]), r(1, 2)), torch.scatter(r(3, 4), 1, torch.tensor([[0, 2]]), 1.5), torch.scatter_add(r(3, 4), 1, torch.tensor([[0, 0]]), r(2, 3))],
    lambda: [torch.index_put(r(4, 3), (torch.tensor([0, 2]),), r(2, 3)), torch.index_put(r(4, 3), (torch.tensor([0, 0]),), r(3), accumulate=True)],
    lambda: [torch.index_copy(r(4, 3), 0, torch.tensor([2, 0]), r(2, 3)), torch.index_fill(r(4, 3), 1, torch.tensor([2, 0]), 1.5), torch.index_fill(r(4), 0, torch.tensor([2, 2]), r())],
    lambda: [torch.index_add(r(4, 3), 1, torch.tensor([2, 0]), r(4, 2), alpha=3), torch.put(r(4), torch.tensor([1, 3]), r(2)), torch.put(r(4), torch.tensor([1, 1]), r(2), accumulate=True)],
    lambda: [torch.masked_scatter(r(2, 3), torch.tensor([True, False, True]), r(6)), torch.scatter_reduce(r(4), 0, torch.tensor([0, 0, 2]), r(3), "sum", include_self=False)],
    # rows: normalisations and attention
    lambda: [F.layer_norm(r(2, 3, 4), (3, 4), r(3, 4), r(3, 4), 0.1), F.layer_norm(r(2, 4), (4,)), F.group_norm(r(2, 6, 3, 2), 3, r(6), r(6), 0.1), F.group_norm(r(2, 4), 2)],
    lambda: [F.batch_norm(r(5, 3), None, None, r(3), r(3), True, eps=0.1), F.batch_norm(r(5, 3, 2), r(3).detach(), r(3, positive=True).detach(), r(3), r(3), False), F.batch_norm(r(5, 3), None, None, training=True)],
    lambda: [F.instance_norm(r(2, 3, 4)), ops._native_batch_norm_legit.no_stats(r(5, 3), r(3), r(3), True, 0.1, 0.2)[0], F.batch_norm(r(5, 3), r(3).detach(), r(3, positive=True).detach(), None, None, False)],
    lambda: [F.scaled_dot_product_attention(r(2, 3, 4, 8), r(2, 3, 5, 8), r(2, 3, 5, 8)), F.scaled_dot_product_attention(r(2, 3, 4, 8), r(2, 3, 4, 8), r(2, 3, 4, 8), is_causal=True, scale=0.3)],
    lambda: [F.scaled_dot_product_attention(r(2, 3, 4, 8), r(2, 3, 5, 8), r(2, 3, 5, 8), attn_mask=torch.randn(4, 5).double()), F.scaled_dot_product_attention(r(2, 3, 4, 8), r(2, 3, 5, 8), r(2, 3, 5, 8), attn_mask=torch.ones(4, 5, dtype=torch.bool).tril())],
    lambda: [F.scaled_dot_product_attention(r(2, 4, 3, 8), r(2, n, 5, 8), r(2, n, 5, 8), enable_gqa=True) for n in (1, 2)],
    # losses
    lambda: [f(r(2, 3), r(2, 3), reduction=how) for f in (F.mse_loss, F.l1_loss, F.smooth_l1_loss, F.huber_loss) for how in ("none", "mean", "sum")],
    lambda: [F.smooth_l1_loss(r(9), r(9), beta=b) for b in (0.0, 0.3)] + [F.huber_loss(r(9), r(9), delta=0.3), F.soft_margin_loss(r(4), r(4).sign().detach())],
    lambda: [F.binary_cross_entropy(torch.sigmoid(r(4)), torch.sigmoid(r(4)), w, reduction=how) for w in (None, torch.rand(4).double()) for how in ("none", "mean", "sum")],
    lambda: [F.binary_cross_entropy(v(0.0, 1, 0, 1, 0.5), v(0.0, 1, 1, 0.5, 0), reduction="none")],
    lambda: [F.binary_cross_entropy_with_logits(r(4), r(4), w, reduction=how, pos_weight=p) for w in (None, torch.rand(4).double()) for p in (None, torch.rand(4).double()) for how in ("none", "mean", "sum")],
    lambda: [F.nll_loss(r(4, 3), torch.tensor([0, 2, 1, 2]), w, ignore_index=ig, reduction=how) for w in (None, torch.rand(3).double()) for ig in (-100, 2) for how in ("none", "mean", "sum")],
    lambda: [F.nll_loss(r(2, 3, 2, 2), torch.tensor([[[0, 2], [1, 2]]] * 2), reduction=how) for how in ("none", "mean", "sum")] + [F.nll_loss(r(3), torch.tensor(1)), F.nll_loss(r(2, 3), torch.tensor([0, -100])), F.nll_loss(r(2, 3), torch.tensor([0, 0]), ignore_index=0, reduction="sum")],
    lambda: [F.kl_div(r(2, 3), torch.rand(2, 3).double()), F.ctc_loss(r(5, 2, 4).log_softmax(-1), torch.tensor([[1, 2], [3, 1]]), (5, 5), (2, 2))],
    # pooling
    lambda: [F.max_pool2d(r(1, 2, 5, 6), 2, 1, 1), F.max_pool2d(r(2, 5, 6), 3), F.max_pool3d(r(1, 2, 4, 4, 4), 2), F.max_pool3d(r(2, 4, 4, 4), 2), F.max_pool1d(r(1, 2, 5), 2)],
    lambda: [F.adaptive_max_pool2d(r(1, 2, 5, 6), (2, 3)), F.adaptive_max_pool2d(r(2, 5, 6), 2), F.adaptive_max_pool3d(r(2, 4, 5, 4), 2), F.fractional_max_pool2d(r(1, 2, 6, 6), 2, 3), F.fractional_max_pool3d(r(1, 2, 4, 4, 4), 2, 2)],
    lambda: [F.avg_pool2d(r(1, 2, 5, 6), 2, padding=1), F.avg_pool2d(r(2, 5, 6), 3, 2, 1, True, False), F.avg_pool2d(r(1, 1, 4, 4), 2, divisor_override=3), F.avg_pool3d(r(1, 2, 4, 4, 4), 2, 1, 1)],
    lambda: [F.adaptive_avg_pool2d(r(1, 2, 4, 6), (2, 3)), F.adaptive_avg_pool2d(r(1, 2, 5, 7), (2, 3)), F.adaptive_avg_pool3d(r(1, 1, 4, 4, 4), 2), F.adaptive_avg_pool3d(r(1, 1, 5, 4, 4), 2)],
    # special functions and chance
    lambda: [torch.polygamma(n, r(4, positive=True)) for n in (0, 1, 2)] + [torch.mvlgamma(r(4, positive=True) + 2, 3), torch.digamma(v(-1.3, 0.4, 12)), torch.lgamma(v(-1.3, 0.4, 12))],
    lambda: [f(v(-40.0, -2, 0, 0.5, 35)) for f in (torch.special.i0e, torch.special.i1e, torch.sinc)] + [torch.special.i0(v(-2.0, 0, 3)), torch.special.i1(v(-2.0, 0, 3)), torch.sinc(c(3))],
    lambda: [torch.bernoulli(torch.rand(3).double().requires_grad_()), torch.bernoulli(r(3), 0.5), (r(3) * 1).bernoulli_(0.5), (r(3) * 1).bernoulli_(torch.rand(3).double().requires_grad_()), torch.normal(r(3), 1.0), torch.normal(0.0, r(3, positive=True)), torch.normal(r(3), r(3, positive=True))],
    lambda: [getattr(r(3) * 1, f)() for f in ("normal_", "random_", "cauchy_", "exponential_", "log_normal_", "uniform_")] + [(r(3) * 1).geometric_(0.5), (r(3) * 1).random_(5), (r(3) * 1).random_(0, 5), torch.poisson(r(3, positive=True))],
    # complex numbers
    lambda: [c(3).real, c(3).imag, c(3).angle(), c(3).sgn(), torch.complex(r(3), r(3)), torch.polar(r(3), r(3)), torch.view_as_real(c(3)), torch.view_as_complex(r(3, 2)), c(3).conj(), torch.conj_physical(c(3))],
    lambda: [f(c(3)) for f in (torch.exp, torch.log, torch.sqrt, torch.sin, torch.cos, torch.tanh, torch.sigmoid, torch.reciprocal, torch.acosh, torch.atan, torch.asin, torch.acos, torch.sinh, torch.cosh)],
    lambda: [c(3) / c(3), c(3) ** 3, c(3) ** c(3), 2.0 ** c(3), torch.logaddexp(c(3), c(3)), c(2, 3).prod(), c(3).rsqrt()],
    # linear algebra
    lambda: [torch.linalg.det(r(3, 3)), torch.linalg.det(torch.ones(3, 3).double().requires_grad_()), torch.linalg.det(r(2, 1, 1)), torch.linalg.det(c(2, 2)), *torch.linalg.slogdet(r(2, 3, 3)), *torch.linalg.slogdet(c(3, 3)), torch.logdet(torch.eye(2).double().requires_grad_() * 2)],
    lambda: [torch.linalg.inv(r(3, 3)), torch.linalg.inv(c(2, 3, 3)), torch.linalg.solve(r(3, 3), r(3)), torch.linalg.solve(r(2, 3, 3), r(3, 2)), torch.linalg.solve(c(3, 3), c(3, 2)), torch.linalg.solve(r(3, 3), r(2, 3), left=False)],
    lambda: [torch.linalg.solve_triangular(r(3, 3), r(3, 2), upper=u, unitriangular=t) for u in (True, False) for t in (True, False)] + [torch.linalg.solve_triangular(r(3, 3), r(2, 3, 3), upper=True, left=False), torch.linalg.solve_triangular(c(3, 3), c(3, 2), upper=False)],
    lambda: [f(x @ x.mH + 3 * torch.eye(3)) for x in (r(3, 3), c(2, 3, 3)) for f in (torch.linalg.cholesky, torch.cholesky, lambda x: torch.linalg.cholesky(x, upper=True))],
    lambda: [*torch.linalg.eigh(r(3, 3)), torch.linalg.matrix_exp(r(3, 3)), torch.linalg.matrix_exp(c(2, 2, 2)), torch.linalg.cross(r(2, 3), r(2, 3)), torch.linalg.cross(c(3, 2), c(3, 2), dim=0), torch.block_diag(r(2, 3), r(2), r())],
    # Fourier transforms by all three normalisations, of odd and even size
    lambda: [f(c(3, n), norm=how) for f in (torch.fft.fft, torch.fft.ifft, torch.fft.fft2, torch.fft.irfft, torch.fft.hfft) for n in (4, 5) for how in ("backward", "forward", "ortho")],
    lambda: [f(r(3, n), norm=how) for f in (torch.fft.rfft, torch.fft.rfft2, torch.fft.ihfft) for n in (4, 5) for how in ("backward", "forward", "ortho")] + [torch.fft.irfft(c(3, 4), 7), torch.fft.irfft(c(3, 4), 1), torch.stft(r(16), 4, window=torch.ones(4).double(), return_complex=True)],
    # pictures
    lambda: [F.pad(r(1, 2, 4), (2, 1), m) for m in ("reflect", "replicate")] + [F.pad(r(1, 2, 4, 3), (2, 1, 1, 0), m) for m in ("reflect", "replicate")] + [F.pad(r(1, 2, 3, 4, 3), (2, 1, 1, 0, 1, 2), m) for m in ("reflect", "replicate")],
    lambda: [F.interpolate(r(1, 2, *(3, 4, 3)[:n]), scale_factor=s, mode=m) for n in (1, 2, 3) for s in (2.0, 0.7) for m in ("nearest", "nearest-exact")] + [F.interpolate(r(1, 2, 3, 4), (5, 7), mode=m) for m in ("nearest", "nearest-exact")],
    lambda: [F.interpolate(r(1, 2, *(3, 4, 3)[:n]), scale_factor=s, mode=m, align_corners=a) for n, m in ((1, "linear"), (2, "bilinear"), (3, "trilinear"), (2, "bicubic")) for s in (2.0, 0.7) for a in (True, False)],
    lambda: [F.interpolate(r(1, 2, 3, 4), (7, 2), mode=m, align_corners=a) for m in ("bilinear", "bicubic") for a in (True, False)] + [F.interpolate(r(1, 2, 6, 6), (3, 4), mode=m, antialias=True) for m in ("bilinear", "bicubic", "lanczos")],
    lambda: [F.pixel_shuffle(r(1, 8, 3, 3), 2), F.pixel_unshuffle(r(1, 2, 4, 4), 2), F.channel_shuffle(r(1, 6, 2, 2), 2), F.unfold(r(1, 2, 5, 4), (2, 3), 1, 1, 2), F.fold(r(1, 12, 9), (4, 5), (2, 3), 1, 0, 1), F.max_unpool2d(r(1, 1, 2, 2), torch.tensor([[[[0, 3], [9, 14]]]]), 2)],
    lambda: [F.affine_grid(r(1, *shape), size, align_corners=False) for shape, size in (((2, 3), (1, 1, 3, 4)), ((3, 4), (1, 1, 2, 3, 4)))],
    lambda: [F.grid_sample(r(1, 2, 4, 4), r(1, 3, 3, 2)), ops._grid_sampler_2d_cpu_fallback(r(1, 2, 4, 4, dtype=torch.float32), r(1, 3, 3, 2, dtype=torch.float32), 0, 0, False)],
    lambda: [torch.cdist(r(3, 2), r(4, 2), p) for p in (2.0, 1.0, 0.0, 3.0)] + [torch.cdist(r(2, 30, 2), r(2, 40, 2)), torch.cdist(r(3, 2), r(4, 2), compute_mode="use_mm_for_euclid_dist"), F.pdist(r(4, 2)), torch.renorm(r(3, 2), 2, 0, 0.5)],
    # layers fused into one node
    lambda: [torch.nn.LSTM(3, 2)(r(4, 1, 3, dtype=torch.float32))[0], torch.nn.LSTMCell(3, 2)(r(1, 3, dtype=torch.float32))[0], torch.nn.GRUCell(3, 2)(r(1, 3, dtype=torch.float32))],
    lambda: [F.embedding_bag(torch.tensor([0, 2, 2]), r(4, 3), torch.tensor([0, 1]), mode=m) for m in ("sum", "mean", "max")],
    lambda: [in_place(r(2, 3)), in_place_product(r(2, 3), r(3))],
    lambda: [ops.div.Scalar_mode(r(5), 0.7, rounding_mode=None), ops.div.Scalar_mode(r(5), 0.7, rounding_mode="floor"), c(3) * 2j, torch.add(c(3), c(3), alpha=2 - 1j)],
    # a second backward
    lambda: [*itertools.chain(*(twice(f, v(-4.0, -2, -0.3, 0.4, 0.7, 2, 4)) for f in (torch.sigmoid, torch.tanh, F.relu, F.leaky_relu, F.hardtanh, F.hardshrink, F.softshrink, F.hardswish, F.elu, F.softplus, F.logsigmoid, F.gelu)))],
    lambda: [*twice(lambda x: F.gelu(x, approximate="tanh"), r(5)), *twice(lambda x: F.softplus(x, 2.0, 1.0), r(5)), *twice(lambda x: F.elu_(x * 1, 0.7), r(5)), *twice(lambda x: F.relu6(x), v(-1.0, 0, 3, 6, 7))],
    lambda: [*twice(lambda x: F.softmax(x, 0), r(3, 2)), *twice(lambda x: F.log_softmax(x, -1), r(3, 2)), *twice(lambda x: F.softmax(x, 0), r()), *twice(lambda x: ops.native_dropout(x, 0.3, True)[0], r(9))],
    lambda: [*itertools.chain(*(twice(lambda a, b, how=how: F.mse_loss(a, b, reduction=how), r(2, 3), r(2, 3)) for how in ("none", "mean", "sum")))],
    lambda: [*twice(F.conv2d, r(1, 2, 4, 4), r(3, 2, 2, 2)), *twice(lambda x: F.max_pool2d(x, 2), r(1, 2, 4, 4)), *twice(lambda x: F.max_pool3d(x, 2), r(1, 2, 4, 4, 4)), *twice(lambda x: F.adaptive_max_pool2d(x, 2), r(1, 2, 5, 4)), *twice(lambda x: F.adaptive_max_pool3d(x, 2), r(1, 2, 5, 4, 4))],
    lambda: [*twice(lambda x: F.avg_pool2d(x, 2), r(1, 2, 4, 4)), *twice(lambda x: F.avg_pool3d(x, 2), r(1, 2, 4, 4, 4)), *twice(lambda x: F.adaptive_avg_pool2d(x, 2), r(1, 2, 4, 4)), *twice(lambda x: F.adaptive_avg_pool3d(x, 2), r(1, 2, 4, 4, 4))],
    lambda: [*itertools.chain(*(twice(lambda x, m=m: F.interpolate(x, scale_factor=2.0, mode=m), r(1, 2, *(3, 4, 3)[:n])) for n, m in ((1, "nearest"), (2, "nearest"), (3, "nearest"), (1, "nearest-exact"), (2, "nearest-exact"), (3, "nearest-exact"), (1, "linear"), (2, "bilinear"), (3, "trilinear"), (2, "bicubic"))))],
    lambda: [*itertools.chain(*(twice(lambda x, m=m: F.interpolate(x, (2, 3), mode=m, antialias=True), r(1, 2, 4, 4)) for m in ("bilinear", "bicubic")))],
    lambda: [*itertools.chain(*(twice(lambda x, n=n, m=m: F.pad(x, (1, 1) * n, m), r(1, 2, *(3, 4, 3)[:n])) for n in (1, 2, 3) for m in ("reflect", "replicate")))],
    lambda: [*twice(lambda x: x[1], r(2, 3)), *twice(lambda x: x[:, 1:], r(2, 3)), *twice(lambda x: x[::2], r(5)), *twice(lambda x: x.diagonal(1), r(3, 4)), *twice(lambda x: x.unfold(0, 3, 2), r(7))],
    lambda: [*twice(lambda w: F.embedding(torch.tensor([[0, 2], [0, 1]]), w), r(4, 3)), *twice(lambda w: F.embedding(torch.tensor([0, 2, 0]), w, padding_idx=2), r(4, 3))],
)  # fmt: skip
"""Each makes graphs; together with torch's own samples they reach every entry of the table."""


def in_place(x: Tensor) -> Tensor:
    """A part of a copy is overwritten."""
    y = x * 1
    y[0] = x[1] * 2
    return y


def in_place_product(x: Tensor, other: Tensor) -> Tensor:
    y = x * 1
    y[0].mul_(other)
    return y


def _of_other_devices() -> list[LiveNode]:
    """On a CPU these are taken apart before autograd sees them; on others each is one node."""
    linear = [
        hand_made(kind, F.linear, (r(*lead, 3), r(4, 3), *bias))
        for kind in ("LinearBackward0", "MkldnnLinearBackward0")
        for lead in ((2,), (), (2, 5))
        for bias in ((r(4),), ())
    ]
    return [
        *linear,
        *(
            hand_made(
                "FusedRmsNormBackward0",
                lambda x, *weight: F.rms_norm(x, (4,), *weight, eps=0.1),
                (r(2, 4), *weight),
                normalized_shape=(4,),
                eps=0.1,
            )
            for weight in ((r(4),), ())
        ),
    ]


ELSEWHERE = {
    "CudnnAttentionBackward0": "ScaledDotProductFlashAttentionForCpuBackward0",
    "EfficientAttentionBackward0": "ScaledDotProductFlashAttentionForCpuBackward0",
    "FlashAttentionBackward0": "ScaledDotProductFlashAttentionForCpuBackward0",
    "ScaledDotProductCudnnAttentionBackward0": "ScaledDotProductFlashAttentionForCpuBackward0",
    "ScaledDotProductEfficientAttentionBackward0": "ScaledDotProductFlashAttentionForCpuBackward0",
    "ScaledDotProductFlashAttentionBackward0": "ScaledDotProductFlashAttentionForCpuBackward0",
    "ScaledDotProductFusedAttentionOverrideableBackward0": "ScaledDotProductFlashAttentionForCpuBackward0",
    "CudnnBatchNormBackward0": "NativeBatchNormBackward0",
    "MiopenBatchNormBackward0": "NativeBatchNormBackward0",
    "CudnnRnnBackward0": "MkldnnRnnLayerBackward0",
    "MiopenRnnBackward0": "MkldnnRnnLayerBackward0",
    "LstmMpsBackward0": "MkldnnRnnLayerBackward0",
}
"""Nodes that exist on accelerators only, and the node here that has the same definition."""


WORDS_ELSEWHERE = ("ThnnFusedGruCellBackward0", "ThnnFusedLstmCellBackward0")
"""Nodes that exist on accelerators only and are told in words."""


def _operators() -> list[Any]:
    if "expecttest" not in sys.modules:  # torch's list wants it for its own tests only
        stand_in = types.ModuleType("expecttest")
        stand_in.TestCase = unittest.TestCase  # type: ignore[attr-defined]
        stand_in.assert_expected_inline = None  # type: ignore[attr-defined]
        sys.modules["expecttest"] = stand_in
    from torch.testing._internal.common_methods_invocations import op_db

    return [op for op in op_db if op.supports_autograd]


def _fresh(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.detach().clone().requires_grad_(value.requires_grad)
    if isinstance(value, (list, tuple)) and not hasattr(value, "_fields"):
        return type(value)(map(_fresh, value))
    return value


def _torchs_own() -> Iterator[Callable[[], Any]]:
    """Torch's sample inputs of every operator, real and complex."""
    for op, dtype in itertools.product(_operators(), (torch.float64, torch.complex128)):
        if dtype not in op.dtypes:
            continue
        try:
            # Not `sample_inputs`, which looks through the whole stack at every sample.
            drawn = list(
                itertools.islice(op.sample_inputs_func(op, "cpu", dtype, requires_grad=True), SAMPLES)
            )
        except (RuntimeError, NotImplementedError, ImportError, unittest.SkipTest):
            continue
        for sample in drawn:
            yield lambda op=op, sample=sample: op(
                _fresh(sample.input),
                *map(_fresh, sample.args),
                **{key: _fresh(value) for key, value in sample.kwargs.items()},
            )


def _heard(program: Callable[[], Any], wanted: Callable[[Any], bool] = lambda _: True) -> list[LiveNode]:
    listener = Listener()
    with listener:
        outcome = program()
    return list(nodes_of(outcome if isinstance(outcome, (tuple, list)) else [outcome], listener, wanted))


@cache
def live_nodes() -> dict[str, list[LiveNode]]:
    """Every node of every sample, by its class: torch's own samples, then ours."""
    kinds: dict[str, list[LiveNode]] = {}
    counts: Counter[tuple[str, Any]] = Counter()

    def wanted(fn: Any) -> bool:
        key = fn.name(), fn._input_metadata[0].dtype
        counts[key] += 1
        return counts[key] <= MOST

    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        nodes = [node for program in PROGRAMS for node in _heard(program)] + _of_other_devices()
        for program in _torchs_own():
            try:
                nodes += _heard(program, wanted)
            except (RuntimeError, NotImplementedError, TypeError, ValueError):
                continue  # it does not run here
    for node in nodes:
        kinds.setdefault(node.kind, []).append(node)
    return kinds
