"""What is run again or written by hand: checkpoints, custom Functions, hooks; and gradients that are 0 at a kink."""

from __future__ import annotations

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

x = torch.tensor([[1.0, 2.0], [3.0, -1.0]])


# ---- checkpoints ------------------------------------------------------------------------------------


def recomputed_with_fewer_operations():
    calls = []
    w = torch.ones(3, requires_grad=True)

    def block(value):
        calls.append(1)
        h = value * 2
        if len(calls) == 1:
            h = h.exp()  # <- computed here first
        return h.sin()  # <- the second time here

    loss = checkpoint(block, w, use_reentrant=False).sum()
    loss.backward()  # <- raised here


def recomputed_with_another_shape():
    calls = []
    w = torch.ones(4, requires_grad=True)

    def block(value):
        calls.append(1)
        h = value[len(calls) - 1 :].exp()  # <- computed here first  # <- the second time here
        return h.sum()

    loss = checkpoint(block, w, use_reentrant=False)
    loss.backward()  # <- raised here


def recomputed_with_another_operation():
    calls = []
    w = torch.ones(3, requires_grad=True)

    def block(value):
        calls.append(1)
        if len(calls) == 1:
            return torch.exp(value) * 2  # <- computed here first
        return torch.sigmoid(value) * 2  # <- the second time here

    checkpoint(block, w, use_reentrant=False).sum().backward()


def recomputed_with_other_random_numbers():
    w = torch.ones(3, requires_grad=True)

    def block(value):
        noise = torch.rand(3)  # <- computed here first  # <- the second time here
        return (value * noise).exp()

    return checkpoint(block, w, use_reentrant=False, preserve_rng_state=False).sum()


def reentrant_with_other_random_numbers():
    w = torch.ones(3, requires_grad=True)

    def block(value):
        noise = torch.rand(3)  # <- computed here first  # <- the second time here
        return (value * noise).exp()

    return checkpoint(block, w, use_reentrant=True, preserve_rng_state=False).sum()


def reentrant_with_another_operation():
    calls = []
    w = torch.ones(3, requires_grad=True)

    def block(value):
        calls.append(1)
        if len(calls) == 1:
            return torch.exp(value) * 2  # <- computed here first
        return torch.sigmoid(value) * 2  # <- the second time here

    checkpoint(block, w, use_reentrant=True).sum().backward()


def reentrant_of_a_weight_that_was_changed():
    torch.manual_seed(0)
    net = nn.Linear(2, 1)
    start = torch.ones(1, 2, requires_grad=True)
    loss = checkpoint(net, start, use_reentrant=True).sum()  # <- computed here first
    with torch.no_grad():
        net.weight.mul_(2.0)
    loss.backward()  # <- the second time here


def reentrant_with_another_shape():
    calls = []
    w = torch.ones(4, requires_grad=True)

    def block(value):
        calls.append(1)
        return value[len(calls) - 1 :].exp()  # <- computed here first  # <- the second time here

    loss = checkpoint(block, w, use_reentrant=True).sum()
    loss.backward()  # <- raised here


# ---- custom Functions ----------------------------------------------------------------------------------


class Cube(torch.autograd.Function):
    @staticmethod
    def forward(ctx, value):
        ctx.save_for_backward(value)
        return value**3

    @staticmethod
    def backward(ctx, gradient):
        (value,) = ctx.saved_tensors
        return 2 * value**2 * gradient


class Scaled(torch.autograd.Function):
    @staticmethod
    def forward(ctx, value, factor):
        ctx.factor = factor
        return value * factor

    @staticmethod
    def backward(ctx, gradient):
        return gradient, None


class RightCube(Cube):
    @staticmethod
    def backward(ctx, gradient):
        (value,) = ctx.saved_tensors
        return 3 * value**2 * gradient


class StraightThrough(torch.autograd.Function):
    @staticmethod
    def forward(ctx, value):
        return value.round()

    @staticmethod
    def backward(ctx, gradient):
        return gradient


class Reversed(torch.autograd.Function):
    @staticmethod
    def forward(ctx, value):
        return value.clone()

    @staticmethod
    def backward(ctx, gradient):
        return -0.5 * gradient


def wrong_power():
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    return Cube.apply(w).sum()  # <- used here


def forgotten_factor():
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    return Scaled.apply(w, 3.0).sum()  # <- used here


# ---- zeros ---------------------------------------------------------------------------------------------


def absolute_value_at_zero():
    w = torch.zeros(3, requires_grad=True)
    distance = w.abs()  # <- stopped here
    return (distance * torch.tensor([1.0, 2.0, 3.0])).sum()


def norm_of_zeros():
    w = torch.zeros(3, requires_grad=True)
    return w.norm() * 2  # <- stopped here


def everything_masked():
    w = torch.ones(3, requires_grad=True)
    h = (w * 2).masked_fill(torch.ones(3, dtype=torch.bool), -1.0)  # <- stopped here
    return h.sum()


def nothing_chosen():
    w = torch.ones(3, requires_grad=True)
    h = torch.where(w > 5, w * 2, 0.0)  # <- stopped here
    return h.sum()


def mask_of_zeros():
    w = torch.ones(3, requires_grad=True)
    mask = (torch.tensor([5.0, 6.0, 7.0]) < 3).float()
    h = w.exp() * mask  # <- stopped here
    return h.sum()


# ---- memory and values -------------------------------------------------------------------------------


def memory_of_another_tensor():
    w, scale = torch.ones(3, requires_grad=True), torch.ones(3)
    h = w * scale  # <- saved here
    scale.set_(torch.zeros(3))  # <- changed here
    loss = h.sum()
    loss.backward()  # <- backward begins here


def memory_shared_with_set():
    w = torch.ones(3, requires_grad=True)
    h = torch.sigmoid(w)  # <- saved here
    alias = torch.empty(0).set_(h.untyped_storage(), 0, (3,), (1,))
    alias.mul_(3)  # <- changed here
    loss = h.sum()
    loss.backward()  # <- backward begins here


def data_assigned():
    w, scale = torch.ones(3, requires_grad=True), torch.ones(3, requires_grad=True)
    h = w * scale  # <- saved here
    scale.data = torch.zeros(3)  # <- changed here
    loss = h.sum()
    loss.backward()  # <- backward begins here


def tensor_of_a_tensor():
    w = torch.tensor(2.0, requires_grad=True)
    loss = torch.tensor(w * w)  # <- cut here
    loss.backward()  # <- the loss without a gradient


def returned_without_any_leaf():
    values = torch.ones(2)
    return (values * 2).sum()  # <- the loss without a gradient


FAULTS = {
    recomputed_with_fewer_operations: "checkpoint-differs",
    recomputed_with_another_shape: "checkpoint-differs",
    recomputed_with_another_operation: "checkpoint-differs-in-silence",
    recomputed_with_other_random_numbers: "checkpoint-differs-in-silence",
    reentrant_with_other_random_numbers: "checkpoint-differs-in-silence",
    reentrant_with_another_operation: "checkpoint-differs-in-silence",
    reentrant_of_a_weight_that_was_changed: "checkpoint-differs-in-silence",
    reentrant_with_another_shape: "checkpoint-differs",
    absolute_value_at_zero: "at-a-kink",
    norm_of_zeros: "at-a-kink",
    everything_masked: "masked",
    nothing_chosen: "masked",
    mask_of_zeros: "masked",
    memory_of_another_tensor: "in-place",
    memory_shared_with_set: "changed-in-silence",
    data_assigned: "changed-in-silence",
    tensor_of_a_tensor: "loss-without-gradient",
    returned_without_any_leaf: "loss-without-gradient",
}


# ---- near misses -----------------------------------------------------------------------------------


def checkpoint_with_dropout():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(2, 4), nn.Dropout(0.5), nn.Linear(4, 1))
    return checkpoint(net, x, use_reentrant=False).mean()


def checkpoint_that_needs_only_its_start():
    w = torch.ones(3, requires_grad=True)

    def block(value):
        h = value.exp()
        return (h + 1).reshape(3, 1) * 2 - 1

    return checkpoint(block, w, use_reentrant=False).sum()


def checkpoint_with_a_counter():
    calls = []
    w = torch.ones(3, requires_grad=True)

    def block(value):
        calls.append(len(calls))
        return value.exp().sin()

    return checkpoint(block, w, use_reentrant=False).sum()


def checkpoint_with_uninitialised_memory():
    w = torch.ones(3, requires_grad=True)

    def block(value):
        room = torch.empty(3)
        room.copy_(value.detach())
        return (value * room).exp()

    return checkpoint(block, w, use_reentrant=False).sum()


def checkpoint_in_a_training():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 1))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        checkpoint(net, x, use_reentrant=False).mean().backward()
        optimizer.step()


def reentrant_with_dropout():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(2, 4), nn.Dropout(0.5), nn.Linear(4, 1))
    return checkpoint(net, x.clone().requires_grad_(), use_reentrant=True).mean()


def reentrant_with_a_counter():
    calls = []
    w = torch.ones(3, requires_grad=True)

    def block(value):
        calls.append(value.sum().item() + len(calls))
        return value.exp().sin()

    return checkpoint(block, w, use_reentrant=True).sum()


def reentrant_that_takes_a_shorter_way_without_gradients():
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True).eval()
    values = torch.randn(1, 3, 8, requires_grad=True)

    def block(value):
        return layer(value) if torch.is_grad_enabled() else layer(value) + 0

    return checkpoint(block, values, use_reentrant=True).square().sum()


def reentrant_within_another_in_a_training():
    torch.manual_seed(0)
    first, net = (
        nn.Linear(2, 2),
        nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4), nn.Tanh(), nn.Linear(4, 1)),
    )
    optimizer = torch.optim.SGD([*first.parameters(), *net.parameters()], lr=0.1)

    def outer(value):
        return checkpoint(net, value * 2, use_reentrant=True) + checkpoint(net, value, use_reentrant=False)

    for _ in range(3):
        optimizer.zero_grad()
        checkpoint(outer, first(x), use_reentrant=True).mean().backward()
        optimizer.step()


def reentrant_that_gives_a_sparse_tensor():
    w = torch.ones(3, requires_grad=True)
    noise = iter((1.0, 2.0))

    def block(value):
        unused = next(noise)
        return (value.exp(), torch.eye(3).mul(unused).to_sparse())

    return checkpoint(block, w, use_reentrant=True)[0].sum()


def reentrant_with_random_numbers_beside_the_result():
    w = torch.ones(3, requires_grad=True)

    def block(value):
        return value.exp(), torch.rand(3)

    return checkpoint(block, w, use_reentrant=True, preserve_rng_state=False)[0].sum()


def right_power():
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    return RightCube.apply(w).sum()


def straight_through_by_a_function():
    w = torch.tensor([1.2, 2.7], requires_grad=True)
    return (StraightThrough.apply(w) * torch.tensor([1.0, 2.0])).sum()


def reversed_on_purpose():
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    return (Reversed.apply(w.exp()) * torch.tensor([1.0, 2.0])).sum()


def hook_that_only_looks():
    seen = []
    w = torch.ones(3, requires_grad=True)
    h = w * 2
    h.register_hook(lambda gradient: seen.append(gradient.norm().item()))
    return h.exp().sum()


def hook_that_clips():
    w = torch.ones(3, requires_grad=True)
    h = w * 2
    h.register_hook(lambda gradient: gradient.clamp(-1, 1))
    return h.exp().sum()


def absolute_value_beside_zero():
    w = torch.tensor([0.0, 1.0], requires_grad=True)
    return w.abs().sum()


def penalty_of_zeros():
    w = torch.zeros(3, requires_grad=True)
    return w.abs().sum() + ((w - 1) ** 2).sum()


def norm_of_zeros_as_a_penalty():
    torch.manual_seed(0)
    net = nn.Linear(2, 1)
    nn.init.zeros_(net.bias)
    return net(x).mean() + 0.1 * sum(p.norm() for p in net.parameters())


def half_masked():
    w = torch.ones(3, requires_grad=True)
    return (w * 2).masked_fill(torch.tensor([True, True, False]), -1.0).sum()


def other_branch_chosen():
    w = torch.ones(3, requires_grad=True)
    return torch.where(w > 5, w * 2, w.exp()).sum()


def one_sample_masked():
    w = torch.ones(3, requires_grad=True)
    h = w.exp()
    return (h * torch.zeros(3)).sum() + h.sum()


def memory_set_before_it_was_saved():
    w, scale = torch.ones(3, requires_grad=True), torch.ones(3)
    scale.set_(torch.full((3,), 2.0))
    return (w * scale).sum()


def memory_shared_and_only_read():
    w = torch.ones(3, requires_grad=True)
    h = torch.sigmoid(w)
    alias = torch.empty(0).set_(h.untyped_storage(), 0, (3,), (1,))
    alias.sum().item()
    return h.sum()


def data_of_a_result_given_away():
    w = torch.ones(3, requires_grad=True)
    h = torch.sigmoid(w)
    h.data.set_(torch.zeros(3))
    return h.sum()


def data_assigned_before_it_was_used():
    w, scale = torch.ones(3, requires_grad=True), torch.ones(3, requires_grad=True)
    scale.data = torch.zeros(3)
    return (w * scale).sum() + w.sum()


def tensor_of_a_number_for_a_log():
    w = torch.tensor(2.0, requires_grad=True)
    loss = w * w
    log = torch.tensor(loss.item())
    loss.backward()
    return float(log)


NEAR_MISSES = [
    checkpoint_with_dropout,
    checkpoint_that_needs_only_its_start,
    checkpoint_with_a_counter,
    checkpoint_with_uninitialised_memory,
    checkpoint_in_a_training,
    reentrant_with_dropout,
    reentrant_with_a_counter,
    reentrant_that_takes_a_shorter_way_without_gradients,
    reentrant_within_another_in_a_training,
    reentrant_that_gives_a_sparse_tensor,
    reentrant_with_random_numbers_beside_the_result,
    right_power,
    straight_through_by_a_function,
    reversed_on_purpose,
    hook_that_only_looks,
    hook_that_clips,
    absolute_value_beside_zero,
    penalty_of_zeros,
    norm_of_zeros_as_a_penalty,
    half_masked,
    other_branch_chosen,
    one_sample_masked,
    memory_set_before_it_was_saved,
    memory_shared_and_only_read,
    data_of_a_result_given_away,
    data_assigned_before_it_was_used,
    tensor_of_a_number_for_a_log,
]
