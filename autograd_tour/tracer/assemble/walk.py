"""The grad_fn graph as flat lists: iterative, in a fixed order, and safe to forget.

Looking at a node from Python ties its wrapper to it, and freeing a long chain of such nodes
recurses on the C stack until the process dies. Two measures make a looked-at graph as safe to free
as it was before: :func:`make_safe` cuts the recursion into short pieces that outlive the walk, and
:meth:`Skeleton.release` lets go of the wrappers root first.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

__all__ = ["Skeleton", "accumulator_of", "number_of_node", "root_of", "walk"]

NodeFn = Any
"""A ``torch.autograd.graph.Node``; torch's own annotation lacks half of what it has."""

CHAIN_LIMIT = 500
"""Deepest recursion allowed while freeing. A thread with a stack of 512 KB survives 4,000."""


HELD = 100_000
"""Nodes whose inputs the walk keeps while it is below them. Those of further ones it asks for again."""


class Skeleton:
    """Nodes in topological order (inputs first) and what connects them, as parallel lists.

    ``next[i]`` has (index, output number) for each entry of ``next_functions``, index -1 for a
    ``None`` stub. ``roots[r]`` is the index of the r-th root.
    """

    def __init__(self) -> None:
        self.fns: list[NodeFn] = []
        self.names: list[str] = []
        self.next: list[tuple[tuple[int, int], ...]] = []
        self.roots: list[int] = []

    def __len__(self) -> int:
        return len(self.names)

    def leaves(self) -> list[Tensor]:
        """The leaves, in the order of their accumulators."""
        return [
            fn.variable for fn, name in zip(self.fns, self.names, strict=True) if name == "AccumulateGrad"
        ]

    def numbers(self) -> list[int]:
        """The number of each node in its thread, -1 for an accumulator."""
        return [
            -1 if name == "AccumulateGrad" else fn._sequence_nr()
            for fn, name in zip(self.fns, self.names, strict=True)
        ]

    def release(self) -> None:
        """Forget the live nodes, root first, so that no node frees a chain behind it."""
        fns = self.fns
        while fns:
            fns.pop()


def root_of(tensor: Tensor) -> tuple[NodeFn, int]:
    """The node and the output number that ``tensor`` stands for (a leaf's is its accumulator)."""
    edge = torch.autograd.graph.get_gradient_edge(tensor)
    return edge.node, edge.output_nr


def number_of_node(tensor: Tensor) -> int:
    """The number of the node that made ``tensor``: the same for all looks at one graph."""
    with torch._C.DisableTorchFunction():
        return int(root_of(tensor)[0]._sequence_nr())


def accumulator_of(leaf: Tensor) -> NodeFn | None:
    """What adds to ``.grad`` of ``leaf``; ``None`` where torch shows none, as for sparse CSR."""
    try:
        with torch._C.DisableTorchFunction():
            return root_of(leaf)[0]
    except (AssertionError, NotImplementedError, RuntimeError):
        return None


def walk(roots: Iterable[NodeFn]) -> Skeleton:
    """All nodes that the engine can reach from ``roots``.

    The order is the postorder of a depth-first walk along ``next_functions``, so it depends on
    the structure alone and is the same in every process.
    """
    skeleton = Skeleton()
    fns, node_names, connections = skeleton.fns, skeleton.names, skeleton.next
    index: dict[NodeFn, int] = {}  # of the nodes that were left
    names: dict[type, str] = {}
    pending: list[NodeFn | None] = []  # to be entered; at None the last one of `entered` is left
    entered: list[NodeFn] = []
    asked: list[tuple[tuple[NodeFn, int], ...] | None] = []  # what those of `entered` lead to
    for root in roots:
        pending.append(root)
        while pending:
            fn = pending.pop()
            if fn is None:
                fn, inputs = entered.pop(), asked.pop()
                if inputs is None:
                    inputs = fn.next_functions
            elif fn in index:
                continue  # two nodes lead to it
            else:
                inputs = fn.next_functions
                if inputs:
                    asked.append(inputs if len(entered) < HELD else None)
                    entered.append(fn)
                    pending.append(None)
                    for child, _ in reversed(inputs):
                        if child is not None and child not in index:
                            pending.append(child)
                    continue
            index[fn] = len(fns)
            fns.append(fn)
            node_names.append(names.get(type(fn)) or _named(fn, names))
            connected = []  # a comprehension is a call of its own, for each of a million nodes
            for child, k in inputs:
                connected.append((index[child], k) if child is not None else (-1, 0))
            connections.append(tuple(connected))
        skeleton.roots.append(index[root])
    del index  # of a million nodes it takes 50 MB
    make_safe(skeleton)
    return skeleton


def _named(fn: NodeFn, names: dict[type, str]) -> str:
    """What torch calls ``fn``, noted for all of its type; nodes that torch has no type for share one."""
    name: str = fn.name().removeprefix("torch::autograd::")
    return names.setdefault(type(fn), name) if type(fn).__name__ != "CppFunction" else name


def make_safe(skeleton: Skeleton) -> None:
    """Bound the recursion with which this graph is freed, whoever frees it, whenever, in any thread.

    A node below which it would be deeper than ``CHAIN_LIMIT`` gets a :class:`_Handover` for those of its
    inputs where it is that deep: when the node is freed, its handover frees them from a loop instead of a
    recursion. A graph of fewer levels is left exactly as it was found.
    """
    if len(skeleton) <= CHAIN_LIMIT:
        return
    depths: list[int] = []  # of the recursion that frees each node
    for i, inputs in enumerate(skeleton.next):
        below = 0
        for j, _ in inputs:
            if j >= 0 and depths[j] > below:
                below = depths[j]
        if below == CHAIN_LIMIT:
            deepest = [j for j, _ in inputs if j >= 0 and depths[j] == below]
            skeleton.fns[i].metadata["autograd_tour.handover"] = _Handover([skeleton.fns[j] for j in deepest])
            below = max((depths[j] for j, _ in inputs if j >= 0 and depths[j] < below), default=0)
        depths.append(below + 1)


class _Handover:
    """Keeps nodes until its owner is freed, then lets them go one after the other."""

    __slots__ = ("nodes",)

    queue = threading.local()  # an attribute, not a global: globals may be gone at interpreter exit

    def __init__(self, nodes: Sequence[NodeFn]) -> None:
        self.nodes = nodes

    def __del__(self) -> None:
        waiting = getattr(self.queue, "waiting", None)
        if waiting is not None:
            waiting.extend(self.nodes)  # the loop further up the stack takes them
            return
        self.queue.waiting = waiting = deque(self.nodes)
        self.nodes = ()
        try:
            while waiting:
                waiting.popleft()
        finally:
            self.queue.waiting = None
