"""A model that the program itself calls again and again: what a module inside a model is, it is too."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from autograd_tour import follow, trace
from autograd_tour.errors import UsageError
from autograd_tour.record.graph import Graph
from autograd_tour.record.node import Node
from autograd_tour.views.calls import by_calls
from autograd_tour.views.contract import operations_in
from autograd_tour.views.focus import focus
from autograd_tour.views.fold import fold
from autograd_tour.views.opening import with_open
from autograd_tour.views.unfold import closed, opened

CALLS = 6


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm, self.up, self.down = nn.LayerNorm(4), nn.Linear(4, 8), nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.down(torch.relu(self.up(self.norm(x))))


class Encoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(4, 8), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(torch.relu(self.first(x)))


class Cell(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.given, self.kept = nn.Linear(3, 4), nn.Linear(4, 4)

    def forward(self, x: Tensor, h: Tensor) -> Tensor:
        return torch.tanh(self.given(x) + self.kept(h))


def looped() -> Tensor:
    block = Block()
    x = torch.ones(2, 4)
    h = x
    for _ in range(CALLS):
        h = block(h)
    return h.square().mean()


def siamese() -> Tensor:
    encoder = Encoder()
    a, b = torch.randn(2, 4), torch.randn(2, 4)
    left = encoder(a)
    right = encoder(b)
    return F.mse_loss(left, right)


def adversarial() -> Tensor:
    G = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 4))
    D = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
    real, z = torch.randn(3, 4), torch.randn(3, 2)
    d_real = D(real)
    d_fake = D(G(z))
    return F.softplus(-d_real).mean() + F.softplus(d_fake).mean()


@pytest.fixture(scope="module")
def blocks() -> Graph:
    torch.manual_seed(0)
    return trace(looped)


@pytest.fixture(scope="module")
def encoders() -> Graph:
    torch.manual_seed(0)
    return trace(siamese)


def piles(graph: Graph) -> list[Node]:
    return [node for node in graph.nodes if node.kind == "group" and operations_in(node)]


def titles(graph: Graph) -> list[tuple[str, str]]:
    return [(node.group, node.op) for node in piles(graph)]


def parameters(graph: Graph) -> set[str]:
    return {node.name for node in graph.nodes if node.kind == "leaf"}


def calls_told(graph: Graph) -> list[tuple[str, int]]:
    return sorted((scope.group, scope.number) for scope in graph.scopes)


def test_it_is_one_card_with_its_name_and_its_input_beside_it(blocks):
    for folded in (fold(blocks, depth=1), fold(blocks, limit=10)):
        (card,) = piles(folded)
        assert (card.group, card.op) == ("block", f"Block × {CALLS}")
        assert any(note.startswith("from the first call: (2, 4)") for note in card.notes)
        assert [node.name for node in folded.nodes if node.kind == "constant"] == ["x"]
    assert {"block.norm.bias", "block.up.weight", "block.down.weight"} <= parameters(blocks)


def test_the_card_opens_into_its_calls(blocks):
    shut = closed(blocks, depth=1)
    inside = opened(shut, piles(shut.graph)[0].id)
    assert inside is not None
    assert [node.notes[0] for node in piles(inside.graph)] == [
        f"call {number + 1} of {CALLS}" for number in range(CALLS)
    ]


def test_what_one_call_did_before_and_after_a_layer_is_a_part_of_it(blocks):
    folded = [node for node in piles(fold(blocks, depth=2)) if node.group == "block"]
    assert {node.notes[0] for node in folded} == {f"call {number + 1} of {CALLS}" for number in range(CALLS)}
    assert not any("call 1 of 2" in node.notes or "call 2 of 2" in node.notes for node in folded)


@pytest.mark.parametrize(
    ("cell", "title"),
    [
        (nn.LSTMCell(3, 4), "LSTMCell × 5"),
        (nn.GRUCell(3, 4), "GRUCell × 5"),
        (Cell(), "Cell × 5"),
    ],
)
def test_a_cell_in_a_loop_is_one_card(cell, title):
    def program() -> Tensor:
        state = h = torch.zeros(2, 4)
        c = torch.zeros(2, 4)
        for x in torch.randn(5, 2, 3):
            if isinstance(cell, nn.LSTMCell):
                h, c = cell(x, (h, c))
            else:
                h = cell(x, h)
        return (h - state).square().mean()

    folded = fold(trace(program), depth=1)
    assert titles(folded) == [("cell", title)]
    assert "x × 5" in [node.op for node in folded.nodes] or title.startswith("GRU")


def test_an_encoder_that_is_called_twice_is_one_card_with_both_inputs(encoders):
    folded = fold(encoders, depth=1)
    assert titles(folded) == [("encoder", "Encoder × 2")]
    assert {node.name for node in folded.nodes if node.kind == "constant"} == {"a", "b"}


def test_its_layers_say_how_often_they_ran(encoders):
    first, _, last = piles(fold(encoders, depth=2))
    assert [(node.group, node.op) for node in (first, last)] == [
        ("encoder.first", "Linear × 2"),
        ("encoder.last", "Linear × 2"),
    ]
    assert any(note.startswith("from the first call: (2, 8)") for note in first.notes)


def test_layers_say_so_too_where_a_function_of_the_program_calls_their_model():
    net = nn.Sequential(nn.Linear(4, 3), nn.Tanh())

    def score(x: Tensor) -> Tensor:
        return net(x).square().mean()

    folded = fold(trace(lambda: score(torch.ones(2, 4)) - score(torch.zeros(2, 4))), depth=1)
    assert [title for group, title in titles(folded) if group] == ["Linear × 2", "Tanh × 2"]


class Towers(nn.Module):
    """Each tower is called in a method of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.right = Block(), Block()

    def features(self, tower: nn.Module, x: Tensor) -> Tensor:
        return tower(x).tanh()

    def forward(self, x: Tensor) -> Tensor:
        return (self.features(self.left, x) * self.features(self.right, 2 * x)).sum()


def test_what_is_folded_already_folds_on_into_its_modules():
    net, x = Towers(), torch.ones(2, 4)
    calls = by_calls(fold(trace(lambda: net(x)), depth=2))
    assert len(piles(calls)) > 4
    towers = [title for title in titles(fold(calls, limit=8)) if title[0]]
    assert towers == [("left", "Block"), ("right", "Block")]


def test_of_two_models_the_one_that_is_called_twice_says_so():
    assert titles(fold(trace(adversarial), depth=1)) == [("G", "Sequential"), ("D", "Sequential × 2")]


def test_a_call_is_opened_by_its_number(blocks, encoders):
    current = with_open(blocks, ["block[2]"], 1)
    assert [frame.title for frame in current.frames] == ["block[2]  Block"]
    rows = [node for node in piles(current.graph) if node.group == "block"]
    assert [(node.op, node.notes[0]) for node in rows] == [
        ("Block × 2", "calls 1 to 2"),
        ("Block × 3", "calls 4 to 6"),
    ]
    assert rows[1].notes[1].startswith("from call 4: (2, 4)")
    several = with_open(encoders, ["encoder"], 1)
    assert [node.notes[0] for node in piles(several.graph)] == ["call 1 of 2", "call 2 of 2"]


def test_a_call_or_all_of_them_are_looked_at_alone(blocks):
    alone = focus(blocks, "block[2]")
    inside = [
        node for node in alone.nodes if node.scope is not None and blocks.scopes[node.scope].number == 2
    ]
    assert len([node for node in inside if node.kind == "operation"]) == 7
    assert any("focus on block[2]" in note for note in alone.meta.notes)
    assert titles(focus(blocks, "block")) == [("block", f"Block × {CALLS}")]
    with pytest.raises(UsageError) as error:
        focus(blocks, "block[9]")
    assert "block[" in (error.value.hint or "")


def test_a_model_that_is_called_once_is_the_program():
    net, x = Encoder(), torch.ones(2, 4)
    graph = trace(lambda: net(x).sum())
    assert graph.scopes == ()
    assert parameters(graph) == {"first.weight", "first.bias", "last.weight", "last.bias"}


def test_a_call_that_is_not_in_the_graph_does_not_count():
    net, x = Encoder(), torch.ones(2, 4)

    def program(calls: int) -> Callable[[], Tensor]:
        def loss() -> Tensor:
            with torch.no_grad():
                net(x)
            return sum(net(x + number).sum() for number in range(calls))

        return loss

    assert trace(program(1)).scopes == ()
    assert calls_told(trace(program(2))) == [("net", 0), ("net", 1)]


def test_what_has_no_parameters_is_no_model():
    criterion, x = nn.MSELoss(), torch.ones(2, requires_grad=True)
    graph = trace(lambda: criterion(x, x + 1) + criterion(x, 2 * x))
    assert graph.scopes == ()
    assert not any(node.group for node in graph.nodes)


def train(loss: Callable[[nn.Module], Tensor]) -> tuple[Graph, ...]:
    def program() -> None:
        net = Encoder()
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        for _ in range(3):
            optimizer.zero_grad()
            loss(net).backward()
            optimizer.step()

    return follow(program).graphs


def test_training_calls_a_model_once_for_each_loss():
    (graph,) = train(lambda net: net(torch.ones(2, 4)).sum())
    assert graph.scopes == ()
    assert "first.weight" in parameters(graph)


def test_training_that_calls_it_twice_for_a_loss_says_so():
    (graph,) = train(lambda net: net(torch.ones(2, 4)).sum() + net(torch.zeros(2, 4)).sum())
    assert calls_told(graph) == [("net", 0), ("net", 1)]
    assert "net.first.weight" in parameters(graph)


def test_each_loss_of_a_training_counts_its_own_calls():
    def program() -> None:
        actor, critic = Encoder(), Encoder()
        x = torch.randn(2, 4)
        F.softplus(critic(x) - critic(actor(x).detach().mean() + x)).mean().backward()
        critic(actor(x).mean() + x).mean().backward()

    first, second = follow(program).graphs
    assert calls_told(first) == [("critic", 0), ("critic", 1)]
    assert calls_told(second) == []
