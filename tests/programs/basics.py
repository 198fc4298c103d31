"""Small programs, one per case: each is a function without arguments that returns a loss."""

from __future__ import annotations

import torch
from torch import Tensor

x_data = torch.tensor([[0.5, -1.0, 2.0], [1.5, 0.25, -0.75]])
y_data = torch.tensor([1.0, -2.0])


def square_by_product() -> Tensor:
    """The same tensor twice: two edges into one accumulator."""
    w = torch.tensor(3.0, requires_grad=True)
    return w * w + w


def scaled() -> Tensor:
    """A Python number stands where a tensor could: a stub without an edge."""
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    return (w * 3.0).sum()


def unused_outputs() -> Tensor:
    """unbind and split make outputs that nobody uses."""
    params = torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], requires_grad=True)
    first, _, third, *_ = params
    left, _, _ = params.split([2, 3, 1])
    return first * third + left.sum()


def broadcast() -> Tensor:
    """A bias for every row: backward sums over the rows."""
    weight = torch.tensor([[1.0, -1.0], [0.5, 2.0], [0.0, 1.0]], requires_grad=True)
    bias = torch.tensor([0.5, -0.5], requires_grad=True)
    out = x_data @ weight + bias
    scale = torch.tensor(2.0, requires_grad=True)
    return (out * scale).pow(2).mean()


def unused_leaf() -> Tensor:
    """One leaf is multiplied by an output that the loss does not use."""
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    v = torch.tensor([3.0, 4.0], requires_grad=True)
    unused = v * 2  # noqa: F841
    return (w * 2).sum()


def detached() -> Tensor:
    """A value without its history: the graph is cut."""
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    target = (w * 3).detach()
    return ((w - target) ** 2).sum()


def cut_by_no_grad() -> Tensor:
    """The same under no_grad."""
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    with torch.no_grad():
        scale = w.norm() + 1
    return (w / scale).sum()


def inference_constant() -> Tensor:
    """A tensor made under inference_mode has no version counter."""
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    with torch.inference_mode():
        factor = torch.tensor([2.0, 3.0]) * 2
    return (w + factor).sum()


def in_place() -> Tensor:
    """In place on a result: the tensor changes its node and its version."""
    w = torch.tensor([1.0, -2.0, 3.0], requires_grad=True)
    h = w * 2
    h.add_(1.0)
    h *= 3
    h.relu_()
    return h.sum()


def in_place_on_a_view() -> Tensor:
    """In place on a view: CopySlices stands in the graph of the base."""
    w = torch.tensor([1.0, 2.0, 3.0, 4.0], requires_grad=True)
    base = w * 2
    row = base[1:3]
    row.mul_(10.0)
    return (base * base).sum()


def assigned_by_index() -> Tensor:
    """A buffer filled piece by piece."""
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    out = torch.zeros(4)
    out[1] = w[0] * 3
    out[2:] = w
    return (out * torch.arange(4.0)).sum()


def views() -> Tensor:
    """Views of views, transposed and expanded."""
    w = torch.arange(6.0).requires_grad_()
    m = w.view(2, 3).t()
    wide = m[:, :1].expand(3, 4)
    return (wide.reshape(-1) * 2).sum() + m.select(0, 1).sum()


def indexing() -> Tensor:
    """Rows by number, by mask, by gather."""
    table = torch.arange(12.0).reshape(4, 3).requires_grad_()
    rows = table[torch.tensor([0, 2, 0])]
    picked = table.gather(1, torch.tensor([[0], [1], [2], [0]]))
    masked = table[table > 5]
    return rows.sum() + picked.prod() + masked.mean()


def lists() -> Tensor:
    """A list argument takes several slots; a constant among them has a stub."""
    a = torch.tensor([1.0, 2.0], requires_grad=True)
    b = torch.tensor([3.0], requires_grad=True)
    fixed = torch.tensor([5.0, 6.0])
    whole = torch.cat([a, fixed, b, a])
    stacked = torch.stack([whole, whole * 2])
    return stacked.sum()


def several_outputs() -> Tensor:
    """Nodes with more than one output."""
    m = torch.tensor([[2.0, 1.0], [1.0, 3.0]], requires_grad=True)
    values, indices = m.max(dim=1)
    vectors = torch.linalg.eigh(m)
    low, high = torch.aminmax(m)
    return values.sum() + vectors.eigenvalues.prod() + high - low + indices.sum()


def several_losses() -> tuple[Tensor, Tensor]:
    """Two scalars: backward starts from both."""
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    first = (w * w).sum()
    second = first * 2 + w.sum()
    return first, second


def half() -> Tensor:
    """float16 and bfloat16, mixed with float32."""
    w = torch.tensor([1.1, 2.2, 3.3], requires_grad=True)
    low = w.to(torch.bfloat16) * torch.tensor([1.5, 2.5, 3.5], dtype=torch.bfloat16)
    tiny = w.half() * 3
    return (low.float() + tiny).sum()


def complex_numbers() -> Tensor:
    """Complex inside, real at the end."""
    z = torch.tensor([1 + 2j, -0.5j], requires_grad=True)
    spectrum = torch.fft.fft(z * (1 - 1j))
    return spectrum.abs().sum() + (z.conj() * z).real.sum()


def nothing_in_it() -> Tensor:
    """Tensors without elements."""
    w = torch.zeros(0, 3, requires_grad=True)
    v = torch.ones(2, 3, requires_grad=True)
    return torch.cat([w * 2, v * 3]).sum() + w.sum()


def sparse_gradient() -> Tensor:
    """An embedding whose gradient is sparse."""
    table = torch.arange(8.0).reshape(4, 2).requires_grad_()
    rows = torch.nn.functional.embedding(torch.tensor([1, 3, 1]), table, sparse=True)
    return (rows * rows).sum()


def sparse_matrix() -> Tensor:
    """A sparse constant."""
    w = torch.tensor([[1.0], [2.0]], requires_grad=True)
    matrix = torch.tensor([[0.0, 2.0], [3.0, 0.0]]).to_sparse()
    return torch.sparse.mm(matrix, w).sum()


def nested() -> Tensor:
    """Tensors of different lengths in one nested tensor."""
    a = torch.tensor([1.0, 2.0], requires_grad=True)
    b = torch.tensor([3.0], requires_grad=True)
    both = torch.nested.as_nested_tensor([a, b], layout=torch.strided)
    return torch.nested.to_padded_tensor(both * 2, 0.0).sum()


def not_finite() -> Tensor:
    """NaN and infinity on the way."""
    w = torch.tensor([0.0, 1.0, -1.0], requires_grad=True)
    return (w / w).sum() + torch.log(w).sum()


def fan_out() -> Tensor:
    """One result used three times: its gradient is a sum of three."""
    w = torch.tensor([0.1, 0.2, 0.3], requires_grad=True)
    h = torch.sin(w)
    return (h * 0.1).sum() + (h * 0.7).sum() + (h * h).sum()


def same_names() -> Tensor:
    """Two tensors that share a variable's name, one after the other."""

    def half_of(w: Tensor) -> Tensor:
        out = w / 2
        return out  # noqa: RET504 - the name is the case

    a = torch.tensor(1.0, requires_grad=True)
    b = torch.tensor(2.0, requires_grad=True)
    total = torch.tensor(0.0)
    for w in (a, b):
        total = total + half_of(w)
    return total


PROGRAMS = [
    square_by_product, scaled, unused_outputs, broadcast, unused_leaf, detached, cut_by_no_grad,
    inference_constant, in_place, in_place_on_a_view, assigned_by_index, views, indexing, lists,
    several_outputs, several_losses, half, complex_numbers, nothing_in_it, not_finite, fan_out, same_names,
]  # fmt: skip
"""Those whose record can be held against torch to the last bit."""
