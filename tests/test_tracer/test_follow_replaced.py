"""Parameters that others take the place of, gradients of kinds that are rare, and those from elsewhere."""

from __future__ import annotations

import math
import threading

import pytest
import torch
from torch import nn
from torch.nn.functional import mse_loss

import autograd_tour as tour
from autograd_tour.errors import ProgramError
from autograd_tour.record.run import Event, Run

X, Y = torch.tensor([[1.0, 2.0], [3.0, -1.0]]), torch.tensor([[0.5], [2.0]])


def lines(run: Run, *kinds: str) -> list[tuple[str, str]]:
    """Kind and line of the events of these kinds, in their order."""
    told = [event for event in run.events if event.kind in kinds]
    return [(event.kind, line.text.strip()) for event in told if (line := run.line(event))]


def leaves(run: Run, event: Event) -> set[str]:
    return {run.leaves[change.leaf].name for change in event.changes}


def test_a_parameter_that_a_module_gets_anew_is_told_at_its_line_and_the_former_apart():
    def train():
        net = nn.Sequential(nn.Linear(2, 1))
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        for k in range(2):
            optimizer.zero_grad()
            loss = mse_loss(net(X), Y)
            loss.backward()
            optimizer.step()
            if k == 0:
                net[0].weight = nn.Parameter(torch.ones(1, 2))

    run = tour.follow(train, keep=None)
    assert lines(run, "rebinding", "forward") == [
        ("forward", "loss = mse_loss(net(X), Y)"),
        ("rebinding", "net[0].weight = nn.Parameter(torch.ones(1, 2))"),
        ("forward", "loss = mse_loss(net(X), Y)"),
    ]
    (rebinding,) = (event for event in run.events if event.kind == "rebinding")
    assert leaves(run, rebinding) == {"net.0.weight"}
    assert rebinding.changes[0].after.first == (1.0, 1.0)
    # The optimizer still has the former one: it empties that, and steps the bias alone.
    zeroing = [event for event in run.events if event.kind == "zeroing"][-1]
    assert leaves(run, zeroing) == {"net.0.weight (replaced)", "net.0.bias"}
    step = [event for event in run.events if event.kind == "step"][-1]
    assert leaves(run, step) == {"net.0.bias"}


def test_a_part_that_is_replaced_gives_all_of_its_parameters_up_at_one_line():
    def train():
        net = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
        for k in range(2):
            mse_loss(net(X), Y).backward()
            if k == 0:
                net[1] = nn.Linear(3, 1)

    run = tour.follow(train)
    assert lines(run, "rebinding") == [("rebinding", "net[1] = nn.Linear(3, 1)")]
    (rebinding,) = (event for event in run.events if event.kind == "rebinding")
    assert leaves(run, rebinding) == {"net.1.weight", "net.1.bias"}
    assert len(run.leaves) == 4


def test_a_list_that_is_made_anew_is_told_before_the_forward_that_uses_it():
    def train():
        weights = [torch.ones(2, 1, requires_grad=True), torch.ones(1, requires_grad=True)]
        for _ in range(2):
            loss = mse_loss(X @ weights[0] + weights[1], Y)
            gradients = torch.autograd.grad(loss, weights)
            weights = [
                (w - 0.1 * g).detach().requires_grad_() for w, g in zip(weights, gradients, strict=True)
            ]

    run = tour.follow(train)
    told = [event.kind for event in run.events]
    assert told == ["forward", "backward", "rebinding"] * 2
    for rebinding in (event for event in run.events if event.kind == "rebinding"):
        assert leaves(run, rebinding) == {"weights[0]", "weights[1]"}


def test_zeros_in_a_sparse_gradient_are_told():
    def train():
        table = nn.Embedding(3, 2, sparse=True)
        optimizer = torch.optim.SGD(table.parameters(), lr=0.1)
        for _ in range(2):
            optimizer.zero_grad(set_to_none=False)
            table(torch.tensor([0, 2])).pow(2).sum().backward()

    run = tour.follow(train)
    zeroing = [event for event in run.events if event.kind == "zeroing"][-1]
    backward = [event for event in run.events if event.kind == "backward"][-1]
    assert zeroing.changes[0].before.stats.norm > 0
    assert zeroing.changes[0].after == backward.changes[0].before
    assert zeroing.changes[0].after.stats.norm == 0


@pytest.mark.parametrize("name", ["clip_grad_norm_", "clip_grad_value_", "clip_grads_with_norm_"])
def test_all_ways_to_clip_are_called_clipping(name: str):
    clip = getattr(nn.utils, name)
    limits = (0.5, torch.tensor(10.0)) if name == "clip_grads_with_norm_" else (0.5,)

    def train():
        w = torch.tensor([3.0, 4.0], requires_grad=True)
        (w * w).sum().backward()
        clip([w], *limits)

    (event,) = (event for event in tour.follow(train).events if event.kind not in ("forward", "backward"))
    assert (event.kind, event.call) == ("clipping", name)


@pytest.mark.parametrize("count", [1, 2, 40])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.complex64], ids=str)
def test_norms_of_half_and_complex_gradients_are_neither_infinite_nor_left_out(count, dtype):
    values = torch.linspace(300, 400, count).to(dtype)
    values = values * (1 + 1j) if dtype.is_complex else values
    w = torch.ones(count, dtype=dtype, requires_grad=True)
    run = tour.follow(lambda: w.backward(values) if count == 1 else (w * values.conj()).real.sum().backward())
    ((norm,),) = run.curves[0].norms
    wide = values.to(torch.complex128 if dtype.is_complex else torch.float64)
    assert norm == pytest.approx(torch.linalg.vector_norm(wide).item(), rel=1e-6)
    assert math.isfinite(float(norm))


def in_a_thread(function):
    thread = threading.Thread(target=function)
    thread.start()
    thread.join()


def test_gradients_from_elsewhere_are_told_as_that():
    w = torch.ones(2, requires_grad=True)
    optimizer = torch.optim.SGD([w], lr=0.1)

    def by_func():
        w.grad = torch.func.grad(lambda v: (v * v).sum())(w.detach())
        optimizer.step()

    with pytest.raises(ProgramError, match="uses gradients, but calls no backward") as caught:
        tour.follow(by_func)
    assert "torch.func" in caught.value.hint
    with pytest.raises(ProgramError, match="backward in other threads only"):
        tour.follow(lambda: in_a_thread((w * w).sum().backward))
    with pytest.raises(ProgramError, match="the program returned None"):
        tour.follow(lambda: None)


def test_calls_of_other_threads_are_not_told_and_that_is_said():
    w, v = (torch.ones(2, requires_grad=True) for _ in range(2))

    def train():
        in_a_thread((v * v).sum().backward)
        (w * w).sum().backward()

    run = tour.follow(train)
    assert run.backward_calls == 1
    assert run.notes[0] == "backward calls of other threads are not told"
    assert not tour.follow(lambda: (w * w).sum().backward()).notes
