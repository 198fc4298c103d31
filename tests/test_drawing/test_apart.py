"""The main path is straight, constants stand beside their card, and no line runs upon another one."""

from __future__ import annotations

import math
import random
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn

import autograd_tour as tour
from autograd_tour.drawing import near
from autograd_tour.drawing.layout import Layout, place
from autograd_tour.drawing.main_path import main_path
from autograd_tour.drawing.parting import parted
from autograd_tour.lessons.thermometer import thermometer
from autograd_tour.views.fold import fold
from autograd_tour.views.picture import Scene
from tests.pictures import scene_of
from tests.programs import basics, models, operators

NEAR, LENGTH = 2.5, 24.0
"""Lines nearer than this for longer than that cannot be told apart, px."""

Place = tuple[float, float]


class Adapted(nn.Module):
    """A frozen layer with a low-rank update beside it and a shortcut around both, as in LoRA."""

    def __init__(self) -> None:
        super().__init__()
        self.frozen = nn.Linear(4, 4).requires_grad_(False)
        self.down, self.up = nn.Linear(4, 2, bias=False), nn.Linear(2, 4, bias=False)
        self.norm = nn.LayerNorm(4).requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(x + self.frozen(x) + 2.0 * self.up(self.down(x)))


def adapted(blocks: int = 6) -> Tensor:
    """Six times the same block."""
    torch.manual_seed(0)
    net = nn.Sequential(*(Adapted() for _ in range(blocks)))
    return net(torch.randn(2, 4)).sum()


def points(line: tuple[Place, ...]) -> list[Place]:
    """The line as points at most 1 px apart."""
    places = []
    for i in range(0, len(line) - 3, 3):
        a, b, c, d = line[i : i + 4]
        count = math.ceil(math.dist(a, b) + math.dist(b, c) + math.dist(c, d)) + 1
        for k in range(count):
            t, s = k / count, 1 - k / count
            x, y = (s**3 * a[j] + 3 * s * s * t * b[j] + 3 * s * t * t * c[j] + t**3 * d[j] for j in (0, 1))
            places.append((x, y))
    return places


def together(scene: Scene, layout: Layout) -> list[tuple[str, str, float]]:
    """Links without a common port that cannot be told apart, and for how many px."""
    lines = [points(course.points) if course else [] for course in layout.courses]
    cells: dict[tuple[int, int], dict[int, list[Place]]] = {}
    for i, line in enumerate(lines):
        for x, y in line:
            cells.setdefault((int(x // NEAR), int(y // NEAR)), {}).setdefault(i, []).append((x, y))
    ports = [{(link.src, link.ports[0]), (link.dst, link.ports[1])} for link in scene.links]
    lengths: dict[tuple[int, int], float] = {}
    for i, line in enumerate(lines):
        for before, (x, y) in pairwise(line):
            u, v = int(x // NEAR), int(y // NEAR)
            around = [cells.get((u + a, v + b), {}) for a in (-1, 0, 1) for b in (-1, 0, 1)]
            near = {
                j
                for cell in around
                for j, others in cell.items()
                if j != i and any(math.dist((x, y), other) <= NEAR for other in others)
            }
            for j in near:
                lengths[i, j] = lengths.get((i, j), 0.0) + math.dist(before, (x, y))
    return [
        (scene.links[i].id, scene.links[j].id, length)
        for (i, j), length in lengths.items()
        if length >= LENGTH and not ports[i] & ports[j]
    ]


PROGRAMS = [
    thermometer,
    adapted,
    basics.fan_out,
    basics.several_outputs,
    basics.unused_outputs,
    basics.lists,
    models.tied,
    models.lstm,
    models.gradient_penalty,
    models.unet,
    operators.gru,
    operators.foreach,
    operators.scattered,
]


@pytest.mark.parametrize("direction", ["LR", "TB"])
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_no_line_runs_upon_another_one_and_cards_stay_apart(program, direction):
    torch.manual_seed(0)
    scene = scene_of(fold(tour.trace(program)), direction)
    layout = place(scene)
    assert together(scene, layout) == []
    boxes = [
        (x - w / 2, y - h / 2, x + w / 2, y + h / 2)
        for (x, y), (w, h) in zip(layout.centres, layout.sizes, strict=True)
    ]
    for i, (left, top, right, bottom) in enumerate(boxes):
        assert left > -1 < top
        assert right < layout.width + 1
        assert bottom < layout.height + 1
        for other in boxes[:i]:
            clear = (
                left >= other[2] - 1 or other[0] >= right - 1 or top >= other[3] - 1 or other[1] >= bottom - 1
            )
            assert clear
    for course in layout.courses:
        assert course is not None
        assert course.tip is None or math.dist(course.points[-1], course.tip) < 12  # the head is at its line


@pytest.mark.parametrize("view", ["graph", "outline", "torchviz"])
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_the_main_path_is_straight_from_top_to_bottom(program, view):
    torch.manual_seed(0)
    scene = scene_of(fold(tour.trace(program)), "TB", view)
    layout, path = place(scene), main_path(scene)
    assert len(path) > 1
    across = [layout.centres[i][0] for i in path]
    assert max(across) - min(across) < 3


def test_the_main_path_goes_through_a_block_and_not_along_its_shortcut():
    scene = scene_of(tour.trace(adapted), "TB", "outline")
    titles = [scene.cards[i].title for i in main_path(scene)]
    assert sum("down" in title for title in titles) + sum("up" in title for title in titles) >= 12


def test_six_equal_blocks_are_as_wide_as_two():
    wide = place(scene_of(tour.trace(adapted), "TB", "outline")).width
    assert wide < 1.25 * place(scene_of(tour.trace(lambda: adapted(2)), "TB", "outline")).width


@pytest.mark.parametrize("direction", ["LR", "TB"])
def test_a_constant_of_one_card_stands_beside_it(direction):
    scene = scene_of(tour.trace(thermometer), direction)
    layout = place(scene)
    places = {card.id: i for i, card in enumerate(scene.cards)}
    users: dict[str, set[str]] = {}
    for link in scene.links:
        if link.flow == "constant":
            users.setdefault(link.src, set()).add(link.dst)
    hugged = {constant: next(iter(cards)) for constant, cards in users.items() if len(cards) == 1}
    assert hugged
    for constant, card in hugged.items():
        (x, y), (w, h) = layout.centres[places[constant]], layout.sizes[places[constant]]
        (u, v), (s, t) = layout.centres[places[card]], layout.sizes[places[card]]
        assert max(abs(x - u) - (w + s) / 2, abs(y - v) - (h + t) / 2) < 40


def test_what_is_far_is_left_aside_and_changes_no_count():
    """Boxes only spare work: the counts are those of all cells of all lines."""
    generator = random.Random(0)
    points = [(generator.uniform(0, 90), generator.uniform(0, 90)) for _ in range(4 * 30)]
    lines = [tuple(points[k : k + 4]) for k in range(0, len(points), 4)]
    ports = [
        frozenset({(str(generator.randrange(12)), "f"), (str(generator.randrange(12)), "g")}) for _ in lines
    ]
    traffic = near.Traffic(lines, ports)
    row = near._ROW

    def around(cells):
        return {cell + dx + dy * row for cell in cells for dx in (-1, 0, 1) for dy in (-1, 0, 1)}

    def together(own, cells):
        counts = [
            len(cells & near._cells(lines[j])) for j in range(len(lines)) if ports[own].isdisjoint(ports[j])
        ]
        return sum(count for count in counts if count >= near.TOGETHER)

    for own, line in enumerate(lines):
        assert traffic.of(own) == together(own, around(near._cells(line)))
        across = {v * row + u for u in range(4, 33) for v in (9, 10, 11)}
        assert traffic.beside(own, (11.0, 26.0), (81.0, 26.0)) == together(own, across)
        down = {v * row + u for v in range(4, 33) for u in (9, 10, 11)}
        assert traffic.beside(own, (26.0, 11.0), (26.0, 81.0)) == together(own, down)
    lines[0] = tuple((x + 200, y) for x, y in lines[0])
    traffic.move(0, lines[0])
    assert traffic.of(0) == 0
    assert [traffic.of(i) for i in range(30)] == [
        together(i, around(near._cells(lines[i]))) for i in range(30)
    ]


def test_a_line_goes_close_around_a_label_between_its_ports():
    line = ((100.0, 0.0), (100.0, 20.0), (40.0, 5.0), (40.0, 30.0), (40.0, 50.0), (90.0, 40.0), (100.0, 60.0))
    line = (*line, (100.0, 63.0), (100.0, 66.0), (100.0, 70.0))
    cards = [(50.0, -40.0, 150.0, 0.0), (50.0, 70.0, 150.0, 110.0)]
    label = (92.0, 25.0, 130.0, 43.0)
    moved, _ = parted([line], [frozenset({("a", 0), ("b", 0)})], cards, [label], lenient=True)
    way = points(moved[0])
    assert (moved[0][0], moved[0][-1]) == (line[0], line[-1])
    assert 0 < max(abs(x - 100.0) for x, _ in way) <= 20.1
    assert not any(label[0] < x < label[2] and label[1] < y < label[3] for x, y in way)
    assert parted([line], [frozenset({("a", 0), ("b", 0)})], cards, [], lenient=True)[0][0][2][0] == 100.0
