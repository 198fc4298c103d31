"""The programs that are measured: a transformer of GPT-2's size, long chains, and the thermometer."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

__all__ = [
    "GPT",
    "Block",
    "Size",
    "chain",
    "gpt_loss",
    "make_gpt",
    "thermometer_loss",
    "train_by_hand",
    "train_network",
    "walked",
]

SEED = 0


class Size:
    """How large a :class:`GPT` is; the defaults are GPT-2 small's."""

    def __init__(
        self, layers: int = 12, width: int = 768, heads: int = 12, vocabulary: int = 50_257, tokens: int = 64
    ) -> None:
        self.layers = layers
        self.width = width
        self.heads = heads
        self.vocabulary = vocabulary
        self.tokens = tokens


class Block(nn.Module):
    """One transformer block with its attention written out by hand."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        width = size.width
        self.heads = size.heads
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))
        self.c_proj = nn.Linear(width, width)
        self.c_fc, self.mlp_proj = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.dropout = nn.Dropout(0.1)
        self.mask: Tensor
        self.register_buffer("mask", torch.ones(size.tokens, size.tokens).tril().bool())

    def attention(self, x: Tensor) -> Tensor:
        """Causal attention from matmul and softmax."""
        batch, tokens, width = x.shape
        parts = (self.query(x), self.key(x), self.value(x))
        q, k, v = (
            part.view(batch, tokens, self.heads, width // self.heads).transpose(1, 2) for part in parts
        )
        scores = q @ k.transpose(-2, -1) / math.sqrt(width // self.heads)
        scores = scores.masked_fill(~self.mask, float("-inf"))
        mixed = self.dropout(scores.softmax(dim=-1)) @ v
        result: Tensor = self.c_proj(mixed.transpose(1, 2).reshape(batch, tokens, width))
        return result

    def forward(self, x: Tensor) -> Tensor:
        """Attention, then the two-layer network with GPT-2's own GELU, each added to its input."""
        x = x + self.dropout(self.attention(self.ln_1(x)))
        h = self.c_fc(self.ln_2(x))
        h = 0.5 * h * (1.0 + torch.tanh(math.sqrt(2.0 / math.pi) * (h + 0.044715 * torch.pow(h, 3.0))))
        result: Tensor = x + self.dropout(self.mlp_proj(h))
        return result


class GPT(nn.Module):
    """A decoder like GPT-2 small; the output layer shares its weight with the embedding."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.wte = nn.Embedding(size.vocabulary, size.width)
        self.wpe = nn.Embedding(size.tokens, size.width)
        self.dropout = nn.Dropout(0.1)
        self.h = nn.ModuleList(Block(size) for _ in range(size.layers))
        self.ln_f = nn.LayerNorm(size.width)
        self.head = nn.Linear(size.width, size.vocabulary, bias=False)
        self.head.weight = self.wte.weight

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits for each token."""
        x = self.dropout(self.wte(tokens) + self.wpe(torch.arange(tokens.shape[1])))
        for block in self.h:
            x = block(x)
        logits: Tensor = self.head(self.ln_f(x))
        return logits


def make_gpt(size: Size | None = None) -> tuple[GPT, Tensor]:
    """A model with fixed weights and one batch of tokens, one token longer than what it reads."""
    size = size or Size()
    torch.manual_seed(SEED)
    model = GPT(size)
    return model, torch.randint(0, size.vocabulary, (1, size.tokens + 1))


def gpt_loss(model: GPT, tokens: Tensor) -> Tensor:
    """The loss for predicting the next token."""
    logits = model(tokens[:, :-1])
    return nn.functional.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())


def chain(length: int) -> Tensor:
    """A result with ``length`` additions behind it, one after the other, and one leaf."""
    x = torch.ones((), requires_grad=True)
    result: Tensor = x
    for _ in range(length):
        result = result + 1.0
    return result


def walked(result: Tensor) -> int:
    """The number of nodes behind ``result``, walked with a stack and a set, and nothing else.

    The nodes are let go root first: in any other order Python would free a long chain by recursion, and die.
    """
    seen: set[object] = set()
    order: list[object] = []
    stack: list[Any] = [result.grad_fn]
    del result
    while stack:
        fn = stack.pop()
        if fn not in seen:
            seen.add(fn)
            order.append(fn)
            stack.extend(child for child, _ in fn.next_functions if child is not None)
    count = len(seen)
    del seen, fn
    order.reverse()
    while order:
        order.pop()
    return count


def thermometer_loss() -> tuple[Tensor, dict[str, Tensor]]:
    """The mean squared error of a line through eleven readings, and its two parameters."""
    t_c = torch.tensor([0.5, 14.0, 15.0, 28.0, 11.0, 8.0, 3.0, -4.0, 6.0, 13.0, 21.0])
    t_u = torch.tensor([35.7, 55.9, 58.2, 81.9, 56.3, 48.9, 33.9, 21.8, 48.4, 60.4, 68.4])
    w, b = torch.ones((), requires_grad=True), torch.zeros((), requires_grad=True)
    t_p = w * t_u + b
    return ((t_p - t_c) ** 2).mean(), {"w": w, "b": b}


def train_network(steps: int) -> Tensor:
    """Train 784-128-10 with SGD in batches of 64: ten of them, again and again. The last loss, a scalar."""
    torch.manual_seed(SEED)
    images, digits = torch.randn(10, 64, 784), torch.randint(0, 10, (10, 64))
    model = nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    loss = torch.zeros(())
    for step in range(steps):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(images[step % 10]), digits[step % 10])
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return loss.detach()


def train_by_hand(epochs: int) -> None:
    """Fit a line to the thermometer's readings in the loop of the lesson about training."""
    from autograd_tour.lessons.thermometer import t_c, t_un
    from autograd_tour.lessons.training_study import training_loop

    training_loop(epochs, 1e-2, torch.tensor([1.0, 0.0], requires_grad=True), t_un, t_c)
