"""Two graphs side by side: what is added, gone or changed, for any two graphs."""

from __future__ import annotations

import random
from collections import Counter

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from torch import Tensor, nn

from autograd_tour import trace
from autograd_tour.formats.base import Settings
from autograd_tour.formats.comparison import files_of_diff
from autograd_tour.lessons.thermometer import thermometer
from autograd_tour.record.codec import dumps, loads
from autograd_tour.record.facts import TensorFacts
from autograd_tour.record.graph import BackwardPass, Edge, Graph, Step
from autograd_tour.record.node import Change, Node
from autograd_tour.reports.diff import diff_report
from autograd_tour.views.diff import diff, differs, tell
from autograd_tour.views.fold import SCREEN, visible
from tests.examples import examples
from tests.pictures import scene_of


def by_state(graph: Graph) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for node in graph.nodes:
        if node.kind != "accumulate":
            found.setdefault(node.state, []).append(node.name or node.op)
    return found


def changes(graph: Graph, name: str) -> dict[str, tuple[str, str]]:
    (node,) = (node for node in graph.nodes if name in (node.name, node.op))
    return {change.what: (change.before, change.after) for change in node.changes}


T_U, T_C = torch.tensor([35.7, 55.9]), torch.tensor([0.5, 14.0])


def attached() -> Tensor:
    w, b = torch.tensor(1.0, requires_grad=True), torch.tensor(0.0, requires_grad=True)
    scaled = w * T_U
    guess = scaled + b
    loss = ((guess - T_C) ** 2).mean()
    return loss  # noqa: RET504 - the name is what is looked for


def detached() -> Tensor:
    w, b = torch.tensor(1.0, requires_grad=True), torch.tensor(0.0, requires_grad=True)
    scaled = w * T_U
    guess = scaled.detach() + b
    loss = ((guess - T_C) ** 2).mean()
    return loss  # noqa: RET504 - the name is what is looked for


def fixed() -> Tensor:
    w, b = torch.tensor(1.0, requires_grad=True), torch.tensor(0.0, requires_grad=True)
    scaled = w * (0.1 * T_U)
    guess = scaled + b
    loss = ((guess - T_C) ** 2).mean()
    return loss  # noqa: RET504 - the name is what is looked for


def test_with_and_without_detach() -> None:
    compared = diff(trace(attached), trace(detached))
    states = by_state(compared)
    assert {"w", "scaled"} <= set(states["gone"])
    assert {"b", "loss"} <= set(states["same"])
    back = diff(trace(detached), trace(attached))
    assert {"w", "scaled"} <= set(by_state(back)["added"])
    assert "w" in diff_report(compared, "a", "b")


def test_before_and_after_a_fix_the_numbers_differ_and_the_structure_does_not() -> None:
    compared = diff(trace(attached), trace(fixed))
    states = by_state(compared)
    assert set(states) == {"same", "changed"}
    assert "w" in states["changed"]
    assert set(changes(compared, "w")) == {".grad"}
    assert changes(compared, "loss")["value"] == ("1497.33", "40.0765")
    assert all(edge.state in ("same", "changed") for edge in compared.edges)


def test_a_leaf_that_no_gradient_reaches_any_more() -> None:
    facts = TensorFacts((), "float32", first=(4517.3,))
    nodes = (
        Node("l", "leaf", names=("w",)),
        Node("a", "accumulate"),
        Node("m", "operation", op="m", grad_fn="MulBackward0"),
    )
    edges = (Edge("l", "m", "forward"), Edge("m", "a", "gradient"), Edge("a", "l", "gradient"))
    steps = (Step("m", (facts,), (facts,)), Step("a", (facts,), after=facts))
    before = Graph(nodes, edges, passes=(BackwardPass(steps),), outputs=(("m", 0),))
    after = replace(
        before, passes=(BackwardPass((Step("x", (facts,)),)),), nodes=(*nodes, Node("x", "operation", op="x"))
    )
    compared = diff(before, after)
    assert changes(compared, "w") == {".grad": ("4517.3", "None")}
    assert changes(compared, "m") == {"gradient": ("4517.3", "none arrives any more")}
    assert changes(diff(after, before), "m") == {"gradient": ("none arrived", "4517.3")}


def test_an_operation_that_became_another_is_changed_where_it_stands() -> None:
    x = torch.ones(3, requires_grad=True)
    compared = diff(trace(lambda: (x * 2).relu().sum()), trace(lambda: (x * 2).sigmoid().sum()))
    assert set(by_state(compared)) == {"changed"}
    (node,) = (node for node in compared.nodes if node.grad_fn == "SigmoidBackward0")
    assert node.changes[0] == Change("structure", "operation", "ReluBackward0", "SigmoidBackward0")


def test_a_change_says_of_what_kind_it_is_whatever_its_words() -> None:
    """An attribute of an operation may be called ``value``, and is no value of a tensor."""
    a, b = (
        Graph((Node("n0", "operation", grad_fn="F", attributes=(("value", text),)),)) for text in ("1", "2")
    )
    (change,) = diff(a, b).nodes[0].changes
    assert change == Change("structure", "value", "1", "2")
    assert "Structure" in diff_report(diff(a, b), "a", "b")


def test_an_operation_put_in_the_middle_is_the_only_one_added() -> None:
    def chain(extra: bool) -> Tensor:
        y = torch.ones((), requires_grad=True)
        for i in range(20):
            y = y.sin() if i % 2 else y.cos()
            if extra and i == 9:
                y = y.exp()
        return y

    graph = diff(trace(lambda: chain(False)), trace(lambda: chain(True)))
    assert [node.grad_fn for node in graph.nodes if node.state == "added"] == ["ExpBackward0"]
    assert "gone" not in by_state(graph)
    assert Counter(e.state for e in graph.edges if e.kind == "forward") == {"same": 20, "added": 2, "gone": 1}


def test_an_equal_graph_has_nothing_to_tell() -> None:
    compared = diff(trace(attached), trace(attached))
    assert not differs(compared)
    assert "Nothing differs." in diff_report(compared, "a", "b")
    assert all(node.changes == () for node in compared.nodes)


def test_an_accumulator_whose_leaf_is_gone_has_no_card_and_no_link() -> None:
    graph = trace(thermometer)
    part = graph.only({node.id for node in graph.nodes} - {graph.nodes[0].id})
    files, _ = files_of_diff(("a", "b"), part, graph, Settings(formats=("svg",)))
    assert all(files.values())


def test_empty_graphs() -> None:
    graph = trace(attached)
    assert diff(Graph(), Graph()).nodes == ()
    assert not differs(diff(Graph(), Graph()))
    assert set(by_state(diff(Graph(), graph))) == {"added"}
    assert set(by_state(diff(graph, Graph()))) == {"gone"}
    assert scene_of(diff(Graph(), Graph())).cards == ()


@st.composite
def random_graph(draw: st.DrawFn) -> Graph:
    nodes: list[Node] = []
    edges: list[Edge] = []
    for i in range(draw(st.integers(0, 14))):
        kind = draw(st.sampled_from(("leaf", "constant", "operation", "operation")))
        name = draw(st.sampled_from(("", "", "x", "y")))
        value = TensorFacts((), "float32", first=(float(draw(st.integers(0, 2))),))
        grad_fn = draw(st.sampled_from("AB")) if kind == "operation" else ""
        if kind == "operation" and nodes:
            makers = draw(
                st.lists(st.sampled_from([n.id for n in nodes if n.kind != "accumulate"]), max_size=3)
            )
            edges += [Edge(maker, f"n{i}", "forward", (0, slot)) for slot, maker in enumerate(makers)]
        nodes.append(Node(f"n{i}", kind, grad_fn=grad_fn, names=(name,), values=(value,)))  # type: ignore[arg-type]
        if kind == "leaf":
            nodes.append(Node(f"a{i}", "accumulate"))
            edges += [Edge(f"n{i}", f"a{i}", "forward"), Edge(f"a{i}", f"n{i}", "gradient")]
    return Graph(tuple(nodes), tuple(edges))


def plain(node: Node) -> Node:
    return replace(node, id="", state="", changes=())


@given(random_graph(), random_graph())
@settings(max_examples=examples(300), deadline=None)
def test_both_graphs_can_be_read_off_the_comparison(a: Graph, b: Graph) -> None:
    compared = diff(a, b)
    assert len(compared.by_id()) == len(compared.nodes)
    now = [node for node in compared.nodes if node.state != "gone"]
    was = [node for node in compared.nodes if node.state != "added"]
    assert Counter(node.id for node in now) == Counter(node.id for node in b.nodes)
    assert len(was) == len(a.nodes)
    gone = Counter(plain(node) for node in compared.nodes if node.state == "gone")
    assert gone <= Counter(plain(node) for node in a.nodes)
    assert Counter((e.src, e.dst, e.kind, e.slot) for e in compared.edges if e.state != "gone") == Counter(
        (e.src, e.dst, e.kind, e.slot) for e in b.edges
    )
    assert sum(e.state != "added" for e in compared.edges) == len(a.edges)
    known = compared.by_id()
    for edge in compared.edges:
        assert edge.src in known
        assert edge.dst in known
        if edge.state == "same":
            assert "added" not in (known[edge.src].state, known[edge.dst].state)
    assert diff(a, b) == compared, "the same answer every time"
    assert loads(dumps(compared)).graph == compared


@given(random_graph())
@settings(max_examples=examples(200), deadline=None)
def test_a_graph_compared_with_itself_is_the_same_under_any_ids(graph: Graph) -> None:
    assert not differs(diff(graph, graph))
    moved = replace(
        graph,
        nodes=tuple(replace(node, id=f"z{node.id}") for node in graph.nodes),
        edges=tuple(replace(e, src=f"z{e.src}", dst=f"z{e.dst}") for e in graph.edges),
    )
    assert not differs(diff(graph, moved))


@given(random_graph(), random_graph())
@settings(max_examples=examples(100), deadline=None)
def test_every_card_and_no_other_is_drawn(a: Graph, b: Graph) -> None:
    compared = diff(a, b)
    scene = scene_of(compared)
    cards = {card.id: card for card in scene.cards}
    assert set(cards) == {node.id for node in compared.nodes if node.kind != "accumulate"}
    marks = {"added": "+", "gone": "−", "changed": "≠"}
    emphasis = {"added": "strong", "gone": "faint"}
    for node in compared.nodes:
        if node.kind != "accumulate":
            text = "".join(run.text for run in cards[node.id].rows[0].left)
            assert text.startswith(marks[node.state]) if node.state in marks else text[0] not in "+−≠"
            assert cards[node.id].emphasis == emphasis.get(node.state, "")


def test_thousands_of_nodes_with_one_taken_out() -> None:
    pick = random.Random(3)
    nodes = [Node("n0", "leaf", names=("x",))]
    edges = []
    for i in range(1, 5_000):
        nodes.append(Node(f"n{i}", "operation", grad_fn=f"F{pick.randrange(5)}"))
        edges += [
            Edge(f"n{j}", f"n{i}", "forward", (0, k))
            for k, j in enumerate({i - 1, pick.randrange(max(0, i - 50), i)})
        ]
    a = Graph(tuple(nodes), tuple(edges), outputs=(("n4999", 0),))
    b = replace(
        a,
        nodes=tuple(n for n in nodes if n.id != "n2500"),
        edges=tuple(e for e in edges if "n2500" not in (e.src, e.dst)),
    )
    compared = diff(a, b)
    states = Counter(node.state for node in compared.nodes)
    assert states["gone"] == 1
    assert states["added"] == 0


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lin = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.lin(x).tanh()


def test_large_graphs_are_folded_in_the_picture_and_whole_in_the_table() -> None:
    net = nn.Sequential(*(Block() for _ in range(30)))
    x = torch.ones(2, 4)
    a, b = trace(lambda: net(x).sum()), trace(lambda: net(x).square().sum())
    files, whole = files_of_diff(("a", "b"), a, b, Settings())
    assert list(files) == ["a-vs-b-diff.svg", "a-vs-b-diff.txt"]
    assert visible(whole) > SCREEN
    assert files["a-vs-b-diff.svg"].count('class="node') <= SCREEN
    assert "Block × 30" in files["a-vs-b-diff.svg"]
    assert "PowBackward0" in files["a-vs-b-diff.txt"]


@pytest.mark.parametrize(
    ("facts", "text"),
    [
        (None, "None"),
        (TensorFacts((), "float32", first=(2.5,)), "2.5"),
        (TensorFacts((2,), "float32", first=("nan", 1.0)), "nan, 1"),
        (TensorFacts((9,), "float32", first=(1.0, 2.0), last=3.0), "1 … 3"),
        (TensorFacts((4, 2), "float32"), "(4, 2)"),
        (TensorFacts((), "float32"), "not known"),
    ],
)
def test_a_tensor_in_a_few_words(facts: TensorFacts | None, text: str) -> None:
    assert tell(facts) == text


def test_a_tensor_of_another_shape_or_type_says_so() -> None:
    def graph(facts: TensorFacts) -> Graph:
        return Graph((Node("n", "leaf", names=("w",), values=(facts,)),))

    wide = graph(TensorFacts((2,), "float64", first=(1.0, 2.0)))
    compared = diff(graph(TensorFacts((), "float32", first=(1.0,))), wide)
    assert changes(compared, "w") == {"value": ("scalar float32 1", "(2) float64 1, 2")}
