"""Hundreds of cards: placed in a moment, and as legible as a few."""

import random
import xml.etree.ElementTree as ET

import pytest

from autograd_tour.drawing.large import LARGE
from autograd_tour.drawing.layout import place
from autograd_tour.drawing.sizes import card_height, card_width, label_width
from autograd_tour.record.facts import TensorFacts
from autograd_tour.record.graph import BackwardPass, Edge, Graph, Step
from autograd_tour.record.node import Node
from autograd_tour.record.rule import Words
from tests.pictures import picture, scene_of

FACTS = TensorFacts((3,), "float32", first=(1.0, 2.0, 3.0))


def branching(count):
    """Operations that each take their neighbour's result and, now and then, one from far before."""
    chance = random.Random(7)
    nodes, edges, steps = [], [], []
    for i in range(count):
        name = f"n{i}"
        nodes.append(Node(name, "operation", op=f"mul {i}", grad_fn="MulBackward0", slots=2, values=(FACTS,)))
        steps.append(Step(name, (FACTS,)))
        before = {i - 1, max(0, i - chance.choice((2, 3, 40)))} if i else set()
        for slot, j in enumerate(sorted(before, reverse=True)):
            edges.append(Edge(f"n{j}", name, "forward", (0, slot)))
            edges.append(Edge(name, f"n{j}", "gradient", (slot, 0), Words(f"× x{j}")))
    passes = (BackwardPass(tuple(reversed(steps))),)
    return Graph(tuple(nodes), tuple(edges), passes=passes, outputs=((f"n{count - 1}", 0),))


@pytest.fixture(scope="module", params=["LR", "TB"])
def placed(request):
    scene = scene_of(branching(LARGE), request.param)
    return scene, place(scene)


def boxes(scene, layout):
    for card, (x, y) in zip(scene.cards, layout.centres, strict=True):
        yield (
            x - card_width(card) / 2,
            y - card_height(card) / 2,
            x + card_width(card) / 2,
            y + card_height(card) / 2,
        )


def test_every_link_leads_from_its_card_to_the_other(placed):
    scene, layout = placed
    box = dict(zip((card.id for card in scene.cards), boxes(scene, layout), strict=True))
    for link, course in zip(scene.links, layout.courses, strict=True):
        for (x, y), (left, top, right, bottom) in (
            (course.points[0], box[link.src]),
            (course.tip, box[link.dst]),
        ):
            assert left - 8 <= x <= right + 8
            assert top - 8 <= y <= bottom + 8


def test_a_label_stands_on_no_card_and_on_no_other_label(placed):
    scene, layout = placed
    labels = [
        (
            c.label[0] - label_width(l.label) / 2,
            c.label[1] - 10,
            c.label[0] + label_width(l.label) / 2,
            c.label[1] + 10,
        )
        for l, c in zip(scene.links, layout.courses, strict=True)  # noqa: E741
        if label_width(l.label)
    ]
    assert len(labels) == len(scene.links) // 2
    things = [*boxes(scene, layout), *labels]
    for i, one in enumerate(labels, start=len(scene.cards)):
        for other in things[:i]:
            apart = one[0] >= other[2] or other[0] >= one[2] or one[1] >= other[3] or other[1] >= one[3]
            assert apart, (one, other)


def test_the_picture_has_each_card_and_each_link_once(placed):
    scene, _ = placed
    root = ET.fromstring(picture(branching(LARGE), direction=scene.direction))
    found = [
        group.get("id").partition("-")[2].partition("-")[2]
        for group in root.iter()
        if group.get("class") and group.get("id")
    ]
    wanted = [thing.id for thing in (*scene.links, *scene.cards)]
    assert sorted(filter(None, found)) == sorted(wanted)


def fan(count):
    """A chain in which every operation takes one leaf, too."""
    nodes = [Node("x", "leaf", op="x", values=(FACTS,)), Node("n0", "operation", op="op 0", slots=2)]
    nodes += [Node(f"n{i}", "operation", op=f"op {i}", slots=2) for i in range(1, count)]
    edges = [Edge("x", f"n{i}", "forward", (0, 1)) for i in range(count)]
    edges += [Edge(f"n{i - 1}", f"n{i}", "forward", (0, 0)) for i in range(1, count)]
    return Graph(tuple(nodes), tuple(edges))


@pytest.mark.parametrize("direction", ["LR", pytest.param("TB", marks=pytest.mark.slow)])
def test_of_many_long_lines_the_engine_gets_the_shortest_and_all_are_drawn(monkeypatch, direction):
    """A line takes the engine as many places as it passes ranks: 400 uses of one leaf pass 80,000."""
    from autograd_tour.drawing import layout as module

    asked = []
    ask = module.lay_out
    monkeypatch.setattr(module, "lay_out", lambda dot, *rest: asked.append(dot) or ask(dot, *rest))
    count = 400
    scene = scene_of(fan(count), direction)
    layout = place(scene)
    assert count <= asked[0].count("->") < len(scene.links)
    box = dict(zip((card.id for card in scene.cards), boxes(scene, layout), strict=True))
    for link, course in zip(scene.links, layout.courses, strict=True):
        for (x, y), card in ((course.points[0], link.src), (course.tip, link.dst)):
            left, top, right, bottom = box[card]
            assert left - 2 <= x <= right + 2, link.id
            assert top - 2 <= y <= bottom + 2, link.id


def test_a_few_long_lines_are_all_laid_out(monkeypatch):
    from autograd_tour.drawing import layout as module

    asked = []
    ask = module.lay_out
    monkeypatch.setattr(module, "lay_out", lambda dot, *rest: asked.append(dot) or ask(dot, *rest))
    scene = scene_of(branching(LARGE))
    place(scene)
    assert 2 * asked[0].count("->") == len(scene.links)
