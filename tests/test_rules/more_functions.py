"""Functions of the vocabulary for linear algebra, transforms, sampling and special functions."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["MORE"]

Shape = tuple[int, ...]


def _cofactors(x: Tensor) -> Tensor:
    """Signed determinants of what is left without a row and a column."""
    size = x.shape[-1]
    out = torch.empty_like(x)
    for row, column in itertools.product(range(size), repeat=2):
        rows, columns = ([i for i in range(size) if i != left] for left in (row, column))
        minor = x[..., rows, :][..., columns]
        out[..., row, column] = (-1) ** (row + column) * torch.linalg.det(minor)
    return out


def _solve(a: Tensor, b: Tensor, *, left: bool, vector: bool = False) -> Tensor:
    inverse = torch.linalg.inv(a)
    if vector:
        return (inverse @ b.unsqueeze(-1)).squeeze(-1)
    return inverse @ b if left else b @ inverse


def _solve_triangular(a: Tensor, b: Tensor, *, left: bool, upper: bool, unit: bool) -> Tensor:
    a = a.triu() if upper else a.tril()
    if unit:
        a = a - torch.diag_embed(a.diagonal(dim1=-2, dim2=-1)) + torch.eye(a.shape[-1], dtype=a.dtype)
    return _solve(a, b, left=left)


def _mirrored(x: Tensor) -> Tensor:
    return x.tril() + x.tril(-1).mH


def _inverse_gaps(values: Tensor) -> Tensor:
    gaps = values.unsqueeze(-2) - values.unsqueeze(-1)
    return torch.where(gaps == 0, torch.zeros_like(gaps), 1 / gaps)


def _exp_block(a: Tensor, g: Tensor) -> Tensor:
    size = a.shape[-1]
    whole = torch.cat([torch.cat([a, g], -1), torch.cat([torch.zeros_like(a), a], -1)], -2)
    return torch.linalg.matrix_exp(whole)[..., :size, size:]


def _block(g: Tensor, *, rows: Shape, columns: Shape, inside: str, shape: Shape) -> Tensor:
    return g[slice(*rows), slice(*columns)].reshape(shape)


def _zeros_behind(g: Tensor, *, dim: int, size: int) -> Tensor:
    shape = list(g.shape)
    shape[dim] = size - shape[dim]
    return torch.cat([g, g.new_zeros(shape)], dim)


def _inner_doubled(g: Tensor, *, dim: int, count: int) -> Tensor:
    weights = g.real.new_ones(g.shape[dim])
    weights[1 : 1 + count] = 2
    return (g.movedim(dim, -1) * weights).movedim(-1, dim)


# ---- pictures -------------------------------------------------------------------------------


def _padding_added(g: Tensor, *, shape: Shape, padding: Shape, mode: str) -> Tensor:
    spatial = shape[-(len(padding) // 2) :]
    numbers = torch.arange(math.prod(spatial), dtype=torch.float64).reshape(1, 1, *spatial)
    copied_from = F.pad(numbers, padding, mode).long().reshape(-1)
    flat = g.reshape(-1, copied_from.numel())
    out = flat.new_zeros(flat.shape[0], math.prod(spatial))
    return out.index_add(1, copied_from, flat).reshape(shape)


def _weights(mode: str, size: int, out: int, scale: float | None, corners: bool) -> Tensor:
    """What each output (row) takes of each input (column) along one dimension."""
    matrix = torch.zeros(out, size, dtype=torch.float64)
    for row in range(out):
        step = 1 / scale if scale else size / out
        if mode in ("nearest", "nearest-exact"):
            start = row + 0.5 if mode == "nearest-exact" else row
            matrix[row, min(math.floor(start * step), size - 1)] = 1
            continue
        at_corner = row * (size - 1) / (out - 1) if out > 1 else 0.0
        place = at_corner if corners else (row + 0.5) * step - 0.5
        if mode != "bicubic":
            place = max(place, 0.0)
        low = math.floor(place)
        part = place - low
        if mode == "bicubic":
            for offset in (-1, 0, 1, 2):
                column = min(max(low + offset, 0), size - 1)
                matrix[row, column] += _cubic(abs(part - offset))
        else:
            matrix[row, min(low, size - 1)] += 1 - part
            matrix[row, min(low + 1, size - 1)] += part
    return matrix


def _cubic(distance: float, a: float = -0.75) -> float:
    if distance <= 1:
        return (a + 2) * distance**3 - (a + 3) * distance**2 + 1
    return a * (distance**3 - 5 * distance**2 + 8 * distance - 4) if distance < 2 else 0.0


def _upsample_back(
    g: Tensor, *, shape: Shape, mode: str, corners: bool, where: str, **scales: float | None
) -> Tensor:
    for place, size in enumerate(shape[2:]):
        dim = place + 2
        matrix = _weights(mode, size, g.shape[dim], scales[f"scale{place}"], corners)
        g = torch.tensordot(g, matrix, dims=([dim], [0])).movedim(-1, dim)
    return g


def _patches_of(
    shape: Shape, window: Shape, stride: Shape, padding: Shape, dilation: Shape
) -> Iterator[tuple[int, int, int, int]]:
    """(place in the patch, number of the patch, row, column) of each element that lies inside."""
    counts = [
        (n + 2 * p - d * (w - 1) - 1) // s + 1
        for n, p, d, w, s in zip(shape[-2:], padding, dilation, window, stride, strict=True)
    ]
    for k, (i, j) in enumerate(itertools.product(*map(range, window))):
        for number, (y, x) in enumerate(itertools.product(*map(range, counts))):
            row = y * stride[0] + i * dilation[0] - padding[0]
            column = x * stride[1] + j * dilation[1] - padding[1]
            if 0 <= row < shape[-2] and 0 <= column < shape[-1]:
                yield k, number, row, column


def _patches_added(g: Tensor, *, shape: Shape, **walk: Shape) -> Tensor:
    out = g.new_zeros(shape)
    parts = g.reshape(*shape[:-2], math.prod(walk["window"]), g.shape[-1])
    for k, number, row, column in _patches_of(shape, **walk):
        out[..., row, column] += parts[..., k, number]
    return out


def _patches(g: Tensor, *, shape: Shape, **walk: Shape) -> Tensor:
    size = math.prod(walk["window"])
    out = g.new_zeros((*g.shape[:-2], size, shape[-1]))
    for k, number, row, column in _patches_of(tuple(g.shape), **walk):
        out[..., k, number] = g[..., row, column]
    return out.reshape(shape)


def _channel_shuffle(g: Tensor, *, groups: int) -> Tensor:
    return g.reshape(g.shape[0], groups, -1, *g.shape[2:]).transpose(1, 2).reshape(g.shape)


def _windows_taken(g: Tensor, index: Tensor, *, shape: Shape, flat: int) -> Tensor:
    lead = shape[: len(shape) - flat]
    return g.reshape(*lead, -1).gather(-1, index.reshape(*lead, -1)).reshape(shape)


def _zeroed(g: Tensor, part: Callable[[Tensor], Tensor]) -> Tensor:
    out = g.clone()
    part(out).zero_()
    return out


def _zero_slice(g: Tensor, *, dim: int, inside: str, **which: Any) -> Tensor:
    index = which["index"] if "index" in which else slice(which["start"], which["end"], which["step"])
    out = g.clone()
    out[(*[slice(None)] * dim, index)] = 0
    return out


# ---- running products, pairs, places ---------------------------------------------------------


def _rows_taken(g: Tensor, index: Tensor, *, shape: Shape, padding_idx: int | None) -> Tensor:
    rows = g[index.reshape(-1)].clone()
    rows[index.reshape(-1) == (-1 if padding_idx is None else padding_idx)] = 0
    return rows.reshape(shape)


def _later_products(g: Tensor, x: Tensor, *, dim: int) -> Tensor:
    if not x.dim():
        return g
    g, x = g.movedim(dim, -1), x.movedim(dim, -1)
    out = torch.zeros_like(x)
    for own in range(x.shape[-1]):
        for last in range(own, x.shape[-1]):
            others = [x[..., k] for k in range(last + 1) if k != own]
            out[..., own] += g[..., last] * math.prod(others, start=torch.ones_like(g[..., last]))
    return out.movedim(-1, dim)


def _pairs_pulled(g: Tensor, x: Tensor, other: Tensor, distance: Tensor, *, turned: bool) -> Tensor:
    if turned:
        g, distance = g.mT, distance.mT
    pull = torch.where(distance == 0, torch.zeros_like(g), g / distance)
    moved = (pull.unsqueeze(-1) * (x.unsqueeze(-2) - other.unsqueeze(-3))).sum(-2)
    return moved.sum_to_size(x.shape)


def _pairs_signed(g: Tensor, x: Tensor, other: Tensor, *, turned: bool) -> Tensor:
    g = g.mT if turned else g
    moved = (g.unsqueeze(-1) * torch.sign(x.unsqueeze(-2) - other.unsqueeze(-3))).sum(-2)
    return moved.sum_to_size(x.shape)


def _taken_at_mask(g: Tensor, mask: Tensor, *, shape: Shape) -> Tensor:
    taken = g[mask.expand(g.shape)]
    out = g.new_zeros(math.prod(shape))
    count = min(taken.numel(), out.numel())
    out[:count] = taken[:count]
    return out.reshape(shape)


def _summed_at(g: Tensor, index: Tensor, *, dim: int) -> Tensor:
    return g.reshape(g.shape or (1,)).index_select(dim, index.reshape(-1).unique()).sum()


def _number(x: Any) -> Tensor:
    return x if isinstance(x, Tensor) else torch.tensor(x, dtype=torch.float64)


MORE: dict[str, Callable[..., Any]] = {
    "polygamma": lambda order, x: torch.polygamma(int(order), x),
    "bessel_i0": torch.special.i0,
    "bessel_i0e": torch.special.i0e,
    "bessel_i1": torch.special.i1,
    "bessel_i1e": torch.special.i1e,
    "is_nan": lambda x: torch.isnan(_number(x)),
    "finite": lambda x: torch.isfinite(_number(x)),
    "imag": lambda x: torch.imag(x) if x.is_complex() else torch.zeros_like(x),
    "imaginary_unit": lambda: 1j,
    "half": lambda x, *, dim, which: x.chunk(2, dim)[which - 1],
    "joined": lambda a, b, *, dim: torch.cat([a, b], dim),
    "as_complex": lambda g: torch.complex(g[..., 0], g[..., 1]),
    "as_real": lambda g: torch.stack([g.real, g.imag], -1),
    "cofactors": _cofactors,
    "solve": _solve,
    "solve_triangular": _solve_triangular,
    "mirrored": _mirrored,
    "skew": lambda x: (x - x.mH) / 2,
    "inverse_gaps": _inverse_gaps,
    "as_diagonal": torch.diag_embed,
    "exp_block": _exp_block,
    "cross": lambda a, b, *, dim: torch.linalg.cross(*torch.broadcast_tensors(a, b), dim=dim),
    "block": _block,
    "fft": lambda g, *, dims: torch.fft.fftn(g, dim=dims),
    "ifft": lambda g, *, dims: torch.fft.ifftn(g, dim=dims),
    "rfft": lambda g, *, dims: torch.fft.rfftn(g, dim=dims),
    "zeros_behind": _zeros_behind,
    "inner_doubled": _inner_doubled,
    "padding_added": _padding_added,
    "upsample_back": _upsample_back,
    "patches_added": _patches_added,
    "patches": _patches,
    "pixel_shuffle": lambda g, *, factor: F.pixel_shuffle(g, factor),
    "pixel_unshuffle": lambda g, *, factor: F.pixel_unshuffle(g, factor),
    "channel_shuffle": _channel_shuffle,
    "windows_taken": _windows_taken,
    "rot90": lambda g, *, turns, dims: torch.rot90(g, turns, dims),
    "zero_diagonal": lambda g, *, offset, dims: _zeroed(g, lambda out: out.diagonal(offset, *dims)),
    "zero_slice": _zero_slice,
    "windows": lambda g, *, dim, size, step: g.unfold(dim, size, step),
    "rows_taken": _rows_taken,
    "later_products": _later_products,
    "pairs_pulled": _pairs_pulled,
    "pairs_signed": _pairs_signed,
    "taken_at_mask": _taken_at_mask,
    "summed_at": _summed_at,
}
"""What each of these functions computes."""
