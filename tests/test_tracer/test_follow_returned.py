"""Programs that train with gradients that are returned, or with a backward that builds a graph."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
import torch
from oracle import same
from torch import Tensor, nn

import autograd_tour as tour
from autograd_tour.errors import ProgramError, TraceFileError
from autograd_tour.formats.page.run import run_data
from autograd_tour.record.run import Run
from autograd_tour.record.run_ledger import ledger_of
from autograd_tour.record.trace import Trace


def by_hand(steps: int = 3, after: Callable[[Tensor, Tensor], None] = lambda *_: None) -> Callable[[], None]:
    def train() -> None:
        w = torch.tensor([2.0, -1.0], requires_grad=True)
        for _ in range(steps):
            loss = (w * w).sum()
            (gradient,) = torch.autograd.grad(loss, w)
            with torch.no_grad():
                w -= 0.1 * gradient
            after(w, gradient)

    return train


def maml(done: list[Tensor] | None = None) -> None:
    torch.manual_seed(0)
    net = nn.Linear(2, 1)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.1)
    x, y = torch.randn(4, 2), torch.randn(4, 1)
    for _ in range(2):
        optimizer.zero_grad()
        fast = dict(net.named_parameters())
        for _ in range(2):
            inner = (torch.func.functional_call(net, fast, (x,)) - y).pow(2).mean()
            gradients = torch.autograd.grad(inner, list(fast.values()), create_graph=True)
            fast = {name: p - 0.1 * g for (name, p), g in zip(fast.items(), gradients, strict=True)}
        (torch.func.functional_call(net, fast, (x,)) - y).pow(2).mean().backward()
        optimizer.step()
    if done is not None:
        done += [*net.parameters(), *(p.grad for p in net.parameters())]


def told(run: Run) -> list[str]:
    return [f"{event.kind} returned" if event.returned else event.kind for event in run.events]


def test_a_loop_with_returned_gradients_has_torchs_own_numbers():
    alone: list[Tensor] = []
    by_hand(after=lambda w, g: alone.extend([g, w.detach().clone()]))()
    run = tour.follow(by_hand())
    assert told(run) == ["forward", "backward returned", "update"] * 3
    assert run.trains
    assert run.backward_calls == 3
    figures = []
    for event in run.events:
        figures += [item.gradient for item in event.returned]
        figures += [change.after for change in event.changes]
    assert all(same(facts, tensor) for facts, tensor in zip(figures, alone, strict=True))
    assert [(item.name, item.leaf) for item in run.events[1].returned] == [("w", 0)]
    assert run.line(run.events[1]).text == "(gradient,) = torch.autograd.grad(loss, w)"
    assert run.leaves[0].final_grad is None
    assert list(run.curves[0].norms[0]) == pytest.approx([g.norm().item() for g in alone[::2]])
    assert run.curves[0].returned


def test_picture_report_page_and_json_say_that_nothing_goes_into_grad():
    run = tour.follow(by_hand())
    trace = Trace(run.graphs[0], None, run)
    assert tour.loads(tour.dumps(trace)) == trace
    report = tour.report(run)
    assert "backward 1, returned" in report
    assert "nothing goes into .grad]" in report
    assert "w  the gradient, returned: 4, −2" in report
    assert "and norms of what each returned" in report
    picture = tour.svg(run, view="run")
    assert "returned [4, −2]" in picture
    assert "not in .grad" in picture
    change = run_data(run)["events"][1]["changes"][0]
    assert change["process"].startswith("returned ")
    assert change["after"] is None
    assert "nothing is added" in tour.svg(run.graphs[0])


def test_where_nothing_is_deposited_there_is_no_accumulation_to_tell():
    run = tour.follow(by_hand())
    assert "Accumulation" not in tour.report(run)
    for tell in (lambda: ledger_of(run, 4), lambda: tour.accumulate(by_hand())):
        with pytest.raises(ProgramError, match=r"no backward call of the program adds to \.grad") as caught:
            tell()
        assert "--view run" in caught.value.hint
    assert ledger_of(tour.follow(maml), 8).calls == 6
    assert (ledger_of(tour.follow(maml), 8).of, ledger_of(tour.follow(maml), 4).of) == (0, 6)
    assert ledger_of(tour.follow(maml), 8).extent == "6 backward calls"
    assert ledger_of(tour.follow(maml), 4).extent == "the first 4 of 6 backward calls"


def test_a_leaf_of_a_returned_gradient_that_is_not_there_is_refused():
    run = tour.follow(by_hand())
    for place, value, says in ((1, 9, "there is no such leaf"), (0, 0, "only a backward returns gradients")):
        data = json.loads(tour.dumps(Trace(run.graphs[0], None, run)))
        data["run"]["events"][place]["returned"] = [{"name": "w", "leaf": value}]
        with pytest.raises(TraceFileError, match=says):
            tour.loads(json.dumps(data))


def test_second_order_loops_are_told_with_their_inner_calls():
    alone: list[Tensor] = []
    maml(alone)
    run = tour.follow(maml)
    once = ["forward", "backward returned"] * 2 + ["forward", "backward", "step"]
    assert told(run) == ["zeroing", *once, "zeroing", *once]
    inner, second, outer = (event for event in run.events[:8] if event.kind == "backward")
    assert inner.creates_graph
    assert second.creates_graph
    assert not outer.creates_graph
    assert [(item.name, item.leaf is None) for item in inner.returned] == [("weight", False), ("bias", False)]
    assert [item.name for item in second.returned] == ["fast['weight']", "fast['bias']"]
    assert all(item.leaf is None for item in second.returned)
    ends = {leaf.name: leaf for leaf in run.leaves}
    for name, value, grad in zip(("weight", "bias"), alone[:2], alone[2:], strict=True):
        assert same(ends[name].final_value, value)
        assert same(ends[name].final_grad, grad)
    second_order = [node for node in run.graphs[2].nodes if node.second_order]
    assert second_order  # the inner backward calls are parts of the outer graph


def test_a_backward_that_builds_a_graph_deposits_as_any_other():
    def train():
        w = torch.tensor([1.0, 2.0], requires_grad=True)
        optimizer = torch.optim.SGD([w], lr=0.1)
        for _ in range(2):
            (w**3).sum().backward(create_graph=True)
            (curvature,) = torch.autograd.grad(w.grad.sum(), w)
            assert curvature.tolist() == (6 * w).tolist()
            optimizer.step()
            w.grad = None

    run = tour.follow(train)
    assert told(run) == ["forward", "backward", "forward", "backward returned", "step", "zeroing"] * 2
    backward = run.events[1]
    assert backward.creates_graph
    assert backward.retained
    assert backward.changes[0].after.first == (3.0, 12.0)
    assert run.events[3].returned[0].gradient.first == (6.0, 12.0)
    assert "it builds a graph of its own" in tour.report(run)


def test_a_loss_that_is_computed_from_gradients_is_a_loss_as_before():
    w = torch.tensor([1.0, 2.0], requires_grad=True)

    def penalty():
        loss = (w**3).sum()
        for _ in range(12):  # more than are told in full
            (gradient,) = torch.autograd.grad((w**2).sum(), w, create_graph=True)
        loss.backward(create_graph=True)
        return loss + gradient.pow(2).sum() + w.grad.sum()

    run = tour.follow(penalty)
    assert not run.trains
    assert w.grad is None
    graph = run.graphs[0]
    assert {node.value.first for node in graph.nodes if node.name == "w"} == {(1.0, 2.0)}
    assert all(node.where is not None for node in graph.nodes if node.kind == "operation")
    step = [step for _, step in graph.numbered_steps() if step.after is not None][-1]
    # The derivative of w³ + 4w² + 3w² is added to that of w³.
    assert step.before.first == pytest.approx((3, 12))
    assert step.after.first == pytest.approx((3 + 17, 12 + 40))
    assert {line.text for line in graph.source} >= {"loss = (w**3).sum()"}


def test_a_loss_whose_graph_is_partly_gone_says_what_to_do():
    w = torch.ones(2, requires_grad=True)

    def train():
        loss = (w * w).sum()
        torch.autograd.grad(loss, w)
        return loss * 2

    with pytest.raises(ProgramError, match="differentiated its loss itself") as caught:
        tour.follow(train)
    assert "retain_graph=True" in caught.value.hint


def test_grad_is_heard_by_any_name_and_with_any_arguments():
    from torch.autograd import grad

    def train():
        w, unused = torch.tensor([1.0, 2.0], requires_grad=True), torch.ones(2, requires_grad=True)
        grad((w**2).sum(), [w, unused], allow_unused=True)
        torch.autograd.grad((w**2).sum(), {"w": w})
        torch.autograd.grad(w**2, (p for p in [w]), torch.eye(2), is_grads_batched=True)
        torch.func.grad(lambda v: (v**3).sum())(w.detach())
        torch.autograd.functional.hessian(lambda v: (v**3).sum(), w)

    run = tour.follow(train)
    calls = [event for event in run.events if event.kind == "backward"]
    assert [event.call for event in calls[:3]] == ["grad", "", ""]
    assert [item.gradient and item.gradient.first for item in calls[0].returned] == [(2.0, 4.0), None]
    assert calls[2].returned[0].gradient.shape == (2, 2)
    assert all(event.call == "hessian" for event in calls[3:])
    assert {run.line(event).text.split("(")[0] for event in calls[3:]} == {
        "torch.autograd.functional.hessian"
    }


def test_five_thousand_steps_with_returned_gradients_are_thinned():
    run = tour.follow(by_hand(5000))
    assert run.backward_calls == 5000
    numbers = [event.backward_call for event in run.events if event.kind == "backward"]
    assert numbers == [1, 2, 3, 4, 5, 6, 7, 8, 10, 100, 1000]
