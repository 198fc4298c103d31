"""The view of a run: what it tells of each line and leaf, and that these are torch's own numbers."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
import torch

import autograd_tour as tour
from autograd_tour.errors import UsageError
from autograd_tour.formats import Settings
from autograd_tour.formats.base import DEFAULT_VIEWS, chosen_views
from autograd_tour.record.run import OF_GRAD, Run
from autograd_tour.record.trace import Trace
from autograd_tour.text import MINUS, number
from autograd_tour.views import picture_of
from autograd_tour.views.picture import RunCell, RunChart, RunLane
from autograd_tour.views.run_columns import Gap, selected, with_gaps
from tests.programs import basics, loops, training


def chart_of(program) -> RunChart:
    return of_run(tour.follow(program))


def of_run(run: Run) -> RunChart:
    chart = picture_of(Trace(run.graphs[0], None, run), "run")
    assert isinstance(chart, RunChart)
    return chart


def lanes(chart: RunChart, leaf: str) -> tuple[RunLane, RunLane]:
    value, grad = (lane for lane in chart.lanes if lane.leaf == leaf and not lane.kept)
    assert (value.in_grad, grad.in_grad) == (False, True)
    return value, grad


def words(cell: RunCell | None) -> list[str]:
    return [] if cell is None else ["".join(text.text for text in line) for line in cell.lines]


def kinds(chart: RunChart) -> list[str]:
    return [column.kind for column in chart.columns]


def at(chart: RunChart, kind: str, which: int = 0) -> int:
    return [i for i, name in enumerate(kinds(chart)) if name == kind][which]


def text(value: float | None) -> str:
    return "None" if value is None else number(value)


def test_a_loop_by_hand_has_the_numbers_that_torch_has():
    chart = chart_of(training.hand)
    moments = list(training.by_hand())
    told = [i for i, kind in enumerate(kinds(chart)) if kind != "forward"]
    assert [chart.columns[i].kind for i in told] == [what for what, _ in moments]
    for k, (what, after) in enumerate(moments):
        before = moments[k - 1][1] if k else [1.0, 0.0, None, None]
        for lane, old, new in zip(
            [lanes(chart, name)[grad] for grad in (0, 1) for name in "wb"], before, after, strict=True
        ):
            cell = lane.cells[told[k]]
            assert (cell is not None) == (lane.in_grad == (what != "update"))
            assert (lane.states[told[k]], lane.states[told[k] + 1]) == (text(old), text(new))
            if what == "zeroing" and lane.in_grad:
                assert cell.emptied
            if cell is not None and what != "backward":
                assert words(cell) == [text(old), f"→ {text(new)}"]


def test_what_a_backward_adds_closes_as_printed():
    sums = 0
    for program in (training.hand, training.kept_graph, loops.gan, loops.micro_batches):
        chart = chart_of(program)
        cells = [(i, lane) for lane in chart.lanes if lane.in_grad for i in range(len(chart.columns))]
        for i, lane in cells:
            if chart.columns[i].kind != "backward" or lane.cells[i] is None:
                continue
            first, total = words(lane.cells[i])
            if "[" in first:
                continue
            terms = (
                first.replace(MINUS, "-").removesuffix(" =").replace("(", "").replace(")", "").split(" + ")
            )
            assert (terms[0] == "None") == (lane.states[i] == "None")
            parts = [Decimal(term) for term in terms if term != "None"]
            assert sum(parts, Decimal(0)) == Decimal(total.replace(MINUS, "-"))
            sums += 1
    assert sums > 12


def test_lines_that_do_the_same_to_several_leaves_are_one_column():
    column = chart_of(training.hand).columns[2]
    assert column.code == ("w -= 1e-3 * w.grad", "b -= 1e-3 * b.grad")
    assert re.fullmatch(r".*training\.py:(\d+)–(\d+)", column.where)
    assert [column.begins for column in chart_of(training.hand).columns[:5]] == [
        False,
        False,
        False,
        True,
        False,
    ]


def test_a_long_run_is_told_by_its_first_iteration_and_the_last_call_told_in_full():
    run = tour.follow(training.clipped)
    chart = of_run(run)
    assert kinds(chart) == [
        *("zeroing", "forward", "backward", "clipping", "step"),
        *("gap", "backward", "clipping", "step"),
    ]
    assert [chart.columns[i].head for i in (2, 6)] == ["backward 1", "backward 100"]
    told = sum(column.kind != "gap" for column in chart.columns)
    assert chart.notes[0] == f"… and {len(run.events) - told} more events in the report."
    assert chart.notes[1].startswith("120 backward calls: the first 8 are told in full")
    between = [event for event in run.events[5:] if event.backward_call <= 100][:-3]
    assert chart.columns[5].about[1:] == ("90 more calls, not told in full", "to backward 100")  # 9, 11 to 99
    assert 0 < int(chart.columns[5].about[0].split()[0]) <= len(between)
    (curve,) = chart.curves
    assert len(curve.points) == 120
    assert curve.points[0] == (1, run.curves[0].losses[0])


def test_after_what_is_left_out_stands_what_torch_had_then():
    run = tour.follow(training.clipped)
    chart = of_run(run)
    step = next(event for event in run.events if event.kind == "step" and event.backward_call == 100)
    name = run.leaves[step.changes[0].leaf].name
    value, grad = lanes(chart, name)
    assert value.states[6] == text(step.changes[0].before.first[0])
    assert words(value.cells[8])[1] == f"→ {text(step.changes[0].after.first[0])}"
    assert value.used == (4, 8)
    assert grad.used == ()
    assert value.cells[5] is grad.cells[5] is None


def only_backwards() -> None:
    """Nothing but backward calls, so that all that is told in full has room; some are not."""
    w = torch.tensor(1.0, requires_grad=True)
    loss = w * w
    for _ in range(12):
        loss.backward(retain_graph=True)


def test_calls_not_told_in_full_have_dots_where_they_were_with_their_number():
    run = tour.follow(only_backwards)
    assert run.backward_calls == 12
    chart = of_run(run)
    heads = [column.head for column in chart.columns if column.kind in ("backward", "gap")]
    assert heads[-4:] == ["backward 8", "…", "backward 10", "…"]
    first, last = (column for column in chart.columns if column.kind == "gap")
    assert first.about == ("1 more call, not told in full", "to backward 10")
    assert last.about == ("2 more calls, not told in full",)
    assert [lane.states[-1] for lane in chart.lanes] == ["", ""]  # nobody says what is there after them


def test_both_steps_of_a_gan_are_one_iteration():
    chart = chart_of(loops.gan)
    assert [column.head for column in chart.columns if column.kind in ("backward", "step")] == [
        *("backward 1", "backward 2", "step", "backward 3", "step"),
    ]
    assert kinds(chart)[-1] == "gap"


def emptied_last() -> None:
    """Two backward calls of a step, after which `.grad` is emptied, as many trainers do."""
    w = torch.tensor(1.0, requires_grad=True)
    for _ in range(6):
        (w * w).backward()
        (3 * w).backward()
        with torch.no_grad():
            w -= 0.1 * w.grad
        w.grad = None


def test_what_is_emptied_at_the_end_of_an_iteration_is_in_the_picture():
    chart = chart_of(emptied_last)
    assert kinds(chart)[:6] == [*("forward", "backward") * 2, "update", "zeroing"]
    assert kinds(chart)[6] == "gap"


def test_what_is_emptied_at_the_beginning_of_an_iteration_is_not_told_at_the_end_of_one():
    assert kinds(chart_of(training.clipped))[4:6] == ["step", "gap"]


@pytest.mark.parametrize("program", [*training.PROGRAMS, *loops.LOOPS], ids=lambda program: program.__name__)
def test_no_run_has_more_columns_and_leaves_than_a_slide_has_room_for(program):
    run = tour.follow(program)
    chart = of_run(run)
    assert 0 < len(chart.columns) <= 12
    assert 0 < len(chart.lanes) <= 2 * 6
    more = len(run.leaves) - len({lane.leaf for lane in chart.lanes})
    note = f"{more} more {'leaf' if more == 1 else 'leaves'} in the report."
    assert (more > 0) == (bool(chart.notes) and chart.notes[0].endswith(note))
    # A moving average of weights has no .grad, and stands back.
    with_grad = sorted({c.leaf for event in run.events if event.kind in OF_GRAD for c in event.changes})
    assert not more or {"first": chart.lanes[0].leaf, "last": chart.lanes[-1].leaf} == {
        "first": run.leaves[with_grad[0]].name,
        "last": run.leaves[with_grad[-1]].name,
    }


def test_what_an_event_is_stands_above_its_column():
    chart = chart_of(training.clipped)
    step = chart.columns[at(chart, "step")]
    assert (step.code, step.about) == (("optimizer.step()",), ("lr 0.1", "momentum 0.9"))
    clipping = chart.columns[at(chart, "clipping")]
    assert clipping.code == ("clip_grad_norm_(net.parameters(), 0.5)",)
    assert chart.columns[0].about == ("nothing was there",)
    assert chart.columns[1].about == chart.columns[2].about
    assert re.fullmatch(r"loss [\d.]+", chart.columns[1].about[0])
    kept = chart_of(training.kept_graph)
    assert [column.about[1:] for column in kept.columns if column.kind == "backward"] == [
        ("the graph is kept",),
        (),
    ]
    closure = chart_of(loops.lbfgs)
    assert "inside LBFGS.step" in closure.columns[at(closure, "backward")].about


def test_zero_grad_empties_the_slot_and_zero_leaves_a_0():
    chart = chart_of(loops.lbfgs)
    cell = lanes(chart, "bias")[1].cells[at(chart, "zeroing", 1)]
    assert (cell.emptied, words(cell)[1]) == (True, "→ None")
    chart = chart_of(training.hand)
    cell = lanes(chart, "w")[1].cells[at(chart, "zeroing")]
    assert (cell.emptied, words(cell)[1]) == (True, "→ 0")


def test_a_name_that_stands_for_a_new_tensor_has_no_gradient():
    value, grad = lanes(chart_of(training.rebound), "params")
    assert words(value.cells[2])[0] == "[1, 0]"
    assert grad.cells[2].emptied
    assert words(grad.cells[2]) == [grad.states[2], "→ None"]
    assert grad.states[3] == "None"


def test_of_a_large_leaf_stands_an_element_that_has_a_gradient():
    value, grad = lanes(chart_of(training.dead_unit), "w")
    assert value.about == grad.about == "[1] of (5)"
    assert value.states[0] == "2"
    assert words(grad.cells[at(chart_of(training.dead_unit), "backward")]) == ["None + 1 =", "1"]


def test_numbers_that_differ_look_different():
    chart = chart_of(training.deep)
    step = at(chart, "step")
    pairs = [words(lane.cells[step]) for lane in chart.lanes if not lane.in_grad]
    assert len(pairs) == 4 + 3  # values of four leaves, and what Adam keeps of one
    for before, after in pairs:
        assert after != f"→ {before}"


def test_what_is_not_finite_is_said_in_red():
    chart = chart_of(training.not_finite)
    cell = lanes(chart, "w")[1].cells[at(chart, "backward")]
    alarms = [text.text for line in cell.lines for text in line if text.role == "error"]
    assert alarms == ["1 of 3 is NaN"]


def test_the_words_tell_all_that_the_picture_shows():
    chart = chart_of(training.hand)
    for column in chart.columns:
        assert column.head in chart.desc
        assert all(code in chart.desc for code in column.code)
    for lane in chart.lanes:
        for cell in lane.cells:
            assert " ".join(words(cell)) in chart.desc


def test_only_a_program_that_trains_has_a_run_and_then_it_is_drawn_unasked():
    run = tour.follow(training.hand)
    names = [name for name, _ in chosen_views(Trace(run.graphs[0], None, run), Settings())]
    assert names == ["graph", "chain", "run"]
    assert DEFAULT_VIEWS == ("graph", "chain", "accumulation", "run")
    trace = Trace(tour.trace(basics.detached))
    assert [name for name, _ in chosen_views(trace, Settings())] == ["graph", "chain"]
    with pytest.raises(UsageError, match="has no run") as caught:
        list(chosen_views(trace, Settings(views=("run",))))
    assert "backward()" in caught.value.hint


def test_what_an_optimizer_keeps_has_mailboxes_of_its_own_with_the_numbers_of_torch():
    def adam() -> None:
        w = torch.tensor(1.0, requires_grad=True)
        optimizer = torch.optim.Adam([w], lr=0.1)
        for _ in range(2):
            optimizer.zero_grad()
            ((w * 3 - 1) ** 2).backward()
            optimizer.step()
            heard.append({name: float(value) for name, value in optimizer.state[w].items()})

    heard: list[dict[str, float]] = []
    adam()
    plain, heard = heard, []
    chart = chart_of(adam)
    boxes = {lane.kept: lane for lane in chart.lanes if lane.kept}
    assert list(boxes) == list(plain[0]) == ["step", "exp_avg", "exp_avg_sq"]
    for k in range(2):
        column = at(chart, "step", k)
        for name, lane in boxes.items():
            before = text(plain[k - 1][name] if k else None)
            assert words(lane.cells[column]) == [before, f"→ {text(plain[k][name])}"]
            assert lane.states[column : column + 2] == (before, text(plain[k][name]))
            assert f"{name} of w {before} → {text(plain[k][name])}" in chart.desc
    assert chart.summary.endswith("and what the optimizer keeps")


def test_what_is_kept_in_another_shape_or_as_a_plain_number_is_told_too():
    def adafactor() -> None:
        torch.manual_seed(0)
        weights = torch.randn(3, 4, requires_grad=True)
        optimizer = torch.optim.Adafactor([weights])
        (weights**2).sum().backward()
        optimizer.step()

    chart = chart_of(adafactor)
    assert {lane.kept: lane.about for lane in chart.lanes if lane.kept} == {
        "step": "",
        "row_var": "[0, 0] of (3, 1)",
        "col_var": "[0, 0] of (1, 4)",
    }
    evaluations = next(lane for lane in chart_of(loops.lbfgs).lanes if lane.kept == "func_evals")
    assert evaluations.states[0] == "None"
    assert int(next(state for state in reversed(evaluations.states) if state)) > 1


def test_where_room_is_short_what_optimizers_keep_goes_last_and_that_is_said():
    chart = chart_of(training.deep)
    assert chart.notes[-1] == "What the optimizer keeps of the other 3 leaves is in the report."
    kept = [any(lane.kept for lane in less.lanes) for less in chart.less]
    assert kept == sorted(kept, reverse=True)
    assert True in kept
    assert chart.less[-1].notes[-1] == "Left out to fit: what optimizers keep."


def test_where_room_is_short_zeroings_of_nothing_are_left_out_and_told_with_their_line():
    def train() -> None:
        w = torch.tensor([1.0, 2.0], requires_grad=True)
        optimizer = torch.optim.SGD([w], lr=0.1)
        for _ in range(3):
            optimizer.zero_grad()
            (w**2).sum().backward()
            torch.nn.utils.clip_grad_norm_([w], 1.0)
            optimizer.step()

    run = tour.follow(train)
    narrow = selected(run, 5)
    assert [event.kind for event in narrow.idle] == ["zeroing"]
    shown = [event for moment in (*narrow.beginning, *narrow.end) for event in moment]
    assert narrow.left_out == len(run.events) - len(shown)
    assert narrow.between + len(narrow.idle) == narrow.left_out
    gaps = [item for item in with_gaps(narrow, run) if isinstance(item, Gap)]
    assert [item.events for item in gaps] == [narrow.between]
    (note,) = {note for chart in chart_of(train).less for note in chart.notes if "nothing was there" in note}
    line = next(run.line(event) for event in run.events if event.kind == "zeroing")
    assert note == f"Left out where nothing was there to empty: zeroing at {line.position}."


def test_after_what_is_left_out_a_leaf_that_rests_is_as_the_last_event_left_it():
    def train() -> None:
        leaves = [torch.tensor(1.0, requires_grad=True), torch.tensor(2.0, requires_grad=True)]
        optimizer = torch.optim.SGD(leaves, lr=0.1)
        for i in range(4):
            optimizer.zero_grad()
            ((leaves[i % 2] * 3 - 1) ** 2).backward()
            optimizer.step()

    run = tour.follow(train)
    rests = [change.after for event in run.events for change in event.changes if change.leaf == 0]
    chart = chart_of(train)
    assert [head.head for head in chart.columns].count("…") == 1
    value, grad = chart.lanes[:2]
    assert (value.states[-1], grad.states[-1]) == (number(run.leaves[0].final_value.first[0]), "None")
    assert rests[-1] is None  # its .grad was emptied in what is left out
