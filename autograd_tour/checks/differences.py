"""Backward against central differences, as :func:`torch.autograd.gradcheck` compares them, in float64.

gradcheck takes a function of tensors and tries every element. Here it is a program whose leaves may be made
inside, so :mod:`~autograd_tour.checks.replay` moves them, and a limited number of elements is tried, spread
over all leaves; one step along a random direction then moves all elements at once. Step and tolerances are
those of gradcheck, with two changes: the absolute one shrinks with the largest derivative, so that a mean
over many elements is not passed unseen, and the rounding of the loss is allowed for.
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import torch

from autograd_tour.checks.evaluator import Evaluator, Start
from autograd_tour.checks.spots import Spot, reals, sampled
from autograd_tour.checks.subject import RerunError, Subject
from autograd_tour.checks.suspects import suspects
from autograd_tour.record.facts import Number, TensorFacts
from autograd_tour.record.graph import Graph, SourceLine
from autograd_tour.record.verification import Check, Differences, Element, Kink, Skipped
from autograd_tour.tracer.listen.failures import first_line
from autograd_tour.tracer.measure import plain
from autograd_tour.tracer.surroundings import Buffers

__all__ = ["ELEMENTS", "check"]

ELEMENTS = 100
"""Elements that are moved one at a time, unless the caller says otherwise."""

MOST = 20
"""Kinks that are told."""


@dataclass(frozen=True)
class _Precision:
    """Half the width of a difference, and how far it may be from backward: relative, and absolute."""

    dtype: str
    step: float
    relative: float
    absolute: float
    rounding: float
    kinks: bool


_DOUBLE = _Precision("float64", 1e-6, 1e-3, 1e-5, 2.0**-52, kinks=True)
_SINGLE = _Precision("float32", 1e-2, 5e-2, 1e-2, 2.0**-23, kinks=False)


@dataclass
class _Tally:
    """What has been compared so far."""

    compared: list[tuple[Spot, Element]] = field(default_factory=list)
    kinks: list[Kink] = field(default_factory=list)
    infinite: int = 0
    edges: int = 0


def check(subject: Subject, elements: int = ELEMENTS) -> Check:
    """Hold what backward computes to differences of the loss; ``elements`` of it are moved one at a time."""
    if not subject.runs:
        return Check("differences", "skipped", Skipped("existing"))
    if not _is_readable(subject.graph):
        return Check("differences", "skipped", Skipped("unreadable"))
    with Buffers() as buffers:
        buffers.remember_all()
        try:
            double = _Comparison(subject, _DOUBLE, _drawn(subject.graph))
            if not _only_wide_is_odd(subject.graph, double.start.loss):
                return double.check(elements)
            reason = f"the loss is {double.start.loss} there"
        except RerunError as error:
            reason = first_line(error)
        except Exception as error:  # an operation that float64 does not have, for instance
            reason = f"{type(error).__name__}: {first_line(error)}"
        if _types(subject.graph) != {"float32"}:
            return Check("differences", "skipped", Skipped("precision", reason))
        try:
            return _Comparison(subject, _SINGLE, None, reason).check(elements)
        except RerunError:
            raise
        except Exception as error:
            raise RerunError(f"{type(error).__name__}: {error}") from error


def _is_readable(graph: Graph) -> bool:
    """Whether any leaf has numbers that can be moved: not on the device meta, nor in ragged rows."""
    values = [graph.node(leaf).value for leaf in graph.leaves.values()]
    return not values or not all(
        value is not None and (value.device == "meta" or value.layout == "nested") for value in values
    )


def _only_wide_is_odd(graph: Graph, loss: float) -> bool:
    """Whether the loss is finite in the record, and not in float64: a rounding that float32 does hides it."""
    values = [graph.node(node).values[slot] for node, slot in graph.outputs if graph.node(node).values]
    first = [number for facts in values if facts is not None for number in facts.first]
    return not math.isfinite(loss) and bool(first) and all(cmath.isfinite(complex(n)) for n in first)


def _types(graph: Graph) -> set[str]:
    """The types of the leaves."""
    return {node.value.dtype for node in graph.nodes if node.kind == "leaf" and node.value is not None}


def _drawn(graph: Graph) -> torch.dtype | None:
    """The type in which the program draws random numbers, as far as its leaves tell; ``None`` in float64."""
    types = _types(graph)
    if types <= {"float64", "complex128"}:
        return None
    kind = getattr(torch, next(iter(types))) if len(types) == 1 else torch.get_default_dtype()
    return kind if kind.is_floating_point else torch.float32


class _Comparison:
    """The comparison of one program in one precision."""

    def __init__(
        self, subject: Subject, precision: _Precision, drawn: torch.dtype | None, reason: str = ""
    ) -> None:
        self.graph = subject.graph
        self.evaluator = Evaluator(subject, drawn)
        self.precision = precision
        self.reason = reason
        self.start: Start = self.evaluator.start()
        self.recorded = _leaves(self.graph, self.start)
        self.largest = max((float(g.abs().max()) for g in self.start.gradients if g.numel()), default=0.0)
        self.tally = _Tally()

    def check(self, elements: int) -> Check:
        """Move ``elements`` elements, then all at once."""
        start = self.start
        if start.before:
            return Check("differences", "skipped", Skipped("existing"))
        if not math.isfinite(start.loss):
            return Check("differences", "skipped", Skipped("not finite", str(start.loss)))
        if not start.leaves:
            return Check("differences", "skipped", Skipped("unheard"))
        if self.evaluator.loss({}) != start.loss:
            return Check("differences", "skipped", Skipped("unrepeatable"))
        spots = list(sampled(start, elements))
        for spot in spots:
            self._compare(spot)
        self._compare(Spot(-1, -1))
        if self._beyond() and not any(spot.position >= 0 for spot, _ in self._beyond()):
            for leaf in range(len(start.leaves)):  # which of them is it
                self._compare(Spot(leaf, -1))
        return self._result(spots)

    def _result(self, spots: Sequence[Spot]) -> Check:
        start, tally = self.start, self.tally
        beyond = self._beyond()
        named = [item for item in beyond if item[0].leaf >= 0]
        worst = max((named or tally.compared), key=lambda item: _excess(item[1]), default=None)
        differences = Differences(
            self.precision.dtype,
            self.precision.step,
            len({spot.leaf for spot in spots}),
            len({(spot.leaf, spot.position) for spot in spots}),
            sum(leaf.numel() for leaf in start.leaves),
            worst[1] if worst is not None else None,
            len(named or beyond),
            tuple(tally.kinks[:MOST]),
            tally.infinite,
            start.unheard,
            suspects(self.graph, self.evaluator) if beyond else (),
            self._distance(),
            self.reason,
            tally.edges,
            sum(cmath.isfinite(first) != cmath.isfinite(second) for first, second in self._pairs()),
        )
        return Check("differences", "differs" if beyond else "ok", differences)

    def _beyond(self) -> list[tuple[Spot, Element]]:
        return [(spot, element) for spot, element in self.tally.compared if _excess(element) > 1]

    def _compare(self, spot: Spot) -> None:
        """Compare one derivative, once more with a smaller step if the two are apart."""
        analytic, weight = self._analytic(spot)
        step = self.precision.step
        slopes = self._slopes(spot, step)
        every: tuple[float, ...] = slopes
        element = self._element(spot, analytic, weight, slopes, step)
        if _excess(element) <= 1:
            self.tally.compared.append((spot, element))
            return
        if not math.isfinite(analytic) and not math.isfinite(_number(element.numerical)):
            self.tally.infinite += 1
            return
        if self.precision.kinks:
            narrow = self._slopes(spot, step / 10)
            closer = self._element(spot, analytic, weight, narrow, step / 10)
            if _excess(closer) <= 1:
                self.tally.compared.append((spot, closer))
                return
            if _is_kink(slopes, narrow, analytic, element.tolerance):
                self.tally.kinks.append(Kink(element, *narrow))
                return
            every += narrow
        if math.isfinite(analytic) and not all(map(math.isfinite, every)):
            self.tally.edges += 1  # a step leaves where the loss is finite
            return
        self.tally.compared.append((spot, element))

    def _analytic(self, spot: Spot) -> tuple[float, float]:
        """The derivative from backward, and the size that the absolute tolerance is relative to."""
        terms = []
        for leaf, shift in spot.shifts(self.start).items():
            amounts = reals(shift)
            moved = amounts != 0  # what is infinite elsewhere does not matter
            terms.append(reals(self.start.gradients[leaf])[moved] * amounts[moved])
        value = math.fsum(float(term.sum()) for term in terms)
        if spot.position >= 0:
            return value, min(1.0, self.largest)
        return value, 10 * math.fsum(float(term.abs().sum()) for term in terms)

    def _slopes(self, spot: Spot, step: float) -> tuple[float, float]:
        """How the loss changes to the left and to the right, for each unit."""
        shifts = {self.start.numbers[n]: shift for n, shift in spot.shifts(self.start).items()}
        back, forth = (
            self.evaluator.loss({number: side * step * shift for number, shift in shifts.items()})
            for side in (-1, 1)
        )
        return (self.start.loss - back) / step, (forth - self.start.loss) / step

    def _element(
        self, spot: Spot, analytic: float, weight: float, slopes: tuple[float, float], step: float
    ) -> Element:
        numerical = (slopes[0] + slopes[1]) / 2
        precision = self.precision
        rounding = 64 * precision.rounding * abs(self.start.loss) / step
        tolerance = precision.relative * abs(numerical) + precision.absolute * weight + rounding
        if spot.leaf < 0:
            return Element("", None, plain(analytic), plain(numerical), tolerance)
        leaf = self.recorded[spot.leaf] if self.recorded else _Leaf(f"leaf {spot.leaf + 1}", None, None)
        index = None
        if spot.position >= 0:
            index = TensorFacts(tuple(self.start.leaves[spot.leaf].shape), "").index(spot.position)
        return Element(leaf.name, index, plain(analytic), plain(numerical), tolerance, spot.part, leaf.where)

    def _distance(self) -> float | None:
        """How far the recorded gradients are from those computed here, relative to the largest of all."""
        if not self.recorded or not self.largest or not math.isfinite(self.largest):
            return None
        finite = (abs(first - second) for first, second in self._pairs() if cmath.isfinite(first - second))
        return max(finite, default=0.0) / self.largest

    def _pairs(self) -> Iterator[tuple[complex, complex]]:
        """Each recorded element of a gradient, and the one computed here."""
        for leaf, gradient in zip(self.recorded, self.start.gradients, strict=False):
            if leaf.gradient is not None:
                first = gradient.reshape(-1)[: len(leaf.gradient.first)].tolist()
                yield from zip(map(complex, leaf.gradient.first), map(complex, first), strict=False)


@dataclass(frozen=True)
class _Leaf:
    """A leaf of the record: its name, its line, and the gradient that arrived."""

    name: str
    where: SourceLine | None
    gradient: TensorFacts | None


def _leaves(graph: Graph, start: Start) -> list[_Leaf]:
    """The record's leaf for each of the start; none if the program does not have the leaves of the record."""
    sent = {edge.dst for edge in graph.select("gradient")} | {
        graph.accumulator_of(node) for node, _ in graph.outputs
    }
    recorded = [node.id for node in graph.nodes if node.kind == "accumulate" and node.id in sent]
    if len(recorded) != len(start.order):
        return []
    accumulators = dict(zip(start.order, recorded, strict=True))
    leaves: list[_Leaf] = []
    for number, tensor in zip(start.numbers, start.leaves, strict=True):
        accumulator = accumulators.get(number, "")
        leaf, (_, step) = graph.card_of(accumulator), graph.step(accumulator)
        value = graph.node(leaf).value if leaf else None
        if value is None or value.shape != tuple(tensor.shape):
            return []
        received = step.received[0] if step is not None and step.received else None
        leaves.append(_Leaf(graph.title(leaf), graph.line(leaf), received))
    return leaves


def _excess(element: Element) -> float:
    """How often the tolerance fits into what is between the two; above 1 they differ."""
    apart = abs(_number(element.analytic) - _number(element.numerical))
    if apart == 0:
        return 0.0
    return apart / element.tolerance if math.isfinite(apart) and element.tolerance else math.inf


def _number(value: Number) -> float:
    return float(value)


def _is_kink(
    wide: tuple[float, float], narrow: tuple[float, float], analytic: float, tolerance: float
) -> bool:
    """Whether left and right have two slopes, also when looked at closer, with backward's between them.

    Of a smooth function they come ten times closer with a tenth of the step; where it jumps, they grow.
    """
    gaps = [abs(right - left) for left, right in (wide, narrow)]
    if not all(map(math.isfinite, gaps)) or min(gaps) <= 2 * tolerance:
        return False
    low, high = sorted(narrow)
    return abs(gaps[0] - gaps[1]) <= 0.1 * gaps[0] and low - tolerance <= analytic <= high + tolerance
