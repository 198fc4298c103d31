"""What the stops of the tour compute: every figure that is known from elsewhere, to 1e-5."""

from __future__ import annotations

import math

import pytest
import torch

import autograd_tour as tour
from autograd_tour.lessons.thermometer import t_c, t_u, t_un
from autograd_tour.lessons.tour import stops
from autograd_tour.lessons.tour.running import Printer, body, listing
from autograd_tour.lessons.tour.stop_09_engine import forward as in_order
from autograd_tour.lessons.tour.stop_13_unzeroed import pace
from autograd_tour.lessons.tour.stop_22_make import drawn, torchs, with_gaps, without_gaps
from autograd_tour.lessons.tour.telling import figures_of

pytestmark = pytest.mark.xdist_group("tour")

NEAR = 1e-5
STOPS = {stop.number: stop for stop in stops()}
# float32 keeps seven digits, and a difference of losses loses most of them: these are as many as it has.
FIGURES = [
    (1, "slope seen by a nudge", 0, 4546.68),
    (1, "w.grad", 0, 4517.2969),
    (1, "w, torch.float64, h = 0.01", 0, 4517.2966),
    (1, "b, torch.float64, h = 0.01", 0, 82.6),
    (1, "w, torch.float32, h = 0.01", 0, 4517.285),
    (1, "b, torch.float32, h = 0.01", 0, 82.611),
    (1, "b, torch.float32, h = 1e-05", 0, 97.65625),
    *((2, f"{name}.grad", 0, value) for name, value in {"x": -4, "y": -4, "z": 3, "q": -4, "f": 1}.items()),
    (2, "q, f", 0, -12),
    (3, "x.grad", 0, 7),
    (4, "b.grad", 0, 82.6),
    (4, "w.grad", 0, 4517.2969),
    (5, "loss.grad", 0, 1),
    (5, "t_p.grad[0]", 0, 6.4),
    (5, "t_p.grad", 0, None),
    *((6, "w.grad", call, value) for call, value in enumerate((4517.297, 9034.594, 13551.891, 18069.188))),
    *((6, "emptied, w.grad", call, 4517.297) for call in range(4)),
    (7, "loss", 0, 1763.8848),
    (10, "the product keeps w:", 0, None),
    (10, "the mean keeps a size:", 0, 11),
    (10, "fixed: x.grad", 0, 12),
    (12, "set_to_none=True: p", 0, 0.9),
    (12, "set_to_none=False: p", 0, 0.81),
    (18, "x.grad", 0, 3),
    (19, "relu at 0: grad", 0, 0),
    (20, "x.grad[0]", 0, math.nan),
    (21, "first", 0, 12),
    (21, "second", 0, 12),
]
LISTS = [
    (11, "a.grad", [2, 2]),
    (11, "fixed: a.grad", [math.exp(1), math.exp(2)]),
    (11, "through .data: a.grad", [math.exp(1) + 1, math.exp(2) + 1]),
    (14, "by hand", [1.77614, 0.1064]),
    (14, "SGD", [1.77614, 0.1064]),
    (14, "zeroed before the step", [1, 0]),
    (19, "x.max(): x.grad", [0, 0.5, 0.5]),
    (19, "x.max(0).values: x.grad", [0, 1, 0]),
]


def figure(number, label, place=0):
    return figures_of(STOPS[number]).every(label.rstrip(" :="))[place]


@pytest.mark.parametrize(("number", "label", "place", "value"), FIGURES)
def test_a_figure_is_what_it_is_known_to_be(number, label, place, value):
    computed = figure(number, label, place)
    if value is None:
        assert computed is None
    else:
        assert computed == pytest.approx(value, rel=NEAR, nan_ok=True)


@pytest.mark.parametrize(("number", "label", "values"), LISTS)
def test_several_numbers_are_what_they_are_known_to_be(number, label, values):
    assert figure(number, label) == pytest.approx(values, rel=NEAR)


@pytest.mark.parametrize(
    ("number", "label", "value"),
    [
        (1, "difference on both sides", 12.01), (1, "x.grad", 12), (2, "p.grad", 15), (3, "x.grad", 12),
        (4, "s.grad", 12), (5, "c.grad", 12), (6, "x.grad", 7), (7, "x = -2.0, x.grad", 3), (8, "UnbindBackward0", 2),
        (9, "q.grad_fn received", 13), (12, "p", 1.9), (13, "x", 4), (14, "x", -3), (15, "all four", 5),
        (16, "Adam", 4.9), (17, "s.grad", 5), (18, "x.grad", 1), (19, "weight.grad[2, 0]", 2), (20, "x.grad", math.nan),
        (21, "x.grad", 12), (22, "visits", 1024),
    ],
)  # fmt: skip
def test_the_transfer_prints_what_is_worked_out_by_hand(number, label, value):
    figures = listing(STOPS[number].transfer)[1]
    assert dict(figures)[label] == pytest.approx(value, rel=NEAR, nan_ok=True)


def test_the_nudges_come_near_the_gradient_only_as_far_as_they_do():
    exact = 4517.2969
    one_sided = (
        ((1.01 * t_u.double() - t_c.double()) ** 2).mean() - ((t_u.double() - t_c.double()) ** 2).mean()
    ) / 0.01
    assert one_sided.item() == pytest.approx(4546.70, rel=NEAR)  # float32 has 4546.68
    assert figure(1, "slope seen by a nudge") > exact


def test_eleven_gradients_add_up_to_that_of_b():
    each = figure(4, "t_p.grad")
    assert len(each) == 11
    assert [each[0], each[-1]] == pytest.approx([6.4, 8.6181817], rel=NEAR)
    assert sum(each) == pytest.approx(82.6, rel=NEAR)


def test_the_nodes_of_the_thermometer_in_their_order():
    assert figures_of(STOPS[7]).every("node") == [
        "MeanBackward0", "PowBackward0", "SubBackward0", "AddBackward0", "MulBackward0", "AccumulateGrad",
    ]  # fmt: skip
    graph = tour.trace(in_order, Printer())
    ran = [
        (graph.node(step.node).grad_fn, graph.title(graph.card_of(step.node)))
        for _, step in graph.numbered_steps()
    ]
    assert [name for name, _ in ran] == [
        "MeanBackward0", "PowBackward0", "SubBackward0", "AddBackward0", "AccumulateGrad", "MulBackward0",
        "AccumulateGrad",
    ]  # fmt: skip
    assert [title for name, title in ran if name == "AccumulateGrad"] == ["b", "w"]
    assert figures_of(STOPS[9]).every("event") == [
        "b.grad is filled", "MulBackward0 has run", "w.grad is filled",
    ]  # fmt: skip


def test_edges_lead_to_outputs_by_number():
    lines = listing(STOPS[8].hook)[0].outputs
    assert lines == (
        "the sum leads to MulBackward0 0",
        "the sum leads to UnbindBackward0 1",
        "the product leads to UnbindBackward0 0",
        "the product leads to NoneType 0",
    )


def test_an_index_or_a_mask_has_no_pair_and_a_number_has_one():
    x, i = torch.ones(2, requires_grad=True), torch.tensor([1, 0])
    pairs = {
        "x[i]": x[i],
        "gather": x.gather(0, i),
        "where": torch.where(x > 0, x, 2 * x),
        "y * 5.0": x * 5.0,
    }
    assert {name: len(y.grad_fn.next_functions) for name, y in pairs.items()} == {
        "x[i]": 1,
        "gather": 1,
        "where": 2,
        "y * 5.0": 2,
    }


def test_what_adds_to_grad_is_shared_only_as_long_as_a_graph_is_there():
    w = torch.tensor(1.0, requires_grad=True)
    first = w * 3
    first.grad_fn.next_functions[0][0].metadata["seen"] = True
    second = w * 3
    assert second.grad_fn.next_functions[0][0].metadata == {"seen": True}
    del first, second
    assert (w * 3).grad_fn.next_functions[0][0].metadata == {}


@pytest.mark.parametrize("gradient", [0.5, 200.0, 1e6])
def test_the_first_step_of_adam_is_lr_however_large_the_gradient(gradient):
    x = torch.tensor(5.0, requires_grad=True)
    optimizer = torch.optim.Adam([x], lr=0.1)
    (gradient * x).backward()
    optimizer.step()
    assert x.item() == pytest.approx(4.9)


def test_the_momentum_of_stop_12_is_that_of_sgd():
    p, v, expected = torch.tensor(1.0, requires_grad=True), None, 1.0
    optimizer = torch.optim.SGD([p], lr=0.1, momentum=0.9)
    for gradient in (1.0, 0.0, -2.0, 3.0):
        p.grad = torch.tensor(gradient)
        optimizer.step()
        v = gradient if v is None else 0.9 * v + gradient
        expected -= 0.1 * v
        assert p.item() == pytest.approx(expected)


def test_the_small_autograd_has_some_thirty_lines():
    lines = body(STOPS[22].more[1].code)
    ends = next(i for i, line in enumerate(lines) if line.startswith("def same"))
    assert 25 <= len([line for line in lines[:ends] if line.strip()]) <= 35


def test_which_operations_run_twice():
    assert listing(STOPS[10].hook)[0].outputs == (
        "x ** 2 raises", "x * 2 raises", "x + 2 runs a second time", "x.sum() runs a second time",
    )  # fmt: skip


def test_versions_count_changes_that_are_seen():
    assert figures_of(STOPS[11]).every("version") == [0, 1]
    assert figure(11, "through .data: version") == 0


def test_a_name_that_is_bound_anew_is_no_leaf_and_not_trained():
    assert figure(14, "still a leaf") is False
    assert figure(14, "the optimizer moved it") is False


def test_micro_batches():
    expected = ([8932.86, 164.36], [4466.43, 82.18], [4517.297, 82.6])
    for computed, known in zip(figures_of(STOPS[15]).every("gradients"), expected, strict=True):
        assert computed == pytest.approx(known, rel=NEAR)


@pytest.mark.slow
def test_without_zeroing_the_loss_swings_at_one_pace():
    losses = figures_of(STOPS[13]).every("loss")
    assert [round(loss, 1) for loss in losses[:6]] == [80.4, 37.6, 39.9, 82.2, 76.8, 34.1]
    assert round(losses[6], 1) == 64.4
    kept, zeroed, momentum = (figures_of(STOPS[13]).every(label) for label in ("kept", "zeroed", "momentum"))
    assert zeroed[-1] == pytest.approx(2.927647, rel=NEAR)
    assert momentum == pytest.approx(kept, rel=1e-6)
    assert [round(pace(part), 1) for part in (kept[:500], kept[-500:])] == [3.9, 3.9]
    # As SGD on a parabola of curvature c: with momentum 1 a swing takes 2π / arccos(1 - lr c / 2) steps, its loss half.
    steep = torch.linalg.eigvalsh(
        2 / 11 * torch.stack([t_un, torch.ones(11)]) @ torch.stack([t_un, torch.ones(11)]).T
    )[1]
    assert pace(kept) == pytest.approx(math.pi / math.acos(1 - 0.01 * steep.item() / 2), rel=0.01)


@pytest.mark.slow
@pytest.mark.xdist_group("study")
def test_the_optimizers_end_where_the_training_report_has_them(whole_study):
    figures = figures_of(STOPS[16])
    assert set(figures.every("unable")) == {
        outcome.name for outcome in whole_study.outcomes if outcome.reason
    }
    for outcome in whole_study.outcomes:
        if not outcome.reason:
            assert figures[f"end, {outcome.name}"] == pytest.approx(outcome.loss, rel=NEAR)


@pytest.mark.slow
def test_full_batches_repeat_themselves_and_samples_do_not():
    assert figure(17, "all readings, twice the same") is True
    assert figure(17, "samples of four, twice the same") is False
    assert figure(17, "mean over single readings") == pytest.approx(
        figure(17, "all readings at once"), rel=NEAR
    )


def test_the_small_autograd_is_equal_to_torch_once_it_is_complete():
    for code, complete in ((with_gaps, False), (without_gaps, True)):
        printer = Printer()
        code(printer)
        assert [value for _, value in printer.figures] == [complete] * 3
    source = {
        code: listing(next(s for s in STOPS[22].more if s.code is code))[0].lines
        for code in (with_gaps, without_gaps)
    }
    different = [(a, b) for a, b in zip(source[with_gaps], source[without_gaps], strict=True) if a != b]
    assert len(different) == 4
    assert all("# yours: " in a and "# yours: " in b for a, b in different)


def test_its_graph_has_the_nodes_edges_and_gradients_of_torchs():
    ours = tour.loads(drawn(Printer())).graph
    theirs = tour.trace(torchs, Printer())

    def shape(graph):
        names = {node.id: node.grad_fn or node.name for node in graph.nodes}
        edges = sorted((edge.kind, names[edge.src], names[edge.dst], edge.slot) for edge in graph.edges)
        return sorted(names.values()), edges

    assert shape(ours) == shape(theirs)
    sums = [
        step.after.first[0]
        for graph in (ours, theirs)
        for _, step in graph.numbered_steps()
        if step.after is not None
    ]
    assert sums == [7.0, 7.0]
