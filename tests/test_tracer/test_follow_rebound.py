"""Names that a program binds anew: where they lead in the end, what is written there, the norms of a long run."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest
import torch
from torch import Tensor

import autograd_tour as tour
from autograd_tour.checks.courses import gaps_in
from autograd_tour.record.run import Run

Notes = list[tuple[Tensor | None, ...]]


def leaf(value: float) -> Tensor:
    return torch.tensor(value, requires_grad=True)


def in_one_line(steps: int, notes: Notes) -> Tensor:
    w = leaf(2.0)
    for _ in range(steps):
        (w * w).backward()
        notes.append((w.grad,))
        w = (w - 0.1 * w.grad).detach().requires_grad_()
    return w


def cloned(steps: int, notes: Notes) -> Tensor:
    w = leaf(2.0)
    for _ in range(steps):
        (w * w).backward()
        notes.append((w.grad,))
        gradient = w.grad
        w = w.detach().clone()
        w -= 0.1 * gradient
        w.requires_grad_()
    return w


def detached(steps: int, notes: Notes) -> Tensor:
    w = leaf(2.0)
    for _ in range(steps):
        (w * w).backward()
        notes.append((w.grad,))
        gradient = w.grad
        w = w.detach()
        w -= 0.1 * gradient
        w.requires_grad_()
    return w


def functional(steps: int, notes: Notes) -> Tensor:
    w = leaf(2.0)
    for _ in range(steps):
        (gradient,) = torch.autograd.grad(w * w, w)
        notes.append((gradient,))
        w = (w - 0.1 * gradient).detach().requires_grad_()
    return w


def in_a_list(steps: int, notes: Notes) -> Tensor:
    weights = [leaf(2.0), leaf(-1.0)]
    for _ in range(steps):
        (weights[0] ** 2 + weights[1] ** 4).backward()
        notes.append(tuple(weight.grad for weight in weights))
        weights = [(weight - 0.1 * weight.grad).detach().requires_grad_() for weight in weights]
    return weights[0]


def once_and_late(steps: int, notes: Notes) -> Tensor:
    w, b = leaf(2.0), leaf(1.0)
    optimizer = torch.optim.SGD([b], lr=0.01)
    for step in range(steps):
        optimizer.zero_grad()
        (w * w * b).backward()
        notes.append((w.grad.clone(), b.grad))
        optimizer.step()
        if step == 12:
            w = leaf(1.5)
    return w


MANY = [in_one_line, cloned, detached, functional, in_a_list, once_and_late]


def followed(program: Callable[[int, Notes], Tensor], steps: int) -> tuple[Run, Tensor, Notes]:
    notes: Notes = []
    results: list[Tensor] = []

    def run_it() -> None:
        notes.clear()
        results[:] = [program(steps, notes)]

    run = tour.follow(run_it)
    return run, results[0], notes


@pytest.mark.parametrize("program", [in_one_line, cloned, detached, functional])
def test_the_value_at_the_end_is_that_of_what_the_name_stands_for(program):
    run, result, _ = followed(program, 3)
    (w,) = run.leaves
    assert w.name == "w"
    assert w.final_value is not None
    assert (w.final_value.first, w.final_grad) == ((result.item(),), None)
    assert gaps_in(run) == ()


def test_what_is_written_to_a_copy_is_told_before_it_is_used():
    run, result, _ = followed(cloned, 2)
    told = [event for event in run.events if event.kind in ("rebinding", "update")]
    assert [event.kind for event in told] == ["rebinding", "update"] * 2
    course = [(change.before.first, change.after.first) for event in told for change in event.changes]
    assert all(left[1] == right[0] for left, right in pairwise(course))
    assert course[-1][1] == (result.item(),)


@pytest.mark.parametrize("program", MANY)
def test_the_norms_of_a_long_run_are_those_of_the_tensors_that_were_used(program):
    steps = 30
    run, _, notes = followed(program, steps)
    (curve,) = run.curves
    assert (curve.calls, curve.leaves) == (tuple(range(1, steps + 1)), tuple(range(len(notes[0]))))
    expected = [tuple(abs(grads[n].item()) for grads in notes) for n in curve.leaves]
    assert list(curve.norms) == expected


@pytest.mark.parametrize("program", MANY)
def test_where_nobody_listened_at_the_end_the_name_is_looked_up_all_the_same(program):
    run, result, _ = followed(program, 30)
    item = run.leaves[0]
    assert item.final_value is not None
    assert item.final_value.first == (result.item(),)
    assert not any("not known" in note for note in run.notes)


def test_what_was_bound_anew_once_has_the_value_that_it_has():
    run, result, _ = followed(once_and_late, 30)
    (w,) = (item for item in run.leaves if item.name == "w")
    assert w.final_value is not None
    assert w.final_value.first == (result.item(),)


def test_a_leaf_of_which_nobody_knows_where_it_went_has_no_norms():
    class Model:
        weight = leaf(2.0)

    class Holder:
        model = Model()

    def program() -> None:
        holder = Holder()
        for step in range(30):
            (holder.model.weight**2).backward()
            if step > 10:
                holder.model.weight = (holder.model.weight - 0.1).detach().requires_grad_()

    run = tour.follow(program)
    norms = run.curves[0].norms[0]
    assert None not in norms[:12]
    assert set(norms[12:]) == {None}
    assert run.leaves[0].final_value is not None
    assert run.leaves[0].final_value.first == ()


def test_another_net_that_a_line_does_not_reach_keeps_its_norms():
    def program() -> None:
        w, b = leaf(2.0), leaf(3.0)
        for _ in range(12):
            (w * w).backward()
            (b * 2).backward()

    run = tour.follow(program)
    of_b = next(n for n, item in enumerate(run.leaves) if item.name == "b")
    norms = [curve.norms for curve in run.curves]
    assert norms[1][of_b] == tuple(2.0 * call for call in range(1, 13))
