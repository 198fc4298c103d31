"""Functions fold by name, loops show their first and last turn, and what a reader names can be opened."""

from __future__ import annotations

import re
import sys

import pytest
import torch
from msgspec.structs import replace
from torch import Tensor, nn

from autograd_tour import trace
from autograd_tour.drawing import arrange
from autograd_tour.drawing.layout import Course, Layout, place
from autograd_tour.drawing.svg import draw_scene
from autograd_tour.errors import UsageError
from autograd_tour.formats.base import Settings, chosen_views
from autograd_tour.formats.svg import Svg
from autograd_tour.record.codec import dumps, loads
from autograd_tour.record.graph import Graph, Scope
from autograd_tour.record.node import Node
from autograd_tour.record.trace import Trace
from autograd_tour.record.validate import validate
from autograd_tour.rules.wording import short
from autograd_tour.views.cards import cards_scene
from autograd_tour.views.diff import diff
from autograd_tour.views.focus import focus
from autograd_tour.views.fold import fold
from autograd_tour.views.homes import operations_in
from autograd_tour.views.opening import with_open
from autograd_tour.views.picture import Card, Frame, Link, Row, Run, Scene
from autograd_tour.views.unfold import opened


def lstm_cell(x: Tensor, h: Tensor, c: Tensor, w: Tensor, u: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    i, f, g, o = (x @ w + h @ u + b).chunk(4, 1)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    h = torch.sigmoid(o) * torch.tanh(c)
    return h, c


def lstm() -> Tensor:
    w, u, b = (torch.randn(*shape, requires_grad=True) for shape in ((3, 16), (4, 16), (16,)))
    xs, h, c = torch.randn(5, 2, 3), torch.zeros(2, 4), torch.zeros(2, 4)
    for t in range(5):
        h, c = lstm_cell(xs[t], h, c, w, u, b)
    return h.square().mean()


def ode() -> Tensor:
    k, pos, vel = (torch.tensor(value, requires_grad=True) for value in (2.0, 1.0, 0.0))
    for _ in range(50):
        acc = -k * pos
        vel = vel + 0.05 * acc
        pos = pos + 0.05 * vel
    return (pos - 0.3) ** 2


@pytest.fixture(scope="module")
def cell_calls() -> Graph:
    torch.manual_seed(0)
    return trace(lstm)


@pytest.fixture(scope="module")
def turns() -> Graph:
    return trace(ode)


def piles(graph: Graph) -> list[Node]:
    return [node for node in graph.nodes if node.kind == "group" and operations_in(node)]


def test_each_call_of_a_function_is_told_apart_although_frames_share_their_place(cell_calls: Graph) -> None:
    assert sorted((scope.function, scope.number) for scope in cell_calls.scopes) == [
        ("lstm_cell", number) for number in range(5)
    ]
    of_call = dict.fromkeys(range(5), 0)
    for node in cell_calls.nodes:
        if node.kind == "operation" and node.scope is not None:
            of_call[cell_calls.scopes[node.scope].number] += 1
    assert set(of_call.values()) == {14}
    assert sys._getframe().f_trace is None, "no mark is left on frames around the program"


def test_what_runs_in_a_module_is_told_from_what_calls_it() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(2, 2), nn.Linear(2, 2)

        def gate(self, x: Tensor) -> Tensor:
            return torch.sigmoid(self.a(x)) * x

        def forward(self, x: Tensor) -> Tensor:
            return self.gate(x) + sum(self.gate(self.b(x)) for _ in range(1))

    class Outer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = Net()

        def forward(self, x: Tensor) -> Tensor:
            return self.net(x)

    outer = Outer()
    graph = trace(lambda: outer(torch.ones(1, 2)).sum())
    assert {(scope.function, scope.number, scope.group) for scope in graph.scopes} == {
        ("gate", 0, "net"),
        ("gate", 1, "net"),
    }
    (first, second) = (node for node in graph.nodes if node.grad_fn == "SigmoidBackward0")
    assert first.scope != second.scope
    assert graph.scopes[first.scope or 0].outer is None


def test_a_file_keeps_the_calls_and_a_bad_scope_is_refused(cell_calls: Graph) -> None:
    assert loads(dumps(Trace(cell_calls))).graph == cell_calls
    with pytest.raises(Exception, match="no such scope"):
        validate(Graph((Node("n0", "operation", scope=0),)))
    with pytest.raises(Exception, match="no such scope before it"):
        validate(Graph(scopes=(Scope("f", outer=0),)))


def test_calls_of_a_function_are_one_card_with_what_it_was_given_beside_it(cell_calls: Graph) -> None:
    folded = fold(cell_calls)
    (card,) = piles(folded)
    assert (card.op, card.folded, card.names) == ("lstm_cell × 5", 70, ("h", "c"))
    beside = {folded.title(node.id) for node in folded.nodes if node.kind in ("constant", "leaf")}
    assert beside == {"h", "c", "w", "u", "b"}
    (given,) = (node for node in folded.nodes if node.op == "x × 5")
    links = [link for link in cards_scene(folded).links if link.src == given.id]
    assert {link.flow for link in links} == {"constant"}, "no gradient goes to what is constant"


def test_one_call_is_opened_by_its_name_and_has_a_frame(cell_calls: Graph) -> None:
    current = with_open(cell_calls, ["lstm_cell[2]"])
    assert [node.op for node in piles(current.graph)] == [f"lstm_cell[{n}]" for n in (0, 1, 3, 4)]
    (frame,) = current.frames
    assert frame.title == "lstm_cell[2]"
    assert len(frame.cards) == 14
    scopes = {current.graph.node(card).scope for card in frame.cards}
    assert [cell_calls.scopes[scope or 0].number for scope in scopes] == [2]
    validate(current.graph)


def test_all_calls_of_a_name_are_side_by_side(cell_calls: Graph) -> None:
    assert [node.op for node in piles(with_open(cell_calls, ["lstm_cell"]).graph)] == [
        f"lstm_cell[{n}]" for n in range(5)
    ]


def test_what_is_not_folded_cannot_be_opened_and_the_hint_says_what_can(cell_calls: Graph) -> None:
    with pytest.raises(UsageError, match="nothing that is folded is called 'attention'") as error:
        with_open(cell_calls, ["attention"])
    assert "lstm_cell[0], lstm_cell[1]" in error.value.hint
    with pytest.raises(UsageError) as error:
        with_open(trace(lambda: torch.ones(2, requires_grad=True).sum()), ["a"])
    assert error.value.hint == "Nothing is folded in it"


def test_two_calls_with_nothing_between_them_are_no_row() -> None:
    def kernel(a: Tensor, scale: Tensor) -> Tensor:
        return scale.exp() * torch.exp(-0.5 * (a * scale.exp()) ** 2)

    def loss() -> Tensor:
        scale = torch.tensor(0.5, requires_grad=True)
        first, second = kernel(torch.ones(3), scale), kernel(torch.ones(2), scale)
        return first.sum() + second.sum()

    assert [node.op for node in piles(fold(trace(loss), limit=10))] == ["kernel[0]", "kernel[1]"]


def test_a_loop_shows_its_first_and_its_last_turn(turns: Graph) -> None:
    folded = fold(turns)
    (middle,) = piles(folded)
    assert middle.op == "… 48 turns"
    assert middle.folded == 48 * 6
    shown = [node.op for node in folded.nodes if node.kind == "operation"]
    assert shown.count("pos + 0.05 * vel") == 2
    assert {name for name in middle.names if name} == {"pos", "vel"}


def test_a_loop_opens_turn_by_turn(turns: Graph) -> None:
    shut = with_open(turns, ["… 48 turns"])
    inside = piles(shut.graph)
    assert {node.op for node in inside} == {"4 turns"}
    again = opened(shut, inside[0].id)
    assert again is not None
    validate(again.graph)


def test_a_variable_in_focus_has_all_its_values_through_the_loop(turns: Graph) -> None:
    card = next(node for node in focus(turns, "pos").nodes if node.op == "pos × 50")
    values = [note for note in card.notes if note.startswith("pos[")]
    named = [node for node in turns.nodes if node.kind == "operation" and "pos" in node.names]
    assert len(values) == len(named) == 50
    assert values[0] == "pos[0] = 0.995, grad " + values[0].rpartition(" ")[2]
    validate(focus(turns, "pos"))


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 3, padding=1)
        self.fc = nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(torch.relu(self.conv1(x)).mean((2, 3)))


def test_a_layer_says_its_shapes_its_kernel_and_each_of_its_parameters() -> None:
    net, images = Net(), torch.randn(2, 1, 4, 4)
    graph = trace(lambda: net(images).square().mean())
    folded = fold(graph, depth=1)
    convolution, linear = (node for node in folded.nodes if node.kind == "group")
    assert (convolution.group, convolution.op) == ("conv1", "Conv2d(1→8)")
    assert convolution.notes[:2] == ("(2, 1, 4, 4) → (2, 8, 4, 4)", "kernel 3×3, padding 1×1")
    norm = net.conv1.weight.grad
    assert norm is None, "the program is left as it was"
    assert convolution.notes[2].startswith("weight (8, 1, 3, 3): ‖.grad‖ = ")
    assert convolution.notes[2].endswith("correlate with images")
    assert "80 parameters, 320 B" in convolution.notes
    weight = next(note for note in linear.notes if note.startswith("weight"))
    assert "ᵀ @ g)ᵀ" in weight, "a folded Linear keeps its rule"
    (edge,) = (edge for edge in folded.select("gradient") if edge.src == linear.id)
    assert short(edge.rule) == "@ fc.weight"
    assert "images" in {folded.title(node.id) for node in folded.nodes if node.kind == "constant"}


def test_several_models_keep_their_names() -> None:
    generator = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    critic = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1))
    noise = torch.randn(3, 4)
    graph = trace(lambda: critic(generator(noise)).mean())
    assert [node.group for node in fold(graph, depth=1).nodes if node.kind == "group"] == [
        "generator",
        "critic",
    ]
    paths = [node.group for node in fold(graph, depth=2).nodes if node.kind == "group"]
    assert paths == [f"{model}.{n}" for model in ("generator", "critic") for n in range(3)]


def test_three_blocks_fold_as_such_where_their_parts_would_fit() -> None:
    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm, self.up, self.down = nn.LayerNorm(4), nn.Linear(4, 8), nn.Linear(8, 4)

        def forward(self, x: Tensor) -> Tensor:
            return x + self.down(torch.relu(self.up(self.norm(x))).exp().log().sin().cos())

    net = nn.Sequential(*(Block() for _ in range(3)))
    folded = fold(trace(lambda: net(torch.ones(2, 4)).sum()), limit=30)
    assert [node.op for node in piles(folded)] == ["Block × 3"]


def test_no_fold_is_called_by_how_many_operations_it_has() -> None:
    def program() -> Tensor:
        x = torch.full((3, 3), 2.0, requires_grad=True)
        total = x.sum()
        for i in range(20):
            match i % 3:
                case 0:
                    total = total + torch.linalg.cholesky(x @ x.T + 30 * torch.eye(3)).sum()
                case 1:
                    total = total + (x.exp().sin() * 2).log1p().sum()
                case _:
                    total = total * x.mean().sqrt()
        return total

    for limit in (8, 12, 20):
        cards = piles(fold(trace(program), limit=limit))
        assert cards
        assert not [card.op for card in cards if "operations" in card.op]


def test_thirty_leaves_of_one_use_are_one_card() -> None:
    weights = [torch.randn(3, requires_grad=True) for _ in range(30)]
    folded = fold(trace(lambda: torch.stack(weights).sum()))
    (card,) = (node for node in folded.nodes if node.kind == "group")
    assert card.op == "weights[0] … weights[29]"
    assert card.notes[0] == "30 leaves"


def test_an_opened_block_has_a_frame_in_files_with_all_that_was_in_it_and_nothing_else(
    cell_calls: Graph,
) -> None:
    opening = Settings(views=("graph",), open=("lstm_cell[2]",))
    ((_, picture),) = chosen_views(Trace(cell_calls), opening)
    assert isinstance(picture, Scene)
    (frame,) = picture.frames
    arranged = arrange(picture)
    layout = arranged.layout
    sides = {
        card.id: (x - w / 2, y - h / 2, x + w / 2, y + h / 2)
        for card, (x, y), (w, h) in zip(arranged.scene.cards, layout.centres, layout.sizes, strict=True)
    }
    inside = [sides[card] for card in frame.cards]
    left, top, right, bottom = (
        pick(side[i] for side in inside) for i, pick in enumerate((min, min, max, max))
    )
    others = [side for card, side in sides.items() if card not in frame.cards]
    assert not [s for s in others if s[0] < right and s[2] > left and s[1] < bottom and s[3] > top]
    (svg,) = Svg().files("net", Trace(cell_calls), opening).values()
    assert svg.count('class="frame"') == 1
    assert ">lstm_cell[2]</text>" in svg
    (plain,) = Svg().files("net", Trace(cell_calls), Settings(views=("graph",))).values()
    assert 'class="frame"' not in plain


def test_a_frame_is_not_drawn_where_another_card_would_stand_in_it() -> None:
    cards = tuple(Card(f"n{i}", "operation", (Row((Run(f"op {i}"),)),)) for i in range(3))
    links = tuple(Link(f"l{i}", f"n{i}", f"n{i + 1}", "forward") for i in range(2))
    scene = Scene(cards, links, frames=(Frame("block", ("n0", "n2")),))
    layout = place(replace(scene, frames=()))
    assert 'class="frame"' not in draw_scene(scene, layout)
    assert 'class="frame"' in draw_scene(replace(scene, frames=(Frame("block", ("n0", "n1")),)), layout)


def test_what_is_gone_in_a_comparison_belongs_to_no_call_of_the_second_run() -> None:
    w = torch.ones(2, requires_grad=True)

    def scaled(x: Tensor) -> Tensor:
        return x.exp() * x

    before, after = trace(lambda: scaled(scaled(w)).sum()), trace(lambda: w.sin().sum())
    compared = diff(before, after)
    validate(compared)
    assert {node.scope for node in compared.nodes if node.state == "gone"} == {None}


@pytest.mark.parametrize("crossed", [{150.0}, {230.0, 250.0}])
def test_the_title_of_a_frame_stands_where_no_link_runs_through_it(crossed: set[float]) -> None:
    title = "a block with a name of some length"
    scene = Scene(
        (Card("n0", "operation", (Row((Run("op"),)),)),),
        tuple(Link(f"l{x}", "n0", "n0", "forward") for x in crossed),
        frames=(Frame(title, ("n0",)),),
    )
    lines = [((x, 0.0), (x, 50.0), (x, 150.0), (x, 200.0)) for x in sorted(crossed)]
    courses = tuple(Course(line, None, None) for line in lines)
    svg = draw_scene(scene, Layout(480, 200, ((240.0, 100.0),), ((260.0, 40.0),), courses))
    drawn = re.search(r'<text x="([\d.]+)"[^>]*textLength="([\d.]+)"[^>]*>(a block[^<]*)<', svg)
    assert drawn is not None
    start, width = float(drawn[1]), float(drawn[2])
    assert not [x for x in crossed if start <= x <= start + width]
    assert drawn[3] == title if len(crossed) == 1 else drawn[3].endswith("…")
