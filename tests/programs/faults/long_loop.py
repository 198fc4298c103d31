"""A training as people write it: a model of blocks, micro-batches, clipping, a schedule, evaluation. Nothing is wrong.

Each ``#: name`` marks a line that a fault of :mod:`long_faults` puts something else in place of.
"""

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

EPOCHS, STEPS, SIZE, MICRO = 2, 3, 4, 2
WIDTH, CLASSES, DEPTH = 8, 2, 2


def batches(generator, count):
    for _ in range(count):
        features = torch.randn(SIZE, 6, generator=generator)
        labels = (features.sum(1) > 0).long()
        #: data
        yield features, labels


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.inner = nn.Linear(width, 2 * width)
        self.outer = nn.Linear(2 * width, width)
        self.dropout = nn.Dropout(0.1)
        self.calls = 0

    def forward(self, x):
        self.calls += 1
        h = self.inner(self.norm(x))
        h = F.gelu(h)  #: activation
        h = self.outer(h)
        h = self.dropout(h)  #: dropout
        return x + h


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Linear(6, WIDTH)
        self.blocks = nn.ModuleList(Block(WIDTH) for _ in range(DEPTH))
        self.norm = nn.LayerNorm(WIDTH)
        self.head = nn.Linear(WIDTH, CLASSES)
        #: layers

    def forward(self, x):
        h = torch.tanh(self.embed(x))  #: embed
        for block in self.blocks:
            h = checkpoint(block, h, use_reentrant=False)  #: block
        h = self.norm(h)  #: features
        return self.head(h)  #: logits


def evaluate(model, generator):
    model.eval()  #: eval
    right = total = 0
    with torch.no_grad():  #: no_grad
        for features, labels in batches(generator, 2):
            logits = model(features)  #: evaluate
            right += (logits.argmax(1) == labels).sum().item()
            total += len(labels)
    model.train()  #: train
    return right / total


def train():
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    model = Classifier()
    #: model
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)  #: optimizer
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 / (1 + 0.1 * step))
    history, running = [], 0.0
    #: start
    for _epoch in range(EPOCHS):
        for features, labels in batches(generator, STEPS):
            optimizer.zero_grad()  #: zero
            parts = zip(features.split(MICRO), labels.split(MICRO), strict=True)  #: parts
            for part, kinds in parts:
                logits = model(part)  #: forward
                loss = F.cross_entropy(logits, kinds) * len(part) / SIZE  #: loss
                loss.backward()  #: backward
                running += loss.item()  #: log
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)  #: clip
            optimizer.step()  #: step
            schedule.step()
        history.append(evaluate(model, generator))
    return [*history, running]
