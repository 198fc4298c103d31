"""What the panel of the page tells about one card: every fact of the record, in words and rows."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from autograd_tour.formats.page.names import title_of
from autograd_tour.record.facts import Stats, TensorFacts
from autograd_tour.record.graph import Graph
from autograd_tour.record.node import Node
from autograd_tour.rules.wording import short
from autograd_tour.text import attribute_text, clean, number, one_line
from autograd_tour.views.derivatives import Derivatives
from autograd_tour.views.equations import equation_of
from autograd_tour.views.steps import Frame, Timeline
from autograd_tour.views.sums import row as sum_row
from autograd_tour.views.wording import tensor_text

__all__ = ["CardDetails", "DetailRow", "Details"]

LONGEST = 400
MOST_ROWS = 60


class DetailRow(Struct, frozen=True, array_like=True, omit_defaults=True):
    """A label, a text, and the frame from which on the text is known.

    ``fact`` names the numbers that the text tells behind its ``lead``, so that a page can tell others:
    ``n3.value.0``, ``n3.grad.0``, ``n3.sent.0``, ``n3.worked.0``, ``n1.before``, ``n1.contribution``,
    ``n1.after``; and ``statistics`` what is told of those alone that were recorded.
    """

    label: str
    text: str
    since: int = 0
    fact: str = ""
    lead: str = ""


class CardDetails(Struct, frozen=True, omit_defaults=True):
    """One card: what stands over the rows, the rows, and the lines of code that made it.

    ``opens`` is the key of the picture in which the card is open, ``""`` for a card that is not folded.
    ``name`` is the title and what tells the card from others of the same; ``outside`` says that it is around
    the card that this picture shows open, not in it.
    """

    title: str
    kind: str
    rows: tuple[DetailRow, ...] = ()
    lines: tuple[int, ...] = ()
    runs_at: int = 0
    opens: str = ""
    name: str = ""
    outside: bool = False


class Details:
    """Finds the details of the cards of one graph; ``told`` are its frames."""

    def __init__(self, graph: Graph, frames: tuple[Frame, ...]) -> None:
        self.graph = graph
        self.timeline = Timeline(graph)
        self.derivatives = Derivatives(graph)
        self.frames = {frame.node: frame for frame in frames if frame.node}
        self.types = {group.path: group.type for group in graph.groups}
        self.nodes = graph.by_id()
        self.deposits = {frame.deposit.leaf: frame for frame in frames if frame.deposit is not None}

    def card(self, node: Node, lines: tuple[int, ...], opens: str = "") -> CardDetails:
        """The details of the card of ``node``, which the lines of code numbered ``lines`` made."""
        frame = self.deposits.get(node.id) or self.frames.get(node.id)
        rows = tuple(self._rows(node))
        kind = "folded operations" if node.kind == "group" else node.kind
        return CardDetails(title_of(node), kind, rows[:MOST_ROWS], lines, frame.number if frame else 0, opens)

    def _rows(self, node: Node) -> Iterator[DetailRow]:
        if node.grad_fn and node.kind != "group":
            yield _row("grad_fn", node.grad_fn)
        if node.where is not None:
            line = self.graph.source[node.where]
            yield _row("line", f"{line.position}  {line.text}")
        if node.inner is not None:
            line = self.graph.source[node.inner]
            yield _row("inside, line", f"{line.position}  {line.text}")
        if node.expression and node.expression != node.op:
            yield _row("expression", node.expression)
        if node.group:
            module = self.types.get(node.group, "")
            yield _row("module", f"{node.group} ({module})" if module else node.group)
        for slot, facts in enumerate(node.values):
            name = node.names[slot] if slot < len(node.names) else ""
            lead = f"value {name or (f'[{slot}]' if len(node.values) > 1 else '')}".rstrip()
            if facts is not None:
                yield from _tensor(lead, facts, 0, fact=f"{node.id}.value.{slot}")
        yield from self._gradients(node)
        for slot, formula in enumerate(node.formula):
            if formula:
                lead = f"derivative [{slot}]" if len(node.formula) > 1 else "derivative"
                yield _row(lead, formula)
        for item in node.saved:
            origin = self.nodes.get(item.of)
            name = self.graph.result_name(origin.id, item.slot) if origin is not None else ""
            what = f"{name} " if name else ""
            state = "" if item.state == "kept" else f" ({item.state})"
            yield _row(f"saved {item.name}", f"{what}{tensor_text(item.facts, digits=6)}{state}")
        if node.kind != "group":
            yield from (_row(name, attribute_text(value)) for name, value in node.attributes)
        if node.fused is not None:
            yield _row("fused", short(node.fused))
        yield from (_row("note", note) for note in node.notes)

    def _gradients(self, node: Node) -> Iterator[DetailRow]:
        deposit = self.deposits.get(node.id)
        if deposit is not None and deposit.deposit is not None:
            contents, when = deposit.deposit, deposit.number
            before, contribution, after = sum_row(
                contents.before, contents.contribution, contents.after, shape=True
            )
            yield _row(".grad before", before, fact=f"{node.id}.before")
            fact = f"{node.id}.contribution"
            yield from _tensor("contribution", contents.contribution, when, contribution, fact=fact)
            yield from _tensor(".grad after", contents.after, when, after, fact=f"{node.id}.after")
        frame = self.frames.get(node.id)
        if frame is None:
            return
        for slot, facts in enumerate(frame.received):
            lead = "gradient in" if len(frame.received) == 1 else f"gradient in [{slot}]"
            arrived = self.timeline.arrivals(node, slot)
            if facts is not None:
                since = arrived[-1] if arrived else frame.number
                yield from _tensor(lead, facts, since, fact=f"{node.id}.grad.{slot}")
        for sent in frame.sent:
            to = one_line(self.graph.result_name(sent.edge.dst, sent.edge.slot[1]), 60)
            rule_text = short(sent.edge.rule)
            rule = f"{rule_text}: " if rule_text else ""
            slot = sent.edge.slot[0]
            text = f"{rule}{tensor_text(sent.facts, digits=6)}"
            yield _row(f"gradient of {to}", text, frame.number, f"{node.id}.sent.{slot}", rule)
            formula = equation_of(self.graph, self.derivatives, sent.edge)
            if formula:
                yield _row("as an equation", formula, frame.number)
            if sent.worked is not None:
                many = sent.facts is not None and sent.facts.numel > 1
                which = (
                    f"its element {sent.worked.element + 1}" if sent.worked.element else "its first element"
                )
                fact = f"{node.id}.worked.{slot}"
                yield _row(which if many else "worked out", sent.worked.text, frame.number, fact)


def _row(label: str, text: str, since: int = 0, fact: str = "", lead: str = "") -> DetailRow:
    return DetailRow(
        one_line(label, 80), one_line(clean(text), LONGEST), since, fact, one_line(clean(lead), LONGEST)
    )


def _tensor(
    label: str, facts: TensorFacts | None, since: int, text: str = "", *, fact: str
) -> Iterator[DetailRow]:
    yield _row(label, text or tensor_text(facts, digits=6), since, fact)
    if facts is not None and facts.stats is not None and facts.numel > 1:
        yield _row("", _statistics(facts.stats), since, "statistics")


def _statistics(stats: Stats) -> str:
    parts = [
        f"{name} {number(value)}"
        for name in ("min", "max", "mean", "norm")
        if (value := getattr(stats, name)) is not None
    ]
    parts += [
        f"{count} {name}"
        for name, count in (("NaN", stats.nan), ("Inf", stats.inf), ("zeros", stats.zero))
        if count
    ]
    return ", ".join(parts)
