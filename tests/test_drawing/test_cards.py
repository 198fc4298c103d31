"""What stands on the cards of the main picture."""

from __future__ import annotations

import re
import sys
from contextlib import nullcontext

import pytest
import torch
from graphviz.quoting import escape, quote
from msgspec.structs import replace

import autograd_tour as tour
from autograd_tour.drawing.dot import _text, readable_dot
from autograd_tour.lessons.thermometer import thermometer, thermometer_params
from autograd_tour.record.facts import Stats, TensorFacts
from autograd_tour.record.graph import Edge, Graph
from autograd_tour.record.node import Node, Saved
from autograd_tour.views.picture import Card, Label, Link, Row, Run, Scene
from tests.pictures import scene_of


def cards(program, **options):
    """Title -> the lines of the card."""
    graph = program if isinstance(program, Graph) else tour.trace(program, **options)
    return {card.title: [line(row) for row in card.rows] for card in scene_of(graph).cards}


def line(row):
    return "".join(run.text for run in (*row.left, *row.right))


def leaf(value):
    return torch.tensor(value, requires_grad=True)


def test_the_thermometer():
    drawn = cards(thermometer)
    falls = "loss falls if {} falls a little"
    assert drawn["leaf w"] == ["wleaf", "1", ".grad  None + 4517.3 = 4517.3", falls.format("w")]
    assert drawn["leaf b"] == ["bleaf", "0", ".grad  None + 82.6 = 82.6", falls.format("b")]
    assert drawn["constant t_u"][0] == "t_uconstant"
    mean = drawn["squared_diffs.mean() (MeanBackward0)"]
    assert mean[0] == "squared_diffs.mean()MeanBackward0"
    assert mean[1].startswith("thermometer.py:")
    assert mean[-2:] == ["loss = 1763.88", "∂loss/∂loss = 1"]
    assert drawn["w * t_u (MulBackward0)"][3] == "saved  t_u"


def test_a_node_with_two_outputs_shows_both_and_both_gradients():
    unbind = next(rows for title, rows in cards(thermometer_params).items() if "Unbind" in title)
    assert "w = 1" in unbind
    assert "b = 0" in unbind
    assert unbind[-2:] == ["∂loss/∂w = 4517.3", "∂loss/∂b = 82.6"]


def test_an_empty_mailbox_is_none_and_a_zero_is_a_zero():
    w, v, u = leaf(2.0), leaf(3.0), leaf(4.0)
    v.grad = torch.tensor(0.0)
    drawn = cards((w * 0 + v) * (u > 9).float(), names={"w": w, "v": v})
    assert drawn["leaf w"][-1] == ".grad  None + 0 = 0"
    assert drawn["leaf v"][-1] == ".grad  0 + 0 = 0"


def test_what_was_not_recorded_or_not_reached_is_said_to_be_so():
    w = leaf(2.0)
    assert cards(w * w, backward=False, names={"w": w})["leaf w"][-1] == ".grad  not recorded"
    graph = tour.trace(thermometer)
    lost = replace(graph, passes=(replace(graph.passes[0], steps=graph.passes[0].steps[:1]),))
    assert cards(lost)["leaf w"][-1] == ".grad  not reached"
    assert cards(lost)["w * t_u (MulBackward0)"][-1] == "grad  not reached"


def test_a_freed_saved_tensor_is_hatched_and_one_modified_is_marked():
    loss = thermometer()
    loss.backward()
    scene = scene_of(tour.trace(loss, backward=False))
    freed = [row for card in scene.cards for row in card.rows if row.mark == "hatched"]
    assert freed
    assert all(line(row).endswith("freed") for row in freed)
    odd = Node(
        "n0", "operation", op="op", saved=(Saved("self", state="modified"), Saved("other", state="hooked"))
    )
    assert cards(Graph((odd,)))["op ()"][1:] == [
        "saved  tensor  ✕ modified in place",
        "saved  tensor  behind a hook",
    ]


def test_a_detached_tensor_has_scissors():
    def program():
        h = leaf([1.0, 2.0]) * 2
        return (h * h.detach()).sum()

    scene = scene_of(tour.trace(program))
    (cut,) = [card for card in scene.cards if card.rows[0].mark == "cut"]
    assert line(cut.rows[0]).endswith("cut")


def test_nan_and_infinity_are_called_out():
    facts = TensorFacts((3,), "float32", first=("nan", 1.0, "inf"), last="inf", stats=Stats(nan=1, inf=1))
    assert cards(Graph((Node("n0", "operation", op="op", values=(facts,)),)))["op ()"][-1] == (
        "(3) nan, 1, inf  1 of 3 is NaN, 1 of 3 is inf, begins here"
    )


def test_long_lists_end_in_how_many_more():
    facts = TensorFacts((), "float32", first=(1.0,))
    node = Node(
        "n0", "operation", op="op", values=(facts,) * 9, saved=tuple(Saved(f"s{i}") for i in range(7))
    )
    rows = cards(Graph((node,)))["op ()"]
    assert "… 6 more outputs" in rows
    assert "saved  … 4 more" in rows


def test_forward_is_blue_and_backward_orange_and_runs_the_other_way():
    graph = tour.trace(thermometer)
    links = scene_of(graph).links
    kinds = {node.id: node.kind for node in graph.nodes}
    assert {link.flow for link in links} == {"forward", "backward", "constant"}
    for link in links:
        assert link.reverse == (link.flow == "backward")
        assert (link.flow == "constant") == (kinds[link.src] == "constant")
    ends = {(link.src, link.dst) for link in links if link.flow == "forward"}
    assert {(link.dst, link.src) for link in links if link.flow == "backward"} == ends
    numbers = [link.label.step for link in links if link.flow == "backward"]
    assert sorted(set(numbers)) == [1, 2, 3, 4, 6]


def test_an_accumulator_without_its_leaf_is_drawn_too():
    lone = Graph(
        (Node("n0", "operation", op="op"), Node("n1", "accumulate", grad_fn="AccumulateGrad")),
        (Edge("n0", "n1", "gradient"),),
    )
    scene = scene_of(lone)
    assert [card.id for card in scene.cards] == ["n0", "n1"]
    assert len(scene.links) == 1


@pytest.mark.parametrize("direction", ["LR", "TB"])
def test_dot_for_people_has_the_text_of_the_picture(direction):
    scene = scene_of(tour.trace(thermometer), direction)
    text = readable_dot(scene)
    assert f"rankdir={direction}" in text
    for card in scene.cards:
        for row in card.rows:
            for run in (*row.left, *row.right):
                assert run.text.strip() in text
    assert text.count(" -> ") == len(scene.links)
    assert text.count("dir=back") == sum(link.reverse for link in scene.links)
    assert "4a  × 1" in text


IDS = {
    **{name: name for name in ("n7", "N7", "graph1", "x2y3")},
    **{
        name: f'"{name}"'
        for name in ("node", "n", "Graph", "7n", "7", "é1", "n²", "n٣", "a b1", "n_7", "-1", "n1.2")
    },
    "": '""',
    "n7\n": '"n7\\n"',
    'n"7': '"n\\"7"',
}
"""Ids of cards, and how they are written in DOT."""


def linked(*ids: str, flow: str = "forward") -> Scene:
    """Cards, each with a link to the first."""
    cards = tuple(Card(name, "box", (Row((Run("text"),)),)) for name in ids)
    return Scene(cards, tuple(Link(f"l{i}", name, ids[0], flow, Label()) for i, name in enumerate(ids)))


@pytest.mark.parametrize("others", [(), ("m1",), ("m1", "node 2")])
@pytest.mark.parametrize("name", IDS)
def test_what_may_be_a_word_of_dot_or_is_no_name_in_it_is_quoted(name, others):
    text = readable_dot(linked(name, *others))
    for other in (name, *others):
        written = {"m1": "m1", "node 2": '"node 2"'}.get(other, IDS.get(other))
        assert text.count(f"\n  {written} [label=") == 1
        assert text.count(f"\n  {written} -> {IDS[name]} [") == 1


TEXTS = ("plain", "two words", "node", "7", "<b>x</b>", "x → y", 'a "b"', "a\\b", 'a\\"b', "\\", '"', "\\N")


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_is_quoted_as_graphviz_does_which_is_loaded_only_for_one_with_signs_of_dot(text, monkeypatch):
    quoted = quote(escape(text))
    quoted = quoted if quoted.startswith('"') else f'"{quoted}"'
    assert _text.__wrapped__(text) == quoted
    monkeypatch.setitem(sys.modules, "graphviz.quoting", None)
    with pytest.raises(ImportError) if {'"', "\\"} & set(text) else nullcontext():
        assert _text.__wrapped__(text) == quoted


@pytest.mark.parametrize(("src", "dst"), [("a1", "b1"), ("b1", "a1"), ("a1", 'b" -> "c')])
def test_a_link_to_no_card_is_not_written(src, dst):
    scene = linked("a1")
    lost = Link("lost", src, dst, "forward", Label())
    with pytest.raises(KeyError):
        readable_dot(replace(scene, links=(*scene.links, lost)))


def test_dot_has_the_look_of_each_card_and_turns_a_link_against_the_direction():
    rows = (Row((Run("left"),), right=(Run("right"),)), Row((Run("below"),)))
    cards = tuple(
        Card(name, shape, rows) for name, shape in (("a1", "leaf"), ("b1", "operation"), ("c1", "box"))
    )
    text, step, both = (Label((Run("× 2"),)), Label((), 3), Label((Run("× 2"),), 3, "a"))
    links = (
        Link("l1", "a1", "b1", "forward", Label()),
        Link("l2", "a1", "c1", "constant", text),
        Link("l3", "c1", "a1", "backward", Label(), reverse=True),
        Link("l4", "b1", "a1", "backward", both, reverse=True),
        Link("l5", "c1", "b1", "ungraded", step),
    )
    lines = readable_dot(Scene(cards, links, "title")).split("\n")
    label = 'label="left   right\\lbelow\\l"'
    assert lines[:4] == [
        "digraph autograd {",
        '  graph [rankdir=LR label="title" fontname=Arial]',
        "  node [shape=box fontname=Arial fontsize=11]",
        "  edge [fontname=Arial fontsize=10]",
    ]
    assert [line.split(" fillcolor")[0] for line in lines[4:7]] == [
        f'  a1 [{label} style="filled,bold"',
        f'  b1 [{label} style="rounded"',
        f'  c1 [{label} style="filled"',
    ]
    assert [(line.split(" [")[0], re.sub(r'.*fontcolor="[^"]*"', "", line)) for line in lines[7:-2]] == [
        ("  a1 -> b1", "]"),
        ("  a1 -> c1", ' label="× 2"]'),
        ("  a1 -> c1", " dir=back]"),
        ("  a1 -> b1", ' dir=back label="3a  × 2"]'),
        ("  c1 -> b1", ' label="3  "]'),
    ]
    assert lines[-2:] == ["}", ""]
