"""Names that are bound without a sound: swaps, collections, objects, heads of models, whatever a loop makes of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import autograd_tour as tour
from autograd_tour.checks.courses import gaps_in
from autograd_tour.formats.page.run import run_data
from autograd_tour.record.run import Event, Run
from autograd_tour.views.run_columns import column


def leaf(value: float) -> Tensor:
    return torch.tensor(value, requires_grad=True)


def stepped(w: Tensor, rate: float = 0.1) -> Tensor:
    assert w.grad is not None
    return (w - rate * w.grad).detach().requires_grad_()


def swapped(calls: int) -> list[Tensor]:
    a, b = leaf(1.0), leaf(5.0)
    for _ in range(calls):
        (a * 2 + b * 3).backward()
        a, b = b, a
    return [a, b]


def in_a_dict(calls: int) -> list[Tensor]:
    params = {"w": leaf(1.0), "b": leaf(2.0)}
    for _ in range(calls):
        (params["w"] ** 2 + params["b"] ** 4).backward()
        params = {name: stepped(value, 0.01) for name, value in params.items()}
    return list(params.values())


def one_of_a_dict(calls: int) -> list[Tensor]:
    params = {"w": leaf(1.0)}
    for _ in range(calls):
        ((params["w"] - 3) ** 2).backward()
        params["w"] = stepped(params["w"])
    return list(params.values())


def in_layers(calls: int) -> list[Tensor]:
    layers = [(leaf(2.0), leaf(0.5)), (leaf(3.0), leaf(1.0))]
    for _ in range(calls):
        h = torch.tensor(1.0)
        for w, b in layers:
            h = w * h + b
        (h**2).backward()
        layers = [(stepped(w, 0.001), stepped(b, 0.001)) for w, b in layers]
    return [item for layer in layers for item in layer]


class Holder:
    w: Tensor
    layers: list[dict[str, Tensor]]


def in_an_object(calls: int) -> list[Tensor]:
    holder = Holder()
    holder.w = leaf(2.0)
    for _ in range(calls):
        (holder.w**2).backward()
        holder.w = stepped(holder.w)
    return [holder.w]


def through_another_name(calls: int) -> list[Tensor]:
    w = leaf(1.0)
    for _ in range(calls):
        ((w - 3) ** 2).backward()
        new = stepped(w)
        w = new
    return [w]


def both_at_once(calls: int) -> list[Tensor]:
    w, b = leaf(1.0), leaf(2.0)
    for _ in range(calls):
        gradients = torch.autograd.grad((w * 3 - b) ** 2, (w, b))
        w, b = (
            (w - 0.01 * gradients[0]).detach().requires_grad_(),
            (b - 0.01 * gradients[1]).detach().requires_grad_(),
        )
    return [w, b]


def in_layers_of_an_object(calls: int) -> list[Tensor]:
    holder = Holder()
    holder.layers = [{"w": leaf(2.0), "b": leaf(0.5)}, {"w": leaf(3.0), "b": leaf(1.0)}]
    for _ in range(calls):
        h = torch.tensor(1.0)
        for layer in holder.layers:
            h = layer["w"] * h + layer["b"]
        (h**2).backward()
        holder.layers = [
            {name: stepped(value, 0.001) for name, value in layer.items()} for layer in holder.layers
        ]
    return [item for layer in holder.layers for item in layer.values()]


def of_a_helper(calls: int) -> list[Tensor]:
    def step(w: Tensor) -> Tensor:
        ((w - 3) ** 2).backward()
        return stepped(w)

    a = leaf(1.0)
    for _ in range(calls):
        a = step(a)
    return [a]


def of_a_module(calls: int) -> list[Tensor]:
    net = nn.Linear(2, 1)
    for _ in range(calls):
        net(torch.ones(3, 2)).pow(2).mean().backward()
        net.weight = nn.Parameter(net.weight.detach() * 0.9)
    return [net.weight]


def new_head(calls: int) -> list[Tensor]:
    net = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
    for call in range(calls):
        optimizer.zero_grad(set_to_none=False)
        net(torch.ones(4, 2)).pow(2).mean().backward()
        optimizer.step()
        if call == calls // 2:
            net[1] = nn.Linear(3, 1)
    return [net[1].weight]


PROGRAMS: list[Callable[[int], list[Tensor]]] = [
    swapped, in_a_dict, one_of_a_dict, in_layers, in_an_object, through_another_name, both_at_once, of_a_helper,
    in_layers_of_an_object,
    of_a_module, new_head,
]  # fmt: skip


def followed(program: Callable[[int], list[Tensor]], calls: int) -> tuple[Run, list[Tensor]]:
    results: list[Tensor] = []

    def run_it() -> None:
        torch.manual_seed(0)
        results[:] = program(calls)

    return tour.follow(run_it, keep=None), results


def numbers(tensor: Tensor | None) -> tuple[Any, ...] | None:
    return None if tensor is None else tuple(tensor.detach().flatten().tolist())


@pytest.mark.parametrize("calls", [1, 3, 9, 14])
@pytest.mark.parametrize("program", PROGRAMS)
def test_the_leaves_at_the_end_are_those_that_the_names_stand_for(program, calls):
    run, results = followed(program, calls)
    ends = [(item.final_value.first, item.final_grad and item.final_grad.first) for item in run.leaves]
    for tensor in results:
        assert (numbers(tensor), numbers(tensor.grad)) in ends
    assert gaps_in(run) == ()
    assert not any("not known" in note for note in run.notes)


@pytest.mark.parametrize("program", PROGRAMS)
def test_all_losses_and_norms_of_a_long_run_are_those_of_the_program_alone(program):
    def run_it() -> None:
        torch.manual_seed(0)
        program(25)

    check = tour.verify(run_it).checks[0]
    assert check.outcome == "ok", check
    assert check.result.noted_norms


def test_a_leaf_has_the_same_name_whatever_the_loop_calls_it():
    assert {item.name for item in followed(in_layers, 3)[0].leaves} == {
        "layers[0][0]", "layers[0][1]", "layers[1][0]", "layers[1][1]",
    }  # fmt: skip
    assert [item.name for item in followed(in_an_object, 3)[0].leaves] == ["holder.w"]
    assert {item.name for item in followed(in_layers_of_an_object, 3)[0].leaves} == {
        f"holder.layers[{n}]['{name}']" for n in (0, 1) for name in "wb"
    }


def rebindings(run: Run) -> list[Event]:
    return [event for event in run.events if event.kind == "rebinding"]


def test_a_swap_is_told_with_the_grads_of_both_and_no_line_where_one_was_made():
    run, _ = followed(swapped, 2)
    first = rebindings(run)[0]
    assert (run.line(first), first.backward_call, column((first,), run, None).head) == (
        None,
        1,
        "another tensor",
    )
    told = {run.leaves[change.leaf].name: (change.after.first, change.grad.first) for change in first.changes}
    assert told == {"a": ((5.0,), (3.0,)), "b": ((1.0,), (2.0,))}
    before = {
        run.leaves[change.leaf].name: (change.before.first, change.after.first)
        for change in [event for event in run.events if event.kind == "backward"][1].changes
    }
    assert before == {"a": ((3.0,), (5.0,)), "b": ((2.0,), (5.0,))}


def test_the_page_shows_the_grad_of_the_tensor_that_a_name_stands_for():
    run, _ = followed(swapped, 2)
    events = run_data(run)["events"]
    assert [change["grad"] for change in events[2]["changes"]] == ["3", "2"]
    assert all(change["grad"] is None for change in events[1]["changes"])
    run, _ = followed(in_a_dict, 1)
    assert {change["grad"] for change in run_data(run)["events"][-1]["changes"]} == {"None"}


def test_what_was_made_at_once_is_told_at_its_line_and_counted_before_the_next_call():
    run, _ = followed(in_a_dict, 3)
    assert [event.backward_call for event in rebindings(run)] == [1, 2, 3]
    assert {run.line(event).text.strip() for event in rebindings(run)} == {
        "return (w - rate * w.grad).detach().requires_grad_()"
    }


def test_a_candidate_that_is_taken_sometimes_stays_apart_from_the_leaf():
    def program() -> None:
        w = leaf(1.0)
        for call in range(4):
            ((w - 3) ** 2).backward()
            candidate = stepped(w, 0.9)
            if call == 0:
                w = candidate
            else:
                w.grad = None

    run = tour.follow(program)
    (w,) = run.leaves
    assert (w.name, w.final_value.first, w.final_grad) == ("w", pytest.approx((4.6,)), None)
    assert gaps_in(run) == ()


def test_nothing_of_a_program_is_kept_alive():
    import gc
    import weakref

    class Large:
        pass

    references: list[weakref.ref[Large]] = []

    def program() -> None:
        held = Large()
        references.append(weakref.ref(held))
        w = leaf(1.0)
        (w * w).backward()

    tour.follow(program)
    gc.collect()
    assert all(reference() is None for reference in references)


def test_keys_full_of_markup_lead_somewhere_or_nowhere_and_never_elsewhere():
    keys = ["<b>&\n", "a'b\"c", "x]['y", "\\", "\x1b[31m", ""]

    def program() -> None:
        params = {key: leaf(float(number)) for number, key in enumerate(keys, start=1)}
        for _ in range(3):
            torch.stack([value**2 for value in params.values()]).sum().backward()
            params = {key: stepped(value) for key, value in params.items()}

    assert tour.verify(program).holds


def test_events_of_calls_that_are_not_told_between_them_stay_apart():
    def program() -> None:
        w = torch.tensor([1.0, 2.0], requires_grad=True)
        for _ in range(101):
            (gradient,) = torch.autograd.grad(((w - 3) ** 2).sum(), w)
            with torch.no_grad():
                w -= 0.01 * gradient

    values: list[tuple[float, ...]] = []
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    for _ in range(101):
        (gradient,) = torch.autograd.grad(((w - 3) ** 2).sum(), w)
        with torch.no_grad():
            w -= 0.01 * gradient
        values.append(tuple(w.tolist()))
    updates = [event for event in tour.follow(program).events if event.kind == "update"]
    assert {event.backward_call for event in updates} >= {8, 9, 10, 99, 100}
    for event in updates:
        assert event.changes[0].after.first == values[event.backward_call - 1]


def test_grad_of_a_frozen_leaf_and_data_of_a_grad_are_told():
    def program() -> None:
        w = torch.tensor([4.0, 2.0], requires_grad=True)
        (w * w).sum().backward()
        w.grad.data = w.grad.data / 2
        w.requires_grad_(False)
        w.grad = None

    run = tour.follow(program)
    assert [event.kind for event in run.events][2:] == ["gradient", "zeroing"]
    assert gaps_in(run) == ()


def test_a_view_that_torch_will_not_speak_of_is_left_alone():
    def program() -> None:
        w = torch.zeros(3, requires_grad=True)
        for _ in range(2):
            ((w - 3) ** 2).sum().backward()
            with torch.no_grad():
                row = w[1:]
                row -= 0.1
                w.index_fill_(0, torch.tensor([0]), 3.0)

    assert tour.follow(program).backward_calls == 2
