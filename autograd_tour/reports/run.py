"""The run of a program that trains, as text: event by event, then its losses, then what is to be known."""

from __future__ import annotations

from collections.abc import Iterator

from autograd_tour.record.display import amount
from autograd_tour.record.facts import TensorFacts
from autograd_tour.record.run import OF_GRAD, Curve, Event, LeafChange, ReturnedGradient, Run, RunLeaf
from autograd_tour.reports.tables import heading, table
from autograd_tour.text import number, one_line
from autograd_tour.views.run_columns import column, where_text
from autograd_tour.views.sums import row as sum_row
from autograd_tour.views.wording import shape_text, tensor_text

__all__ = ["run_report"]

LINES = 2_000
CODE = 100
"""Characters of a line of the program."""
DIGITS = 6
POINTS = 20
"""Rows of the table of losses; between them calls are left out evenly."""
MOST_NORMS = 6


def run_report(run: Run) -> str:
    """All events in order, a line for each, and below it one for each leaf that it changed and for each
    tensor that an optimizer keeps of it.
    """
    lines = list(_events(run))
    more = [f"  … and {amount(len(lines) - LINES, 'more line')}"] if len(lines) > LINES else []
    parts = [heading("The run, event by event") + "\n".join([*lines[:LINES], *more])]
    parts.append(heading("The leaves, before the run and after it") + _leaves(run.leaves))
    parts += [_losses(run, curve) for curve in run.curves]
    if run.notes:
        parts.append("\n" + "\n".join(f"  Note: {one_line(note, 200)}." for note in run.notes))
    return "\n".join(parts)


def _text(facts: TensorFacts | None) -> str:
    """A tensor with all the digits that are the same on every CPU."""
    if facts is not None and not facts.has_values:
        return "not known"
    return tensor_text(facts, shape=False, digits=DIGITS)


# ---- events -----------------------------------------------------------------------------------------


def _events(run: Run) -> Iterator[str]:
    headings = [column((event,), run, None) for event in run.events]
    what = max([len(item.head) for item in headings], default=0)
    where = max([len(one_line(item.where, CODE)) for item in headings], default=0)
    names = max([len(one_line(leaf.name, CODE)) for leaf in run.leaves], default=0)
    for i, (event, item, gap) in enumerate(zip(run.events, headings, run.untold(), strict=True), start=1):
        if gap is not None:
            calls = f"backward {gap[0]} is" if gap[0] == gap[1] else f"backward {gap[0]} to {gap[1]} are"
            yield f"     …  {calls} not told in full"
        code = one_line(", ".join(item.code), CODE)
        about = f"   [{', '.join(item.about)}]" if item.about else ""
        line = one_line(item.where, CODE).ljust(where)
        yield f"  {i:4}  {item.head.ljust(what)}  {line}  {code}{about}".rstrip()
        for change in event.changes:
            name = one_line(run.leaves[change.leaf].name, CODE).ljust(names)
            yield f"          {name}  {_change(event, change)}"
            for kept in change.state:
                yield f"          {name}  {kept.name}  {_text(kept.before)} → {_text(kept.after)}"
        for gradient in event.returned:
            name = one_line(gradient.name or "a tensor", CODE).ljust(names)
            yield f"          {name}  {_returned(gradient)}"
    last = max((event.backward_call for event in run.events), default=0)
    if last < run.backward_calls:
        first, end = last + 1, run.backward_calls
        calls = f"backward {first} is" if first == end else f"backward {first} to {end} are"
        yield f"     …  {calls} not told in full, nor what happened after that"


def _change(event: Event, change: LeafChange) -> str:
    if event.kind == "backward" and change.contribution is not None and change.contribution.has_values:
        before, contribution, after = sum_row(change.before, change.contribution, change.after)
        return f".grad  {before} + {contribution} → {after}"
    text = f"{_text(change.before)} → {_text(change.after)}"
    if event.kind in OF_GRAD:
        return f".grad  {text}"
    what = ".grad used" if event.kind == "step" else "its .grad"
    return f"value  {text}" + (f"   ({what}: {_text(change.grad)})" if change.grad is not None else "")


def _returned(item: ReturnedGradient) -> str:
    what = "the gradient" if item.leaf is not None else "the gradient of what was computed"
    return f"{what}, returned: {_text(item.gradient)}"


def _leaves(leaves: tuple[RunLeaf, ...]) -> str:
    rows = [
        [
            leaf.name,
            shape_text(leaf.shape) or "scalar",
            _text(leaf.value),
            _text(leaf.final_value),
            _text(leaf.grad),
            _text(leaf.final_grad),
        ]
        for leaf in leaves[:LINES]
    ]
    return table(["leaf", "shape", "value before", "value after", ".grad before", ".grad after"], rows)


# ---- losses -----------------------------------------------------------------------------------------


def _losses(run: Run, curve: Curve) -> str:
    line = run.line(curve)
    at = "" if line is None else f" at {where_text((Event('backward', curve.where),), run)}"
    count = len(curve.calls)
    points = range(count) if count <= POINTS else [i * (count - 1) // (POINTS - 1) for i in range(POINTS)]
    norms = curve.norms[:MOST_NORMS]
    what = "gradient returned" if curve.returned else ".grad"
    names = [_norm(run.leaves[leaf].name, curve) for leaf in curve.leaves] or [f"‖{what}‖ of all leaves"]
    rows = [
        [str(curve.calls[i]), *("" if value is None else number(value) for value in values)]
        for i in points
        for values in [(curve.losses[i], *(course[i] for course in norms))]
    ]
    left_out = f", {len(rows)} of {amount(curve.of, 'call')}" if len(rows) < curve.of else ""
    norms_of = "what each returned" if curve.returned else ".grad after each"
    title = f"Losses of the backward calls{at}, and norms of {norms_of}{left_out}"
    text = heading(title) + table(["call", "loss", *names[:MOST_NORMS]], rows, right=[0])
    more = len(names) - MOST_NORMS
    return text + (f"\n  … and the norms of {amount(more, 'more leaf', 'more leaves')}" if more > 0 else "")


def _norm(leaf: str, curve: Curve) -> str:
    return f"‖gradient of {leaf}‖" if curve.returned else f"‖{leaf}.grad‖"
