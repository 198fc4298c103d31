"""Names: the program's own, wherever it keeps its tensors; and never one card for two tensors."""

from __future__ import annotations

import pytest
import torch
from programs import basics

import autograd_tour as tour

shared = torch.tensor([1.0, 2.0], requires_grad=True)


def leaves(graph):
    return [node.name for node in graph.nodes if node.kind == "leaf"]


def names(graph):
    return {name for node in graph.nodes for name in node.names if name}


def test_globals_closures_arguments_and_locals():
    closed = torch.tensor(2.0, requires_grad=True)

    def program(given):
        inner = torch.tensor(3.0, requires_grad=True)
        product = shared * closed
        total = product.sum() * given * inner
        return total  # noqa: RET504 - the name is what is asked for

    graph = tour.trace(program, torch.tensor(1.0, requires_grad=True))
    assert set(leaves(graph)) == {"shared", "closed", "given", "inner"}
    assert {"product", "total"} <= names(graph)


def test_a_lambda_in_the_callers_frame():
    w = torch.tensor(2.0, requires_grad=True)
    x = torch.tensor(5.0)
    graph = tour.trace(lambda: w * x)
    assert leaves(graph) == ["w"]
    assert [node.name for node in graph.nodes if node.kind == "constant"] == ["x"]
    assert graph.nodes[-1].op == "w * x"


def test_an_existing_tensor_takes_names_from_the_caller():
    weight = torch.tensor(2.0, requires_grad=True)
    loss = weight * 3
    graph = tour.trace(loss)
    assert leaves(graph) == ["weight"]
    assert graph.nodes[-1].name == "loss"


def test_parameters_by_their_path_and_of_two_models_with_their_variable():
    net = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 1))
    x = torch.ones(1, 2)
    graph = tour.trace(lambda: net(x).sum())
    assert set(leaves(graph)) == {"net.0.weight", "net.0.bias", "net.1.weight", "net.1.bias"}
    left, right = torch.nn.Linear(2, 1), torch.nn.Linear(2, 1)
    graph = tour.trace(lambda: (left(x) + right(x)).sum())
    assert set(leaves(graph)) == {"left.weight", "left.bias", "right.weight", "right.bias"}


def test_unpacked_and_listed_tensors():
    params = torch.tensor([1.0, 2.0], requires_grad=True)
    layers = [torch.tensor(3.0, requires_grad=True), torch.tensor(4.0, requires_grad=True)]

    def program():
        w, b = params
        return w * layers[0] + b * layers[1]

    graph = tour.trace(program)
    assert set(leaves(graph)) == {"params", "layers[0]", "layers[1]"}
    (unbind,) = [node for node in graph.nodes if node.grad_fn == "UnbindBackward0"]
    assert unbind.names == ("w", "b")


def test_names_given_by_hand_win():
    w = torch.tensor(2.0, requires_grad=True)
    graph = tour.trace(lambda: w * 3, names={"slope": w})
    assert leaves(graph) == ["slope"]


def test_two_tensors_of_one_name_are_two_nodes():
    graph = tour.trace(basics.same_names)
    outs = [node for node in graph.nodes if node.name == "out"]
    assert [node.value.first for node in outs] == [(0.5,), (1.0,)]
    assert len({node.id for node in outs}) == 2
    a, b = (node for node in graph.nodes if node.kind == "leaf")
    assert (a.value.first, b.value.first) == ((1.0,), (2.0,))


def test_a_name_used_again_goes_to_the_tensor_that_has_it_at_that_time():
    def program():
        h = torch.tensor(2.0, requires_grad=True)
        for _ in range(3):
            h = h * 2
        return h

    graph = tour.trace(program)
    assert [node.name for node in graph.nodes if node.kind == "operation"] == ["h", "h", "h"]
    assert [node.value.first for node in graph.nodes if node.kind == "operation"] == [(4.0,), (8.0,), (16.0,)]


def test_the_source_line_of_every_operation():
    graph = tour.trace(basics.broadcast)
    lines = {graph.source[node.where].text for node in graph.nodes if node.kind == "operation"}
    assert lines == {"out = x_data @ weight + bias", "return (out * scale).pow(2).mean()"}
    assert all(line.file.endswith("basics.py") for line in graph.source)


def test_strange_names_and_values_are_only_text():
    space = {
        "<script>": torch.tensor(1.0, requires_grad=True),
        "a\x00b": torch.tensor(2.0, requires_grad=True),
    }
    graph = tour.trace(lambda: space["<script>"] * space["a\x00b"])
    assert set(leaves(graph)) == {"space['<script>']", "space['a\\x00b']"}


def test_a_dropout_is_called_a_dropout():
    def dropped():
        x = torch.ones(4, requires_grad=True)
        return torch.nn.functional.dropout(x * 3, 0.2).sum()

    labels = [node.op for node in tour.trace(dropped).nodes]
    assert "torch.nn.functional.dropout(x * 3, 0.2)" in labels
    assert not any("* 0.2" in label for label in labels)


class Twice(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * 2, x + 1

    @staticmethod
    def backward(ctx, a, b):
        return 2 * a + b


def test_a_custom_function_has_its_values_names_and_line():
    def program():
        w = torch.tensor([1.0, 2.0], requires_grad=True)
        double, more = Twice.apply(w)
        return (double * more).sum()

    graph = tour.trace(program)
    (node,) = [node for node in graph.nodes if "custom Function" in node.notes]
    assert node.names == ("double", "more")
    assert [facts.first for facts in node.values] == [(2.0, 4.0), (2.0, 3.0)]
    assert graph.source[node.where].text == "double, more = Twice.apply(w)"
    assert node.op == "Twice.apply(w)"
    assert any(note.startswith("its backward() is at test_names.py:") for note in node.notes)
    assert leaves(graph) == ["w"]
    assert any(node.op == "double * more" for node in graph.nodes)


class Squared(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        result = x * x
        ctx.save_for_backward(x, result)
        return result

    @staticmethod
    def backward(ctx, grad):
        return 2 * ctx.saved_tensors[0] * grad


def test_a_custom_function_between_two_others_has_the_value_that_the_next_one_saved():
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    graph = tour.trace(lambda: Squared.apply(Squared.apply(Squared.apply(w))).sum())
    first, second, third = (node for node in graph.nodes if node.grad_fn == "SquaredBackward")
    assert [node.value.first for node in (first, second, third)] == [(1.0, 4.0), (1.0, 16.0), (1.0, 256.0)]
    leaf = next(node for node in graph.nodes if node.kind == "leaf")
    assert [saved.of for saved in first.saved] == [leaf.id, first.id]
    assert [saved.of for saved in second.saved] == [first.id, second.id]


def test_the_only_part_of_a_result_has_its_own_name():
    w = torch.ones(2, requires_grad=True)

    def program():
        (part,) = w.split(2)
        return part.sum()

    assert "part" in names(tour.trace(program))


def test_before_a_star_each_name_has_one_result():
    def first():
        x = torch.tensor([3.0, 1.0, 2.0], requires_grad=True)
        y, *_ = torch.sort(x)
        return y.sum()

    def last():
        x = torch.tensor([3.0, 1.0, 2.0], requires_grad=True)
        *rest, y = torch.unbind(x)
        return y * rest[0]

    assert "y" in names(tour.trace(first))
    assert not any(name.startswith("y.") for name in names(tour.trace(first)))
    last_names = [node.names for node in tour.trace(last).nodes if node.grad_fn == "UnbindBackward0"]
    assert last_names == [("rest[0]", "", "y")]


def test_a_tensor_that_is_unpacked_is_none_of_its_rows():
    def program():
        q, k, v = (x @ w).reshape(2, 3, 2).permute(1, 0, 2)
        first, *_ = x @ w
        return (q * k + v).sum() + first.sum()

    x, w = torch.ones(2, 4), torch.ones(4, 6, requires_grad=True)
    graph = tour.trace(program)
    (whole,) = [node for node in graph.nodes if node.grad_fn == "PermuteBackward0"]
    assert whole.names == ("",)
    assert [node.names for node in graph.nodes if node.grad_fn == "MmBackward0"] == [("",), ("",)]
    unbound = [node.names for node in graph.nodes if node.grad_fn == "UnbindBackward0"]
    assert ("q", "k", "v") in unbound


def test_a_tuple_of_one_module_that_another_takes_apart_has_names_and_values():
    class Head(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.out = torch.nn.Linear(3, 1)

        def forward(self, states):
            out, (h, c) = states
            return self.out(out).mean() + h.sum() + c.sum()

    torch.manual_seed(0)
    rnn, head, x = torch.nn.LSTM(4, 3, batch_first=True), Head(), torch.randn(2, 5, 4)
    with torch.no_grad():
        first = rnn(x)[0].flatten()[0].item()

    def loss():
        states = rnn(x)
        return head(states)

    named = {
        node.name: node.value for node in tour.trace(loss).nodes if node.kind == "operation" and node.name
    }
    assert set(named) == {"states[0]", "h", "c"}
    assert named["states[0]"].shape == (2, 5, 3)
    assert named["states[0]"].first[0] == pytest.approx(first)


def test_of_a_sum_that_python_adds_up_only_the_last_result_has_the_name():
    w = [torch.tensor(float(i), requires_grad=True) for i in range(1, 4)]

    def added():
        total = sum(p * p for p in w)
        return total * 2

    def looped():
        total = torch.zeros(())
        for p in w:
            total = total + p * p
        return total * 2

    def names(program):
        graph = tour.trace(program)
        return [(node.name, node.value.first) for node in graph.nodes if node.name == "total"]

    assert names(added) == [("total", (14.0,))]
    assert [first for _, first in names(looped)][-3:] == [(1.0,), (5.0,), (14.0,)]
