"""Two losses that take turns, as in a GAN: a step that uses what the other loss left in ``.grad``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from autograd_tour.findings.base import Finding, Subject, is_zero, lines_of, listed
from autograd_tour.record.graph import Graph
from autograd_tour.record.run import Event

__all__ = ["findings"]

_FIX = (
    "optimizer_d.zero_grad()   # right before the backward of its own loss, not before that of the other\n"
    "loss_d.backward()\noptimizer_d.step()"
)


class _Mingled(NamedTuple):
    """The backward of the other loss, its step, the backward that added to it, the step that used both."""

    other: Event
    other_step: Event
    own: Event
    step: Event


class _Sources(NamedTuple):
    """What a node is computed from: the names of leaves, and whether there is data without a gradient."""

    leaves: frozenset[str] = frozenset()
    data: bool = False


def findings(subject: Subject) -> Iterator[Finding]:
    """The first step that used both."""
    deposits: dict[int, list[int]] = {}
    for number, event in enumerate(subject.events):
        leaves = {change.leaf for change in event.changes}
        if event.kind == "backward":
            for change in event.changes:
                if change.contribution is not None and not is_zero(change.contribution):
                    deposits.setdefault(change.leaf, []).append(number)
        elif event.kind == "step":
            moments = sorted({moment for leaf in leaves for moment in deposits.get(leaf, ())})
            mingled = _mingled(subject, moments, number)
            if mingled is not None:
                yield _finding(subject, mingled)
                return
        if event.kind in ("step", "zeroing", "gradient"):
            for leaf in leaves:
                deposits.pop(leaf, None)


def _mingled(subject: Subject, moments: Sequence[int], number: int) -> _Mingled | None:
    """Whether the last of these backward calls was of this step's own loss, and one before it of another.

    Of its own: it reaches nothing but what this step changes. Of another: its step is over, and its gradient
    passed through these parameters on its way to what that step changed.
    """
    events, step = subject.events, subject.events[number]
    held = {change.leaf for change in step.changes}
    own = events[moments[-1]] if len(moments) > 1 else step
    if own is step or not {change.leaf for change in own.changes} <= held:
        return None
    for moment in moments[:-1]:
        other = events[moment]
        reached = {change.leaf for change in other.changes}
        for event in events[moment : moments[-1]]:
            beyond = {change.leaf for change in event.changes} & reached
            if event.kind != "step" or not beyond or beyond & held or other.where == own.where:
                continue
            if _passes(subject, other, held, beyond):
                return _Mingled(other, event, own, step)
    return None


def _passes(subject: Subject, backward: Event, held: set[int], beyond: set[int]) -> bool:
    """Whether what is computed of data with the leaves ``beyond`` meets those that are ``held``.

    So a generator's output meets the weights of a discriminator. A head on a shared trunk is the other way
    round: there the trunk's output meets the weights of the head, and both losses may be meant for the trunk.
    """
    run, number = subject.run, backward.graph
    if run is None or number is None or number >= len(run.graphs):
        return False
    weights = {run.leaves[leaf].name for leaf in held}
    makers = {run.leaves[leaf].name for leaf in beyond}
    if weights & makers:
        return False
    graph = run.graphs[number]
    sources = _sources(graph)
    inputs: dict[str, list[_Sources]] = {}
    for edge in graph.select("forward"):
        inputs.setdefault(edge.dst, []).append(sources[edge.src])
    return any(
        any(item.data and item.leaves & makers and not item.leaves & weights for item in items)
        and any(not item.data and item.leaves and item.leaves <= weights for item in items)
        for items in inputs.values()
    )


def _sources(graph: Graph) -> dict[str, _Sources]:
    """Of every node; they are listed inputs first."""
    before: dict[str, list[str]] = {}
    for edge in graph.select("forward"):
        before.setdefault(edge.dst, []).append(edge.src)
    sources: dict[str, _Sources] = {}
    for node in graph.nodes:
        items = [sources.get(source, _Sources()) for source in before.get(node.id, ())]
        own = {graph.title(node.id)} if node.kind == "leaf" else set()
        sources[node.id] = _Sources(
            frozenset(own).union(*(item.leaves for item in items)),
            node.kind == "constant" or any(item.data for item in items),
        )
    return sources


def _finding(subject: Subject, mingled: _Mingled) -> Finding:
    other, other_step, own, step = mingled
    held = [change.leaf for change in step.changes]
    shared = [change.leaf for change in other.changes if change.leaf in held]
    names = _names(subject, shared)
    emptied = next(
        (
            event
            for event in subject.events
            if event.kind == "zeroing" and any(change.leaf in shared for change in event.changes)
        ),
        None,
    )
    beyond = listed(_names(subject, [change.leaf for change in other_step.changes]))
    return Finding(
        "gradient-of-another-loss",
        "warning",
        f"a step used .grad of {listed(names)} in which the gradient of another loss was left",
        lines_of(
            ("emptied too early here", subject.line(emptied) if emptied is not None else None),
            ("the other loss deposits here", subject.line(other)),
            ("adds to it here", subject.line(own)),
            ("both used here", subject.line(step)),
        ),
        f"On its way to {beyond} the gradient of the other loss passes through what is computed with these "
        "parameters, and backward deposits a gradient in them as well. Nothing emptied it before the "
        "backward of their own loss, which adds to .grad: so their step followed both losses. In a GAN each "
        "of the two works against the other.",
        _FIX,
        about=tuple(names),
    )


def _names(subject: Subject, leaves: list[int]) -> list[str]:
    return [subject.run.leaves[leaf].name for leaf in leaves] if subject.run is not None else []
