"""Saved tensors that were changed, and graphs that were passed twice."""

from __future__ import annotations

import torch
from torch import nn

x = torch.tensor([[1.0, 2.0], [3.0, -1.0]])


def added_in_place():
    w = torch.ones(3, requires_grad=True)
    h = torch.sigmoid(w)  # <- saved here
    h += 1  # <- changed here
    loss = h.sum()
    loss.backward()  # <- backward begins here


def operand_changed():
    w = torch.ones(3, requires_grad=True)
    scale = torch.ones(3)
    h = w * scale  # <- saved here
    scale.mul_(2)  # <- changed here
    loss = h.sum()
    loss.backward()  # <- backward begins here


def element_changed():
    w = torch.ones(3, requires_grad=True)
    h = w.exp()  # <- saved here
    h[0] = 0  # <- changed here
    loss = h.sum()
    loss.backward()  # <- backward begins here


def relu_in_place():
    w = torch.ones(3, requires_grad=True)
    h = torch.tanh(w)  # <- saved here
    y = torch.relu_(h)  # <- changed here
    loss = y.sum()
    loss.backward()  # <- backward begins here


def returned_and_changed():
    w = torch.ones(3, requires_grad=True)
    h = torch.sigmoid(w)  # <- saved here
    h.mul_(2)  # <- changed here
    return h.sum()


def step_between():
    net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    loss = net(x).mean()  # <- saved here
    loss.backward(retain_graph=True)
    optimizer.step()  # <- changed here
    loss.backward()  # <- backward begins here


def leaf_in_place():
    w = torch.ones(3, requires_grad=True)
    w += 1  # <- changed here
    w.sum().backward()


def view_of_a_leaf_in_place():
    w = torch.ones(3, requires_grad=True)
    w[0] = 5.0  # <- changed here
    w.sum().backward()


def changed_through_data():
    w = torch.ones(3, requires_grad=True)
    h = torch.sigmoid(w)  # <- saved here
    h.data.mul_(3)  # <- changed here
    loss = h.sum()
    loss.backward()  # <- backward begins here


def changed_through_data_and_a_view():
    w = torch.ones(3, requires_grad=True)
    h = torch.sigmoid(w)  # <- saved here
    h.data[1:].zero_()  # <- changed here
    loss = h.sum()
    loss.backward()  # <- backward begins here


def same_loss_twice():
    w = torch.ones(3, requires_grad=True)
    loss = w.exp().sum()  # <- computed here
    loss.backward()  # <- freed by this backward
    loss.backward()  # <- needed again by this backward


def two_losses():
    w = torch.ones(3, requires_grad=True)
    h = w.exp()  # <- computed here
    loss_a = h.sum()
    loss_b = (2 * h).sum()
    loss_a.backward()  # <- freed by this backward
    loss_b.backward()  # <- needed again by this backward


def hidden_state():
    cell = nn.Linear(2, 2)
    hidden = torch.zeros(2, 2)
    for _ in range(3):
        hidden = torch.tanh(cell(x + hidden))  # <- computed here
        loss = hidden.mean()
        loss.backward()  # <- needed again by this backward  # <- freed by this backward


def hidden_state_retained():
    cell = nn.Linear(2, 2)
    optimizer = torch.optim.SGD(cell.parameters(), lr=0.1)
    hidden = torch.zeros(2, 2)
    for _ in range(3):
        optimizer.zero_grad()
        hidden = torch.tanh(cell(hidden + x))  # <- saved here
        loss = hidden.mean()
        loss.backward(retain_graph=True)  # <- backward begins here
        optimizer.step()  # <- changed here


class Square(torch.autograd.Function):
    @staticmethod
    def forward(ctx, value):
        ctx.save_for_backward(value)
        return value * value

    @staticmethod
    def backward(ctx, gradient):
        (value,) = ctx.saved_tensors
        return 2 * value * gradient


def saved_by_a_custom_function():
    w = torch.ones(3, requires_grad=True)
    h = w * 2
    y = Square.apply(h)  # <- saved here
    h.zero_()  # <- changed here
    loss = y.sum()
    loss.backward()  # <- backward begins here


FAULTS = {
    hidden_state_retained: "in-place-step",
    saved_by_a_custom_function: "in-place",
    added_in_place: "in-place",
    operand_changed: "in-place",
    element_changed: "in-place",
    relu_in_place: "in-place",
    returned_and_changed: "in-place",
    step_between: "in-place-step",
    leaf_in_place: "in-place-on-leaf",
    view_of_a_leaf_in_place: "in-place-on-view-of-leaf",
    changed_through_data: "changed-in-silence",
    changed_through_data_and_a_view: "changed-in-silence",
    same_loss_twice: "second-backward-same-loss",
    two_losses: "second-backward-two-losses",
    hidden_state: "second-backward-carried-over",
}


# ---- near misses -----------------------------------------------------------------------------------


def result_not_saved_changed():
    w = torch.ones(3, requires_grad=True)
    h = w * 2
    h += 1
    return h.sum()


def changed_before_it_was_saved():
    w = torch.ones(3, requires_grad=True)
    scale = torch.ones(3)
    scale.mul_(2)
    h = w * scale
    return h.sum()


def relu_in_place_after_linear():
    net = nn.Sequential(nn.Linear(2, 2), nn.ReLU(inplace=True), nn.Linear(2, 1))
    return net(x).mean()


def other_half_changed_through_data():
    w = torch.ones(3, requires_grad=True)
    both = torch.ones(6)
    h = w * both[:3]
    both.data[3:].zero_()
    return h.sum()


def data_changed_after_backward():
    w = torch.ones(3, requires_grad=True)
    h = torch.sigmoid(w)
    loss = h.sum()
    loss.backward()
    w.data.mul_(0.5)


def batch_norm_twice():
    net = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    return net(x).pow(2).mean() + net(x + 1).pow(2).mean()


def retained_for_two_losses():
    w = torch.ones(3, requires_grad=True)
    h = w.exp()
    loss_a, loss_b = h.sum(), (2 * h).sum()
    loss_a.backward(retain_graph=True)
    loss_b.backward()


def hidden_state_detached():
    cell = nn.Linear(2, 2)
    hidden = torch.zeros(2, 2)
    for _ in range(3):
        hidden = torch.tanh(cell(x + hidden.detach()))
        loss = hidden.mean()
        loss.backward()
        cell.zero_grad()


def initialised_under_no_grad():
    w = torch.ones(3, requires_grad=True)
    with torch.no_grad():
        w += 1
        w[0] = 5.0
    return w.sum()


def gradient_of_a_gradient():
    w = torch.ones(3, requires_grad=True)
    loss = (w**3).sum()
    (slope,) = torch.autograd.grad(loss, [w], create_graph=True)
    (loss + slope.pow(2).sum()).backward()


def array_of_a_copy_written():
    w = torch.ones(3, requires_grad=True)
    h = torch.sigmoid(w)
    array = h.detach().clone().numpy()
    array *= 3
    return h.sum()


def buffer_filled_row_by_row():
    w = torch.ones(3, requires_grad=True)
    rows = torch.zeros(2, 3)
    rows[0] = w * 2
    rows[1] = w * 3
    return rows.sum()


def step_after_both_backwards():
    net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    loss = net(x).mean()
    loss.backward(retain_graph=True)
    loss.backward()
    optimizer.step()


NEAR_MISSES = [
    gradient_of_a_gradient,
    array_of_a_copy_written,
    buffer_filled_row_by_row,
    step_after_both_backwards,
    result_not_saved_changed,
    changed_before_it_was_saved,
    relu_in_place_after_linear,
    other_half_changed_through_data,
    data_changed_after_backward,
    batch_norm_twice,
    retained_for_two_losses,
    hidden_state_detached,
    initialised_under_no_grad,
]
