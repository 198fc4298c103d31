"""Focus on one part of a graph: what it takes in, what it leaves out, what it says."""

from __future__ import annotations

import re

import msgspec
import pytest
import torch
from torch import Tensor, nn

from autograd_tour import trace
from autograd_tour.errors import UsageError
from autograd_tour.lessons.thermometer import thermometer
from autograd_tour.questions import ask
from autograd_tour.record.graph import Graph
from autograd_tour.record.node import Node
from autograd_tour.record.trace import Trace
from autograd_tour.record.validate import validate
from autograd_tour.reports import report
from autograd_tour.views.film import film_scene
from autograd_tour.views.focus import focus
from autograd_tour.views.fold import SCREEN, visible
from tests.pictures import scene_of
from tests.programs import models


@pytest.fixture(scope="module")
def graph() -> Graph:
    net = nn.Sequential(*(nn.Sequential(nn.Linear(4, 4), nn.Tanh()) for _ in range(3)))

    def loss() -> Tensor:
        out = net(torch.ones(2, 4))
        error = out - 1
        return error.square().mean()

    return trace(loss)


def names(graph: Graph) -> set[str]:
    return {node.name or node.op for node in graph.nodes if node.kind != "accumulate"}


def test_a_module_comes_with_its_neighbours(graph: Graph) -> None:
    part = focus(graph, "net.1")
    inside = {node.id for node in graph.nodes if node.group == "net.1" or node.group.startswith("net.1.")}
    assert inside < {node.id for node in part.nodes}
    assert {"net.1.0.weight", "net.1.0.bias"} <= names(part)
    assert "net.2.0.weight" not in names(part)


@pytest.mark.parametrize("name", ["error", "net.0.0.weight", "PowBackward0", "n0"])
def test_a_tensor_a_parameter_a_grad_fn_or_a_node_can_be_named(graph: Graph, name: str) -> None:
    part = focus(graph, name)
    wanted = {n.id for n in graph.nodes if name in (n.id, n.grad_fn, *n.names) and n.kind != "accumulate"}
    assert wanted
    assert wanted <= {node.id for node in part.nodes}
    for edge in graph.edges:
        if edge.src in wanted or edge.dst in wanted:
            assert edge in part.edges


def test_a_leaf_keeps_its_grad(graph: Graph) -> None:
    part = focus(graph, "net.0.0.weight")
    (leaf,) = (node.id for node in part.nodes if node.name == "net.0.0.weight")
    (accumulator,) = (e.src for e in part.select("gradient") if e.dst == leaf)
    step = next(step for step in part.passes[0].steps if step.node == accumulator)
    assert msgspec.structs.replace(step, number=0) in graph.passes[0].steps


def test_it_says_how_much_is_not_shown_and_changes_nothing(graph: Graph) -> None:
    before = graph.nodes, graph.edges, graph.meta
    part = focus(graph, "error")
    kept = sum(node.kind == "operation" for node in part.nodes)
    total = sum(node.kind == "operation" for node in graph.nodes)
    assert part.meta.notes[-1] == f"focus on error: {total - kept} other operations are not shown"
    assert (graph.nodes, graph.edges, graph.meta) == before


def test_what_does_not_fit_is_folded() -> None:
    x = torch.ones(3, requires_grad=True)

    def loss() -> Tensor:
        y = x
        for _ in range(200):
            y = y.sin()
        return y.sum()

    assert visible(focus(trace(loss), "sin")) <= SCREEN


def test_an_unknown_name_is_told_with_the_closest(graph: Graph) -> None:
    with pytest.raises(UsageError, match=r"nothing in this graph is called 'eror'.*Did you mean 'error'\?"):
        focus(graph, "eror")
    with pytest.raises(UsageError, match="nothing in this graph is called 'x'"):
        focus(Graph(), "x")


def test_of_very_many_names_only_the_closest_is_told() -> None:
    many = Graph(tuple(Node(f"n{i}", "leaf", names=(f"Known: {i}",)) for i in range(40)))
    with pytest.raises(UsageError) as caught:
        focus(many, "Known: 400")
    assert caught.value.hint in {f"Did you mean 'Known: {i}'?" for i in (4, 0, 40)}


def test_of_very_many_names_some_are_told_if_none_is_close() -> None:
    many = Graph(tuple(Node(f"n{i}", "operation", op=f"op{i}", group=f"blocks.{i}") for i in range(40)))
    with pytest.raises(UsageError) as caught:
        focus(many, "???")
    assert caught.value.hint.startswith("Some names in it: blocks, blocks.0, blocks.1")


# ---- the numbers of steps --------------------------------------------------------------------------


def discs(graph: Graph) -> dict[str, int]:
    """What each arrow of backward and each mailbox says of its step."""
    scene = scene_of(graph)
    numbers = {link.id: link.label.step for link in scene.links if link.label.step}
    return numbers | {row.fact: row.step for card in scene.cards for row in card.rows if row.step}


@pytest.mark.parametrize("name", ["b", "w", "w * t_u + b", "squared_diffs"])
def test_steps_keep_the_numbers_that_they_have_in_the_whole(name: str) -> None:
    whole = trace(thermometer)
    part = focus(whole, name)
    kept = discs(part)
    assert kept
    assert kept.items() <= discs(whole).items()
    said = ["".join(run.text for run in lines[0]) for lines in film_scene(part).captions]
    numbers = [whole.step(step.node)[0] for _, step in part.numbered_steps()]
    assert said[0] == f"Before backward · {len(numbers)} of 7 steps are shown"
    assert [f"Step {number} of 7" for number in numbers] == [caption[:11] for caption in said[1:]]
    for number in numbers:
        assert re.search(rf"^ *{number}  [A-Z]\w+", report(part), re.MULTILINE), number
    validate(part)
    assert focus(part, name).passes == part.passes


def test_a_part_that_is_folded_keeps_them_too() -> None:
    whole = trace(models.gpt_by_hand)
    part = focus(whole, "h")
    assert part.steps_in_whole == len(whole.passes[-1].steps)
    nodes = whole.by_id()
    for _, step in part.numbered_steps():
        if step.node in nodes:
            assert part.number_in_whole(step.node) == whole.step(step.node)[0]
        else:
            assert 0 < part.number_in_whole(step.node) <= part.steps_in_whole


def test_what_runs_next_is_not_asked_where_a_step_between_is_not_shown() -> None:
    whole = trace(models.lstm)
    for node in whole.nodes:
        if node.kind == "accumulate":
            continue
        part = focus(whole, node.id)
        for question in ask(Trace(part)):
            said = re.match(r"Step (\d+) of backward was", question.prompt)
            if said:
                following = whole.passes[-1].steps[int(said[1])].node
                assert whole.card_of(following) == question.node
