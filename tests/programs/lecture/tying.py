"""A language model of one layer: words are read and written with one matrix, which gets two gradients."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class TiedModel(nn.Module):
    def __init__(self, words: int = 20, width: int = 8) -> None:
        super().__init__()
        self.embedding = nn.Embedding(words, width)
        self.hidden = nn.Linear(width, width)
        self.head = nn.Linear(width, words, bias=False)
        self.head.weight = self.embedding.weight

    def forward(self, tokens: Tensor) -> Tensor:
        h = torch.tanh(self.hidden(self.embedding(tokens)))
        return self.head(h)


def tying() -> Tensor:
    torch.manual_seed(0)
    tokens = torch.tensor([3, 1, 4, 1, 5, 9])
    logits = TiedModel()(tokens[:-1])
    loss = F.cross_entropy(logits, tokens[1:])
    return loss
