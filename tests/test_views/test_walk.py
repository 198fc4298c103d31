"""A loop as a page can go through it anew, and loops that it cannot."""

from __future__ import annotations

import pytest
import torch

import autograd_tour as tour
from autograd_tour.views.walk import walk


def loop_of(program):
    run = tour.follow(program)
    return walk(run, run.graphs[0])


def _loop(optimizer=None, *, rounds=3, zero=None, lr=0.25, **settings):
    def program():
        w = torch.tensor([1.0, -2.0], requires_grad=True)
        steps = optimizer([w], lr=lr, **settings) if optimizer else None
        for _ in range(rounds):
            (w * w).sum().backward()
            if steps is not None:
                steps.step()
            else:
                with torch.no_grad():
                    w -= lr * w.grad
            if zero == "none":
                w.grad = None
            elif zero == "zero":
                w.grad.zero_()

    return program


@pytest.mark.parametrize(
    ("program", "parts", "zeroing", "optimizer", "settings"),
    [
        (_loop(), ("backward", "step"), "keep", "", {}),
        (_loop(zero="zero"), ("backward", "step", "zero"), "zero", "", {}),
        (_loop(torch.optim.SGD, momentum=0.5), ("backward", "step"), "keep", "SGD", {"momentum": 0.5}),
        (
            _loop(torch.optim.Adam, zero="none"),
            ("backward", "step", "zero"),
            "none",
            "Adam",
            {"betas[0]": 0.9, "betas[1]": 0.999, "eps": 1e-08},
        ),
    ],
)
def test_a_loop_is_told_with_its_round_its_lr_and_its_optimizer(program, parts, zeroing, optimizer, settings):
    loop = loop_of(program)
    assert (loop.parts, loop.zeroing, loop.optimizer, loop.settings) == (parts, zeroing, optimizer, settings)
    assert loop.lr == 0.25
    assert len(loop.rounds) == len(loop.losses) == 3


def test_rows_have_what_was_before_what_came_and_what_follows():
    loop = loop_of(_loop())
    (first,), (second,), _ = loop.rounds
    assert first.value == (1.0, -2.0)
    assert (first.before, first.contribution, first.after) == (None, (2.0, -4.0), (2.0, -4.0))
    assert first.following == (0.5, -1.0) == second.value
    assert (second.before, second.contribution, second.after) == ((2.0, -4.0), (1.0, -2.0), (3.0, -6.0))


def test_what_comes_behind_a_name_that_is_bound_anew_is_another_loop():
    def program():
        for _ in range(2):
            w = torch.tensor(1.0, requires_grad=True)
            (3 * w).backward()

    loop = loop_of(program)
    assert len(loop.rounds) == 1
    assert loop.lr is None


def _uneven():
    w = torch.tensor(1.0, requires_grad=True)
    for round_ in range(2):
        (3 * w).backward()
        if round_:
            w.grad = None


def _pieces():
    w = torch.tensor(1.0, requires_grad=True)
    for factor in (2.0, 3.0):
        (factor * w).backward()


def _many():
    w = torch.ones(20, requires_grad=True)
    w.sum().backward()


@pytest.mark.parametrize(
    "program",
    [
        _uneven,
        _pieces,
        _many,
        _loop(torch.optim.SGD, momentum=0.5, nesterov=True),
        _loop(torch.optim.RMSprop),
    ],
)
def test_a_loop_that_cannot_be_gone_through_anew_is_none(program):
    assert loop_of(program) is None
