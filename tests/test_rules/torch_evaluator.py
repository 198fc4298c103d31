"""A rule in numbers: every function of the vocabulary once more, written with tensors and without autograd."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from live_nodes import LiveNode
from more_functions import MORE
from torch import Tensor
from window_functions import WINDOWS

from autograd_tour.record.rule import Apply, Constant, Expression, Symbol

__all__ = ["FUNCTIONS", "Evaluator"]


class Evaluator:
    """Expressions about one live node, in numbers."""

    def __init__(self, node: LiveNode) -> None:
        self._node = node
        self._names: list[tuple[str, Any]] = []

    def value(self, item: Expression) -> Any:
        """What ``item`` comes to: a tensor or a number."""
        if isinstance(item, Constant):
            return float(item.value)
        if isinstance(item, Symbol):
            return self._symbol(item)
        assert isinstance(item, Apply)
        if item.function == "let":
            self._names.append((item.option("name"), self.value(item.arguments[0])))
            try:
                return self.value(item.arguments[1])
            finally:
                self._names.pop()
        arguments = [self.value(argument) for argument in item.arguments]
        options = dict(item.options)
        if told := options.pop("along", ()):
            assert told == options["dims"]
        if item.function in ("normalised", "deviation") and options["eps"] is None:
            options["kept"] = self._node.saved["result2"]
        return FUNCTIONS[item.function](*arguments, **options)

    def _symbol(self, item: Symbol) -> Any:
        node = self._node
        match item.role:
            case "gradient":
                return node.gradients if item.slot == -1 else node.gradients[item.slot]
            case "input":
                return node.inputs[item.slot]
            case "result":
                return node.results[item.slot]
        for name, value in reversed(self._names):
            if name == item.name:
                return value
        return node.saved[item.name]


def tensor(value: Any) -> Tensor:
    if isinstance(value, Tensor):
        return value
    return torch.tensor(value, dtype=torch.complex128 if isinstance(value, complex) else torch.float64)


def _on_elements(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    return lambda *arguments: function(*map(tensor, arguments))


def _relation(function: Callable[[Tensor, Tensor], Tensor]) -> Callable[..., Tensor]:
    return lambda a, b: function(tensor(a), tensor(b))


def _where(condition: Tensor, a: Any, b: Any) -> Tensor:
    return torch.where(tensor(condition).bool(), tensor(a), tensor(b))


def _tanh_gelu(x: Tensor) -> Tensor:
    k, c = math.sqrt(2 / math.pi), 0.044715
    t = torch.tanh(k * (x + c * x**3))
    return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * k * (1 + 3 * c * x * x)


def _sign(x: Tensor) -> Tensor:
    return torch.sgn(x) if x.is_complex() else torch.sign(x)


def _ties_half(behind: Tensor, equal: Tensor) -> Tensor:
    return 1.0 - behind.double() - 0.5 * equal.double()


def _expand(x: Any, *, shape: tuple[int, ...], dims: tuple[int, ...] = ()) -> Tensor:
    x = tensor(x)
    for dim in sorted(dims):
        x = x.unsqueeze(dim)
    return x.expand(shape)


def _sum(x: Tensor, *, dims: tuple[int, ...] | None = None, keepdim: bool = False) -> Tensor:
    if dims is None:
        return x.sum()
    return x.sum(dims, keepdim=keepdim) if dims else x


def _mean(x: Any, *, dims: tuple[int, ...] | None = None, groups: int = 0) -> Tensor:
    x = tensor(x)
    if dims is None:
        return x.mean()
    if not groups:
        return x.mean(dims, keepdim=True) if dims else x
    batch, channels, *rest = x.shape
    grouped = x.reshape(batch, groups, -1).mean(2, keepdim=True).repeat_interleave(channels // groups, 1)
    return grouped.reshape(batch, channels, *[1] * len(rest))


def _deviation(
    x: Tensor, *, eps: float | None, centred: bool, kept: Tensor | None = None, **rows: Any
) -> Tensor:
    """√(variance + ε). Where the node does not say its ε, it follows from 1/std, which it keeps."""
    centre = _mean(x, **rows) if centred else torch.zeros((), dtype=x.dtype)
    variance = _mean((x - centre) ** 2, **rows)
    if kept is not None:
        eps = float(1 / kept.reshape(-1)[0] ** 2 - variance.reshape(-1)[0])
    assert eps is not None
    return torch.sqrt(variance + eps)


def _normalised(x: Tensor, *, centred: bool, groups: int = 0, dims: Any = None, **spread: Any) -> Tensor:
    rows = {"groups": groups, "dims": dims}
    centre = _mean(x, **rows) if centred else 0
    return (x - centre) / _deviation(x, centred=centred, **spread, **rows)


def _sum_but(x: Tensor, *, shape: tuple[int, ...], kept: tuple[int, ...]) -> Tensor:
    summed = [dim for dim in range(x.dim()) if dim not in kept]
    return (x.sum(summed) if summed else x).reshape(shape)


def _beside(x: Tensor, *, dims: tuple[int, ...], rank: int) -> Tensor:
    shape = [1] * rank
    for dim, size in zip(dims, x.shape, strict=True):
        shape[dim] = size
    return x.reshape(shape)


def _attention(
    query: Tensor, key: Tensor, mask: Tensor | None = None, *, scale: float, causal: bool, added: bool = False
) -> Tensor:
    scores = scale * torch.einsum("...ik,...jk->...ij", query, key)
    if causal:
        scores = scores.masked_fill(~torch.ones(scores.shape[-2:], dtype=torch.bool).tril(), -math.inf)
    if mask is not None:  # what the node kept is added, also of truth values: 0 and -inf
        scores = scores + mask
    weights = torch.exp(scores - scores.amax(-1, keepdim=True))
    return weights / weights.sum(-1, keepdim=True)


def _softmax(x: Tensor, *, dims: tuple[int, ...]) -> Tensor:
    if x.dim() == 0:
        return torch.exp(x - x)  # NaN of an infinite one
    powers = torch.exp(x - x.real.amax(dims, keepdim=True))
    return powers / powers.sum(dims, keepdim=True)


def _logsumexp(x: Tensor, *, dims: tuple[int, ...], keepdim: bool = False) -> Tensor:
    return torch.log(torch.exp(x).sum(dims, keepdim=keepdim)) if x.dim() else x


def _over_norm(x: Tensor, norm: Tensor) -> Tensor:
    return torch.where(norm == 0, torch.zeros_like(x), x / norm)


def _beside_nan(
    form: Any, x: Tensor, *, dims: tuple[int, ...] | None, sent: str, whole: bool, told: str
) -> Tensor:
    assert told
    if dims is None or not x.dim():
        return tensor(form)
    beside = x.isnan().sum(dims, keepdim=True) > 0
    if whole:
        beside &= (x == 0).sum(dims, keepdim=True) == 0
    return torch.where(beside, float(sent), form)


def _swapped(x: Any) -> Tensor:
    x = tensor(x)
    return x.swapdims(-1, -2) if x.dim() > 1 else x


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b if isinstance(b, Tensor) else tensor(a) / b,
    "neg": lambda a: -a,
    "pow": lambda a, b: tensor(a) ** b,
    "exp": _on_elements(torch.exp),
    "ln": _on_elements(torch.log),
    "sqrt": _on_elements(torch.sqrt),
    "sin": _on_elements(torch.sin),
    "cos": _on_elements(torch.cos),
    "tan": _on_elements(torch.tan),
    "sinh": _on_elements(torch.sinh),
    "cosh": _on_elements(torch.cosh),
    "tanh": _on_elements(torch.tanh),
    "sigmoid": _on_elements(lambda x: 1 / (1 + torch.exp(-x))),
    "normal_cdf": _on_elements(lambda x: 0.5 * torch.erfc(-x / math.sqrt(2))),
    "normal_density": _on_elements(lambda x: torch.exp(-x * x / 2) / math.sqrt(2 * math.pi)),
    "gelu_tanh_derivative": _on_elements(_tanh_gelu),
    "sign": _on_elements(_sign),
    "abs": _on_elements(torch.abs),
    "clamp": lambda x, low, high: torch.minimum(torch.maximum(tensor(x), tensor(low)), tensor(high)),
    "digamma": _on_elements(torch.digamma),
    "floor": _on_elements(torch.floor),
    "truncated": _on_elements(torch.trunc),
    "conj": _on_elements(torch.conj),
    "real": _on_elements(lambda x: torch.real(x) if x.is_complex() else x),
    "less": _relation(torch.lt),
    "less_equal": _relation(torch.le),
    "greater": _relation(torch.gt),
    "greater_equal": _relation(torch.ge),
    "equal": _relation(torch.eq),
    "both": lambda a, b: a & b,
    "either": lambda a, b: a | b,
    "not": lambda a: ~tensor(a).bool(),
    "where": _where,
    "greater_ties_half": lambda a, b: _ties_half(tensor(a) < tensor(b), tensor(a) == tensor(b)),
    "less_ties_half": lambda a, b: _ties_half(tensor(a) > tensor(b), tensor(a) == tensor(b)),
    # products
    "matmul": torch.matmul,
    "einsum": lambda g, x, *, equation: torch.einsum(equation, g, x),
    "outer": lambda a, b: a.unsqueeze(-1) * b,
    "transpose": _swapped,
    "inverse": torch.linalg.inv,
    # rows
    "sum": _sum,
    "mean": _mean,
    "softmax": _softmax,
    "logsumexp": _logsumexp,
    "let": lambda value, body: body,
    "normalised": _normalised,
    "deviation": _deviation,
    "sum_but": _sum_but,
    "beside": _beside,
    **dict.fromkeys(("attention", "masked_attention"), _attention),
    "over_norm": _over_norm,
    "beside_nan": _beside_nan,
    "heads_repeated": lambda x, *, count: x.repeat_interleave(count, -3),
    "heads_summed": lambda x, *, count: x.unflatten(-3, (-1, count)).sum(-3),
    # shapes
    "sum_to": lambda x, *, shape, count=None: tensor(x).sum_to_size(shape),
    "expand": _expand,
    "reshape": lambda x, *, shape: x.reshape(shape),
    "permute": lambda x, *, dims: x.permute(dims),
    "swap_dims": lambda x, *, dims: x.swapdims(*dims),
    "cast": lambda x, *, dtype: x.to(getattr(torch, dtype)),
    **WINDOWS,
    **MORE,
}
"""What each function of the vocabulary computes."""
