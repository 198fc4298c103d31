"""The text report: every number of the picture, aligned, and never longer than one can open."""

from __future__ import annotations

import re

import pytest
import torch
from msgspec.structs import replace

import autograd_tour as tour
from autograd_tour.lessons.thermometer import thermometer, thermometer_params
from autograd_tour.record.graph import BackwardPass, Edge, Graph, SourceLine, Step
from autograd_tour.record.ledger import Ledger
from autograd_tour.record.node import Node
from autograd_tour.reports import report
from autograd_tour.reports.tables import table
from autograd_tour.reports.tree import DEEPEST, LINES, tree
from autograd_tour.rules.wording import short
from tests.pictures import scene_of

NUMBER = re.compile(r"−?\d+(?:\.\d+)?(?:e−?\d+)?")


def chain(count):
    nodes = tuple(
        Node(f"n{i}", "operation", op=f"op {i}", grad_fn="MulBackward0", slots=1, where=0)
        for i in range(count)
    )
    edges = tuple(Edge(f"n{i}", f"n{i - 1}", "gradient") for i in range(1, count))
    steps = tuple(Step(node.id, (None,), (None,)) for node in reversed(nodes))
    return Graph(
        nodes,
        edges,
        (),
        (BackwardPass(steps),),
        (SourceLine("a.py", 1, "y = y * 2"),),
        ((f"n{count - 1}", 0),),
    )


def test_a_table_is_aligned():
    text = table(["name", "n"], [["a", "1"], ["long name", "12345"], ["名", ""]], right=[1])
    assert text.split("\n") == [
        "  name           n",
        "  ---------  -----",
        "  a              1",
        "  long name  12345",
        "  名",
    ]


def test_a_cell_keeps_to_its_line_and_its_width():
    text = table(["x"], [["one\ntwo\x1b[31m"], ["w" * 500]])
    assert len(text.split("\n")) == 4
    assert max(map(len, text.split("\n"))) <= 62
    assert "\x1b" not in text


@pytest.mark.parametrize("program", [thermometer, thermometer_params])
def test_every_number_of_the_picture_is_in_the_report(program):
    """The report has more digits: a number of the picture is one of its numbers, rounded."""
    graph = tour.trace(program)
    told = {float(text.replace("−", "-")) for text in NUMBER.findall(report(graph, tour.accumulate(program)))}
    scene = scene_of(graph)
    drawn = {
        text
        for card in scene.cards
        for row in card.rows
        for run in (*row.left, *row.right)
        if run.role in ("forward", "backward", "muted") and not run.text.startswith("line")
        for text in NUMBER.findall(re.sub(r"[A-Za-z]\w*|\([\d, ]*\)", "", run.text))
    }
    assert len(drawn) > 15
    for text in drawn:
        value = float(text.replace("−", "-"))
        assert any(abs(value - other) <= 5e-4 * max(abs(value), abs(other)) for other in told), text


@pytest.mark.parametrize("program", [thermometer, thermometer_params])
def test_the_report_has_every_rule_step_and_line(program):
    graph = tour.trace(program)
    text = report(graph)
    for edge in graph.select("gradient"):
        assert short(edge.rule) in text
    for line in graph.source:
        assert line.text in text
    for number, step in graph.numbered_steps():
        assert re.search(rf"^ +{number}  {graph.by_id()[step.node].grad_fn}\b", text, re.MULTILINE)
    for heading in (
        "Forward",
        "grad_fn tree",
        "Backward",
        "Where gradients end up",
        "Kept in memory",
        "formulas",
    ):
        assert heading in text


def test_what_was_not_recorded_is_said_to_be_so():
    loss = thermometer()
    text = report(tour.trace(loss, backward=False))
    assert "No backward was recorded." in text
    assert "not known" in text
    noted = Graph((Node("n0", "operation"),))
    assert "Note: half is missing." in report(
        replace(noted, meta=replace(noted.meta, notes=("half is missing",)))
    )


def test_an_empty_graph_and_an_empty_ledger_have_a_report():
    assert "An empty graph." in report(Graph())
    assert "No leaf received a gradient." in report(Graph(), Ledger(4))
    assert "An empty graph." not in report(Graph(), Ledger(4))


def test_the_title_is_the_name_of_the_trace():
    assert report(Graph(), title="my-net").startswith(
        "autograd-tour report: my-net\n============================\n"
    )


def test_a_huge_graph_has_a_report_that_can_be_opened():
    text = report(chain(20_000))
    assert text.count("… and 18000 more") == 2  # forward and backward
    assert "… 1 more branch\n" in text
    assert len(text.split("\n")) < 4 * 2_000 + 100


def test_the_report_of_a_deep_chain_grows_no_faster_than_the_chain():
    """Each level indented further would make it quadratic."""
    short, long = tree(chain(500)), tree(chain(1_000))
    assert len(long) < 2.1 * len(short)
    assert max(len(line) - len(line.lstrip()) for line in long.split("\n")) == 2 * DEEPEST


def test_the_tree_ends_after_its_last_line():
    lines = tree(chain(LINES + 50)).split("\n")
    assert len(lines) == LINES + 1
    assert lines[-1].strip().startswith("…")
    assert tree(chain(LINES - 1)).count("\n") == LINES - 1  # the last line is a stub


def test_the_tree_names_slots_outputs_stubs_and_what_was_met_before():
    params = torch.ones(2, requires_grad=True)
    w, b = params.unbind()
    h = w * 3
    lines = [line.strip() for line in tree(tour.trace(h * h + b, backward=False)).split("\n")]
    kinds = [line.partition("    ")[0] for line in lines]
    assert kinds == [
        "AddBackward0",
        "[0] MulBackward0",
        "[0] MulBackward0",
        "[0] UnbindBackward0",
        "[0] AccumulateGrad of params",
        "[1] None",
        "[1] MulBackward0",
        "[1] output 1 of UnbindBackward0",
    ]
    assert "(see above)" in lines[6]
    assert "(see above)" in lines[7]
