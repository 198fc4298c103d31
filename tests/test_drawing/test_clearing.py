"""A label stands near its own link, and no other link runs through it."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

import autograd_tour as tour
from autograd_tour.drawing.clearing import clear_of_links
from autograd_tour.drawing.large import CROWDED, LARGE
from autograd_tour.drawing.layout import place
from autograd_tour.drawing.sizes import card_height, card_width, label_width
from autograd_tour.lessons.thermometer import thermometer, thermometer_params
from autograd_tour.record.graph import Edge, Graph
from autograd_tour.record.node import Node
from autograd_tour.record.rule import Words
from autograd_tour.views.picture import Label, Run
from tests.pictures import picture, scene_of

SIZE = (300.0, 200.0)
LABEL = Label((Run("× w"),), 3)
NONE = Label()


def straight(start, end):
    """A straight line as one Bézier piece."""
    (a, b), (c, d) = start, end
    return tuple((a + (c - a) * k / 3, b + (d - b) * k / 3) for k in range(4))


def cleared(line, at, *others, cards=()):
    labels = [LABEL, *(NONE for _ in others)]
    return clear_of_links(labels, [line, *others], [at, *(None for _ in others)], cards, SIZE)[0]


def test_a_label_that_is_clear_and_near_stays_where_it_is():
    line = straight((10, 100), (290, 100))
    assert cleared(line, (150, 85)) == (150, 85)
    assert cleared(line, (150, 85), straight((10, 150), (290, 150))) == (150, 85)


def test_a_label_leaves_a_link_that_is_not_its_own():
    _, y = cleared(straight((10, 100), (290, 100)), (150, 85), straight((10, 85), (290, 85)))
    assert y - 9 > 100  # below its own line: the other one runs above it


def test_a_label_far_from_its_link_comes_near():
    _, y = cleared(straight((10, 100), (290, 100)), (150, 20))
    assert 100 - 9 - 12 <= y <= 100


def test_a_label_moves_onto_no_card():
    card = (0.0, 101.0, 300.0, 200.0)
    x, y = cleared(straight((10, 100), (290, 100)), (150, 85), straight((10, 85), (290, 85)), cards=[card])
    assert (x, y) == (150, 85)  # no place is better than this one


def test_a_label_moves_onto_no_other_label():
    line = straight((10, 100), (290, 100))
    places = clear_of_links([LABEL, LABEL], [line, line], [(150, 20), (150, 20)], (), SIZE)
    assert abs(places[0][1] - places[1][1]) >= 18 or abs(places[0][0] - places[1][0]) >= label_width(LABEL)


def test_a_label_stays_in_the_picture():
    _, y = cleared(straight((10, 2), (290, 2)), (150, 150))
    assert 9 <= y <= SIZE[1] - 9


# ---- real programs ------------------------------------------------------------------------


def net():
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
    return nn.functional.cross_entropy(model(torch.randn(5, 4)), torch.tensor([0, 1, 2, 1, 0]))


def fan_out():
    x = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    h = torch.sin(x)
    return (h * h + h * x + x * x + h.detach() * h).sum()


def residual():
    x = torch.ones(2, 4)
    for _ in range(3):
        x = x + torch.tanh(nn.Linear(4, 4)(x))
    return x.sum()


def lists():
    a, b = torch.ones(2, requires_grad=True), torch.ones(1, requires_grad=True)
    whole = torch.cat([a, b, a])
    return torch.stack([whole, whole * 2]).sum()


def points(line):
    """The line as points closer together than a label is high."""
    for i in range(0, len(line) - 3, 3):
        a, b, c, d = line[i : i + 4]
        for k in range(201):
            t, s = k / 200, 1 - k / 200
            yield tuple(
                s**3 * a[j] + 3 * s * s * t * b[j] + 3 * s * t * t * c[j] + t**3 * d[j] for j in (0, 1)
            )


def distance(point, box):
    x, y = point
    return math.hypot(max(box[0] - x, 0, x - box[2]), max(box[1] - y, 0, y - box[3]))


@pytest.mark.parametrize("direction", ["LR", "TB"])
@pytest.mark.parametrize(
    "program", [thermometer, thermometer_params, net, fan_out, residual, lists], ids=lambda p: p.__name__
)
def test_no_link_runs_through_another_ones_label_or_under_a_card(program, direction):
    torch.manual_seed(0)
    scene = scene_of(tour.trace(program), direction)
    layout = place(scene)
    cards = [
        (
            x - card_width(card) / 2,
            y - card_height(card) / 2,
            x + card_width(card) / 2,
            y + card_height(card) / 2,
        )
        for card, (x, y) in zip(scene.cards, layout.centres, strict=True)
    ]
    labels = [
        course.label
        and (
            course.label[0] - label_width(link.label) / 2,
            course.label[1] - 8,
            course.label[0] + label_width(link.label) / 2,
            course.label[1] + 8,
        )
        for link, course in zip(scene.links, layout.courses, strict=True)
    ]
    assert sum(map(bool, labels)) >= 5
    for i, (link, course) in enumerate(zip(scene.links, layout.courses, strict=True)):
        own = list(points(course.points))
        if labels[i]:
            assert min(distance(point, labels[i]) for point in own) <= 14, link.title
        for left, top, right, bottom in cards:
            assert not any(left + 4 < x < right - 4 and top + 4 < y < bottom - 4 for x, y in own), link.title
        for j, label in enumerate(labels):
            if label and j != i:
                assert min(distance(point, label) for point in own) > 0, (link.title, scene.links[j].title)


def test_a_crowd_of_links_is_placed_in_a_moment():
    """Each operation takes the results of the four before it: too much for a layout with labels."""
    count = LARGE // 2
    nodes = tuple(Node(f"n{i}", "operation", op=f"op {i}", slots=4) for i in range(count))
    edges = [
        edge
        for i in range(count)
        for slot, j in enumerate(range(max(0, i - 4), i))
        for edge in (
            Edge(f"n{j}", f"n{i}", "forward", (0, slot)),
            Edge(f"n{i}", f"n{j}", "gradient", (slot, 0), Words("× 2")),
        )
    ]
    assert len(edges) >= CROWDED
    assert picture(Graph(nodes, tuple(edges)), timeout=20).count('class="node operation"') == count


def test_in_a_crowd_few_lines_are_looked_at_closely(monkeypatch):
    """60 lines through one label leave it no place: what was in the way there is in the way nearby."""
    from autograd_tour.drawing import clearing

    looks = []
    look = clearing._runs_through
    monkeypatch.setattr(
        clearing, "_runs_through", lambda *line_and_box: looks.append(1) or look(*line_and_box)
    )
    lines = [
        straight((10, 100), (290, 100)),
        *(straight((10, 3 * k), (290, 3 * k + 5)) for k in range(1, 60)),
    ]
    labels = [LABEL, *(NONE for _ in lines[1:])]
    assert clear_of_links(labels, lines, [(150, 85), *(None for _ in lines[1:])], (), SIZE)[0] == (150, 85)
    places_tried = 7 * (clearing.STATIONS + 1)
    assert places_tried / 2 < len(looks) < 2.5 * places_tried
