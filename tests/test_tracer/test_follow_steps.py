"""Code of the program that runs inside of ``optimizer.step()``: closures and hooks, and libraries around them."""

from __future__ import annotations

import contextlib
import importlib
import math
import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.functional import mse_loss

import autograd_tour as tour
from autograd_tour.record.run import OF_GRAD, Event, Run

X = torch.tensor([[1.0, -2.0, 0.5], [0.3, 1.5, -1.0], [2.0, 0.1, 0.7], [-0.4, 0.9, 1.1]])
Y = torch.tensor([[3.0], [-1.0], [2.5], [0.5]])


def net() -> nn.Linear:
    model = nn.Linear(3, 1)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[0.2, -0.4, 0.6]]))
        model.bias.fill_(0.1)
    return model


def clipped_in_closure() -> None:
    model = net()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = mse_loss(model(X), Y)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 0.1)
        return loss

    for _ in range(3):
        optimizer.step(closure=closure)


def changed_in_hooks() -> None:
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def halve(*_: Any) -> None:
        for parameter in model.parameters():
            parameter.grad /= 2

    def clamp(*_: Any) -> None:
        with torch.no_grad():
            model.weight.clamp_(-0.3, 0.3)

    optimizer.register_step_pre_hook(halve)
    optimizer.register_step_post_hook(clamp)
    optimizer.register_step_post_hook(lambda *_: optimizer.zero_grad())
    for _ in range(3):
        mse_loss(model(X), Y).backward()
        optimizer.step()


class DecayedInPlace(torch.optim.Optimizer):
    """Adds the decay to ``.grad`` itself, as torch's first SGD did."""

    def __init__(self, parameters: Any) -> None:
        super().__init__(parameters, {"lr": 0.1})

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        for parameter in self.param_groups[0]["params"]:
            change = parameter.grad.data
            change.add_(parameter.data, alpha=0.5)
            parameter.data.add_(change, alpha=-0.1)


def decayed_in_place() -> None:
    model = net()
    optimizer = DecayedInPlace(model.parameters())
    for _ in range(3):
        optimizer.zero_grad()
        mse_loss(model(X), Y).backward()
        optimizer.step()


class Replacing(torch.optim.Optimizer):
    """Gives parameters other data."""

    def __init__(self, parameters: Any) -> None:
        super().__init__(parameters, {"lr": 0.1})

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        for parameter in self.param_groups[0]["params"]:
            parameter.data = parameter.data - 0.1 * parameter.grad


def replaced_data() -> None:
    model = net()
    optimizer = Replacing(model.parameters())
    for _ in range(3):
        optimizer.zero_grad()
        mse_loss(model(X), Y).backward()
        optimizer.step()


def moved_in_closure() -> None:
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def closure() -> torch.Tensor:
        with torch.no_grad():
            model.bias.add_(1)
        optimizer.zero_grad()
        loss = mse_loss(model(X), Y)
        loss.backward()
        return loss

    for _ in range(2):
        optimizer.step(closure)


class Twice(torch.optim.Optimizer):
    """Moves uphill, asks for the gradient there, and steps with it from where it was."""

    def __init__(self, parameters: Any) -> None:
        super().__init__(parameters, {"lr": 0.1})

    @torch.no_grad()
    def step(self, closure: Callable[[], torch.Tensor]) -> None:  # type: ignore[override]
        (parameters,) = (group["params"] for group in self.param_groups)
        before = [parameter.clone() for parameter in parameters]
        for parameter in parameters:
            parameter.add_(parameter.grad, alpha=0.01)
        with torch.enable_grad():
            closure()
        for parameter, value in zip(parameters, before, strict=True):
            parameter.copy_(value).sub_(parameter.grad, alpha=0.1)


class Around(torch.optim.Optimizer):
    """Lets another optimizer step, and goes half of that way back for every second parameter."""

    def __init__(self, parameters: Any) -> None:
        super().__init__(parameters, {"lr": 0.1})
        self.inner = torch.optim.SGD(self.param_groups, lr=0.1)

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        parameters = self.param_groups[0]["params"]
        before = [parameter.clone() for parameter in parameters]
        self.inner.step()
        for parameter, value in list(zip(parameters, before, strict=True))[: self.back]:
            parameter.lerp_(value, 0.5)

    back = 1


class Through(Around):
    """Does nothing by itself."""

    back = 0


def around_another() -> None:
    model = net()
    optimizer = Around(model.parameters())
    for _ in range(2):
        optimizer.zero_grad()
        mse_loss(model(X), Y).backward()
        optimizer.step()


def through_to_another() -> None:
    model = net()
    optimizer = Through(model.parameters())
    for _ in range(2):
        optimizer.zero_grad()
        mse_loss(model(X), Y).backward()
        optimizer.step()


def uphill_first() -> None:
    model = net()
    optimizer = Twice(model.parameters())

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = mse_loss(model(X), Y)
        loss.backward()
        return loss

    for _ in range(2):
        closure()
        optimizer.step(closure)


PROGRAMS = (
    clipped_in_closure, changed_in_hooks, decayed_in_place, replaced_data, moved_in_closure, uphill_first,
    around_another, through_to_another,
)  # fmt: skip


def told(run: Run) -> list[tuple[str, str]]:
    """The events of the first step."""
    end = next(n for n, event in enumerate(run.events) if event.kind == "step")
    return [(event.kind, event.inside) for event in run.events[: end + 1]]


def of(run: Run, kind: str) -> list[Event]:
    return [event for event in run.events if event.kind == kind]


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_the_course_of_each_leaf_is_told_without_a_gap(program: Callable[[], None]):
    run = tour.follow(program, keep=None)
    value = {n: leaf.value.first for n, leaf in enumerate(run.leaves) if leaf.value is not None}
    grad = {n: None if leaf.grad is None else leaf.grad.first for n, leaf in enumerate(run.leaves)}
    for event in run.events:
        part: dict[int, Any] = grad if event.kind in OF_GRAD else value
        for change in event.changes:
            before = None if change.before is None else change.before.first
            after = None if change.after is None else change.after.first
            # One closure moves values while its step lasts, and the step is told when it is done.
            if program is not moved_in_closure or event.kind != "step":
                assert before == part[change.leaf], event
            part[change.leaf] = after
            if change.grad is not None:
                assert change.grad.first == grad[change.leaf], event
    for n, leaf in enumerate(run.leaves):
        assert leaf.final_value is not None
        assert leaf.final_value.first == value[n]
        assert (None if leaf.final_grad is None else leaf.final_grad.first) == grad[n]


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_it_is_the_program_alone_bit_for_bit(program: Callable[[], None]):
    (check,) = (check for check in tour.verify(program).checks if check.name == "run")
    assert check.outcome == "ok"


def test_clipping_in_a_closure_is_told_and_is_what_the_step_uses():
    run = tour.follow(clipped_in_closure)
    assert told(run) == [
        ("zeroing", "Adam.step"), ("forward", "Adam.step"), ("backward", "Adam.step"),
        ("clipping", "Adam.step"), ("step", ""),
    ]  # fmt: skip
    for clipping, step in zip(of(run, "clipping"), of(run, "step"), strict=True):
        clipped = {change.leaf: change.after for change in clipping.changes}
        assert {change.leaf: change.grad for change in step.changes} == clipped
        assert len(clipped) == 2


def test_what_hooks_of_a_step_do_is_told_before_and_after_it():
    run = tour.follow(changed_in_hooks)
    assert [(event.kind, event.inside) for event in run.events[:6]] == [
        ("forward", ""), ("backward", ""), ("gradient", "SGD.step"), ("step", ""),
        ("update", "SGD.step"), ("zeroing", "SGD.step"),
    ]  # fmt: skip
    step, update = of(run, "step")[0], of(run, "update")[0]
    (clamped,) = update.changes
    (made,) = (change for change in step.changes if change.leaf == clamped.leaf)
    assert made.after == clamped.before
    assert clamped.after is not None
    assert max(map(abs, clamped.after.first)) <= 0.3 + 1e-6  # type: ignore[arg-type]


def test_a_grad_that_the_optimizer_changes_itself_is_told_and_not_said_to_be_used():
    run = tour.follow(decayed_in_place)
    assert told(run)[-2:] == [("gradient", "DecayedInPlace.step"), ("step", "")]
    assert all(change.grad is None for step in of(run, "step") for change in step.changes)


def test_data_that_an_optimizer_replaces_is_told_once():
    run = tour.follow(replaced_data)
    assert told(run) == [("zeroing", ""), ("forward", ""), ("backward", ""), ("step", "")]


def test_of_a_closure_that_is_called_after_the_first_move_no_used_gradient_is_told():
    run = tour.follow(uphill_first)
    assert all(change.grad is None for step in of(run, "step") for change in step.changes)


def test_what_a_step_inside_another_one_changed_is_told_once():
    steps = of(tour.follow(around_another), "step")
    assert [(step.call, step.inside) for step in steps] == [
        ("SGD.step", "Around.step"),
        ("Around.step", ""),
    ] * 2
    inner, outer = steps[:2]
    (back,) = outer.changes
    assert len(inner.changes) == 2
    assert back.before == next(change.after for change in inner.changes if change.leaf == back.leaf)
    (inner, again) = of(tour.follow(through_to_another), "step")
    assert inner.call == again.call == "SGD.step"


class EverySecond(torch.optim.SGD):
    """Steps at every second call."""

    calls = 0

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        self.calls += 1
        if self.calls % 2 == 0:
            super().step(closure)


def test_a_step_that_is_left_out_uses_nothing():
    def train() -> None:
        model = net()
        optimizer = EverySecond(model.parameters(), lr=0.1)
        for _ in range(2):
            mse_loss(model(X), Y).backward()
            optimizer.step()

    run = tour.follow(train)
    first, second, *rest = [event for event in of(run, "step") if event.changes]
    assert [change.grad for change in first.changes] == [None, None]
    assert None not in [change.grad for change in second.changes]
    assert not rest


def test_the_report_says_where_it_ends_before_the_program_does():
    def train(calls: int) -> Callable[[], None]:
        def loop() -> None:
            model = net()
            for _ in range(calls):
                mse_loss(model(X), Y).backward()

        return loop

    def report(calls: int) -> str:
        return tour.report(tour.follow(train(calls)))

    ends = "not told in full, nor what happened after that"
    assert f"backward 11 to 14 are {ends}" in report(14)
    assert f"backward 9 is {ends}" in report(9)
    assert ends not in report(10)


class Clipping(torch.optim.SGD):
    """Clips, steps as SGD does, and empties."""

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        nn.utils.clip_grad_norm_(self.param_groups[0]["params"], 0.1)
        super().step(closure)
        self.zero_grad()


def test_a_class_that_extends_a_step_is_told_once():
    torch.optim.SGD(
        [torch.ones((), requires_grad=True)]
    )  # from now on torch runs hooks around SGD's own step

    def train() -> None:
        model, other = net(), net()
        optimizer = Clipping(model.parameters(), lr=0.1)
        around = Around(other.parameters())
        for _ in range(2):
            (mse_loss(model(X), Y) + mse_loss(other(X), Y)).backward()
            optimizer.step()
            around.step()
            around.zero_grad()

    assert [(event.kind, event.inside) for event in tour.follow(train).events[2:8]] == [
        ("clipping", "Clipping.step"), ("step", "Clipping.step"), ("zeroing", "Clipping.step"),
        ("step", "Around.step"), ("step", ""), ("zeroing", ""),
    ]  # fmt: skip


def test_a_class_whose_name_is_markup_and_signs_of_a_terminal_is_text():
    Odd = type("<img src=x onerror=alert(1)>&\x1b[31m\n" + "x" * 300, (torch.optim.SGD,), {})

    def train() -> None:
        model = net()
        optimizer = Odd(model.parameters(), lr=0.1)

        def closure() -> torch.Tensor:
            loss = mse_loss(model(X), Y)
            loss.backward()
            return loss

        optimizer.step(closure)

    report = tour.report(tour.follow(train))
    assert "\x1b" not in report
    (line,) = [line for line in report.splitlines() if "backward 1" in line]
    assert "inside <img src=x onerror" in line
    assert len(line) < 200


def test_an_interrupt_in_a_closure_leaves_all_as_found():
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    hooks: Any = optimizer
    before = [parameter.detach().clone() for parameter in model.parameters()]

    def closure() -> torch.Tensor:
        mse_loss(model(X), Y).backward()
        with torch.no_grad():
            model.bias.add_(1)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tour.follow(lambda: optimizer.step(closure))
    assert all(map(torch.equal, model.parameters(), before))
    assert all(parameter.grad is None for parameter in model.parameters())
    assert not hooks._optimizer_step_pre_hooks
    assert not hooks._optimizer_step_post_hooks


def test_numbers_that_are_not_finite_in_a_closure_are_told_as_they_are():
    def train() -> None:
        model = net()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

        def closure() -> torch.Tensor:
            loss = mse_loss(model(X), Y) * math.nan
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            return loss

        optimizer.step(closure)

    run = tour.follow(train)
    (step,) = of(run, "step")
    assert {change.grad.first for change in step.changes if change.grad is not None} == {
        ("nan",),
        ("nan",) * 3,
    }
    check = tour.verify(train).checks[0]
    assert check.outcome == "ok"


def test_a_step_that_raises_is_over():
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    failing = [True]

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = mse_loss(model(X), Y)
        loss.backward()
        if failing.pop():
            raise ValueError("not now")
        return loss

    def train() -> None:
        failing[:] = [False, True]
        for _ in range(2):
            with contextlib.suppress(ValueError):
                optimizer.step(closure)
        with torch.no_grad():
            model.bias.add_(1)

    run = tour.follow(train)
    assert [(event.kind, event.inside) for event in run.events if event.kind in ("step", "update")] == [
        ("step", ""), ("update", ""),
    ]  # fmt: skip


def test_nothing_stays_with_the_optimizer():
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    mine = optimizer.register_step_pre_hook(lambda *_: None)

    hooks: Any = optimizer
    seen: list[int] = []

    def train() -> None:
        for _ in range(2):
            optimizer.zero_grad()
            mse_loss(model(X), Y).backward()
            optimizer.step()
            seen.append(len(hooks._optimizer_step_pre_hooks) + len(hooks._optimizer_step_post_hooks))

    tour.follow(train)
    assert seen == [1, 1]
    tour.verify(train)
    assert list(hooks._optimizer_step_pre_hooks) == [mine.id]
    assert not hooks._optimizer_step_post_hooks


LIBRARY = """
import torch

class Trainer:
    _loss = torch.nn.MSELoss()

    def fit(self, model, optimizer, x, y):
        for _ in range(2):
            optimizer.step(lambda: self._closure(model, optimizer, x, y))

    def _closure(self, model, optimizer, x, y):
        loss = self._loss(model(x), y) / 2
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 0.1)
        return loss

    def run(self, step, optimizer, parts):
        for _ in range(2):
            loss = step() / parts
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
"""


@pytest.fixture
def library(tmp_path, monkeypatch):
    """A package that trains, installed."""
    folder = tmp_path / "site-packages"
    folder.mkdir()
    (folder / "some_trainer.py").write_text(LIBRARY)
    monkeypatch.syspath_prepend(folder)
    yield importlib.import_module("some_trainer")
    sys.modules.pop("some_trainer")


@pytest.mark.parametrize(
    ("parts", "line"),
    [(1, "return mse_loss(model(X), Y)"), (4, "library.Trainer().run(step, optimizer, parts)")],
)
def test_a_loss_is_at_the_line_of_the_program_that_computed_this_number(library, parts, line):
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def step() -> torch.Tensor:
        return mse_loss(model(X), Y)

    def train() -> None:
        library.Trainer().run(step, optimizer, parts)

    run = tour.follow(train)
    forward, backward, _, zeroing = run.events[:4]
    lines = [line.text for line in map(run.line, (forward, backward, zeroing)) if line is not None]
    assert lines == [line] + ["library.Trainer().run(step, optimizer, parts)"] * 2


def test_clipping_by_a_library_is_called_so_at_the_line_of_the_program(library):
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def train() -> None:
        trainer = library.Trainer()
        trainer.fit(model, optimizer, X, Y)

    run = tour.follow(train)
    assert [event.kind for event in run.events] == ["forward", "zeroing", "backward", "clipping", "step"] * 2
    lines = {line.text for line in map(run.line, run.events) if line is not None}
    assert lines == {"trainer.fit(model, optimizer, X, Y)"}
    (graph,) = run.graphs
    titles = {node.grad_fn: node.op for node in graph.nodes if node.kind == "operation"}
    assert titles["DivBackward0"] == "div in trainer.fit(…)"  # the call has no value at all
    assert titles["MseLossBackward0"] == "mse_loss in trainer.fit(…)"
