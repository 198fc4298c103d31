"""Two graphs as one that says what is added, gone or changed: structure first, then values."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from autograd_tour.record.facts import Number, TensorFacts
from autograd_tour.record.graph import BackwardPass, Edge, Graph, SourceLine, Step
from autograd_tour.record.node import Change, ChangeKind, Node, State
from autograd_tour.text import attribute_text, number
from autograd_tour.views.matching import matches
from autograd_tour.views.quotient import flow, topological

__all__ = ["diff", "differs", "tell"]

NONE = "none"


def diff(a: Graph, b: Graph) -> Graph:
    """One graph with all nodes and edges of both; each has a state and says what changed.

    What is in both has the ids and the data of ``b``, and :attr:`~autograd_tour.record.node.Node.changes`
    tell how it was in ``a``. What is gone keeps the data of ``a`` under new ids. Numbers count as
    changed if they differ in their first six digits. Neither graph is changed.
    """
    return _Merge(a, b).result()


def differs(graph: Graph) -> bool:
    """Whether anything in a result of :func:`diff` is not the same."""
    return any(node.state != "same" for node in graph.nodes) or any(e.state != "same" for e in graph.edges)


class _Merge:
    def __init__(self, a: Graph, b: Graph) -> None:
        self.a, self.b = a, b
        self.partners = matches(a, b)
        taken = {node.id for node in b.nodes}
        self.names = dict(self.partners)
        count = 0
        for node in a.nodes:
            if node.id not in self.names:
                while f"g{count}" in taken:
                    count += 1
                self.names[node.id] = f"g{count}"
                taken.add(f"g{count}")
        self.source = list(b.source)
        self.lines = {line: i for i, line in enumerate(b.source)}

    def result(self) -> Graph:
        back = {now: was for was, now in self.partners.items()}
        old = self.a.by_id()
        merged: dict[str, Node] = {}
        for node in self.b.nodes:
            was = old.get(back.get(node.id, ""))
            if was is None:
                merged[node.id] = replace(node, state="added")
                continue
            changes = tuple(self._changes(was, node))
            state: State = "changed" if changes else "same"
            merged[node.id] = replace(node, state=state, changes=changes)
        for node in self.a.nodes:
            if node.id not in self.partners:
                merged[self.names[node.id]] = self._gone(node)
        edges = tuple(self._edges())
        # What is gone stands where its makers and users leave it a place.
        position = {self.names[node.id]: i / (len(self.a.nodes) or 1) for i, node in enumerate(self.a.nodes)}
        position |= {node.id: i / (len(self.b.nodes) or 1) for i, node in enumerate(self.b.nodes)}
        order = sorted(merged, key=lambda name: (position[name], name))
        nodes = tuple(merged[name] for name in order)
        graph = Graph(
            nodes,
            edges,
            groups=tuple(dict.fromkeys((*self.b.groups, *self.a.groups))),
            passes=self._passes(),
            source=tuple(self.source),
            outputs=tuple(dict.fromkeys((*self.b.outputs, *((self.names[n], k) for n, k in self.a.outputs)))),
            meta=replace(
                self.b.meta,
                notes=tuple(dict.fromkeys((*self.a.meta.remarks, *self.b.meta.remarks))),
                folding="",
            ),
        )
        kinds = {node.id: node.kind for node in nodes}
        front = topological([name for name in order if kinds[name] != "accumulate"], flow(graph))
        rest = [name for name in order if kinds[name] == "accumulate"]
        return replace(graph, nodes=tuple(merged[name] for name in (*front, *rest)))

    def _gone(self, node: Node) -> Node:
        where, inner = (None if n is None else self._line(self.a.source[n]) for n in (node.where, node.inner))
        saved = tuple(replace(item, of=self.names.get(item.of, "")) for item in node.saved)
        # The calls of functions are those of the second run: what is gone belongs to none of them.
        return replace(
            node, id=self.names[node.id], where=where, inner=inner, scope=None, saved=saved, state="gone"
        )

    def _line(self, line: SourceLine) -> int:
        if line not in self.lines:
            self.lines[line] = len(self.source)
            self.source.append(line)
        return self.lines[line]

    def _edges(self) -> Iterator[Edge]:
        old: dict[tuple[object, ...], Edge] = {}
        for edge in self.a.edges:
            moved = replace(edge, src=self.names[edge.src], dst=self.names[edge.dst])
            old[moved.src, moved.dst, moved.kind, moved.slot] = moved
        for edge in self.b.edges:
            was = old.pop((edge.src, edge.dst, edge.kind, edge.slot), None)
            state: State = "added"
            if was is not None:
                state = "same" if (was.rule, was.marks) == (edge.rule, edge.marks) else "changed"
            yield replace(edge, state=state)
        for edge in old.values():
            yield replace(edge, state="gone")

    def _passes(self) -> tuple[BackwardPass, ...]:
        gone = [
            replace(step, node=self.names[step.node])
            for _, step in self.a.numbered_steps()
            if step.node not in self.partners
        ]
        steps = (*(step for _, step in self.b.numbered_steps()), *gone)
        return (BackwardPass(steps),) if self.a.passes or self.b.passes else ()

    # ---- what changed ---------------------------------------------------------------------

    def _changes(self, was: Node, now: Node) -> Iterator[Change]:
        if was.kind == "accumulate":
            return
        yield from _structure(was, now, _where(self.a, was), _where(self.b, now))
        for slot in range(max(len(was.values), len(now.values))):
            before, after = (n.values[slot] if slot < len(n.values) else None for n in (was, now))
            if before is not None and after is not None:
                yield from _tensor_changes("value", f"value [{slot}]" if slot else "value", before, after)
        if not (self.a.passes and self.b.passes):
            if self.a.passes or self.b.passes:
                records = ["recorded" if graph.passes else "not recorded" for graph in (self.a, self.b)]
                yield Change("structure", "backward", records[0], records[1])
            return
        if was.kind == "leaf":
            steps = [g.step(g.accumulator_of(n.id))[1] for g, n in ((self.a, was), (self.b, now))]
            yield from _tensor_changes("grad", ".grad", *(step.after if step else None for step in steps))
        elif was.kind != "constant":
            yield from self._gradients(self.a.step(was.id)[1], self.b.step(now.id)[1])

    def _gradients(self, was: Step | None, now: Step | None) -> Iterator[Change]:
        before, after = (step.received if step else () for step in (was, now))
        arrived, arrives = (any(facts is not None for facts in received) for received in (before, after))
        if arrived != arrives:
            first = next(facts for facts in (*before, *after) if facts is not None)
            words = "none arrives any more" if arrived else "none arrived"
            texts = (tell(first), words) if arrived else (words, tell(first))
            yield Change("gradient", "gradient", *texts)
            return
        for slot in range(max(len(before), len(after))):
            facts = [received[slot] if slot < len(received) else None for received in (before, after)]
            yield from _tensor_changes("gradient", f"gradient [{slot}]" if slot else "gradient", *facts)


def _structure(was: Node, now: Node, old_line: str, line: str) -> Iterator[Change]:
    if was.grad_fn != now.grad_fn:
        yield Change("structure", "operation", was.grad_fn or was.op, now.grad_fn or now.op)
    elif was.kind in ("operation", "group") and was.op != now.op:
        yield Change("structure", "reads", was.op, now.op)
    facts = [("kind", was.kind, now.kind), ("name", was.name, now.name), ("module", was.group, now.group)]
    if (was.grad_fn, was.op) != (now.grad_fn, now.op):  # a line holds several operations
        facts.append(("line", old_line, line))
    for what, before, after in facts:
        if before != after:
            yield Change("structure", what, before or NONE, after or NONE)
    if was.folded != now.folded:
        yield Change("structure", "operations inside", str(was.folded), str(now.folded))
    mine, yours = ({key: attribute_text(value) for key, value in node.attributes} for node in (was, now))
    for key in sorted(mine.keys() | yours.keys()) if now.kind == "operation" else ():
        if mine.get(key) != yours.get(key):
            yield Change("structure", key, mine.get(key, NONE), yours.get(key, NONE))
    kept = [
        ", ".join(f"{s.name} {s.state}" for s in n.saved if s.state not in ("kept", "none"))
        for n in (was, now)
    ]
    if kept[0] != kept[1]:
        yield Change("structure", "saved", kept[0] or "kept", kept[1] or "kept")


def _where(graph: Graph, node: Node) -> str:
    return "" if node.where is None else graph.source[node.where].text


def _tensor_changes(
    kind: ChangeKind, what: str, before: TensorFacts | None, after: TensorFacts | None
) -> Iterator[Change]:
    """A change of a tensor: of its shape or type if these differ, else of its numbers."""
    if before is None or after is None:
        if before is not after:
            yield Change(kind, what, tell(before), tell(after))
        return
    if (before.shape, before.dtype, before.device) != (after.shape, after.dtype, after.device):
        yield Change(kind, what, tell(before, full=True), tell(after, full=True))
    elif _differ(before, after):
        yield Change(kind, what, tell(before), tell(after))
    elif before.stats is not None and after.stats is not None and before.stats != after.stats:
        for key in ("norm", "mean", "min", "max", "nan", "inf", "zero"):
            pair = [getattr(facts.stats, key) for facts in (before, after)]
            if None not in pair and number(pair[0]) != number(pair[1]):
                yield Change(kind, f"{what}: {key}", number(pair[0]), number(pair[1]))
                return


def _differ(before: TensorFacts, after: TensorFacts) -> bool:
    """Whether the elements that both records kept differ, or one of them kept none."""
    count = min(len(before.first), len(after.first)) or None
    kept = [_numbers(facts.first[:count], facts.last) for facts in (before, after)]
    return kept[0] != kept[1]


def _numbers(first: tuple[Number, ...], last: Number | None) -> list[str]:
    return [number(value) for value in (*first, *(() if last is None else (last,)))]


def tell(facts: TensorFacts | None, *, full: bool = False) -> str:
    """A tensor in a few words: up to three elements, with ``full`` its shape and type too."""
    if facts is None:
        return "None"
    shape = f"({', '.join(map(str, facts.shape))})" if facts.shape else ""
    lead = " ".join(part for part in (shape or "scalar", facts.dtype) if part) if full else ""
    if not facts.first:
        return lead or shape or "not known"
    if facts.numel <= 3 and len(facts.first) == facts.numel:
        body = ", ".join(number(value, 6 if facts.numel == 1 else 4) for value in facts.first)
    else:
        last = facts.last if facts.last is not None else facts.first[-1]
        body = f"{number(facts.first[0], 4)} … {number(last, 4)}"
    return f"{lead} {body}".strip()
