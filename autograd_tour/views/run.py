"""A whole run of a program that trains: what each line did to every leaf, from left to right."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from autograd_tour.errors import UsageError
from autograd_tour.record.facts import Number
from autograd_tour.record.run import OF_GRAD, Curve, Run
from autograd_tour.record.trace import Trace
from autograd_tour.text import one_line
from autograd_tour.views.base import View
from autograd_tour.views.picture import LossCurve, RunChart, RunColumn, RunLane
from autograd_tour.views.run_columns import (
    Gap,
    Moment,
    Selection,
    code_of,
    column,
    gap,
    selected,
    where_text,
    with_gaps,
)
from autograd_tour.views.run_lanes import kept_of, lanes_of

__all__ = ["view"]

MOST_LEAVES, MOST_IN_LONG = 6, 4
"""Leaves of a picture; of a long run fewer, so that it fits a slide."""

SHORT = 6
"""Columns of a run that is not long."""

MOST_LANES, MOST_LANES_IN_LONG = 12, 9
"""Lanes of a picture where optimizers keep something: in one band, and in several."""

ONE_BAND = 8
"""So many columns mostly have room beside each other."""

LESS = (
    *((None, MOST_LEAVES, True), (9, 2, True), (7, 1, True), (5, 1, True)),
    *((None, MOST_LEAVES, False), (9, 3, False), (7, 3, False), (7, 2, False), (5, 2, False), (5, 1, False)),
)
"""Columns and leaves of the same picture where room is short, after the losses are left out.

First with what optimizers keep, then without it.
"""

FEWEST_CALLS = 4
"""Fewer losses than that make no curve."""


class RunView(View):
    """A column for each event; lanes for the value of each leaf, its ``.grad``, and what optimizers keep."""

    name = "run"
    summary = "what each line of a training program does to .grad and to the parameters"

    def picture(self, trace: Trace) -> RunChart:
        """The beginning of the run in full, and the last of the calls told in full.

        Raises:
            UsageError: the trace has no run.
        """
        run = trace.run
        if run is None:
            raise UsageError(
                "this trace has no run: its program does not call backward itself",
                "Trace a function that trains: one that calls loss.backward()",
            )
        return replace(_chart(run), less=tuple(_less(run)))


def _less(run: Run) -> Iterator[RunChart]:
    """Pictures of the run with ever less in them."""
    keeps = any(change.state for event in run.events for change in event.changes)
    for most, leaves, kept in LESS:
        if kept and not keeps:
            continue
        chart = _chart(run, most, leaves, kept=kept)
        left_out = ["the losses"] if chart.curves else []
        left_out += ["what optimizers keep"] if keeps and not kept else []
        notes = (*chart.notes, f"Left out to fit: {' and '.join(left_out)}.") if left_out else chart.notes
        yield replace(chart, curves=(), notes=notes)


def _chart(run: Run, most: int | None = None, leaves: int = MOST_LEAVES, *, kept: bool = True) -> RunChart:
    """The run in at most so many columns and leaves."""
    selection = selected(run, most)
    moments = with_gaps(selection, run)
    happened = [None if isinstance(moment, Gap) else moment for moment in moments]
    columns = [
        gap(moment) if isinstance(moment, Gap) else column(moment, run, happened[i - 1] if i else None)
        for i, moment in enumerate(moments)
    ]
    most_leaves = min(leaves, MOST_LEAVES if len(columns) <= SHORT else MOST_IN_LONG)
    most_lanes = MOST_LANES if len(columns) <= ONE_BAND else MOST_LANES_IN_LONG
    chosen, with_kept = _shares(run, happened, most_leaves, most_lanes if kept else 0)
    lanes = [lane for leaf in chosen for lane in lanes_of(run, leaf, happened, kept=leaf in with_kept)]
    having = sum(bool(kept_of(leaf, happened)) for leaf in chosen)
    untold = having - len(with_kept) if kept else 0
    return RunChart(
        tuple(columns),
        tuple(lanes),
        tuple(_curves(run)),
        "What happens to .grad and to the leaves",
        _summary(run, keeps=any(lane.kept for lane in lanes)),
        _described(run, columns, lanes),
        tuple(_notes(run, selection, len(chosen), untold)),
    )


def _shares(
    run: Run, moments: Sequence[Moment | None], most_leaves: int, most_lanes: int
) -> tuple[list[int], list[int]]:
    """The leaves of a picture, and of them those, one at least, whose mailboxes of an optimizer have room."""
    entries = max((len(kept_of(leaf, moments)) for leaf in range(len(run.leaves))), default=0)
    if not entries or not most_lanes:
        return _leaves(run, moments, most_leaves), []
    chosen = _leaves(run, moments, max(1, min(most_leaves, (most_lanes - entries) // 2)))
    having = [leaf for leaf in chosen if kept_of(leaf, moments)]
    return chosen, having[: max(1, (most_lanes - 2 * len(chosen)) // entries)]


def _leaves(run: Run, moments: Sequence[Moment | None], most: int) -> list[int]:
    """Those whose ``.grad`` something happens to; of many some, evenly, the first and the last among them.

    The others, such as a moving average of weights, only where there are none of these.
    """
    events = [event for moment in moments for event in moment or ()]
    changed = {change.leaf for event in events for change in event.changes}
    with_grad = {change.leaf for event in events if event.kind in OF_GRAD for change in event.changes}
    with_grad |= {item.leaf for event in events for item in event.returned if item.leaf is not None}
    leaves = sorted(with_grad or changed) or list(range(len(run.leaves)))
    if len(leaves) <= most:
        return leaves
    return [leaves[i * (len(leaves) - 1) // max(most - 1, 1)] for i in range(most)]


def _summary(run: Run, *, keeps: bool) -> str:
    calls = f"{run.backward_calls} backward call{'s' if run.backward_calls != 1 else ''}"
    on_grad = "what is added to .grad, emptied or changed"
    if keeps:
        return f"{calls}, line by line: {on_grad}, which values a step changes, and what the optimizer keeps"
    return f"{calls}, line by line: {on_grad}, and which values a step changes"


def _notes(run: Run, selection: Selection, leaves: int, untold: int) -> Iterator[str]:
    """What is not in the picture; of ``untold`` leaves only that which optimizers keep."""
    parts = []
    if selection.left_out:
        parts.append(f"{selection.left_out} more event{'s' if selection.left_out != 1 else ''}")
    if len(run.leaves) > leaves:
        more = len(run.leaves) - leaves
        parts.append(f"{more} more {'leaf' if more == 1 else 'leaves'}")
    if parts:
        yield f"… and {' and '.join(parts)} in the report."
    if selection.idle:
        places = ", ".join(
            dict.fromkeys(text for event in selection.idle if (text := where_text((event,), run)))
        )
        yield f"Left out where nothing was there to empty: zeroing{f' at {places}' if places else ''}."
    yield from (f"{note[:1].upper()}{note[1:]}." for note in run.notes)
    if untold:
        leaves_text = "the other leaf" if untold == 1 else f"the other {untold} leaves"
        yield f"What the optimizer keeps of {leaves_text} is in the report."


def _curves(run: Run) -> Iterator[LossCurve]:
    for curve in run.curves:
        points = tuple((call, _finite(loss)) for call, loss in zip(curve.calls, curve.losses, strict=True))
        if len([loss for _, loss in points if loss is not None]) >= FEWEST_CALLS:
            yield LossCurve(_name(run, curve), points)


def _finite(loss: Number | None) -> float | None:
    return None if loss is None or isinstance(loss, str) else float(loss)


def _name(run: Run, curve: Curve) -> str:
    line = run.line(curve)
    return "loss" if line is None else f"{line.position}  {one_line(code_of(line.text), 60)}"


def _described(run: Run, columns: Sequence[RunColumn], lanes: Sequence[RunLane]) -> str:
    """The picture in sentences, for those who cannot see it."""
    sentences = [f"{_summary(run, keeps=any(lane.kept for lane in lanes))}."]
    for i, head in enumerate(columns):
        phrases = [" ".join([head.head, *head.code]), *([head.where] if head.where else []), *head.about]
        for lane in lanes:
            cell = lane.cells[i]
            if cell is not None:
                words = " ".join(text.text for line in cell.lines for text in line)
                phrases.append(f"{lane.name} {words}")
        sentences.append(f"{', '.join(phrases)}.")
    return " ".join(sentences)


view = RunView()
