"""Optimizers that change values around the steps of others: what they do themselves, where it happens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import autograd_tour as tour
from autograd_tour.checks.courses import gaps_in
from autograd_tour.record.run import Event, Run
from autograd_tour.views.run_columns import column


class Uphill(torch.optim.Optimizer):
    """Sharpness-aware: a little way up, the closure there, down again, and then another optimizer's step."""

    def __init__(self, parameters: Any) -> None:
        super().__init__(parameters, {})
        self.base = torch.optim.SGD(self.param_groups, lr=0.1)
        self.way: dict[Tensor, Tensor] = {}

    @torch.no_grad()
    def step(self, closure: Callable[[], Tensor]) -> None:  # type: ignore[override]
        for parameter in self.param_groups[0]["params"]:
            self.way[parameter] = 0.05 * parameter.grad
            parameter.add_(self.way[parameter])
        self.zero_grad()
        with torch.enable_grad():
            closure()
        for parameter in self.param_groups[0]["params"]:
            parameter.sub_(self.way[parameter])
        self.base.step()


class Two(torch.optim.Optimizer):
    """Halves, lets one step, adds 1, lets another step, and takes 0.25 away."""

    def __init__(self, parameters: list[nn.Parameter]) -> None:
        super().__init__(parameters, {})
        self.inner = [torch.optim.SGD(parameters, lr=0.1), torch.optim.Adam(parameters, lr=0.01)]

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        (w,) = self.param_groups[0]["params"]
        w.mul_(0.5)
        self.inner[0].step()
        w.data += 1.0
        self.inner[1].step()
        w.sub_(0.25)


def uphill() -> None:
    w = nn.Parameter(torch.tensor([2.0, -3.0]))
    optimizer = Uphill([w])

    def closure() -> Tensor:
        loss = (w**2).sum()
        loss.backward()
        return loss

    for _ in range(2):
        optimizer.zero_grad()
        closure()
        optimizer.step(closure)


def two() -> None:
    w = nn.Parameter(torch.tensor([2.0, -3.0]))
    optimizer = Two([w])
    for _ in range(2):
        optimizer.zero_grad()
        (w**2).sum().backward()
        optimizer.step()


def told(run: Run) -> list[tuple[str, str, str]]:
    return [(event.kind, event.call, event.inside) for event in run.events]


def text(run: Run, event: Event) -> str:
    line = run.line(event)
    return "" if line is None else line.text.strip()


def test_what_an_optimizer_does_before_its_closure_and_before_another_steps_is_told_there():
    run = tour.follow(uphill)
    inside = [item for item in told(run)[:9] if item[2]]
    assert inside == [
        ("update", "", "Uphill.step"),
        ("zeroing", "Uphill.zero_grad", "Uphill.step"),
        ("forward", "", "Uphill.step"),
        ("backward", "", "Uphill.step"),
        ("update", "", "Uphill.step"),
        ("step", "SGD.step", "Uphill.step"),
    ]
    up, down = [event for event in run.events if event.kind == "update"][:2]
    assert (text(run, up), text(run, down)) == (
        "parameter.add_(self.way[parameter])",
        "parameter.sub_(self.way[parameter])",
    )
    assert up.changes[0].after.first == pytest.approx((2.2, -3.3))
    assert column((up,), run, None).head == "update"
    assert gaps_in(run) == ()


def test_the_step_inside_says_which_grad_it_used():
    run = tour.follow(uphill)
    (change,) = next(event for event in run.events if event.kind == "step").changes
    assert change.grad is not None
    assert change.grad.first == pytest.approx((4.4, -6.6))


def test_values_changed_between_the_steps_of_two_others_are_told_between_them():
    run = tour.follow(two)
    steps = [event for event in run.events if event.kind in ("step", "update")]
    assert [(event.kind, event.call) for event in steps] == [
        ("update", ""),
        ("step", "SGD.step"),
        ("update", ""),
        ("step", "Adam.step"),
        ("step", "Two.step"),
    ] * 2
    assert gaps_in(run) == ()
    (last,) = steps[4].changes
    assert last.grad is None
    assert last.after.first[0] == torch.tensor(last.before.first[0]).sub(0.25).item()


def test_of_an_optimizer_that_evaluates_at_several_points_each_point_is_told():
    points: list[list[float]] = []

    def train() -> None:
        w = torch.tensor([2.0, -1.0], requires_grad=True)
        optimizer = torch.optim.LBFGS([w], max_iter=4)

        def closure() -> Tensor:
            optimizer.zero_grad()
            loss = ((w - 1) ** 4).sum()
            loss.backward()
            points.append(w.tolist())
            counts.append(optimizer.state[w]["func_evals"])
            return loss

        optimizer.step(closure)

    counts: list[int] = []
    run = tour.follow(train)
    assert points_of(run) == points
    told = [
        item.after.first[0]
        for event in run.events
        for change in event.changes
        for item in change.state
        if item.name == "func_evals" and event.kind == "update"
    ]
    assert told == counts[1:]  # what it kept when it called the closure again
    (step,) = (event for event in run.events if event.kind == "step")
    assert step.changes[0].after == run.leaves[0].final_value
    assert len({tuple(point) for point in points}) > 2


def points_of(run: Run) -> list[list[float]]:
    """The values of the only leaf at each backward, as the events before it tell them."""
    leaf = run.leaves[0]
    assert leaf.value is not None
    value, points = leaf.value, []
    for event in run.events:
        if event.kind == "backward":
            points.append(list(value.first))
        elif event.kind in ("step", "update"):
            value = next((change.after for change in event.changes if change.after is not None), value)
    return points


class Ascending(torch.optim.Optimizer):
    """Sharpness-aware: it goes uphill, has the gradient computed there, and steps from where it began."""

    def __init__(self, parameters: list[Tensor], *, by_closure: bool) -> None:
        super().__init__(parameters, {})
        self.by_closure = by_closure

    def step(self, closure):  # type: ignore[override]
        (w,) = self.param_groups[0]["params"]
        with torch.no_grad():
            w.add_(0.5)  # uphill
        w.grad = None
        if self.by_closure:
            closure()
        else:
            (w**2).sum().backward()
        w.data = w.data - 0.5  # back
        with torch.no_grad():
            w.sub_(0.1 * w.grad)


@pytest.mark.parametrize("by_closure", [False, True])
def test_where_an_optimizer_computes_a_gradient_is_told_with_its_line(by_closure: bool):
    points: list[list[float]] = []

    def train() -> None:
        w = torch.tensor([1.0, 3.0], requires_grad=True)
        optimizer = Ascending([w], by_closure=by_closure)
        w.register_hook(lambda _: points.append(w.tolist()))

        def closure() -> None:
            (w**2).sum().backward()

        for _ in range(2):
            optimizer.zero_grad()
            closure()
            optimizer.step(closure)

    run = tour.follow(train)
    assert points_of(run) == points
    uphill = [event for event in run.events if event.kind == "update"]
    lines = [run.line(event) for event in uphill]
    assert ["uphill" in line.text for line in lines if line is not None] == [True, True]
    assert {event.inside for event in uphill} == {"Ascending.step"}
    steps = [event for event in run.events if event.kind == "step"]
    assert steps[-1].changes[0].after == run.leaves[0].final_value


def test_they_are_verified():
    for program in (uphill, two):
        assert tour.verify(program).holds


def test_what_a_hook_of_a_backward_changes_by_hand_is_told_inside_it():
    w = nn.Parameter(torch.tensor([1.0, 2.0]))

    def move(parameter: Tensor) -> None:
        with torch.no_grad():
            parameter.add_(parameter.grad, alpha=-0.1)

    w.register_post_accumulate_grad_hook(move)

    def train() -> None:
        for _ in range(3):
            w.grad = None
            ((w - 3) ** 2).sum().backward()

    run = tour.follow(train)
    updates = [event for event in run.events if event.kind == "update"]
    assert [(event.inside, event.backward_call) for event in updates] == [
        ("backward", call) for call in (1, 2, 3)
    ]
    assert updates[-1].changes[0].after == run.leaves[0].final_value
    assert gaps_in(run) == ()
    assert w.tolist() == [1.0, 2.0]


@pytest.mark.parametrize("set_to_none", [True, False])
def test_what_a_hook_empties_without_a_step_is_emptied_after_the_deposit(set_to_none: bool):
    net = nn.Linear(2, 1, bias=False)
    sums = []

    def hook(parameter: Tensor) -> None:
        sums.append(parameter.grad.clone())
        net.zero_grad(set_to_none)

    def train():
        net.weight.register_post_accumulate_grad_hook(hook)
        for _ in range(2):
            net(torch.ones(1, 2)).sum().backward()

    run = tour.follow(train)
    assert [event.kind for event in run.events] == ["forward", "backward", "zeroing"] * 2
    backward, zeroing = run.events[1:3]
    (deposit,), (emptied,) = backward.changes, zeroing.changes
    assert deposit.before is None
    assert deposit.contribution.first == deposit.after.first == emptied.before.first == (1.0, 1.0)
    assert emptied.after is None if set_to_none else emptied.after.first == (0.0, 0.0)
    assert gaps_in(run) == ()
    assert tour.verify(train).checks[0].outcome == "ok"


def test_a_hook_that_empties_what_the_backward_has_not_reached_yet_is_told_so():
    w, v = torch.tensor(1.0, requires_grad=True), torch.tensor(2.0, requires_grad=True)
    optimizer = torch.optim.SGD([w, v], lr=0.1)

    def train():
        w.register_post_accumulate_grad_hook(lambda _: optimizer.zero_grad())
        (v * 3).backward()
        (w * 5).backward()

    run = tour.follow(train)
    (change,) = run.events[3].changes
    assert (run.leaves[change.leaf].name, change.after.first) == ("w", (5.0,))
    zeroing = run.events[4]
    assert {run.leaves[item.leaf].name: item.before.first for item in zeroing.changes} == {
        "v": (3.0,),
        "w": (5.0,),
    }
    assert gaps_in(run) == ()
