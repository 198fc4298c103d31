"""Texts that give way where room is short: names lose their beginnings, sums their later elements."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import autograd_tour as tour
from autograd_tour.drawing.less import stages
from autograd_tour.drawing.metrics import text_width
from autograd_tour.drawing.sizes import fitted
from autograd_tour.record.facts import TensorFacts
from autograd_tour.record.trace import Trace
from autograd_tour.views import picture_of
from autograd_tour.views.picture import Card, Row, Run, Scene
from autograd_tour.views.sums import added


class Deep(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.base_model = nn.Module()
        self.base_model.model = nn.Module()
        self.base_model.model.layers = nn.ModuleList([nn.Linear(3, 3), nn.Linear(3, 3)])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self.base_model.model.layers:
            x = layer(x)
        return x


def texts_of(scene):
    rows = [row for card in scene.cards for row in card.rows]
    rules = [run.text for link in scene.links for run in link.label.runs]
    return rules + ["".join(run.text for run in row.left) for row in rows]


@pytest.fixture(scope="module")
def deep():
    torch.manual_seed(0)
    net, x = Deep(), torch.tensor([1.23456, 2.34567, 3.45678], requires_grad=True)
    graph = tour.trace(lambda: (net(x) * x).sum())
    return [texts_of(fitted(stage)) for stage in stages(picture_of(Trace(graph), "graph"))]


def test_paths_in_rules_keep_their_ends(deep):
    whole, short, *_ = deep
    assert "@ base_model.model.layers.0.weight" in whole
    (first, second) = [text for text in short if text.startswith("@ …")]
    assert first.endswith(".layers.0.weight")
    assert second.endswith(".layers.1.weight")


def test_what_is_fused_is_cut_between_its_parts(deep):
    whole, short, *_ = deep
    fused = [text for text in whole if text.startswith("fused: ")]
    assert [text.endswith("weightᵀ") for text in fused] == [True, True]
    assert ["0.bias +" in text for text in fused] == [True, False]
    assert [text for text in short if text.startswith("fused: ")] == [
        f"fused: …{layer}.bias + view(x) @ …{layer}.weightᵀ" for layer in "01"
    ]


def test_a_name_gives_way_before_what_is_done_with_it():
    run = Run(
        "a_long_name_of_x @ another_long_name", room=120.0, names=("another_long_name", "a_long_name_of_x")
    )
    row = Row((run,))
    (text,) = texts_of(fitted(Scene((Card("a", "box", (row,)),))))
    left, right = text.split(" @ ")
    assert "a_long_name_of_x".endswith(left.removeprefix("…"))
    assert "another_long_name".endswith(right.removeprefix("…"))
    assert text_width(text, 12) <= 120


def vector(*values):
    return TensorFacts(shape=(len(values),), dtype="float32", first=values)


def test_a_sum_gives_way_element_by_element_and_closes_as_printed():
    before, brought, after = vector(1.25, 2.5), vector(0.1, 0.2), vector(1.35, 2.7)
    assert "".join(added(before, (), brought, after)) == "[1.25, 2.5] + [0.1, 0.2] = [1.35, 2.7]"
    assert "".join(added(before, (), brought, after, brief=True)) == "[1.25 …] + [0.1 …] = [1.35 …]"
    parts = (vector(0.1, 0.1), vector(0.0, 0.1))
    assert "".join(added(None, parts, brought, brought, brief=True)) == "None + ([0.1 …] + [0 …]) = [0.1 …]"
    number = TensorFacts(shape=(), dtype="float32", first=(3.0,))
    assert added(None, (), number, number, brief=True) == added(None, (), number, number)
    changed = vector(9.0, 9.0)
    assert added(None, (), brought, changed, brief=True) == added(None, (), brought, changed)


def test_grad_rows_are_whole_where_they_fit_and_brief_where_they_do_not(deep):
    whole, short, *_ = ([text for text in texts if text.startswith(".grad  None + ([")] for texts in deep)
    (total,), (first,) = (
        [text.rpartition(" = ")[2].strip("[]").split(", ") for text in texts] for texts in (whole, short)
    )
    assert len(total) == 3
    assert first == [f"{total[0]} …"]
