"""What hooks of the program do to parameters while a trace runs its backward, and leaves inside checkpoints."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint, checkpoint_sequential

import autograd_tour as tour
from autograd_tour.errors import ProgramError


def stepping_in_backward() -> tuple[nn.Module, Tensor, list[torch.optim.Optimizer]]:
    """A model whose optimizer steps as soon as a gradient is there, and frees it."""
    net = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
    optimizers: list[torch.optim.Optimizer] = []
    for parameter in net.parameters():
        optimizer = torch.optim.SGD([parameter], lr=0.1, momentum=0.9)

        def step(parameter: Tensor, optimizer: torch.optim.Optimizer = optimizer) -> None:
            optimizer.step()
            parameter.grad = None

        parameter.register_post_accumulate_grad_hook(step)
        optimizers.append(optimizer)
    return net, torch.ones(4, 2), optimizers


@pytest.mark.parametrize("look", [tour.trace, lambda program: tour.accumulate(program, calls=2)])
def test_parameters_that_hooks_change_in_backward_are_put_back(look):
    net, x, optimizers = stepping_in_backward()
    before = [parameter.detach().clone() for parameter in net.parameters()]
    addresses = [parameter.data_ptr() for parameter in net.parameters()]
    look(lambda: net(x).pow(2).sum())
    assert all(map(torch.equal, net.parameters(), before))
    assert [parameter.data_ptr() for parameter in net.parameters()] == addresses
    assert not any(optimizer.state for optimizer in optimizers)


def test_the_record_says_that_they_were_changed_and_a_later_backward_still_runs():
    net, x, _ = stepping_in_backward()
    loss = net(x).pow(2).sum()
    (note,) = [note for note in tour.trace(loss).meta.notes if "hooks of the program" in note]
    assert note.startswith("hooks of the program changed ")
    assert note.endswith("in this backward: that was put back, what else they do was not")
    loss.backward()


def test_parameters_are_put_back_when_the_hook_raises():
    w = torch.tensor([1.0, 2.0], requires_grad=True)

    def double_and_raise(leaf: Tensor) -> None:
        with torch.no_grad():
            leaf.mul_(2)
        raise ValueError("no more")

    w.register_post_accumulate_grad_hook(double_and_raise)
    with pytest.raises(ProgramError, match="no more"):
        tour.trace(lambda: (w * 2).sum())
    assert w.tolist() == [1.0, 2.0]


def test_an_optimizer_that_some_other_hook_runs_is_as_before():
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    optimizer = torch.optim.Adam([w], lr=0.1)
    w.grad = torch.ones(2)
    optimizer.step()
    w.grad = torch.ones(2)
    before, state = w.tolist(), repr(optimizer.state_dict())

    def program() -> Tensor:
        h = w * 2
        h.register_hook(lambda _: optimizer.step() and None)
        return h.sum()

    notes = tour.trace(program).meta.notes
    assert any("changed w in this backward: that was put back" in note for note in notes)
    assert (w.tolist(), repr(optimizer.state_dict())) == (before, state)


def test_what_another_hook_changed_is_told_if_it_was_not_put_back():
    w = torch.tensor([1.0, 2.0], requires_grad=True)

    def program() -> Tensor:
        h = w + 1

        def change(gradient: Tensor) -> None:
            with torch.no_grad():
                w.add_(1)

        h.register_hook(change)
        return h.sum()

    notes = tour.trace(program).meta.notes
    assert "hooks of the program changed w in this backward, which was not put back" in notes


class Block(nn.Module):
    """One block of a transformer without its attention."""

    def __init__(self):
        super().__init__()
        self.norm, self.up, self.down = nn.LayerNorm(4), nn.Linear(4, 8), nn.Linear(8, 4)

    def forward(self, x):
        return x + self.down(torch.tanh(self.up(self.norm(x))))


class Checkpointed(nn.Module):
    """Blocks behind reentrant checkpoints of one ``kind``."""

    def __init__(self, kind):
        super().__init__()
        self.kind = kind
        self.embed, self.head = nn.Linear(3, 4), nn.Linear(4, 1)
        self.blocks = nn.ModuleList([Block() for _ in range(3)])

    def each(self, x):
        for block in self.blocks:
            x = checkpoint(block, x, use_reentrant=True)
        return x

    def forward(self, x):
        x = self.embed(x)
        if self.kind == "each":
            x = self.each(x)
        elif self.kind == "sequential":
            x = checkpoint_sequential(nn.Sequential(*self.blocks), 2, x, use_reentrant=True)
        else:
            x = checkpoint(self.each, x, use_reentrant=True)
        return self.head(x).mean()


@pytest.mark.filterwarnings("ignore:None of the inputs have requires_grad")
@pytest.mark.parametrize("kind", ["each", "sequential", "nested"])
def test_every_parameter_behind_checkpoints_is_in_trace_and_ledger(kind):
    net, x = Checkpointed(kind), torch.randn(5, 3)
    net(x).backward()
    truth = {name: parameter.grad.flatten()[0].item() for name, parameter in net.named_parameters()}
    net.zero_grad()
    graph = tour.trace(lambda: net(x))
    steps = [(graph.leaf_of(step.node), step) for _, step in graph.numbered_steps()]
    traced = {graph.node(leaf).name: step.after.first[0] for leaf, step in steps if leaf}
    assert traced == pytest.approx(truth, abs=1e-6)
    accounts = tour.accumulate(lambda: net(x), calls=2).accounts
    assert {account.name: account.keep[0].after.first[0] for account in accounts} == pytest.approx(
        truth, abs=1e-6
    )
    for account in accounts:
        assert account.keep[1].after.first[0] == pytest.approx(2 * truth[account.name], abs=1e-5)
        assert account.none[1].before is None
    assert all(parameter.grad is None for parameter in net.parameters())
