"""Operators with a graph of their own kind: composites, lists, several outputs, chains of views."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def self_attention() -> Tensor:
    layer, x = nn.MultiheadAttention(8, 2, batch_first=True), torch.randn(2, 5, 8)
    out, weights = layer(x, x, x)
    return out.pow(2).sum() + weights.pow(2).sum()


def gru() -> Tensor:
    out, hidden = nn.GRU(3, 4, bidirectional=True)(torch.randn(5, 2, 3))
    return out.sum() + hidden.pow(2).sum()


def embedding_bag() -> Tensor:
    return nn.EmbeddingBag(10, 4)(torch.tensor([[1, 2], [3, 4]])).pow(2).sum()


def large_fan_out() -> Tensor:
    """Over a thousand elements, transposed and summed: nothing may be taken for read that is not."""
    w = torch.randn(30, 40, requires_grad=True)
    h = torch.sin(w)
    return (h * 0.3).sum() + (h @ h.t()).pow(2).mean() + (h.t() * 2).sum() + h.sum()


def einsum() -> Tensor:
    a, b = torch.randn(3, 4, requires_grad=True), torch.randn(4, 5, requires_grad=True)
    return torch.einsum("ij,jk->ik", a, b).pow(2).sum()


def foreach() -> Tensor:
    a, b = torch.randn(3, requires_grad=True), torch.randn(2, requires_grad=True)
    doubled = torch._foreach_mul([a, b], 2.0)
    first, second = torch._foreach_add(doubled, [a, b])
    return first.sum() + second.pow(2).sum()


def weight_norm() -> Tensor:
    layer = nn.utils.parametrizations.weight_norm(nn.Linear(3, 2))
    return layer(torch.randn(4, 3)).pow(2).sum()


def spectral_norm() -> Tensor:
    """Its buffers change at every forward."""
    layer = nn.utils.parametrizations.spectral_norm(nn.Linear(3, 2))
    return layer(torch.randn(4, 3)).pow(2).sum()


def views_changed_in_place() -> Tensor:
    x = torch.randn(4, requires_grad=True)
    y = x.clone()
    y[y > 0] = 0
    y[1:3].mul_(2)
    z = y.view(2, 2)
    z.add_(1)
    return (y * z.reshape(-1)).sum()


def buffer_filled_through_views() -> Tensor:
    board, w = torch.zeros(4, 4), torch.randn(4, requires_grad=True)
    board[0] = w
    board[:, 1] += w
    board.t()[2].copy_(w * 2)
    return (board * board).sum()


def gradient_changed_after_accumulation() -> Tensor:
    """``.grad`` is not what the accumulator received."""
    w = torch.tensor([1.0, 2.0], requires_grad=True)

    def triple(leaf: Tensor) -> None:
        assert leaf.grad is not None
        leaf.grad.mul_(3)

    w.register_post_accumulate_grad_hook(triple)
    return (w * 2).sum()


def ctc() -> Tensor:
    scores = torch.randn(5, 2, 4, requires_grad=True)
    targets, lengths = torch.tensor([[1, 2], [2, 3]]), torch.tensor([5, 5])
    return F.ctc_loss(scores.log_softmax(2), targets, lengths, torch.tensor([2, 2]))


def decompositions() -> Tensor:
    m = torch.randn(3, 3, requires_grad=True)
    return torch.linalg.svd(m)[1].sum() + torch.linalg.det(m) + torch.linalg.inv(m).sum()


def upsampled() -> Tensor:
    net = nn.Sequential(
        nn.ConvTranspose2d(2, 3, 3, stride=2),
        nn.InstanceNorm2d(3, affine=True),
        nn.PReLU(),
        nn.Upsample(scale_factor=2),
    )
    return net(torch.randn(1, 2, 4, 4)).pow(2).sum()


def random_activations() -> Tensor:
    x = torch.randn(300, requires_grad=True)
    return F.dropout(F.rrelu(x, training=True), 0.4).sum()


def jagged() -> Tensor:
    """A nested tensor whose extents are symbols."""
    a, b = torch.randn(2, 3, requires_grad=True), torch.randn(4, 3, requires_grad=True)
    both = torch.nested.as_nested_tensor([a, b], layout=torch.jagged)
    return (both * 2).values().sum()


def scattered() -> Tensor:
    x, places = torch.randn(3, requires_grad=True), torch.tensor([0, 2])
    total = x.index_select(0, places).sum() + x.scatter(0, places, torch.ones(2)).sum()
    return total + torch.zeros(3).index_add(0, places, x[:2]).sum()


def overlapping_views() -> Tensor:
    x = torch.randn(4, requires_grad=True)
    windows = x.unfold(0, 2, 1)
    return (windows * windows).sum() + x.as_strided((2, 2), (1, 1)).sum()


def outputs_of_several_kinds() -> Tensor:
    """Some outputs are indices and counts, which have no gradient."""
    x = torch.randn(6, requires_grad=True)
    top, _ = torch.topk(x, 3)
    middle, _ = x.view(2, 3).median(1)
    return top.sum() + middle.prod() + torch.frexp(x)[0].sum()


def a_node_for_each_result() -> Tensor:
    """One call, several results, each of a node of its own."""
    x, y = torch.randn(4, 4, requires_grad=True), torch.randn(1, 4, requires_grad=True)
    left, right = torch.hsplit(x, 2)
    wide, tall = torch.broadcast_tensors(x, y)
    along, across = torch.gradient(x)
    return (left * 2 + right * 3).sum() + (wide * 5 - tall * 7).sum() + (along * 2 + across).sum()


def constant_results_first() -> Tensor:
    """The first result is a permutation, which has no gradient: the others are not shifted."""
    m = torch.randn(3, 3, requires_grad=True)
    _, lower, upper = torch.linalg.lu(m)
    return (lower * 2).sum() + (upper * 3).sum()


PROGRAMS = [
    a_node_for_each_result, constant_results_first,
    self_attention, gru, embedding_bag, large_fan_out, einsum, foreach, weight_norm, spectral_norm,
    views_changed_in_place, buffer_filled_through_views, gradient_changed_after_accumulation, ctc,
    decompositions, upsampled, random_activations, jagged, scattered, overlapping_views, outputs_of_several_kinds,
]  # fmt: skip
