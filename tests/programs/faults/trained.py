"""Steps of a training in the wrong order, or with the wrong parameters; and errors of torch."""

from __future__ import annotations

import torch
from torch import nn

x, y = torch.tensor([[1.0, 2.0], [3.0, -1.0]]), torch.tensor([[1.0], [0.0]])


def _model() -> tuple[nn.Linear, torch.optim.Optimizer]:
    torch.manual_seed(0)
    net = nn.Linear(2, 1)
    return net, torch.optim.SGD(net.parameters(), lr=0.01)


def _players() -> tuple[nn.Linear, nn.Linear, torch.optim.Optimizer, torch.optim.Optimizer]:
    player, judge = _model()[0], nn.Linear(1, 1)
    return player, judge, *(torch.optim.SGD(net.parameters(), lr=0.01) for net in (player, judge))


def never_zeroed():
    net, optimizer = _model()
    for _ in range(3):
        loss = ((net(x) - y) ** 2).mean()
        loss.backward()  # <- adds to the old .grad here
        optimizer.step()  # <- used here


def zeroed_before_step():
    net, optimizer = _model()
    for _ in range(2):
        loss = ((net(x) - y) ** 2).mean()
        loss.backward()  # <- deposited here
        optimizer.zero_grad()  # <- emptied here
        optimizer.step()  # <- stepped here, with nothing


def zeroed_with_zeros_before_step():
    net, optimizer = _model()
    for _ in range(2):
        loss = ((net(x) - y) ** 2).mean()
        loss.backward()  # <- deposited here
        optimizer.zero_grad(set_to_none=False)  # <- emptied here
        optimizer.step()  # <- stepped here, with nothing


def optimizer_of_another_model():
    net, _ = _model()
    _, optimizer = _model()
    for _ in range(2):
        optimizer.zero_grad()
        loss = ((net(x) - y) ** 2).mean()
        loss.backward()
        optimizer.step()  # <- stepped here


def layer_replaced_after_the_optimizer_was_made():
    net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
    optimizer = torch.optim.SGD(net[1:].parameters(), lr=0.01)  # <- optimizer made here
    net[1] = nn.Linear(2, 1)  # <- replaced here
    for _ in range(2):
        optimizer.zero_grad()
        ((net(x) - y) ** 2).mean().backward()
        optimizer.step()  # <- stepped here


def raises():
    net, _ = _model()
    return net(torch.ones(1, 3)).sum()  # <- raised here


def clipped_after_step():
    net, optimizer = _model()
    for _ in range(2):
        optimizer.zero_grad()
        loss = ((net(x) - y) ** 2).mean()
        loss.backward()
        optimizer.step()  # <- used here
        nn.utils.clip_grad_norm_(net.parameters(), 0.01)  # <- clipped here


def clipped_before_backward():
    net, optimizer = _model()
    for _ in range(2):
        optimizer.zero_grad()
        loss = ((net(x) - y) ** 2).mean()
        nn.utils.clip_grad_norm_(net.parameters(), 0.01)  # <- clipped here
        loss.backward()
        optimizer.step()


def total_of_losses():
    net, optimizer = _model()
    total = 0.0
    for _ in range(3):
        optimizer.zero_grad()
        loss = ((net(x) - y) ** 2).mean()
        loss.backward()
        optimizer.step()
        total += loss  # <- kept here


def judge_emptied_before_the_players_loss():
    player, judge, for_player, for_judge = _players()
    for _ in range(2):
        for_judge.zero_grad()  # <- emptied too early here
        for_player.zero_grad()
        drawn = player(x)
        loss = -judge(drawn).mean()
        loss.backward()  # <- the other loss deposits here
        for_player.step()
        loss = (judge(drawn.detach()) - judge(y)).mean()
        loss.backward()  # <- adds to it here
        for_judge.step()  # <- both used here


def judge_emptied_after_its_own_step():
    player, judge, for_player, for_judge = _players()
    for _ in range(3):
        judge(y).mean().backward()
        (-judge(player(x).detach()).mean()).backward()  # <- adds to it here
        for_judge.step()  # <- both used here
        for_judge.zero_grad()  # <- emptied too early here
        for_player.zero_grad()
        judge(player(x)).mean().backward()  # <- the other loss deposits here
        for_player.step()


def loss_of_many():
    net, _ = _model()
    loss = (net(x) - y) ** 2
    loss.backward()  # <- raised here


def integer_parameter():
    w = torch.tensor([1, 2], requires_grad=True)  # <- raised here
    (w * 2).sum().backward()


def unrelated_input():
    a = torch.ones(2, requires_grad=True)
    b = torch.ones(2, requires_grad=True)
    return torch.autograd.grad((a * 2).sum(), [b])  # <- raised here


class _Stack(nn.Module):
    """Its layers stand in a plain list, its scale in a plain attribute."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layers = [nn.Linear(2, 3), nn.Linear(3, 3)]
        self.head = nn.Linear(3, 1)
        self.scale = torch.tensor(2.0, requires_grad=True)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        for layer in self.layers:
            inputs = torch.tanh(layer(inputs))
        return self.head(self.scale * inputs)


def layers_in_a_plain_list():
    net = _Stack()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
    for _ in range(2):
        optimizer.zero_grad()
        loss = ((net(x) - y) ** 2).mean()
        loss.backward()
        optimizer.step()  # <- stepped here


def decoder_in_no_optimizer():
    torch.manual_seed(0)
    encoder, decoder = nn.Linear(2, 2), nn.Linear(2, 1)
    optimizer = torch.optim.SGD(encoder.parameters(), lr=0.01)
    for _ in range(3):
        optimizer.zero_grad()
        loss = ((decoder(torch.tanh(encoder(x))) - y) ** 2).mean()
        loss.backward()  # <- adds to the old .grad here
        optimizer.step()  # <- stepped here


def loss_computed_before_the_loop():
    net, optimizer = _model()
    loss = ((net(x) - y) ** 2).mean()  # <- computed here
    for _ in range(2):
        optimizer.zero_grad()
        loss.backward()  # <- freed by this backward # <- needed again by this backward
        optimizer.step()


FAULTS = {
    decoder_in_no_optimizer: "parameters-in-no-optimizer",
    loss_computed_before_the_loop: "second-backward-same-loss",
    layers_in_a_plain_list: "parameters-not-registered",
    never_zeroed: "zero-grad-missing",
    zeroed_before_step: "zero-grad-before-step",
    zeroed_with_zeros_before_step: "zero-grad-before-step",
    optimizer_of_another_model: "optimizer-of-other-parameters",
    layer_replaced_after_the_optimizer_was_made: "optimizer-of-other-parameters",
    raises: "error",
    clipped_before_backward: "clipped-before-backward",
    clipped_after_step: "clipped-after-step",
    total_of_losses: "graph-kept",
    judge_emptied_before_the_players_loss: "gradient-of-another-loss",
    judge_emptied_after_its_own_step: "gradient-of-another-loss",
    loss_of_many: "loss-not-scalar",
    integer_parameter: "integer-requires-grad",
    unrelated_input: "input-not-used",
}


# ---- near misses -----------------------------------------------------------------------------------


def usual_loop():
    net, optimizer = _model()
    total = 0.0
    for _ in range(3):
        optimizer.zero_grad()
        loss = ((net(x) - y) ** 2).mean()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 0.01)
        optimizer.step()
        total += loss.item()


def zeroed_after_step():
    net, optimizer = _model()
    for _ in range(3):
        loss = ((net(x) - y) ** 2).mean()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=False)


def accumulated_on_purpose():
    net, optimizer = _model()
    for step in range(4):
        loss = ((net(x) - y) ** 2).mean() / 2
        loss.backward()
        if step % 2:
            optimizer.step()
            optimizer.zero_grad()


def two_players():
    player, judge, for_player, for_judge = _players()
    for _ in range(2):
        for_judge.zero_grad()
        (judge(player(x).detach()) - judge(y)).mean().backward()
        for_judge.step()
        for_player.zero_grad()
        judge(player(x)).mean().backward()
        for_player.step()


def player_first_and_judge_emptied_in_time():
    player, judge, for_player, for_judge = _players()
    for _ in range(2):
        for_player.zero_grad()
        drawn = player(x)
        (-judge(drawn)).mean().backward()
        for_player.step()
        for_judge.zero_grad()
        (judge(drawn.detach()) - judge(y)).mean().backward()
        for_judge.step()


def judge_frozen_for_the_players_loss():
    player, judge, for_player, for_judge = _players()
    for _ in range(2):
        for_judge.zero_grad()
        for_player.zero_grad()
        judge.requires_grad_(False)
        drawn = player(x)
        (-judge(drawn)).mean().backward()
        for_player.step()
        judge.requires_grad_(True)
        (judge(drawn.detach()) - judge(y)).mean().backward()
        for_judge.step()


def both_losses_before_both_steps():
    player, judge, for_player, for_judge = _players()
    for _ in range(2):
        for_judge.zero_grad()
        for_player.zero_grad()
        drawn = player(x)
        judge(drawn).mean().backward()
        (judge(drawn.detach()) - judge(y)).mean().backward()
        for_player.step()
        for_judge.step()


def one_of_two_steps_more_rarely():
    first, second, for_first, for_second = _players()
    for step in range(4):
        for_first.zero_grad()
        second(first(x)).mean().backward()
        for_first.step()
        if step % 2:
            for_second.step()
            for_second.zero_grad()


def head_with_an_optimizer_of_its_own():
    torch.manual_seed(0)
    trunk, head, other = nn.Linear(2, 2), nn.Linear(2, 1), nn.Linear(2, 1)
    for_trunk = torch.optim.SGD([*trunk.parameters(), *other.parameters()], lr=0.01)
    for_head = torch.optim.SGD(head.parameters(), lr=0.01)
    for _ in range(2):
        for_trunk.zero_grad()
        for_head.zero_grad()
        head(trunk(x)).mean().backward()
        for_head.step()
        ((other(trunk(x)) - y) ** 2).mean().backward()
        for_trunk.step()


def losses_added_and_followed():
    net, optimizer = _model()
    optimizer.zero_grad()
    total = torch.zeros(())
    for _ in range(3):
        total = total + ((net(x) - y) ** 2).mean()
    total.backward()
    optimizer.step()


def closure():
    net, _ = _model()
    optimizer = torch.optim.LBFGS(net.parameters(), max_iter=2)

    def again() -> torch.Tensor:
        optimizer.zero_grad()
        loss = ((net(x) - y) ** 2).mean()
        loss.backward()
        return loss

    optimizer.step(again)
    optimizer.step(again)


def plain_list_that_the_optimizer_knows():
    net = _Stack()
    hidden = [parameter for layer in net.layers for parameter in layer.parameters()]
    optimizer = torch.optim.SGD([*net.parameters(), *hidden, net.scale], lr=0.01)
    for _ in range(2):
        optimizer.zero_grad()
        loss = ((net(x) - y) ** 2).mean()
        loss.backward()
        optimizer.step()


def points_in_the_model_whose_gradient_is_wanted():
    net = nn.Sequential(nn.Linear(1, 3), nn.Tanh(), nn.Linear(3, 1))
    net.points = torch.linspace(0, 1, 4).reshape(4, 1).requires_grad_()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
    for _ in range(2):
        optimizer.zero_grad()
        (slope,) = torch.autograd.grad(net(net.points).sum(), net.points, create_graph=True)
        ((slope - 1) ** 2).mean().backward()
        optimizer.step()


def plain_scale_that_is_updated_by_hand():
    net = nn.Linear(2, 1)
    net.scale = torch.tensor(2.0, requires_grad=True)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
    for _ in range(2):
        optimizer.zero_grad()
        loss = ((net.scale * net(x) - y) ** 2).mean()
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            net.scale -= 0.01 * net.scale.grad
        net.scale.grad = None


def decoder_that_is_not_trained_and_emptied():
    torch.manual_seed(0)
    encoder, decoder = nn.Linear(2, 2), nn.Linear(2, 1)
    net = nn.Sequential(encoder, nn.Tanh(), decoder)
    optimizer = torch.optim.SGD(encoder.parameters(), lr=0.01)
    for _ in range(3):
        net.zero_grad()
        ((net(x) - y) ** 2).mean().backward()
        optimizer.step()


def decoder_emptied_every_second_time():
    torch.manual_seed(0)
    encoder, decoder = nn.Linear(2, 2), nn.Linear(2, 1)
    net = nn.Sequential(encoder, nn.Tanh(), decoder)
    optimizer = torch.optim.SGD(encoder.parameters(), lr=0.01)
    for i in range(6):
        ((net(x) - y) ** 2).mean().backward()
        if i % 2:
            optimizer.step()
            net.zero_grad()


def decoder_whose_optimizer_steps_at_the_end():
    torch.manual_seed(0)
    encoder, decoder = nn.Linear(2, 2), nn.Linear(2, 1)
    optimizer = torch.optim.SGD(encoder.parameters(), lr=0.01)
    rarely = torch.optim.SGD(decoder.parameters(), lr=0.01)
    for _ in range(3):
        optimizer.zero_grad()
        ((decoder(torch.tanh(encoder(x))) - y) ** 2).mean().backward()
        optimizer.step()
    rarely.step()


NEAR_MISSES = [
    decoder_that_is_not_trained_and_emptied,
    decoder_emptied_every_second_time,
    decoder_whose_optimizer_steps_at_the_end,
    plain_list_that_the_optimizer_knows,
    points_in_the_model_whose_gradient_is_wanted,
    plain_scale_that_is_updated_by_hand,
    usual_loop,
    zeroed_after_step,
    accumulated_on_purpose,
    two_players,
    player_first_and_judge_emptied_in_time,
    judge_frozen_for_the_players_loss,
    both_losses_before_both_steps,
    one_of_two_steps_more_rarely,
    head_with_an_optimizer_of_its_own,
    losses_added_and_followed,
    closure,
]
