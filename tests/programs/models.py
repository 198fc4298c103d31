"""Small models of well-known shapes, written by hand from torch.nn."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint


class Bottleneck(nn.Module):
    """Three convolutions with batch norm around a shortcut, as in ResNet-50."""

    def __init__(self, channels: int, inner: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, inner, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(inner)
        self.conv2 = nn.Conv2d(inner, inner, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(inner)
        self.conv3 = nn.Conv2d(inner, channels, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        out = F.relu(self.bn1(self.conv1(x)), inplace=True)
        out = F.relu(self.bn2(self.conv2(out)), inplace=True)
        out = self.bn3(self.conv3(out))
        out += x
        return F.relu(out)


class ResNet(nn.Module):
    """A stem, stages of bottlenecks, a pooled head."""

    def __init__(self, width: int = 8, blocks: tuple[int, ...] = (2, 1), classes: int = 5) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()
        )
        self.pool = nn.MaxPool2d(2)
        self.stages = nn.ModuleList(
            nn.Sequential(*(Bottleneck(width, width // 2) for _ in range(count))) for count in blocks
        )
        self.head = nn.Linear(width, classes)

    def forward(self, image: Tensor) -> Tensor:
        x = self.pool(self.stem(image))
        for stage in self.stages:
            x = stage(x)
        return self.head(x.mean(dim=(2, 3)))


class Attention(nn.Module):
    """Causal attention, by hand or by torch's fused function."""

    def __init__(self, width: int, heads: int, *, fused: bool) -> None:
        super().__init__()
        self.heads, self.fused = heads, fused
        self.c_attn = nn.Linear(width, 3 * width)
        self.c_proj = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        batch, length, width = x.shape
        q, k, v = self.c_attn(x).split(width, dim=2)
        q, k, v = (part.view(batch, length, self.heads, -1).transpose(1, 2) for part in (q, k, v))
        if self.fused:
            y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        else:
            scores = q @ k.transpose(-2, -1) / math.sqrt(k.shape[-1])
            mask = torch.ones(length, length).tril().bool()
            y = scores.masked_fill(~mask, float("-inf")).softmax(dim=-1) @ v
        return self.c_proj(y.transpose(1, 2).reshape(batch, length, width))


class Block(nn.Module):
    """Attention and a two-layer network, each with its norm and its shortcut."""

    def __init__(self, width: int, heads: int, *, fused: bool) -> None:
        super().__init__()
        self.ln_1 = nn.LayerNorm(width)
        self.attn = Attention(width, heads, fused=fused)
        self.ln_2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Dropout(0.1), nn.Linear(4 * width, width)
        )

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp(self.ln_2(x))


class GPT(nn.Module):
    """A decoder whose head shares the embedding's weight."""

    def __init__(
        self, *, fused: bool, layers: int = 2, width: int = 12, heads: int = 3, vocabulary: int = 17
    ) -> None:
        super().__init__()
        self.wte = nn.Embedding(vocabulary, width)
        self.wpe = nn.Embedding(16, width)
        self.h = nn.ModuleList(Block(width, heads, fused=fused) for _ in range(layers))
        self.ln_f = nn.LayerNorm(width)
        self.lm_head = nn.Linear(width, vocabulary, bias=False)
        self.lm_head.weight = self.wte.weight

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.wte(tokens) + self.wpe(torch.arange(tokens.shape[1]))
        for block in self.h:
            x = block(x)
        return self.lm_head(self.ln_f(x))


class UNet(nn.Module):
    """Down and up again, with the early maps joined to the late ones."""

    def __init__(self, width: int = 4) -> None:
        super().__init__()
        self.down1 = nn.Conv2d(1, width, 3, padding=1)
        self.down2 = nn.Conv2d(width, 2 * width, 3, padding=1)
        self.up = nn.ConvTranspose2d(2 * width, width, 2, stride=2)
        self.join = nn.Conv2d(2 * width, 1, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        first = F.relu(self.down1(x))
        second = F.relu(self.down2(F.max_pool2d(first, 2)))
        return self.join(torch.cat([first, self.up(second)], dim=1))


def resnet() -> Tensor:
    net = ResNet()
    image, label = torch.randn(2, 3, 8, 8), torch.tensor([1, 3])
    return F.cross_entropy(net(image), label)


def _language_loss(net: GPT) -> Tensor:
    tokens = torch.randint(0, 17, (2, 9))
    logits = net(tokens[:, :-1])
    return F.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())


def gpt_by_hand() -> Tensor:
    return _language_loss(GPT(fused=False))


def gpt_fused() -> Tensor:
    return _language_loss(GPT(fused=True))


def lstm() -> Tensor:
    net, head = nn.LSTM(3, 4, num_layers=2, batch_first=True), nn.Linear(4, 1)
    out, (hidden, _) = net(torch.randn(2, 5, 3))
    return head(out[:, -1]).pow(2).mean() + hidden.sum()


def unet() -> Tensor:
    net = UNet()
    image = torch.randn(1, 1, 8, 8)
    return F.mse_loss(net(image), image)


def tied() -> Tensor:
    """An autoencoder that decodes with the encoder's weight, turned around."""
    encoder = nn.Linear(6, 3)
    x = torch.randn(4, 6)
    code = torch.tanh(encoder(x))
    back = F.linear(code, encoder.weight.t())
    return F.mse_loss(back, x)


def checkpointed(use_reentrant: bool = False) -> Tensor:
    """The inner network is run again in backward."""
    net = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.BatchNorm1d(8), nn.Linear(8, 4))
    x = torch.randn(5, 4, requires_grad=True)
    return checkpoint(net, x * 2, use_reentrant=use_reentrant).pow(2).mean()


def checkpointed_reentrant() -> Tensor:
    return checkpointed(use_reentrant=True)


def mixed_precision() -> Tensor:
    net = nn.Sequential(nn.Linear(4, 8), nn.GELU(), nn.Linear(8, 2))
    x, label = torch.randn(3, 4), torch.tensor([0, 1, 1])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        return F.cross_entropy(net(x), label)


def gradient_penalty() -> Tensor:
    """A gradient inside the loss: its graph goes through the backward of another one."""
    critic = nn.Sequential(nn.Linear(3, 8), nn.Softplus(), nn.Linear(8, 1))
    x = torch.randn(5, 3, requires_grad=True)
    score = critic(x)
    (grad,) = torch.autograd.grad(score.sum(), x, create_graph=True)
    return score.mean() + 10 * ((grad.norm(dim=1) - 1) ** 2).mean()


def transforms() -> Tensor:
    """torch.func inside a program: a gradient for each sample."""
    w = torch.randn(3, requires_grad=True)
    x = torch.randn(4, 3)

    def loss_of(weight: Tensor, row: Tensor) -> Tensor:
        return torch.tanh(weight @ row) ** 2

    each = torch.func.vmap(torch.func.grad(loss_of), in_dims=(None, 0))(w, x)
    return (each * each).sum()


def transformer_layer() -> Tensor:
    layer = nn.TransformerEncoderLayer(8, 2, dim_feedforward=16, batch_first=True)
    return layer(torch.randn(2, 5, 8)).square().mean()


def convolution_stack() -> Tensor:
    net = nn.Sequential(
        nn.Conv1d(2, 4, 3), nn.GroupNorm(2, 4), nn.SiLU(), nn.AdaptiveAvgPool1d(2), nn.Flatten()
    )
    return net(torch.randn(3, 2, 9)).abs().sum()


PROGRAMS = [
    resnet, gpt_by_hand, gpt_fused, lstm, unet, tied, checkpointed, mixed_precision, gradient_penalty,
    transforms, transformer_layer, convolution_stack,
]  # fmt: skip
