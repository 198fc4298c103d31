"""Random programs: a few leaves, then random operations on what is there, then a loss."""

from __future__ import annotations

from collections.abc import Callable

import torch
from hypothesis import strategies as st
from torch import Tensor

Op = Callable[[Tensor, Tensor, int], Tensor]
Program = Callable[[], tuple[Tensor, ...]]


def _matmul(a: Tensor, b: Tensor, n: int) -> Tensor:
    return (
        a.reshape(-1, a.shape[-1] if a.dim() else 1) @ a.reshape(-1, a.shape[-1] if a.dim() else 1).t()
        + b.sum()
    )


def _in_place(a: Tensor, b: Tensor, n: int) -> Tensor:
    out = a * 1.5
    return (out.add_(n), out.mul_(0.5), out.sub_(b.mean()), out.clamp_(min=-2.0))[n % 4]


def _in_place_on_view(a: Tensor, b: Tensor, n: int) -> Tensor:
    out = a.reshape(-1) * 2
    out[: 1 + n % 3] += b.sum()
    return out


def _index(a: Tensor, b: Tensor, n: int) -> Tensor:
    flat = a.reshape(-1)
    return flat[torch.tensor([n % flat.numel(), 0, n % flat.numel()])]


def _pieces(a: Tensor, b: Tensor, n: int) -> Tensor:
    first, *rest = a.reshape(-1).chunk(2 + n % 2)
    return rest[-1] * first[0] if rest else first


def _linear(a: Tensor, b: Tensor, n: int) -> Tensor:
    rows = a.reshape(-1, a.shape[-1] if a.dim() else 1)
    return torch.nn.functional.linear(
        rows, torch.ones(n + 1, rows.shape[1], dtype=a.dtype), b.reshape(-1)[:1]
    )


def _cut(a: Tensor, b: Tensor, n: int) -> Tensor:
    with torch.no_grad():
        fixed = b * 2
    return a - a.detach() * fixed.mean()


OPERATIONS: dict[str, Op] = {
    "add": lambda a, b, n: a + b.sum() * n,
    "mul": lambda a, b, n: a * b.mean(),
    "number": lambda a, b, n: (n + 0.5) - a,
    "divide": lambda a, b, n: a / (b.abs().sum() + 1),
    "power": lambda a, b, n: a**2 if n % 2 else a.abs() ** 1.5,
    "self": lambda a, b, n: a * a + a,
    "sin": lambda a, b, n: torch.sin(a),
    "exp": lambda a, b, n: torch.exp(-a.abs()),
    "relu": lambda a, b, n: torch.relu(a),
    "tanh": lambda a, b, n: torch.tanh(a) * torch.sigmoid(a),
    "softmax": lambda a, b, n: a.reshape(-1).softmax(0),
    "norm": lambda a, b, n: torch.nn.functional.layer_norm(a, a.shape[-1:]) if a.dim() else a.abs().sqrt(),
    "sum": lambda a, b, n: a.sum(),
    "sum_dim": lambda a, b, n: a.sum(dim=n % a.dim(), keepdim=True) if a.dim() else a,
    "mean": lambda a, b, n: a.mean(),
    "max": lambda a, b, n: a.max(dim=-1).values if a.dim() else a.max(),
    "sort": lambda a, b, n: a.reshape(-1).sort().values,
    "cumsum": lambda a, b, n: a.reshape(-1).cumsum(0),
    "transpose": lambda a, b, n: a.t() if a.dim() == 2 else a.reshape(1, -1).t(),
    "flatten": lambda a, b, n: a.reshape(-1),
    "broadcast": lambda a, b, n: a.reshape(-1, 1) + torch.arange(3, dtype=a.dtype),
    "expand": lambda a, b, n: a.reshape(1, -1).expand(2, -1),
    "cat": lambda a, b, n: torch.cat(
        [a.reshape(-1), b.reshape(-1).to(a.dtype), torch.ones(2, dtype=a.dtype)]
    ),
    "stack": lambda a, b, n: torch.stack([a, a * 2], dim=0),
    "where": lambda a, b, n: torch.where(a > 0, a, b.sum().to(a.dtype)),
    "dropout": lambda a, b, n: torch.nn.functional.dropout(a, 0.3),
    "narrow": lambda a, b, n: a.reshape(-1)[:: 1 + n % 2],
    "detach": lambda a, b, n: a * b.detach().mean(),
    "float32": lambda a, b, n: a.float(),
    "float64": lambda a, b, n: a.double(),
    "bfloat16": lambda a, b, n: (a.bfloat16() * 2).to(a.dtype),
    "matmul": _matmul,
    "in place": _in_place,
    "in place on view": _in_place_on_view,
    "index": _index,
    "pieces": _pieces,
    "linear": _linear,
    "cut": _cut,
}

LARGEST = 400


class RandomProgram:
    """A recipe that makes the same graph at every call; its repr is what hypothesis shows."""

    def __init__(
        self,
        shapes: list[tuple[tuple[int, ...], torch.dtype]],
        steps: list[tuple[str, int, int, int]],
        losses: int,
    ) -> None:
        self.shapes, self.steps, self.losses = shapes, steps, losses

    def __repr__(self) -> str:
        return f"RandomProgram({self.shapes}, {self.steps}, {self.losses})"

    def __call__(self) -> tuple[Tensor, ...]:
        pool = [
            (torch.randn(shape, dtype=torch.float64) / 2).to(dtype).requires_grad_()
            for shape, dtype in self.shapes
        ]
        for name, first, second, n in self.steps:
            a, b = pool[-1 - first % len(pool)], pool[second % len(pool)]
            made = OPERATIONS[name](a, b.to(a.dtype), n)
            if 0 < made.numel() <= LARGEST:
                pool.append(made)
        # Everything is bounded, so that no run ends in NaN alone.
        losses = [torch.tanh(made).sum() for made in pool[-self.losses :]]
        return tuple(losses)


def programs(steps: int = 12) -> st.SearchStrategy[RandomProgram]:
    """Random programs of at most ``steps`` operations."""
    shape = st.sampled_from([(), (1,), (3,), (2, 3), (4, 1), (2, 2, 2), (70,), (9, 8)])
    dtype = st.sampled_from([torch.float32, torch.float32, torch.float64, torch.bfloat16, torch.float16])
    step = st.tuples(
        st.sampled_from(sorted(OPERATIONS)), st.integers(0, 6), st.integers(0, 6), st.integers(0, 4)
    )
    return st.builds(
        RandomProgram,
        st.lists(st.tuples(shape, dtype), min_size=1, max_size=3),
        st.lists(step, min_size=1, max_size=steps),
        st.integers(1, 3),
    )
