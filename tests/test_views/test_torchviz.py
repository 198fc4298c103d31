"""Our view in torchviz's style has the nodes and edges that torchviz draws."""

from __future__ import annotations

import re

import networkx as nx
import pytest
import torch
import torchviz
from torch import nn

import autograd_tour as tour
from autograd_tour.lessons.thermometer import thermometer, thermometer_params
from autograd_tour.record.facts import TensorFacts
from autograd_tour.record.graph import Edge, Graph
from autograd_tour.record.node import Node, Saved
from autograd_tour.record.trace import Trace
from autograd_tour.views.torchviz import arrows, view
from tests.pictures import scene_of


class Double(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * 2

    @staticmethod
    def backward(ctx, grad):
        return grad * 2


class Keeping(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, y):
        out = x * y
        ctx.save_for_backward(y, out)
        return out

    @staticmethod
    def backward(ctx, grad):
        y, out = ctx.saved_tensors
        return grad * y, grad * out / y


def leaf(*shape):
    return torch.ones(shape, requires_grad=True)


def lstm():
    return nn.LSTM(3, 4, 2)(torch.ones(5, 2, 3))[0].sum()


def in_place():
    x = leaf(3) * 2
    x.add_(1)
    x[0] = 5.0
    return x.sum()


def shared_leaf():
    x = leaf(3)
    return (x * x + x).sum()


def keeping():
    x = leaf(3)
    y = x.exp()
    return Keeping.apply(x, y).sum()


def several_results():
    h = torch.tanh(leaf(3))
    return (h * 2).sum(), h, (h * h).mean()


def leaf_as_a_result():
    x = leaf(3)
    return x, (x * 2).sum()


def inputs_without_grad():
    h = leaf(3) * torch.ones(3)
    with torch.no_grad():
        scale = h.norm()
    return ((h / scale - h.detach()) * torch.ones(2, 3)).sum()


def view_as_a_result():
    return (leaf(4) * 2)[0]


PROGRAMS = {
    "thermometer": thermometer,
    "params": thermometer_params,
    "shared leaf": shared_leaf,
    "cat and stack": lambda: (
        (torch.cat([leaf(2), leaf(3)]) * 2).sum() + torch.stack([leaf(2), leaf(2)]).sum()
    ),
    "custom Function": lambda: Double.apply(leaf(3)).sum(),
    "lstm": lstm,
    "in place": in_place,
    "cross-entropy": lambda: nn.functional.cross_entropy(
        nn.Linear(4, 3)(torch.ones(5, 4)), torch.zeros(5, dtype=int)
    ),
    "saved by a custom Function": keeping,
    "several results": several_results,
    "a leaf as a result": leaf_as_a_result,
    "inputs without grad": inputs_without_grad,
    "a view as a result": view_as_a_result,
    "unused outputs": lambda: leaf(4).unbind()[2] * 3,
}


def theirs(loss):
    """torchviz's DOT as a labelled multigraph, without the base of a result that is a view."""
    graph = nx.MultiDiGraph()
    bases = set()
    for line in torchviz.make_dot(loss).body:
        if "fillcolor=darkolivegreen3" in line or "style=dotted" in line:
            bases.add(line.split()[0])
        elif match := re.match(r'\s*(\d+) \[label="?(.*?)"?(?: fillcolor=(\w+))?\]\s*$', line, re.DOTALL):
            graph.add_node(match[1], label=" ".join(match[2].replace("\\n", " ").split()))
        elif match := re.match(r"\s*(\d+) -> (\d+)\s*(?:\[.*\])?\s*$", line):
            graph.add_edge(match[1], match[2])
    graph.remove_nodes_from(bases)
    return graph


def ours(graph):
    view = arrows(graph)
    result = nx.MultiDiGraph()
    for node in view.nodes:
        shape = "" if node.value is None else "(" + ", ".join(map(str, node.value.shape)) + ")"
        result.add_node(node.id, label=node.grad_fn or shape)
    for edge in view.edges:
        result.add_edge(edge.src, edge.dst)
    return result


@pytest.mark.parametrize("name", PROGRAMS)
def test_same_operations_and_same_edges_as_torchviz(name):
    torch.manual_seed(0)
    loss = PROGRAMS[name]()
    a, b = theirs(loss), ours(tour.trace(loss, backward=False))
    assert sorted(nx.get_node_attributes(a, "label").values()) == sorted(
        nx.get_node_attributes(b, "label").values()
    )
    same = nx.algorithms.isomorphism.categorical_node_match("label", None)
    matcher = nx.algorithms.isomorphism.MultiDiGraphMatcher(
        a, b, node_match=same, edge_match=lambda p, q: len(p) == len(q)
    )
    assert matcher.is_isomorphic()


def test_a_result_gets_an_id_that_no_node_has():
    odd = Graph((Node("o0", "operation", grad_fn="F"),), outputs=(("o0", 0),))
    assert len({card.id for card in scene_of(odd, view="torchviz").cards}) == 2


def several_slots() -> Graph:
    """A group with two slots and two results, a leaf, and a constant, which torchviz does not draw."""
    kinds = {"x": "leaf", "n0": "accumulate", "n1": "group", "n2": "operation", "c": "constant"}
    functions = {"n0": "AccumulateGrad", "n1": "3 operations", "n2": "SubBackward0"}
    nodes = [Node(name, kind, op=name, grad_fn=functions.get(name, "")) for name, kind in kinds.items()]
    edges = [
        Edge("n2", "n1", "gradient", (1, 2)),
        Edge("n2", "n1", "gradient", (0, 1)),
        Edge("n1", "n0", "gradient", (3, 0)),
        Edge("n0", "x", "gradient"),
        Edge("n2", "c", "gradient", (2, 0)),
        Edge("c", "n1", "gradient", (0, 3)),
        Edge("x", "n1", "forward"),
    ]
    return Graph(tuple(nodes), tuple(edges), outputs=(("n2", 0),))


def test_an_arrow_is_a_gradient_edge_turned_and_so_are_its_slots():
    ends = [(edge.src, edge.dst, edge.kind, edge.slot) for edge in arrows(several_slots()).edges]
    assert ends == [
        ("n1", "n2", "forward", (2, 1)),
        ("n1", "n2", "forward", (1, 0)),
        ("n0", "n1", "forward", (0, 3)),
        ("x", "n0", "forward", (0, 0)),
        ("n2", "o0", "forward", (0, 0)),
    ]


def test_an_arrow_is_known_by_its_slots_and_named_after_its_ends():
    scene = view.picture(Trace(several_slots()))
    assert [(card.id, card.shape, card.title) for card in scene.cards] == [
        ("x", "box", "leaf "),
        ("n0", "box", "AccumulateGrad"),
        ("n1", "group", "3 operations"),
        ("n2", "box", "SubBackward0"),
        ("o0", "box", "output "),
    ]
    assert [(link.id, link.src, link.dst, link.flow, link.title) for link in scene.links] == [
        ("n1-n2-2-1", "n1", "n2", "forward", "3 operations → SubBackward0"),
        ("n1-n2-1-0", "n1", "n2", "forward", "3 operations → SubBackward0"),
        ("n0-n1-0-3", "n0", "n1", "forward", "AccumulateGrad → 3 operations"),
        ("x-n0-0-0", "x", "n0", "forward", "x → AccumulateGrad"),
        ("n2-o0-0-0", "n2", "o0", "forward", "SubBackward0 → result"),
    ]
    assert [row.left[0].text for card in scene.cards[1:4] for row in card.rows] == [
        "AccumulateGrad",
        "3 operations",
        "SubBackward0",
    ]


def test_a_constant_that_is_called_custom_is_left_out_with_what_it_saved():
    facts = TensorFacts((2,), "float32", "cpu")
    node = Node("n0", "constant", op="x", custom=True, saved=(Saved("saved", facts=facts),))
    drawn = arrows(Graph(nodes=(node,), edges=(), outputs=()))
    assert drawn.nodes == ()
    assert drawn.edges == ()
