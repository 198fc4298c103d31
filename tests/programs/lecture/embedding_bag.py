"""Texts as bags of words: a mean of embeddings, then a classifier."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def embedding_bag() -> Tensor:
    torch.manual_seed(0)
    bag, head = nn.EmbeddingBag(100, 8, mode="mean"), nn.Linear(8, 2)
    words, offsets = torch.tensor([1, 5, 7, 2, 9, 4, 4]), torch.tensor([0, 3, 5])
    logits = head(bag(words, offsets))
    loss = nn.functional.cross_entropy(logits, torch.tensor([0, 1, 1]))
    return loss
