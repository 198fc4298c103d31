"""Faults of a training that raise no error: batches, modes, scalers; and parameters that no gradient reaches."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

x, y = torch.tensor([[1.0, 2.0], [3.0, -1.0], [0.5, 1.0]]), torch.tensor([[1.0], [0.0], [2.0]])


def _model() -> tuple[nn.Module, torch.optim.Optimizer]:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(2, 3), nn.Dropout(0.5), nn.Linear(3, 1))
    return net, torch.optim.SGD(net.parameters(), lr=0.01)


class WithAnotherHead(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(2, 1), nn.Linear(2, 1)

    def forward(self, value: torch.Tensor, *, both: bool = False) -> torch.Tensor:
        return self.first(value) + self.second(value) if both else self.first(value)


class Dropping(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(2, 1)

    def forward(self, value: torch.Tensor) -> torch.Tensor:
        return self.layer(F.dropout(value, 0.5, training=self.training))


# ---- batches --------------------------------------------------------------------------------------


def last_micro_batch_is_smaller():
    net, optimizer = _model()
    for _ in range(2):
        optimizer.zero_grad()
        for rows in (slice(0, 2), slice(2, 3)):
            loss = F.mse_loss(net(x[rows]), y[rows]) / 2  # <- averaged here
            loss.backward()  # <- added to .grad here
        optimizer.step()


def classes_of_unequal_batches():
    net = nn.Linear(2, 3)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
    for rows, kinds in ((slice(0, 2), [0, 1]), (slice(2, 3), [2])):
        loss = F.cross_entropy(net(x[rows]), torch.tensor(kinds))  # <- averaged here
        loss.backward()  # <- added to .grad here
    optimizer.step()


def divided_by_its_own_length():
    net, optimizer = _model()
    for rows in (slice(0, 2), slice(2, 3)):
        errors = (net(x[rows]) - y[rows]) ** 2
        loss = errors.sum() / len(errors)  # <- averaged here
        loss.backward()  # <- added to .grad here
    optimizer.step()


# ---- modes ----------------------------------------------------------------------------------------


def evaluated_without_no_grad():
    net, optimizer = _model()
    for _ in range(2):
        net.train()
        optimizer.zero_grad()
        F.mse_loss(net(x), y).backward()
        optimizer.step()
        net.eval()  # <- evaluation mode set here
        print(F.mse_loss(net(x), y).item())  # <- recorded here


def never_back_to_training():
    net, optimizer = _model()
    for _ in range(3):
        optimizer.zero_grad()
        F.mse_loss(net(x), y).backward()  # <- ran here
        optimizer.step()
        net.eval()  # <- evaluation mode set here
        with torch.no_grad():
            print(F.mse_loss(net(x), y))


def trained_in_evaluation_mode():
    net = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Linear(3, 1))
    net.eval()  # <- evaluation mode set here
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
    for _ in range(2):
        optimizer.zero_grad()
        F.mse_loss(net(x), y).backward()  # <- ran here
        optimizer.step()


def evaluated_in_training_mode():
    net, optimizer = _model()
    for _ in range(2):
        optimizer.zero_grad()
        F.mse_loss(net(x), y).backward()
        optimizer.step()
        with torch.no_grad():
            print(F.mse_loss(net(x), y))  # <- ran here


def batch_statistics_in_evaluation():
    net = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Linear(3, 1))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
    net.train()  # <- training mode set here
    F.mse_loss(net(x), y).backward()
    optimizer.step()
    with torch.inference_mode():
        print(F.mse_loss(net(x), y))  # <- ran here


def dropout_without_a_mode():
    class Always(Dropping):
        def forward(self, value):
            return self.layer(F.dropout(value, 0.5))  # <- dropped here

    net = Always()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
    F.mse_loss(net(x), y).backward()
    optimizer.step()
    net.eval()  # <- evaluation mode set here
    with torch.no_grad():
        print(F.mse_loss(net(x), y))


# ---- scalers --------------------------------------------------------------------------------------


def clipped_before_unscale():
    net, optimizer = _model()
    scaler = torch.amp.GradScaler("cpu")
    for _ in range(2):
        optimizer.zero_grad()
        loss = F.mse_loss(net(x), y)
        scaler.scale(loss).backward()  # <- scaled gradients from here
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)  # <- clipped here
        scaler.step(optimizer)
        scaler.update()


def clipped_by_value_before_unscale():
    net, optimizer = _model()
    scaler = torch.amp.GradScaler("cpu")
    scaler.scale(F.mse_loss(net(x), y)).backward()  # <- scaled gradients from here
    nn.utils.clip_grad_value_(net.parameters(), 1.0)  # <- clipped here
    scaler.step(optimizer)
    scaler.update()


def stepped_without_the_scaler():
    net, optimizer = _model()
    scaler = torch.amp.GradScaler("cpu")
    optimizer.zero_grad()
    scaler.scale(F.mse_loss(net(x), y)).backward()  # <- scaled gradients from here
    optimizer.step()  # <- stepped here


def plain_loss_with_a_scaler():
    net, optimizer = _model()
    scaler = torch.amp.GradScaler("cpu")
    for _ in range(2):
        optimizer.zero_grad()
        loss = F.mse_loss(net(x), y)
        scaler.scale(loss)
        loss.backward()  # <- backward of the plain loss
        scaler.step(optimizer)  # <- divided here
        scaler.update()


def unscaled_twice():
    net, optimizer = _model()
    scaler = torch.amp.GradScaler("cpu")
    scaler.scale(F.mse_loss(net(x), y)).backward()
    scaler.unscale_(optimizer)
    scaler.unscale_(optimizer)  # <- raised here


def never_updated():
    net, optimizer = _model()
    scaler = torch.amp.GradScaler("cpu")
    for _ in range(2):
        optimizer.zero_grad()
        scaler.scale(F.mse_loss(net(x), y)).backward()
        scaler.step(optimizer)  # <- raised here


def never_scaled():
    net, optimizer = _model()
    scaler = torch.amp.GradScaler("cpu")
    F.mse_loss(net(x), y).backward()
    scaler.step(optimizer)  # <- raised here


def scaler_of_half_parameters():
    net = nn.Linear(2, 1).half()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0)
    scaler.scale(net(x.half()).float().mean()).backward()
    scaler.step(optimizer)  # <- raised here


def softmax_before_cross_entropy():
    scores = nn.Linear(2, 3)(x)
    chances = scores.softmax(1)  # <- softmax here
    target = torch.zeros(len(x), dtype=torch.long)
    return F.cross_entropy(chances.view(-1, 3), target)  # <- softmax again here


def sigmoid_before_logits():
    scores = nn.Linear(2, 1)(x)
    chances = torch.sigmoid(scores)  # <- sigmoid here
    return F.binary_cross_entropy_with_logits(chances.squeeze(1), x[:, 0])  # <- sigmoid again here


FAULTS = {
    softmax_before_cross_entropy: "softmax-twice",
    sigmoid_before_logits: "sigmoid-twice",
    last_micro_batch_is_smaller: "unequal-micro-batches",
    classes_of_unequal_batches: "unequal-micro-batches",
    divided_by_its_own_length: "unequal-micro-batches",
    evaluated_without_no_grad: "graph-in-evaluation",
    never_back_to_training: "evaluation-mode-in-training",
    trained_in_evaluation_mode: "evaluation-mode-in-training",
    evaluated_in_training_mode: "training-mode-in-evaluation",
    batch_statistics_in_evaluation: "training-mode-in-evaluation",
    dropout_without_a_mode: "dropout-always-active",
    clipped_before_unscale: "clipped-before-unscale",
    clipped_by_value_before_unscale: "clipped-before-unscale",
    stepped_without_the_scaler: "step-of-scaled-gradients",
    plain_loss_with_a_scaler: "backward-of-unscaled-loss",
    unscaled_twice: "amp-order",
    never_updated: "amp-order",
    never_scaled: "amp-order",
    scaler_of_half_parameters: "amp-half-parameters",
}


# ---- near misses -----------------------------------------------------------------------------------


def unequal_and_weighted():
    net, optimizer = _model()
    optimizer.zero_grad()
    for rows in (slice(0, 2), slice(2, 3)):
        loss = F.mse_loss(net(x[rows]), y[rows]) * len(x[rows]) / len(x)
        loss.backward()
    optimizer.step()


def unequal_sums():
    net, optimizer = _model()
    for rows in (slice(0, 2), slice(2, 3)):
        F.mse_loss(net(x[rows]), y[rows], reduction="sum").backward()
    optimizer.step()


def sums_divided_by_the_whole():
    net, optimizer = _model()
    for rows in (slice(0, 2), slice(2, 3)):
        (((net(x[rows]) - y[rows]) ** 2).sum() / len(x)).backward()
    optimizer.step()


def smaller_last_batch_of_its_own_step():
    net, optimizer = _model()
    for rows in (slice(0, 2), slice(2, 3)):
        optimizer.zero_grad()
        F.mse_loss(net(x[rows]), y[rows]).backward()
        optimizer.step()


def smaller_last_batch_by_hand():
    w = torch.zeros(2, 1, requires_grad=True)
    for rows in (slice(0, 2), slice(2, 3)):
        F.mse_loss(x[rows] @ w, y[rows]).backward()
        with torch.no_grad():
            w -= 0.1 * w.grad
            w.grad.zero_()


def equal_micro_batches():
    net, optimizer = _model()
    for rows in (slice(0, 1), slice(1, 2), slice(2, 3)):
        (F.mse_loss(net(x[rows]), y[rows]) / 3).backward()
    optimizer.step()


def two_losses_of_other_sizes():
    net, optimizer = _model()
    F.mse_loss(net(x), y).backward()
    F.l1_loss(net(x[:1]), y[:1]).backward()
    optimizer.step()


def penalty_beside_the_loss():
    net, optimizer = _model()
    loss = F.mse_loss(net(x), y) + 0.1 * sum((p**2).mean() for p in net.parameters())
    loss.backward()
    optimizer.step()


def evaluated_as_it_should():
    net, optimizer = _model()
    for _ in range(2):
        net.train()
        optimizer.zero_grad()
        F.mse_loss(net(x), y).backward()
        optimizer.step()
        net.eval()
        with torch.no_grad():
            print(F.mse_loss(net(x), y).item())


def saliency_in_evaluation_mode():
    net, optimizer = _model()
    F.mse_loss(net(x), y).backward()
    optimizer.step()
    net.eval()
    inputs = x.clone().requires_grad_()
    (slope,) = torch.autograd.grad(net(inputs).sum(), [inputs])
    return slope.abs().max().item()


def attack_in_evaluation_mode():
    net, optimizer = _model()
    for _ in range(2):
        net.eval()
        inputs = x.clone().requires_grad_()
        F.mse_loss(net(inputs), y).backward()
        attacked = (inputs + 0.1 * inputs.grad.sign()).detach()
        net.train()
        optimizer.zero_grad()
        F.mse_loss(net(attacked), y).backward()
        optimizer.step()


def frozen_batch_norm():
    net = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Linear(3, 1))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
    net.train()
    net[1].eval()
    F.mse_loss(net(x), y).backward()
    optimizer.step()


def evaluation_mode_without_a_difference():
    net = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
    net.eval()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
    F.mse_loss(net(x), y).backward()
    optimizer.step()


def targets_of_a_teacher_in_training_mode():
    student, optimizer = _model()
    teacher, _ = _model()
    with torch.no_grad():
        targets = teacher(x)
    F.mse_loss(student(x), targets).backward()
    optimizer.step()


def pseudo_labels_of_itself():
    net, optimizer = _model()
    for _ in range(2):
        with torch.no_grad():
            targets = net(x) * 0.9
        optimizer.zero_grad()
        F.mse_loss(net(x), targets).backward()
        optimizer.step()


def statistics_gathered_anew():
    net = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Linear(3, 1))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
    F.mse_loss(net(x), y).backward()
    optimizer.step()
    torch.optim.swa_utils.update_bn([x], net)


def samples_of_dropout():
    net, optimizer = _model()
    F.mse_loss(net(x), y).backward()
    optimizer.step()
    net.eval()
    net[1].train()
    with torch.no_grad():
        return torch.stack([net(x) for _ in range(3)]).std(0).mean().item()


def dropout_with_its_mode():
    net = Dropping()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
    F.mse_loss(net(x), y).backward()
    optimizer.step()
    net.eval()
    with torch.no_grad():
        print(F.mse_loss(net(x), y))


def dropout_of_nothing():
    net = nn.Sequential(nn.Linear(2, 3), nn.Dropout(0.0), nn.Linear(3, 1))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
    F.mse_loss(net(x), y).backward()
    optimizer.step()
    with torch.no_grad():
        print(F.mse_loss(net(x), y))


def other_model_evaluated():
    net, optimizer = _model()
    other, _ = _model()
    F.mse_loss(net(x), y).backward()
    optimizer.step()
    other.eval()
    print(other(x).detach().mean().item())


def scaled_as_it_should():
    net, optimizer = _model()
    scaler = torch.amp.GradScaler("cpu")
    for _ in range(2):
        optimizer.zero_grad()
        scaler.scale(F.mse_loss(net(x), y)).backward()
        scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()


def scaled_without_clipping():
    net, optimizer = _model()
    scaler = torch.amp.GradScaler("cpu")
    for _ in range(2):
        optimizer.zero_grad()
        scaler.scale(F.mse_loss(net(x), y)).backward()
        scaler.step(optimizer)
        scaler.update()


def scaler_switched_off():
    net, optimizer = _model()
    scaler = torch.amp.GradScaler("cpu", enabled=False)
    optimizer.zero_grad()
    scaler.scale(F.mse_loss(net(x), y)).backward()
    nn.utils.clip_grad_norm_(net.parameters(), 1.0)
    scaler.step(optimizer)
    scaler.update()


def scaled_micro_batches():
    net, optimizer = _model()
    scaler = torch.amp.GradScaler("cpu")
    for rows in (slice(0, 1), slice(1, 2), slice(2, 3)):
        scaler.scale(F.mse_loss(net(x[rows]), y[rows]) / 3).backward()
    scaler.unscale_(optimizer)
    nn.utils.clip_grad_norm_(net.parameters(), 1.0)
    scaler.step(optimizer)
    scaler.update()


def unscaled_by_hand():
    net, optimizer = _model()
    scaler = torch.amp.GradScaler("cpu")
    scaler.scale(F.mse_loss(net(x), y)).backward()
    scaler.unscale_(optimizer)
    optimizer.step()


def autocast_and_a_step():
    net, optimizer = _model()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = F.mse_loss(net(x).float(), y)
    loss.backward()
    optimizer.step()


def logarithms_before_cross_entropy():
    """A log_softmax of log_softmax is the same once more."""
    scores = nn.Linear(2, 3)(x).log_softmax(1)
    return F.cross_entropy(scores, torch.zeros(len(x), dtype=torch.long))


def weights_of_attention_before_cross_entropy():
    weights = nn.Linear(2, 3)(x).softmax(1)
    return F.cross_entropy(weights @ nn.Linear(4, 3).weight, torch.zeros(len(x), dtype=torch.long))


def one_head_at_a_time():
    net = WithAnotherHead()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
    for both in (True, False, True):
        optimizer.zero_grad()
        F.mse_loss(net(x, both=both), y).backward()
        optimizer.step()


NEAR_MISSES = [
    logarithms_before_cross_entropy,
    weights_of_attention_before_cross_entropy,
    unequal_and_weighted,
    unequal_sums,
    sums_divided_by_the_whole,
    smaller_last_batch_of_its_own_step,
    smaller_last_batch_by_hand,
    equal_micro_batches,
    two_losses_of_other_sizes,
    penalty_beside_the_loss,
    evaluated_as_it_should,
    saliency_in_evaluation_mode,
    attack_in_evaluation_mode,
    frozen_batch_norm,
    evaluation_mode_without_a_difference,
    targets_of_a_teacher_in_training_mode,
    pseudo_labels_of_itself,
    statistics_gathered_anew,
    samples_of_dropout,
    dropout_with_its_mode,
    dropout_of_nothing,
    other_model_evaluated,
    scaled_as_it_should,
    scaled_without_clipping,
    scaler_switched_off,
    scaled_micro_batches,
    unscaled_by_hand,
    autocast_and_a_step,
    one_head_at_a_time,
]
