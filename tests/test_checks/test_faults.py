"""Each check can fail: a record that was tampered with, and programs whose backward is no derivative."""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from msgspec.structs import replace
from programs import basics, hooks, threaded
from torch import Tensor

import autograd_tour as tour
from autograd_tour.checks import sums
from autograd_tour.lessons.thermometer import thermometer
from autograd_tour.record.facts import TensorFacts
from autograd_tour.record.graph import BackwardPass, Graph, Step
from autograd_tour.record.verification import (
    Differences,
    Gradients,
    Kink,
    Likeness,
    Skipped,
    Sums,
    Verification,
)
from tests.test_checks.conftest import named, outcomes


def square() -> Tensor:
    x = torch.tensor([1.5, -2.0, 3.25], requires_grad=True)
    return (x * x).sum()


def with_step(graph: Graph, change: Callable[[Step], Step], node: str) -> Graph:
    """The same record with another step of ``node``."""
    steps = tuple(change(step) if step.node == node else step for step in graph.passes[0].steps)
    return replace(graph, passes=(BackwardPass(steps),))


def accumulator(graph: Graph) -> str:
    return next(node.id for node in graph.nodes if node.kind == "accumulate")


def only_differs(verification: Verification, *names: str) -> bool:
    return {name for name, outcome in outcomes(verification).items() if outcome == "differs"} == set(names)


def differences_of(program: Callable[[], Tensor], elements: int = 20) -> Differences:
    result = named(tour.verify(program, elements=elements), "differences").result
    assert isinstance(result, Differences), result
    return result


# ---- torchviz -----------------------------------------------------------------------------------


def test_one_of_two_equal_edges_is_missed() -> None:
    graph = tour.trace(square, keep=None)
    twice = [e for e in graph.select("gradient") if graph.node(e.src).grad_fn == "MulBackward0"]
    assert len(twice) == 2
    verification = tour.verify(
        square, record=replace(graph, edges=tuple(e for e in graph.edges if e != twice[1]))
    )
    likeness = named(verification, "torchviz").result
    assert isinstance(likeness, Likeness)
    assert likeness.missing == ("MulBackward0 → AccumulateGrad",)
    assert not likeness.extra
    assert only_differs(verification, "torchviz", "sums")


def test_an_edge_that_torchviz_does_not_have_is_told() -> None:
    graph = tour.trace(square, keep=None)
    edge = next(e for e in graph.select("gradient") if graph.node(e.src).grad_fn == "SumBackward0")
    verification = tour.verify(square, record=replace(graph, edges=(*graph.edges, edge)))
    likeness = named(verification, "torchviz").result
    assert isinstance(likeness, Likeness)
    assert likeness.extra == ("SumBackward0 → MulBackward0",)


def test_an_edge_to_another_node_is_told() -> None:
    """The multisets of class names would be the same; the graphs are not."""

    def program() -> Tensor:
        x = torch.tensor([1.0, 2.0], requires_grad=True)
        a, b = torch.sin(x * 2), torch.sin(x * 3)
        return (a * b).sum()

    graph = tour.trace(program, keep=None)
    first, second = [e for e in graph.select("gradient") if graph.node(e.src).grad_fn == "SinBackward0"]
    swapped = {first: replace(first, dst=second.dst), second: replace(second, dst=first.dst)}
    # The same node, slot by slot, now leads to the other product; so does the other.
    edges = tuple(swapped.get(edge, edge) for edge in graph.edges)
    assert named(tour.verify(program, record=replace(graph, edges=edges)), "torchviz").outcome == "ok"
    crossed = tuple(replace(first, dst=second.dst) if edge == first else edge for edge in graph.edges)
    verification = tour.verify(program, record=replace(graph, edges=crossed))
    assert named(verification, "torchviz").outcome == "differs"


def test_another_class_and_a_missing_node_are_told() -> None:
    graph = tour.trace(square, keep=None)
    renamed = tuple(
        replace(node, grad_fn="DivBackward0") if node.grad_fn == "MulBackward0" else node
        for node in graph.nodes
    )
    result = named(tour.verify(square, record=replace(graph, nodes=renamed)), "torchviz").result
    assert isinstance(result, Likeness)
    assert result.renamed == ("DivBackward0 is MulBackward0",)

    gone = next(node.id for node in graph.nodes if node.grad_fn == "MulBackward0")
    kept = {node.id for node in graph.nodes} - {gone}
    result = named(tour.verify(square, record=graph.only(kept)), "torchviz").result
    assert isinstance(result, Likeness)
    assert "MulBackward0" in result.missing


@pytest.mark.slow
def test_a_graph_too_deep_for_torchviz_is_skipped() -> None:
    w = torch.ones(1, requires_grad=True)

    def program() -> Tensor:
        x = w
        for _ in range(2000):
            x = x + 1
        return x.sum()

    verification = tour.verify(program, elements=1)
    assert named(verification, "torchviz").result == Skipped("too deep", "2002")
    assert outcomes(verification)["autograd"] == "ok"


# ---- autograd -----------------------------------------------------------------------------------


@pytest.mark.parametrize("keep", [None, 2])
def test_the_last_bit_of_a_gradient_counts(keep: int | None) -> None:
    graph = tour.trace(square, keep=keep)

    def nudged(step: Step) -> Step:
        facts = step.received[0]
        assert facts is not None
        first = (facts.first[0], math.nextafter(float(facts.first[1]), math.inf), *facts.first[2:])
        return replace(step, received=(replace(facts, first=first),))

    assert named(tour.verify(square, record=graph), "autograd").outcome == "ok"
    changed = with_step(graph, nudged, accumulator(graph))
    verification = tour.verify(square, record=changed)
    result = named(verification, "autograd").result
    assert isinstance(result, Gradients)
    (mismatch,) = result.mismatches
    assert (mismatch.name, mismatch.index, mismatch.computed) == ("x", (1,), -4.0)
    assert mismatch.where is not None
    assert mismatch.where.text == "return (x * x).sum()"
    assert mismatch.recorded == math.nextafter(-4.0, 0)
    assert not verification.holds


def test_the_last_element_counts_where_it_is_all_that_is_kept() -> None:
    graph = tour.trace(square, keep=1)

    def nudged(step: Step) -> Step:
        facts = step.received[0]
        assert facts is not None
        return replace(step, received=(replace(facts, last=6.500001),))

    result = named(
        tour.verify(square, record=with_step(graph, nudged, accumulator(graph))), "autograd"
    ).result
    assert isinstance(result, Gradients)
    assert [m.index for m in result.mismatches] == [(2,)]
    assert (result.elements, result.total) == (2, 3)


def test_the_sign_of_a_zero_counts() -> None:
    def program() -> Tensor:
        x = torch.tensor([1.0, 2.0], requires_grad=True)
        return (x * torch.tensor([0.0, 1.0])).sum()

    graph = tour.trace(program)

    def turned(step: Step) -> Step:
        facts = step.received[0]
        assert facts is not None
        return replace(step, received=(replace(facts, first=(-0.0, 1.0)),))

    result = named(
        tour.verify(program, record=with_step(graph, turned, accumulator(graph))), "autograd"
    ).result
    assert isinstance(result, Gradients)
    assert [m.index for m in result.mismatches] == [(0,)]


def test_a_program_with_other_numbers_in_each_run_cannot_be_compared() -> None:
    w, runs = torch.ones(3, requires_grad=True), []

    def program() -> Tensor:
        runs.append(1)
        return (w * len(runs)).sum()

    verification = tour.verify(program)
    assert named(verification, "autograd").result == Skipped("unrepeatable")
    assert named(verification, "differences").result == Skipped("unrepeatable")


# ---- differences --------------------------------------------------------------------------------


class Cube(torch.autograd.Function):
    """Its backward is wrong."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    def backward(ctx, grad):  # here
        (x,) = ctx.saved_tensors
        return grad * 2 * x**2


class LastForgotten(torch.autograd.Function):
    """Its backward forgets one element of many."""

    @staticmethod
    def forward(ctx, x):
        return x * 2

    @staticmethod
    def backward(ctx, grad):
        out = grad * 2
        out[-2] = 0
        return out


def line_of(text: str) -> int:
    with open(__file__, encoding="utf-8") as file:
        return next(n for n, line in enumerate(file, start=1) if text in line)


def test_a_wrong_backward_is_located() -> None:
    def program() -> Tensor:
        x = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
        right = torch.exp(x)
        y = Cube.apply(x)  # wrong
        return (y + right).sum()

    differences = differences_of(program)
    worst = differences.worst
    assert worst is not None
    # The furthest apart for its size: 4 of 12 + e² is more than 9 of 27 + e³.
    assert (worst.name, worst.index, differences.mismatches) == ("x", (1,), 3)
    assert worst.analytic == pytest.approx(8 + math.exp(2))
    assert worst.numerical == pytest.approx(12 + math.exp(2))
    (suspect,) = differences.suspects
    assert (suspect.kind, suspect.name) == ("function", "Cube")
    assert suspect.backward.endswith(f"test_faults.py:{line_of('# here')}")
    assert [line.line for line in suspect.lines] == [line_of("Cube.apply(x)  # wrong")]


def test_only_the_function_that_is_wrong_is_suspected() -> None:
    def program() -> Tensor:
        x = torch.tensor([1.0, 2.0], requires_grad=True)
        return Cube.apply(hooks.Both.apply(x, x * 2)[0]).sum()

    assert [suspect.name for suspect in differences_of(program).suspects] == ["Cube"]


def test_a_step_through_all_finds_what_no_sampled_element_shows() -> None:
    def program() -> Tensor:
        a = torch.ones(3, requires_grad=True)
        x = torch.ones(500, requires_grad=True)
        return a.sum() + LastForgotten.apply(x).sum()

    differences = differences_of(program, elements=6)
    assert (differences.elements, differences.total) == (6, 503)
    assert differences.worst is not None
    assert (differences.worst.name, differences.worst.index) == ("x", None)
    assert [suspect.name for suspect in differences.suspects] == ["LastForgotten"]


@pytest.mark.parametrize("program", [hooks.tensor_hook, hooks.leaf_hook], ids=lambda p: p.__name__)
def test_a_hook_that_changes_a_gradient_is_suspected(program: Callable[[], Tensor]) -> None:
    verification = tour.verify(program)
    assert only_differs(verification, "differences")
    result = named(verification, "differences").result
    assert isinstance(result, Differences)
    assert [suspect.kind for suspect in result.suspects] == ["hook"]


def test_a_derivative_for_symmetric_matrices_is_told() -> None:
    differences = differences_of(basics.several_outputs)
    assert differences.mismatches
    assert [(s.kind, s.name) for s in differences.suspects] == [("triangle", "torch.linalg.eigh(m)")]


def test_a_kink_is_no_difference() -> None:
    def program() -> Tensor:
        x = torch.tensor([0.0, 1.0, -2.0], requires_grad=True)
        return torch.relu(x).sum()

    verification = tour.verify(program)
    assert verification.holds
    result = named(verification, "differences").result
    assert isinstance(result, Differences)
    kink: Kink = result.kinks[0]
    assert (kink.element.name, kink.element.index, kink.element.analytic) == ("x", (0,), 0.0)
    assert (kink.left, kink.right) == (pytest.approx(0), pytest.approx(1))


def test_a_slope_outside_both_sides_of_a_kink_is_a_difference() -> None:
    class Relu(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.clamp(min=0)

        @staticmethod
        def backward(ctx, grad):
            return grad * 2

    def program() -> Tensor:
        return Relu.apply(torch.zeros(1, requires_grad=True)).sum()

    assert named(tour.verify(program), "differences").outcome == "differs"


def test_a_steep_but_smooth_place_is_no_kink() -> None:
    def program() -> Tensor:
        x = torch.tensor([1e-3], requires_grad=True)
        return (torch.tanh(x * 1000) * Cube.apply(x + 1)).sum()

    differences = differences_of(program)
    assert not differences.kinks
    assert differences.mismatches


def test_what_is_cut_off_stays_as_it_was() -> None:
    """detach, item, no_grad, a comparison and a branch: constants to autograd, so to the differences."""

    def program() -> Tensor:
        x = torch.tensor([0.5, -1.5, 2.0], requires_grad=True)
        h = torch.sin(x)
        with torch.no_grad():
            scale = (h * h).sum()
        if h[0].item() > 0:
            h = h * h.detach() * scale
        chosen = torch.where(h > 0, h, -2 * h)
        return (chosen * float(h.max()) + x.data).sum()

    assert outcomes(tour.verify(program))["differences"] == "ok"


def test_a_straight_through_estimator_is_its_own_derivative() -> None:
    def program() -> Tensor:
        x = torch.tensor([0.2, 0.7], requires_grad=True)
        return ((x + (x.round() - x).detach()) ** 2).sum()

    assert outcomes(tour.verify(program))["differences"] == "ok"


def test_a_program_that_insists_on_its_type_is_checked_in_it() -> None:
    w = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)

    def program() -> Tensor:
        if (w * 2).dtype != torch.float32:
            raise TypeError("float32 only")
        return (w * w).sum()

    differences = differences_of(program)
    assert (differences.dtype, differences.precision, differences.mismatches) == (
        "float32",
        "TypeError: float32 only",
        0,
    )

    def wrong() -> Tensor:
        program()
        return Cube.apply(w).sum()

    assert differences_of(wrong).mismatches == 3


def test_what_is_not_finite_is_skipped() -> None:
    result = named(tour.verify(basics.not_finite), "differences").result
    assert result == Skipped("not finite", "nan")


def test_a_derivative_that_is_nan_on_one_side_differs() -> None:
    def program() -> Tensor:
        x = torch.tensor([0.0, 4.0], requires_grad=True)
        return torch.where(x > 0, x.sqrt(), 0 * x).sum()

    differences = differences_of(program)
    assert (differences.mismatches, differences.distance) == (1, None)
    assert differences.worst is not None
    assert (differences.worst.index, differences.worst.analytic) == ((0,), "nan")


def test_nothing_but_zeros_is_no_difference() -> None:
    """A norm at 0: the loss, its derivative and every tolerance are 0."""
    assert differences_of(lambda: torch.zeros(3, requires_grad=True).norm(), elements=3).mismatches == 0


def test_a_graph_that_was_there_before_is_skipped() -> None:
    w = torch.ones(3, requires_grad=True)
    doubled = w * 2
    assert named(tour.verify(lambda: (doubled * w).sum()), "differences").result == Skipped("existing")


@pytest.mark.parametrize(
    "program", [threaded.two_threads, threaded.hidden_behind_unused], ids=lambda p: p.__name__
)
def test_leaves_that_another_thread_uses_are_counted(program: Callable[[], Tensor]) -> None:
    # In a thread that has numbered no node yet: its numbers are counted up to in the program's own.
    with ThreadPoolExecutor(1) as fresh:
        verification = fresh.submit(tour.verify, program).result()
    assert verification.holds
    result = named(verification, "differences").result
    assert isinstance(result, Differences)
    assert (result.leaves, result.unheard) == (1, 1)


def test_a_small_gradient_is_not_passed_unseen() -> None:
    """gradcheck's own absolute tolerance is larger than every derivative here."""
    x = torch.linspace(1, 2, 10).requires_grad_()
    assert differences_of(lambda: (Cube.apply(x) * 1e-7).mean()).mismatches == 10
    assert differences_of(lambda: ((x**3) * 1e-7).mean()).mismatches == 0


# ---- sums ---------------------------------------------------------------------------------------


def more(facts: TensorFacts | None, amount: float = 0.01) -> TensorFacts:
    assert facts is not None
    first = (float(facts.first[0]) + amount, *facts.first[1:])
    return replace(facts, first=first, last=first[-1] if len(first) == facts.numel else facts.last)


def sums_of(trace: tour.Trace) -> Sums:
    result = sums.check(trace).result
    assert isinstance(result, Sums)
    return result


def test_a_sum_that_does_not_close_is_told() -> None:
    graph = tour.trace(thermometer)
    node = next(n.id for n in graph.nodes if n.grad_fn == "AddBackward0")
    changed = with_step(graph, lambda step: replace(step, received=(more(step.received[0]),)), node)
    (deviation,) = sums_of(tour.Trace(changed)).deviations
    assert (deviation.kind, deviation.index) == ("received", (0,))
    assert deviation.recorded == pytest.approx(float(deviation.expected or 0) + 0.01)
    assert deviation.where is not None
    assert deviation.where.text
    assert only_differs(tour.verify(changed), "sums")


def test_the_mailbox_has_to_close() -> None:
    graph = tour.trace(thermometer)
    changed = with_step(graph, lambda step: replace(step, after=more(step.after)), accumulator(graph))
    (deviation,) = sums_of(tour.Trace(changed)).deviations
    assert (deviation.kind, deviation.name, deviation.call) == ("accumulated", "w", 0)


def test_several_arrivals_add_up_within_rounding_only() -> None:
    def program() -> Tensor:
        x = torch.tensor([0.1, 0.7], requires_grad=True)
        return (x * 0.1 + x * 0.7 + x.sin()).sum()

    graph = tour.trace(program)
    assert not sums_of(tour.Trace(graph)).deviations

    def kinds(amount: float) -> set[str]:
        def change(step: Step) -> Step:
            return replace(step, received=(more(step.received[0], amount),), after=more(step.after, amount))

        changed = with_step(graph, change, accumulator(graph))
        return {deviation.kind for deviation in sums_of(tour.Trace(changed)).deviations}

    assert kinds(1e-8) == set()
    assert kinds(1e-4) == {"received"}


def test_thinned_tensors_are_compared_where_elements_are() -> None:
    def program() -> Tensor:
        x = torch.linspace(0, 1, 100).requires_grad_()
        return (x * x).sum()

    graph = tour.trace(program, keep=4)
    result = sums_of(tour.Trace(graph))
    assert not result.deviations
    assert result.elements < result.total
    node = next(n.id for n in graph.nodes if n.grad_fn == "MulBackward0")

    def other_end(step: Step) -> Step:
        assert step.received[0] is not None
        return replace(step, received=(replace(step.received[0], last=3.0),))

    (deviation,) = sums_of(tour.Trace(with_step(graph, other_end, node))).deviations
    assert (deviation.index, deviation.expected, deviation.recorded) == ((99,), 1.0, 3.0)


def test_the_ledger_has_to_close() -> None:
    graph, ledger = tour.trace(thermometer), tour.accumulate(thermometer, calls=3)
    assert not sums_of(tour.Trace(graph, ledger)).deviations
    account = ledger.accounts[0]
    calls = (*account.keep[:2], replace(account.keep[2], after=more(account.keep[2].after, 100)))
    changed = replace(ledger, accounts=(replace(account, keep=calls), *ledger.accounts[1:]))
    (deviation,) = sums_of(tour.Trace(graph, changed)).deviations
    assert (deviation.name, deviation.call, deviation.kind) == ("w", 3, "accumulated")


def test_a_gradient_that_nobody_received_is_told() -> None:
    graph = tour.trace(square)
    node = next(n.id for n in graph.nodes if n.grad_fn == "MulBackward0")
    changed = with_step(graph, lambda step: replace(step, received=(None,)), node)
    assert [d.index for d in sums_of(tour.Trace(changed)).deviations] == [None]


def test_what_hooks_change_is_left_out_and_counted() -> None:
    result = sums_of(tour.Trace(tour.trace(hooks.tensor_hook)))
    assert (result.hooked, result.deviations) == (1, ())
