"""The gradients of all leaves in the record, bit for bit against those that torch computes without us."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor

from autograd_tour.checks.subject import RerunError, Run, Subject, aligned, rerun
from autograd_tour.record.facts import Number, TensorFacts
from autograd_tour.record.graph import Graph, Step
from autograd_tour.record.verification import Check, Gradients, Mismatch, Skipped
from autograd_tour.tracer.engine.backward import start_gradients
from autograd_tour.tracer.measure import measure
from autograd_tour.tracer.surroundings import grads_restored

__all__ = ["check", "leaf_gradients", "same_beyond", "same_bits"]

Function = Literal["grad", "backward"]


def check(subject: Subject) -> Check:
    """Hold the gradient of each leaf to that of a fresh run.

    What differs is computed once more: a program that gives other numbers in each run cannot be compared.
    """
    graph = subject.graph
    if graph.meta.keep == 0:
        return Check("autograd", "skipped", Skipped("structure"))
    if not graph.passes:
        return Check("autograd", "skipped", Skipped("no backward"))
    with rerun(subject) as run:
        result, computed = _compared(graph, run, subject.gradient)
    if not result.mismatches:
        return Check("autograd", "ok", result)
    if subject.runs:
        with rerun(subject) as run:
            _, again = _compared(graph, run, subject.gradient)
        if again != computed:
            return Check("autograd", "skipped", Skipped("unrepeatable"))
    return Check("autograd", "differs", result)


def leaf_gradients(
    outputs: Sequence[Tensor], gradient: Any, leaves: Sequence[Tensor]
) -> tuple[list[Tensor | None], Function]:
    """The gradients of ``leaves``, and which function of torch computed them; no ``.grad`` is changed.

    Reentrant checkpoints refuse :func:`torch.autograd.grad`; then it is what ``.grad`` becomes.

    Raises:
        RerunError: neither can be had.
    """
    if not leaves:
        return [], "grad"
    started, gradients = start_gradients(outputs, gradient)
    try:
        gradients_of_leaves = torch.autograd.grad(
            started, list(leaves), gradients, retain_graph=True, allow_unused=True
        )
        return list(gradients_of_leaves), "grad"
    except RuntimeError as refusal:
        if "checkpoint" not in str(refusal):
            raise RerunError(str(refusal)) from refusal
    with grads_restored(leaves, beyond=True):
        try:
            torch.autograd.backward(started, gradients, retain_graph=True)
        except RuntimeError as error:
            raise RerunError(str(error)) from error
        return [None if leaf.grad is None else leaf.grad.detach().clone() for leaf in leaves], "backward"


def _compared(graph: Graph, run: Run, gradient: Any) -> tuple[Gradients, dict[str, TensorFacts | None]]:
    """The comparison, and what was computed for each accumulator."""
    partners = aligned(graph, run.outputs)
    accumulators = [node.id for node in graph.nodes if node.kind == "accumulate"]
    paired = [node for node in accumulators if hasattr(partners.get(node), "variable")]
    gradients, function = leaf_gradients(run.outputs, gradient, [partners[node].variable for node in paired])
    mismatches: list[Mismatch] = []
    facts: dict[str, TensorFacts | None] = {}
    elements = total = 0
    for node, tensor in zip(paired, gradients, strict=True):
        recorded = _recorded(graph.step(node)[1], function)
        keep = len(recorded.first) if recorded is not None else None
        computed = None if tensor is None else measure(tensor, keep, gradient=True)
        facts[node] = computed
        total += max(computed.numel, 0) if computed is not None else 0  # below 0: of ragged rows
        elements += _count(recorded)
        mismatch = _mismatch(graph, node, recorded, computed)
        if mismatch is not None:
            mismatches.append(mismatch)
    inner = len(accumulators) - len(paired)
    return Gradients(function, len(paired), elements, total, tuple(mismatches), inner), facts


def _recorded(step: Step | None, function: Function) -> TensorFacts | None:
    """What arrived at the accumulator; of a backward, what ``.grad`` became."""
    if step is None:
        return None
    return step.after if function == "backward" else step.received[0] if step.received else None


def _count(facts: TensorFacts | None) -> int:
    if facts is None:
        return 0
    return len(facts.first) + (len(facts.first) < facts.numel and facts.last is not None)


def _mismatch(
    graph: Graph, node: str, recorded: TensorFacts | None, computed: TensorFacts | None
) -> Mismatch | None:
    """The first element that is not the same to the last bit; ``None`` if all that are recorded are."""
    name, where = graph.title(node), graph.line(node)
    if recorded is None or computed is None:
        return None if recorded is computed else Mismatch(name, None, None, None, where)
    if (recorded.shape, recorded.dtype) != (computed.shape, computed.dtype):
        return Mismatch(name, None, None, None, where)
    ends = [(recorded.numel - 1, recorded.last, computed.last)] if recorded.last is not None else []
    pairs = zip(recorded.first, computed.first, strict=False)
    for position, ours, theirs in [*((n, a, b) for n, (a, b) in enumerate(pairs)), *ends]:
        if not same_bits(ours, theirs):
            return Mismatch(name, recorded.index(position), ours, theirs, where)
    if not same_beyond(recorded, computed):
        return Mismatch(name, None, None, None, where)
    return None


def same_bits(a: Number | None, b: Number | None) -> bool:
    """Whether two elements are the same number.

    Python writes a float with as many digits as tell it from all others, and a zero with its sign.
    """
    return type(a) is type(b) and repr(a) == repr(b)


def same_beyond(a: TensorFacts, b: TensorFacts) -> bool:
    """Of elements that were not kept: the extremes and the counts, which no order of adding up changes."""
    x, y = a.stats, b.stats
    if x is None or y is None:
        return True
    return (x.min, x.max, x.nan, x.inf, x.zero) == (y.min, y.max, y.nan, y.inf, y.zero)
