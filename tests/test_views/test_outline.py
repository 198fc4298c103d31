"""The outline: a line for each call, parameters inside their module, and text at least as large as torchviz's."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchviz import make_dot

import autograd_tour as tour
from autograd_tour.drawing import ready
from autograd_tour.drawing.engine import lay_out
from autograd_tour.formats.base import Settings, chosen_views
from autograd_tour.formats.svg import Svg
from autograd_tour.lessons.thermometer import PROGRAMS as LESSONS
from autograd_tour.record.graph import Graph
from autograd_tour.record.trace import Trace
from autograd_tour.record.validate import validate
from autograd_tour.views.calls import by_calls
from autograd_tour.views.homes import operations_in
from autograd_tour.views.picture import Card, Scene
from tests.programs import basics, hooks, models, operators

SCREEN = (1280, 720)
TORCHVIZ_SIZE = 10
"""Font size of torchviz, which its layout is measured in too."""


def outline(graph: Graph, **settings: object) -> Scene:
    ((_, picture),) = chosen_views(Trace(graph), Settings(views=("outline",), **settings))  # type: ignore[arg-type]
    return ready(picture)  # type: ignore[arg-type]


def drawn(graph: Graph) -> str:
    (svg,) = Svg().files("net", Trace(graph), Settings(views=("outline",))).values()
    return svg


def text(card: Card) -> str:
    (row,) = card.rows
    return "".join(run.text for run in row.left)


def lines(scene: Scene) -> list[str]:
    return [text(card) for card in scene.cards]


def arrows(scene: Scene) -> dict[tuple[str, str], str]:
    """(text of the maker, text of the user) -> forward or ungraded."""
    texts = {card.id: text(card) for card in scene.cards}
    return {(texts[link.src], texts[link.dst]): link.flow for link in scene.links}


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(4, 8, 3, groups=2)
        self.up = nn.ConvTranspose2d(8, 6, 3, groups=2)
        self.act = nn.ReLU()
        self.norm = nn.BatchNorm2d(6)
        self.head = nn.Linear(6, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.act(self.conv1(x))
        return self.head(self.norm(self.up(x)).mean((2, 3)))


def network() -> Tensor:
    net, x = Net().eval(), torch.randn(2, 4, 5, 5)
    scores = net(x)
    return F.cross_entropy(scores, torch.tensor([0, 4]))


def test_a_module_is_one_line_with_path_class_and_sizes_and_holds_its_parameters() -> None:
    scene = outline(tour.trace(network))
    assert lines(scene) == [
        "x",
        "conv1  Conv2d(4→8)",
        "act  ReLU",
        "up  ConvTranspose2d(8→6)",
        "norm  BatchNorm2d",
        "(…).mean((2, 3))",
        "head  Linear(6→5)",
        "torch.tensor([0, 4])",
        "F.cross_entropy(…)",
    ]
    assert {card.shape for card in scene.cards} == {"constant", "operation"}


def test_the_value_of_a_scalar_stands_in_its_line() -> None:
    scene = outline(tour.trace(LESSONS["thermometer"]))
    values = {text(card): "".join(run.text for run in card.rows[0].right) for card in scene.cards}
    assert values["squared_diffs.mean()"] == "loss = 1763.88"
    assert values["w"] == "1"
    assert values["t_u"] == ""


def loop() -> Tensor:
    layer, x = nn.Linear(3, 3), torch.randn(2, 3)
    for _ in range(3):
        x = layer(x)
    return x.sum()


def test_a_call_that_ran_again_has_a_line_of_its_own_and_a_shared_weight_too() -> None:
    scene = outline(tour.trace(loop))
    assert lines(scene).count("layer  Linear") == 3
    weight = next(card.id for card in scene.cards if text(card) == "layer.weight")
    assert sum(link.src == weight for link in scene.links) == 3


class Twice(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed, self.head = nn.Embedding(7, 3), nn.Linear(3, 7, bias=False)
        self.head.weight = self.embed.weight

    def forward(self, words: Tensor) -> Tensor:
        return self.head(self.embed(words))


def test_a_parameter_of_two_modules_stays_a_card_of_its_own() -> None:
    net = Twice()
    scene = outline(tour.trace(lambda: net(torch.tensor([1, 2])).sum()))
    assert {"embed.weight", "embed  Embedding", "head  Linear"} <= set(lines(scene))
    assert arrows(scene)["embed.weight", "head  Linear"] == "forward"


def test_a_call_with_two_results_is_one_line() -> None:
    assert sum(line.startswith("nn.GRU(") for line in lines(outline(tour.trace(operators.gru)))) == 1


def detached() -> Tensor:
    w = torch.tensor(2.0, requires_grad=True)
    y = w * 3
    frozen = y.detach()
    _, used = torch.stack([y, w]).unbind()
    return frozen * used


def test_an_arrow_is_dashed_where_no_gradient_comes_back() -> None:
    flows = arrows(outline(tour.trace(detached)))
    assert flows["w", "torch.stack([y, w])"] == "forward"
    assert flows["w * 3", "frozen"] == "ungraded"
    assert flows["frozen", "frozen * used"] == "ungraded"
    assert drawn(tour.trace(detached)).count('class="edge ungraded"') == 2


def test_skip_connections_are_seen() -> None:
    scene = outline(tour.trace(models.resnet))
    users: dict[str, set[str]] = {}
    for link in scene.links:
        users.setdefault(link.src, set()).add(link.dst)
    texts = {card.id: text(card) for card in scene.cards}
    split = [{texts[user] for user in each} for each in users.values() if len(each) == 2]
    assert len(split) == 3
    assert all("out + x" in each for each in split)


def test_a_large_program_is_folded_after_its_calls_and_only_then_in_piles() -> None:
    path = Path(__file__).parents[2] / "docs/programs/gpt.py"
    spec = importlib.util.spec_from_file_location("outlined_gpt", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    scene = outline(tour.trace(module.loss))
    assert "blocks.0 … 11  TransformerBlock × 12" in lines(scene)
    assert [text(card) for card in scene.cards if card.shape == "group"] == [
        "blocks.0 … 11  TransformerBlock × 12"
    ]
    assert "head  Linear(32→50)" in lines(scene)


def test_it_runs_from_top_to_bottom_unless_another_direction_is_asked_for() -> None:
    graph = tour.trace(LESSONS["thermometer"])
    for room in ({}, {"fit": "16:9"}):
        usual, down, across = (
            tour.svg(graph, view="outline", **room, **turn)
            for turn in ({}, {"direction": "TB"}, {"direction": "LR"})
        )
        assert usual == down != across


def test_one_part_in_focus_is_an_outline_too() -> None:
    scene = outline(tour.trace(network), focus="head")
    assert "head  Linear(6→5)" in lines(scene)
    assert "conv1  Conv2d(4→8)" not in lines(scene)


COMPARED = [
    *LESSONS.values(),
    basics.broadcast,
    basics.unused_outputs,
    basics.detached,
    basics.views,
    basics.indexing,
    basics.several_outputs,
    basics.several_losses,
    basics.nothing_in_it,
    models.resnet,
    models.gpt_by_hand,
    models.lstm,
    models.unet,
    models.tied,
    models.checkpointed,
    models.mixed_precision,
    models.gradient_penalty,
    models.transformer_layer,
    models.convolution_stack,
    operators.gru,
    operators.einsum,
    operators.decompositions,
    operators.scattered,
    operators.a_node_for_each_result,
    operators.outputs_of_several_kinds,
    hooks.custom_function,
    network,
]


@pytest.mark.parametrize("program", COMPARED, ids=lambda program: program.__name__)
def test_on_a_screen_its_text_is_at_least_as_large_as_torchviz(program) -> None:
    torch.manual_seed(0)
    answer = json.loads(lay_out(make_dot(program()).source))
    width, height = (float(part) for part in answer["bb"].split(",")[2:])
    theirs = TORCHVIZ_SIZE * min(SCREEN[0] / width, SCREEN[1] / height)
    torch.manual_seed(0)
    graph = tour.trace(program)
    scene, svg = outline(graph), drawn(graph)
    size = min(run.size for card in scene.cards for row in card.rows for run in (*row.left, *row.right))
    width, height = (float(part) for part in svg.split('viewBox="0 0 ')[1].split('"')[0].split())
    assert size * min(SCREEN[0] / width, SCREEN[1] / height) >= theirs


@pytest.mark.parametrize("program", COMPARED, ids=lambda program: program.__name__)
def test_calls_as_cards_make_a_graph_that_holds(program) -> None:
    torch.manual_seed(0)
    graph = tour.trace(program)
    condensed = by_calls(graph)
    validate(condensed)
    assert sum(map(operations_in, condensed.nodes)) == sum(map(operations_in, graph.nodes))
    assert by_calls(condensed) == condensed
