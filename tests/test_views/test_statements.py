"""What one statement made is one card: a program's own variables are what is left."""

from __future__ import annotations

import torch
from torch import nn

import autograd_tour as tour
from autograd_tour.record.validate import validate
from autograd_tour.views.calls import by_calls
from autograd_tour.views.fold import inputs_alike, visible
from autograd_tour.views.statements import by_statements
from tests.lectures import lectures

PROGRAMS = dict(lectures())


def results(graph):
    """What operations and cards are called by the program, in order."""
    return [node.name for node in graph.nodes if node.kind in ("operation", "group")]


def test_what_has_no_name_goes_into_the_statement_it_is_for():
    graph = by_statements(tour.trace(PROGRAMS["batch_norm_by_hand"]))
    assert results(graph) == ["mean", "centred", "var", "x_hat", "out", ""]
    assert [node.op for node in graph.nodes if node.name == "x_hat"] == ["centred / torch.sqrt(var + 1e-5)"]
    validate(graph)


def test_a_loop_has_a_card_for_each_round():
    graph = by_statements(tour.trace(PROGRAMS["lstm_by_hand"]))
    assert results(graph).count("gates") == 5
    assert results(graph).count("c") == 5
    assert results(graph)[-2:] == ["h", "loss"]


def test_layers_stay_apart_until_modules_are_joined():
    graph = by_calls(tour.trace(PROGRAMS["discriminator_loss"]))
    apart, joined = by_statements(graph), by_statements(graph, modules=True)
    assert visible(apart) == visible(graph)
    assert {"discriminator(real)", "discriminator(fake)"} < {node.op for node in joined.nodes}
    assert not any("leaky_relu" in node.op for node in joined.nodes)
    validate(joined)
    leaves = inputs_alike(joined)
    assert [node.notes[0] for node in leaves.nodes if " … discriminator" in node.op] == ["4 leaves"]


def test_what_goes_to_other_lines_too_is_with_its_own():
    torch.manual_seed(0)
    net, x = nn.Sequential(nn.Linear(1, 4), nn.Tanh(), nn.Linear(4, 1)), torch.ones(3, 1, requires_grad=True)

    def program():
        u = net(x)
        (slope,) = torch.autograd.grad(u.sum(), x, create_graph=True)
        return (slope + u).pow(2).mean()

    graph = by_statements(by_calls(tour.trace(program)), modules=True)
    assert [node.op for node in graph.nodes if node.name == "u"] == ["net(x)"]
    validate(graph)


def test_a_program_of_one_operation_a_line_is_left_as_it_is():
    def program():
        w = torch.tensor(2.0, requires_grad=True)
        a = w * 3
        b = a.exp()
        return b.log()

    graph = tour.trace(program)
    assert by_statements(graph) is graph


def test_a_whole_statement_has_the_layers_that_it_calls_inside():
    graph = by_statements(by_calls(tour.trace(PROGRAMS["gradient_penalty"])), whole=True)
    assert results(graph) == ["slope", "penalty", "loss"]
    validate(graph)


def test_what_several_layers_made_is_not_of_the_last_one():
    graph = by_statements(by_calls(tour.trace(PROGRAMS["gradient_penalty"])), modules=True)
    critics = [node for node in graph.nodes if graph.title(node.id) in ("critic(real)", "critic(fake)")]
    assert [node.group for node in critics] == ["critic", "critic"]


class Pooled(nn.Module):
    def __init__(self):
        super().__init__()
        self.down = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.ReLU())
        self.bottom = nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), nn.ReLU())

    def forward(self, image):
        a = self.down(image)
        b = self.bottom(nn.functional.max_pool2d(a, 2))
        return b.mean()


def test_a_statement_that_a_module_ends_is_called_by_its_path_and_not_by_its_class():
    torch.manual_seed(0)
    net = Pooled()
    modules = by_statements(by_calls(tour.trace(lambda: net(torch.randn(1, 1, 8, 8)))), modules=True)
    assert ("bottom", "Sequential") in [(node.group, node.op) for node in modules.nodes]
    graph = by_statements(modules, whole=True)
    assert {"a": "Sequential", "b": "bottom(…)"}.items() <= {
        node.name: node.op for node in graph.nodes
    }.items()
    validate(graph)
