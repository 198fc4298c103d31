"""What a fold and a chart say of a program is true of it: calls, lines, turns and printed sums."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

import autograd_tour as tour
from autograd_tour.views.by_order import chains, lines, repeats, runs
from autograd_tour.views.calls import by_calls
from autograd_tour.views.chart_rows import rows_of
from autograd_tour.views.fold import as_cards
from autograd_tour.views.naming import module_path
from autograd_tour.views.quotient import flow
from autograd_tour.views.statements import by_statements


def titles(parts):
    return [title.op for title in parts[1].values()]


def smoothed():
    torch.manual_seed(0)
    scores = torch.randn(4, 3, requires_grad=True)
    return F.cross_entropy(scores, torch.tensor([0, 1, 2, 0]), label_smoothing=0.1)


def doubled():
    x = torch.ones(3, requires_grad=True)
    return (((x + 1) + 2) + 3) + 4


def test_the_parts_of_one_call_are_not_counted_as_calls():
    graph = tour.trace(smoothed)
    assert not [title for title in titles(chains(graph, flow(graph))) if "×" in title]


def test_calls_of_one_operation_each_are_counted():
    graph = tour.trace(doubled, gradient=torch.ones(3))
    assert titles(chains(graph, flow(graph))) == ["add × 4"]


def penalty():
    a, b, c, d, e = (torch.full((2,), float(n), requires_grad=True) for n in range(1, 6))
    return a.pow(2).sum() + b.pow(2).sum() + c.pow(2).sum() + d.pow(2).sum() + e.pow(2).sum()


def rounds():
    h = torch.ones(2, requires_grad=True)
    w = torch.full((2,), 0.5, requires_grad=True)
    for _ in range(5):
        h = torch.tanh(h * w) + w
    return h.sum()


@pytest.mark.parametrize(("program", "turns"), [(penalty, False), (rounds, True)])
def test_a_sum_of_like_terms_has_no_turns(program, turns):
    graph = tour.trace(program)
    named = titles(repeats(graph, flow(graph)))
    assert any("turns" in title for title in named) == turns


def several_lines():
    x = torch.full((2,), 3.0, requires_grad=True)
    y = (((x + 1) * 2).exp() - 1).log()
    z = (((y + 1) * 2).sin() - 1).cos()
    return (z * y).sum()


def test_lines_are_told_only_where_those_of_all_operations_are_known():
    graph = tour.trace(several_lines)
    pairs = flow(graph)
    folded = as_cards(graph, *lines(graph, pairs), pairs, None)
    titled = titles(runs(folded, flow(folded), 1))
    assert titled
    assert not any(title.startswith("line") for title in titled)
    assert all(title.startswith("line") for title in titles(runs(graph, pairs, 1)))


def ragged():
    w = torch.tensor([50.61164, 1.0, 11.55296], dtype=torch.float64, requires_grad=True)
    return (w * w).sum() / 2


def test_sums_of_the_accumulation_chart_close_as_they_are_printed():
    rows, _ = rows_of(tour.accumulate(ragged, calls=4))
    checked = 0
    for row in rows:
        for _, bars in row.bars:
            for bar in bars:
                if bar.state == "bar" and row.stacked and bar.before not in (None, "None"):
                    new = float(bar.parts[-1].text)
                    assert float(bar.before) + new == pytest.approx(float(bar.after), abs=1e-9)
                    checked += 1
    assert checked >= 6


class Block(torch.nn.Module):
    """Two layers in one statement, as many blocks are written."""

    def __init__(self):
        super().__init__()
        self.first, self.second = torch.nn.Linear(3, 4), torch.nn.Linear(4, 3)

    def forward(self, x):
        return torch.relu(self.second(torch.relu(self.first(x))))


def test_a_module_that_is_one_statement_has_its_own_title():
    torch.manual_seed(0)
    net = torch.nn.ModuleDict({"encoder": Block(), "head": torch.nn.Linear(3, 2)})
    graph = by_statements(
        by_calls(tour.trace(lambda: net["head"](net["encoder"](torch.ones(2, 3))).sum())), whole=True
    )
    assert ("encoder", "Block") in {(module_path(node), node.op) for node in graph.nodes}
    assert not [node for node in graph.nodes if "self.second" in node.expression]


def test_the_result_of_a_module_is_called_by_its_path_in_captions_and_rules():
    torch.manual_seed(0)
    net = torch.nn.ModuleDict({"encoder": Block(), "head": torch.nn.Linear(3, 2)})
    graph = by_calls(tour.trace(lambda: net["head"](net["encoder"](torch.ones(2, 3))).sum()))
    head = next(node for node in graph.nodes if node.module_path == "head")
    assert (head.op, head.name, graph.result_name(head.id)) == ("Linear(3→2)", "", "head")


def long_line():
    torch.manual_seed(0)
    probabilities, labels = torch.rand(6, requires_grad=True), torch.ones(6)
    nll = -(labels * torch.log(probabilities) + (1 - labels) * torch.log(1 - probabilities)).mean()
    return nll * 2


def test_a_long_line_is_shortened_where_it_has_parts():
    graph = tour.trace(long_line)
    assert titles(lines(graph, flow(graph))) == ["nll = …"]
