"""Every fault has its finding with its guilty lines, and what is only near to one has none."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from programs import basics, hooks, loops, models, operators, training
from programs.faults import again, changed, cut_off, in_practice, numbers, steps, trained

from autograd_tour import explain
from autograd_tour.lessons import thermometer

FILES = (cut_off, changed, numbers, trained, steps, again, in_practice)
FAULTS = [(program, kind) for file in FILES for program, kind in file.FAULTS.items()]
NEAR_MISSES = [program for file in FILES for program in file.NEAR_MISSES]


def marked(program: Callable[..., Any]) -> set[tuple[str, int]]:
    """(role, line) of each ``# <- role`` in the source of a program."""
    lines, start = inspect.getsourcelines(program)
    return {
        (role.strip(), start + n)
        for n, line in enumerate(lines)
        for role in re.findall(r"# <- ([^#]*)", line)
    }


@pytest.mark.parametrize(("program", "kind"), FAULTS, ids=lambda item: getattr(item, "__name__", item))
def test_a_fault_is_found_with_its_lines(program, kind) -> None:
    findings = explain(program).findings
    worst = [finding for finding in findings if finding.level != "note"]
    assert [finding.kind for finding in worst] == [kind]
    assert {(item.role, item.line.line) for item in worst[0].lines} == marked(program)
    assert worst[0].why


@pytest.mark.parametrize("program", NEAR_MISSES, ids=lambda program: program.__name__)
def test_what_is_near_to_a_fault_is_none(program) -> None:
    assert [finding.brief for finding in explain(program).findings if finding.level != "note"] == []


HEALTHY = [
    *basics.PROGRAMS,
    *hooks.HARMLESS,
    *loops.LOOPS,
    *models.PROGRAMS,
    *operators.PROGRAMS,
    *training.PROGRAMS,
    *thermometer.PROGRAMS.values(),
]
TRULY = {
    "hooks.custom_function": ["custom-backward-differs"],
    "basics.unused_leaf": ["grad-none-beside"],
    "basics.not_finite": ["nan-forward"],
    "training.not_finite": ["nan-backward"],
}
"""Some of these programs do have a fault, and say so in their names."""


@pytest.mark.parametrize("program", HEALTHY, ids=lambda program: program.__name__)
def test_a_program_without_a_fault_has_no_finding(program) -> None:
    name = f"{program.__module__.rpartition('.')[2]}.{program.__name__}"
    reported = [item for item in explain(program).findings if item.level != "note"]
    assert [item.kind for item in reported] == TRULY.get(name, []), [item.brief for item in reported]


@pytest.mark.parametrize(
    ("program", "kind", "last"),
    [(numbers.vanishing, "vanishing", "28.weight"), (numbers.exploding, "exploding", "11.weight")],
)
def test_what_happens_along_the_depth_is_told_with_norms(program, kind, last) -> None:
    (finding,) = [item for item in explain(program).findings if item.level != "note"]
    assert finding.kind == kind
    assert "0.weight" in finding.why
    assert last in finding.why


@pytest.mark.parametrize(
    ("program", "fix"),
    [
        (in_practice.through_a_list, "torch.stack"),
        (in_practice.through_an_array, "torch function of the same name"),
        (in_practice.written_row_by_row, "without .data"),
        (in_practice.a_number_as_a_factor, "stay a tensor"),
        (in_practice.discriminator_trains_the_generator, "fake.detach()"),
        (in_practice.results_of_the_iteration_before, "results.clear()"),
        (in_practice.hidden_pair_of_an_lstm, "tuple(h.detach() for h in hidden)"),
    ],
)
def test_the_fix_is_that_of_the_cause(program, fix) -> None:
    (finding,) = explain(program).findings
    assert fix in finding.fix


def test_a_layer_that_was_replaced_is_called_by_its_name() -> None:
    (finding,) = explain(in_practice.layer_replaced).findings
    assert finding.about == ("fc.weight", "fc.bias")


def test_a_parameter_that_no_model_in_sight_has_is_called_by_its_place_in_the_optimizer() -> None:
    net, stranger = torch.nn.Linear(2, 1), torch.nn.Linear(3, 1)
    optimizer = torch.optim.SGD([*net.parameters(), stranger.weight], lr=0.1)
    del stranger

    def train() -> None:
        net(torch.ones(1, 2)).sum().backward()
        optimizer.step()

    (finding,) = explain(train).findings
    assert finding.about == ("parameter 3 of SGD (1 × 3)",)
