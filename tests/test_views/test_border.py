"""What a folded card tells is the sum of what its nodes tell."""

from __future__ import annotations

import pytest
import torch

import autograd_tour as tour
from autograd_tour.views.border import sums
from autograd_tour.views.unfold import closed, opened


def _blocks():
    torch.manual_seed(0)
    layers = [torch.nn.Linear(3, 3) for _ in range(12)]
    x = torch.randn(4, 3)
    for first, second in zip(layers[::2], layers[1::2], strict=True):
        x = x + second(torch.tanh(first(x)))
    return x.pow(2).mean()


def _shared():
    x, w = torch.tensor([0.1, 0.2]), torch.tensor(0.9, requires_grad=True)
    for _ in range(40):
        x = torch.tanh(x * w + 0.1)
    return x.sum()


def _numbers(facts):
    return torch.tensor(facts.first).reshape(facts.shape)


@pytest.mark.parametrize("program", [_blocks, _shared])
@pytest.mark.parametrize("deeper", [False, True])
def test_the_facts_of_cards_are_those_sums(program, deeper):
    graph = tour.trace(program)
    view = closed(graph)
    if deeper:
        view = opened(view, next(node.id for node in view.graph.nodes if node.kind == "group"))
    told = sums(view)

    def recorded(fact, of):
        node, what, slot = fact.split(".")
        if what == "value":
            return of.node(node).values[int(slot)]
        _, step = of.step(of.accumulator_of(node) or node)
        return (step.received if what == "grad" else step.sent)[int(slot)]

    groups = [node for node in view.graph.nodes if node.kind == "group"]
    assert groups
    for node in groups:
        assert {f"{node.id}.value.0", f"{node.id}.grad.0"} <= told.keys()
    for fact, parts in told.items():
        total = sum(_numbers(recorded(part, graph)) for part in parts)
        assert torch.allclose(total, _numbers(recorded(fact, view.graph)), rtol=1e-4), fact
