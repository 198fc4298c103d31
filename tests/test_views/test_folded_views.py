"""Every view of a folded graph can be drawn."""

from __future__ import annotations

import pytest
import torch

import autograd_tour as tour
from autograd_tour.drawing.dot import readable_dot
from autograd_tour.record.graph import Edge, Graph, SourceLine
from autograd_tour.record.memory import Block, Keeper, Memory
from autograd_tour.record.node import Node
from autograd_tour.record.trace import Trace
from autograd_tour.views import picture_of, registry
from autograd_tour.views.fold import fold
from autograd_tour.views.picture import Listing
from tests.pictures import scene_of

NODES = (
    *(Node(f"x{i}", "leaf", names=(f"x{i}",)) for i in range(90)),
    *(Node(f"n{i}", "operation", op=f"op {i}", grad_fn=f"F{i % 7}Backward0", slots=2) for i in range(90)),
)
EDGES = (
    *(Edge(f"x{i}", f"n{i}", "forward", (0, 1)) for i in range(90)),
    *(Edge(f"n{i}", f"n{i + 1}", "forward") for i in range(89)),
    *(Edge(f"n{i + 1}", f"n{i}", "gradient") for i in range(89)),
)


OF_MORE_THAN_A_GRAPH = {"accumulation", "diff", "run"}
"""Views that show what a graph alone has not."""
OF_LINES = {"memory"}
"""Views of lines and modules, which have no cards: folding changes nothing in them."""


@pytest.mark.parametrize("name", sorted(set(registry()) - OF_MORE_THAN_A_GRAPH - OF_LINES))
def test_every_card_of_a_folded_graph_is_in_every_view(name: str) -> None:
    folded = fold(Graph(NODES, EDGES, outputs=(("n89", 0),)))
    cards = {node.id for node in folded.nodes if node.kind == "group"}
    assert cards
    scene = scene_of(folded, view=name)
    assert cards <= {card.id for card in scene.cards}
    assert {link.src for link in scene.links} <= {card.id for card in scene.cards}
    assert all(f"  {card} [" in readable_dot(scene) for card in cards)


@pytest.mark.parametrize("name", sorted(OF_LINES))
def test_a_view_of_lines_says_the_same_of_a_folded_graph(name: str) -> None:
    line = SourceLine("program.py", 3, "h = h.exp()")
    memory = Memory((Block(4_000, (Keeper(where=0),)), Block(8_000, (Keeper(where=0),))))
    graph = Graph(NODES, EDGES, outputs=(("n89", 0),), source=(line,), memory=memory)
    listing = picture_of(Trace(graph), name)
    assert isinstance(listing, Listing)
    assert line.text in [row.text for row in listing.parts[0].rows]
    assert picture_of(Trace(fold(graph)), name) == listing


def test_the_description_counts_what_is_folded_and_names_the_cards() -> None:
    folded = fold(Graph(NODES, EDGES, outputs=(("n89", 0),)))
    said = scene_of(folded).desc
    total = sum(node.folded for node in folded.nodes if node.kind == "group")
    assert f"Of the operations {total} are folded into" in said
    assert said.startswith("An autograd graph of 90 operations")
    assert next(node.op for node in folded.nodes if node.kind == "group") in said


def test_the_description_counts_leaves_inside_of_cards() -> None:
    net = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU(), torch.nn.Linear(3, 1))
    graph = tour.trace(lambda: net(torch.ones(4, 2)).sum())
    folded = fold(graph, 1)
    assert not [node for node in folded.nodes if node.kind == "leaf"]
    assert " and 4 leaves." in scene_of(folded).desc
    assert " and 4 leaves." in scene_of(graph).desc
