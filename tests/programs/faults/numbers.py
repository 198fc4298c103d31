"""NaN and Inf, gradients that are 0, and those that vanish or explode."""

from __future__ import annotations

import torch
from torch import nn

x = torch.tensor([[1.0, 2.0], [3.0, -1.0]])


def log_of_zero():
    w = torch.tensor([0.0, 1.0], requires_grad=True)
    y = torch.log(w)  # <- made here
    return (y * 2).sum()


def zero_by_zero():
    w = torch.tensor([0.0, 1.0], requires_grad=True)
    y = w / w  # <- made here
    return y.sum()


def sqrt_at_zero():
    w = torch.tensor([0.0, 4.0], requires_grad=True)
    y = torch.sqrt(w * w)  # <- made here
    return y.sum()


def where_beside_sqrt():
    w = torch.tensor([0.0, 4.0], requires_grad=True)
    root = torch.sqrt(w)  # <- made here
    y = torch.where(w > 0, root, 0.0)  # <- masked here
    return y.sum()


def half_overflow():
    w = torch.tensor([300.0, 2.0], dtype=torch.float16, requires_grad=True)
    y = w * w  # <- made here
    return y.sum()


def dead_relu():
    w = torch.tensor([-1.0, -2.0], requires_grad=True)
    y = torch.relu(w)  # <- stopped here
    return (y + 1).sum()


def rounded():
    w = torch.tensor([1.2, 2.7], requires_grad=True)
    y = w.round()  # <- stopped here
    return (y * y).sum()


def clamped():
    w = torch.tensor([5.0, 7.0], requires_grad=True)
    y = w.clamp(0, 1)  # <- stopped here
    return (3 * y).sum()


def saturated():
    w = torch.tensor([60.0, -60.0], requires_grad=True)
    y = torch.sigmoid(w)  # <- stopped here
    return (y * torch.tensor([1.0, 2.0])).sum()


def nan_in_the_data():
    data = torch.tensor([1.0, float("nan")])
    w = torch.ones(2, requires_grad=True)
    return (w * data).sum()  # <- used here


def overflow():
    w = torch.tensor([100.0, 1.0], requires_grad=True)
    y = torch.exp(w)  # <- made here
    return y.sum()


def norm_at_zero():
    w = torch.zeros(3, requires_grad=True)
    n = torch.sqrt((w * w).sum())  # <- made here
    return n * 2


def exploding():
    torch.manual_seed(0)
    net = nn.Sequential(*(nn.Linear(4, 4) for _ in range(12)))
    for layer in net:
        layer.weight.data.mul_(20)
    h = torch.ones(3, 4)
    for layer in net:
        h = torch.sin(layer(h))
    return h.mean()


def vanishing():
    torch.manual_seed(0)
    layers: list[nn.Module] = [nn.Linear(4, 4)]  # <- first layer
    for _ in range(14):
        layers += [nn.Sigmoid(), nn.Linear(4, 4)]
    return nn.Sequential(*layers)(torch.ones(3, 4)).mean()


def clamped_at_both_ends():
    w = torch.cat([torch.full((300,), 5.0), torch.full((200,), -7.0)]).requires_grad_()
    return (3 * w.clamp(-1, 4)).sum()  # <- stopped here


FAULTS = {
    nan_in_the_data: "nonfinite-input",
    overflow: "inf-forward",
    norm_at_zero: "inf-backward",
    log_of_zero: "inf-forward",
    zero_by_zero: "nan-forward",
    sqrt_at_zero: "inf-backward",
    where_beside_sqrt: "nan-beside-where",
    half_overflow: "overflow-in-half-precision",
    dead_relu: "dead-relu",
    rounded: "rounding",
    clamped: "clamped",
    clamped_at_both_ends: "clamped",
    saturated: "saturated",
}
"""``vanishing`` has a test of its own: its lines are those that use the layers."""


# ---- near misses -----------------------------------------------------------------------------------


def log_near_zero():
    w = torch.tensor([1e-6, 1.0], requires_grad=True)
    return torch.log(w).sum()


def masked_with_infinity():
    scores = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    masked = scores.masked_fill(torch.tensor([False, False, True]), float("-inf"))
    return (masked.softmax(0) * torch.tensor([1.0, 2.0, 3.0])).sum()


def where_with_a_safe_input():
    w = torch.tensor([0.0, 4.0], requires_grad=True)
    safe = torch.where(w > 0, w, 1.0)
    return torch.where(w > 0, torch.sqrt(safe), 0.0).sum()


def relu_with_one_alive():
    w = torch.tensor([-1.0, 2.0], requires_grad=True)
    return torch.relu(w).sum()


def relu_without_a_gradient_to_pass():
    w = torch.tensor([-1.0, -2.0], requires_grad=True)
    return (torch.relu(w) * 0).sum() + w.sum()


def clamped_in_part():
    w = torch.tensor([0.5, 7.0], requires_grad=True)
    return w.clamp(0, 1).sum()


def sigmoid_in_its_middle():
    w = torch.tensor([0.5, -0.5], requires_grad=True)
    return torch.sigmoid(w).sum()


def relu_of_which_one_dead_element_is_read():
    w = torch.tensor([-1.0, 2.0], requires_grad=True)
    return torch.relu(w)[0] * 3


def clamped_and_mostly_dropped():
    w = torch.linspace(-3, 3, 400).requires_grad_()
    kept = torch.zeros(400)
    kept[0] = 1000.0  # as a dropout that keeps one element
    return (w.clamp(-1, 1) * kept).sum()


def hard_attention_beside_another_way():
    w = torch.tensor([[60.0, -20.0], [5.0, 90.0]], requires_grad=True)
    attention = w.softmax(1)
    return (attention * torch.tensor([1.0, 2.0])).sum() + w.sin().sum()


def half_in_range():
    w = torch.tensor([100.0, 2.0], dtype=torch.float16, requires_grad=True)
    return (w * w).sum()


def deep_and_healthy():
    torch.manual_seed(0)
    layers: list[nn.Module] = [nn.Linear(4, 4)]
    for _ in range(6):
        layers += [nn.Tanh(), nn.Linear(4, 4)]
    return nn.Sequential(*layers)(torch.ones(3, 4)).mean()


def token_read_through_scaled_branches():
    torch.manual_seed(0)
    token, start, head = torch.ones(1, 4, requires_grad=True), nn.Linear(4, 4), nn.Linear(4, 1)
    h = torch.cat([token, start(torch.ones(3, 4))])
    for block in [nn.Linear(4, 4) for _ in range(6)]:
        h = h + 1e-7 * block(h.mean(0, keepdim=True))
    return head(h[1:]).mean()


def scores_with_an_additive_mask():
    scores = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    least = torch.finfo(torch.float32).min
    mask = torch.tensor([0.0, 0.0, least])
    masked = scores + mask + mask
    return (masked.softmax(0) * torch.tensor([1.0, 2.0, 3.0])).sum()


def clamped_beside_another_way():
    w = torch.tensor([5.0, 7.0], requires_grad=True)
    return w.clamp(0, 1).sum() + w.pow(2).sum()


def scaled_before_it_overflows():
    w = torch.tensor([300.0, 2.0], dtype=torch.float16, requires_grad=True)
    return (w * (w / 256)).sum()


def log_of_a_sum_of_exponentials():
    w = torch.tensor([100.0, 1.0], requires_grad=True)
    return torch.logsumexp(w, 0)


def root_beside_zero():
    w = torch.zeros(3, requires_grad=True)
    return torch.sqrt((w * w).sum() + 1e-6) + w.sum()


NEAR_MISSES = [
    scores_with_an_additive_mask,
    clamped_beside_another_way,
    scaled_before_it_overflows,
    log_of_a_sum_of_exponentials,
    root_beside_zero,
    log_near_zero,
    masked_with_infinity,
    where_with_a_safe_input,
    relu_with_one_alive,
    relu_without_a_gradient_to_pass,
    clamped_in_part,
    sigmoid_in_its_middle,
    relu_of_which_one_dead_element_is_read,
    clamped_and_mostly_dropped,
    hard_attention_beside_another_way,
    half_in_range,
    deep_and_healthy,
    token_read_through_scaled_branches,
]
