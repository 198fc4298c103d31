"""The figures of the training lesson, each to five digits or as printed."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET

import pytest
import torch

from autograd_tour.errors import UsageError
from autograd_tour.formats import Settings
from autograd_tour.formats.to_png import png
from autograd_tour.lessons import training, training_study
from autograd_tour.lessons.optimizers import found_optimizers, train_with
from autograd_tour.lessons.thermometer import (
    PROGRAMS,
    loss_fn,
    model,
    t_c,
    t_u,
    t_un,
    thermometer,
    thermometer_params,
)
from autograd_tour.lessons.training import loss_picture
from autograd_tour.lessons.training_report import report
from autograd_tour.lessons.training_study import EPOCHS, sgd_step, study, training_loop
from tests.paper import texts

NEAR = 1e-5
TEN_LOSSES = {
    500: 7.860115,
    1000: 3.828538,
    1500: 3.092191,
    2000: 2.957698,
    2500: 2.933134,
    3000: 2.928648,
    3500: 2.927830,
    4000: 2.927679,
    4500: 2.927652,
    5000: 2.927647,
}
DTYPES = pytest.mark.parametrize("dtype", [torch.float32, torch.float64])


def start(dtype=torch.float32):
    return torch.tensor([1.0, 0.0], dtype=dtype, requires_grad=True)


@pytest.fixture(scope="module", params=[60, pytest.param(5000, marks=pytest.mark.slow)])
def result(request):
    """The study of the lesson, or one of fewer epochs, which takes a fiftieth of the time."""
    return study(request.param) if request.param != EPOCHS else request.getfixturevalue("whole_study")


@pytest.fixture(scope="module")
def words(whole_study):
    return report(whole_study)


def test_the_data():
    assert len(t_u) == len(t_c) == 11
    assert t_un.tolist() == pytest.approx([0.1 * value for value in t_u.tolist()], rel=1e-6)


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)
def test_loss_at_the_start(program):
    assert program().item() == pytest.approx(1763.8848, rel=NEAR)


def test_gradient_at_the_start():
    loss = thermometer()
    loss.backward()
    add = loss.grad_fn.next_functions[0][0].next_functions[0][0].next_functions[0][0]
    w = add.next_functions[0][0].next_functions[0][0].variable
    b = add.next_functions[1][0].variable
    assert [w.grad.item(), b.grad.item()] == pytest.approx([4517.2969, 82.6], rel=NEAR)


def test_params_as_one_tensor_are_unbound():
    seen, stack = set(), [thermometer_params().grad_fn]
    while stack:
        node = stack.pop()
        seen.add(node.name())
        stack += [child for child, _ in node.next_functions if child is not None]
    assert "UnbindBackward0" in seen


def test_four_calls_of_backward():
    params, found = start(), {True: [], False: []}
    for zero in (False, True):
        params.grad = None
        for _ in range(4):
            if zero:
                params.grad = None
            loss_fn(model(t_u, *params), t_c).backward()
            found[zero].append(params.grad[0].item())
    assert found[False] == pytest.approx([4517.3, 9034.6, 13551.9, 18069.2], rel=NEAR)
    assert found[True] == pytest.approx([4517.3] * 4, rel=NEAR)


@DTYPES
def test_ten_losses_and_final_parameters_by_hand(dtype):
    run = training_loop(5000, 1e-2, start(dtype), t_un.to(dtype), t_c.to(dtype))
    assert {epoch: run.at(epoch) for epoch in TEN_LOSSES} == pytest.approx(TEN_LOSSES, rel=NEAR)
    assert run.params == pytest.approx((5.3671, -17.3012), rel=NEAR)
    assert [round(value, 4) for value in run.params] == [5.3671, -17.3012]


@pytest.mark.parametrize("dtype", [pytest.param(torch.float32, marks=pytest.mark.slow), torch.float64])
def test_without_zeroing_the_loss_swings_and_equals_momentum_one(dtype):
    run = training_loop(5000, 1e-2, start(dtype), t_un.to(dtype), t_c.to(dtype), zero=False)
    assert [round(loss, 1) for loss in run.losses[:6]] == [80.4, 37.6, 39.9, 82.2, 76.8, 34.1]
    assert round(run.at(5000), 1) == 64.4
    momentum = train_with("SGD", torch.optim.SGD, 5000, t_un.to(dtype), t_c.to(dtype), lr=1e-2, momentum=1.0)
    rel = 1e-9 if dtype == torch.float64 else 1e-2  # a swing without friction keeps every rounding
    assert momentum.losses == pytest.approx(run.losses, rel=rel)
    assert momentum.losses[:50] == pytest.approx(run.losses[:50], rel=NEAR)


def test_one_step_of_sgd_on_the_raw_readings():
    *_, last = sgd_step(1e-5, t_u, t_c, ("backward", "step"))
    assert last.params[0] == pytest.approx(0.95483, rel=NEAR)
    assert last.params[1] == pytest.approx(-0.000826, rel=NEAR)
    assert last.grad == pytest.approx((4517.2969, 82.6), rel=NEAR)


@pytest.mark.parametrize(("set_to_none", "emptied"), [(True, None), (False, (0.0, 0.0))])
def test_one_step_of_sgd_after_zero_grad(set_to_none, emptied):
    acts = ("zero_grad", "backward", "step", "zero_grad")
    begin, zeroed, back, step, end = sgd_step(1e-2, t_un, t_c, acts, set_to_none)
    assert (begin.grad, zeroed.grad) == (None, None)
    assert back.params == (1.0, 0.0)
    assert step.grad == back.grad
    assert [round(value, 4) for value in step.params] == [1.7761, 0.1064]
    assert step.params == pytest.approx((1.77614, 0.1064), rel=NEAR)
    assert end.params == step.params
    assert end.grad == emptied


def test_zeroing_between_backward_and_step_learns_nothing():
    *_, last = sgd_step(1e-2, t_un, t_c, ("backward", "zero_grad", "step"))
    assert last.params == (1.0, 0.0)


@pytest.mark.parametrize(
    ("weights", "expected"),
    [((1, 1), (8932.86, 164.36)), ((1 / 2, 1 / 2), (4466.43, 82.18)), ((6 / 11, 5 / 11), (4517.297, 82.6))],
    ids=["unscaled", "each divided by two", "each weighted by its size"],
)
def test_micro_batches_of_six_and_five(weights, expected):
    params = start()
    for part, weight in zip((slice(0, 6), slice(6, 11)), weights, strict=True):
        (weight * loss_fn(model(t_u[part], *params), t_c[part])).backward()
    assert params.grad.tolist() == pytest.approx(expected, rel=NEAR)


def test_optimizers_are_found_at_run_time(monkeypatch):
    class Mine(torch.optim.SGD):
        pass

    assert torch.optim.Optimizer not in found_optimizers().values()
    monkeypatch.setattr(torch.optim, "Mine", Mine, raising=False)
    assert found_optimizers()["Mine"] is Mine


def test_optimizers_of_torch_2_13():
    if not torch.__version__.startswith("2.13"):
        pytest.skip("another torch has others")
    assert sorted(found_optimizers()) == [
        "ASGD", "Adadelta", "Adafactor", "Adagrad", "Adam", "AdamW", "Adamax", "LBFGS", "Muon", "NAdam",
        "RAdam", "RMSprop", "Rprop", "SGD", "SparseAdam",
    ]  # fmt: skip


def test_every_optimizer_runs_or_says_why_not(result):
    reasons = {outcome.name: outcome.reason for outcome in result.outcomes if outcome.reason}
    assert set(found_optimizers()) == {outcome.name for outcome in result.outcomes}
    assert {"LBFGS", "SparseAdam"} <= set(reasons)
    assert "closure" in reasons["LBFGS"]
    assert "dense" in reasons["SparseAdam"]
    if "Muon" in found_optimizers():
        assert reasons["Muon"].startswith("when it is built")
        assert "2D" in reasons["Muon"]
    for outcome in result.outcomes:
        assert outcome.reason or len(outcome.losses) == result.epochs
        assert outcome.reason or outcome.losses[0] == pytest.approx(80.364342, rel=NEAR)


@pytest.mark.slow
def test_which_optimizers_are_at_the_optimum(whole_study):
    result = whole_study
    best = result.best
    assert best.loss == pytest.approx(2.927646, rel=NEAR)
    assert best.params == pytest.approx((5.36772, -17.30478), rel=NEAR)
    away = {o.name for o in result.outcomes if not o.reason and o.loss > 1.005 * best.loss}
    assert away == {"Adadelta", "Adafactor", "Adagrad", "AdamW"}
    assert {o.name for o in result.outcomes if o.jumps} == {"Adafactor", "RMSprop"}
    jumping = next(o for o in result.outcomes if o.name == "Adafactor")
    assert jumping.end_params == pytest.approx(best.params, rel=1e-4)
    sgd = next(o for o in result.outcomes if o.name == "SGD")
    assert {epoch: sgd.losses[epoch - 1] for epoch in TEN_LOSSES} == pytest.approx(TEN_LOSSES, rel=NEAR)


@pytest.mark.slow
def test_what_the_report_says_about_adamw_is_so():
    run = train_with("AdamW", torch.optim.AdamW, 10_000, t_un.double(), t_c.double(), lr=1e-2)
    assert round(run.loss, 3) == 2.928


@pytest.mark.slow
def test_the_report_has_the_figures_in_aligned_columns(words):
    for figure in ("7.86012", "2.92765", "64.4", "−17.3012", "0.954827", "1.77614, 0.1064", "closure"):
        assert figure in words
    assert all(len(line) <= 98 for line in words.splitlines())
    rows = re.findall(r"^ +\d+ +[\d.]+ +[\d.]+$", words, re.MULTILINE)
    assert len(rows) == 16
    assert {len(row) for row in rows[:6]} == {len(rows[0])}
    assert {len(row) for row in rows[6:]} == {len(rows[6])}
    assert words.endswith("\n")
    assert "0x" not in words


def test_the_picture_shows_both_losses_and_the_swing_as_a_band(result):
    svg = loss_picture(result)
    root = ET.fromstring(svg)
    shown = [node.text for node in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"zeroed", "without zeroing", "optimum 2.928", "epoch"} <= set(shown)
    assert any("Marks and dashes tell the lines apart" in text for text in shown)
    if result.epochs == EPOCHS:
        assert shown.count("optimum 2.928") == 2
        assert "the first 60 epochs, linear" in shown
        assert "all 5000 epochs, both axes logarithmic" in shown
        assert "fill-opacity" in svg
    assert svg == loss_picture(result)
    assert len(svg) < 40_000


@pytest.mark.slow
@pytest.mark.parametrize("shift", [1e-13, -1e-13])
def test_what_is_printed_does_not_hang_on_the_last_bits(monkeypatch, words, whole_study, shift):
    """As on another CPU, where sums are taken in another order."""
    monkeypatch.setattr(training_study, "t_un", t_un.double() * (1 + shift))
    moved = study()
    assert report(moved) == words
    assert loss_picture(moved) == loss_picture(whole_study)


def test_no_epochs_and_a_diverging_run_still_report():
    nothing = train_with("SGD", torch.optim.SGD, 0, t_un, t_c, lr=1e-2)
    assert math.isnan(nothing.loss)
    wild = study(n_epochs=60, learning_rate=1.0, dtype=torch.float32)
    assert not math.isfinite(wild.zeroed.losses[-1])
    assert "nan" in report(wild) or "inf" in report(wild)
    ET.fromstring(loss_picture(wild))


def test_the_lesson_is_written_in_the_formats_it_has(monkeypatch):
    monkeypatch.setattr(training, "study", lambda: study(n_epochs=60))
    files = training.lesson.files(Settings(formats=("png", "dot", "pdf", "txt"), theme="dark", scale=1.0))
    assert list(files) == ["training-loss.png", "training-loss.pdf", "training-report.txt"]
    assert files["training-loss.png"] == png(loss_picture(study(n_epochs=60), "dark"), 1.0)
    assert "without zeroing" in texts(files["training-loss.pdf"])[0]
    assert list(training.lesson.files(Settings())) == ["training-report.txt", "training-loss.svg"]
    with pytest.raises(UsageError, match="no trace to write") as caught:
        training.lesson.files(Settings(formats=("json",)))
    assert caught.value.hint == "Choose -f txt or -f svg or -f png or -f pdf"
