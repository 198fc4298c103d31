"""The mailbox of a leaf: what was in its ``.grad``, what arrives and from where, and what is there then."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec.structs import replace

from autograd_tour.record.graph import Graph, Step
from autograd_tour.record.node import Node
from autograd_tour.views.derivatives import Derivatives
from autograd_tour.views.nonfinite import NonFinites
from autograd_tour.views.picture import Row, Run, within
from autograd_tour.views.steps import Timeline
from autograd_tour.views.sums import MOST_PARTS, Part, added, content, uses

__all__ = ["Mailbox"]

SIGN_ROOM = 220.0
USE_ROOM = 130.0
"""Widest name of what used a shared parameter, px."""


class Mailbox:
    """Makes the rows of every leaf of one graph; with a ``timeline`` they fill up as backward runs."""

    def __init__(
        self,
        graph: Graph,
        timeline: Timeline | None,
        parts: Mapping[tuple[str, int], tuple[Part, ...]],
        odd: NonFinites,
        derivatives: Derivatives,
    ) -> None:
        self.graph = graph
        self.timeline = timeline
        self.parts = parts
        self.odd = odd
        self.derivatives = derivatives

    def rows(self, leaf: Node) -> tuple[Row, ...]:
        """``.grad  before + contribution = after``, and a row for each module that a parameter serves."""
        accumulator = self.graph.accumulator_of(leaf.id)
        number, step = self.graph.step(accumulator)
        fact = f"{leaf.id}.mailbox"
        if step is None:
            absent = "not reached" if self.graph.passes else "not recorded"
            if self.parts.get((accumulator, 0)):
                absent = "nothing is added"  # a gradient came as far as here: it is returned, or not wanted
            runs = (Run(".grad  ", "backward"), Run(absent, "muted"))
            return (Row(runs, fill="accumulated_fill", height=24, fact=fact, detail="gradient"),)
        disc = self.graph.number_in_whole(accumulator)
        parts = self.parts.get((accumulator, 0), ())
        total = self._total(step, parts)
        if self.timeline is None:
            first = Row(total, fill="accumulated_fill", height=24, step=disc, fact=fact, detail="gradient")
            return (first, *self._uses(leaf, parts))
        first = Row(
            total,
            fill="accumulated_fill",
            height=24,
            step=disc,
            fact=fact,
            since=number,
            earlier=self._waiting(step, self.timeline),
            detail="gradient",
        )
        return (first, *self._uses(leaf, parts))

    def sign(self, leaf: Node) -> tuple[Row, ...]:
        """What the sign of the gradient says of a leaf of one element, where that is sure."""
        sentence = self.derivatives.sign(leaf)
        if sentence is None:
            return ()
        number, _ = self.graph.step(self.graph.accumulator_of(leaf.id))
        since = number if self.timeline is not None else 0
        earlier: tuple[tuple[int, tuple[Run, ...]], ...] = ((0, ()),) if since else ()
        whose = within("", sentence[0], " ", "backward", SIGN_ROOM)
        runs, fact = (whose, Run(sentence[1], "backward")), f"{leaf.id}.mailbox.sign"
        row = Row(runs, fill="accumulated_fill", height=20, fact=fact, since=since, detail="sign")
        return (replace(row, earlier=earlier),)

    def _total(self, step: Step, parts: tuple[Part, ...]) -> tuple[Run, ...]:
        contribution = step.received[0] if step.received else None
        hooked = any("hooked" in part.edge.marks for part in parts)
        summands = [] if hooked else [part.facts for part in parts]
        text, after = added(step.before, summands, contribution, step.after)
        brief = added(step.before, summands, contribution, step.after, brief=True)
        odd = self.odd.received.get((step.node, 0))
        alarm = (Run(f"  {odd.text()}", "error", bold=True),) if odd is not None else ()
        return (Run(".grad  ", "backward"), *_sum((text, after), brief), *alarm)

    def _uses(self, leaf: Node, parts: tuple[Part, ...]) -> tuple[Row, ...]:
        """What each module that shares a parameter brings, in the order in which it arrives."""
        modules = uses(self.graph, parts)
        rows = [
            Row(
                (
                    Run(f"   {content(part.facts)}", "backward"),
                    within("  from ", name, "", "muted", USE_ROOM),
                ),
                fill="accumulated_fill",
                height=20,
                fact=f"{leaf.id}.uses",
                since=self.timeline.ran.get(part.edge.src, 0) if self.timeline is not None else 0,
                detail="gradient",
            )
            for part, name in zip(parts, modules, strict=False)
        ]
        if len(rows) > MOST_PARTS:
            uses_left = (Run(f"   … {len(rows) - MOST_PARTS} more uses", "muted"),)
            more = Row(uses_left, fill="accumulated_fill", detail="gradient")
            return (*rows[:MOST_PARTS], more)
        return tuple(rows)

    def _waiting(self, step: Step, timeline: Timeline) -> tuple[tuple[int, tuple[Run, ...]], ...]:
        """The mailbox before its accumulator ran: what is in it, and what has arrived at it."""
        holds = (Run(".grad  ", "backward"), Run(content(step.before), "backward", bold=True))
        numbers = timeline.arrivals(self.graph.node(step.node), 0)
        stages: list[tuple[int, tuple[Run, ...]]] = [(0, holds)]
        for number, text in timeline.partial(numbers):
            stages.append((number, (*holds, Run(f"  ← {text}", "backward"))))
        contribution = step.received[0] if step.received else None
        if numbers and numbers[-1] < timeline.ran[step.node]:
            stages.append((numbers[-1], (*holds, Run(f"  ← {content(contribution)}", "backward"))))
        return tuple(stages)


def _sum(text: tuple[str, str], brief: tuple[str, str]) -> Iterator[Run]:
    """What is added and what comes out, with what stands for it where room is short."""
    for whole, short, bold in zip(text, brief, (False, True), strict=True):
        yield Run(whole, "backward", bold, brief=short if short != whole else "")
