"""Random programs of the operations that a page works out anew, in float64, from one number each."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["OPERATIONS", "DifferentiableProgram"]


def _flat(a: Tensor) -> Tensor:
    return a.reshape(-1)


def _matrix(a: Tensor) -> Tensor:
    return a.reshape(a.shape[0] if a.dim() > 1 else 1, -1)


def _index(a: Tensor, n: int) -> Tensor:
    return torch.tensor([n % a.numel(), 0, a.numel() - 1, n % a.numel()])


def _labels(a: Tensor, n: int) -> tuple[Tensor, Tensor]:
    rows = _matrix(a)
    return rows, torch.tensor([(row + n) % rows.shape[1] for row in range(rows.shape[0])])


def _norm(a: Tensor, b: Tensor, n: int) -> Tensor:
    return a / (torch.linalg.vector_norm(a) + 1)


OPERATIONS: dict[str, Callable[[Tensor, Tensor, int], Tensor]] = {
    "add": lambda a, b, n: a + _flat(b)[0],
    "alpha": lambda a, b, n: torch.add(a, _flat(b)[0], alpha=n + 0.5),
    "sub": lambda a, b, n: a - _flat(b).mean(),
    "number": lambda a, b, n: (n + 0.5) - a,
    "plus": lambda a, b, n: a + n,
    "mul": lambda a, b, n: a * _flat(b)[-1],
    "scale": lambda a, b, n: a * (n - 1.5),
    "outer": lambda a, b, n: _flat(a)[:4].unsqueeze(1) * _flat(b)[:3],
    "divide": lambda a, b, n: a / (_flat(b).abs().sum() + 1),
    "by number": lambda a, b, n: a / (n + 2),
    "reciprocal": lambda a, b, n: 3 / (a.abs() + 1),
    "square": lambda a, b, n: a**2,
    "cube": lambda a, b, n: a**3,
    "root": lambda a, b, n: (a.abs() + 0.1) ** 0.5,
    "power": lambda a, b, n: (a.abs() + 0.5) ** (_flat(b)[0].tanh()),
    "sqrt": lambda a, b, n: (a * a + 1).sqrt(),
    "rsqrt": lambda a, b, n: (a * a + 1).rsqrt(),
    "neg": lambda a, b, n: -a,
    "abs": lambda a, b, n: a.abs(),
    "exp": lambda a, b, n: torch.exp(-a.abs()),
    "log": lambda a, b, n: torch.log(a.abs() + 1.5),
    "log1p": lambda a, b, n: torch.log1p(a * a),
    "sin": lambda a, b, n: torch.sin(a),
    "cos": lambda a, b, n: torch.cos(a) + torch.atan(a),
    "erf": lambda a, b, n: torch.erf(a),
    "tanh": lambda a, b, n: torch.tanh(a),
    "sigmoid": lambda a, b, n: torch.sigmoid(a),
    "relu": lambda a, b, n: torch.relu(a),
    "leaky": lambda a, b, n: F.leaky_relu(a, 0.1),
    "elu": lambda a, b, n: F.elu(a),
    "silu": lambda a, b, n: F.silu(a),
    "gelu": lambda a, b, n: F.gelu(a, approximate="tanh" if n % 2 else "none"),
    "softplus": lambda a, b, n: F.softplus(a),
    "hardtanh": lambda a, b, n: F.hardtanh(a),
    "clamp": lambda a, b, n: a.clamp(-0.7, 0.7 + n),
    "minimum": lambda a, b, n: torch.minimum(a, _flat(b)[0]),
    "maximum": lambda a, b, n: torch.maximum(a, _flat(b)[0] - 0.3),
    "sum": lambda a, b, n: a.sum(),
    "sum dim": lambda a, b, n: a.sum(n % a.dim(), keepdim=n > 2) if a.dim() else a + 0,
    "mean": lambda a, b, n: a.mean(),
    "mean dim": lambda a, b, n: a.mean(-1, keepdim=n > 2) if a.dim() else a * 1,
    "amax": lambda a, b, n: a.amax(n % a.dim()) if a.dim() else a.max(),
    "var": lambda a, b, n: a.var() if a.numel() > 1 else a * 2,
    "norm": _norm,
    "softmax": lambda a, b, n: a.softmax(-1) if a.dim() else a.exp(),
    "log_softmax": lambda a, b, n: a.log_softmax(0) if a.dim() else a.sin(),
    "logsumexp": lambda a, b, n: a.logsumexp(-1) if a.dim() else a,
    "cumsum": lambda a, b, n: _flat(a).cumsum(0),
    "matmul": lambda a, b, n: _matrix(a) @ _matrix(a).t(),
    "vector": lambda a, b, n: _matrix(a) @ _matrix(a)[0],
    "linear": lambda a, b, n: F.linear(_matrix(a), _matrix(a)[:1] * 0.5, _flat(b)[:1]),
    "batched": lambda a, b, n: (torch.stack([_matrix(a)] * 2) @ _matrix(a).t()).mean(0),
    "transpose": lambda a, b, n: _matrix(a).transpose(0, 1),
    "permute": lambda a, b, n: a.permute(tuple(range(a.dim() - 1, -1, -1))) * 1.5,
    "flatten": lambda a, b, n: _flat(a),
    "expand": lambda a, b, n: _flat(a).unsqueeze(0).expand(2, -1),
    "repeat": lambda a, b, n: _flat(a).repeat(2),
    "select": lambda a, b, n: a[n % a.shape[0]] if a.dim() else a,
    "slice": lambda a, b, n: _flat(a)[:: 1 + n % 2],
    "index": lambda a, b, n: _flat(a)[_index(a, n)],
    "index rows": lambda a, b, n: _matrix(a)[:, torch.tensor([0, _matrix(a).shape[1] - 1])],
    "gather": lambda a, b, n: _flat(a).gather(0, _index(a, n)),
    "embedding": lambda a, b, n: F.embedding(torch.tensor([0, n % _matrix(a).shape[0], 0]), _matrix(a)),
    "cat": lambda a, b, n: torch.cat([_flat(a), _flat(b)]),
    "stack": lambda a, b, n: torch.stack([a, a * 2]),
    "split": lambda a, b, n: _flat(a).chunk(2)[-1] * 2,
    "unbind": lambda a, b, n: _matrix(a).unbind(1)[-1],
    "tril": lambda a, b, n: _matrix(a).tril(n - 1),
    "flip": lambda a, b, n: _flat(a).flip(0),
    "mse": lambda a, b, n: F.mse_loss(a, torch.full_like(a, 0.25), reduction=("mean", "sum")[n % 2]),
    "huber": lambda a, b, n: F.huber_loss(a, torch.full_like(a, 0.25)),
    "smooth": lambda a, b, n: F.smooth_l1_loss(a, torch.full_like(a, -0.5), beta=0.5),
    "bce": lambda a, b, n: F.binary_cross_entropy(a.sigmoid(), torch.full_like(a, 0.75)),
    "bce logits": lambda a, b, n: F.binary_cross_entropy_with_logits(a, torch.full_like(a, 0.25)),
    "cross entropy": lambda a, b, n: F.cross_entropy(*_labels(a, n)),
    "nll": lambda a, b, n: F.nll_loss(_labels(a, n)[0].log_softmax(1), _labels(a, n)[1], reduction="sum"),
}
SHAPES: Sequence[tuple[int, ...]] = ((), (3,), (2, 3), (4, 1), (2, 2, 2), (1,), (5,))
LARGEST = 60


class DifferentiableProgram:
    """A few leaves, some operations on what is there, then a loss of one element: the same for one ``seed``.

    ``used`` are the leaves of the last call; ``before`` those of the program that this one was moved from.
    """

    def __init__(self, seed: int) -> None:
        draw = random.Random(seed)
        generator = torch.Generator().manual_seed(seed)
        shapes = [draw.choice(SHAPES) for _ in range(draw.randint(1, 3))]
        self.leaves = [torch.randn(shape, dtype=torch.float64, generator=generator) for shape in shapes]
        names = sorted(OPERATIONS)
        self.steps = [
            (draw.choice(names), draw.randrange(7), draw.randrange(7), draw.randrange(5))
            for _ in range(draw.randint(2, 9))
        ]

    def moved(self, seed: int) -> DifferentiableProgram:
        """The same program with other numbers in its leaves."""
        other = object.__new__(DifferentiableProgram)
        generator = torch.Generator().manual_seed(seed)
        other.steps, other.before = self.steps, self.leaves
        other.leaves = [
            leaf + torch.randn(leaf.shape, dtype=torch.float64, generator=generator) / 2
            for leaf in self.leaves
        ]
        return other

    def __call__(self) -> Tensor:
        """The loss: every result has a part in it, and is bounded."""
        self.used = pool = [leaf.clone().requires_grad_() for leaf in self.leaves]
        pool = list(pool)
        for name, first, second, n in self.steps:
            result = OPERATIONS[name](pool[-1 - first % len(pool)], pool[second % len(pool)], n)
            if 0 < result.numel() <= LARGEST:
                pool.append(result)
        total = torch.tanh(pool[-1]).sum() + 2.0
        for item in pool[:-1]:
            total = total + torch.tanh(item / 4).sum()
        return total
