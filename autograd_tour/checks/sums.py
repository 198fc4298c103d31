"""What was sent adds up to what was received, and ``.grad`` before and what is added to ``.grad`` after.

Pure arithmetic on the record, which needs no torch: a saved trace can be held to it too.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from msgspec.structs import replace

from autograd_tour.record.facts import Number, TensorFacts
from autograd_tour.record.graph import Graph, Step
from autograd_tour.record.ledger import POLICIES, Ledger
from autograd_tour.record.numbers import exact_sum
from autograd_tour.record.trace import Trace
from autograd_tour.record.verification import Check, Deviation, Skipped, Sums
from autograd_tour.views.sums import arrivals

__all__ = ["check", "together"]

MOST = 20
"""Deviations that are told."""

_PRECISION = {"float64": 2.0**-52, "float32": 2.0**-23, "float16": 2.0**-10, "bfloat16": 2.0**-7}
_PRECISION |= {"complex128": 2.0**-52, "complex64": 2.0**-23, "complex32": 2.0**-10}
_LARGEST = {"float16": 65504.0, "complex32": 65504.0, "float32": 2.0**128, "bfloat16": 2.0**128}


@dataclass
class _Account:
    """Counts what is compared, and gathers what does not close."""

    arrivals: int = 0
    accumulations: int = 0
    elements: int = 0
    total: int = 0
    hooked: int = 0
    unsent: int = 0
    deviations: list[Deviation] = field(default_factory=list)

    def compare(self, parts: Sequence[TensorFacts], whole: TensorFacts, deviation: Deviation) -> None:
        """Note where ``whole`` is not the sum of ``parts``; ``deviation`` says which sum this is."""
        columns = list(_columns(parts, whole))
        self.elements += len(columns)
        self.total += whole.numel
        for position, terms, total in columns:
            expected = sum(terms)
            if _same(expected, total):
                continue
            rounded = len(terms) > 1 or any(facts.dtype != whole.dtype for facts in parts)
            if not rounded or not _is_near(terms, expected, total, [*parts, whole]):
                self.deviations.append(
                    replace(
                        deviation,
                        index=whole.index(position),
                        expected=_plain(expected),
                        recorded=_plain(total),
                    )
                )
                return


def check(trace: Trace, *, started: bool = False, hooked: frozenset[str] = frozenset()) -> Check:
    """Hold the sums of ``trace`` to what they are the sums of.

    ``started``: the backward began with 1 at every scalar result, as that of the command does; a record
    does not tell. ``hooked`` are accumulators whose ``.grad`` a hook of the program changes afterwards.

    A single gradient has to arrive as it was sent; several add up within rounding. Of a tensor of which not
    all elements were kept, those that are there are compared.
    """
    graph, ledger = trace.graph, trace.ledger
    if graph.compared:
        return Check("sums", "skipped", Skipped("compared"))
    if graph.meta.keep == 0:
        return Check("sums", "skipped", Skipped("structure"))
    if not graph.passes and ledger is None:
        return Check("sums", "skipped", Skipped("no backward"))
    account = _Account()
    _arrivals(account, graph, started)
    _accumulations(account, graph, hooked)
    if ledger is not None:
        _calls(account, ledger)
    sums = Sums(
        account.arrivals,
        account.accumulations,
        account.elements,
        account.total,
        tuple(account.deviations[:MOST]),
        account.hooked,
        account.unsent,
    )
    return Check("sums", "differs" if account.deviations else "ok", sums)


def together(checks: Sequence[Check]) -> Check:
    """What comes of all graphs of one program; the first if none has any sums."""
    sums = [check.result for check in checks if isinstance(check.result, Sums)]
    if not sums:
        return checks[0]
    deviations = [deviation for item in sums for deviation in item.deviations]
    return Check(
        "sums",
        "differs" if deviations else "ok",
        Sums(
            sum(item.arrivals for item in sums),
            sum(item.accumulations for item in sums),
            sum(item.elements for item in sums),
            sum(item.total for item in sums),
            tuple(deviations[:MOST]),
            sum(item.hooked for item in sums),
            sum(item.unsent for item in sums),
            len(sums),
        ),
    )


def _arrivals(account: _Account, graph: Graph, started: bool) -> None:
    parts = arrivals(graph)
    hooked = {(edge.dst, edge.slot[1]) for edge in graph.select("gradient") if "hooked" in edge.marks}
    starts = Counter((graph.accumulator_of(node) or node, slot) for node, slot in graph.outputs)
    runs = Counter(step.node for _, step in graph.numbered_steps())
    reached = {edge.dst for edge in graph.select("gradient")} | {node for node, _ in starts}
    for _, step in graph.numbered_steps():
        for slot, received in enumerate(step.received):
            target = (step.node, slot)
            if received is None:
                if target in parts and target not in hooked:
                    account.arrivals += 1
                    account.deviations.append(Deviation(graph.title(step.node), "received", None, None, None))
                continue
            if target in hooked:
                account.hooked += 1
                continue
            begun = _start(received, starts[target]) if started or target not in starts else None
            # A second run of an accumulator belongs to a backward inside a Function, along edges of its own.
            if begun is None or runs[step.node] > 1 or step.node not in reached:
                account.unsent += 1
                continue
            sent = [*begun, *(part.facts for part in parts.get(target, ()))]
            account.arrivals += 1
            account.compare(sent, received, _deviation(graph, step, "received"))


def _start(received: TensorFacts, count: int) -> list[TensorFacts]:
    """What backward itself puts there: a 1 for each time a scalar is a result."""
    if count and received.numel != 1:
        return []  # a result that is no scalar starts nothing
    return [TensorFacts(received.shape, received.dtype, first=(1.0,), last=1.0)] * count


def _accumulations(account: _Account, graph: Graph, hooked: frozenset[str]) -> None:
    for _, step in graph.numbered_steps():
        if graph.node(step.node).kind != "accumulate" or not step.received or step.received[0] is None:
            continue
        if step.node in hooked:
            account.hooked += 1
            continue
        _accumulation(
            account, step.before, step.received[0], step.after, _deviation(graph, step, "accumulated")
        )


def _calls(account: _Account, ledger: Ledger) -> None:
    for leaf in ledger.accounts:
        for policy in POLICIES:
            for number, call in enumerate(leaf.under(policy), start=1):
                if call.contribution is not None:
                    deviation = Deviation(leaf.name, "accumulated", None, None, None, call=number)
                    _accumulation(account, call.before, call.contribution, call.after, deviation)


def _accumulation(
    account: _Account,
    before: TensorFacts | None,
    contribution: TensorFacts,
    after: TensorFacts | None,
    deviation: Deviation,
) -> None:
    account.accumulations += 1
    if after is None:
        account.deviations.append(deviation)
        return
    account.compare([*([before] if before is not None else []), contribution], after, deviation)


def _columns(
    parts: Sequence[TensorFacts], whole: TensorFacts
) -> Iterator[tuple[int, list[complex], complex]]:
    """(position, terms, total) of each element that all of these tensors have."""
    if not whole.numel or not whole.has_values or not all(facts.has_values for facts in parts):
        return
    if any(facts.shape != whole.shape for facts in parts) and whole.numel > 1:
        return  # summed or spread on the way
    count = min((len(facts.first) for facts in (*parts, whole)), default=0)
    for index in range(count):
        yield index, [_number(facts.first[index]) for facts in parts], _number(whole.first[index])
    if count < whole.numel and whole.last is not None and all(facts.last is not None for facts in parts):
        yield whole.numel - 1, [_number(facts.last) for facts in parts], _number(whole.last)


def _is_near(
    terms: Sequence[complex], expected: complex, total: complex, tensors: Sequence[TensorFacts]
) -> bool:
    """Whether rounding, or a number too large for the type, explains the difference."""
    precision = max(_PRECISION.get(facts.dtype, 2.0**-2) for facts in tensors)
    if not all(map(_is_finite, (*terms, total))):
        largest = min(_LARGEST.get(facts.dtype, math.inf) for facts in tensors)
        return not _is_finite(total) and abs(expected) >= largest * (1 - precision)
    slack = 4 * len(terms) * precision * exact_sum([abs(term) for term in (*terms, total)])
    return abs(expected - total) <= slack


def _same(a: complex, b: complex) -> bool:
    return a == b or (a != a and b != b)


def _is_finite(value: complex) -> bool:
    return math.isfinite(value.real) and math.isfinite(value.imag)


def _number(value: Number | None) -> complex:
    """A :data:`Number` as one to reckon with; real ones stay real."""
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return complex(value)
    return value if value is not None else math.nan


def _plain(value: Any) -> Number:
    return str(value) if isinstance(value, complex) or not _is_finite(value) else value


def _deviation(graph: Graph, step: Step, kind: Literal["received", "accumulated"]) -> Deviation:
    return Deviation(graph.title(step.node), kind, None, None, None, graph.line(step.node))
