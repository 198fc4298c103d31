"""The course of each leaf: what one event leaves the next one finds; else a change is told by none."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
import torch
from msgspec.structs import replace
from torch import nn

import autograd_tour as tour
from autograd_tour.checks.courses import gaps_in
from autograd_tour.record.run import Event, Run
from autograd_tour.record.verification import Gap, Training
from autograd_tour.reports.verification import lines


def clipped() -> None:
    net = nn.Linear(2, 1)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    for batch in range(3):
        optimizer.zero_grad()
        (net(torch.full((3, 2), batch + 1.0)) ** 2).mean().backward()
        nn.utils.clip_grad_norm_(net.parameters(), 0.1)
        optimizer.step()


def without(run: Run, kind: str, number: int = 0) -> Run:
    """``run`` as if event ``number`` of this kind had not been heard."""
    event = [event for event in run.events if event.kind == kind][number]
    return replace(run, events=tuple(other for other in run.events if other is not event))


def line_of(run: Run, kind: str, number: int = 0) -> object:
    return run.line([event for event in run.events if event.kind == kind][number])


def test_a_run_that_tells_all_has_no_gap():
    run = tour.follow(clipped)
    assert {event.kind for event in run.events} == {"forward", "backward", "zeroing", "clipping", "step"}
    assert gaps_in(run) == ()


@pytest.mark.parametrize(
    ("kind", "part", "before", "after"),
    [
        ("zeroing", "gradient", "clipping", "backward"),
        ("clipping", "gradient", "backward", "step"),
        ("step", "value", "step", "step"),
    ],
)
def test_an_event_that_is_missing_is_a_gap_between_the_lines_around_it(kind, part, before, after):
    run = tour.follow(clipped)
    gaps = gaps_in(without(run, kind, 1))
    assert {gap.kind for gap in gaps} == {part}
    assert {gap.name for gap in gaps} == {"weight", "bias"}
    first = gaps[0]
    assert (first.after, first.before, first.at_end) == (line_of(run, before), line_of(run, after, -1), False)


def test_what_is_missing_at_the_end_is_a_gap_up_to_the_end():
    run = tour.follow(clipped)
    gaps = gaps_in(without(run, "step", -1))
    step = line_of(run, "step")
    assert gaps == tuple(Gap("value", name, step, None, at_end=True) for name in ("bias", "weight"))


def test_where_calls_are_not_told_nothing_is_said():
    def program() -> None:
        w = torch.tensor([1.0, 2.0], requires_grad=True)
        optimizer = torch.optim.SGD([w], lr=0.01)
        for _ in range(25):
            optimizer.zero_grad()
            (w**4).sum().backward()
            optimizer.step()

    run = tour.follow(program)
    assert run.backward_calls > len([event for event in run.events if event.kind == "backward"])
    assert gaps_in(run) == ()
    assert gaps_in(without(run, "step", 3)) != ()


def test_a_leaf_that_becomes_nan_has_no_gap():
    def program() -> None:
        w = torch.tensor([0.0, 1.0], requires_grad=True)
        optimizer = torch.optim.SGD([w], lr=1.0)
        for _ in range(2):
            (w / w).sum().backward()
            optimizer.step()

    assert gaps_in(tour.follow(program)) == ()


def test_rebinding_begins_another_grad():
    def program() -> None:
        w = torch.tensor(2.0, requires_grad=True)
        for _ in range(3):
            (w * w).backward()
            w = (w - 0.1 * w.grad).detach().requires_grad_()

    run = tour.follow(program)
    assert "rebinding" in {event.kind for event in run.events}
    assert gaps_in(run) == ()


def in_a_thread() -> None:
    w = torch.ones(2, requires_grad=True)
    optimizer = torch.optim.SGD([w], lr=0.5)
    (w * w).sum().backward()

    def other() -> None:
        with torch.no_grad():
            w.mul_(3)

    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    optimizer.step()


def test_verify_names_what_no_event_tells():
    verification = tour.verify(in_a_thread)
    check = verification.checks[0]
    assert (check.outcome, verification.holds) == ("differs", False)
    assert isinstance(check.result, Training)
    assert check.result.unlike == ()
    (gap,) = check.result.gaps
    assert (gap.kind, gap.name, gap.after, gap.at_end) == ("value", "w", None, False)
    assert gap.before is not None
    line, *_ = lines(verification)
    told = f"no event tells how the value of w changed, before {gap.before.position}"
    assert told in line
    assert (
        "1 loss, 1 .grad after backward, 1 value after steps: bit for bit those of the program alone" in line
    )


def with_events(change: Callable[[Event], Event]) -> Run:
    run = tour.follow(clipped)
    return replace(run, events=tuple(map(change, run.events)))


def test_a_step_that_used_another_grad_than_is_there_is_a_gap():
    def other(event: Event) -> Event:
        if event.kind != "step":
            return event
        changes = (replace(item, grad=item.before) for item in event.changes)
        return replace(event, changes=tuple(changes))

    assert {gap.kind for gap in gaps_in(with_events(other))} == {"gradient"}
