"""The view and the report of memory: largest first, sums that close, and what a checkpoint would do."""

from __future__ import annotations

import re

import pytest
import torch

import autograd_tour as tour
from autograd_tour.drawing import draw
from autograd_tour.drawing.room import room_for
from autograd_tour.record.trace import Trace
from autograd_tour.views import picture_of
from autograd_tour.views.kept import brief, by_line, by_module
from docs.programs import gpt


@pytest.fixture(scope="module")
def graph():
    return tour.trace(gpt.loss)


def test_lines_stand_largest_first_and_add_up_to_all_that_the_graph_keeps(graph) -> None:
    rows = by_line(graph)
    assert [row.size for row in rows] == sorted((row.size for row in rows), reverse=True)
    assert sum(row.size for row in rows) == graph.memory.bytes_of("graph")
    assert sum(row.storages for row in rows) == sum(block.owner == "graph" for block in graph.memory.blocks)


def test_modules_that_are_alike_are_one_row_with_what_each_keeps(graph) -> None:
    first, *_ = by_module(graph)
    assert first.paths == tuple(f"blocks.{i}" for i in range(12))
    assert first.type == "TransformerBlock"
    inside = [
        row
        for row in by_module(graph)
        if row.paths[0].startswith("blocks.0.") and row.paths[0].count(".") == 2
    ]
    assert all(row.size <= first.size for row in inside)


def test_bars_stand_beside_the_code_with_the_words_on_checkpoints(graph) -> None:
    listing = picture_of(Trace(graph), "memory")
    lines, modules = listing.parts
    assert lines.rows[0].text == "return x + self.mlp(self.ln2(x))"
    assert lines.rows[0].where == "gpt.py:36, in forward"
    assert lines.rows[0].segments[0] == (float(by_line(graph)[0].size), "main")
    assert modules.rows[0].about == (
        "Checkpointing each saves 70.4 kB and costs 426 thousand multiply-adds again, 8.3 % of the forward's",
    )


def test_text_is_large_enough_for_a_column_of_the_web_and_inside_it(graph) -> None:
    svg = draw(picture_of(Trace(graph), "memory"))
    assert 'width="736"' in svg
    assert min(float(size) for size in re.findall(r'font-size="([\d.]+)"', svg)) >= 11
    for x, width in re.findall(r'<rect x="([\d.]+)" y="[\d.]+" width="([\d.]+)"', svg):
        assert float(x) + float(width) <= 736


def test_in_a_room_there_are_fewer_rows_and_a_line_says_how_many(graph) -> None:
    listing = picture_of(Trace(graph), "memory")
    on_slide = draw(listing, room=room_for("16:9"))
    assert on_slide.count("<text") < draw(listing).count("<text")
    assert "more lines with" in on_slide


def test_the_report_has_every_line_and_module(graph) -> None:
    report = tour.report(graph)
    section = report.split("Memory until backward")[1].split("Derivative formulas")[0]
    for row in by_line(graph):
        assert row.line.position in section
    assert "checkpointing each saves 70.4 kB" in section
    assert "counted once" in section


def test_the_most_important_of_it_is_three_lines(graph) -> None:
    whole, line, saving = brief(graph)
    assert whole.startswith("until backward autograd alone keeps 909 kB in 212 storages")
    assert line.startswith("most at gpt.py:36")
    assert saving.startswith("TransformerBlock blocks.0 … blocks.11: checkpointing each saves 70.4 kB")


def test_of_a_run_with_several_graphs_the_one_that_keeps_most_is_drawn_and_named() -> None:
    small, large = torch.ones(3, requires_grad=True), torch.ones(5000, requires_grad=True)

    def train() -> None:
        for _ in range(2):
            small.exp().sum().backward()
            large.exp().sum().backward()

    run = tour.follow(train)
    listing = picture_of(Trace(run.graphs[0], None, run), "memory")
    assert [row.text for row in listing.parts[0].rows] == ["large.exp().sum().backward()"]
    line = train.__code__.co_firstlineno + 3
    expected = f"Of 2 graphs with a backward this one keeps most: that of call 2 at test_memory.py:{line}."
    assert listing.summary.endswith(expected)
    alone = tour.follow(lambda: small.exp().sum().backward())
    assert "graphs" not in picture_of(Trace(alone.graphs[0], None, alone), "memory").summary
