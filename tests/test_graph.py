"""The record: plain, frozen, comparable."""

from __future__ import annotations

import copy
import pickle

import pytest
from msgspec.structs import astuple, replace

import autograd_tour as tour
from autograd_tour.errors import GraphError
from autograd_tour.lessons.thermometer import thermometer
from autograd_tour.record.facts import TensorFacts
from autograd_tour.record.graph import BackwardPass, Edge, Graph, Step
from autograd_tour.record.ledger import POLICIES, Call, LeafAccount
from autograd_tour.record.node import Node
from autograd_tour.record.validate import validate


@pytest.fixture(scope="module")
def graph():
    return tour.trace(thermometer)


def test_two_traces_of_one_program_are_equal(graph):
    assert tour.trace(thermometer) == graph
    assert tour.trace(thermometer, keep=2) != graph


def test_a_graph_can_be_hashed_copied_and_pickled(graph):
    assert hash(graph) == hash(tour.trace(thermometer))
    assert copy.deepcopy(graph) == graph
    assert pickle.loads(pickle.dumps(graph)) == graph


@pytest.mark.parametrize("part", ["nodes", "edges", "passes", "meta"])
def test_a_graph_cannot_be_changed(graph, part):
    with pytest.raises(AttributeError):
        setattr(graph, part, ())
    with pytest.raises(AttributeError):
        graph.nodes[0].op = "other"


def test_everything_repeated_is_a_tuple(graph):
    def lists(thing):
        if isinstance(thing, (list, dict, set)):
            return True
        parts = (
            thing
            if isinstance(thing, tuple)
            else [getattr(thing, f) for f in getattr(thing, "__struct_fields__", ())]
        )
        return any(map(lists, parts))

    assert not lists(graph)
    assert lists(Graph([1]))


def test_nodes_come_after_what_they_use(graph):
    places = {node.id: i for i, node in enumerate(graph.nodes)}
    assert all(places[edge.src] < places[edge.dst] for edge in graph.select("forward"))
    # Towards a leaf's own card the two ids may stand in either order.
    others = [e for e in graph.select("gradient") if graph.by_id()[e.dst].kind != "leaf"]
    assert all(places[edge.src] > places[edge.dst] for edge in others)
    assert [node.id for node in graph.nodes] == [f"n{i}" for i in range(len(graph.nodes))]


def test_edges_are_selected_by_kind_in_their_order(graph):
    edges = (Edge("a", "b", "forward"), Edge("b", "a", "gradient"), Edge("a", "b", "forward", (0, 1)))
    assert tuple(Graph(edges=edges).select("forward")) == edges[::2]
    assert list(Graph(edges=edges).select("saved")) == []
    assert len(list(graph.select("forward"))) + len(list(graph.select("gradient"))) == len(graph.edges)


def test_steps_are_those_of_the_last_backward_counted_from_one():
    first, last = BackwardPass((Step("a"),)), BackwardPass((Step("b"), Step("c")))
    assert list(Graph(passes=(first, last)).numbered_steps()) == [(1, Step("b")), (2, Step("c"))]
    assert list(Graph().numbered_steps()) == []


def test_a_leaf_and_its_accumulator_know_each_other_and_share_a_card(graph):
    assert (graph.leaf_of("n1"), graph.accumulator_of("n0")) == ("n0", "n1")
    assert (graph.card_of("n1"), graph.card_of("n0"), graph.card_of("n3")) == ("n0", "n0", "n3")
    assert graph.leaf_of("n3") == graph.accumulator_of("n3") == graph.leaf_of("nowhere") == ""
    alone = graph.only({"n1", "n3"})
    assert alone.leaf_of("n1") == ""


def test_a_card_has_one_title_and_a_result_one_name_everywhere(graph):
    assert [graph.title(node) for node in ("n0", "n1", "n2", "n3")] == ["w", "w", "t_u", "w * t_u"]
    assert [graph.result_name(node) for node in ("n1", "n3", "n6", "n10")] == ["w", "w * t_u", "t_p", "loss"]
    nodes = (
        Node("a", "leaf"),
        Node("b", "constant", "detached"),
        Node("c", "operation", grad_fn="SinBackward0"),
        Node("d", "operation", op="unbind", values=(None, None), names=("", "second")),
        Node("e", "accumulate", grad_fn="AccumulateGrad"),
        Node("f", "group", op="Linear"),
    )
    bare = Graph(nodes)
    titles = ["leaf", "detached", "SinBackward0", "unbind", "AccumulateGrad", "Linear"]
    assert [bare.title(node.id) for node in nodes] == titles
    assert [bare.result_name("d", slot) for slot in (0, 1)] == ["unbind[0]", "second"]


def test_a_step_is_known_by_its_node(graph):
    assert graph.step("n10") == (1, graph.passes[-1].steps[0])
    assert graph.step("n2") == (0, None)


def test_a_part_keeps_nothing_that_names_what_is_gone(graph):
    part = graph.only({"n3", "n6", "n8"})
    validate(part)
    assert [node.id for node in part.nodes] == ["n3", "n6", "n8"]
    assert {(edge.src, edge.dst) for edge in part.edges} == {
        ("n3", "n6"),
        ("n6", "n3"),
        ("n6", "n8"),
        ("n8", "n6"),
    }
    assert [step.node for step in part.passes[0].steps] == ["n8", "n6", "n3"]
    assert part.outputs == ()
    assert graph.only({node.id for node in graph.nodes}) == graph


def test_tables_are_made_once_and_are_no_part_of_the_graph(graph):
    again = tour.trace(thermometer)
    assert again.by_id() is again.by_id()
    assert again.leaves is again.leaves
    again.title("n0")
    again.step("n0")
    assert again == graph
    assert astuple(again) == astuple(graph)
    assert tour.dumps(again) == tour.dumps(graph)
    assert replace(again, nodes=()).by_id() == {}


TWO_LEAVES = (Node("a", "accumulate"), Node("b", "leaf"), Node("c", "leaf"))


@pytest.mark.parametrize(
    ("spoilt", "path"),
    [
        (
            Graph((Node("a", "accumulate"), Node("b", "accumulate")), (Edge("a", "b", "gradient"),)),
            "edges[0].kind",
        ),
        (
            Graph((Node("a", "constant"), Node("b", "operation", slots=1)), (Edge("b", "a", "gradient"),)),
            "edges[0].kind",
        ),
        (
            Graph((Node("a", "operation"), Node("b", "operation")), (Edge("b", "a", "gradient"),)),
            "edges[0].slot",
        ),
        (Graph((Node("a", "operation"), Node("b", "operation")), (Edge("b", "a", "forward"),)), "edges[0]"),
        (Graph(TWO_LEAVES, (Edge("a", "b", "gradient"), Edge("a", "c", "gradient"))), "edges[1].dst"),
        (Graph((Node("a", "operation", state="same"), Node("b", "operation"))), "nodes[1].state"),
        (
            Graph((Node("a", "operation"),), passes=(BackwardPass((Step("a"), Step("a"))),)),
            "passes[0].steps[1].node",
        ),
    ],
)
def test_what_no_graph_can_be_is_refused_with_its_path(spoilt, path):
    with pytest.raises(GraphError) as caught:
        validate(spoilt)
    assert caught.value.path == path
    assert path in str(caught.value)


def test_a_node_knows_its_first_name_and_value():
    facts = TensorFacts((2,), "float32")
    node = Node("n0", "operation", names=("", "second"), values=(facts, None))
    assert node.name == "second"
    assert node.value is facts
    assert Node("n0", "leaf").name == ""
    assert Node("n0", "leaf").value is None


@pytest.mark.parametrize(("shape", "count"), [((), 1), ((3,), 3), ((2, 3), 6), ((2, 0, 3), 0)])
def test_a_tensor_knows_how_many_elements_it_has(shape, count):
    facts = TensorFacts(shape, "float32")
    assert facts.numel == count
    assert facts.has_values == (count == 0)
    assert TensorFacts(shape, "float32", first=(1.0,)).has_values


def test_an_account_has_calls_for_every_policy():
    account = LeafAccount("w", keep=(Call(),), zero_=(Call(), Call()), none=())
    assert [len(account.under(policy)) for policy in POLICIES] == [1, 2, 0]
