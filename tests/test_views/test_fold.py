"""A picture of any program fits one screen, and says what it folded."""

from __future__ import annotations

import random

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from torch import Tensor, nn

from autograd_tour import trace
from autograd_tour.drawing.room import room_for
from autograd_tour.formats.base import Settings, chosen_views
from autograd_tour.record.graph import BackwardPass, Edge, Graph, Meta, Step
from autograd_tour.record.node import Node, Totals
from autograd_tour.record.trace import Trace
from autograd_tour.record.validate import validate
from autograd_tour.rules.wording import short
from autograd_tour.views.by_modules import Modules
from autograd_tour.views.focus import focus
from autograd_tour.views.fold import MORE, SCREEN, fold, visible
from autograd_tour.views.homes import operations_in
from autograd_tour.views.picture import Scene
from autograd_tour.views.quotient import flow, is_topological
from autograd_tour.views.units import MOST_LEVELS, paths_around
from tests.examples import examples


def ops(graph: Graph) -> list[str]:
    return [node.op for node in graph.nodes if node.kind == "group"]


def users(graph: Graph, node: str) -> list[str]:
    """What uses a tensor, but not the accumulator of a leaf."""
    kinds = {item.id: item.kind for item in graph.nodes}
    return [e.dst for e in graph.select("forward") if e.src == node and kinds[e.dst] != "accumulate"]


def sound(before: Graph, after: Graph) -> None:
    """What holds for every folded graph."""
    assert sum(map(operations_in, after.nodes)) == sum(map(operations_in, before.nodes))
    validate(after)
    assert is_topological([node.id for node in after.nodes], flow(after))


def random_dag(count: int, seed: int, leaves: float = 0.15, cuts: float = 0.05) -> Graph:
    pick = random.Random(seed)
    nodes: list[Node] = []
    edges: list[Edge] = []
    for i in range(count):
        chance = pick.random()
        kind = "leaf" if chance < leaves or not i else "constant" if chance < leaves + cuts else "operation"
        nodes.append(Node(f"n{i}", kind, op=f"op {i}", grad_fn=pick.choice("ABC")))  # type: ignore[arg-type]
        if kind != "leaf":
            makers = [pick.randrange(max(0, i - 200), i) for _ in range(pick.randint(1, 3))]
            edges += [Edge(f"n{j}", f"n{i}", "forward", (0, slot)) for slot, j in enumerate(makers)]
    return Graph(tuple(nodes), tuple(edges), outputs=((nodes[-1].id, 0),))


def chain(count: int, names: str = "S") -> Graph:
    nodes = [Node("x", "leaf", names=("x",)), Node("a", "accumulate")]
    edges = [Edge("x", "a", "forward"), Edge("a", "x", "gradient")]
    for i in range(count):
        nodes.append(Node(f"n{i}", "operation", grad_fn=names[i % len(names)] + "inBackward0", slots=1))
        edges.append(Edge(f"n{i - 1}" if i else "x", f"n{i}", "forward"))
        edges.append(Edge(f"n{i}", f"n{i - 1}" if i else "a", "gradient"))
    steps = [Step(f"n{i}", (None,), (None,)) for i in reversed(range(count))] + [Step("a", (None,))]
    return Graph(
        tuple(nodes), tuple(edges), passes=(BackwardPass(tuple(steps)),), outputs=((f"n{count - 1}", 0),)
    )


SHAPES = {
    "random DAG": random_dag(3_000, 1),
    "random DAG of many leaves": random_dag(3_000, 2, leaves=0.7),
    "random DAG of many cuts": random_dag(3_000, 3, cuts=0.5),
    "star": Graph(
        (*(Node(f"n{i}", "leaf") for i in range(500)), Node("s", "operation")),
        tuple(Edge(f"n{i}", "s", "forward", (0, i)) for i in range(500)),
        outputs=(("s", 0),),
    ),
    "leaves without a use": Graph(tuple(Node(f"n{i}", "leaf") for i in range(500))),
    "operations without edges": Graph(tuple(Node(f"n{i}", "operation") for i in range(500))),
    "many outputs": Graph(
        (Node("x", "leaf"), *(Node(f"n{i}", "operation", grad_fn=f"F{i % 7}") for i in range(500))),
        tuple(Edge("x", f"n{i}", "forward") for i in range(500)),
        outputs=tuple((f"n{i}", 0) for i in range(500)),
    ),
    "parallel branches": Graph(
        (
            Node("x", "leaf"),
            *(Node(f"n{i}.{k}", "operation", grad_fn=f"F{k}") for i in range(200) for k in range(5)),
            Node("s", "operation"),
        ),
        (
            *(Edge("x", f"n{i}.0", "forward") for i in range(200)),
            *(Edge(f"n{i}.{k}", f"n{i}.{k + 1}", "forward") for i in range(200) for k in range(4)),
            *(Edge(f"n{i}.4", "s", "forward", (0, i)) for i in range(200)),
        ),
        outputs=(("s", 0),),
    ),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_any_large_graph_fits_one_screen(shape: str) -> None:
    graph = SHAPES[shape]
    folded = fold(graph)
    assert 1 <= visible(folded) <= SCREEN
    sound(graph, folded)


@given(st.integers(0, 10**6), st.integers(1, 300), st.integers(2, 40), st.floats(0, 0.9), st.floats(0, 0.5))
@settings(max_examples=examples(60), deadline=None)
def test_any_random_graph_fits_any_screen_and_folds_again(
    seed: int, count: int, limit: int, leaves: float, cuts: float
) -> None:
    graph = random_dag(count, seed, leaves, cuts * (1 - leaves))
    folded = fold(graph, limit=limit)
    assert visible(folded) <= max(limit * MORE, 5)
    sound(graph, folded)
    sound(graph, fold(folded, limit=5))
    assert visible(folded) > limit or fold(folded, limit=limit) == folded, "what fits stays"


@pytest.mark.slow
def test_a_chain_of_100_000_is_two_cards() -> None:
    folded = fold(chain(100_000))
    assert [node.op or node.name for node in folded.nodes if node.kind != "accumulate"] == [
        "x",
        "sin × 100000",
    ]
    assert folded.meta.remarks == ("100000 of 100000 operations are folded into 1 card",)


def test_a_loop_over_several_operations_is_one_card() -> None:
    assert ops(fold(chain(300, "SCL"))) == ["sin, cin, lin × 100"]


def test_a_graph_that_fits_is_left_alone() -> None:
    graph = chain(30)
    assert fold(graph) is graph


def test_a_depth_without_modules_changes_nothing_and_says_so() -> None:
    graph = chain(30)
    folded = fold(graph, depth=1)
    assert folded.nodes == graph.nodes
    assert folded.meta.remarks == (
        "the program has no modules or functions to fold, so a depth changes nothing",
    )


def test_notes_on_folding_do_not_pile_up() -> None:
    folded = fold(fold(random_dag(500, 7)), limit=6)
    assert len(folded.meta.remarks) == 1


class Block(nn.Module):
    def __init__(self, width: int, wide: bool = False) -> None:
        super().__init__()
        self.norm, self.up, self.down = nn.LayerNorm(width), nn.Linear(width, 8), nn.Linear(8, width)
        self.wide = nn.Linear(width, width) if wide else None

    def forward(self, x: Tensor) -> Tensor:
        side = x if self.wide is None else self.wide(x)
        return side + self.down(torch.relu(self.up(self.norm(x))))


class Language(nn.Module):
    """Embedding, blocks, and a head that shares the embedding's weight."""

    def __init__(self, blocks: int) -> None:
        super().__init__()
        self.embed = nn.Embedding(7, 4)
        self.h = nn.ModuleList(Block(4) for _ in range(blocks))
        self.head = nn.Linear(4, 7, bias=False)
        self.head.weight = self.embed.weight

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.embed(tokens)
        for block in self.h:
            x = block(x)
        return self.head(x)


def test_equal_blocks_are_one_card_and_tied_weights_stay_in_sight() -> None:
    model = Language(12)
    graph = trace(lambda: model(torch.arange(5)).square().mean())
    folded = fold(graph)
    sound(graph, folded)
    assert "Block × 12" in ops(folded)
    (weight,) = (node for node in folded.nodes if node.kind == "leaf" and "embed.weight" in node.names)
    assert len(users(folded, weight.id)) == 2
    steps = {step.node: step for step in graph.passes[0].steps}
    after = {step.node: step for step in folded.passes[0].steps}
    (accumulator,) = (e.src for e in folded.select("gradient") if e.dst == weight.id)
    assert after[accumulator] == steps[accumulator]


def test_what_enters_equal_blocks_is_what_the_next_operation_sends() -> None:
    model = Language(12)
    graph = trace(lambda: model(torch.arange(5)).square().mean())
    folded = fold(graph)
    card = next(node for node in folded.nodes if node.op == "Block × 12")
    step = next(step for step in folded.passes[0].steps if step.node == card.id)
    last = max((n for n in graph.nodes if n.group == "h.11"), key=lambda n: int(n.id[1:]))
    assert step.received == next(s for s in graph.passes[0].steps if s.node == last.id).received
    assert card.values[0] == last.value


def test_a_first_block_that_differs_stays_apart() -> None:
    net = nn.Sequential(*(Block(4, wide=i == 0) for i in range(6)))
    graph = trace(lambda: net(torch.ones(2, 4)).sum())
    folded = fold(graph)
    sound(graph, folded)
    assert ops(folded) == ["Block", "Block × 5"]


def test_depth_counts_modules_that_are_called() -> None:
    model = Language(2)
    graph = trace(lambda: model(torch.arange(5)).square().mean())
    assert "Block × 2" in ops(fold(graph, depth=1))
    deeper = fold(graph, depth=2)
    assert "Linear" in ops(deeper)
    assert "Block × 2" not in ops(deeper)
    sound(graph, deeper)


def test_blocks_with_something_between_them_stay_apart() -> None:
    blocks = nn.ModuleList(Block(4) for _ in range(3))

    def loss() -> Tensor:
        x = torch.ones(2, 4)
        for block in blocks:
            x = block(x).tanh()
        return x.sum()

    graph = trace(loss)
    folded = fold(graph, depth=1)
    assert ops(folded) == ["Block", "Block", "Block"]
    sound(graph, folded)


def test_a_module_used_twice_is_two_cards_that_share_its_weights() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a = nn.Sequential(nn.Linear(4, 4), nn.Tanh())
            self.b = nn.Sequential(nn.Linear(4, 4), nn.ReLU())

        def forward(self, x: Tensor) -> Tensor:
            return self.a(self.b(self.a(x)))

    net = Twice()
    graph = trace(lambda: net(torch.ones(2, 4)).sum())
    folded = fold(graph, depth=1)
    sound(graph, folded)
    cards = [node for node in folded.nodes if node.kind == "group"]
    assert [(card.group, card.notes[0]) for card in cards] == [
        ("a", "call 1 of 2"),
        ("b", "(2, 4) → (2, 4)"),
        ("a", "call 2 of 2"),
    ]
    weight = next(node.id for node in folded.nodes if node.name == "a.0.weight")
    assert users(folded, weight) == [cards[0].id, cards[2].id]


@pytest.mark.parametrize("kind", [nn.GRU, nn.RNN, nn.LSTM])
def test_the_card_of_a_module_counts_parameters_that_several_of_its_operations_use(
    kind: type[nn.RNNBase],
) -> None:
    layers = nn.ModuleDict({"seen": kind(2, 3), "read": nn.Linear(3, 1)})
    graph = trace(lambda: layers["read"](layers["seen"](torch.ones(4, 1, 2))[0]).sum())
    folded = fold(graph, depth=1)
    sound(graph, folded)
    card = next(node for node in folded.nodes if node.group == "seen")
    assert card.inside is not None
    assert card.inside.elements == sum(item.numel() for item in layers["seen"].parameters())
    assert [node.name for node in folded.nodes if node.kind == "leaf"] == []


def test_a_module_of_one_operation_is_a_card_too() -> None:
    net = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 4))
    folded = fold(trace(lambda: net(torch.ones(2, 4)).sum()), depth=2)
    assert ops(folded) == ["Linear(4→4)", "Tanh", "Linear(4→4)"]
    assert [node.op for node in folded.nodes if node.kind == "operation"] == ["net(torch.ones(2, 4)).sum()"]


def test_a_detach_inside_a_module_does_not_tear_it_apart() -> None:
    class Stopped(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lin = nn.Linear(4, 4)

        def forward(self, x: Tensor) -> Tensor:
            y = self.lin(x)
            return y.tanh() * y.sin().detach()

    net = nn.Sequential(Stopped(), Stopped())
    graph = trace(lambda: net(torch.ones(2, 4)).sum())
    folded = fold(graph, depth=1)
    sound(graph, folded)
    assert ops(folded) == ["Stopped × 2"]


def test_a_recurrent_cell_written_by_hand_is_one_card_with_its_weights_beside_it() -> None:
    w, u, b = (torch.randn(*shape, requires_grad=True) for shape in ((3, 16), (4, 16), (16,)))

    def cell(x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        i, f, g, o = (x @ w + h @ u + b).chunk(4, 1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        return o.sigmoid() * c.tanh(), c

    def loss() -> Tensor:
        h = c = torch.zeros(2, 4)
        for _ in range(100):
            h, c = cell(torch.ones(2, 3), h, c)
        return h.square().mean()

    graph = trace(loss)
    folded = fold(graph)
    sound(graph, folded)
    (card,) = (node for node in folded.nodes if node.kind == "group" and node.folded)
    assert card.op == "cell × 100"
    assert card.names == ("h", "c"), "what it hands on from call to call is on its border"
    assert {node.name for node in folded.nodes if node.kind == "leaf"} == {"w", "u", "b"}
    step = next(step for step in folded.passes[0].steps if step.node == card.id)
    leaf_steps = {s.node: s for s in folded.passes[0].steps}
    edges = [e for e in folded.select("gradient") if e.src == card.id]
    assert {short(e.rule) for e in edges} == {"Σ of 100 gradients"}
    for edge in edges:
        total, arrived = step.sent[edge.slot[0]], leaf_steps[edge.dst].received[0]
        assert total is not None
        assert arrived is not None
        assert total.first == pytest.approx(arrived.first, rel=1e-4, abs=1e-6)


def test_what_a_card_holds_is_numbers_and_what_is_folded_is_told_once() -> None:
    twice = fold(fold(chain(300)), limit=1)
    (card,) = (node for node in twice.nodes if node.kind == "group")
    assert card.attributes == ()
    assert card.inside == Totals(leaves=1)
    assert twice.meta.folding == "300 of 300 operations are folded into 1 card"
    noted = replace(chain(300), meta=Meta(notes=("3 of 4 operations are folded into 1 card",)))
    assert fold(noted).meta.notes == noted.meta.notes  # a note that reads like ours is no remark of ours


def test_of_thousands_of_modules_inside_each_other_a_few_levels_are_told_apart() -> None:
    path = ".".join("a" * 5000)
    nodes = tuple(Node(f"n{i}", "operation", slots=1, group=path[: 9999 - 2 * i]) for i in range(60))
    deep = Graph(nodes, tuple(Edge(f"n{i}", f"n{i + 1}", "forward") for i in range(59)))
    assert Modules(deep, flow(deep)).deepest == MOST_LEVELS
    assert len(paths_around(path)) <= 4 * MOST_LEVELS
    assert visible(fold(deep)) <= SCREEN
    assert {node.id for node in focus(deep, path).nodes} == {"n0", "n1"}


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm, self.up, self.down = nn.LayerNorm(4), nn.Linear(4, 8), nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.down(torch.relu(self.up(self.norm(x))))


class Stack(nn.Module):
    """Does something of its own before its blocks, and something after them."""

    def __init__(self) -> None:
        super().__init__()
        self.h = nn.ModuleList(Residual() for _ in range(9))

    def forward(self, x: Tensor) -> Tensor:
        x = (x + 1) * 2
        for block in self.h:
            x = block(x)
        return torch.exp(x).view(-1)


class Headed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stack, self.head = Stack(), nn.Linear(4, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.stack(x).view(-1, 4)).sum()


@pytest.mark.parametrize("depth", [None, 2])
def test_blocks_fold_where_the_model_around_them_works_before_and_after_them(depth: int | None) -> None:
    net, x = Headed(), torch.ones(2, 4, requires_grad=True)
    folded = fold(trace(lambda: net(x)), depth)
    validate(folded)
    titles = [node.op for node in folded.nodes if node.group.startswith("stack")]
    assert titles == ["Stack", "Residual × 9", "Stack"]


def test_more_is_folded_around_an_open_block_where_room_is_short() -> None:
    net, x = Headed(), torch.ones(2, 4, requires_grad=True)
    whole = trace(lambda: net(x))
    ((_, roomy),) = chosen_views(Trace(whole), Settings(views=("graph",), open=("stack.h.4",)))
    on_slide = Settings(views=("graph",), open=("stack.h.4",), room=room_for("16:9"))
    ((_, brief),) = chosen_views(Trace(whole), on_slide)
    assert isinstance(roomy, Scene)
    assert isinstance(brief, Scene)
    (frame,) = brief.frames
    assert frame.title == "stack.h.4  Residual"
    assert len(frame.cards) > 2
    assert len(brief.cards) < len(roomy.cards)
