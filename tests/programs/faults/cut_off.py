"""The loss, or a parameter, was cut off from the gradient."""

from __future__ import annotations

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

x = torch.tensor([[1.0, 2.0], [3.0, -1.0]])


def under_no_grad():
    net = nn.Linear(2, 1)
    with torch.no_grad():  # <- gradients turned off here
        out = net(x)  # <- cut here
    loss = out.mean()
    loss.backward()  # <- the loss without a gradient


def under_inference_mode():
    net = nn.Linear(2, 1)
    with torch.inference_mode():
        out = net(x)  # <- cut here
    loss = out.mean()
    loss.backward()  # <- the loss without a gradient


def detached_loss():
    net = nn.Linear(2, 1)
    out = net(x)
    loss = out.detach().mean()  # <- cut here
    loss.backward()  # <- the loss without a gradient


def through_data():
    w = torch.ones(2, requires_grad=True)
    y = (w * 2).data  # <- cut here
    loss = y.sum()
    loss.backward()  # <- the loss without a gradient


def through_item():
    net = nn.Linear(2, 1)
    value = net(x).mean().item()  # <- cut here
    loss = torch.tensor(value)
    loss.backward()  # <- the loss without a gradient


def through_float():
    w = torch.tensor(2.0, requires_grad=True)
    value = float(w * w)  # <- cut here
    loss = torch.tensor(value)
    loss.backward()  # <- the loss without a gradient


def through_argmax():
    net = nn.Linear(2, 3)
    guess = net(x).argmax(1)  # <- cut here
    loss = (guess - torch.tensor([0, 2])).float().abs().mean()
    loss.backward()  # <- the loss without a gradient


def through_integers():
    w = torch.tensor([1.5, 2.5], requires_grad=True)
    steps = (w * 2).long()  # <- cut here
    loss = steps.float().sum()
    loss.backward()  # <- the loss without a gradient


def through_a_comparison():
    net = nn.Linear(2, 1)
    right = net(x) > 0  # <- cut here
    loss = right.float().mean()
    loss.backward()  # <- the loss without a gradient


def switched_on_again():
    net = nn.Linear(2, 1)
    out = net(x).detach()  # <- cut here
    loss = out.mean()
    loss.requires_grad = True  # <- requires_grad set here
    loss.backward()  # <- the loss without a gradient


def switched_on_by_a_method():
    net = nn.Linear(2, 1)
    loss = net(x).detach().mean()  # <- cut here
    loss.requires_grad_()  # <- requires_grad set here
    loss.backward()  # <- the loss without a gradient


def all_frozen():
    net = nn.Linear(2, 1)
    for parameter in net.parameters():
        parameter.requires_grad = False
    loss = net(x).mean()
    loss.backward()  # <- the loss without a gradient


def rebound_without_gradient():
    w = torch.ones(2, requires_grad=True)
    for _ in range(2):
        loss = (w * x).sum()
        loss.backward()  # <- the loss without a gradient
        with torch.no_grad():  # <- gradients turned off here
            w = w - 0.1 * w.grad  # <- cut here


def returned_without_gradient():
    w = torch.ones(2, requires_grad=True)
    still = w.detach()  # <- cut here
    return still.sum()  # <- the loss without a gradient


def encoder_detached():
    encoder, head = nn.Linear(2, 2), nn.Linear(2, 1)
    code = encoder(x).detach()  # <- cut here
    return head(code).mean()


def encoder_under_no_grad_in_optimizer():
    encoder, head = nn.Linear(2, 2), nn.Linear(2, 1)
    optimizer = torch.optim.SGD([*encoder.parameters(), *head.parameters()], lr=0.1)
    with torch.no_grad():  # <- gradients turned off here
        code = encoder(x)  # <- cut here
    optimizer.zero_grad()
    head(code).mean().backward()
    optimizer.step()


def through_numpy():
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    array = w.detach().numpy()  # <- cut here
    loss = torch.tensor(array**2).sum()
    loss.backward()  # <- the loss without a gradient


def checkpoint_over_frozen_inputs():
    embedding, block, head = nn.Linear(2, 2), nn.Linear(2, 2), nn.Linear(2, 1)
    embedding.requires_grad_(False)
    optimizer = torch.optim.SGD([*block.parameters(), *head.parameters()], lr=0.1)
    code = checkpoint(block, embedding(x), use_reentrant=True)  # <- cut here
    optimizer.zero_grad()
    head(code).mean().backward()
    optimizer.step()


def unused_head():
    body, head = nn.Linear(2, 2), nn.Linear(2, 1)
    optimizer = torch.optim.SGD([*body.parameters(), *head.parameters()], lr=0.1)
    optimizer.zero_grad()
    body(x).mean().backward()
    optimizer.step()


def beside_the_loss():
    a = torch.ones(2, requires_grad=True)
    b = torch.ones(2, requires_grad=True)
    extra = b * 3
    extra = extra.exp()  # <- last used here
    return (a * x).sum()


def computed_tensor():
    w = torch.ones(2, requires_grad=True) * 0.1  # <- computed here
    loss = (w * x).sum()
    loss.backward()
    return w.grad  # <- read here


def rebound_by_an_update():
    w = torch.ones(2, requires_grad=True)
    loss = (w * x).sum()
    loss.backward()
    w = w - 0.1 * w.grad  # <- computed here
    loss = (w * x).sum()
    loss.backward()
    return w.grad  # <- read here


FAULTS = {
    through_numpy: "loss-without-gradient",
    checkpoint_over_frozen_inputs: "grad-none-cut",
    under_no_grad: "loss-without-gradient",
    under_inference_mode: "loss-without-gradient",
    detached_loss: "loss-without-gradient",
    through_data: "loss-without-gradient",
    through_item: "loss-without-gradient",
    through_float: "loss-without-gradient",
    through_argmax: "loss-without-gradient",
    through_integers: "loss-without-gradient",
    through_a_comparison: "loss-without-gradient",
    switched_on_again: "requires-grad-set-on-result",
    switched_on_by_a_method: "requires-grad-set-on-result",
    all_frozen: "loss-without-gradient",
    rebound_without_gradient: "loss-without-gradient",
    returned_without_gradient: "loss-without-gradient",
    encoder_detached: "grad-none-cut",
    encoder_under_no_grad_in_optimizer: "grad-none-cut",
    unused_head: "grad-none-unused",
    beside_the_loss: "grad-none-beside",
    computed_tensor: "grad-of-computed-tensor",
    rebound_by_an_update: "grad-of-computed-tensor",
}


# ---- near misses: the same words, and nothing wrong -------------------------------------------------


def no_grad_for_evaluation():
    net = nn.Linear(2, 1)
    loss = net(x).mean()
    loss.backward()
    with torch.no_grad():
        net(x).mean()


def detached_target():
    net = nn.Linear(2, 1)
    target = net(x).detach() + 1
    return ((net(x) - target) ** 2).mean()


def item_for_a_log():
    net = nn.Linear(2, 1)
    loss = net(x).mean()
    history = [loss.item()]
    loss.backward()
    return history


def argmax_for_accuracy():
    net = nn.Linear(2, 3)
    logits = net(x)
    accuracy = (logits.argmax(1) == torch.tensor([0, 2])).float().mean()
    loss = nn.functional.cross_entropy(logits, torch.tensor([0, 2]))
    loss.backward()
    return float(accuracy)


def frozen_body():
    body, head = nn.Linear(2, 2), nn.Linear(2, 1)
    for parameter in body.parameters():
        parameter.requires_grad_(False)
    return head(body(x)).mean()


def teacher_without_gradient():
    teacher, student = nn.Linear(2, 1), nn.Linear(2, 1)
    optimizer = torch.optim.SGD(student.parameters(), lr=0.1)
    with torch.no_grad():
        target = teacher(x)
    optimizer.zero_grad()
    ((student(x) - target) ** 2).mean().backward()
    optimizer.step()


def update_in_place():
    w = torch.ones(2, requires_grad=True)
    for _ in range(2):
        loss = (w * x).sum()
        loss.backward()
        with torch.no_grad():
            w -= 0.1 * w.grad
            w.grad = None


def retained_grad():
    w = torch.ones(2, requires_grad=True) * 0.1
    w.requires_grad_()
    w.retain_grad()
    loss = (w * x).sum()
    loss.backward()
    return w.grad


def leaf_from_data():
    w = (torch.ones(2) * 0.1).requires_grad_()
    loss = (w * x).sum()
    loss.backward()
    return w.grad


def checkpoint_over_inputs_with_a_gradient():
    block, head = nn.Linear(2, 2), nn.Linear(2, 1)
    optimizer = torch.optim.SGD([*block.parameters(), *head.parameters()], lr=0.1)
    inputs = x.clone().requires_grad_()
    code = checkpoint(block, inputs, use_reentrant=True)
    head(code).mean().backward()
    optimizer.step()
    optimizer.zero_grad()


def checkpointed_loss():
    block, head = nn.Linear(2, 2), nn.Linear(2, 1)
    return head(checkpoint(block, x.clone().requires_grad_(), use_reentrant=True)).mean()


def straight_through():
    w = torch.tensor([1.2, 2.7], requires_grad=True)
    y = w + (w.round() - w).detach()
    return (y * y).sum()


def inference_mode_for_evaluation():
    net = nn.Linear(2, 1)
    loss = net(x).mean()
    loss.backward()
    with torch.inference_mode():
        return net(x).mean().item()


def data_for_a_log():
    w = torch.ones(2, requires_grad=True)
    loss = (w * x).sum()
    loss.data.clone()
    loss.backward()


def numpy_for_a_plot():
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    loss = (w * w).sum()
    array = w.detach().numpy().copy()
    loss.backward()
    return array.sum().item()


def comparison_as_a_mask():
    w = torch.tensor([1.0, -2.0], requires_grad=True)
    return (w * (w > 0)).sum()


def indices_of_the_largest():
    w = torch.tensor([[1.0, -2.0], [0.5, 3.0]], requires_grad=True)
    return w.gather(1, w.argmax(1, keepdim=True)).sum()


def moving_average_of_weights():
    net = nn.Linear(2, 1)
    average = [p.detach().clone() for p in net.parameters()]
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    for _ in range(2):
        optimizer.zero_grad()
        net(x).mean().backward()
        optimizer.step()
        with torch.no_grad():
            for kept, parameter in zip(average, net.parameters(), strict=True):
                kept.lerp_(parameter, 0.1)


def baseline_detached():
    policy, critic = nn.Linear(2, 1), nn.Linear(2, 1)
    optimizer = torch.optim.SGD([*policy.parameters(), *critic.parameters()], lr=0.1)
    value = critic(x)
    advantage = (1 - value).detach()
    loss = (policy(x) * advantage).mean() + (1 - value).pow(2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


NEAR_MISSES = [
    inference_mode_for_evaluation,
    data_for_a_log,
    numpy_for_a_plot,
    comparison_as_a_mask,
    indices_of_the_largest,
    moving_average_of_weights,
    baseline_detached,
    checkpoint_over_inputs_with_a_gradient,
    checkpointed_loss,
    no_grad_for_evaluation,
    detached_target,
    item_for_a_log,
    argmax_for_accuracy,
    frozen_body,
    teacher_without_gradient,
    update_in_place,
    retained_grad,
    leaf_from_data,
    straight_through,
]
