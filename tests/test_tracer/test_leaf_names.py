"""A leaf is called what it was called first, outermost, whatever it is bound to later."""

from __future__ import annotations

import pytest
import torch

import autograd_tour as tour

v_global = torch.tensor(2.0, requires_grad=True)


def leaves(graph):
    return [node.name for node in graph.nodes if node.kind == "leaf"]


def of_a_closure():
    v0 = torch.tensor(2.0, requires_grad=True)

    def program():
        vel = v0
        for _ in range(3):
            vel = vel * 1.5
        return vel

    return program, (), "v0"


def of_a_global():
    def program():
        vel = v_global
        for _ in range(3):
            vel = vel * 1.5
        return vel

    return program, (), "v_global"


def of_an_argument():
    def program(v0):
        vel = v0
        for _ in range(3):
            vel = vel * 1.5
        return vel

    return program, (torch.tensor(2.0, requires_grad=True),), "v0"


def of_the_program_itself():
    def program():
        v0 = torch.tensor(2.0, requires_grad=True)
        vel = v0
        for _ in range(3):
            vel = vel * 1.5
        return vel

    return program, (), "v0"


def of_a_variable_that_an_inner_function_uses():
    def program():
        v0 = torch.tensor(2.0, requires_grad=True)
        again = lambda: v0 * 2  # noqa: E731
        vel = v0
        for _ in range(3):
            vel = vel * 1.5
        return vel + again()

    return program, (), "v0"


def of_a_list():
    def program():
        parts = [torch.tensor(2.0, requires_grad=True)]
        total = torch.tensor(1.0)
        for part in parts:
            total = total * part
        return total

    return program, (), "parts[0]"


CASES = [
    of_a_closure, of_a_global, of_an_argument, of_the_program_itself,
    of_a_variable_that_an_inner_function_uses, of_a_list,
]  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_leaf_bound_to_another_name_later_keeps_its_first(case):
    program, args, name = case()
    assert leaves(tour.trace(program, *args)) == [name]


def test_a_tensor_that_exists_has_the_first_name_of_the_caller():
    v0 = torch.tensor(2.0, requires_grad=True)
    vel = v0
    loss = vel * 3
    assert leaves(tour.trace(loss)) == ["v0"]


def test_six_sigmoids_are_asked_about_their_own_leaf():
    x = torch.tensor([0.5], requires_grad=True)

    def program():
        h = x
        for _ in range(6):
            h = torch.sigmoid(h)
        return h.sum()

    graph = tour.trace(program)
    assert leaves(graph) == ["x"]
    assert next(node.op for node in graph.nodes if node.kind == "operation") == "torch.sigmoid(h)"
    assert [node.name for node in graph.nodes if node.kind == "operation"][:6] == ["h"] * 6


def test_a_leaf_that_no_variable_holds_when_it_is_used_is_called_by_the_one_it_was_made_for():
    def program():
        w = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
        return torch.func.vmap(lambda row: (w * row).sum())(torch.ones(4, 3)).sum()

    assert leaves(tour.trace(program)) == ["w"]


class Holder:
    pass


def test_a_leaf_without_any_variable_is_called_by_what_the_program_says():
    holder = Holder()
    holder.weight = torch.ones(6, 1, requires_grad=True)
    graph = tour.trace(lambda: (holder.weight * 2).sum())
    (leaf,) = [node for node in graph.nodes if node.kind == "leaf"]
    assert (leaf.name, leaf.expr) == ("holder.weight", "holder.weight")
    graph = tour.trace(lambda: (torch.ones(6, 1, requires_grad=True) * 2).sum())
    (leaf,) = [node for node in graph.nodes if node.kind == "leaf"]
    assert leaf.op == "torch.ones(6, 1, requires_grad=True)"
    graph = tour.trace((torch.ones(6, 1, requires_grad=True) * 2).sum())
    (leaf,) = [node for node in graph.nodes if node.kind == "leaf"]
    assert leaf.op == "leaf (6, 1)"
