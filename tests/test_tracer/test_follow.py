"""A run of training code, event by event, against the same code run alone."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from oracle import same
from programs import loops
from torch import nn
from torch.optim import optimizer as hooks

import autograd_tour as tour
from autograd_tour.errors import ProgramError, TraceFileError, UsageError
from autograd_tour.record.run import Run
from autograd_tour.record.run_ledger import ledger_of
from autograd_tour.record.trace import Trace

LOOPS = [pytest.param(loop, id=loop.__name__) for loop in loops.LOOPS]


def as_found() -> dict[Any, Any]:
    """All that the loops can change."""
    state: dict[Any, Any] = {}
    for n, model in enumerate(loops.MODELS):
        state[n] = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        state[n, "grad"] = [p.grad if p.grad is None else p.grad.clone() for p in model.parameters()]
        state[n, "training"] = model.training
    for n, item in enumerate((*loops.OPTIMIZERS, *loops.OTHERS)):
        kept = {key: value for key, value in item.state_dict().items() if not callable(value)}
        state["state", n] = copy.deepcopy(kept)
    state["w"], state["velocity"] = loops.w.detach().clone(), loops.velocity.clone()
    state["w.grad"], state["random"] = loops.w.grad, torch.get_rng_state()
    return state


def equal(a: Any, b: Any) -> bool:
    if isinstance(a, torch.Tensor):
        return isinstance(b, torch.Tensor) and torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(equal(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(equal, a, b))
    return a == b


def kinds(run: Run) -> list[str]:
    return [event.kind for event in run.events]


@pytest.mark.parametrize("loop", LOOPS)
def test_everything_is_as_found_and_the_program_runs_as_it_does_alone(loop: Callable[[], list[float]]):
    before = as_found()
    losses: list[list[float]] = []
    run = tour.follow(lambda: losses.append(loop()), keep=None)
    followed, after = losses[0], as_found()
    assert [key for key in before if not equal(before[key], after[key])] == []
    assert not run.notes or "put back" not in " ".join(run.notes)

    alone = loop()  # from the same state, random numbers included
    ends = [tensor for model in loops.MODELS for tensor in model.parameters()] + [loops.w]
    assert followed == alone
    heard = {call: loss for curve in run.curves for call, loss in zip(curve.calls, curve.losses, strict=True)}
    assert [heard[call] for call in sorted(heard)] == alone
    for leaf in run.leaves:
        assert any(
            same(leaf.final_value, tensor) and same(leaf.final_grad, tensor.grad)
            for tensor in ends
            if tuple(tensor.shape) == leaf.shape
        ), leaf.name


@pytest.mark.parametrize("loop", LOOPS)
def test_a_run_reads_back_from_json_and_its_events_close(loop: Callable[[], list[float]]):
    run = tour.follow(loop, keep=None)
    trace = Trace(run.graphs[0], ledger_of(run, 4), run)
    assert tour.loads(tour.dumps(trace)) == trace
    value = {n: leaf.value for n, leaf in enumerate(run.leaves)}
    grad = {n: leaf.grad for n, leaf in enumerate(run.leaves)}
    for event in run.events:
        if event.backward_call > 8 or event.inside == "backward":
            break  # later ones are not told one after the other
        part = grad if event.kind in ("backward", "zeroing", "clipping", "gradient") else value
        for change in event.changes:
            assert _numbers(change.before) == _numbers(part[change.leaf]), event
            part[change.leaf] = change.after
            if event.kind == "step" and event.call != "LBFGS.step":  # its closure makes several
                assert _numbers(change.grad) == _numbers(grad[change.leaf])


def _numbers(facts: Any) -> Any:
    return None if facts is None else facts.first


def by_hand(
    zero: bool = True, steps: int = 3
) -> tuple[Callable[[], torch.Tensor], torch.Tensor, torch.Tensor]:
    x, y = torch.tensor([1.0, 2.0, 4.0]), torch.tensor([2.0, 3.0, 3.0])
    w, b = torch.ones((), requires_grad=True), torch.zeros((), requires_grad=True)

    def train() -> torch.Tensor:
        for _ in range(steps):
            if zero and w.grad is not None:
                w.grad.zero_()
                b.grad.zero_()
            loss = ((w * x + b - y) ** 2).mean()
            loss.backward()
            with torch.no_grad():
                w.sub_(0.1 * w.grad)
                b.sub_(0.1 * b.grad)
        return loss

    return train, w, b


@pytest.mark.parametrize("zero", [True, False])
def test_each_figure_of_a_loop_by_hand_is_torchs_own(zero: bool):
    train, w, _ = by_hand(zero)
    run = tour.follow(train)
    number = next(n for n, leaf in enumerate(run.leaves) if leaf.name == "w")
    told = [
        (event.kind, *(None if f is None else f.first[0] for f in (change.before, change.after)))
        for event in run.events
        for change in event.changes
        if change.leaf == number
    ]
    value, grad, expected = 1.0, None, []
    x, y = torch.tensor([1.0, 2.0, 4.0]), torch.tensor([2.0, 3.0, 3.0])
    w, b = torch.ones((), requires_grad=True), torch.zeros((), requires_grad=True)
    for _ in range(3):
        if zero and w.grad is not None:
            expected.append(("zeroing", grad, 0.0))
            w.grad.zero_()
            b.grad.zero_()
            grad = 0.0
        ((w * x + b - y) ** 2).mean().backward()
        expected.append(("backward", grad, w.grad.item()))
        grad = w.grad.item()
        with torch.no_grad():
            w.sub_(0.1 * w.grad)
            b.sub_(0.1 * b.grad)
        expected.append(("update", value, w.item()))
        value = w.item()
    assert told == expected
    calls = ledger_of(run, 4).accounts[number].program
    assert [call.after.first[0] for call in calls] == [e[2] for e in expected if e[0] == "backward"]
    first, second = calls[0], calls[1]
    summed = first.after.first[0] + second.contribution.first[0]
    assert second.after.first[0] == pytest.approx(second.contribution.first[0] if zero else summed)


def test_the_commonest_step_is_told_with_its_lines():
    net = nn.Linear(2, 1)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)

    def step():
        optimizer.zero_grad()
        loss = net(torch.ones(3, 2)).pow(2).mean()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1e-3)
        optimizer.step()
        return loss

    run = tour.follow(step)
    assert kinds(run) == ["zeroing", "forward", "backward", "clipping", "step"]
    assert [event.call for event in run.events] == [
        "SGD.zero_grad", "", "", "clip_grad_norm_", "SGD.step",
    ]  # fmt: skip
    assert [run.line(event).text for event in run.events] == [
        "optimizer.zero_grad()",
        "loss = net(torch.ones(3, 2)).pow(2).mean()",
        "loss.backward()",
        "nn.utils.clip_grad_norm_(net.parameters(), 1e-3)",
        "optimizer.step()",
    ]
    assert run.events[0].changes == ()  # there was nothing to empty
    assert dict(run.events[4].settings) == {"lr": 0.1, "momentum": 0.9}
    assert [state.name for state in run.events[4].changes[0].state] == ["momentum_buffer"]
    assert run.trains
    assert run.backward_calls == 1


def test_set_to_none_empties_and_the_other_way_leaves_zeros():
    net = nn.Linear(2, 1)

    def train(none):
        for _ in range(2):
            net(torch.ones(3, 2)).sum().backward()
            net.zero_grad(set_to_none=none)

    for none in (True, False):
        run = tour.follow(lambda none=none: train(none))
        zeroing = next(event for event in run.events if event.kind == "zeroing")
        assert zeroing.call == "Linear.zero_grad"
        assert {change.after and change.after.first[0] for change in zeroing.changes} == {
            None if none else 0.0
        }
        assert len(zeroing.changes) == 2


def test_emptying_what_is_empty_is_an_event_as_well():
    net = nn.Linear(2, 1)

    def train():
        for _ in range(2):
            net.zero_grad()
            net(torch.ones(3, 2)).sum().backward()
            net.zero_grad()
            net.weight.grad = None

    run = tour.follow(train)
    emptying = [event for event in run.events if event.kind == "zeroing"]
    assert [event.call for event in emptying] == ["Linear.zero_grad", "Linear.zero_grad", ""] * 2
    assert [len(event.changes) for event in emptying] == [0, 2, 1] * 2
    assert run.line(emptying[0]).text == "net.zero_grad()"
    assert "[nothing was there]" in tour.report(run)


def test_a_closure_runs_inside_the_step_of_its_optimizer():
    run = tour.follow(loops.lbfgs)
    inside = {event.inside for event in run.events if event.kind != "step"}
    assert inside == {"LBFGS.step"}
    steps = [event for event in run.events if event.kind == "step"]
    assert [step.inside for step in steps] == ["", ""]
    assert steps[0].backward_call > 1


def test_steps_in_hooks_are_told_inside_their_backward_and_after_what_they_use():
    run = tour.follow(loops.step_in_backward)
    assert [(event.kind, event.inside) for event in run.events] == [
        ("forward", ""), ("backward", ""), *[("step", "backward"), ("zeroing", "backward")] * 2,
    ] * 2  # fmt: skip
    backward, *inside = run.events[1:6]
    for step, zeroing in zip(inside[::2], inside[1::2], strict=True):
        (updated,), (emptied,) = step.changes, zeroing.changes
        assert updated.leaf == emptied.leaf
        assert [run.line(event).text.strip() for event in (step, zeroing)] == [
            "optimizers[id(parameter)].step()", "optimizers[id(parameter)].zero_grad()",
        ]  # fmt: skip
        change = next(item for item in backward.changes if item.leaf == updated.leaf)
        used = updated.grad
        assert change.before is None
        assert change.contribution == change.after == used == emptied.before
        assert emptied.after is None


def test_a_backward_that_fails_in_a_hook_is_no_event():
    net = nn.Linear(2, 1)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    failing = [True]

    def hook(_):
        if failing:
            failing.clear()
            raise RuntimeError("not now")

    def train():
        net.weight.register_post_accumulate_grad_hook(hook)
        for _ in range(2):
            try:
                net(torch.ones(1, 2)).sum().backward()
            except RuntimeError:
                optimizer.zero_grad()
        optimizer.step()

    run = tour.follow(train)
    assert kinds(run) == ["zeroing", "forward", "backward", "step"]


def test_a_leaf_bound_anew_stays_one_leaf_with_a_history():
    def train():
        params = torch.tensor([1.0, 0.0], requires_grad=True)
        for _ in range(2):
            loss = (params - 3).pow(2).sum()
            loss.backward()
            params = (params - 0.1 * params.grad).detach().requires_grad_()
        return loss

    run = tour.follow(train)
    assert [leaf.name for leaf in run.leaves] == ["params"]
    assert kinds(run) == ["forward", "backward", "rebinding"] * 2
    change = run.events[2].changes[0]
    assert (change.before.first, change.after.first) == ((1.0, 0.0), pytest.approx((1.4, 0.6)))
    assert run.line(run.events[2]).text.startswith("params = (params - 0.1")
    before = [event.changes[0].before for event in run.events if event.kind == "backward"]
    assert before == [None, None]  # the new tensor begins without a .grad


def test_a_name_that_loses_its_leaf_is_told():
    def train():
        w = torch.tensor(1.0, requires_grad=True)
        for _ in range(2):
            loss = (w * 2).pow(2)
            loss.backward(retain_graph=True)
            w = w - 0.1 * 4.0

    run = tour.follow(train)
    rebinding = next(event for event in run.events if event.kind == "rebinding")
    assert not rebinding.changes[0].after.is_leaf
    assert all(event.retained for event in run.events if event.kind == "backward")


def test_two_models_keep_their_own_names_and_graphs():
    run = tour.follow(loops.gan)
    assert {leaf.name.partition(".")[0] for leaf in run.leaves} == {"critic", "generator"}
    assert len(run.graphs) == 3
    graphs = [event.graph for event in run.events if event.kind == "backward"]
    assert graphs == [0, 1, 2] * 2
    names = {node.name for node in run.graphs[0].nodes if node.kind == "leaf"}
    assert names == {"critic.0.weight", "critic.0.bias", "critic.2.weight", "critic.2.bias"}


@pytest.mark.parametrize("count", [1, 2, 16, 17])
@pytest.mark.parametrize("odd", [(), (math.inf,), (math.nan,), (math.inf, math.nan)], ids=str)
def test_the_norm_in_a_curve_is_that_of_torch_however_few_numbers_there_are(count, odd):
    gradient = torch.linspace(-3, 5, count)
    gradient[: len(odd)] = torch.tensor(odd)[:count]
    w = torch.ones(count, requires_grad=True)
    run = tour.follow(lambda: (w * gradient).sum().backward())
    norm = torch.linalg.vector_norm(gradient.double()).item()
    ((shown,),) = run.curves[0].norms
    assert shown == (pytest.approx(norm) if math.isfinite(norm) else str(norm))


def test_models_have_their_names_before_the_second_one_runs():
    def train():
        real, fake = nn.Linear(3, 1), nn.Linear(2, 3)
        for _ in range(2):
            real(torch.ones(1, 3)).sum().backward()
            real(fake(torch.ones(1, 2))).sum().backward()

    run = tour.follow(train)
    assert {leaf.name for leaf in run.leaves} == {"real.weight", "real.bias", "fake.weight", "fake.bias"}
    leaves = {node.name for node in run.graphs[0].nodes if node.kind == "leaf"}
    assert leaves == {"real.weight", "real.bias"}
    assert [group.path for group in run.graphs[0].groups] == ["real"]


def test_a_loss_that_asks_for_a_gradient_first_has_the_names_it_has_without():
    asked, other = nn.Linear(2, 1), nn.Linear(2, 1)
    x = torch.ones(1, 2, requires_grad=True)

    def penalty(first=True):
        if first:
            torch.autograd.grad(asked(x).sum(), x)
        return asked(x).sum() if first is not None else other(x).sum()

    names = [
        {node.name for node in tour.trace(penalty, first).nodes if node.kind == "leaf"}
        for first in (True, False)
    ]
    assert names[0] == names[1] == {"weight", "bias", "x"}


def test_five_thousand_epochs_are_thinned_and_none_is_lost():
    w = torch.tensor(1.0, requires_grad=True)
    losses = []

    def train():
        optimizer = torch.optim.SGD([w], lr=1e-3)
        for _ in range(5000):
            optimizer.zero_grad()
            loss = (w - 3).pow(2)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())

    run = tour.follow(train)
    curve = run.curves[0]
    assert (run.backward_calls, curve.of, len(curve.calls)) == (5000, 5000, 1000)
    assert (curve.calls[0], curve.calls[-1]) == (1, 5000)
    assert [losses[call - 1] for call in curve.calls] == list(curve.losses)
    assert curve.norms[0][0] == pytest.approx(4.0)
    told = sorted({event.backward_call for event in run.events if event.kind == "backward"})
    assert told == [1, 2, 3, 4, 5, 6, 7, 8, 10, 100, 1000]
    assert "5000 backward calls: the first 8 are told in full" in run.notes[0]
    assert w.item() == 1.0
    assert w.grad is None


def test_a_program_that_raises_leaves_everything_as_found():
    net = nn.Linear(2, 1)
    optimizer = torch.optim.Adam(net.parameters())
    net(torch.ones(1, 2)).sum().backward()
    grads = [parameter.grad.clone() for parameter in net.parameters()]
    values = [parameter.detach().clone() for parameter in net.parameters()]

    def train():
        optimizer.zero_grad()
        net(torch.ones(1, 2)).sum().backward()
        optimizer.step()
        raise RuntimeError("the disk is full")

    with pytest.raises(ProgramError, match="the disk is full"):
        tour.follow(train)
    assert all(map(torch.equal, (p.grad for p in net.parameters()), grads))
    assert all(map(torch.equal, net.parameters(), values))
    assert not optimizer.state
    assert torch.Tensor.backward.__module__ == "torch._tensor"
    assert torch.autograd.backward.__module__ == "torch.autograd"
    assert not hooks._global_optimizer_pre_hooks
    assert not hooks._global_optimizer_post_hooks


@pytest.mark.parametrize("through", ["itself", "data"])
def test_a_tensor_changed_where_nobody_listens_is_put_back_or_told_of(through: str):
    small, large = torch.tensor([0.0, torch.nan, 2.0]), torch.zeros(1_100_000)
    untouched = torch.zeros(1_100_000)
    w = torch.tensor(1.0, requires_grad=True)

    def train():
        for epoch in range(30):
            (w * w).backward()
            if epoch == 25:
                for state in (small, large):
                    (state if through == "itself" else state.data).add_(1)

    versions = small._version, untouched._version
    run = tour.follow(train)
    assert (small._version, untouched._version) == versions
    assert (small[0].item(), small[2].item()) == (0.0, 2.0)
    assert small[1].isnan()
    assert run.notes[-1] == (
        "the program changed 1 tensor of before in a way that could not be put back: one of shape (1100000,)"
    )
    assert not untouched.any()


def test_a_loss_that_is_only_returned_is_a_run_of_one_forward_and_one_backward():
    w = torch.tensor([1.0, 2.0], requires_grad=True)

    def program():
        return (w * w).sum()

    run = tour.follow(program)
    assert not run.trains
    assert kinds(run) == ["forward", "backward"]
    assert run.events[1].changes[0].after.first == (2.0, 4.0)
    assert run.graphs == (tour.trace(program),)


def test_a_backward_that_torch_refuses_is_the_programs_error():
    def train():
        loss = torch.ones(3, requires_grad=True) * 2
        loss.backward()

    with pytest.raises(ProgramError, match="grad can be implicitly created only for scalar outputs"):
        tour.follow(train)
    with pytest.raises(UsageError, match="callable"):
        tour.follow(torch.ones(3))


def test_a_step_function_is_run_again_until_there_are_calls_enough():
    net = nn.Linear(2, 1)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    x = torch.ones(3, 2)

    def step():
        optimizer.zero_grad()
        net(x).pow(2).mean().backward()
        optimizer.step()

    ledger = tour.accumulate(step, calls=3)
    assert ledger.policies == ("program",)
    assert ledger.calls == 3
    account = next(account for account in ledger.accounts if account.name == "bias")
    for call in account.program:
        step_grad = torch.autograd.grad(net(x).pow(2).mean(), net.bias)[0]
        assert call.before is None
        assert same(call.after, step_grad)
        step()


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("graph", 9, "there is no such graph"),
        ("where", 99, "there is no such line"),
        ("backward_call", 7, "there is no such backward call"),
    ],
)
def test_a_damaged_run_is_refused_with_the_path_of_the_field(field: str, value: int, says: str):
    import json

    run = tour.follow(by_hand()[0])
    data = json.loads(tour.dumps(Trace(run.graphs[0], None, run)))
    data["run"]["events"][1][field] = value
    with pytest.raises(TraceFileError, match=says) as caught:
        tour.loads(json.dumps(data))
    assert f"$.run.events[1].{field}" in str(caught.value)


def test_what_is_set_before_the_first_step_is_put_back_too():
    net = nn.Linear(2, 1)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer)
    before = copy.deepcopy(optimizer.state_dict()), copy.deepcopy(plateau.state_dict())
    attributes, groups = set(vars(optimizer)), optimizer.param_groups[0]

    def train():
        optimizer.add_param_group({"params": [torch.zeros(2, requires_grad=True)], "lr": 9.0})
        for group in optimizer.param_groups:
            group["weight_decay"] = 0.5
        optimizer.zero_grad()
        torch.optim.lr_scheduler.LambdaLR(optimizer, lambda epoch: (epoch + 1) / 10)
        net(torch.ones(1, 2)).sum().backward()
        plateau.step(1.0)

    tour.follow(train)
    assert (optimizer.state_dict(), plateau.state_dict()) == before
    assert set(vars(optimizer)) == attributes  # a scheduler wraps step()
    assert optimizer.param_groups[0] is groups


def test_what_an_optimizer_of_ones_own_remembers_is_put_back():
    class Sam(torch.optim.SGD):
        def climb(self):
            with torch.no_grad():
                for parameter in self.param_groups[0]["params"]:
                    self.state[parameter]["old"] = parameter.clone()
                    parameter.add_(parameter.grad)

    net = nn.Linear(2, 1)
    optimizer = Sam(net.parameters(), lr=0.1)
    before = [parameter.detach().clone() for parameter in net.parameters()]

    def train():
        net(torch.ones(1, 2)).sum().backward()
        optimizer.climb()

    run = tour.follow(train)
    assert not optimizer.state
    assert all(map(torch.equal, net.parameters(), before))
    assert [(event.kind, event.call) for event in run.events[2:]] == [("update", "")]


def test_a_layer_that_thaws_in_the_run_is_frozen_again():
    net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
    net[0].requires_grad_(False)

    def train():
        for epoch in range(2):
            if epoch == 1:
                net[0].requires_grad_(True)
            net(torch.ones(1, 2)).sum().backward()

    run = tour.follow(train)
    assert [parameter.requires_grad for parameter in net.parameters()] == [False, False, True, True]
    assert [parameter.grad for parameter in net.parameters()] == [None] * 4
    assert {leaf.name for leaf in run.leaves} == {
        "net.0.weight",
        "net.0.bias",
        "net.1.weight",
        "net.1.bias",
    }


def test_after_a_backward_that_raised_the_program_is_heard_on():
    net = nn.Linear(2, 1)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)

    def train():
        loss = net(torch.ones(1, 2)).sum()
        loss.backward()
        with pytest.raises(RuntimeError, match="second time"):
            loss.backward()
        optimizer.step()
        with torch.no_grad():
            net.weight.mul_(0.5)
        optimizer.zero_grad()
        net(torch.ones(1, 2)).sum().backward()

    run = tour.follow(train)
    assert kinds(run) == ["forward", "backward", "step", "update", "zeroing", "forward", "backward"]
    assert run.backward_calls == 2


def test_initialising_and_deleting_are_heard():
    net = nn.Linear(2, 1)
    before = [parameter.detach().clone() for parameter in net.parameters()]

    def train():
        net.reset_parameters()
        net(torch.ones(1, 2)).sum().backward()
        nn.init.normal_(net.weight)
        del net.weight.grad
        net(torch.ones(1, 2)).sum().backward()

    run = tour.follow(train)
    assert kinds(run) == ["update", "forward", "backward", "update", "zeroing", "forward", "backward"]
    assert [event.call for event in run.events if event.kind == "update"] == [
        "Linear.reset_parameters",
        "normal_",
    ]
    assert all(map(torch.equal, net.parameters(), before))


def test_groups_of_parameters_keep_their_own_settings():
    net = nn.Linear(2, 1)
    groups = [{"params": [net.weight], "lr": 0.01}, {"params": [net.bias], "lr": 0.5}]
    optimizer = torch.optim.SGD(groups, momentum=0.9)

    def train():
        net(torch.ones(1, 2)).sum().backward()
        optimizer.step()

    settings = tour.follow(train).events[-1].settings
    assert settings == (("lr of group 1", 0.01), ("lr of group 2", 0.5), ("momentum", 0.9))


def test_a_grad_that_was_there_is_put_back_where_it_is_zeroed_in_place_first():
    w = torch.ones(3, requires_grad=True)
    w.grad = torch.full((3,), 7.0)
    grad = w.grad
    optimizer = torch.optim.SGD([w], lr=0.1)

    def train():
        optimizer.zero_grad(set_to_none=False)
        (w**2).sum().backward()
        optimizer.step()

    tour.follow(train)
    assert w.grad is grad
    assert w.grad.tolist() == [7.0] * 3


def test_leaves_are_put_back_also_from_what_nobody_can_hear():
    w = torch.ones(3, requires_grad=True)

    def train():
        for epoch in range(20):
            (w**2).sum().backward()
            w.grad = None
            if epoch >= 12:
                w.data.add_(1)  # no version counts this
        w.detach().numpy()[:] = 0

    tour.follow(train)
    assert w.tolist() == [1.0] * 3


def test_random_generators_draw_the_same_again():
    generator = torch.Generator()
    state = generator.get_state()
    w = torch.ones(3, requires_grad=True)
    tour.follow(lambda: (w * torch.rand(3, generator=generator)).sum().backward())
    assert torch.equal(generator.get_state(), state)


class Labelled(torch.Tensor):
    pass


def test_odd_programs_are_followed_as_well():
    import asyncio

    labelled = torch.ones(3).as_subclass(Labelled).requires_grad_()
    tour.follow(lambda: (labelled * labelled).sum().backward())
    assert labelled.grad is None

    w = torch.ones(3, requires_grad=True)
    optimizer = torch.optim.SGD([w], lr=0.1)
    optimizer.settings = {}
    optimizer.settings["itself"] = optimizer.settings

    async def step():
        torch.autograd.backward((w * w).sum(), None, None, False, None, [w])
        await asyncio.sleep(0)
        optimizer.step()

    async def both():
        await asyncio.gather(step(), step())

    run = tour.follow(lambda: asyncio.run(both()))
    assert kinds(run) == ["forward", "backward", "forward", "backward", "step", "step"]
    assert optimizer.settings["itself"] is optimizer.settings

    meta = nn.Linear(3, 1, device="meta")
    assert tour.follow(lambda: meta(torch.ones(2, 3, device="meta")).sum().backward()).backward_calls == 1


def test_a_graph_that_is_kept_was_computed_once_and_before_what_came_after():
    net = nn.Linear(2, 1)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)

    def train():
        first, second = net(torch.ones(1, 2)).sum(), net(torch.ones(1, 2)).pow(2).sum()
        optimizer.zero_grad()
        first.backward(retain_graph=True)
        first.backward()
        second.backward()

    run = tour.follow(train)
    assert [(event.kind, event.backward_call) for event in run.events] == [
        ("forward", 1), ("forward", 3), ("zeroing", 0), ("backward", 1), ("backward", 2), ("backward", 3),
    ]  # fmt: skip


def test_what_changes_leaves_before_the_first_backward_is_told_and_nothing_that_changes_nothing():
    net = nn.Linear(2, 1)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    weight = net.weight.detach().clone()

    def train():
        net.load_state_dict({name: torch.zeros_like(tensor) for name, tensor in net.state_dict().items()})
        net(torch.ones(1, 2)).sum().backward()
        for parameter in net.parameters():
            parameter.grad /= 6
        for parameter in net.parameters():
            parameter.grad.detach_()
        for parameter in net.parameters():
            parameter.data -= 0.1 * parameter.grad

    run = tour.follow(train)
    assert kinds(run) == ["update", "forward", "backward", "gradient", "update"]
    assert run.events[0].call == "Linear.load_state_dict"
    assert same(next(leaf for leaf in run.leaves if leaf.name == "weight").value, weight)
    assert torch.equal(net.weight, weight)
    assert not optimizer.state


def test_parameters_that_share_memory_and_that_are_replaced_are_put_back():
    flat = torch.arange(6.0)
    a, b = nn.Parameter(flat[:3]), nn.Parameter(flat[3:])
    net = nn.Linear(2, 1)
    weight = net.weight

    def train():
        optimizer = torch.optim.SGD([a, b], lr=0.1)
        for _ in range(2):
            (a * b).sum().backward()
            optimizer.step()
            flat.mul_(2)
        net.load_state_dict(copy.deepcopy(net.state_dict()), assign=True)

    tour.follow(train)
    assert flat.tolist() == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    assert net.weight is weight


def test_calls_that_are_not_told_in_full_leave_a_gap_that_is_told():
    w = torch.ones((), requires_grad=True)

    def train():
        for _ in range(12):
            (w * w).backward()

    run = tour.follow(train)
    gaps = [
        (event.kind, event.backward_call, gap) for event, gap in zip(run.events, run.untold(), strict=True)
    ]
    assert gaps[-2:] == [("forward", 10, (9, 9)), ("backward", 10, None)]
    assert "backward 9 is not told in full" in tour.report(run)


def test_buffers_versions_and_parts_of_modules_are_as_found():
    net = nn.Linear(2, 1)
    average = torch.optim.swa_utils.AveragedModel(net)
    weight = torch.ones(3, requires_grad=True)
    earlier = weight * weight

    def train():
        net.extra = nn.Linear(1, 1)
        (net(torch.ones(1, 2)).sum() + weight.sum()).backward()
        average.update_parameters(net)
        average(torch.ones(1, 2))
        with torch.no_grad():
            weight.sub_(0.1 * weight.grad)

    tour.follow(train)
    assert average.n_averaged.item() == 0
    assert not list(net.children())
    earlier.sum().backward()  # which asks for the version that was saved
    assert weight.grad.tolist() == [2.0] * 3


def test_what_is_written_through_data_is_measured_anew():
    class Old(torch.optim.Optimizer):
        def __init__(self, params: list[torch.Tensor]) -> None:
            super().__init__(params, {})

        def step(self) -> None:  # type: ignore[override]
            for leaf in self.param_groups[0]["params"]:
                leaf.data.add_(leaf.grad, alpha=-0.25)

    def train() -> None:
        w = torch.ones(100, requires_grad=True)
        for _ in range(2):
            (w * 2).sum().backward()
            w.data -= 0.25 * w.grad
            w.grad.data.zero_()
        (w * 2).sum().backward()
        Old([w]).step()

    means = {
        kind: [
            change.after.stats.mean
            for event in tour.follow(train).events
            if event.kind == kind
            for change in event.changes[-1:]
        ]
        for kind in ("update", "zeroing", "step")
    }
    assert means == {"update": [0.5, 0.0], "zeroing": [0.0, 0.0], "step": [-0.5]}


def test_clipping_that_clips_nothing_is_told_as_that():
    net = nn.Linear(2, 1)

    def train():
        net(torch.ones(1, 2)).sum().backward()
        nn.utils.clip_grad_norm_(net.parameters(), 100.0)

    run = tour.follow(train)
    assert (run.events[-1].kind, run.events[-1].changes) == ("clipping", ())
    assert "nothing was clipped" in tour.report(run)


def test_an_interrupt_in_the_middle_leaves_everything_as_found():
    w = torch.ones(3, requires_grad=True)
    optimizer = torch.optim.Adam([w])

    def train():
        (w * w).sum().backward()
        optimizer.step()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tour.follow(train)
    assert w.tolist() == [1.0] * 3
    assert w.grad is None
    assert not optimizer.state
    assert torch.Tensor.backward.__module__ == "torch._tensor"
    assert not hooks._global_optimizer_pre_hooks


@pytest.mark.parametrize(
    "emptied",
    [
        lambda w: setattr(w, "grad", torch.zeros_like(w.grad)),
        lambda w: setattr(w.grad, "data", torch.zeros_like(w)),
        lambda w: w.grad.fill_(0),
        lambda w: w.grad.mul_(0),
    ],
)
def test_a_grad_that_becomes_zero_is_emptied_in_whatever_way(emptied):
    w = torch.tensor([1.0, 2.0], requires_grad=True)

    def train() -> None:
        (w**2).sum().backward()
        emptied(w)

    last = tour.follow(train).events[-1]
    assert last.kind == "zeroing"
    assert last.changes[0].after.first == (0.0, 0.0)
