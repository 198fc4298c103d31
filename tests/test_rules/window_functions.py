"""Functions of the vocabulary that move elements: slices, windows, indices and convolutions."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

__all__ = ["WINDOWS"]

Shape = tuple[int, ...]


def _at(dim: int, what: Any) -> tuple[Any, ...]:
    return (*[slice(None)] * dim, what)


def _element_gradient(g: Tensor, *, dim: int, index: int, shape: Shape, inside: str = "") -> Tensor:
    out = g.new_zeros(shape)
    out[_at(dim, index)] = g
    return out


def _slice_gradient(
    g: Tensor, *, dim: int, start: int, end: int | None, step: int, shape: Shape, inside: str = ""
) -> Tensor:
    out = g.new_zeros(shape)
    out[_at(dim, slice(start, end, step))] = g
    return out


def _slice(g: Tensor, *, dim: int, inside: str, **which: Any) -> Tensor:
    if "index" in which:
        return g[_at(dim, which["index"])]
    return g[_at(dim, slice(which["start"], which["end"], which.get("step")))]


def _crop(g: Tensor, *, pad: Shape, where: str = "") -> Tensor:
    for number in range(len(pad) // 2):
        dim = g.dim() - 1 - number
        before, after = pad[2 * number : 2 * number + 2]
        size = g.shape[dim] - before - after
        whole = g.new_zeros([*g.shape[:dim], size, *g.shape[dim + 1 :]])
        low, high = max(0, -before), size - max(0, -after)
        whole[_at(dim, slice(low, high))] = g[_at(dim, slice(low + before, high + before))]
        g = whole
    return g


def _copies_summed(g: Tensor, *, shape: Shape, repeats: Shape) -> Tensor:
    sizes = (1,) * (len(repeats) - len(shape)) + shape
    split = [number for pair in zip(repeats, sizes, strict=True) for number in pair]
    return g.reshape(split).sum(tuple(range(0, 2 * len(sizes), 2))).reshape(shape) if split else g


def _windows_added(g: Tensor, *, shape: Shape, dim: int, size: int, step: int) -> Tensor:
    out = g.new_zeros(shape)
    if not shape:
        return out + g.reshape(())
    for number in range(g.shape[dim]):
        window = g.select(dim, number).movedim(-1, dim)
        out[_at(dim, slice(number * step, number * step + size))] += window
    return out


def _diagonal_gradient(g: Tensor, *, shape: Shape, offset: int, dims: Shape) -> Tensor:
    out = g.new_zeros(shape)
    out.diagonal(offset, *dims).copy_(g)
    return out


def _from_end(g: Tensor, *, dim: int) -> Tensor:
    return g.flip(dim).cumsum(dim).flip(dim) if g.dim() else g


# ---- places that an index gives --------------------------------------------------------------


def _target(out: Tensor, index: Any, dim: int | None, kind: str) -> Tensor:
    """The flat position in ``out`` of every element that the index names."""
    flat = torch.arange(out.numel()).reshape(out.shape)
    if kind == "lists":
        return flat[tuple(slice(None) if item is None else item for item in index)]
    if kind == "flat":
        return flat.reshape(-1)[index]
    if kind == "rows":
        return flat.reshape(flat.shape or (1,)).index_select(dim or 0, index.reshape(-1))
    return flat.gather(dim, index) if flat.dim() else flat.reshape(1)[index]


def _added_at(g: Tensor, index: Any, *, shape: Shape, dim: int | None, kind: str, where: str = "") -> Tensor:
    out = g.new_zeros(shape)
    target = _target(out, index, dim, kind)
    for place, value in zip(target.reshape(-1).tolist(), g.expand(target.shape).reshape(-1), strict=True):
        out.view(-1)[place] += value
    return out


def _zero_at(g: Tensor, index: Any, *, dim: int | None, kind: str, shape: Shape, where: str = "") -> Tensor:
    out = g.clone().contiguous()
    out.view(-1)[_target(out, index, dim, kind).reshape(-1)] = 0
    return out


def _taken_at(g: Tensor, index: Any, *, dim: int | None, kind: str, shape: Shape, where: str = "") -> Tensor:
    target = _target(g, index, dim, kind)
    taken = g.reshape(-1)[target]
    if taken.shape == torch.Size(shape):
        return taken
    if kind == "gather":  # a source larger than its index: the rest was never read
        out = g.new_zeros(shape)
        out[tuple(slice(0, size) for size in taken.shape)] = taken
        return out
    return taken.sum_to_size(shape) if taken.dim() >= len(shape) else taken.reshape(shape)


def _rows_added(
    g: Tensor, index: Tensor, *, shape: Shape, padding_idx: int | None, scale: bool, where: str
) -> Tensor:
    out = g.new_zeros(shape)
    rows = index.reshape(-1).tolist()
    for row, value in zip(rows, g.reshape(-1, shape[-1]), strict=True):
        if row != padding_idx:
            out[row] += value / (rows.count(row) if scale else 1)
    return out


def _placed_at(g: Tensor, index: Tensor, *, shape: Shape, dim: int, dims: Shape, where: str = "") -> Tensor:
    out = g.new_zeros(shape)
    if not shape:
        return out + g.reshape(())
    for number in dims:
        g, index = g.unsqueeze(number), index.unsqueeze(number)
    return out.scatter_add(dim, index, g)


def _placed_at_mask(g: Tensor, mask: Tensor, *, shape: Shape) -> Tensor:
    whole = torch.broadcast_shapes(mask.shape, shape)
    out = g.new_zeros(whole)
    out[mask.expand(whole)] = g
    return out.sum_to_size(shape)


def _shared_by_equals(
    g: Tensor, x: Tensor, y: Tensor, *, shape: Shape, dims: Shape, reduced: Shape, where: str = ""
) -> Tensor:
    for dim in reduced:
        g, y = g.unsqueeze(dim), y.unsqueeze(dim)
    equal = torch.where(y.isnan(), x.isnan(), x == y)
    count = equal.sum(dims, keepdim=True) if dims else equal.to(torch.int64)
    return g * equal / count


# ---- losses by target ------------------------------------------------------------------------


def _by_class(shape: Shape) -> Iterator[tuple[int, ...]]:
    """The position of each target: all dimensions but that of the classes."""
    classes = 1 if len(shape) > 1 else 0
    return itertools.product(*(range(size) for dim, size in enumerate(shape) if dim != classes))


def _position(place: tuple[int, ...], target: int) -> tuple[int, ...]:
    return (*place[:1], target, *place[1:])


def _placed_at_target(
    g: Tensor, target: Tensor, weight: Any, *, shape: Shape, ignored: int | None, where: str = ""
) -> Tensor:
    out = g.new_zeros(shape)
    for place in _by_class(shape):
        label = int(target[place]) if target.dim() else int(target)
        if label == ignored:
            continue
        factor = weight[label] if isinstance(weight, Tensor) and weight.dim() else weight
        out[_position(place, label)] = (g[place] if g.dim() else g) * factor
    return out


def _at_target(x: Tensor, target: Tensor, *, ignored: int | None) -> Tensor:
    picked = x.new_zeros(target.shape)
    for place in _by_class(tuple(x.shape)):
        label = int(target[place]) if target.dim() else int(target)
        if label != ignored:
            picked[place] = x[_position(place, label)]
    return picked


def _product_of_others(x: Tensor, *, dims: Shape | None = None, along: Shape = ()) -> Tensor:
    """All elements if no ``dims`` are given; of those, torch takes one."""
    if dims is not None and len(dims) < x.dim():
        (dim,) = dims
        rows = x.movedim(dim, -1)
        others = [rows[..., [k for k in range(rows.shape[-1]) if k != i]] for i in range(rows.shape[-1])]
        return torch.stack([row.prod(-1) for row in others], -1).movedim(-1, dim) if others else x
    flat = x.reshape(-1)
    others = [torch.cat([flat[:i], flat[i + 1 :]]) for i in range(flat.numel())]
    return torch.stack([row.prod() for row in others]).reshape(x.shape) if others else x


# ---- pooling ---------------------------------------------------------------------------------


def _windows_placed(g: Tensor, index: Tensor, *, shape: Shape, flat: int, where: str = "") -> Tensor:
    lead = shape[: len(shape) - flat]
    out = g.new_zeros((*lead, math.prod(shape[len(lead) :])))
    return out.scatter_add(-1, index.reshape(*lead, -1), g.reshape(*lead, -1)).reshape(shape)


def _per_dim(value: Any, rank: int) -> Shape:
    return tuple(value) * rank if len(value) == 1 else tuple(value)


def _spread(
    g: Tensor,
    *,
    shape: Shape,
    window: Shape,
    stride: Shape,
    padding: Shape | None,
    told: str,
    divisor: int | None = None,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:
    rank = max(len(window), 2) if len(window) > 1 else len(shape) - 2 if len(shape) > 3 else len(shape) - 1
    window, stride = _per_dim(window, rank), _per_dim(stride, rank)
    padding = _per_dim(padding or (0,), rank)
    out, sizes = g.new_zeros(shape), shape[-rank:]
    for place in itertools.product(*map(range, g.shape[-rank:])):
        low = [p * s - pad for p, s, pad in zip(place, stride, padding, strict=True)]
        high = [min(a + w, n + pad) for a, w, n, pad in zip(low, window, sizes, padding, strict=True)]
        padded = math.prod(b - a for a, b in zip(low, high, strict=True))
        inside = [slice(max(a, 0), min(b, n)) for a, b, n in zip(low, high, sizes, strict=True)]
        real = math.prod(part.stop - part.start for part in inside)
        share = divisor or (padded if count_include_pad else real)
        out[(..., *inside)] += (g[(..., *place)] / share)[(..., *[None] * rank)]
    return out


def _spread_unevenly(g: Tensor, *, shape: Shape, rank: int) -> Tensor:
    out, sizes, cuts = g.new_zeros(shape), shape[-rank:], g.shape[-rank:]
    for place in itertools.product(*map(range, cuts)):
        inside = [
            slice(p * n // cut, -(-(p + 1) * n // cut)) for p, n, cut in zip(place, sizes, cuts, strict=True)
        ]
        share = math.prod(part.stop - part.start for part in inside)
        out[(..., *inside)] += (g[(..., *place)] / share)[(..., *[None] * rank)]
    return out


# ---- convolutions, one kernel position at a time ------------------------------------------------


def _views(x: Tensor, kernel: Shape, out: Shape, stride: Shape, dilation: Shape) -> Iterator[Any]:
    """The elements of a padded input that meet each element of the kernel."""
    for place in itertools.product(*map(range, kernel)):
        index = [
            slice(k * d, k * d + s * (n - 1) + 1, s)
            for k, d, s, n in zip(place, dilation, stride, out, strict=True)
        ]
        yield place, (..., *index)


def _padded(x: Tensor, padding: Shape) -> Tensor:
    sizes = [n + 2 * pad for n, pad in zip(x.shape[2:], padding, strict=True)]
    whole = x.new_zeros((*x.shape[:2], *sizes))
    whole[(..., *(slice(p, p + n) for p, n in zip(padding, x.shape[2:], strict=True)))] = x
    return whole


def _options(rank: int, options: dict[str, Any]) -> tuple[Shape, Shape, Shape, int]:
    stride, padding, dilation = (_per_dim(options[key], rank) for key in ("stride", "padding", "dilation"))
    return stride, padding, dilation, options["groups"]


def _correlation(x: Tensor, weight: Tensor, out: Shape, **options: Any) -> Tensor:
    rank = len(out)
    stride, padding, dilation, groups = _options(rank, options)
    x = _padded(x, padding)
    total = x.new_zeros((x.shape[0], weight.shape[0], *out))
    for place, index in _views(x, tuple(weight.shape[2:]), out, stride, dilation):
        seen = x[index].reshape(x.shape[0], groups, -1, *out)
        kernel = weight[(..., *place)].reshape(groups, -1, weight.shape[1])
        total += torch.einsum("ngi...,goi->ngo...", seen, kernel).reshape(total.shape)
    return total


def _spread_back(g: Tensor, weight: Tensor, inside: Shape, **options: Any) -> Tensor:
    """What a correlation with ``weight`` sends back to its input, of size ``inside`` in space."""
    rank = len(inside)
    stride, padding, dilation, groups = _options(rank, options)
    total = _padded(g.new_zeros((g.shape[0], weight.shape[1] * groups, *inside)), padding)
    for place, index in _views(total, tuple(weight.shape[2:]), tuple(g.shape[2:]), stride, dilation):
        seen = g.reshape(g.shape[0], groups, -1, *g.shape[2:])
        kernel = weight[(..., *place)].reshape(groups, -1, weight.shape[1])
        part = torch.einsum("ngo...,goi->ngi...", seen, kernel)
        total[index] += part.reshape(total[index].shape)
    return total[(..., *(slice(p, p + n) for p, n in zip(padding, inside, strict=True)))]


def _kernel_of(small: Tensor, large: Tensor, shape: Shape, **options: Any) -> Tensor:
    """The kernel's own gradient: ``small`` is what a correlation gives, ``large`` what it reads."""
    rank = small.dim() - 2
    stride, padding, dilation, groups = _options(rank, options)
    large = _padded(large, padding)
    out = small.new_zeros(shape)
    for place, index in _views(large, shape[2:], tuple(small.shape[2:]), stride, dilation):
        seen = large[index].reshape(large.shape[0], groups, -1, *small.shape[2:])
        sent = small.reshape(small.shape[0], groups, -1, *small.shape[2:])
        both = torch.einsum("ngi...,ngo...->goi", seen, sent)
        out[(..., *place)] = both.reshape(shape[:2])
    return out


def _conv_input(g: Tensor, weight: Tensor, *, transposed: bool, shape: Shape, **options: Any) -> Tensor:
    if transposed:
        return _correlation(g, weight, shape[2:], **options)
    return _spread_back(g, weight, shape[2:], **options)


def _conv_weight(g: Tensor, x: Tensor, *, transposed: bool, shape: Shape, **options: Any) -> Tensor:
    return _kernel_of(x, g, shape, **options) if transposed else _kernel_of(g, x, shape, **options)


def _conv(x: Tensor, weight: Tensor, *, transposed: bool, shape: Shape, **options: Any) -> Tensor:
    if transposed:
        return _spread_back(x, weight, shape[2:], **options)
    return _correlation(x, weight, shape[2:], **options)


WINDOWS: dict[str, Callable[..., Any]] = {
    "element_gradient": _element_gradient,
    "slice_gradient": _slice_gradient,
    "slice": _slice,
    "stack_all": lambda gradients, *, dim: torch.stack(gradients, dim),
    "cat_all": lambda gradients, *, dim: torch.cat(gradients, dim),
    "flip": lambda g, *, dims: g.flip(dims),
    "roll": lambda g, *, shifts, dims: g.roll(shifts, dims),
    "crop": _crop,
    "copies_summed": _copies_summed,
    "windows_added": _windows_added,
    "diagonal": lambda x, *, offset=0, dims=(-2, -1): x.diagonal(offset, *dims),
    "diagonal_gradient": _diagonal_gradient,
    "trace_gradient": lambda g, *, shape: g * torch.eye(*shape, dtype=g.dtype),
    "upper": lambda g, *, diagonal: g.triu(diagonal),
    "lower": lambda g, *, diagonal: g.tril(diagonal),
    "cumulative_from_end": _from_end,
    "added_at": _added_at,
    "zero_at": _zero_at,
    "taken_at": _taken_at,
    "rows_added": _rows_added,
    "placed_at": _placed_at,
    "placed_at_mask": _placed_at_mask,
    "placed_at_target": _placed_at_target,
    "at_target": _at_target,
    "shared_by_equals": _shared_by_equals,
    "product_of_others": _product_of_others,
    "windows_placed": _windows_placed,
    "spread": _spread,
    "spread_unevenly": _spread_unevenly,
    "conv": _conv,
    "conv_input": lambda g, weight, *, told="", output_padding=(), **options: _conv_input(
        g, weight, **options
    ),
    "conv_weight": lambda g, x, *, output_padding=(), **options: _conv_weight(g, x, **options),
}
"""What each function computes that looks at places."""
