"""Everything that a program which is followed leaves on modules and tensors is taken off again."""

from __future__ import annotations

import copy
import weakref

import pytest
import torch
from torch import nn
from torch.optim import optimizer as optimizers

import autograd_tour as tour


def hooks_of(net: nn.Module, *tensors: torch.Tensor) -> list[object]:
    """All hooks by name, and those of torch itself."""
    state: list[object] = [
        (name, list(value.items()) if isinstance(value, dict) else value)
        for module in net.modules()
        for name, value in vars(module).items()
        if "_hook" in name
    ]
    for tensor in (*net.parameters(), *tensors):
        for name in ("_backward_hooks", "_post_accumulate_grad_hooks"):
            hooks = getattr(tensor, name)
            state.append(None if hooks is None else list(hooks.items()))
    spaces = (vars(torch.nn.modules.module), vars(optimizers))
    for space in spaces:
        state += [copy.copy(value) for name, value in space.items() if name.startswith("_global_")]
    return state


def test_hooks_that_the_program_leaves_are_taken_off_and_those_of_before_stay():
    net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
    called: list[str] = []
    earlier = net[0].weight * 2
    net[0].register_forward_hook(lambda *_: called.append("before"))
    net[0].weight.register_hook(lambda g: called.append("before"))
    removed = net[1].register_forward_hook(lambda *_: called.append("taken off"))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    optimizer.register_step_post_hook(lambda *_: called.append("before"))
    before, steps = hooks_of(net, earlier), list(optimizer._optimizer_step_post_hooks)

    def train():
        late = lambda *_: called.append("late")  # noqa: E731
        removed.remove()
        net.register_forward_pre_hook(late, with_kwargs=True)
        net[0].register_forward_hook(late, always_call=True)
        net[1].register_full_backward_hook(late)
        net[1].register_full_backward_pre_hook(late)
        net[0].weight.register_hook(late)
        net[1].weight.register_hook(late)
        net[1].bias.register_post_accumulate_grad_hook(late)
        earlier.register_hook(late)
        net.register_state_dict_pre_hook(late)
        optimizer.register_step_post_hook(late)
        torch.nn.modules.module.register_module_forward_hook(late)
        optimizers.register_optimizer_step_post_hook(late)
        for _ in range(2):
            net(torch.ones(1, 2)).sum().backward()
            optimizer.step()

    tour.follow(train)
    assert "late" in called
    assert hooks_of(net, earlier) == before
    assert list(optimizer._optimizer_step_post_hooks) == steps
    called.clear()
    (net(torch.ones(1, 2)).sum() + earlier.sum()).backward()
    net.state_dict()
    optimizer.step()
    assert sorted(called) == ["before", "before", "before", "taken off"]


def test_parametrizations_and_buffers_that_the_program_leaves_are_taken_off():
    net = nn.Linear(2, 2)
    kept = copy.deepcopy(net.state_dict())
    weight = net.weight

    def train():
        torch.nn.utils.parametrizations.weight_norm(net)
        net.register_buffer("steps", torch.zeros(()))
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        for _ in range(2):
            net(torch.ones(1, 2)).sum().backward()
            optimizer.step()

    tour.follow(train)
    assert type(net) is nn.Linear
    assert net.weight is weight
    assert net.state_dict().keys() == kept.keys()
    assert all(torch.equal(net.state_dict()[name], kept[name]) for name in kept)
    assert net(torch.ones(1, 2)).grad_fn.name() == "AddmmBackward0"


def test_a_model_whose_tensors_are_swapped_is_followed_and_put_back():
    net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    parameters = list(net.parameters())
    net(torch.ones(1, 2)).sum().backward()
    values = [parameter.detach().clone() for parameter in parameters]
    grads, versions = [p.grad for p in parameters], [p._version for p in parameters]
    other = {name: tensor * 2 for name, tensor in net.state_dict().items()}
    ends: list[list[torch.Tensor]] = []

    def train():
        torch.__future__.set_swap_module_params_on_conversion(True)
        net.to(torch.float64)
        for _ in range(2):
            net(torch.ones(1, 2, dtype=torch.float64)).sum().backward()
            optimizer.step()
        net.float()
        net.load_state_dict(other)
        optimizer.zero_grad()
        net(torch.ones(1, 2)).pow(2).sum().backward()
        optimizer.step()
        ends.append([item.detach().clone() for p in net.parameters() for item in (p, p.grad)])

    def as_before():
        assert all(p is q for p, q in zip(net.parameters(), parameters, strict=True))
        assert [p.dtype for p in parameters] == [torch.float32] * 4
        assert all(map(torch.equal, parameters, values))
        assert [p._version for p in parameters] == versions
        assert all(p.grad is grad for p, grad in zip(parameters, grads, strict=True))
        assert not optimizer.state
        assert not torch.__future__.get_swap_module_params_on_conversion()

    run = tour.follow(train)
    as_before()
    tour.follow(train)  # the same again
    as_before()
    assert not run.notes
    dtypes = {
        change.after.dtype for event in run.events if event.kind == "update" for change in event.changes
    }
    assert dtypes == {"float32", "float64"}
    try:
        for parameter in parameters:
            parameter.grad = parameter.grad.clone()
        train()
    finally:
        torch.__future__.set_swap_module_params_on_conversion(False)
    assert all(map(torch.equal, ends[0], ends[2]))


def test_a_weak_reference_of_the_programs_own_is_still_refused():
    first, second = torch.ones(2), torch.zeros(2)
    w = torch.ones((), requires_grad=True)

    def train():
        (w * w).backward()
        reference = weakref.ref(first)
        with pytest.raises(RuntimeError, match="weakref"):
            torch.utils.swap_tensors(first, second)
        del reference
        torch.utils.swap_tensors(first, second)
        assert first.tolist() == [0.0, 0.0]

    tour.follow(train)
    assert first.tolist() == [1.0, 1.0]
    assert torch.utils.swap_tensors.__module__ == "torch.utils"
    assert torch.utils.weakref is weakref


def test_memory_that_a_parameter_gets_while_nobody_listens_is_put_back_beside_one_that_lies_nowhere():
    sparse = torch.eye(2).to_sparse().requires_grad_()
    spare = torch.full((1_000_001,), 5.0)  # more than is copied before nobody listens
    optimizer = torch.optim.SGD([sparse], lr=0.1)

    def train():
        w = torch.ones(len(spare), requires_grad=True)
        optimizer.add_param_group({"params": [w]})
        for n in range(16):
            if n == 13:
                w.data = spare
            optimizer.zero_grad()
            (w * w).sum().backward()
            optimizer.step()

    with pytest.raises(RuntimeError):
        sparse.data_ptr()
    tour.follow(train)
    assert spare.eq(5).all()
    assert sparse.to_dense().equal(torch.eye(2))
