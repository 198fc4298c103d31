"""Live steps: the real engine, in its own order, and nothing left behind by who leaves early."""

from __future__ import annotations

import gc
import subprocess
import sys
import textwrap
import threading

import pytest
import torch
from programs import basics, hooks, models, operators

import autograd_tour as tour
from autograd_tour.errors import ProgramError, UsageError
from autograd_tour.lessons.thermometer import thermometer
from autograd_tour.tracer.engine.stepper import Stop

PROGRAMS = [
    thermometer, basics.square_by_product, basics.broadcast, basics.fan_out, basics.lists,
    basics.in_place_on_a_view, basics.complex_numbers, basics.several_losses, basics.half, basics.nested,
    hooks.tensor_hook, hooks.custom_function, hooks.leaf_hook, models.lstm, models.tied, models.checkpointed,
    models.checkpointed_reentrant, models.mixed_precision, models.gradient_penalty, models.transformer_layer,
    operators.gru, operators.views_changed_in_place,
]  # fmt: skip


def leaf(value=1.0):
    return torch.tensor(value, requires_grad=True)


def engines():
    """Threads of ours that are alive."""
    return [thread for thread in threading.enumerate() if thread is not threading.main_thread()]


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_the_steps_are_those_of_the_record(program):
    torch.manual_seed(0)
    recorded = [(step.node, step.received, step.before) for _, step in tour.trace(program).numbered_steps()]
    torch.manual_seed(0)
    stops = list(tour.stepper(program))
    assert [stop.number for stop in stops] == list(range(1, len(stops) + 1))
    assert [(stop.node.id, stop.received, stop.before) for stop in stops] == recorded
    assert not engines()


def test_grad_is_live_inside_the_loop_and_stays_after_the_last_step():
    w, b = leaf(2.0), leaf(3.0)
    seen = [(w.grad, b.grad) for _ in tour.stepper(lambda: (w * b) ** 2)]
    assert seen[0] == (None, None)
    assert sum(grad is not None for grad in seen[-1]) == 1  # the other one comes with the last step
    expected = torch.autograd.grad((w * b) ** 2, (w, b))
    assert (w.grad, b.grad) == expected


def test_grad_that_was_there_is_added_to_in_its_own_memory():
    w = leaf(2.0)
    (w * 5).backward()
    held = w.grad
    list(tour.stepper(lambda: w * 5))
    assert w.grad is held
    assert held == 10


def test_retained_gradients_are_there_after_the_last_step():
    w = leaf(2.0)
    h = w * 3
    h.retain_grad()
    list(tour.stepper(h**2))
    assert h.grad == 12


@pytest.mark.parametrize("after", [1, 2, 3])
@pytest.mark.parametrize("how", ["break", "raise", "close", "forget"])
def test_leaving_early_leaves_nothing_behind(after, how):
    w = leaf(2.0)
    (w * 1.0).backward()
    held = w.grad
    loss = (w * 3) ** 2
    before = torch.get_rng_state()
    steps = tour.stepper(loss)
    if how in ("close", "forget"):
        for _ in range(after):
            next(steps)
        if how == "close":
            steps.close()
        del steps
    else:
        try:
            for stop in steps:
                torch.rand(1)
                if stop.number == after:
                    if how == "raise":
                        raise ValueError
                    break
        except ValueError:
            pass
        del steps
    gc.collect()
    assert not engines()
    assert w.grad is held
    assert held == 1
    assert torch.equal(before, torch.get_rng_state())
    loss.backward()  # the graph is whole, and no hook is left that would wait
    assert w.grad == 1 + 36
    assert list(tour.stepper(lambda: w * 2))  # and another one can begin


def test_a_stepper_that_is_never_asked_does_nothing():
    calls = []
    steps = tour.stepper(lambda: calls.append(1))
    assert not calls
    del steps
    assert list(tour.stepper(lambda: leaf() * 2))


def test_two_at_once_are_refused_and_the_first_goes_on():
    first = tour.stepper(thermometer)
    next(first)
    with pytest.raises(UsageError, match="another stepper"):
        next(tour.stepper(thermometer))
    assert len(list(first)) == 6


def test_a_backward_and_a_trace_inside_the_loop_do_not_wait_for_each_other():
    w = leaf(2.0)
    for stop in tour.stepper(lambda: (w * 3) ** 2):
        other = leaf(1.0)
        (other * w * 2).backward()
        assert other.grad == 4
        assert len(tour.trace(lambda: w * 7).passes) == 1
        assert isinstance(stop, Stop)
    assert w.grad == 36 + 2 * stop.number


@pytest.mark.parametrize(
    ("program", "said"),
    [
        (hooks.forward_raises, "raised"), (hooks.backward_raises, "backward raised"),
        (lambda: torch.ones(2, requires_grad=True) * 2, "not a scalar"), (lambda: torch.ones(1), "needs no grad"),
        (lambda: None, "returned None"),
    ],
)  # fmt: skip
def test_errors_are_told_where_the_loop_is(program, said):
    with pytest.raises(ProgramError, match=said):
        list(tour.stepper(program))
    assert not engines()
    assert list(tour.stepper(thermometer))


def test_what_is_no_program_is_refused():
    with pytest.raises(UsageError):
        next(tour.stepper(3))


def test_a_gradient_for_what_is_no_scalar_can_be_given():
    x = torch.ones(3, requires_grad=True)
    stops = list(tour.stepper(lambda: x * 2, gradient=torch.tensor([1.0, 2.0, 3.0])))
    assert stops[0].received[0].first == (1.0, 2.0, 3.0)
    assert torch.equal(x.grad, torch.tensor([2.0, 4.0, 6.0]))


def test_a_stop_is_a_line_to_read():
    lines = [str(stop) for stop in tour.stepper(thermometer)]
    assert lines[1].startswith("2  (t_p − t_c) ** 2 (PowBackward0)  receives (11) 0.0909091")
    assert lines[1].endswith("sends it × 2(t_p − t_c) to t_p − t_c")
    assert lines[4] == "5  b.grad  None + 82.6"


def test_switches_of_the_readers_thread_hold_in_the_engines():
    seen = []

    class Look(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            seen.append(torch.is_autocast_enabled("cpu"))
            return g * 2

    w = leaf()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        list(tour.stepper(lambda: Look.apply(w)))
    list(tour.stepper(lambda: Look.apply(w)))
    assert seen == [True, False]


def test_a_deep_chain_can_be_stepped_and_freed():
    x = leaf()
    y = x
    for _ in range(3000):
        y = y * 1.0001
    assert sum(1 for _ in tour.stepper(y, keep=1)) == 3001
    del y


@pytest.mark.slow
def test_the_end_of_the_process_does_not_wait_for_an_engine_that_waits():
    program = """
        import torch, autograd_tour as tour
        w = torch.tensor(2.0, requires_grad=True)
        steps = tour.stepper(lambda: (w * 3) ** 2)
        print(next(steps).number)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, timeout=300
    )
    assert (done.returncode, done.stdout.strip()) == (0, "1"), done.stderr
