"""Faults and near misses from the code of people who had them: what leaves torch, copies, late replacements."""

from __future__ import annotations

import copy

import torch
from torch import nn

x, y = torch.tensor([[1.0, 2.0], [3.0, -1.0]]), torch.tensor([[1.0], [0.0]])


def through_a_list():
    encoder, head = nn.Linear(2, 2), nn.Linear(2, 1)
    rows = encoder(x).tolist()  # <- cut here
    code = torch.tensor([[first, abs(second)] for first, second in rows])
    head(code).mean().backward()


def through_an_array():
    encoder, head = nn.Linear(2, 2), nn.Linear(2, 1)
    array = encoder(x).detach().numpy()  # <- cut here
    code = torch.from_numpy(abs(array))
    head(code).mean().backward()


def written_into_a_buffer():
    encoder, head = nn.Linear(2, 2), nn.Linear(2, 1)
    buffer = torch.zeros(2, 2)
    buffer.data[:] = encoder(x)  # <- cut here
    head(buffer).mean().backward()


def written_row_by_row():
    encoder, head = nn.Linear(2, 2), nn.Linear(2, 1)
    buffer = torch.zeros(2, 2)
    for i, row in enumerate(x):
        buffer.data[i].copy_(encoder(row))  # <- cut here
    head(buffer).mean().backward()


def a_number_as_a_factor():
    net = nn.Linear(2, 1)
    temperature = nn.Parameter(torch.ones(1))
    optimizer = torch.optim.SGD([*net.parameters(), temperature], lr=0.1)
    for _ in range(2):
        optimizer.zero_grad()
        out = net(x) / temperature.item()  # <- cut here
        out.mean().backward()
        optimizer.step()


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Linear(2, 3)
        self.fc = nn.Linear(3, 2)

    def forward(self, value):
        return self.fc(torch.relu(self.body(value)))


def _train(net, optimizer):
    for _ in range(3):
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(x), torch.tensor([0, 1])).backward()
        optimizer.step()


def layer_replaced():
    net = Classifier()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)  # <- optimizer made here
    net.fc = nn.Linear(3, 2)  # <- replaced here
    _train(net, optimizer)


def parameter_replaced():
    net = Classifier()
    optimizer = torch.optim.Adam(net.parameters())  # <- optimizer made here
    net.fc.weight = nn.Parameter(torch.ones(2, 3))  # <- replaced here
    _train(net, optimizer)


def discriminator_trains_the_generator():
    player, judge = nn.Linear(2, 1), nn.Linear(1, 1)
    fake = player(x)  # <- computed here
    for_judge = judge(fake).mean()
    for_judge.backward()  # <- freed by this backward
    for_player = -judge(fake).mean()
    for_player.backward()  # <- needed again by this backward


def generator_cut_off():
    player, judge = nn.Linear(2, 1), nn.Linear(1, 1)
    for_player = torch.optim.Adam(player.parameters())
    for _ in range(2):
        for_player.zero_grad()
        loss = judge(player(x).detach()).mean()  # <- cut here
        loss.backward()
        for_player.step()


def detached_log_probabilities():
    policy = nn.Linear(2, 2)
    choice = torch.distributions.Categorical(logits=policy(x))
    action = choice.sample()
    saved = choice.log_prob(action).detach()  # <- cut here
    loss = -saved.sum()
    loss.backward()  # <- the loss without a gradient


def optimizer_of_the_wrong_player():
    player, judge = nn.Linear(2, 1), nn.Linear(1, 1)
    for_judge = torch.optim.SGD(judge.parameters(), lr=0.1)
    for_player = torch.optim.SGD(judge.parameters(), lr=0.1)
    for _ in range(2):
        judge.zero_grad()
        judge(player(x).detach()).mean().backward()
        for_judge.step()  # <- and here
        player.zero_grad()
        judge(player(x)).mean().backward()
        for_player.step()  # <- stepped here


def results_of_the_iteration_before():
    net = nn.Linear(2, 1)
    results = []
    for row in x:
        results.append(net(row))  # <- computed here
        loss = sum(results).tanh()
        loss.backward()  # <- freed by this backward  # <- needed again by this backward


def hidden_pair_of_an_lstm():
    cell, head = nn.LSTM(2, 3), nn.Linear(3, 1)
    optimizer = torch.optim.SGD([*cell.parameters(), *head.parameters()], lr=0.1)
    hidden = (torch.zeros(1, 2, 3), torch.zeros(1, 2, 3))
    for _ in range(3):
        optimizer.zero_grad()
        out, hidden = cell(x[None], hidden)  # <- computed here
        loss = head(out).mean()
        loss.backward()  # <- freed by this backward  # <- needed again by this backward
        optimizer.step()


def nothing_to_train():
    net = nn.Linear(2, 1).requires_grad_(False)
    return torch.optim.SGD([p for p in net.parameters() if p.requires_grad])  # <- raised here


FAULTS = {
    detached_log_probabilities: "loss-without-gradient",
    optimizer_of_the_wrong_player: "parameters-in-two-optimizers",
    results_of_the_iteration_before: "second-backward-carried-over",
    hidden_pair_of_an_lstm: "second-backward-carried-over",
    nothing_to_train: "optimizer-without-parameters",
    discriminator_trains_the_generator: "second-backward-two-losses",
    generator_cut_off: "grad-none-cut",
    through_a_list: "grad-none-cut",
    through_an_array: "grad-none-beside",
    written_into_a_buffer: "grad-none-cut",
    written_row_by_row: "grad-none-cut",
    a_number_as_a_factor: "grad-none-beside",
    layer_replaced: "parameter-replaced",
    parameter_replaced: "parameter-replaced",
}


# ---- near misses -----------------------------------------------------------------------------------


def list_for_a_plot():
    net = nn.Linear(2, 1)
    out = net(x)
    points = out.tolist()
    out.mean().backward()
    return points


def written_with_a_history():
    encoder, head = nn.Linear(2, 2), nn.Linear(2, 1)
    buffer = torch.zeros(2, 2)
    buffer[:] = encoder(x)
    head(buffer).mean().backward()


def layer_replaced_before_the_optimizer_was_made():
    net = Classifier()
    net.fc = nn.Linear(3, 2)
    _train(net, torch.optim.SGD(net.parameters(), lr=0.1))


def replaced_and_added_to_the_optimizer():
    net = Classifier()
    net.fc = nn.Linear(3, 2)
    optimizer = torch.optim.SGD(net.body.parameters(), lr=0.1)
    optimizer.add_param_group({"params": net.fc.parameters()})
    _train(net, optimizer)


def _average(update):
    net = Classifier()
    ema = copy.deepcopy(net)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    for _ in range(2):
        _train(net, optimizer)
        with torch.no_grad():
            for kept, parameter in zip(ema.parameters(), net.parameters(), strict=True):
                update(kept, parameter)
    with torch.no_grad():
        return ema(x).sum()


def ema_by_lerp():
    return _average(lambda kept, parameter: kept.lerp_(parameter, 0.1))


def ema_by_steps():
    return _average(lambda kept, parameter: kept.mul_(0.9).add_(parameter, alpha=0.1))


def ema_through_data():
    return _average(lambda kept, parameter: kept.data.mul_(0.9).add_(parameter.data, alpha=0.1))


def ema_by_copy():
    return _average(lambda kept, parameter: kept.copy_(0.9 * kept + 0.1 * parameter))


def target_network():
    net = Classifier()
    target = Classifier()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    for _ in range(2):
        target.load_state_dict(net.state_dict())
        with torch.no_grad():
            goal = target(x)
        optimizer.zero_grad()
        ((net(x) - goal - 1) ** 2).mean().backward()
        optimizer.step()


COPIES = [ema_by_lerp, ema_by_steps, ema_through_data, ema_by_copy, target_network]
"""Copies of a model that are updated from its parameters."""


def an_optimizer_for_each_phase():
    net = Classifier()
    for rate in (0.1, 0.01):
        _train(net, torch.optim.SGD(net.parameters(), lr=rate))


NEAR_MISSES = [
    an_optimizer_for_each_phase,
    list_for_a_plot,
    written_with_a_history,
    layer_replaced_before_the_optimizer_was_made,
    replaced_and_added_to_the_optimizer,
    *COPIES,
]
