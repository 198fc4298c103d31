"""What NumPy writes into leaves and their gradients: no function of torch is called, and it is told."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import mse_loss

import autograd_tour as tour
from autograd_tour.record.run import Run

X, Y = torch.tensor([[1.0, 2.0], [3.0, -1.0]]), torch.tensor([0.5, 2.0])


def changes(run: Run, kind: str) -> list[tuple[tuple[float, ...], tuple[float, ...], str]]:
    """Each change of this kind: elements before and after it, and the line."""
    return [
        (change.before.first, change.after.first, line.text.strip() if (line := run.line(event)) else "")
        for event in run.events
        if event.kind == kind
        for change in event.changes
    ]


def test_a_gradient_that_numpy_scales_is_told_at_its_line_and_used_by_the_step():
    seen: list[tuple[float, ...]] = []

    def train():
        w = torch.ones(2, requires_grad=True)
        optimizer = torch.optim.SGD([w], lr=0.1)
        for _ in range(2):
            optimizer.zero_grad()
            mse_loss(X @ w, Y).backward()
            seen.append(tuple(w.grad.tolist()))
            w.grad.numpy()[...] *= 2
            seen.append(tuple(w.grad.tolist()))
            optimizer.step()

    train()
    alone = list(seen)
    run = tour.follow(train)
    line = "w.grad.numpy()[...] *= 2"
    assert changes(run, "gradient") == [(*alone[:2], line), (*alone[2:], line)]
    steps = [event.changes[0].grad.first for event in run.events if event.kind == "step"]
    assert steps == alone[1::2]


@pytest.mark.parametrize("early", [True, False], ids=["one array for all", "an array each time"])
def test_values_that_numpy_writes_are_told_before_the_next_event(early):
    seen: list[tuple[float, ...]] = []

    def train():
        w = torch.ones(2, requires_grad=True)
        array = w.detach().numpy()
        for _ in range(3):
            w.grad = None
            mse_loss(X @ w, Y).backward()
            seen.append(tuple(w.tolist()))
            if not early:
                array = w.detach().numpy()  # again
            array -= 0.1 * w.grad.numpy()
            seen.append(tuple(w.tolist()))

    train()
    alone = list(seen)
    run = tour.follow(train)
    line = "" if early else "array = w.detach().numpy()  # again"  # of the first nobody knows when it is used
    assert changes(run, "update") == [(alone[k], alone[k + 1], line) for k in (0, 2, 4)]
    assert [event.kind for event in run.events][:5] == ["zeroing", "forward", "backward", "update", "zeroing"]
    assert run.leaves[0].final_value.first == alone[-1]


def test_what_numpy_writes_into_a_tensor_of_before_is_put_back():
    w = torch.ones(2, requires_grad=True)

    def train():
        array = w.detach().numpy()
        for _ in range(12):
            (w * w).sum().backward()
            array *= 0.5

    run = tour.follow(train)
    assert w.tolist() == [1.0, 1.0]
    told = [event.backward_call for event in run.events if event.kind == "update"]
    assert told == [*range(1, 9), 9, 10]  # those of calls that are not told in full are not


def test_an_array_that_is_only_read_is_no_event():
    def train():
        w = torch.ones(2, requires_grad=True)
        optimizer = torch.optim.SGD([w], lr=0.1, momentum=0.9)
        for _ in range(3):
            optimizer.zero_grad()
            mse_loss(X @ w, Y).backward()
            print(w.detach().numpy(), w.grad.numpy())
            optimizer.step()

    assert {event.kind for event in tour.follow(train).events} == {"zeroing", "forward", "backward", "step"}
