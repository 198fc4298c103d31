"""The run in the text report: every event, with the numbers of torch."""

from __future__ import annotations

import re

import autograd_tour as tour
from autograd_tour.record.trace import Trace
from autograd_tour.text import number
from tests.programs import basics, loops, training


def section(text: str, title: str) -> list[str]:
    """The lines below a heading."""
    lines = text.split("\n")
    start = next(i for i, line in enumerate(lines) if line.startswith(title)) + 2
    return lines[start : next((i for i in range(start, len(lines)) if not lines[i]), len(lines))]


def test_a_loop_by_hand_is_told_line_by_line_with_the_numbers_that_torch_has():
    lines = section(tour.report(tour.follow(training.hand)), "The run, event by event")
    rows = [line for line in lines if not re.match(r" +\d+  ", line)]
    told = iter(rows)
    before = [1.0, 0.0, None, None]
    for what, after in training.by_hand():
        for name, k in (("w", 0), ("b", 1)) if what == "update" else (("w", 2), ("b", 3)):
            old, new = ("None" if value is None else number(value) for value in (before[k], after[k]))
            row = next(told).split()
            assert row[:3] == [name, "value" if what == "update" else ".grad", old]
            assert row[-2:] == ["→", new]
        before = after
    assert next(told, None) is None


def test_an_event_has_its_number_its_line_and_what_is_known_of_it():
    text = tour.report(tour.follow(training.clipped))
    lines = section(text, "The run, event by event")
    heads = [line for line in lines if re.match(r" +\d+  ", line)]
    assert [int(head.split()[0]) for head in heads] == list(range(1, len(heads) + 1))
    assert len(heads) == len(tour.follow(training.clipped).events)
    step = next(i for i, line in enumerate(lines) if "optimizer.step()" in line)
    assert re.search(
        r"step +\S*training\.py:\d+ +optimizer\.step\(\)   \[lr 0\.1, momentum 0\.9\]", lines[step]
    )
    assert re.search(r"value .* → .*\(\.grad used: [^;]*\)$", lines[step + 1])
    assert re.search(r"momentum_buffer  None → .*\d$", lines[step + 2])
    assert "   [loss " in next(line for line in lines if "backward 1 " in line)
    assert "inside LBFGS.step]" in tour.report(tour.follow(loops.lbfgs))


def test_the_losses_are_thinned_and_their_ends_stay():
    run = tour.follow(training.clipped)
    rows = section(tour.report(run), "Losses of the backward calls at")[2:]
    assert len(rows) == 20
    assert [row.split()[:2] for row in (rows[0], rows[-1])] == [
        ["1", number(run.curves[0].losses[0])],
        ["120", number(run.curves[0].losses[-1])],
    ]
    assert ", 20 of 120 calls" in tour.report(run)
    assert "  Note: 120 backward calls: the first 8 are told in full, then 10, 100;" in tour.report(run)


def test_the_leaves_have_their_values_before_and_after():
    rows = section(tour.report(tour.follow(training.hand)), "The leaves, before")[2:]
    *_, (_, after) = training.by_hand()
    assert [row.split() for row in rows] == [
        ["w", "scalar", "1", number(after[0]), "None", number(after[2])],
        ["b", "scalar", "0", number(after[1]), "None", number(after[3])],
    ]


def test_only_a_program_that_trains_has_the_section():
    graph = tour.trace(basics.detached)
    run = tour.follow(training.hand)
    assert "The run, event by event" not in tour.report(graph)
    assert "The run, event by event" not in tour.report(Trace(run.graphs[0]))
    assert "The run, event by event" in tour.report(Trace(run.graphs[0], None, run))


def test_what_was_not_recorded_is_not_said_to_stay():
    import torch

    from autograd_tour.formats.page.run import run_data

    w = torch.ones(3, requires_grad=True)

    def train():
        (w * w).sum().backward()
        with torch.no_grad():
            w.sub_(0.1 * w.grad)
        w.grad = None

    run = tour.follow(train, keep=0)
    assert [event.kind for event in run.events] == ["forward", "backward", "update", "zeroing"]
    picture, report = tour.svg(run, view="run"), tour.report(run)
    assert "not known" in picture
    assert "stays" not in picture
    assert "float32" not in picture
    section = report[report.index("The run, event by event") :]
    assert "value  not known → not known" in section
    assert "float32" not in section
    changes = [change for event in run_data(run)["events"] for change in event["changes"]]
    assert changes[0]["after"] == "not known"
