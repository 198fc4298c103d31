"""What torch itself says about a program, found without the tracer, to hold a record against.

``check`` runs a program three times from the same seed: traced; untraced with plain hooks; and untraced
with a mode that clones every intermediate tensor. Structure is compared by walking graph and record in
parallel from the outputs, so nothing depends on how the tracer numbers its nodes.
"""

from __future__ import annotations

import gc
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

import autograd_tour as tour
from autograd_tour.record import codec
from autograd_tour.record.facts import TensorFacts
from autograd_tour.record.graph import Graph
from autograd_tour.record.node import Node
from autograd_tour.record.validate import validate

Fn = Any


def tensor_of(facts: TensorFacts) -> Tensor:
    """The tensor that facts with all elements describe."""
    dtype = getattr(torch, facts.dtype)
    read = complex if dtype.is_complex else float
    elements = [read(item) if isinstance(item, str) else item for item in facts.first]
    return torch.tensor(elements, dtype=dtype).reshape(facts.shape)


def same(facts: TensorFacts | None, tensor: Tensor | None) -> bool:
    """Equal to the last bit (NaN equals NaN), with shape and dtype."""
    if facts is None or tensor is None:
        return facts is None and tensor is None
    if tensor.is_nested:
        return facts.layout == "nested" and not facts.first
    if facts.shape != tuple(tensor.shape) or facts.dtype != str(tensor.dtype).removeprefix("torch."):
        return False
    wanted = tensor.detach()
    wanted = wanted.to_dense() if wanted.layout != torch.strided else wanted.resolve_conj().resolve_neg()
    found = tensor_of(facts)
    return bool(((found == wanted) | ((found != found) & (wanted != wanted))).all())


@dataclass
class Run:
    """One untraced run: what each node received and sent, in the engine's order."""

    outputs: list[Tensor]
    order: list[Fn] = field(default_factory=list)
    received: list[tuple[Tensor | None, ...]] = field(default_factory=list)
    sent: list[tuple[Tensor | None, ...]] = field(default_factory=list)
    values: dict[tuple[Fn, int], Tensor] = field(default_factory=dict)
    grads: dict[Fn, Tensor | None] = field(default_factory=dict)


class _Cloner(TorchFunctionMode):
    """Clones every result when it is made, by the node and the output that it is."""

    def __init__(self, values: dict[tuple[Fn, int], Tensor]) -> None:
        super().__init__()
        self.values = values

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        with torch._C.DisableTorchFunction():
            for item in result if isinstance(result, (tuple, list)) else (result,):
                if isinstance(item, Tensor) and item.grad_fn is not None:
                    self.values[item.grad_fn, item.output_nr] = item.detach().clone()
        return result


class _Below(TorchDispatchMode):
    """Clones what every kernel returns, by the number of the node that was made last: inside composites too."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: dict[int, list[Tensor]] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        kept = self.seen.setdefault(torch._C._autograd._get_sequence_nr() - 1, [])
        for item in result if isinstance(result, (tuple, list)) else (result,):
            if isinstance(item, Tensor) and item.layout == torch.strided and not item.is_nested:
                kept.append(item.detach().clone())
        return result


def check_inner_values(graph: Graph, program: Callable[[], Any]) -> int:
    """Every value shown of a node inside a composite call is one that a kernel made for it; how many.

    The mode makes some kernels take another path; then there is nothing to compare.
    """
    torch.manual_seed(0)
    below = _Below()
    with below:
        outputs = _outputs(program())
    try:
        nodes = pair(graph, outputs)
    except AssertionError:
        return 0
    count = 0
    for fn, node in nodes.items():
        for facts in node.values if node.kind == "operation" else ():
            if facts is None or not facts.has_values or facts.version:
                continue
            shape, dtype = facts.shape, getattr(torch, facts.dtype)
            made = [t for t in below.seen.get(fn._sequence_nr(), ()) if t.shape == shape and t.dtype == dtype]
            assert not made or any(same(facts, tensor) for tensor in made), (node, made)
            count += bool(made)
    return count


def nodes_of(roots: Iterable[Fn]) -> list[Fn]:
    """All nodes behind the roots."""
    seen: dict[Fn, None] = {}
    stack = list(roots)
    while stack:
        fn = stack.pop()
        if fn is not None and fn not in seen:
            seen[fn] = None
            stack += [child for child, _ in fn.next_functions]
    return list(seen)


def _outputs(result: Any) -> list[Tensor]:
    items = result if isinstance(result, (tuple, list)) else (result,)
    return [item for item in items if item.requires_grad]


def untraced(program: Callable[[], Any], *, clone: bool = False, gradient: Tensor | None = None) -> Run:
    """Run program and backward with nothing of ours but this function's own hooks."""
    torch.manual_seed(0)
    values: dict[tuple[Fn, int], Tensor] = {}
    if clone:
        with _Cloner(values):
            outputs = _outputs(program())
    else:
        outputs = _outputs(program())
    run = Run(outputs, values=values)
    roots = [torch.autograd.graph.get_gradient_edge(tensor).node for tensor in outputs]
    handles = []

    def listen(fn: Fn) -> None:
        running: list[int] = []  # another node may run inside this one

        def before(received: Any) -> None:
            running.append(len(run.order))
            run.order.append(fn)
            run.sent.append(())
            run.received.append(tuple(None if g is None else g.detach().clone() for g in received))

        def after(sent: Any, _: Any) -> None:
            run.sent[running.pop()] = tuple(None if g is None else g.detach().clone() for g in sent)

        handles.extend([fn.register_prehook(before), fn.register_hook(after)])

    known = dict.fromkeys(nodes_of(roots))
    # A node may run a backward of its own, which ends at leaves that the graph does not lead to.
    # Only a Function of the program can do that: a look at all live objects is slow.
    custom = any(hasattr(fn, "_forward_cls") for fn in known)
    live = gc.get_objects() if custom else []
    leaves = [item for item in live if issubclass(type(item), Tensor) and item.is_leaf]
    beyond = [
        torch.autograd.graph.get_gradient_edge(leaf).node
        for leaf in leaves
        if leaf.requires_grad and leaf.layout is not torch.sparse_csr
    ]
    for fn in {**known, **dict.fromkeys(beyond)}:
        listen(fn)
    start = outputs if gradient is not None else [item for item in outputs if item.numel() == 1]
    torch.autograd.backward(start, None if gradient is None else [gradient], retain_graph=True)
    for handle in handles:
        handle.remove()
    for fn in run.order:
        if fn.name().endswith("AccumulateGrad"):
            run.grads[fn] = fn.variable.grad
    return run


def pair(graph: Graph, outputs: list[Tensor]) -> dict[Fn, Node]:
    """Live node -> recorded node, by walking both in parallel; asserts that they have one structure."""
    by_id = graph.by_id()
    targets: dict[str, dict[int, tuple[str, int]]] = {}
    for edge in graph.select("gradient"):
        slots = targets.setdefault(edge.src, {})
        assert edge.slot[0] not in slots, "an edge is there twice"
        slots[edge.slot[0]] = (edge.dst, edge.slot[1])
    leaf_to_accumulator = {
        e.dst: e.src for e in graph.select("gradient") if by_id[e.src].kind == "accumulate"
    }
    found: dict[Fn, Node] = {}
    stack = []
    assert len(graph.outputs) == len(outputs)
    for tensor, (node_id, k) in zip(outputs, graph.outputs, strict=True):
        edge = torch.autograd.graph.get_gradient_edge(tensor)
        assert edge.output_nr == k
        stack.append((edge.node, by_id[leaf_to_accumulator.get(node_id, node_id)]))
    while stack:
        fn, node = stack.pop()
        if fn in found:
            assert found[fn].id == node.id
            continue
        found[fn] = node
        assert fn.name().removeprefix("torch::autograd::") == node.grad_fn
        if node.kind == "accumulate":
            continue
        assert len(fn.next_functions) == node.slots
        wanted = {slot: child for slot, child in enumerate(fn.next_functions) if child[0] is not None}
        have = targets.get(node.id, {})
        assert wanted.keys() == have.keys()
        for slot, (child, k) in wanted.items():
            assert have[slot][1] == k
            stack.append((child, by_id[have[slot][0]]))
    assert len({node.id for node in found.values()}) == len(found), "two nodes share a card"
    recorded = {node.id for node in graph.nodes if node.kind in ("operation", "accumulate")}
    beyond = {node.id for node in inner_accumulators(graph)}
    assert recorded - beyond == {node.id for node in found.values()}, "a node that torch does not have"
    return found


def inner_accumulators(graph: Graph) -> list[Node]:
    """The accumulators to which no gradient edge leads: a backward inside a custom Function ran them."""
    by_id = graph.by_id()
    users = {e.src: by_id[e.dst] for e in graph.select("forward") if e.slot == (0, -1)}
    reached = {e.dst for e in graph.select("gradient")} | {node for node, _ in graph.outputs}
    return [
        by_id[e.src]
        for e in graph.select("gradient")
        if e.dst in users
        and users[e.dst].custom
        and e.src not in reached
        and e.dst not in dict(graph.outputs)
    ]


def check_steps(graph: Graph, run: Run, nodes: dict[Fn, Node]) -> None:
    """The engine's order, and bit for bit what every node received, sent, and left in ``.grad``."""
    steps = [step for _, step in graph.numbered_steps()]
    assert len(steps) == len(run.order)
    inner = {node.id: node for node in inner_accumulators(graph)}
    beyond = {fn: inner[step.node] for step, fn in zip(steps, run.order, strict=True) if fn not in nodes}
    assert len(beyond) == len(inner) == len({node.id for node in beyond.values()})
    nodes = {**nodes, **beyond}
    assert [step.node for step in steps] == [nodes[fn].id for fn in run.order]
    for step, fn, received, sent in zip(steps, run.order, run.received, run.sent, strict=True):
        assert all(map(same, step.received, received)) and len(step.received) == len(received), step
        if fn in run.grads:
            assert same(step.after, run.grads[fn])
        else:
            # Some nodes compute a gradient for a constant too; there is no edge for it to leave on.
            stubs = [child is None for child, _ in fn.next_functions]
            left = [None if stub else grad for grad, stub in zip(sent, stubs, strict=True)]
            assert all(map(same, step.sent, left)) and len(step.sent) == len(left), step


def check_sums(graph: Graph) -> None:
    """What arrives on the edges of a node adds up to what it received, unless a hook stood between.

    The engine adds in the order of arrival, one sum after the other; so does this, bit for bit.
    """
    edges = {(edge.src, edge.slot[0]): edge for edge in graph.select("gradient")}
    hooked = {(edge.dst, edge.slot[1]) for edge in edges.values() if "hooked" in edge.marks}
    pending: dict[tuple[str, int], Tensor] = {}
    started = set()
    inner = {node.id for node in inner_accumulators(graph)}
    for _, step in graph.numbered_steps():
        for k, received in enumerate(step.received):
            arrived = pending.pop((step.node, k), None)
            if received is None or not received.has_values or (step.node, k) in hooked or step.node in inner:
                continue
            if (step.node, k) in _starts(graph):
                started.add(step.node)
                one = torch.ones(received.shape, dtype=getattr(torch, received.dtype))
                arrived = one if arrived is None else one + arrived
            assert arrived is not None, f"{step.node} received what nobody sent"
            assert same(received, arrived), (step.node, received, arrived)
        for slot, sent in enumerate(step.sent):
            edge = edges.get((step.node, slot))
            if edge is None:
                assert sent is None, "a gradient left through a stub"
                continue
            if sent is not None and sent.has_values:
                place = (edge.dst, edge.slot[1])
                one = tensor_of(sent)
                pending[place] = pending[place] + one if place in pending else one


def _starts(graph: Graph) -> set[tuple[str, int]]:
    by_id = graph.by_id()
    accumulator = {e.dst: e.src for e in graph.select("gradient") if by_id[e.src].kind == "accumulate"}
    return {
        (accumulator.get(node, node), k)
        for node, k in graph.outputs
        if (facts := by_id[node].values[k]) is not None and math.prod(facts.shape) == 1
    }


def check_values(run: Run, nodes: dict[Fn, Node]) -> int:
    """Every forward value that the record shows for a result that torch showed too; how many."""
    count = 0
    for (fn, k), tensor in run.values.items():
        node = nodes.get(fn)
        facts = node.values[k] if node is not None and k < len(node.values) else None
        if facts is not None and facts.has_values:
            assert same(facts, tensor), (node, tensor)
            count += 1
    return count


def check_statistics(graph: Graph) -> None:
    """Statistics are those of the elements, however the tracer came by them."""
    steps = [step for _, step in graph.numbered_steps()]
    everything = [facts for node in graph.nodes for facts in node.values]
    everything += [saved.facts for node in graph.nodes for saved in node.saved]
    everything += [facts for step in steps for facts in (*step.received, *step.sent, step.before, step.after)]
    for facts in everything:
        if facts is None or not facts.first or facts.stats is None:
            continue
        tensor, stats = tensor_of(facts), facts.stats
        assert facts.last == facts.first[-1]
        assert stats.zero is None or stats.zero == int((tensor == 0).sum())
        if tensor.dtype.is_floating_point and bool(tensor.isfinite().all()):
            wide = tensor.double()
            assert (stats.min, stats.max) == (wide.min().item(), wide.max().item())
            assert stats.norm == pytest.approx(wide.norm().item(), rel=1e-5, abs=1e-30)
            assert stats.mean is None or stats.mean == pytest.approx(wide.mean().item(), rel=1e-6, abs=1e-9)
            assert (stats.nan, stats.inf) == (0, 0)
        elif tensor.dtype.is_floating_point:
            assert stats.nan == int(tensor.isnan().sum())


def check_form(graph: Graph) -> None:
    """What holds for every graph holds, saved tensors are of nodes, and JSON gives back the same record."""
    validate(graph)
    assert all(not saved.of or saved.of in graph.by_id() for node in graph.nodes for saved in node.saved)
    text = codec.dumps(graph)
    assert codec.loads(text).graph == graph
    assert codec.dumps(codec.loads(text).graph) == text


def check(program: Callable[[], Any], *, minimum: int = 0) -> Graph:
    """Hold a whole record against torch; gives the record back for more questions."""
    torch.manual_seed(0)
    graph = tour.trace(program, keep=None, ceiling=math.inf)
    run = untraced(program)
    nodes = pair(graph, run.outputs)
    check_steps(graph, run, nodes)
    cloned = untraced(program, clone=True)
    assert check_values(cloned, pair(graph, cloned.outputs)) >= minimum
    check_inner_values(graph, program)
    check_statistics(graph)
    check_sums(graph)
    check_form(graph)
    return graph
