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


FAULTS = {
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

NEAR_MISSES = [
    list_for_a_plot,
    written_with_a_history,
    layer_replaced_before_the_optimizer_was_made,
    replaced_and_added_to_the_optimizer,
    *COPIES,
]
