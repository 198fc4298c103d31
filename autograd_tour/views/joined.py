"""A graph without operations that only turn or copy a tensor: what goes through them is joined.

What is left out has one input, one user and no hook, so forward and gradient each go straight on. The
joined gradient edge has both rules, one after the other, and the step of the user sends what the operation
that is left out had sent. What several operations use stays.
"""

from __future__ import annotations

from collections.abc import Collection

from msgspec.structs import replace

from autograd_tour.record.facts import TensorFacts
from autograd_tour.record.graph import BackwardPass, Edge, Graph
from autograd_tour.record.node import Node
from autograd_tour.record.rule import Expression, Rule, Words
from autograd_tour.rules.wording import is_gradient, short

__all__ = ["JOINED", "without"]

JOINED = {
    "transposes": (
        "TBackward0",
        "TransposeBackward0",
        "TransposeBackward1",
        "PermuteBackward0",
        "NumpyTBackward0",
    ),
    "reshapes": (
        "ViewBackward0",
        "UnsafeViewBackward0",
        "ReshapeAliasBackward0",
        "UnsqueezeBackward0",
        "SqueezeBackward0",
        "SqueezeBackward1",
        "SqueezeBackward2",
    ),
    "copies": ("CloneBackward0", "AliasBackward0", "ToCopyBackward0"),
}
"""What can be left out, and the nodes that it is."""


def without(graph: Graph, kinds: Collection[str]) -> Graph:
    """``graph`` with edges joined across the operations of ``kinds``, keys of :data:`JOINED`.

    ``meta.notes`` say how many are left out.
    """
    grad_fns = {grad_fn for kind in kinds for grad_fn in JOINED.get(kind, ())}
    results = {node for node, _ in graph.outputs}
    joining = _Joining(graph)
    for node in graph.nodes:
        if node.kind == "operation" and node.grad_fn in grad_fns and node.id not in results:
            joining.leave_out(node)
    return joining.result(" or ".join(kind for kind in JOINED if kind in kinds))


class _Joining:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.edges: list[Edge | None] = list(graph.edges)
        self.touching: dict[str, list[int]] = {}
        for i, edge in enumerate(graph.edges):
            self.touching.setdefault(edge.src, []).append(i)
            self.touching.setdefault(edge.dst, []).append(i)
        self.gone: set[str] = set()
        self.sent: dict[str, dict[int, TensorFacts | None]] = {}

    def leave_out(self, node: Node) -> None:
        """Join the edges across ``node``, if they go straight through it."""
        each = [(i, edge) for i in self.touching.get(node.id, ()) if (edge := self.edges[i]) is not None]
        ways = [
            [(i, edge) for i, edge in each if edge.kind == kind and getattr(edge, end) == node.id]
            for kind in ("forward", "gradient")
            for end in ("dst", "src")
        ]
        if any(len(way) != 1 for way in ways) or any("hooked" in edge.marks for _, edge in each):
            return
        (((i, into),), ((j, out),), ((k, back),), ((m, on),)) = ways  # forward in, out; gradient in, out
        if back.src != out.dst:
            return
        self.edges[i] = replace(into, dst=out.dst, slot=(into.slot[0], out.slot[1]))
        marks = tuple(dict.fromkeys((*back.marks, *on.marks)))
        slots = back.slot[0], on.slot[1]
        self.edges[k] = replace(back, dst=on.dst, slot=slots, rule=_both(back.rule, on.rule), marks=marks)
        self.edges[j] = self.edges[m] = None
        self.touching[out.dst].append(i)
        self.touching[on.dst].append(k)
        self.gone.add(node.id)
        _, step = self.graph.step(node.id)
        if step is not None and on.slot[0] < len(step.sent):
            arrives = self.sent.get(node.id, {}).get(on.slot[0], step.sent[on.slot[0]])
            self.sent.setdefault(back.src, {})[back.slot[0]] = arrives

    def result(self, what: str) -> Graph:
        """The graph that is left, with a note."""
        if not self.gone:
            return self.graph
        note = f"not shown: {len(self.gone)} {what}; arrows go across them"
        meta = self.graph.meta
        return replace(
            self.graph,
            nodes=tuple(self._node(node) for node in self.graph.nodes if node.id not in self.gone),
            edges=tuple(edge for edge in self.edges if edge is not None),
            passes=tuple(self._pass(run) for run in self.graph.passes[-1:]),
            meta=replace(meta, notes=(*meta.notes, note)),
        )

    def _node(self, node: Node) -> Node:
        """What was saved or cut off keeps its facts; where it came from is not there any more."""
        saved = tuple(replace(item, of="") if item.of in self.gone else item for item in node.saved)
        cut = node.cut
        cut = replace(cut, of="") if cut is not None and cut.of in self.gone else cut
        return replace(node, saved=saved, cut=cut) if saved != node.saved or cut != node.cut else node

    def _pass(self, run: BackwardPass) -> BackwardPass:
        steps = []
        for step in run.steps:
            changed = self.sent.get(step.node, {})
            sent = tuple(changed.get(slot, facts) for slot, facts in enumerate(step.sent))
            if step.node not in self.gone:
                steps.append(replace(step, sent=sent) if changed else step)
        return BackwardPass(tuple(steps))


def _both(first: Rule | None, second: Rule | None) -> Rule | None:
    """One rule after the other; nothing is said where one is not known."""
    for rule, other in ((first, second), (second, first)):
        if isinstance(rule, Expression) and is_gradient(rule):
            return other
    texts = short(first), short(second)
    return Words(", then ".join(texts)) if all(texts) else None
