"""Sums are told apart: every arrow into one has its number, and what is printed closes."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from autograd_tour import Graph, accumulate, trace
from autograd_tour.record.facts import TensorFacts
from autograd_tour.record.graph import Edge
from autograd_tour.reports import report
from autograd_tour.text import closing
from autograd_tour.views.cards import cards_scene
from autograd_tour.views.sums import added, arrivals, row
from tests.examples import examples


def square_and_more() -> torch.Tensor:
    x = torch.tensor(3.0, requires_grad=True)
    y = x * x + x
    return y  # noqa: RET504


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(5, 3)
        self.out = nn.Linear(3, 5, bias=False)
        self.out.weight = self.embed.weight

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.out(self.embed(tokens))


def tied() -> torch.Tensor:
    torch.manual_seed(0)
    net, tokens = Tied(), torch.tensor([1, 2])
    return nn.functional.cross_entropy(net(tokens), tokens)


def mailbox(graph: Graph, name: str) -> list[str]:
    leaf = next(node.id for node in graph.nodes if node.kind == "leaf" and node.name == name)
    card = next(card for card in cards_scene(graph).cards if card.id == leaf)
    return ["".join(run.text for run in line.left) for line in card.rows[2:]]


def facts(*values: float) -> TensorFacts:
    return TensorFacts((len(values),) if len(values) > 1 else (), "float32", first=values, last=values[-1])


def test_three_ways_into_one_mailbox() -> None:
    graph = trace(square_and_more)
    total, sign = mailbox(graph, "x")
    assert sign == "y falls if x falls a little"
    assert total == ".grad  None + (1 + 3 + 3) = 7"
    labels = ["".join(run.text for run in link.label.runs) for link in cards_scene(graph).links]
    assert sorted(text.rpartition("= ")[2] for text in labels if " = " in text) == ["1", "3", "3"]


def test_every_arrow_into_a_sum_has_its_number_and_no_other() -> None:
    graph = trace(square_and_more)
    parts = arrivals(graph)
    into_sums = {id(part.edge) for items in parts.values() if len(items) > 1 for part in items}
    assert len(into_sums) == 3
    told = [link for link in cards_scene(graph).links if any(" = " in run.text for run in link.label.runs)]
    assert len(told) == 3


def test_a_shared_parameter_says_which_module_brought_what() -> None:
    total, *uses = mailbox(trace(tied), "embed.weight")
    assert total.startswith(".grad  None + ([")
    assert [text.rpartition("  from ")[2] for text in uses] == ["out", "embed"]


@pytest.mark.parametrize(
    ("before", "parts", "contribution", "after", "text"),
    [
        (None, [(3.0,), (3.0,), (1.0,)], (7.0,), (7.0,), "None + (3 + 3 + 1) = 7"),
        ((4517.296875,), [], (4517.296875,), (9034.59375,), "4517.3 + 4517.3 = 9034.6"),
        ((1.0,), [], (-2.0,), (-1.0,), "1 + (−2) = −1"),
        ((1.0,), [(1.0,)] * 5, (5.0,), (6.0,), "1 + (1 + 1 + … 5 parts) = 6"),
        ((1e8,), [], (1.0,), (1e8,), "1e8 + 1 ≈ 1e8"),  # float32 loses the 1
        (None, [], None, None, "None + None = None"),
        ((0.0,), [], (82.6,), (82.6,), "0 + 82.6 = 82.6"),
        (None, [], (0.273446, 1.5, 3.0), (0.273446, 1.5, 3.0), "None + [0.2734 …] = [0.2734, 1.5, 3]"),
        (None, [], (-780.0,), (-780.0,), "None + (−780) = −780"),
    ],
)  # fmt: skip
def test_texts(before, parts, contribution, after, text) -> None:
    cells = [facts(*values) if values is not None else None for values in (before, contribution, after)]
    assert "".join(added(cells[0], [facts(*values) for values in parts], cells[1], cells[2])) == text


@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=4))
@settings(max_examples=examples(300), deadline=None)
def test_a_sum_that_is_printed_with_an_equals_sign_closes(values: list[float]) -> None:
    total = float(torch.tensor(values).sum())
    texts, result = closing(values, total)
    if result is not None:
        assert sum((_decimal(text) for text in texts), Decimal(0)) == _decimal(result)
    for text, value in zip(texts, values, strict=True):
        assert abs(float(_decimal(text)) - value) <= 0.011 * abs(value)


def _decimal(text: str) -> Decimal:
    return Decimal(text.replace("−", "-"))


def thermometer() -> torch.Tensor:
    t_c = torch.tensor([0.5, 14.0, 15.0, 28.0, 11.0, 8.0, 3.0, -4.0, 6.0, 13.0, 21.0])
    t_u = torch.tensor([35.7, 55.9, 58.2, 81.9, 56.3, 48.9, 33.9, 21.8, 48.4, 60.4, 68.4])
    w = torch.tensor(1.0, requires_grad=True)
    b = torch.tensor(0.0, requires_grad=True)
    return ((w * t_u + b - t_c) ** 2).mean()


def test_the_rows_of_an_accumulation_close_in_the_report() -> None:
    text = report(trace(thermometer), accumulate(thermometer))
    assert "9034.59" not in text
    assert re.search(r"4517\.3 +4517\.3 +9034\.6", text)


def test_a_row_of_complex_numbers_or_of_a_large_tensor_stays_as_it_is() -> None:
    whole = TensorFacts((2,), "complex64", first=("(1+2j)", "(3+0j)"), last="(3+0j)")
    assert row(None, whole, whole)[0] == "None"
    large = TensorFacts((90,), "float32", first=(1.0, 2.0), last=3.0)
    double = TensorFacts((90,), "float32", first=(2.0, 4.0), last=6.0)
    assert row(large, large, double) == ("1, 2 … 3", "1, 2 … 3", "2, 4 … 6")


def test_edges_are_told_apart_by_what_they_are() -> None:
    graph = trace(square_and_more)
    repeated = [edge for edge in graph.select("gradient") if graph.leaf_of(edge.dst)]
    assert len(repeated) == 3
    assert len({edge.slot for edge in repeated if isinstance(edge, Edge)}) >= 2


def test_what_has_other_elements_than_the_sum_is_not_added_up() -> None:
    scalar, two = (
        TensorFacts(shape, "float32", first=(1.0,) * 2 if shape else (1.0,)) for shape in ((), (2,))
    )
    assert added(None, [], scalar, two) == ("None + 1 = ", "[1, 1]")
