"""The run of a program that trains, as the page goes through it: line by line, with the state of leaves."""

from __future__ import annotations

from typing import Any

from autograd_tour.record.display import amount
from autograd_tour.record.facts import TensorFacts
from autograd_tour.record.run import OF_GRAD, Event, LeafChange, ReturnedGradient, Run
from autograd_tour.text import one_line
from autograd_tour.views.run_columns import column
from autograd_tour.views.sums import row as sum_row
from autograd_tour.views.wording import tensor_text

__all__ = ["run_data"]

MOST_LEAVES = 24
"""Rows of the table; the report as a file has all leaves."""

MOST_EVENTS = 200


def run_data(run: Run) -> dict[str, Any]:
    """What the script shows: the lines of the program, the leaves as they began, the events in order.

    An event has its line, a heading, words about it, and for each leaf that it changed the part (``value`` or
    ``grad``), what happened in words, and what is there afterwards. ``gap`` says that calls before it were
    not told, so that nothing is known of what it does not touch.
    """
    events = run.events[:MOST_EVENTS]
    lines = sorted(
        {event.where for event in events if event.where is not None},
        key=lambda where: (run.source[where].file, run.source[where].line),
    )
    order = {where: number for number, where in enumerate(lines)}
    notes = [*run.notes]
    if len(run.events) > MOST_EVENTS:
        notes.append(f"in the report: {amount(len(run.events) - MOST_EVENTS, 'more event')}")
    if len(run.leaves) > MOST_LEAVES:
        notes.append(f"in the report: {amount(len(run.leaves) - MOST_LEAVES, 'more leaf', 'more leaves')}")
    return {
        "source": [
            {
                "file": one_line(run.source[where].file, 200),
                "line": run.source[where].line,
                "text": one_line(run.source[where].text, 400),
            }
            for where in lines
        ],
        "leaves": [
            {
                "name": one_line(leaf.name, 80),
                "value": _text(leaf.value),
                "grad": _text(leaf.grad),
            }
            for leaf in run.leaves[:MOST_LEAVES]
        ],
        "events": [
            _event(run, event)
            | {"line": -1 if event.where is None else order[event.where], "gap": gap is not None}
            for event, gap in zip(events, run.untold(), strict=False)
        ],
        "notes": [one_line(note, 300) for note in notes],
    }


def _event(run: Run, event: Event) -> dict[str, Any]:
    heading = column((event,), run, None)
    return {
        "head": heading.head,
        "about": [one_line(text, 120) for text in heading.about],
        "changes": [
            *(_change(event, change) for change in event.changes if change.leaf < MOST_LEAVES),
            *(
                _returned(item, item.leaf)
                for item in event.returned
                if item.leaf is not None and item.leaf < MOST_LEAVES
            ),
        ],
    }


def _returned(item: ReturnedGradient, leaf: int) -> dict[str, Any]:
    """A gradient that was returned: ``.grad`` has what it had."""
    process = f"returned {_text(item.gradient)}; stays "
    return {"leaf": leaf, "part": "grad", "process": process, "after": None, "grad": None}


def _text(facts: TensorFacts | None) -> str:
    return tensor_text(facts, shape=True) if facts is None or facts.has_values else "not known"


def _change(event: Event, change: LeafChange) -> dict[str, Any]:
    part = "grad" if event.kind in OF_GRAD else "value"
    after = _text(change.after)
    if event.kind == "backward" and change.contribution is not None and change.contribution.has_values:
        before, contribution, after = sum_row(change.before, change.contribution, change.after, shape=True)
        process = f"{before} + {contribution} = "
    else:
        process = f"{_text(change.before)} → "
    return {
        "leaf": change.leaf,
        "part": part,
        "process": process,
        "after": after,
        "grad": _text(change.grad) if event.kind == "rebinding" else None,
    }
