"""After each look at a program what it reaches is as before: holders of any kind, memory, buffers, generators."""

from __future__ import annotations

import math
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn
from torch.ao.quantization import FusedMovingAvgObsFakeQuantize, MovingAverageMinMaxObserver
from torch.nn.utils import parametrizations, parametrize

import autograd_tour as tour

LOOKS = [tour.follow, tour.explain, tour.accumulate, tour.verify]


def leaf(value: float = 1.0) -> Tensor:
    return torch.tensor(value, requires_grad=True)


def stepped(w: Tensor) -> Tensor:
    assert w.grad is not None
    return (w - 0.1 * w.grad).detach().requires_grad_()


@dataclass(slots=True)
class Slotted:
    w: Tensor


class Own(dict[str, Tensor]):
    """A dict of the program's own."""


class Pair(NamedTuple):
    w: Tensor
    v: Tensor


class OfClass:
    w = leaf()


def by_key(holder: Any, key: Any) -> Callable[[], None]:
    """A program that trains ``holder[key]``."""

    def train() -> None:
        for _ in range(2):
            (holder[key] ** 2).backward()
            holder[key] = stepped(holder[key])

    return train


def by_name(holder: Any) -> Callable[[], None]:
    """A program that trains ``holder.w``."""

    def train() -> None:
        for _ in range(2):
            (holder.w**2).backward()
            holder.w = stepped(holder.w)

    return train


def of_partial(holder: dict[str, Tensor]) -> None:
    (holder["w"] ** 2).backward()
    holder["w"] = stepped(holder["w"])


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize(
    "holder", [{"w": leaf()}, OrderedDict(w=leaf()), defaultdict(list, w=leaf()), Own(w=leaf())], ids=type
)
def test_entries_of_dicts_of_any_kind(look: Callable[..., Any], holder: Any):
    first = holder["w"]
    for program in (by_key(holder, "w"), partial(of_partial, holder)):
        look(program)
        assert holder["w"] is first
        assert first.grad is None


@pytest.mark.parametrize("look", LOOKS)
def test_items_of_sequences_attributes_slots_and_those_of_a_class(look: Callable[..., Any]):
    listed, queue, slotted, net = [leaf()], deque([leaf()], maxlen=3), Slotted(leaf()), nn.Module()
    net.w = leaf()
    before = [listed[0], queue[0], slotted.w, net.w, OfClass.w]
    programs = [by_key(listed, 0), by_key(queue, 0), by_name(slotted), by_name(net), by_name(OfClass)]
    for program in programs:
        look(program)
    for now, then in zip([listed[0], queue[0], slotted.w, net.w, OfClass.w], before, strict=True):
        assert now is then


@pytest.mark.parametrize("look", LOOKS)
def test_variables_of_a_helper_and_of_what_a_decorator_wraps(look: Callable[..., Any]):
    w, pair = leaf(), Pair(leaf(), leaf(2.0))
    first = w, pair

    def step() -> None:
        nonlocal w, pair
        w, pair = stepped(w), Pair(stepped(pair.w), pair.v)

    def train() -> None:
        (w * pair.w).backward()
        step()

    def wrapped() -> None:
        train()

    look(wrapped)
    assert (w, pair) == first


@pytest.mark.parametrize("look", LOOKS)
def test_models_and_optimizers_that_are_made_anew(look: Callable[..., Any]):
    net = nn.Sequential(nn.Sequential(nn.Linear(2, 1)))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    first = net, optimizer

    def train() -> None:
        nonlocal net, optimizer
        net = nn.Sequential(nn.Linear(2, 1))
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        net(torch.ones(1, 2)).sum().backward()
        optimizer.step()

    look(train)
    assert (net, optimizer) == first


@pytest.mark.parametrize("look", LOOKS)
def test_a_collection_of_leaves_has_no_others_afterwards_and_a_history_stays(look: Callable[..., Any]):
    params, named, history = [leaf(), leaf()], {"a": leaf(), "b": leaf()}, [[torch.zeros(())]]
    before = list(params), dict(named)

    def train() -> None:
        for _ in range(2):
            (params[0] * named["a"]).backward()
        params.append(leaf())
        del named["a"]
        named["c"] = leaf()
        history.append([params[0].detach().clone()])

    look(train)
    assert (params, list(named.items())) == (before[0], list(before[1].items()))
    assert len(history) > 1


@pytest.mark.parametrize("look", LOOKS)
def test_what_is_loaded_before_the_first_backward_is_put_back(look: Callable[..., Any]):
    net, other = nn.Linear(2, 1), nn.Linear(2, 1)
    before = [item.detach().clone() for item in net.parameters()]

    def train() -> None:
        net.load_state_dict(other.state_dict())
        nn.init.ones_(net.bias)
        net(torch.ones(1, 2)).sum().backward()
        torch.optim.SGD(net.parameters(), lr=0.1).step()

    look(train)
    assert all(map(torch.equal, net.parameters(), before))


@pytest.mark.parametrize("look", LOOKS)
def test_running_statistics_that_the_program_writes_to(look: Callable[..., Any]):
    net = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    x = torch.randn(4, 2)
    before = {name: (item.clone(), item._version) for name, item in net.named_buffers()}

    def train() -> None:
        best = {name: item.clone() for name, item in net.state_dict().items()}
        for _ in range(2):
            net(x).pow(2).sum().backward()
        net[1].reset_running_stats()
        net(x)
        net.load_state_dict(best)

    look(train)
    for name, item in net.named_buffers():
        assert torch.equal(item, before[name][0])


@pytest.mark.parametrize("look", LOOKS)
def test_memory_that_parameters_get(look: Callable[..., Any]):
    net = nn.Linear(2, 1)
    before = [(item.data_ptr(), item.detach().clone()) for item in net.parameters()]

    def train() -> None:
        flat = torch.zeros(3)
        net.weight.data, net.bias.data = flat[:2].view(1, 2), flat[2:]
        net(torch.ones(1, 2)).sum().backward()
        flat.add_(1)

    look(train)
    for item, (address, value) in zip(net.parameters(), before, strict=True):
        assert item.data_ptr() == address
        assert torch.equal(item, value)


@pytest.mark.parametrize("look", LOOKS)
def test_a_generator_of_the_programs_own(look: Callable[..., Any]):
    generator = torch.Generator().manual_seed(3)
    before = generator.get_state()
    w = leaf()

    def train() -> None:
        (w * torch.rand((), generator=generator)).backward()

    look(train)
    assert torch.equal(generator.get_state(), before)


@pytest.mark.parametrize("look", LOOKS)
def test_parametrizations_that_are_removed_and_keys_of_parameters(look: Callable[..., Any]):
    net = parametrizations.weight_norm(nn.Linear(2, 1))
    named = nn.ParameterDict({"a": nn.Parameter(torch.ones(())), "b": nn.Parameter(torch.ones(()))})

    def train() -> None:
        parametrize.remove_parametrizations(net, "weight")
        named["c"] = nn.Parameter(torch.ones(()))
        del named["a"]
        for _ in range(2):
            (net(torch.ones(1, 2)).sum() * named["c"]).backward()

    look(train)
    assert net(torch.ones(1, 2)).requires_grad
    assert parametrize.is_parametrized(net, "weight")
    assert list(named.keys()) == ["a", "b"]
    assert named["a"].item() == 1


def test_verify_of_a_loss_leaves_values_grads_and_hooks_and_finds_them_at_each_run():
    net, w = nn.Linear(2, 1), leaf()
    generator = torch.Generator()
    net.weight.grad = torch.ones(1, 2)
    before = net.weight.grad, generator.get_state()

    def loss() -> Tensor:
        net.zero_grad()
        net.register_forward_hook(lambda *_: None)
        with torch.no_grad():
            w.mul_(3)
        return net(torch.rand(1, 2, generator=generator)).sum() * w * w

    checks = {check.name: check.outcome for check in tour.verify(loss).checks}
    assert checks["autograd"] == "ok"
    assert w.item() == 1
    assert net.weight.grad is before[0]
    assert torch.equal(generator.get_state(), before[1])
    assert not net._forward_hooks


def test_verify_does_not_count_a_backward_that_a_hook_stops():
    w = leaf()

    def train() -> None:
        stops = [True]

        def hook(_: Tensor) -> None:
            if stops:
                stops.pop()
                raise ValueError("not now")

        for factor in (1, 5):
            h = w * 2
            h.register_hook(hook)
            with suppress(ValueError):
                (h * factor).backward()

    (check, *_) = tour.verify(train).checks
    assert check.outcome == "ok"
    assert w.grad is None


class Hostile:
    """Nobody may ask it anything."""

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError(f"asked for {name}")

    def __eq__(self, _: object) -> bool:
        raise RuntimeError("compared")

    __hash__ = None  # type: ignore[assignment]


class Endless(dict[str, Any]):
    """Its own methods are wrong."""

    def __len__(self) -> int:
        raise RuntimeError("counted")

    def items(self) -> Any:
        raise RuntimeError("listed")

    def __setitem__(self, _: object, __: object) -> None:
        raise RuntimeError("written to")


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, SystemExit])
def test_an_interrupt_in_the_middle_leaves_names_and_hostile_neighbours_as_they_were(
    error: type[BaseException],
):
    w, beside, own = leaf(math.nan), [Hostile()], Endless()
    dict.__setitem__(own, "<b>&'\"\x1b[31m", leaf())
    own.itself = own
    first = w, dict(dict.items(own))

    def train() -> None:
        nonlocal w
        assert type(beside[0]) is Hostile
        w.backward(retain_graph=True)
        w = stepped(w)
        dict.clear(own)
        raise error

    with pytest.raises((error, tour.errors.ProgramError)):
        tour.follow(train)
    assert w is first[0]
    assert w.grad is None
    assert dict(dict.items(own)) == first[1]


class Replay:
    """A buffer of samples, and how many there are."""

    def __init__(self) -> None:
        self.data = torch.full((8, 2), float("nan"))
        self.count = 0

    def push(self, sample: Tensor) -> None:
        self.data[self.count % 8] = sample
        self.count += 1

    def sample(self) -> Tensor:
        return self.data[torch.randint(0, self.count, (4,))]


class Counting(nn.Module):
    """Without parts, and with a count that its forward uses."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(2))
        self.count = 0

    def forward(self, x: Tensor) -> Tensor:
        self.count += 1
        return (x * self.weight).sum() * self.count


@pytest.mark.parametrize("look", [tour.follow, tour.explain, tour.verify])
def test_a_count_is_put_back_with_the_tensors_that_it_counts(look: Callable[..., Any]):
    replay, counting = Replay(), Counting()

    def train() -> None:
        for step in range(2):
            replay.push(torch.full((2,), float(step)))
            counting(replay.sample()).backward()

    result = look(train)
    assert (replay.count, counting.count, replay.data.isnan().all().item()) == (0, 0, True)
    assert counting.weight.grad is None
    if look is tour.verify:
        assert {check.name: check.outcome for check in result.checks}["run"] == "ok"


@pytest.mark.parametrize("look", [tour.follow, tour.explain, tour.verify])
def test_buffers_of_a_part_that_is_never_called_itself_are_put_back(look: Callable[..., Any]):
    observed = FusedMovingAvgObsFakeQuantize(quant_min=0, quant_max=255, observer=MovingAverageMinMaxObserver)
    w = torch.tensor([1.0, 2.0], requires_grad=True)

    def train() -> None:
        observed(w).sum().backward()

    look(train)
    assert observed.activation_post_process.max_val.item() == -math.inf


@pytest.mark.parametrize("look", [tour.trace, *LOOKS])
@pytest.mark.parametrize("trains", [False, True])
def test_tensors_can_be_swapped_after_a_look(look: Callable[..., Any], trains: bool):
    w, v = leaf(2.0), leaf(3.0)
    if trains and look is tour.trace:
        return

    def program() -> Tensor:
        loss = w * v
        if trains:
            loss.backward()
        return loss

    look(program)
    torch.utils.swap_tensors(w, v)  # it refuses those that somebody holds a weak reference to
    assert (w.item(), v.item()) == (3.0, 2.0)
