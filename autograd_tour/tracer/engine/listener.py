"""Hooks on the nodes of a graph: what each receives and sends, in the engine's order.

They return nothing, so they change nothing, and hold no node of the graph.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from autograd_tour.record.facts import TensorFacts
from autograd_tour.tracer.assemble.walk import Skeleton, accumulator_of
from autograd_tour.tracer.engine.arrivals import Arrivals
from autograd_tour.tracer.engine.mostly_zero import Part, part_of
from autograd_tour.tracer.measure import Recorder

__all__ = ["Facts", "Gradients", "Inner", "InnerLeaves", "Listener", "NodeRun"]

Gradients = Sequence[Tensor | None]
Facts = tuple[TensorFacts | None, ...]


class NodeRun(NamedTuple):
    """Node number ``node`` of the skeleton as the engine ran it; the rest is as in :class:`Step`."""

    node: int
    received: Facts = ()
    sent: Facts = ()
    before: TensorFacts | None = None
    after: TensorFacts | None = None


class Inner(NamedTuple):
    """A leaf that got its gradient from a backward inside node ``parent``, such as a reentrant checkpoint."""

    leaf: Tensor
    parent: int


class Listener:
    """Makes the hooks of all nodes and gathers what they hear. It holds leaves, but no node."""

    def __init__(self, skeleton: Skeleton, recorder: Recorder) -> None:
        self.recorder = recorder
        self.next = skeleton.next
        self.leaves: dict[int, Tensor] = {
            i: fn.variable for i, fn in enumerate(skeleton.fns) if skeleton.names[i] == "AccumulateGrad"
        }
        self.steps: list[NodeRun | None] = []
        self.arrivals = Arrivals()
        self.inner: list[Inner] = []
        self._running: dict[int, list[tuple[int, Facts, TensorFacts | None]]] = {}
        self._parts: dict[int, tuple[Part, Any]] = {}

    def listen(self, i: int, fn: Any, *, nested: bool) -> list[Any]:
        """The handles of the hooks of node ``i``, which is ``fn``.

        A node of torch's own never writes to what it received, and only a ``nested`` backward runs inside
        another node. Without one, all can be heard when it is done, in one call from the engine for two.
        """
        if nested or i in self.leaves:
            return [fn.register_prehook(self.enter(i)), fn.register_hook(self.leave(i))]
        handle = fn.register_hook(self.passed(i))
        part = part_of(fn) if self.recorder.keep != 0 else None
        if part is not None:
            self._parts[i] = part, handle.hooks_dict_ref
        return [handle]

    def enter(self, i: int) -> Callable[[Gradients], None]:
        """The prehook of node ``i``."""

        def hook(received: Gradients) -> None:
            facts = self._received(i, received)
            leaf = self.leaves.get(i)
            before = None if leaf is None else self._facts(leaf.grad)
            self._running.setdefault(i, []).append((len(self.steps), facts, before))
            self.steps.append(None)

        return hook

    def leave(self, i: int) -> Callable[[Gradients, Gradients], None]:
        """The post-hook of node ``i``."""

        def hook(sent: Gradients, received: Gradients) -> None:
            index, facts, before = self._running[i].pop()
            if not self._running[i]:
                del self._running[i]
            if i in self.leaves:
                after = self._after(self.leaves[i], received, facts, before)
                self.steps[index] = NodeRun(i, facts, (), before, after)
            else:
                self.steps[index] = NodeRun(i, facts, self._sent(i, sent))

        return hook

    def passed(self, i: int) -> Callable[[Gradients, Gradients], None]:
        """The only hook of a node inside which nothing runs: it is done."""

        def hook(sent: Gradients, received: Gradients) -> None:
            facts = self._received(i, received)
            self.steps.append(NodeRun(i, facts, self._sent(i, sent)))

        return hook

    def _received(self, i: int, received: Gradients) -> Facts:
        facts = tuple(map(self._facts, received))
        # Inside another node a second backward runs (reentrant checkpoints): its gradients came
        # along edges of another graph.
        if not self._running:
            for k, item in enumerate(facts):
                self.arrivals.compare((i, k), item)
        return facts

    def _sent(self, i: int, sent: Gradients) -> Facts:
        if i in self._parts and sent[0] is not None:
            part, hooks = self._parts[i]
            # A hook of the program may have put another gradient in the place of this.
            if len(hooks() or ()) == 1:
                self.recorder.note_part(sent[0], part)
        # Some nodes compute a gradient for a constant too; there is no edge for it to leave on.
        left = tuple(
            [self._facts(item) if to[0] >= 0 else None for item, to in zip(sent, self.next[i], strict=True)]
        )
        for item, to in zip(left, self.next[i], strict=True):
            if item is not None:
                self.arrivals.add(to, item)
        return left

    def take_inner(self, leaf: Tensor) -> int:
        """The number under which a leaf beyond the graph goes from now on, -1 if no node of ours runs."""
        if not self._running:
            return -1
        number = len(self.next) + len(self.inner)
        self.inner.append(Inner(leaf, next(iter(self._running))))
        self.leaves[number] = leaf
        return number

    def _facts(self, item: Tensor | None) -> TensorFacts | None:
        return None if item is None else self.recorder.measure(item, gradient=True)

    def _after(
        self, leaf: Tensor, received: Gradients, facts: Facts, before: TensorFacts | None
    ) -> TensorFacts | None:
        """``.grad`` after a step. A first gradient is taken over as it is, so it need not be read again."""
        grad, came = leaf.grad, received[0]
        first = before is None and not getattr(leaf, "_post_accumulate_grad_hooks", None)
        if first and grad is not None and came is not None and _is_same_memory(grad, came):
            return facts[0]
        return self._facts(grad)


class InnerLeaves:
    """Listens at the accumulators of leaves that the graph does not lead to.

    A Function of the program may run a backward of its own, as a reentrant checkpoint does, or write to
    ``.grad``. ``watched`` are the tensors that are looked after; those of the graph are left out.
    """

    def __init__(self, listener: Listener, watched: Sequence[Tensor]) -> None:
        inside = {id(leaf) for leaf in listener.leaves.values()}
        self.leaves: list[Tensor] = []
        self.handles: list[Any] = []
        self._listener = listener
        self._numbers: dict[int, int] = {}
        self._accumulators: list[Any] = []  # nothing else holds them before a backward does
        for leaf in watched:
            if not leaf.is_leaf or id(leaf) in inside:
                continue
            fn = accumulator_of(leaf)
            if fn is None:
                continue
            position = len(self.leaves)
            self.leaves.append(leaf)
            self._accumulators.append(fn)
            self.handles += [
                fn.register_prehook(self._enter(position)),
                fn.register_hook(self._leave(position)),
            ]
        self._before = [(leaf.grad, _version(leaf.grad)) for leaf in self.leaves]

    def _enter(self, position: int) -> Callable[[Gradients], None]:
        def hook(received: Gradients) -> None:
            number = self._numbers.get(position, -1)
            if number < 0:
                number = self._numbers[position] = self._listener.take_inner(self.leaves[position])
            if number >= 0:
                self._listener.enter(number)(received)

        return hook

    def _leave(self, position: int) -> Callable[[Gradients, Gradients], None]:
        def hook(sent: Gradients, received: Gradients) -> None:
            if self._numbers.get(position, -1) >= 0:
                self._listener.leave(self._numbers[position])(sent, received)

        return hook

    def written(self) -> list[Tensor]:
        """Leaves whose ``.grad`` is another than it was, though no accumulator ran."""
        return [
            leaf
            for position, (leaf, (grad, version)) in enumerate(zip(self.leaves, self._before, strict=True))
            if self._numbers.get(position, -1) < 0
            and (leaf.grad is not grad or _version(leaf.grad) != version)
        ]


def _version(grad: Tensor | None) -> int:
    return -1 if grad is None or grad.is_inference() else grad._version


def _is_same_memory(a: Tensor, b: Tensor) -> bool:
    strided = a.layout == b.layout == torch.strided and not a.is_nested and not b.is_nested
    if not strided or a.dtype != b.dtype or a.shape != b.shape or a.stride() != b.stride():
        return False
    try:
        return a.data_ptr() == b.data_ptr()
    except RuntimeError:
        return False  # nothing behind it
