"""The record against torch, to the last bit: on known programs and on random ones."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from oracle import check
from programs import basics, hooks, models, operators, randomly

from tests.examples import examples


@pytest.mark.parametrize("program", basics.PROGRAMS, ids=lambda program: program.__name__)
def test_small_programs_are_recorded_to_the_last_bit(program):
    check(program, minimum=1)


@pytest.mark.parametrize("program", models.PROGRAMS, ids=lambda program: program.__name__)
def test_real_architectures_are_recorded_to_the_last_bit(program):
    check(program, minimum=2)


@pytest.mark.parametrize(
    "program",
    [
        basics.sparse_gradient,
        basics.sparse_matrix,
        basics.nested,
        models.checkpointed_reentrant,
        *hooks.HARMLESS,
    ],
    ids=lambda program: program.__name__,
)
def test_unusual_layouts_and_own_functions_are_recorded_to_the_last_bit(program):
    check(program)


@pytest.mark.parametrize("program", operators.PROGRAMS, ids=lambda program: program.__name__)
def test_operators_are_recorded_to_the_last_bit(program):
    check(program)


@given(randomly.programs())
@settings(max_examples=examples(40), deadline=None, derandomize=True)
def test_random_programs_are_recorded_to_the_last_bit(program):
    check(program)


@pytest.mark.slow
@given(randomly.programs(steps=30))
@settings(max_examples=400, deadline=None)
def test_many_random_programs_are_recorded_to_the_last_bit(program):
    check(program)


def test_the_oracle_sees_a_single_wrong_bit():
    """Otherwise all of the above could pass by looking away."""
    from msgspec.structs import replace
    from oracle import check_steps, check_sums, pair, untraced

    import autograd_tour as tour

    graph = tour.trace(basics.fan_out, keep=None)
    run = untraced(basics.fan_out)
    nodes = pair(graph, run.outputs)
    (passed,) = graph.passes
    place, step = next((n, s) for n, s in enumerate(passed.steps) if s.sent and s.sent[0].numel == 3)
    first, *rest = step.sent[0].first
    bit = torch.nextafter(torch.tensor(first), torch.tensor(1e9)).item()
    wrong = replace(step, sent=(replace(step.sent[0], first=(bit, *rest)), *step.sent[1:]))
    broken = replace(
        graph, passes=(replace(passed, steps=(*passed.steps[:place], wrong, *passed.steps[place + 1 :])),)
    )
    with pytest.raises(AssertionError):
        check_steps(broken, run, nodes)
    with pytest.raises(AssertionError):
        check_sums(broken)
