"""Operations that turn every gradient that comes in into 0."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from autograd_tour.findings.base import Finding, Level, Subject, is_zero, lines_of, norm
from autograd_tour.record.facts import TensorFacts
from autograd_tour.record.graph import Graph, Step

__all__ = ["findings"]

FAINT = 1e-6
"""Of what came in, so much or less goes out where a function is saturated."""
LITTLE = 1e-3
"""Of what came in, so much or less arrives at the leaves before it where no other way leads to them."""
ROUNDING = 1e-6
"""Of the square of the greatest magnitude."""
_ELSEWHERE = " The leaves before it get a gradient by other ways, so this may be a matter of this batch."


class Stop(NamedTuple):
    """Why a class of nodes stops gradients."""

    kind: str
    why: str
    fix: str


_RELU = Stop(
    "dead-relu",
    "All its inputs are 0 or below, where the slope of relu is 0: no gradient passes, and what lies "
    "before it "
    "cannot learn "
    "from this batch. If that is so for every batch, the layer is dead.",
    "y = F.leaky_relu(x, 0.01)    # or a smaller learning rate, another initialisation",
)
_ROUND = Stop(
    "rounding",
    "The function is flat between its jumps, so its derivative is 0 everywhere, and backward sends zeros.",
    "y = x + (x.round() - x).detach()   # rounds forward, and lets the gradient pass",
)
_CLAMP = Stop(
    "clamped",
    "Every element lies outside of the bounds. There the result does not follow the input, so its "
    "derivative is 0.",
    "y = x.clamp(-10, 10)         # wider bounds, or a smooth function such as torch.tanh",
)
_SATURATED = Stop(
    "saturated",
    "Its inputs are so far from 0 that its curve is flat there: hardly anything of the gradient passes.",
    "loss = F.binary_cross_entropy_with_logits(logits, target)   # instead of sigmoid and a loss of your own",
)
_TIE = Stop(
    "at-a-kink",
    "Every input is exactly 0, where the function has a kink and a slope on either side. Torch sends the "
    "0 between "
    "them, so the leaves before it get no gradient from anywhere and stay where they are.",
    "w = torch.randn(n) * 0.01    # begin beside the kink; or a smooth function: torch.sqrt(x * x + 1e-12)",
)
_MASK = Stop(
    "masked",
    "The mask hides every element, so no gradient passes, and the leaves before it get none from anywhere.",
    "assert mask.any(), 'the mask hides everything'",
)
_FACTORS = Stop(
    "zero-factors",
    "Both factors of the product are 0. Each gets the gradient times the other one, which is 0 too, so "
    "neither ever leaves 0 and no step changes that.",
    "nn.init.kaiming_uniform_(a)    # begin with one of the two at 0, not with both: then the other moves",
)
_ALONE: Mapping[str, Stop] = {
    "MmBackward0": _FACTORS,
    "AbsBackward0": _TIE,
    "LinalgVectorNormBackward0": _TIE,
    "NormBackward0": _TIE,
    "NormBackward1": _TIE,
    "MaskedFillBackward0": _MASK,
    "MaskedFillBackward1": _MASK,
    "WhereBackward0": _MASK,
    "MulBackward0": _MASK,
}
"""These are faults only where nothing else brings a gradient to the leaves before them."""
_STOPS: Mapping[str, Stop] = {
    "ReluBackward0": _RELU,
    "RoundBackward0": _ROUND,
    "FloorBackward0": _ROUND,
    "CeilBackward0": _ROUND,
    "TruncBackward0": _ROUND,
    "SignBackward0": _ROUND,
    "ClampBackward0": _CLAMP,
    "ClampBackward1": _CLAMP,
    "ClampMinBackward0": _CLAMP,
    "ClampMaxBackward0": _CLAMP,
    "HardtanhBackward0": _CLAMP,
}
_TRANSPOSED = frozenset({"TBackward0", "PermuteBackward0", "TransposeBackward0"})
_FLAT = frozenset({"SigmoidBackward0", "TanhBackward0", "SoftmaxBackward0"})


def findings(subject: Subject) -> Iterator[Finding]:
    """One for each line and kind."""
    reported: set[tuple[object, ...]] = set()
    for number, graph in enumerate(subject.graphs):
        for _, step in graph.numbered_steps():
            finding = _of_step(graph, number, step)
            if finding is not None and (key := (finding.kind, finding.lines)) not in reported:
                reported.add(key)
                yield finding


def _of_step(graph: Graph, number: int, step: Step) -> Finding | None:
    node = graph.node(step.node)
    if node.grad_fn in _ALONE:
        return _alone(graph, number, step)
    stop = _STOPS.get(node.grad_fn)
    flat = node.grad_fn in _FLAT
    if (stop is None and not flat) or len(step.received) != 1 or not step.sent:
        return None
    came, went = norm(step.received[0]), norm(step.sent[0])
    if not came or went is None:
        return None
    title = graph.title(node.id)
    lines = lines_of(("stopped here", graph.line(node.id)))
    if stop is not None:
        if not is_zero(step.sent[0]) or not _is_beyond(stop, node.value):
            return None
        if stop is _CLAMP and not _starved(graph, node.id):
            return None
        count = step.sent[0].numel if step.sent[0] is not None else 0
        seen = f"{title} sends 0 for {_all_of(count)}, and receives a gradient of norm {came:.3g}"
        return Finding(stop.kind, "warning", seen, lines, stop.why, stop.fix, node.id, number)
    if went > FAINT * came or not _is_flat(node.value, softmax=node.grad_fn == "SoftmaxBackward0"):
        return None
    seen = f"{title} receives a gradient of norm {came:.3g} and sends one of norm {went:.3g}"
    level: Level = "warning" if _starved(graph, node.id, LITTLE * came) else "note"
    why = _SATURATED.why + ("" if level == "warning" else _ELSEWHERE)
    return Finding(_SATURATED.kind, level, seen, lines, why, _SATURATED.fix, node.id, number)


def _alone(graph: Graph, number: int, step: Step) -> Finding | None:
    sent = [item for item in step.sent if item is not None]
    if not sent or len(step.received) != 1 or not norm(step.received[0]) or not all(map(is_zero, sent)):
        return None
    node = graph.node(step.node)
    if node.grad_fn == "MulBackward0" and not _is_hidden(graph, node.id):
        return None
    if node.grad_fn == "MmBackward0" and not _are_zero_factors(graph, node.id, len(sent)):
        return None
    if not _starved(graph, node.id):
        return None
    stop = _ALONE[node.grad_fn]
    seen = f"{graph.title(node.id)} sends 0 for {_all_of(sent[0].numel)}"
    lines = lines_of(("stopped here", graph.line(node.id)))
    return Finding(stop.kind, "warning", seen, lines, stop.why, stop.fix, node.id, number)


def _all_of(count: int) -> str:
    return "its only element" if count == 1 else f"all of its {count} elements"


def _is_hidden(graph: Graph, node_id: str) -> bool:
    """Whether a product has a constant of zeros as a factor, of the shape of its result: no single 0."""
    value = graph.node(node_id).values[0] if graph.node(node_id).values else None
    factors = [
        graph.node(edge.src).value
        for edge in graph.select("forward")
        if edge.dst == node_id and graph.node(edge.src).kind == "constant"
    ]
    return value is not None and any(
        facts is not None and facts.numel > 1 and facts.shape == value.shape and is_zero(facts)
        for facts in factors
    )


def _are_zero_factors(graph: Graph, node_id: str, count: int) -> bool:
    """Whether two different factors are 0, and one is a leaf: what is squared may well be at its goal."""
    sources: set[str] = set()
    for edge in graph.select("forward"):
        if edge.dst == node_id:
            source = edge.src
            while graph.node(source).grad_fn in _TRANSPOSED:
                source = next(edge.src for edge in graph.select("forward") if edge.dst == source)
            sources.add(source)
    factors = [graph.node(source) for source in sources]
    return (
        count == len(factors) == 2
        and all(is_zero(factor.value) for factor in factors)
        and any(factor.kind == "leaf" for factor in factors)
    )


def _starved(graph: Graph, node_id: str, most: float = 0.0) -> bool:
    """Whether there are leaves before a node, and none of them gets a gradient of a norm above ``most``."""
    steps = {step.node: step for _, step in graph.numbered_steps()}
    targets: dict[str, list[str]] = {}
    for edge in graph.select("gradient"):
        targets.setdefault(edge.src, []).append(edge.dst)
    reached, pending, leaves = {node_id}, [node_id], 0
    while pending:
        node = pending.pop()
        if graph.leaf_of(node):
            leaves += 1
            step = steps.get(node)
            size = norm(step.received[0]) if step is not None and step.received else None
            if size is None or size > most:
                return False
            continue
        new = [target for target in targets.get(node, ()) if target not in reached]
        reached.update(new)
        pending += new
    return leaves > 0


def _is_beyond(stop: Stop, value: TensorFacts | None) -> bool:
    """Whether no element was where the function follows its input: else few received a gradient at all."""
    if stop is _RELU:
        return is_zero(value)
    return stop is not _CLAMP or (value is not None and _is_at_its_ends(value))


def _is_at_its_ends(value: TensorFacts) -> bool:
    """Whether every element is the least or the greatest: then (x - least)(greatest - x) is 0 on average."""
    stats = value.stats
    if stats is None:
        ends = (min(value.first), max(value.first)) if value.first else ()
        return bool(ends) and all(item in ends for item in value.first)
    numbers = [
        item for item in (stats.min, stats.max, stats.mean, stats.norm) if isinstance(item, int | float)
    ]
    if len(numbers) != 4 or not value.numel:
        return False
    least, greatest, mean, size = numbers
    inside = (least + greatest) * mean - least * greatest - size**2 / value.numel
    return inside <= ROUNDING * max(least**2, greatest**2)


def _is_flat(value: TensorFacts | None, *, softmax: bool) -> bool:
    """Whether all values are at an end of what the function can give."""
    if value is None:
        return False
    if value.stats is not None:
        ends = [value.stats.min, value.stats.max]
    else:
        ends = [min(value.first), max(value.first)] if value.first else []
    numbers = [float(end) for end in ends if isinstance(end, int | float)]
    if len(numbers) != 2:
        return False
    near = [number for number in numbers if min(abs(number), abs(number - 1), abs(number + 1)) < 1e-4]
    # The softmax of a single number is 1, whatever the number: then there is no 0 beside it.
    return len(near) == 2 and (not softmax or (numbers[0] < 0.5 and numbers[1] > 0.999))
