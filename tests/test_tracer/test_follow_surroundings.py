"""What the surroundings of a program hold, and it binds anew, is there again afterwards."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import autograd_tour as tour


def leaf(value: float) -> Tensor:
    return torch.tensor(value, requires_grad=True)


def stepped(w: Tensor) -> Tensor:
    assert w.grad is not None
    return (w - 0.01 * w.grad).detach().requires_grad_()


W = leaf(1.0)
PARAMS = [leaf(3.0), leaf(4.0)]
LAYER = {"w": leaf(5.0)}
PAIR = (leaf(2.0), {"b": leaf(8.0)})
HOLDER = SimpleNamespace(w=leaf(6.0), layers=[{"w": leaf(7.0)}], steps=0)
NET = nn.Module()
NET.plain = leaf(9.0)


def a_global() -> None:
    global W
    for _ in range(3):
        (W**2).backward()
        W = stepped(W)


def a_list() -> None:
    global PARAMS
    for _ in range(12):
        (PARAMS[0] ** 2 + PARAMS[1] ** 2).backward()
        PARAMS = [stepped(item) for item in PARAMS]


def items_of_a_list() -> None:
    for _ in range(3):
        (PARAMS[0] ** 2).backward()
        PARAMS[0] = stepped(PARAMS[0])
        PARAMS.append(leaf(0.0))


def a_dict() -> None:
    for _ in range(12):
        (LAYER["w"] ** 2).backward()
        LAYER["w"] = stepped(LAYER["w"])


def in_a_tuple() -> None:
    for _ in range(3):
        (PAIR[0] * PAIR[1]["b"]).backward()
        PAIR[1]["b"] = stepped(PAIR[1]["b"])


def an_object() -> None:
    for _ in range(12):
        (HOLDER.w * HOLDER.layers[0]["w"]).backward()
        HOLDER.w, HOLDER.layers[0]["w"] = stepped(HOLDER.w), stepped(HOLDER.layers[0]["w"])


def an_attribute_of_a_module() -> None:
    for _ in range(3):
        (NET.plain**2).backward()
        NET.plain = stepped(NET.plain)


def held() -> list[Any]:
    """All that leads to leaves, as objects: the same ones in the same places."""
    lists = [W, PARAMS, *PARAMS, LAYER, *LAYER.values(), PAIR, *PAIR[1].values(), HOLDER, HOLDER.w]
    return list(map(id, [*lists, HOLDER.layers, *HOLDER.layers, HOLDER.layers[0]["w"], NET.plain]))


PROGRAMS = [
    a_global,
    a_list,
    items_of_a_list,
    a_dict,
    in_a_tuple,
    an_object,
    an_attribute_of_a_module,
]


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("look", [tour.follow, tour.explain, tour.accumulate])
def test_what_led_to_a_leaf_leads_to_the_same_one(look: Callable[[Any], Any], program: Callable[[], None]):
    before = held()
    look(program)
    assert held() == before
    assert W.grad is None


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_program_runs_again_from_the_same_values(program: Callable[[], None]):
    before = held()
    (check, *_) = tour.verify(program).checks
    assert check.outcome == "ok"
    assert held() == before


def test_variables_of_a_closure_and_the_object_of_a_method_are_as_they_were():
    w = leaf(2.0)
    first = w

    def train() -> None:
        nonlocal w
        (w**2).backward()
        w = stepped(w)

    tour.follow(train)
    assert w is first

    class Model:
        def __init__(self) -> None:
            self.w = leaf(3.0)

        def train(self) -> None:
            (self.w**2).backward()
            self.w = stepped(self.w)

        __call__ = train

    model = Model()
    first = model.w
    for program in (model.train, model):
        tour.follow(program)
        assert model.w is first


def test_a_count_beside_a_leaf_is_put_back_and_what_holds_no_leaf_stays():
    seen: list[float] = []

    def train() -> None:
        HOLDER.steps += 1
        (W**2).backward()
        assert W.grad is not None
        seen.append(W.grad.item())

    steps = HOLDER.steps
    tour.follow(train)
    assert (HOLDER.steps, seen) == (steps, [2.0])
