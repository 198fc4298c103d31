"""Rows and parts by choice: what is asked for is there, what is not is gone, and what is left is true."""

from __future__ import annotations

import re

import pytest
import torch

import autograd_tour as tour
from autograd_tour.errors import UsageError
from autograd_tour.formats.base import Settings, chosen_views
from autograd_tour.lessons.thermometer import thermometer
from autograd_tour.record.graph import Graph
from autograd_tour.record.trace import Trace
from autograd_tour.record.validate import validate
from autograd_tour.rules.wording import short
from autograd_tour.views.homes import operations_in
from autograd_tour.views.joined import JOINED, without
from autograd_tour.views.look import look_for
from autograd_tour.views.picture import Chart, Film, Scene
from autograd_tour.views.sums import arrivals
from tests.programs import basics, hooks, models, operators


@pytest.fixture(scope="module")
def graph() -> Graph:
    return tour.trace(thermometer)


def looked(graph: Graph, view: str = "graph", **choices: object) -> Scene:
    settings = Settings(views=(view,), look=look_for(**choices))  # type: ignore[arg-type]
    ((_, picture),) = chosen_views(Trace(graph), settings)
    scene = picture.scene if isinstance(picture, Film) else picture
    assert isinstance(scene, Scene)
    return scene


def rows(scene: Scene, card: str) -> list[str]:
    """The texts of the rows below the title."""
    named = next(item for item in scene.cards if item.title.startswith(card))
    return ["".join(run.text for run in row.left) for row in named.rows[1:]]


def labels(scene: Scene) -> set[str]:
    return {"".join(run.text for run in link.label.runs) for link in scene.links}


@pytest.mark.parametrize(
    ("show", "expected"),
    [
        ("value", ["35.7, 55.9 … 68.4"]),
        ("shape", ["(11)"]),
        ("value,shape", ["(11) 35.7, 55.9 … 68.4"]),
        ("grad", ["∂loss/∂(w * t_u)  6.4, 7.618 … 8.618"]),
        ("grad,shape", ["(11)", "∂loss/∂(w * t_u)  (11) 6.4, 7.618 … 8.618"]),
        ("line", ["thermometer.py:32  return w * t_u + b"]),
        ("saved", ["saved  t_u"]),
        ("rule", []),
    ],
)
def test_only_the_rows_that_are_asked_for_are_there(graph, show, expected) -> None:
    scene = looked(graph, show=show)
    assert rows(scene, "w * t_u (") == expected
    assert ("× t_u, Σ over 11" in labels(scene)) == (show == "rule")
    assert {link.label.step for link in scene.links if link.flow == "backward"} == {1, 2, 3, 4, 6}


def test_a_leaf_has_its_grad_where_gradients_are_shown(graph) -> None:
    assert rows(looked(graph, show="grad"), "leaf w") == [".grad  None + 4517.3 = 4517.3"]
    assert rows(looked(graph, show="value"), "leaf w") == ["1"]


def test_one_way_alone(graph) -> None:
    forward, backward = looked(graph, only="forward"), looked(graph, only="backward")
    assert {link.flow for link in forward.links} == {"forward", "constant"}
    assert not any("grad" in row for row in rows(forward, "w * t_u (") + rows(forward, "leaf w"))
    assert {link.flow for link in backward.links} == {"backward"}
    assert rows(backward, "w * t_u (")[-1] == "∂loss/∂(w * t_u)  (11) 6.4, 7.618 … 8.618"
    assert "(11) 35.7, 55.9 … 68.4" not in rows(backward, "w * t_u (")
    assert not any(card.shape == "constant" for card in backward.cards)


def test_compact_leaves_out_lines_saved_tensors_and_remarks(graph) -> None:
    assert rows(looked(graph, compact=True), "w * t_u (") == [
        "(11) 35.7, 55.9 … 68.4",
        "∂loss/∂(w * t_u)  6.4, 7.618 … 8.618",
    ]


def test_constants_are_hidden_but_what_was_cut_off_is_not() -> None:
    def program() -> torch.Tensor:
        w, x = torch.tensor(2.0, requires_grad=True), torch.tensor(3.0)
        y = w * x
        frozen = y.detach()
        return frozen * y

    graph = tour.trace(program)
    titles = [card.title for card in looked(graph, hide="constants").cards]
    assert "cut frozen" in titles
    assert "constant x" not in titles
    both = looked(graph, hide=["constants", "cuts"])
    assert not any(card.shape == "constant" for card in both.cards)
    assert any("saved  x" in row for row in rows(both, "w * x ("))


def test_title_caption_and_marks(graph) -> None:
    scene = looked(graph, title="A thermometer", caption="As in the lecture", mark=["t_p", "w"])
    assert (scene.heading, scene.title, scene.caption) == (
        "A thermometer",
        "A thermometer",
        "As in the lecture",
    )
    assert [card.title for card in scene.cards if card.emphasis] == ["leaf w", "w * t_u + b (AddBackward0)"]
    chain = looked(graph, "chain", mark="w")
    assert [card.title for card in chain.cards if card.emphasis] == ["AccumulateGrad"]
    drawn = tour.svg(graph, title="A thermometer", caption="As in the lecture, " * 8)
    assert ">A thermometer</text>" in drawn
    assert drawn.count("lecture,") == 8  # more than one line, and every word
    ledger = tour.accumulate(thermometer, calls=2)
    assert "<title id=" in tour.svg(ledger, title="Again") and ">Again</text>" in tour.svg(
        ledger, title="Again"
    )


def test_what_is_inside_a_card_marks_that_card() -> None:
    torch.manual_seed(0)
    graph = tour.trace(models.resnet)
    scene = looked(graph, "outline", mark="stem.0.weight")
    assert ["".join(run.text for run in card.rows[0].left) for card in scene.cards if card.emphasis] == [
        "stem.0  Conv2d(3→8)"
    ]
    with pytest.raises(UsageError):
        looked(graph, "outline", mark="stem.0.nothing")


def test_a_choice_that_is_none_is_refused_with_what_there_is(graph) -> None:
    for choices, hint in (
        ({"show": "valu"}, "Did you mean 'value'? Known: value, shape, grad, rule, line, saved"),
        ({"hide": ["leaves"]}, "Known: constants, cuts, transposes, reshapes, copies"),
        ({"only": "up"}, "forward or backward"),
        ({"mark": "nobody"}, "Some names in it: w, b"),
        ({"shows": "value"}, "Did you mean 'show'?"),
        ({"font_size": 12, "fit": "16:9"}, "Leave out --font-size"),
        ({"font_size": 1000}, "from 1 to 200"),
        ({"view": "torchviz", "show": "value"}, "chain, graph, steps"),
    ):
        with pytest.raises(UsageError) as refused:
            tour.svg(graph, **choices)
        assert hint in refused.value.hint


def test_text_has_the_size_that_is_asked_for(graph) -> None:
    usual, large = (tour.svg(graph, direction="TB", **size) for size in ({}, {"font_size": 18}))
    width = [float(re.search(r' width="([\d.]+)"', svg)[1]) for svg in (usual, large)]
    assert width[1] == pytest.approx(1.5 * width[0], abs=0.1)
    assert re.search(r'viewBox="[-0. ]+([\d.]+)', large)[1] == re.search(r'viewBox="0 0 ([\d.]+)', usual)[1]


# ---- arrows that are joined -----------------------------------------------------------------


def transposed() -> torch.Tensor:
    w, x = torch.arange(6.0).reshape(2, 3).requires_grad_(), torch.ones(2, 2)
    return (x @ w.t().t()).sum()


def test_an_arrow_across_what_is_hidden_has_both_rules_and_the_gradient_that_arrives() -> None:
    graph = tour.trace(transposed)
    scene = looked(graph, hide="transposes")
    assert not any("TBackward0" in card.title for card in scene.cards)
    assert {link.title for link in scene.links if link.flow == "forward"} >= {"w → x @ w.t().t()"}
    assert "xᵀ @, then transpose, then transpose" in labels(scene)
    assert "not shown: 2 transposes; arrows go across them" in scene.notes
    # The chain tells next_functions, which go through both.
    assert sum(card.title == "TBackward0" for card in looked(graph, "chain", hide="transposes").cards) == 2


PROGRAMS = (
    transposed,
    basics.views,
    basics.in_place_on_a_view,
    models.tied,
    models.gpt_by_hand,
    models.transformer_layer,
    operators.self_attention,
    operators.overlapping_views,
    hooks.tensor_hook_on_fan_out,
)


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_a_joined_graph_holds_and_its_sums_are_those_of_the_run(program) -> None:
    torch.manual_seed(0)
    graph = tour.trace(program)
    joined = without(graph, tuple(JOINED))
    validate(joined)
    left = {node.id for node in joined.nodes}
    assert left <= {node.id for node in graph.nodes}
    for key, parts in arrivals(joined).items():
        before = arrivals(graph)[key]
        assert [part.facts for part in parts] == [part.facts for part in before]
    for node in joined.nodes:
        assert joined.step(node.id)[0] or not graph.step(node.id)[0]
        if joined.step(node.id)[1] is not None:
            assert joined.step(node.id)[1].received == graph.step(node.id)[1].received
    assert sum(map(operations_in, joined.nodes)) <= sum(map(operations_in, graph.nodes))


def test_what_two_operations_use_and_what_a_hook_changes_stays() -> None:
    def program() -> torch.Tensor:
        w = torch.ones(2, 3, requires_grad=True)
        shared, hooked = w.t(), (w * 2).t()
        hooked.register_hook(lambda grad: grad * 3)
        return (shared * shared.exp()).sum() + hooked.sum()

    graph = tour.trace(program)
    assert [node.grad_fn for node in without(graph, ("transposes",)).nodes].count("TBackward0") == 2


def test_a_rule_that_hands_the_gradient_on_adds_no_words() -> None:
    def program() -> torch.Tensor:
        w = torch.ones(3, requires_grad=True)
        return (w.clone() * 2).sum()

    joined = without(tour.trace(program), ("copies",))
    assert "× 2" in {short(edge.rule) for edge in joined.select("gradient")}


def test_a_chart_keeps_what_it_shows(graph) -> None:
    settings = Settings(look=look_for(show="value", hide="constants"))
    trace = Trace(graph, tour.accumulate(thermometer, calls=2))
    pictures = dict(chosen_views(trace, settings))
    assert isinstance(pictures["accumulation"], Chart)
    assert pictures["accumulation"].rows
