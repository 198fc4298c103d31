"""What a node says of itself is in typed fields; notes are for the reader only."""

from __future__ import annotations

import pytest
import torch

import autograd_tour as tour
from autograd_tour.record.graph import Graph
from autograd_tour.record.node import Cut, Node
from autograd_tour.text import attribute_text, cut_text
from tests.programs import hooks
from tests.programs.compiled import compiled


def one(graph: Graph, grad_fn: str) -> Node:
    (node,) = [node for node in graph.nodes if node.grad_fn == grad_fn]
    return node


def test_attributes_are_values_of_their_own_type():
    x = torch.randn(1, 2, 8, 8, requires_grad=True)
    layer = torch.nn.Conv2d(2, 3, 3, padding=1)
    graph = tour.trace(
        lambda: torch.nn.functional.leaky_relu(layer(x).softmax(dim=-1) * 0.1, 0.1).sum(dtype=torch.float64)
    )
    convolution = dict(one(graph, "ConvolutionBackward0").attributes)
    assert convolution["padding"] == (1, 1)
    assert convolution["transposed"] is False
    assert dict(one(graph, "SoftmaxBackward0").attributes)["dim"] == -1
    slope = dict(one(graph, "LeakyReluBackward0").attributes)["negative_slope"]
    assert (slope, type(slope)) == (0.1, float)  # no digit is lost


def test_what_json_cannot_hold_and_what_is_none_have_no_number():
    x = torch.randn(3, requires_grad=True)
    graph = tour.trace(lambda: x.clamp(min=float("-inf")).sum())
    attributes = dict(one(graph, "ClampBackward1").attributes)
    assert attributes["min"] == "-inf"
    assert "max" not in attributes


@pytest.mark.parametrize(
    ("value", "text"),
    [(True, "True"), (-1, "−1"), (0.1, "0.1"), ("-inf", "−inf"), ((1, (2, 3)), "(1, (2, 3))")],
)
def test_an_attribute_is_read_as_people_write_it(value, text):
    assert attribute_text(value) == text


def test_a_cut_says_which_node_and_which_function():
    w = torch.tensor([1.0, 2.0], requires_grad=True)

    def program():
        y = w * 2
        return (y * y.detach() + w.detach()).sum()

    graph = tour.trace(program)
    first, second = [node for node in graph.nodes if node.kind == "constant"]
    y = next(node for node in graph.nodes if node.name == "y")
    leaf = next(node for node in graph.nodes if node.kind == "leaf")
    assert (first.cut, second.cut) == (Cut("detach", y.id, "y"), Cut("detach", leaf.id, "w"))
    assert cut_text(first.cut) == "detach of y"
    assert all(node.cut is None for node in graph.nodes if node.kind != "constant")


def test_custom_and_compiled_nodes_are_marked():
    graph = tour.trace(hooks.custom_function)
    assert [node.grad_fn for node in graph.nodes if node.custom] == ["ScaleBackward"]
    assert not any(node.compiled for node in graph.nodes)
    graph = tour.trace(compiled("aot_eager"))
    assert [node.grad_fn for node in graph.nodes if node.compiled] == ["CompiledFunctionBackward"]
    assert not any(node.custom for node in graph.nodes)


def test_a_million_nodes_are_marked_too():
    graph = tour.trace(hooks.custom_function(), keep=0)
    assert [node.grad_fn for node in graph.nodes if node.custom] == ["ScaleBackward"]
