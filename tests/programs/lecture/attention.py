"""Attention: one head written out, and torch's layer of several."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


def attention_by_hand() -> Tensor:
    torch.manual_seed(0)
    x = torch.randn(5, 8)
    W_q = torch.randn(8, 4, requires_grad=True)
    W_k = torch.randn(8, 4, requires_grad=True)
    W_v = torch.randn(8, 4, requires_grad=True)
    q, k, v = x @ W_q, x @ W_k, x @ W_v
    scores = q @ k.T / math.sqrt(4)
    scores = scores.masked_fill(torch.triu(torch.ones(5, 5), 1).bool(), float("-inf"))
    weights = torch.softmax(scores, dim=-1)
    out = weights @ v
    return out.pow(2).mean()


def multihead() -> Tensor:
    torch.manual_seed(0)
    attention = nn.MultiheadAttention(embed_dim=8, num_heads=2, batch_first=True)
    norm, x = nn.LayerNorm(8), torch.randn(1, 5, 8)
    out, _ = attention(x, x, x, need_weights=False)
    return norm(x + out).pow(2).mean()
