"""A program that trains is held against itself run alone: what is compared, what differs, what stays as it was."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable

import pytest
import torch
from msgspec.structs import replace
from torch import Tensor, nn
from torch.autograd import backward
from torch.utils.checkpoint import checkpoint

import autograd_tour as tour
from autograd_tour.checks import training
from autograd_tour.record.run import Run
from autograd_tour.record.verification import (
    Check,
    Likeness,
    Skipped,
    Sums,
    Training,
    Unlike,
    Verification,
)
from autograd_tour.reports.verification import lines


def accumulating() -> None:
    net = nn.Sequential(nn.Linear(2, 3), nn.Dropout(0.5), nn.Linear(3, 1))
    optimizer = torch.optim.Adam(net.parameters(), lr=0.1)
    for batch in range(4):
        net(torch.randn(5, 2)).pow(2).mean().backward()
        if batch % 2:
            nn.utils.clip_grad_norm_(net.parameters(), 0.1)
            optimizer.step()
            optimizer.zero_grad()


def adversarial() -> None:
    makers = [nn.Linear(2, 2), nn.Linear(2, 1)]
    maker, judge = (torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9) for net in makers)
    for _ in range(2):
        sample = makers[0](torch.randn(4, 2))
        judge.zero_grad()
        makers[1](sample.detach()).mean().backward()
        judge.step()
        maker.zero_grad()
        makers[1](sample).pow(2).mean().backward()
        maker.step()


def with_closure() -> None:
    w = torch.tensor([2.0, -1.0], requires_grad=True)
    optimizer = torch.optim.LBFGS([w], max_iter=3)

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = ((w - 1) ** 4).sum()
        loss.backward()
        return loss

    for _ in range(2):
        optimizer.step(closure)


def by_hand() -> None:
    w = torch.tensor([2.0, -1.0], requires_grad=True)
    for _ in range(12):  # more than are told in full
        (gradient,) = torch.autograd.grad((w**3).sum(), w)
        with torch.no_grad():
            w -= 0.1 * gradient


def imported() -> None:
    w = torch.tensor([2.0, math.nan], requires_grad=True)
    backward((w * w).sum())
    with pytest.raises(RuntimeError):
        backward(w.detach())
    backward([w.sum(), (w * w).sum()])


def checkpointed() -> None:
    net = nn.Linear(2, 3)
    x = torch.ones(2, 2, requires_grad=True)
    checkpoint(net, x, use_reentrant=True).sum().backward()


def in_a_thread() -> None:
    w = torch.ones(2, requires_grad=True)
    other = threading.Thread(target=lambda: (w * w).sum().backward())
    other.start()
    other.join()
    (w * 3).sum().backward()


def held(program: Callable[[], object], **options: object) -> Training:
    verification = tour.verify(program, **options)
    check = verification.checks[0]
    assert (check.name, check.outcome) == ("run", "ok"), check
    assert verification.holds
    assert isinstance(check.result, Training)
    return check.result


@pytest.mark.parametrize(
    ("program", "figures"),
    [
        (accumulating, (4, 16, 8)),
        (adversarial, (4, 12, 8)),
        (with_closure, (6, 6, 2)),
        (by_hand, (9, 9, 0)),
        (imported, (1, 2, 0)),
        (checkpointed, (1, 3, 0)),
        (in_a_thread, (1, 1, 0)),
    ],
)
def test_each_loss_gradient_and_value_is_that_of_the_program_alone(program, figures):
    result = held(program)
    assert (result.losses, result.gradients, result.values) == figures
    assert result.recorded == result.computed >= result.losses
    assert (result.calls < result.recorded) is (program is by_hand)


def unlike(run: Run, program: Callable[[], object]) -> tuple[Unlike, ...]:
    with torch.random.fork_rng():
        check = training.checks(run, program, ())[0]
    assert check.outcome == "differs"
    assert isinstance(check.result, Training)
    return check.result.unlike


def changed(run: Run, kind: str) -> Run:
    """The last bit of the first element of one tensor is another, in the last event of its kind."""
    number, event = [(n, event) for n, event in enumerate(run.events) if event.kind == kind][-1]
    change = event.changes[0]
    first = change.after.first
    nudged = torch.nextafter(torch.tensor(first[0]), torch.tensor(9.0)).item()
    after = replace(change.after, first=(nudged, *first[1:]))
    event = replace(event, changes=(replace(change, after=after), *event.changes[1:]))
    return replace(run, events=(*run.events[:number], event, *run.events[number + 1 :]))


def test_losses_and_norms_of_calls_not_told_in_full_are_compared():
    def program() -> None:
        w = torch.tensor([2.0, -1.0], requires_grad=True)
        optimizer = torch.optim.SGD([w], lr=0.01)
        for _ in range(12):
            optimizer.zero_grad()
            (w**4).sum().backward()
            optimizer.step()

    result = held(program)
    assert (result.calls, result.noted_losses, result.noted_norms) == (9, 3, 3)
    line, *_ = lines(tour.verify(program))
    assert "; of the others 3 losses and 3 norms of gradients: bit for bit those of the program alone" in line
    run = tour.follow(program)
    (curve,) = run.curves
    norms, losses = list(curve.norms[0]), list(curve.losses)
    norms[8], losses[10] = norms[7], losses[9]  # those of the call before
    wrong = replace(curve, norms=(tuple(norms),), losses=tuple(losses))
    found = unlike(replace(run, curves=(wrong,)), program)
    assert [(item.kind, item.name, item.call) for item in found] == [("norm", "w", 9), ("loss", "", 11)]


def test_grad_that_a_hook_changes_during_backward_is_left_out_and_counted():
    def program() -> None:
        w = torch.ones(2, requires_grad=True)
        w.register_post_accumulate_grad_hook(lambda leaf: setattr(leaf, "grad", leaf.grad * 2))
        (w * w).sum().backward()

    result = held(program)
    assert (result.losses, result.gradients, result.hooked) == (1, 0, 1)
    assert "1 .grad that a hook may change during backward not compared" in lines(tour.verify(program))[0]


def test_its_line_counts_what_was_compared():
    line, *_ = lines(tour.verify(by_hand))
    assert line == (
        "run          ok       9 of 12 backward calls told in full; 9 losses, 9 .grad after backward, "
        "0 values after steps; of the others 3 losses and 3 norms of gradients: "
        "bit for bit those of the program alone"
    )


@pytest.mark.parametrize(("kind", "part"), [("backward", "gradient"), ("step", "value")])
def test_a_bit_that_differs_is_told_with_its_line(kind, part):
    run = tour.follow(accumulating)
    (item,) = unlike(changed(run, kind), accumulating)
    assert (item.kind, item.call) == (part, 4)
    assert item.name == run.leaves[0].name
    assert item.where is not None
    assert item.where.file.endswith("test_training.py")


def checks_of(run: Run, program: Callable[[], object]) -> dict[str, Check]:
    with torch.random.fork_rng():
        return {check.name: check for check in training.checks(run, program, ())}


def test_the_graphs_of_a_run_are_those_that_torchviz_draws_and_their_sums_close():
    checks = {check.name: check for check in tour.verify(adversarial).checks}
    assert list(checks) == ["run", "torchviz", "sums"]
    drawn, sums = checks["torchviz"].result, checks["sums"].result
    assert isinstance(drawn, Likeness)
    assert isinstance(sums, Sums)
    run = tour.follow(adversarial)
    assert drawn.graphs == sums.graphs == len(run.graphs) == 2
    operations = [
        node for graph in run.graphs for node in graph.nodes if node.kind in ("operation", "accumulate")
    ]
    assert drawn.nodes == len(operations)
    assert sums.accumulations == sum(len(graph.leaves) for graph in run.graphs)


def test_a_graph_of_a_run_that_is_another_is_told():
    run = tour.follow(adversarial)
    first = run.graphs[0]
    number, node = next((n, node) for n, node in enumerate(first.nodes) if node.grad_fn == "MeanBackward0")
    renamed = replace(node, grad_fn="SumBackward0")
    nodes = (*first.nodes[:number], renamed, *first.nodes[number + 1 :])
    wrong = replace(run, graphs=(replace(first, nodes=nodes), *run.graphs[1:]))
    checks = checks_of(wrong, adversarial)
    assert {name: check.outcome for name, check in checks.items()} == {
        "run": "ok",
        "torchviz": "differs",
        "sums": "ok",
    }
    assert "SumBackward0 is MeanBackward0" in lines(Verification((checks["torchviz"],)))[0]


def test_what_a_hook_does_to_grad_is_no_sum_of_a_graph():
    def program() -> None:
        w = torch.ones(2, requires_grad=True)
        w.register_post_accumulate_grad_hook(lambda leaf: setattr(leaf, "grad", None))
        (w * w).sum().backward()

    sums = tour.verify(program).checks[2]
    assert sums.outcome == "ok"
    assert isinstance(sums.result, Sums)
    assert (sums.result.accumulations, sums.result.hooked) == (0, 1)


def test_a_loss_and_a_call_that_are_not_there_alone_differ():
    run = tour.follow(adversarial)

    def shorter() -> None:
        net = nn.Linear(2, 1)
        net(torch.ones(2)).sum().backward()

    kinds = {item.kind for item in unlike(run, shorter)}
    assert kinds == {"loss", "gradient", "value"}
    check = training.checks(replace(run, backward_calls=5), adversarial, ())[0]
    assert check.outcome == "differs"
    verification = tour.record.verification.Verification((check,))
    assert "5 backward calls in the record, 4 alone" in lines(verification)[0]


def test_a_program_with_other_numbers_each_time_is_not_compared():
    count = iter(range(100))

    def program() -> None:
        w = torch.tensor([float(next(count))], requires_grad=True)
        (w * w).sum().backward()

    check = tour.verify(program).checks[0]
    assert check.result == Skipped("unrepeatable")


def test_a_program_whose_later_runs_give_other_numbers_is_not_compared():
    runs = iter(range(100))

    def program() -> None:
        w = torch.tensor([3.0 + (next(runs) == 0)], requires_grad=True)  # as code that is compiled later
        (w * w).sum().backward()

    check = tour.verify(program).checks[0]
    assert check.result == Skipped("unrepeatable")


def test_steps_in_another_order_each_time_are_compared():
    turns = iter([1, -1] * 10)
    net = nn.Linear(2, 1)

    def program() -> None:
        optimizers = [torch.optim.SGD([parameter], lr=0.1) for parameter in net.parameters()]
        for _ in range(2):
            net(torch.tensor([1.0, -2.0])).pow(2).sum().backward()
            for optimizer in optimizers[:: next(turns)]:
                optimizer.step()
                optimizer.zero_grad()
        next(turns)

    check = tour.verify(program).checks[0]
    assert check.outcome == "ok"
    assert check.result.values == 4


def test_what_trains_is_as_found():
    net = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    optimizer = torch.optim.Adam(net.parameters(), lr=0.1)

    def step() -> None:
        optimizer.zero_grad()
        net(torch.randn(4, 2)).pow(3).sum().backward()
        optimizer.step()

    step()
    before = {name: item.clone() for name, item in net.state_dict().items()}
    grads = [item.grad.clone() for item in net.parameters()]
    moments = [state["exp_avg"].clone() for state in optimizer.state.values()]
    random = torch.get_rng_state()
    engine = torch.autograd._engine_run_backward
    held(step)
    assert all(torch.equal(item, before[name]) for name, item in net.state_dict().items())
    assert all(torch.equal(item.grad, grad) for item, grad in zip(net.parameters(), grads, strict=True))
    states = zip(optimizer.state.values(), moments, strict=True)
    assert all(torch.equal(state["exp_avg"], moment) for state, moment in states)
    assert torch.equal(torch.get_rng_state(), random)
    assert torch.autograd._engine_run_backward is engine


def test_a_program_that_fails_when_it_runs_again_is_skipped():
    calls = []

    def program() -> None:
        calls.append(1)
        if len(calls) > 1:
            raise ValueError("only once")
        torch.ones(1, requires_grad=True).sum().backward()

    check = tour.verify(program).checks[0]
    assert check.result == Skipped("failed", "ValueError: only once")


@pytest.mark.slow
def test_a_model_that_is_compiled_while_it_is_verified_holds_and_is_put_back():
    net = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 1))
    compiled = torch.compile(net, backend="aot_eager")
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)

    def train() -> None:
        for _ in range(2):
            optimizer.zero_grad()
            compiled(torch.randn(4, 4)).pow(2).mean().backward()
            optimizer.step()

    assert {check.name: check.outcome for check in tour.verify(train).checks} == {
        "run": "ok",
        "torchviz": "ok",
        "sums": "ok",
    }
    assert not optimizer.state
    assert all(parameter.grad is None for parameter in net.parameters())
