"""A real backward that stops before every node and goes on when asked to.

The engine runs in a thread of its own, in whose prehooks it waits. So what a reader sees between two
stops is the real thing: ``.grad`` fields as they are at that moment.
"""

from __future__ import annotations

import atexit
import queue
import threading
import weakref
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack
from contextvars import copy_context
from typing import Any

import torch
from msgspec import Struct
from torch import Tensor

from autograd_tour.errors import StopRequest, UsageError
from autograd_tour.record.facts import TensorFacts
from autograd_tour.record.graph import Graph
from autograd_tour.record.node import Node
from autograd_tour.rules.wording import short
from autograd_tour.text import number
from autograd_tour.tracer.assemble.inner import inner_leaf_nodes
from autograd_tour.tracer.assemble.walk import Skeleton, accumulator_of, root_of, walk
from autograd_tour.tracer.compiled import donates
from autograd_tour.tracer.engine.backward import run_backward, start_gradients
from autograd_tour.tracer.listen.names import caller_namespaces
from autograd_tour.tracer.listen.run import modules_in_sight
from autograd_tour.tracer.measure import Recorder
from autograd_tour.tracer.recording import Request, outputs_of, record_of
from autograd_tour.tracer.surroundings import (
    ONE_AT_A_TIME,
    Buffers,
    collector_paused,
    grads_restored,
    random_state_restored,
    training_restored,
)
from autograd_tour.tracer.switches import all_switches_restored, thread_switches

__all__ = ["Stop", "stepper"]

Gradients = Sequence[Tensor | None]
Start = tuple[Sequence[Tensor], Gradients]
"""What backward starts from, and its gradients (``None``: 1)."""

_STEPPING = threading.Lock()
_LIVE: weakref.WeakSet[Generator[Stop, None, None]] = weakref.WeakSet()


class Stop(Struct, frozen=True):
    """The moment before the engine runs ``node``, the ``number``-th of this backward.

    ``received`` has the facts of the gradient of each of the node's outputs. ``rules`` has, for each
    tensor that will be sent a gradient, what it is called and the local rule. For an accumulator ``leaf``
    names the leaf, and ``before`` is its ``.grad`` now.
    """

    number: int
    node: Node
    received: tuple[TensorFacts | None, ...] = ()
    rules: tuple[tuple[str, str], ...] = ()
    leaf: str = ""
    before: TensorFacts | None = None

    def __str__(self) -> str:
        """One line: which node runs, what it receives, and what it does with it."""
        came = ", ".join(map(_said, self.received))
        if self.node.kind == "accumulate":
            return f"{self.number}  {self.leaf or 'leaf'}.grad  {_said(self.before)} + {came}"
        rules = "; ".join(f"{rule} to {name}" if name else rule for name, rule in self.rules if rule)
        called = f"{self.node.op} " if self.node.op and self.node.op != self.node.grad_fn else ""
        line = f"{self.number}  {called}({self.node.grad_fn})  receives {came}"
        return f"{line}, sends it {rules}" if rules else line


def stepper(
    program: Any,
    *args: Any,
    gradient: Any = None,
    keep: int | None = 16,
    ceiling: float = 256,
    names: Mapping[str, Tensor] | None = None,
) -> Iterator[Stop]:
    """Stop before each node of the real backward of ``program``; it runs when the next one is asked for.

    The arguments are those of :func:`autograd_tour.trace`. Inside the loop ``.grad`` is live: look at your
    leaves. At the end of the last step it is what ``backward()`` makes of it. Whoever leaves the loop
    earlier leaves nothing behind: ``.grad`` is as it was found. Random states, buffers, hooks and threads
    are so in either case. An iterator that is never asked does nothing at all.

    Raises:
        ProgramError: the program raised, in forward or in backward, or has nothing to step through.
        UsageError: the arguments are no program, or another stepper is at work.
    """
    request = Request(program, args, names, caller_namespaces(1), Recorder(keep, ceiling))
    steps = _steps(request, gradient)
    _LIVE.add(steps)
    return steps


@atexit.register
def _close_all() -> None:
    """Let waiting engines go while threads still run: at the very end nothing would wake them."""
    for steps in list(_LIVE):
        steps.close()


def _steps(request: Request, gradient: Any) -> Generator[Stop, None, None]:
    if not _STEPPING.acquire(blocking=False):
        raise UsageError("another stepper is at work", "Go through its steps first, or call its close()")
    with ExitStack() as stack:
        stack.callback(_STEPPING.release)
        stack.enter_context(random_state_restored())
        stack.enter_context(training_restored(modules_in_sight(request.program, request.args)))
        buffers = stack.enter_context(Buffers())
        # Between the steps the switches are the reader's.
        with ONE_AT_A_TIME, collector_paused(), all_switches_restored():
            record, outputs = outputs_of(request, buffers)
            if record is None:
                buffers.remember_all()
            results = [tensor for tensor, _ in outputs]
            start = start_gradients(results, gradient)
            graph = record_of(request, record, outputs, backward=False)
        engine = _Engine(graph, walk(root_of(tensor)[0] for tensor in results), request.recorder)
        stack.callback(engine.release)
        with grads_restored(engine.leaves.values(), beyond=engine.beyond) as tensors:
            if engine.beyond:
                engine.watch(tensors, lambda leaf: request.leaf_names([leaf], record)[id(leaf)])
            yield from engine.run(start, fresh=record is not None)
            final = [tensor.grad for tensor in tensors]
        # All of it has run: .grad is what backward made of it.
        for tensor, grad in zip(tensors, final, strict=True):
            _put(tensor, grad)


class _Leave(StopRequest):
    """Raised in the engine when nobody waits for its next step any more."""


class _Engine:
    """The engine in its thread, and the hooks in which it waits."""

    def __init__(self, graph: Graph, skeleton: Skeleton, recorder: Recorder) -> None:
        self.skeleton = skeleton
        self.recorder = recorder
        # The walk is the one that the record was made by, so its nodes come in the same order.
        self.nodes = [node for node in graph.nodes if node.kind in ("operation", "accumulate")]
        self.size = len(graph.nodes)
        self.accumulators: list[Any] = []
        self.names = _names(graph)
        self.rules = _rules(graph, self.names)
        self.leaves: dict[int, Tensor] = {
            i: fn.variable for i, fn in enumerate(skeleton.fns) if skeleton.names[i] == "AccumulateGrad"
        }
        self.beyond = any(hasattr(fn, "_forward_cls") for fn in skeleton.fns)
        self.stops: queue.SimpleQueue[Stop | BaseException | None] = queue.SimpleQueue()
        self.go = threading.Semaphore(0)
        self.leaving = False
        self.count = 0
        self.reader = threading.get_ident()
        self.handles = [fn.register_prehook(self._hook(i)) for i, fn in enumerate(skeleton.fns)]

    def watch(self, tensors: Sequence[Tensor], name: Callable[[Tensor], str]) -> None:
        """Stop at the accumulators of these leaves too, to which a Function's own backward may lead."""
        inside = {id(leaf) for leaf in self.leaves.values()}
        for leaf in tensors:
            fn = accumulator_of(leaf) if leaf.is_leaf and id(leaf) not in inside else None
            if fn is not None:
                self.accumulators.append(fn)  # nothing else holds it before the backward does
                self.handles.append(fn.register_prehook(self._inner_hook(leaf, name)))

    def _inner_hook(self, leaf: Tensor, name: Callable[[Tensor], str]) -> Callable[[Gradients], None]:
        numbers: list[int] = []

        def hook(received: Gradients) -> None:
            if threading.get_ident() == self.reader:
                return
            if not numbers:
                numbers.append(len(self.nodes))
                self._take_inner(leaf, name(leaf))
            self._hook(numbers[0])(received)

        return hook

    def _take_inner(self, leaf: Tensor, name: str) -> None:
        """Give a leaf a node as the record does, which knows the backward when it numbers them."""
        _, accumulator = inner_leaf_nodes(self.size, len(self.nodes) - len(self.skeleton), None, name)
        self.leaves[len(self.nodes)] = leaf
        self.nodes.append(accumulator)
        self.names[accumulator.id] = name

    def release(self) -> None:
        """Take the hooks away, and forget the nodes."""
        for handle in self.handles:
            handle.remove()
        self.skeleton.release()

    def run(self, start: Start, *, fresh: bool) -> Generator[Stop, None, None]:
        """The stops, in the engine's order."""
        thread = threading.Thread(
            target=copy_context().run, args=(self._work, start, fresh, thread_switches()), daemon=True
        )
        thread.start()
        try:
            while True:
                stop = self.stops.get()
                if isinstance(stop, BaseException):
                    raise stop
                if stop is None:
                    return
                yield stop
                self.go.release()
        finally:
            self.leaving = True
            self.go.release()
            thread.join()

    def _work(
        self,
        start: tuple[Sequence[Tensor], Sequence[Tensor | None]],
        fresh: bool,
        switches: Callable[[], Any],
    ) -> None:
        try:
            with switches():
                run_backward(*start, fresh=fresh, donated=any(map(donates, self.skeleton.fns)))
            self.stops.put(None)
        except _Leave:
            pass
        except BaseException as error:
            self.stops.put(None if self.leaving else error)

    def _hook(self, i: int) -> Callable[[Gradients], None]:
        def hook(received: Gradients) -> None:
            # A backward that the reader runs meanwhile goes through the same accumulators.
            if threading.get_ident() == self.reader:
                return
            if not self.leaving:
                self.stops.put(self._stop(i, received))
                self.go.acquire()
            if self.leaving:
                raise _Leave

        return hook

    def _stop(self, i: int, received: Gradients) -> Stop:
        self.count += 1
        node, leaf = self.nodes[i], self.leaves.get(i)
        return Stop(
            self.count,
            node,
            tuple(map(self._facts, received)),
            self.rules.get(node.id, ()) if leaf is None else (),
            self.names[node.id] if leaf is not None else "",
            self._facts(leaf.grad) if leaf is not None else None,
        )

    def _facts(self, tensor: Tensor | None) -> TensorFacts | None:
        return None if tensor is None else self.recorder.measure(tensor, gradient=True)


def _put(tensor: Tensor, grad: Tensor | None) -> None:
    """Let ``tensor.grad`` be ``grad``, in the memory that it has, as the engine does."""
    there = tensor.grad
    if there is None or grad is None or there.layout != grad.layout or there.shape != grad.shape:
        tensor.grad = grad
    else:
        with torch.no_grad():
            there.copy_(grad)


def _names(graph: Graph) -> dict[str, str]:
    """What a person calls what each node made; an accumulator goes by the name of its leaf."""
    nodes = graph.by_id()
    leaf_of = {e.src: e.dst for e in graph.select("gradient") if nodes[e.dst].kind == "leaf"}
    return {
        node.id: nodes[leaf_of[node.id]].name if node.id in leaf_of else node.name or node.expr
        for node in graph.nodes
    }


def _rules(graph: Graph, names: Mapping[str, str]) -> dict[str, tuple[tuple[str, str], ...]]:
    rules_by_node: dict[str, list[tuple[str, str]]] = {}
    for edge in graph.select("gradient"):
        rules_by_node.setdefault(edge.src, []).append((names[edge.dst], short(edge.rule)))
    return {node: tuple(rules) for node, rules in rules_by_node.items()}


def _said(facts: TensorFacts | None) -> str:
    """A tensor in a few words: its shape and its first elements."""
    if facts is None:
        return "None"
    shape = f"({', '.join(map(str, facts.shape))}) " if facts.shape else ""
    elements = ", ".join(number(value) for value in facts.first[:3])
    return f"{shape}{elements}{' …' if facts.numel > 3 else ''}" if elements else f"{shape}{facts.dtype}"
