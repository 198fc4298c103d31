"""A GAN: the loss of the generator, whose gradient comes back through the discriminator."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def networks() -> tuple[nn.Module, nn.Module]:
    torch.manual_seed(0)
    generator = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 4))
    discriminator = nn.Sequential(nn.Linear(4, 8), nn.LeakyReLU(0.2), nn.Linear(8, 1))
    return generator, discriminator


def generator_loss() -> Tensor:
    generator, discriminator = networks()
    fake = generator(torch.randn(16, 2))
    return F.binary_cross_entropy_with_logits(discriminator(fake), torch.ones(16, 1))


def discriminator_loss() -> Tensor:
    generator, discriminator = networks()
    real, fake = torch.randn(16, 4), generator(torch.randn(16, 2)).detach()
    on_real = F.binary_cross_entropy_with_logits(discriminator(real), torch.ones(16, 1))
    on_fake = F.binary_cross_entropy_with_logits(discriminator(fake), torch.zeros(16, 1))
    return on_real + on_fake
