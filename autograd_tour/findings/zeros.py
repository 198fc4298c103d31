"""Operations that turn every gradient that comes in into 0."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from autograd_tour.findings.base import Finding, Subject, is_zero, lines_of, norm
from autograd_tour.record.facts import TensorFacts
from autograd_tour.record.graph import Graph, Step

__all__ = ["findings"]

FAINT = 1e-6
"""Of what came in, so much or less goes out where a function is saturated."""


class Stop(NamedTuple):
    """Why a class of nodes stops gradients."""

    kind: str
    why: str
    fix: str


_RELU = Stop(
    "dead-relu",
    "All its inputs are below 0, where the slope of relu is 0: no gradient passes, and what lies before it "
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
        if not is_zero(step.sent[0]):
            return None
        count = step.sent[0].numel if step.sent[0] is not None else 0
        seen = f"{title} sends 0 for all of its {count} elements, and receives a gradient of norm {came:.3g}"
        return Finding(stop.kind, "warning", seen, lines, stop.why, stop.fix, node.id, number)
    if went > FAINT * came or not _is_flat(node.value, softmax=node.grad_fn == "SoftmaxBackward0"):
        return None
    seen = f"{title} receives a gradient of norm {came:.3g} and sends one of norm {went:.3g}"
    return Finding(_SATURATED.kind, "warning", seen, lines, _SATURATED.why, _SATURATED.fix, node.id, number)


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
    return len(near) == 2 and (not softmax or numbers[1] > 0.999)
