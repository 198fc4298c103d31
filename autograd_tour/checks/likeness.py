"""The graph of the record against torchviz: the same nodes, the same edges, the same leaves.

torchviz draws the loss of a fresh run; its dot names every node by the ``id`` of the live object. The record
is walked along the same live graph, so both are compared exactly, as labelled graphs. Compared are

- the nodes that are ``grad_fn``s, each with its class name;
- the edges between them, each as often as it is there: ``x * x`` has two;
- the leaves: each accumulator has its own.

Not compared is what only one of them has. torchviz knows no slots, and leaves out slots without a gradient
(``None`` in ``next_functions``), constants, and what a Function reaches only in its own backward. The record
has no cards for results, which torchviz draws in green; tensors that custom Functions save, in orange, are
facts of their node there. What only the base of a view leads to belongs to another loss.
"""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from typing import Any

from autograd_tour.checks.subject import Fn, Run, Subject, aligned, rerun
from autograd_tour.record.graph import Graph
from autograd_tour.record.verification import Check, Likeness, Skipped
from autograd_tour.tracer.assemble.walk import Skeleton, root_of

__all__ = ["check", "of_outputs", "together"]

MOST = 20
"""Nodes and edges that are named of what only one side has."""

NAMELESS = "CppFunction"
"""The Python type of nodes for which torch has none of their own; torchviz knows no other name for them."""

_STATEMENT = re.compile(
    r'\t(\d+) (?:-> (\d+)(?! \[dir=none)|\[label="?([^"\n ]*).*?(?:fillcolor=(\w+))?\])', re.DOTALL
)
"""A line of torchviz's dot: an edge between two ids, or a node with its label and colour.

Edges without a direction lead to tensors that a custom Function saved, which may be leaves.
"""


@dataclass
class _Drawing:
    """What torchviz drew, by id: class names of ``grad_fn``s, leaves, and how often each edge is there."""

    names: dict[int, str] = field(default_factory=dict)
    leaves: set[int] = field(default_factory=set)
    edges: Counter[tuple[int, int]] = field(default_factory=Counter)


def check(subject: Subject) -> Check:
    """Hold the graph to the one that torchviz draws."""
    with rerun(subject) as run:
        return of_outputs(subject.graph, run)


def of_outputs(graph: Graph, run: Run) -> Check:
    """Hold ``graph`` to the one that torchviz draws of live results."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it imports distutils
            from torchviz import make_dot
    except ImportError as error:
        return Check("torchviz", "skipped", Skipped("not installed", str(error)))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            dot = make_dot(tuple(run.outputs))
    except RecursionError:
        return Check("torchviz", "skipped", Skipped("too deep", str(_depth(run.skeleton))))
    except Exception as error:  # of a nested tensor with jagged rows, for instance
        return Check("torchviz", "skipped", Skipped("torchviz failed", f"{type(error).__name__}: {error}"))
    return _check(_compared(graph, run, _read(dot)))


def together(checks: Sequence[Check]) -> Check:
    """What comes of all graphs of one program: the first that was skipped if any was."""
    likenesses = [check.result for check in checks if isinstance(check.result, Likeness)]
    if len(likenesses) < len(checks):
        return next(check for check in checks if check.outcome == "skipped")
    return _check(
        Likeness(
            likenesses[0].version,
            sum(item.nodes for item in likenesses),
            sum(item.edges for item in likenesses),
            _some(text for item in likenesses for text in item.missing),
            _some(text for item in likenesses for text in item.extra),
            _some(text for item in likenesses for text in item.renamed),
            sum(item.stubs for item in likenesses),
            sum(item.inner for item in likenesses),
            len(likenesses),
        )
    )


def _check(likeness: Likeness) -> Check:
    differs = likeness.missing or likeness.extra or likeness.renamed
    return Check("torchviz", "differs" if differs else "ok", likeness)


def _read(dot: Any) -> _Drawing:
    """The statements of torchviz's ``Digraph``; only its ``grad_fn``s have no colour."""
    drawing = _Drawing()
    for statement in dot.body:
        match = _STATEMENT.match(statement)
        if match is None:
            continue
        start, end, label, color = match.groups()
        if end is not None:
            drawing.edges[int(start), int(end)] += 1
        elif color == "lightblue":
            drawing.leaves.add(int(start))
        elif color is None:
            drawing.names[int(start)] = label
    return drawing


def _compared(graph: Graph, run: Run, drawing: _Drawing) -> Likeness:
    partners = aligned(graph, run.outputs)
    reached = _reached(
        drawing, {id(root_of(output)[0]) for output in run.outputs if output.grad_fn is not None}
    )
    named = {id(fn): node for node, fn in partners.items()}
    drawn_edges = Counter(
        {
            (start, end): count
            for (start, end), count in drawing.edges.items()
            if end in reached and (start in reached or start in drawing.leaves)
        }
    )
    recorded, inner = _recorded(graph)
    edges, loose = _edges(graph, recorded, partners)
    nodes = {id(partners[node]) for node in recorded if node in partners}
    label = _labels(graph, named, drawing, run.skeleton)
    missing = [label(key) for key in reached - nodes]
    missing += [f"{label(end)} → {label(start)}" for start, end in (drawn_edges - edges).elements()]
    extra = [graph.node(node).grad_fn for node in recorded if id(partners.get(node)) not in reached]
    extra += [f"{label(end)} → {label(start)}" for start, end in (edges - drawn_edges).elements()] + loose
    renamed = [
        f"{graph.node(named[key]).grad_fn} is {drawing.names[key]}"
        for key in reached & nodes
        if drawing.names[key] not in (graph.node(named[key]).grad_fn, NAMELESS)
    ]
    operations = {node.id: node.slots for node in graph.nodes if node.kind == "operation"}
    sending = sum(edge.src in operations for edge in graph.select("gradient"))
    return Likeness(
        metadata.version("torchviz"),
        len(reached & nodes),
        (edges & drawn_edges).total(),
        _some(missing),
        _some(extra),
        _some(renamed),
        sum(operations.values()) - sending,
        inner,
    )


def _reached(drawing: _Drawing, roots: set[int]) -> set[int]:
    """The ``grad_fn``s that the results lead to; the base of a view may lead to more."""
    behind: dict[int, list[int]] = {}
    for start, end in drawing.edges:
        behind.setdefault(end, []).append(start)
    reached: set[int] = set()
    pending = list(roots & drawing.names.keys())
    while pending:
        key = pending.pop()
        if key not in reached:
            reached.add(key)
            pending += [start for start in behind.get(key, ()) if start in drawing.names]
    return reached


def _recorded(graph: Graph) -> tuple[set[str], int]:
    """The nodes of the record that torchviz can have, and how many leaves it cannot.

    It draws no accumulator of a leaf that is itself a result and nothing else, and none that only a
    Function's own backward leads to.
    """
    sent = {edge.dst for edge in graph.select("gradient")}
    results = {node for node, _ in graph.outputs}
    recorded = {node.id for node in graph.nodes if node.kind == "operation"}
    accumulators = {node.id for node in graph.nodes if node.kind == "accumulate"}
    inner = sum(node not in sent and graph.leaf_of(node) not in results for node in accumulators)
    return recorded | (accumulators & sent), inner


def _edges(
    graph: Graph, recorded: set[str], partners: dict[str, Fn]
) -> tuple[Counter[tuple[int, int]], list[str]]:
    """The record's edges as torchviz has them, from what is used to its user; then those of no live node."""
    edges: Counter[tuple[int, int]] = Counter()
    loose: list[str] = []
    for edge in graph.select("gradient"):
        if edge.src not in recorded:
            continue
        user = partners.get(edge.src)
        if edge.src in graph.leaves:
            if user is not None and hasattr(user, "variable"):
                edges[id(user.variable), id(user)] += 1
            continue
        used = partners.get(edge.dst)
        if user is None or used is None:
            loose.append(f"{graph.node(edge.src).grad_fn} → {graph.node(edge.dst).grad_fn}")
        else:
            edges[id(used), id(user)] += 1
    return edges, loose


def _labels(graph: Graph, named: dict[int, str], drawing: _Drawing, skeleton: Skeleton) -> Any:
    variables = {id(leaf): "leaf" for leaf in skeleton.leaves()}

    def label(key: int) -> str:
        if key in named:
            return graph.node(named[key]).grad_fn
        return variables.get(key) or drawing.names.get(key, "a node")

    return label


def _depth(skeleton: Skeleton) -> int:
    """Nodes on the longest path."""
    depth = [1] * len(skeleton)
    for i, inputs in enumerate(skeleton.next):
        depth[i] = 1 + max((depth[j] for j, _ in inputs if j >= 0), default=0)
    return max(depth, default=0)


def _some(texts: Iterable[str]) -> tuple[str, ...]:
    ordered: Sequence[str] = sorted(texts)
    return tuple(ordered[:MOST])
