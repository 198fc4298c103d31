"""Records of many programs hold, and a program is as it was afterwards."""

from __future__ import annotations

import random

import pytest
import torch
from programs import basics, hooks, models, operators
from torch import nn
from torch.nn import functional as F

import autograd_tour as tour
from autograd_tour.lessons.thermometer import PROGRAMS as LESSONS
from autograd_tour.record.verification import Differences, Gradients, Likeness, Skipped, Sums, Verification
from tests.test_checks.conftest import named, outcomes

ALL = ("torchviz", "autograd", "differences", "sums")
ODD = {basics.several_outputs, basics.not_finite}
"""One has a derivative for symmetric matrices, one no finite loss: they have tests of their own."""

SOME = [
    *LESSONS.values(),
    *(program for program in basics.PROGRAMS if program not in ODD),
    models.tied,
    models.lstm,
    models.mixed_precision,
    models.gradient_penalty,
    models.checkpointed_reentrant,
    hooks.custom_function_unused_output,
    hooks.looking_hook,
    hooks.packed_saves,
    operators.embedding_bag,
    operators.spectral_norm,
    operators.views_changed_in_place,
    operators.buffer_filled_through_views,
    operators.gradient_changed_after_accumulation,
    operators.jagged,
]


def encoder_layer() -> torch.Tensor:
    """Dropout draws the same numbers in every run."""
    layer = nn.TransformerEncoderLayer(8, 2, dim_feedforward=16)
    source, target = torch.randn(3, 2, 8), torch.randn(3, 2, 8)
    return F.mse_loss(layer(source), target)


@pytest.mark.parametrize("program", SOME, ids=lambda program: program.__name__)
def test_a_record_holds(program) -> None:
    assert outcomes(tour.verify(program, elements=6)) == dict.fromkeys(ALL, "ok")


@pytest.mark.slow
@pytest.mark.parametrize(
    "program",
    [models.resnet, models.gpt_by_hand, models.gpt_fused, models.unet, models.checkpointed],
    ids=lambda program: program.__name__,
)
def test_a_record_of_a_network_holds(program) -> None:
    assert outcomes(tour.verify(program, elements=6)) == dict.fromkeys(ALL, "ok")


def test_a_layer_of_torch_holds_at_the_point_of_the_record() -> None:
    verification = tour.verify(encoder_layer, elements=12)
    assert outcomes(verification) == dict.fromkeys(ALL, "ok")
    differences = named(verification, "differences").result
    assert isinstance(differences, Differences)
    assert (differences.dtype, differences.leaves, differences.elements) == ("float64", 12, 12)
    # Weights and dropout are drawn as the record drew them, though the run is in float64.
    assert differences.distance is not None
    assert 0 < differences.distance < 1e-5


def test_leaves_have_their_names_where_float64_has_another_graph() -> None:
    """torch fuses an LSTM in float32 only, so the order of the leaves is another."""
    graph = tour.trace(models.lstm)
    result = named(tour.verify(models.lstm, elements=10, record=graph), "differences").result
    assert isinstance(result, Differences)
    assert (result.dtype, result.leaves, result.unheard) == ("float64", 10, 0)
    assert result.worst is not None
    assert result.worst.name in {"", *(node.name for node in graph.nodes if node.kind == "leaf")}
    assert result.distance is not None
    assert result.distance < 1e-5


def test_a_program_in_float64_runs_as_it_is() -> None:
    """Its weights are drawn in float32 before they are widened: only so are they those of the record."""

    def program() -> torch.Tensor:
        return nn.Linear(3, 2).double()(torch.ones(3, dtype=torch.float64)).exp().sum()

    result = named(tour.verify(program), "differences").result
    assert isinstance(result, Differences)
    assert (result.mismatches, result.distance) == (0, 0.0)


def test_figures_count_what_was_compared() -> None:
    results = {check.name: check.result for check in tour.verify(LESSONS["thermometer"]).checks}
    assert results["torchviz"] == Likeness("0.0.3", nodes=7, edges=8, stubs=2)
    assert results["autograd"] == Gradients("grad", leaves=2, elements=2, total=2)
    assert results["sums"] == Sums(arrivals=7, accumulations=2, elements=49, total=49)
    differences = results["differences"]
    assert isinstance(differences, Differences)
    assert (differences.leaves, differences.elements, differences.total) == (2, 2, 2)
    assert differences.worst is not None
    assert differences.worst.analytic == pytest.approx(differences.worst.numerical, rel=1e-6)


def test_a_loss_that_exists_is_held_where_it_can_be() -> None:
    w = torch.ones(3, requires_grad=True)
    loss = (w * w).sum()
    verification = tour.verify(loss)
    assert outcomes(verification) == {**dict.fromkeys(ALL, "ok"), "differences": "skipped"}
    assert named(verification, "differences").result == Skipped("existing")
    loss.backward()


def test_a_gradient_to_start_with() -> None:
    w = torch.ones(3, requires_grad=True)
    verification = tour.verify(lambda: w * w, gradient=torch.tensor([1.0, -2.0, 3.0]))
    assert outcomes(verification) == dict.fromkeys(ALL, "ok")
    sums = named(verification, "sums").result
    assert isinstance(sums, Sums)
    assert sums.unsent == 1


def test_a_record_alone_has_only_sums() -> None:
    graph = tour.trace(LESSONS["thermometer"])
    for record in (graph, tour.Trace(graph, tour.accumulate(LESSONS["thermometer"]))):
        verification = tour.verify(record)
        assert outcomes(verification) == {**dict.fromkeys(ALL, "skipped"), "sums": "ok"}
        assert named(verification, "autograd").result == Skipped("saved")


def test_what_was_not_recorded_is_not_checked() -> None:
    structure = tour.verify(LESSONS["thermometer"], record=tour.trace(LESSONS["thermometer"], keep=0))
    assert outcomes(structure) == {
        "torchviz": "ok",
        "autograd": "skipped",
        "differences": "ok",
        "sums": "skipped",
    }
    forward = tour.verify(LESSONS["thermometer"], record=tour.trace(LESSONS["thermometer"], backward=False))
    assert named(forward, "autograd").result == named(forward, "sums").result == Skipped("no backward")


def test_a_program_that_fails_when_it_runs_again_is_told() -> None:
    runs = []
    w = torch.ones(3, requires_grad=True)

    def program() -> torch.Tensor:
        runs.append(1)
        if len(runs) > 1:
            raise ValueError("only once")
        return (w * w).sum()

    verification = tour.verify(program)
    assert outcomes(verification) == {**dict.fromkeys(ALL, "skipped"), "sums": "ok"}
    assert named(verification, "autograd").result == Skipped("failed", "ValueError: only once")


def test_everything_is_as_it_was() -> None:
    net = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, 1))
    x = torch.randn(5, 3)
    loss = net(x).sum()
    loss.backward()
    grads = {name: (p.grad, p.grad.clone()) for name, p in net.named_parameters() if p.grad is not None}
    state = {name: value.clone() for name, value in net.state_dict().items()}
    types = {name: value.dtype for name, value in net.state_dict().items()}
    numbers = torch.get_rng_state(), random.getstate()
    verification: Verification = tour.verify(lambda: net(x).sum(), elements=4)
    assert verification.holds
    assert torch.equal(numbers[0], torch.get_rng_state())
    assert numbers[1] == random.getstate()
    for name, parameter in net.named_parameters():
        before, content = grads[name]
        assert parameter.grad is before
        assert torch.equal(before, content)
    assert all(torch.equal(value, net.state_dict()[name]) for name, value in state.items())
    assert types == {name: value.dtype for name, value in net.state_dict().items()}


def test_what_torchviz_cannot_draw_is_held_against_the_others():
    rows = torch.nested.nested_tensor([torch.ones(2), torch.ones(3)], layout=torch.jagged, requires_grad=True)
    verification = tour.verify(lambda: (rows * 2).values().sum())
    drawing = next(check for check in verification.checks if check.name == "torchviz")
    assert (drawing.outcome, drawing.result.reason) == ("skipped", "torchviz failed")
    assert "NestedIntNode" in drawing.result.detail
    gradients = next(check for check in verification.checks if check.name == "autograd")
    assert gradients.result.total == 0


def test_leaves_whose_numbers_cannot_be_read_are_not_moved():
    w = torch.ones(2, device="meta", requires_grad=True)
    verification = tour.verify(lambda: (w * 2).sum())
    differences = next(check for check in verification.checks if check.name == "differences")
    assert (differences.outcome, differences.result) == ("skipped", Skipped("unreadable"))
