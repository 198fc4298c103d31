"""Brief cards have what a slide has room for, and nothing that is not there."""

from __future__ import annotations

import pytest
import torch

import autograd_tour as tour
from autograd_tour.record.trace import Trace
from autograd_tour.views import picture_of
from autograd_tour.views.brief import LEFT_OUT, LONGEST_RULE
from autograd_tour.views.calls import by_calls
from autograd_tour.views.look import Look
from autograd_tour.views.statements import by_statements
from tests.lectures import lectures

PROGRAMS = dict(lectures())


def drawn(program, **words):
    return picture_of(Trace(tour.trace(PROGRAMS[program])), "graph", Look(**words))


def texts(scene, title):
    """The rows of the card with this title, as text."""
    for card in scene.cards:
        if card.rows[0].left[0].text == title:
            return ["".join(run.text for run in (*row.left, *row.right)) for row in card.rows]
    raise AssertionError(title)


def test_a_card_has_a_name_a_value_and_a_gradient():
    scene = drawn("neuron", brief="numbers")
    assert texts(scene, "w @ x + b") == ["w @ x + b", "z = 0.1", "grad −0.2369"]
    assert texts(scene, "w") == ["w", "(3) 0.5 …", ".grad −0.237 …"]
    assert texts(scene, "x") == ["x", "(3) 1, 2, −1"]
    assert scene.left_out == LEFT_OUT["numbers"]
    assert {"w", "b"} == {card.rows[0].left[0].text for card in scene.cards if card.shape == "leaf"}


def test_a_few_numbers_are_told_together_and_so_is_what_all_are():
    scene = drawn("nan", brief="numbers")
    assert texts(scene, "w")[1] == "(3) 3, 0, 4"
    assert texts(scene, "torch.sqrt(w**2)") == ["torch.sqrt(w**2)", "distance (3) 3, 0, 4", "grad 1.33, 0, 2"]
    scene = drawn("softmax_regression", brief="numbers")
    assert texts(scene, "x @ w")[1] == "(16, 3) all 0"
    rows = ["".join(run.text for run in row.left) for card in scene.cards for row in card.rows]
    assert "grad 16 × 0.0625" in rows


def test_short_rules_stay_and_long_ones_go_whole():
    labels = [link.label.runs for link in drawn("mlp", brief="numbers").links if link.flow == "backward"]
    rules = [runs[0].text for runs in labels if runs]
    assert "transpose" in rules
    assert all(len(rule) <= LONGEST_RULE for rule in rules)
    assert any(not runs for runs in labels)


def test_a_line_is_a_card_with_its_scalar():
    scene = drawn("neuron", brief="lines")
    assert all(len(card.rows) == 1 for card in scene.cards)
    assert texts(scene, "a − y") == ["a − y−0.475"]
    assert texts(scene, "(a − y) ** 2") == ["(a − y) ** 2loss = 0.2256"]
    assert not any(link.label.runs for link in scene.links)
    assert sorted({link.label.step for link in scene.links} - {0}) == [1, 2, 3, 4, 6]


@pytest.mark.parametrize(("brief", "rows"), [("numbers", 3), ("lines", 1)])
def test_a_module_is_called_by_its_path_and_its_class(brief, rows):
    graph = by_calls(tour.trace(PROGRAMS["cnn"]))
    scene = picture_of(Trace(graph), "graph", Look(brief=brief))
    (card,) = [card for card in scene.cards if card.path == "conv1"]
    assert "".join(run.text for run in card.rows[0].left) == "conv1  Conv2d(1→6)"
    assert len(card.rows) == rows
    assert card.rows[0].left[0].bold
    assert not card.rows[0].left[1].bold
    assert not card.rows[0].right


def squared():
    torch.manual_seed(0)
    net = torch.nn.Linear(3, 2)
    x = torch.ones(2, 3, requires_grad=True)
    return net(x * x).sum()


def test_all_that_a_module_did_has_its_path_and_an_expression_around_a_layer_has_none():
    graph = by_statements(by_calls(tour.trace(PROGRAMS["vae"])), modules=True)
    scene = picture_of(Trace(graph), "graph", Look(brief="numbers"))
    assert {card.path for card in scene.cards} == {"", "encoder", "to_mu", "to_logvar", "decoder"}

    graph = by_statements(by_calls(tour.trace(squared)), modules=True)
    scene = picture_of(Trace(graph), "graph", Look(brief="numbers"))
    assert texts(scene, "net(x * x).sum()")
    assert {card.path for card in scene.cards} == {""}


def test_an_expression_has_the_module_aside_that_it_does_not_name():
    def asides(program):
        graph = by_statements(by_calls(tour.trace(PROGRAMS[program])), modules=True)
        scene = picture_of(Trace(graph), "graph", Look(brief="numbers"))
        return {
            card.rows[0].left[0].text: "".join(run.text for run in card.rows[0].right) for card in scene.cards
        }

    assert asides("discriminator_loss")["discriminator(real)"] == ""
    assert asides("transformer")["x + self.mlp(self.ln2(x))"] == "block"


@pytest.mark.parametrize("brief", ["numbers", "lines"])
def test_what_is_not_finite_stays_in_sight(brief):
    scene = drawn("nan", brief=brief)
    alarms = [run.text for link in scene.links for run in link.label.runs if run.role == "error"]
    assert alarms == ["  1 of 3 is NaN, begins here"]
    assert [link.emphasis for link in scene.links].count("alarm") >= 1


def test_what_a_reader_leaves_out_is_left_out_of_brief_cards_too():
    scene = drawn("neuron", brief="numbers", only="forward")
    assert texts(scene, "w @ x + b") == ["w @ x + b", "z = 0.1"]
    assert all(link.flow != "backward" for link in scene.links)


@pytest.mark.parametrize("brief", ["numbers", "lines"])
@pytest.mark.parametrize("program", ["neuron", "gradient_penalty", "vae"])
def test_an_arrow_has_the_number_that_its_card_has(program, brief):
    graph = by_statements(by_calls(tour.trace(PROGRAMS[program])), whole=True)
    scene = picture_of(Trace(graph), "graph", Look(brief=brief))
    steps = {card.id: {row.step for row in card.rows} - {0} for card in scene.cards}
    numbered = [link for link in scene.links if link.label.step]
    assert numbered
    assert all(steps[link.src] == {link.label.step} for link in numbered)
    assert all(steps[card.id] for card in scene.cards if card.shape == "leaf")
    assert not any(steps[card.id] for card in scene.cards if card.shape == "constant")
