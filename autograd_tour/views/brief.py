"""The main picture where room is short: of each tensor a shape and a number, or a line for each card."""

from __future__ import annotations

from msgspec.structs import replace

from autograd_tour.record.facts import TensorFacts
from autograd_tour.record.graph import Edge, Graph
from autograd_tour.record.node import Node
from autograd_tour.rules.wording import short as rule_text
from autograd_tour.views.cards import Artist, holds_constants, scene_by
from autograd_tour.views.gradient_rows import numbered
from autograd_tour.views.look import Look
from autograd_tour.views.naming import module_heads, module_path, title_run
from autograd_tour.views.nonfinite import NonFinite
from autograd_tour.views.pause import collector_paused
from autograd_tour.views.picture import Card, Label, Link, Role, Row, Run, Scene, Shape, within
from autograd_tour.views.wording import elements, shape_text, short

__all__ = ["LEFT_OUT", "brief_scene"]

TITLE_ROOM = 130.0
"""Widest title, px."""
PATH_ROOM = 100.0
NAME_ROOM = 78.0
LONGEST_RULE = 16
"""Characters of a rule that is not left out: half a rule says nothing."""
LONGEST_VALUE = 12
"""Characters of the numbers of a tensor that are told together: ``3, 0, 4``, ``all 0.0625``."""
LONG_TITLE = 20
"""Characters of a statement whose variable stands for it in a line."""
HEAD, LINE = 20.0, 18.0
"""Heights of the first row of a card and of the others, px."""

LEFT_OUT = {
    "numbers": ("lines of code", "saved tensors", "remarks", "long rules", "all but a few numbers"),
    "lines": ("lines of code", "saved tensors", "remarks", "rules", "most numbers"),
}
"""What a brief picture has not, by ``look.brief``."""


@collector_paused()
def brief_scene(graph: Graph, look: Look) -> Scene:
    """Cards and links for a graph, as briefly as ``look.brief`` says."""
    artist = _Numbers(graph, None, look) if look.brief == "numbers" else _Lines(graph, None, look)
    return replace(scene_by(artist), left_out=LEFT_OUT[look.brief or "numbers"])


class _Numbers(Artist):
    """Title, value and gradient, a line each."""

    def _leaf(self, node: Node) -> Card:
        rows = [Row((self._title(node, "paper"),), fill="forward", height=HEAD)]
        if self.look.shows("value"):
            rows += self._line(node.value, "forward", odd=self.odd.values.get((node.id, 0)))
        mailbox = self._mailbox(node) if self.look.shows("grad") else []
        lane = self._lane(rows, mailbox)
        return Card(node.id, "leaf", (*rows, *mailbox), lane=lane, title=f"leaf {self.graph.title(node.id)}")

    def _mailbox(self, leaf: Node) -> list[Row]:
        accumulator = self.graph.accumulator_of(leaf.id)
        number, step = self.graph.step(accumulator)
        if step is None:
            return []
        lead = Run(".grad ", "backward")
        odd = self.odd.received.get((step.node, 0))
        runs = _runs(step.after, "backward", shape=False, odd=odd)
        return [Row((lead, *runs), fill="accumulated_fill", height=HEAD, step=number)]

    def _constant(self, node: Node) -> Card:
        kind = "cut" if node.cut is not None else "constant"
        rows = [
            Row(
                (self._title(node, "ink"),),
                fill="constant_fill",
                height=HEAD,
                mark="cut" if node.cut is not None else "",
            )
        ]
        if self.look.shows("value"):
            rows += self._line(node.value, "muted", odd=self.odd.values.get((node.id, 0)))
        return Card(node.id, "constant", tuple(rows), title=f"{kind} {self.graph.title(node.id)}")

    def _operation(self, node: Node) -> Card:
        return self._made(node, f"{self.graph.title(node.id)} ({node.grad_fn})")

    def _group(self, node: Node) -> Card:
        return self._made(node, f"{self.graph.title(node.id)}, folded")

    def _made(self, node: Node, ends: str) -> Card:
        group = node.kind == "group"
        fill: Role | None = "constant_fill" if group else None
        title = self._title(node, "ink")
        # What an expression does not say itself is where it stands.
        aside = node.group if group and not module_path(node) and node.group not in title.text else ""
        path = (Run(aside, "muted", room=PATH_ROOM, keep_end=True),) if aside else ()
        rows = [Row(module_heads(node, title, PATH_ROOM), path, fill=fill, height=HEAD)]
        rows += self._values(node)
        gradient = [] if holds_constants(node) else self._gradient(node)
        rows, gradient = self._with_step(rows, gradient, node)
        lane = self._lane(rows, gradient)
        # A pile is what was folded; what one call made is one thing.
        shape: Shape = "group" if group and not node.expression else "operation"
        rows = [*rows, *gradient]
        return Card(node.id, shape, tuple(rows), lane=lane, title=ends, path=module_path(node))

    def _with_step(self, rows: list[Row], gradient: list[Row], node: Node) -> tuple[list[Row], list[Row]]:
        """The number of the step on the gradient, or on the title if no row tells one."""
        if gradient and self.graph.step(node.id)[1] is not None:
            return rows, [numbered(gradient[0], self.graph, node, None), *gradient[1:]]
        return self._numbered(rows, gradient, node), gradient

    def _title(self, node: Node, role: Role) -> Run:
        run = title_run(self.graph, node, role, TITLE_ROOM, size=12)
        return replace(run, keep_end=False) if node.expression else run

    def _values(self, node: Node) -> list[Row]:
        if not self.look.shows("value") or self.look.only == "backward":
            return []
        rows: list[Row] = []
        for k, facts in enumerate(node.values[:1]):
            odd = self.odd.values.get((node.id, k))
            rows += self._line(facts, "forward", name=_name(node), odd=odd)
        return rows

    def _line(
        self, facts: TensorFacts | None, role: Role, *, name: str = "", odd: NonFinite | None = None
    ) -> list[Row]:
        return [Row(_runs(facts, role, name=name, odd=odd), height=LINE)] if facts is not None else []

    def _gradient(self, node: Node) -> list[Row]:
        if not self.graph.passes or not self.look.shows("grad"):
            return []
        _, step = self.graph.step(node.id)
        if step is None:
            return [Row((Run("grad not reached", "muted"),), fill="accumulated_fill", height=HEAD)]
        received = [(k, facts) for k, facts in enumerate(step.received) if facts is not None][:1]
        rows = []
        for k, facts in received:
            odd = self.odd.received.get((node.id, k))
            runs = _runs(facts, "backward", shape=False, odd=odd)
            rows.append(Row((Run("grad ", "backward"), *runs), fill="accumulated_fill", height=HEAD))
        return rows

    def link(self, edge: Edge) -> Link | None:
        link = super().link(edge)
        if link is None or link.flow != "backward":
            return link
        text = rule_text(edge.rule) if self.look.shows("rule") else ""
        rule = (Run(text, "backward"),) if 0 < len(text) <= LONGEST_RULE else ()
        alarms = tuple(run for run in link.label.runs if run.role == "error")
        return replace(link, label=Label((*rule, *alarms), link.label.step))


class _Lines(_Numbers):
    """A line for each card: the title, and the value of a scalar or the shape."""

    def _leaf(self, node: Node) -> Card:
        return self._single(node, "leaf", "paper", f"leaf {self.graph.title(node.id)}")

    def _constant(self, node: Node) -> Card:
        return self._single(node, "constant", "ink", f"constant {self.graph.title(node.id)}")

    def _made(self, node: Node, title: str) -> Card:
        shape: Shape = "group" if node.kind == "group" and not node.expression else "operation"
        return self._single(node, shape, "ink", title)

    def _single(self, node: Node, shape: Shape, role: Role, title: str) -> Card:
        facts = node.value if node.kind in ("leaf", "constant") else next(iter(node.values), None)
        odd = self.odd.values.get((node.id, 0))
        value = _value(facts) if facts is not None and facts.numel == 1 else ""
        name = "" if node.kind in ("leaf", "constant") else _name(node)
        colour: Role = "paper" if shape == "leaf" else "forward"
        runs: tuple[Run, ...] = (Run(name, colour, room=NAME_ROOM, keep_end=True),) if name else ()
        if value:
            runs = (*runs, Run(f" = {value}" if name else value, colour))
        if odd is not None:
            runs = (*runs, Run(f" {odd.text()}", "muted" if odd.given else "error", bold=not odd.given))
        fills: dict[str, Role] = {"leaf": "forward", "constant": "constant_fill", "group": "constant_fill"}
        heads = module_heads(node, self._title(node, role), PATH_ROOM)
        if len(heads) > 1 and not value:
            runs = runs[1:] if name else runs  # where a line has a path, no variable is needed besides
        elif name and name == node.brief and len(node.op) > LONG_TITLE:
            heads, runs = (replace(heads[0], text=name), *heads[1:]), runs[1:]
        row = Row(heads, runs, fill=fills.get(shape), height=24, step=self._step(node))
        path = module_path(node)
        return Card(node.id, shape, (row,), lane=12.0, title=title, minimum=34, path=path)

    def _step(self, node: Node) -> int:
        """When its gradient goes on, or is added up; 0 if it has none."""
        if node.kind == "constant" or holds_constants(node) or self.look.only == "forward":
            return 0
        ran = self.graph.accumulator_of(node.id) if node.kind == "leaf" else node.id
        return self.graph.number_in_whole(ran)

    def link(self, edge: Edge) -> Link | None:
        link = super().link(edge)
        if link is None or link.flow != "backward":
            return link
        alarms = tuple(run for run in link.label.runs if run.role == "error")
        return replace(link, label=Label(alarms, link.label.step))


def _name(node: Node) -> str:
    """The variable that its first result is, or none."""
    return node.names[0] if node.names else ""


def _runs(
    facts: TensorFacts | None,
    role: Role,
    *,
    name: str = "",
    shape: bool = True,
    odd: NonFinite | None = None,
) -> tuple[Run, ...]:
    """Name, shape and first number of a tensor, and what of it is not finite."""
    if facts is None:
        return (Run("none", "muted"),)
    scalar = facts.numel == 1 and bool(facts.first)
    value = _value(facts, counted=shape and facts.shape != ())
    text = " ".join(part for part in (shape_text(facts.shape) if shape else "", value) if part)
    behind = f"{' =' if scalar else ''} {text}" if name else text
    named = replace(within("", name, behind, role, NAME_ROOM), keep_end=True)
    runs = [named if name else Run(text, role)]
    if odd is not None:
        runs.append(Run(f" {odd.text()}", "muted" if odd.given else "error", bold=not odd.given))
    return tuple(runs)


def _value(facts: TensorFacts, *, counted: bool = False) -> str:
    """A scalar, a few numbers, what all are, or the first; with ``counted`` a shape says how many."""
    if facts.numel == 1 and facts.first:
        return short(facts.first[0])
    text = elements(facts, 3, counted=counted)
    return text if "…" not in text and len(text) <= LONGEST_VALUE else f"{short(facts.first[0], 3)} …"
