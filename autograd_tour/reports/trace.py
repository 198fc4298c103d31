"""One trace as a text report: every number of the pictures, in tables."""

from __future__ import annotations

from collections.abc import Sequence

from autograd_tour.record.facts import TensorFacts
from autograd_tour.record.graph import Edge, Graph
from autograd_tour.record.ledger import Ledger
from autograd_tour.record.node import Node, Saved
from autograd_tour.record.run import Run
from autograd_tour.reports.memory import memory_report
from autograd_tour.reports.run import run_report
from autograd_tour.reports.tables import heading, table
from autograd_tour.reports.tree import tree
from autograd_tour.rules.wording import short
from autograd_tour.text import number as digits
from autograd_tour.text import one_line
from autograd_tour.views.chart_rows import unchanged
from autograd_tour.views.picture import PictureSize
from autograd_tour.views.sums import row as sum_row
from autograd_tour.views.wording import describe_graph, shape_text
from autograd_tour.views.wording import tensor_text as _tensor_text

__all__ = ["report"]

ROWS = 2_000
"""Longest table. A graph of a million nodes gets a report one can still open."""

DIGITS = 6

_POLICIES = {
    "keep": "without zeroing",
    "zero_": "after .grad.zero_()",
    "none": "after zero_grad(set_to_none=True)",
    "program": "as the program does it",
}


def _text(facts: TensorFacts | None, *, shape: bool = True) -> str:
    """A tensor with all the digits that are the same on every CPU."""
    return _tensor_text(facts, shape=shape, digits=DIGITS)


def report(
    graph: Graph,
    ledger: Ledger | None = None,
    run: Run | None = None,
    *,
    title: str = "trace",
    strip: Sequence[str] = (),
    pictures: Sequence[PictureSize] = (),
) -> str:
    """The text report of a graph and, if they are there, of its accumulation ledger and of the whole run.

    ``strip`` are lines that stand first, on what is wrong with the gradients. ``pictures`` are those that
    were drawn of it: how large they are.
    """
    parts: list[str | None] = [f"autograd-tour report: {title}", "=" * (22 + len(title)), ""]
    if strip:
        parts += [*(one_line(line, 300) for line in strip), ""]
    if graph.nodes or ledger is None:
        parts.append(describe_graph(graph))
        parts += [f"Note: {one_line(note, 200)}." for note in graph.meta.remarks]
    if graph.nodes:
        parts += [_source(graph), _forward(graph), heading("grad_fn tree") + tree(graph)]
        parts += [_backward(graph), _leaves(graph), _saved(graph), memory_report(graph)]
        parts.append(_formulas(graph))
    if ledger is not None:
        parts.append(_ledger(ledger))
    if run is not None:
        parts.append(run_report(run))
    if pictures:
        parts.append(_pictures(pictures))
    return "\n".join(part for part in parts if part is not None).rstrip() + "\n"


def _source(graph: Graph) -> str | None:
    if not graph.source:
        return None
    rows = [[line.position, line.function, line.text] for line in graph.source]
    return heading("Source lines that made nodes") + table(["where", "in", "code"], rows)


def _forward(graph: Graph) -> str:
    rows = []
    listed = [node for node in graph.nodes if node.kind != "accumulate"]
    for node in listed[:ROWS]:
        where = graph.source[node.where].position if node.where is not None else ""
        for slot, facts in enumerate(node.values or (None,)):
            first = slot == 0
            name = node.names[slot] if slot < len(node.names) else ""
            rows.append(
                [
                    node.id if first else "",
                    node.kind if first else "",
                    node.op if first and (node.kind == "operation" or not node.name) else "",
                    name,
                    _shape(facts),
                    facts.dtype if facts is not None else "",
                    _text(facts, shape=False) if facts is not None and facts.has_values else "not known",
                    where if first else "",
                ]
            )
    header = ["id", "kind", "operation", "name", "shape", "dtype", "value", "where"]
    return heading("Forward") + table(header, rows) + _more(len(listed))


def _shape(facts: TensorFacts | None) -> str:
    return "" if facts is None else shape_text(facts.shape) or "scalar"


def _backward(graph: Graph) -> str:
    if not graph.passes:
        return heading("Backward") + "  No backward was recorded."
    nodes = graph.by_id()
    edges = {(edge.src, edge.slot[0]): edge for edge in graph.select("gradient")}
    rows = []
    steps = list(graph.numbered_steps())
    for number, step in steps[:ROWS]:
        node = nodes[step.node]
        received = "; ".join(_text(facts) for facts in step.received)
        operation = node.op if node.kind == "operation" else ""
        rows.append([str(step.number or number), node.grad_fn, operation, received, "", "", ""])
        for slot, sent in enumerate(step.sent):
            edge = edges.get((step.node, slot))
            if edge is None:
                rows.append(["", "", "", "", f"[{slot}]", "", "None"])
                continue
            target = nodes[edge.dst]
            to = f"[{slot}] {target.grad_fn}"
            rows.append(["", "", "", "", to, _rule(edge, node), _text(sent)])
    header = ["step", "grad_fn", "operation", "receives", "sends to", "rule", "gradient sent"]
    return heading("Backward, in the engine's order") + table(header, rows, right=[0]) + _more(len(steps))


def _rule(edge: Edge, node: Node) -> str:
    """What the node does, and whether a hook did something to it on its way."""
    slot = edge.slot[0]
    listed = slot < len(node.formula) and node.formula[slot]
    text = short(edge.rule) or ("see formula" if listed else "no rule known")
    return f"{text}, then a hook" if "hooked" in edge.marks else text


def _leaves(graph: Graph) -> str | None:
    rows = []
    for edge in graph.select("gradient"):
        number, step = graph.step(edge.src)
        if not graph.leaf_of(edge.src) or step is None:
            continue
        leaf = graph.node(edge.dst)
        contribution = step.received[0] if step.received else None
        rows.append(
            [
                leaf.name or leaf.op or leaf.id,
                _shape(leaf.value),
                str(step.number or number),
                *sum_row(step.before, contribution, step.after),
            ]
        )
    if not rows:
        return None
    header = ["leaf", "shape", "step", ".grad before", "contribution", ".grad after"]
    return heading("Where gradients end up") + table(header, rows[:ROWS], right=[2]) + _more(len(rows))


def _saved(graph: Graph) -> str | None:
    rows = [
        [node.id, node.grad_fn, item.name, _origin(graph, item), _shape(item.facts), item.state]
        for node in graph.nodes
        for item in node.saved
    ]
    if not rows:
        return None
    header = ["id", "grad_fn", "saved as", "which is", "shape", "state"]
    return heading("Kept in memory for backward") + table(header, rows[:ROWS]) + _more(len(rows))


def _origin(graph: Graph, item: Saved) -> str:
    """What a saved tensor is called where it is a result; ``""`` if that is unknown, or left out."""
    return graph.result_name(item.of, item.slot) if item.of in graph.by_id() else ""


def _formulas(graph: Graph) -> str | None:
    by_grad_fn: dict[str, list[str]] = {}
    for node in graph.nodes:
        if node.grad_fn not in by_grad_fn and any(node.formula):
            by_grad_fn[node.grad_fn] = list(node.formula)
    if not by_grad_fn:
        return None
    rows = [
        [name if slot == 0 else "", f"[{slot}]", formula]
        for name, formulas in sorted(by_grad_fn.items())
        for slot, formula in enumerate(formulas)
        if formula
    ]
    return heading("Derivative formulas (from PyTorch's derivatives.yaml)") + table(
        ["grad_fn", "slot", "formula"], rows[:ROWS]
    )


def _ledger(ledger: Ledger) -> str:
    own = ledger.policies == ("program",)
    whose = "made by the program itself" if own else "a fresh forward each"
    text = heading(f"Accumulation: .grad over {ledger.extent}, {whose}")
    text += f"  {stays}.\n" if (stays := unchanged(ledger)) else ""
    text += "".join(f"  Note: {one_line(note, 200)}.\n" for note in ledger.notes)
    rows = []
    for account in ledger.accounts:
        for p, policy in enumerate(account.policies):
            for number, call in enumerate(account.under(policy), start=1):
                first = number == 1
                rows.append(
                    [
                        account.name if first and p == 0 else "",
                        _POLICIES[policy] if first else "",
                        str(number),
                        *sum_row(call.before, call.contribution, call.after),
                    ]
                )
    if not rows:
        return text + "  No leaf received a gradient."
    header = ["leaf", "before each call", "call", ".grad before", "contribution", ".grad after"]
    return text + table(header, rows[:ROWS], right=[2]) + _more(len(rows))


def _pictures(pictures: Sequence[PictureSize]) -> str:
    rows = [
        [
            size.view,
            f"{digits(size.width)} × {digits(size.height)} px",
            f"{digits(size.text)} px",
            str(size.cards or ""),
        ]
        for size in pictures
    ]
    header = ["view", "width × height", "smallest text", "cards"]
    remarks = [
        f"  {size.view}: {remark}." for size in pictures for remark in (size.folded, *size.left_out) if remark
    ]
    return "\n".join([heading("Pictures") + table(header, rows, right=[2, 3]), *remarks])


def _more(total: int) -> str:
    return f"\n  … and {total - ROWS} more" if total > ROWS else ""
