"""A card that is opened shows what was in it, and the rest stays true."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from torch import nn

from autograd_tour import trace
from autograd_tour.record.graph import Graph
from autograd_tour.record.validate import validate
from autograd_tour.views.fold import SCREEN, fold, visible
from autograd_tour.views.homes import operations_in
from autograd_tour.views.quotient import flow, is_topological
from autograd_tour.views.steps import Timeline
from autograd_tour.views.unfold import IN_PLACE, INSIDE, Opened, closed, opened
from tests.examples import examples
from tests.test_views.test_contract import graphs

GPT = Path(__file__).parents[2] / "docs" / "programs" / "gpt.py"


def cards(graph: Graph) -> list[str]:
    return [node.id for node in graph.nodes if node.kind == "group"]


def titles(graph: Graph) -> list[str]:
    return [node.op for node in graph.nodes if node.kind == "group"]


@pytest.fixture(scope="module")
def gpt():
    torch.manual_seed(0)
    return trace(runpy.run_path(str(GPT))["loss"])


def sound(shown: Opened) -> None:
    """What holds for every picture with opened cards."""
    graph, ran = shown.graph, Timeline(shown.graph).ran
    assert is_topological([node.id for node in graph.nodes], flow(graph))
    known = graph.by_id()
    validate(graph)
    for edge in graph.select("gradient"):
        if edge.src in ran and edge.dst in ran:
            assert ran[edge.src] < ran[edge.dst]
    for card in cards(graph):
        inside = [node for node in shown.whole.nodes if node.id in shown.members(card)]
        assert sum(map(operations_in, inside)) == known[card].folded


def test_a_closed_graph_is_the_folded_one(gpt):
    assert closed(gpt).graph == fold(gpt)
    assert closed(gpt, fold_it=False).graph == gpt
    sound(closed(gpt))


def test_repeated_blocks_come_apart_and_each_opens_again(gpt):
    first = closed(gpt)
    pile = next(card for card in cards(first.graph) if "× " in first.graph.by_id()[card].op)
    blocks = opened(first, pile)
    sound(blocks)
    assert sum(node.op == "TransformerBlock" for node in blocks.graph.nodes) == 12
    assert visible(blocks.graph) <= SCREEN
    inner = next(node for node in blocks.graph.nodes if node.op == "TransformerBlock")
    inside = opened(blocks, inner.id)
    sound(inside)
    assert not any(node.id == inner.id and node.folded == inner.folded for node in inside.graph.nodes)
    assert sum(operations_in(node) for node in inside.graph.nodes) >= inner.folded


def test_what_is_all_on_one_screen_stays_in_place_and_else_only_neighbours_stay(gpt):
    waiting, seen = [closed(gpt)], 0
    while waiting and seen < 12:
        shown = waiting.pop(0)
        seen += 1
        for card in cards(shown.graph)[:3]:
            inside = opened(shown, card)
            if inside is None:
                continue
            members = shown.members(card)
            came_out = {inside.homes.card.get(node, node) for node in members}
            assert came_out <= inside.graph.by_id().keys()
            kinds = {node.id: node.kind for node in inside.graph.nodes}
            assert sum(kinds[node] != "accumulate" for node in came_out) <= INSIDE
            if visible(inside.graph) > IN_PLACE:
                near = {
                    end for e in inside.graph.edges if {e.src, e.dst} & came_out for end in (e.src, e.dst)
                }
                rest = inside.graph.by_id().keys() - near - came_out
                assert all(kinds[node] in ("leaf", "accumulate") for node in rest)
            waiting.append(inside)
    assert seen > 3


def test_the_gradient_that_crosses_into_an_opened_card_is_the_same(gpt):
    first = closed(gpt)
    pile = next(card for card in cards(first.graph) if "× " in first.graph.by_id()[card].op)
    blocks = opened(first, pile)
    received = {step.node: step.received for _, step in first.graph.numbered_steps()}[pile]
    last = next(n for n in reversed(blocks.graph.nodes) if n.op == "TransformerBlock")
    after = {step.node: step.received for _, step in blocks.graph.numbered_steps()}[last.id]
    assert received[0] == after[0]


def test_a_row_of_equal_layers_without_names_of_their_own_can_be_opened():
    net = nn.Sequential(*[nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 4)) for _ in range(15)])

    def program():
        return net(torch.ones(2, 4)).sum()

    first = closed(trace(program))
    sound(first)
    for card in cards(first.graph):
        inside = opened(first, card)
        assert inside is not None
        sound(inside)


@given(graph=graphs())
@settings(max_examples=examples(50), deadline=None)
def test_opening_any_card_of_any_graph_is_sound(graph):
    for limit in (3, 8):
        from autograd_tour.views.homes import Homes

        homes = Homes()
        shown = Opened(graph, fold(graph, limit=limit, homes=homes), homes)
        sound(shown)
        for card in cards(shown.graph):
            inside = opened(shown, card)
            if inside is not None:
                sound(inside)


def test_a_loop_opens_in_runs():
    w = torch.zeros(3, requires_grad=True)

    def program():
        h = torch.ones(3)
        for i in range(60):
            h = torch.tanh(h * w + 0.1 * i)
        return h.sum()

    first = closed(trace(program))
    (card,) = cards(first.graph)
    inside = opened(first, card)
    assert 1 < len(cards(inside.graph)) <= INSIDE
    sound(inside)
    again = opened(inside, cards(inside.graph)[0])
    assert again is not None
    sound(again)
