"""Which moments of a run a picture shows: events that belong together, and the first and last iterations."""

from __future__ import annotations

import io
import tokenize
from collections.abc import Sequence, Set

from msgspec import Struct
from msgspec.structs import replace

from autograd_tour.record.facts import TensorFacts
from autograd_tour.record.run import RENORMING, Event, EventKind, Run
from autograd_tour.text import number, one_line
from autograd_tour.views.picture import RunColumn
from autograd_tour.views.sums import content

__all__ = [
    "Gap",
    "Moment",
    "Selection",
    "code_of",
    "column",
    "gap",
    "selected",
    "where_text",
    "with_gaps",
]

MOST, MOST_OF_MANY = 12, 9
"""Columns of a picture, that of what is left out included; of more than two leaves they stand in one band."""

MOST_AT_END = 4
"""Columns that tell the last of the calls told in full."""

MOST_SETTINGS = 4
MOST_COMPUTED = 2

MOST_CODE = 400
"""Characters of a line of the program; drawing shortens it to its room."""

_HEADS: dict[EventKind, str] = {
    "forward": "forward",
    "backward": "backward",
    "zeroing": "zeroing",
    "clipping": "clipping",
    "gradient": ".grad changed",
    "step": "step",
    "update": "update by hand",
    "rebinding": "new tensor",
}
_TOGETHER: frozenset[EventKind] = frozenset({"zeroing", "clipping", "gradient", "update", "rebinding"})

_OF_VALUES: frozenset[EventKind] = frozenset({"step", "update", "rebinding"})
"""With one of these an iteration is over."""

Moment = tuple[Event, ...]


class Selection(Struct, frozen=True):
    """The moments of a picture: those of the beginning, and the last of the calls told in full.

    ``between`` events are left out after the beginning, and ``left_out`` in all. ``idle`` are those that
    emptied what was empty and are left out among the moments that are shown.
    """

    beginning: tuple[Moment, ...]
    end: tuple[Moment, ...] = ()
    between: int = 0
    left_out: int = 0
    idle: tuple[Event, ...] = ()


def selected(run: Run, most: int | None = None) -> Selection:
    """All moments of a short run; of a long one whole iterations from its beginning, and its last.

    Where not even one iteration has room in ``most`` columns, lines that emptied what was empty stand back.
    """
    moments = _moments(run.events)
    most = most or (MOST if len(run.leaves) <= 2 else MOST_OF_MANY)
    if len(moments) <= most:
        return Selection(tuple(moments))
    ends = _iteration_ends(moments)
    if not any(i <= most - 1 for i in ends):
        moments = [moment for moment in moments if moment[0].kind != "zeroing" or moment[0].changes]
        ends = _iteration_ends(moments)
    last = max((i for i, moment in enumerate(moments) if moment[0].kind == "backward"), default=0)
    end = _last_call(moments[last:]) if last else []
    room = min(most - 1 - len(end), last or most - 1)
    if not any(i <= room for i in ends) and any(i <= most - 1 for i in ends):
        room, end = most - 1, []  # rather one iteration in full than half of it and the last call
    halves = [i + 1 for i in range(room) if moments[i][0].kind == "backward"]
    beginning = moments[: max((i for i in ends if i <= room), default=max(halves, default=room))]
    places = {id(event): i for i, event in enumerate(run.events)}
    first = places[id(beginning[-1][-1])] if beginning else -1
    final = places[id(end[0][0])] if end else len(run.events)
    chosen = {id(event) for moment in (*beginning, *end) for event in moment}
    until = places[id(end[-1][-1])] if end else 0
    idle = [
        event for event in (*run.events[: max(first, 0)], *run.events[final:until]) if id(event) not in chosen
    ]
    left_out = len(run.events) - len(chosen)
    return Selection(tuple(beginning), tuple(end), final - first - 1, left_out, tuple(idle))


def _last_call(moments: Sequence[Moment]) -> list[Moment]:
    """The last backward, and what follows it up to the last change of values."""
    end = list(moments[:MOST_AT_END])
    while len(end) > 1 and end[-1][0].kind not in _OF_VALUES:
        end.pop()
    return end


def _moments(events: Sequence[Event]) -> list[Moment]:
    moments: list[Moment] = []
    for event in events:
        if moments and _belongs(event, moments[-1]):
            moments[-1] = (*moments[-1], event)
        else:
            moments.append((event,))
    return moments


def _belongs(event: Event, moment: Moment) -> bool:
    """Whether ``event`` does to other leaves what ``moment`` did, as ``w -= …`` and ``b -= …``."""
    first = moment[0]
    if event.kind not in _TOGETHER or event.kind != first.kind or event.inside != first.inside:
        return False
    leaves = {change.leaf for earlier in moment for change in earlier.changes}
    return bool(event.changes) and not leaves & {change.leaf for change in event.changes}


def _iteration_ends(moments: Sequence[Moment]) -> list[int]:
    """How many moments there are up to the end of each iteration.

    That is where values change, and the line that calls backward next is the one that called it first: the
    two backward calls and steps of a GAN are of one iteration. Gradients that are emptied next belong to it,
    too, unless at a line with which the first iteration began; where there is no room they stand back.
    """
    backwards = [i for i, moment in enumerate(moments) if moment[0].kind == "backward"]
    changes = [i for i, moment in enumerate(moments) if moment[0].kind in _OF_VALUES]
    if not changes:
        return [i + 1 for i in backwards]
    first = moments[backwards[0]][0].where if backwards else None
    following = {i: next((k for k in backwards if k > i), None) for i in changes}
    ends = [i + 1 for i, k in following.items() if k is None or moments[k][0].where == first]
    begun = {moment[0].where for moment in moments[: changes[0]]}
    return sorted({*ends, *(_emptied_after(moments, end, begun) for end in ends)})


def _emptied_after(moments: Sequence[Moment], end: int, begun: Set[int | None]) -> int:
    """The number of moments with those after the first ``end`` that empty, at lines not in ``begun``."""
    while end < len(moments) and moments[end][0].kind == "zeroing" and moments[end][0].where not in begun:
        end += 1
    return end


# ---- what stands above a column -----------------------------------------------------------------


def column(moment: Moment, run: Run, before: Moment | None) -> RunColumn:
    """The heading of a moment, in the program's own words; ``before`` is the moment before it."""
    first = moment[0]
    lines = [line for line in map(run.line, moment) if line is not None]
    code = list(dict.fromkeys(one_line(code_of(line.text), MOST_CODE) for line in lines if line.text))
    head = _HEADS[first.kind]
    if first.kind == "rebinding" and first.where is None:
        head = "another tensor"  # which may have been there before
    if first.kind == "update" and (first.call or first.inside.endswith(".step")):
        head = "update"  # by a function that the line called, an optimizer, or a closure or hook of its step
    if first.call == RENORMING:
        head = "update by max_norm"
    if first.kind == "backward":
        head += f" {first.backward_call}"
        if first.returned:
            head += ", returned"
    if len(code) > 2:
        code = [code[0], f"… and {len(code) - 1} more lines"]
    return RunColumn(
        first.kind,
        head,
        tuple(code) or ((one_line(first.call, MOST_CODE),) if first.call else ()),
        where_text(moment, run),
        tuple(_about(first)),
        before is not None and _is_last(before[0]) and first.kind not in _OF_VALUES,
    )


def _is_last(event: Event) -> bool:
    """Whether what comes after it begins something new: it changes values, and is not a part of a step."""
    return event.kind in _OF_VALUES and not (event.kind == "update" and event.inside.endswith(".step"))


def code_of(text: str) -> str:
    """A line of the program without its comment.

    >>> code_of("loss.backward()  # once more"), code_of("print('# no comment',")
    ('loss.backward()', "print('# no comment',")
    """
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.COMMENT:
                return text[: token.start[1]].rstrip() or text
    except (tokenize.TokenError, SyntaxError):
        pass  # half a statement
    return text


def where_text(moment: Moment, run: Run) -> str:
    """``train.py:24``, ``train.py:21–22``; ``""`` if it is not known."""
    lines = [line for line in map(run.line, moment) if line is not None]
    if not lines:
        return ""
    numbers = [line.line for line in lines if line.file == lines[0].file]
    last = f"–{max(numbers)}" if max(numbers) > min(numbers) else ""
    return f"{replace(lines[0], line=min(numbers)).position}{last}"


def _about(event: Event) -> list[str]:
    about: list[str] = []
    if event.loss is not None and event.loss.has_values:
        about.append(f"loss {content(event.loss)}")
    if event.creates_graph:
        about.append("it builds a graph of its own")
    elif event.retained:
        about.append("the graph is kept")
    if event.returned:
        about.append("nothing goes into .grad")
        about += [f"{name} gets {content(facts)}" for name, facts in _computed(event)]
    about += [f"{name} {number(value)}" for name, value in event.settings[:MOST_SETTINGS]]
    more = len(event.settings) - MOST_SETTINGS
    if more > 0:
        about.append(f"and {more} more setting{'s' if more > 1 else ''}")
    if event.kind == "zeroing" and not event.changes:
        about.append("nothing was there")
    if event.kind == "clipping" and not event.changes:
        about.append("nothing was clipped")
    if event.kind == "step" and not event.changes:
        about.append("nothing was changed")
    if event.inside:
        about.append(f"inside {one_line(event.inside, 40)}")
    return about


def _computed(event: Event) -> list[tuple[str, TensorFacts | None]]:
    """Tensors that are no leaves of the run and whose gradients were returned, a few."""
    others = [item for item in event.returned if item.leaf is None]
    return [(one_line(item.name or "a tensor", 40), item.gradient) for item in others[:MOST_COMPUTED]]


class Gap(Struct, frozen=True):
    """What is between two columns, or after the last: ``events`` left out, ``calls`` not told in full.

    ``until`` is the backward call that comes next, 0 for none.
    """

    events: int
    calls: int
    until: int = 0


def with_gaps(selection: Selection, run: Run) -> list[Moment | Gap]:
    """The moments of a picture, and what is missing between them and after them."""
    places = {id(event): i for i, event in enumerate(run.events)}
    untold = [0 if gap is None else gap[1] - gap[0] + 1 for gap in run.untold()]
    columns: list[Moment | Gap] = []
    seen = 0
    for k, moment in enumerate((*selection.beginning, *selection.end)):
        last = places[id(moment[-1])]
        calls = sum(untold[seen : last + 1])
        events = selection.between if selection.end and k == len(selection.beginning) else 0
        if calls or events:
            columns.append(Gap(events, calls, moment[0].backward_call))
        columns.append(moment)
        seen = last + 1
    after = 0 if selection.end else selection.between
    highest = max((event.backward_call for event in run.events), default=0)
    calls = sum(untold[seen:]) + max(run.backward_calls - highest, 0)
    if after or (calls and seen == len(run.events)):
        columns.append(Gap(after, calls))
    return columns


def gap(between: Gap) -> RunColumn:
    """The column for what is left out."""
    about = []
    if between.events:
        about.append(f"{between.events} more event{'s' if between.events != 1 else ''}")
    if between.calls:
        about.append(f"{between.calls} more call{'s' if between.calls != 1 else ''}, not told in full")
    if between.until:
        about.append(f"to backward {between.until}")
    return RunColumn("gap", "…", about=tuple(about), begins=True)
