"""NaN and Inf: the first node that made one, forward or backward, against all that pass it on."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from autograd_tour.findings.base import Finding, Subject, lines_of
from autograd_tour.record.graph import Graph, SourceLine
from autograd_tour.text import number as number_text
from autograd_tour.views.nonfinite import NonFinite, NonFinites, nonfinites

__all__ = ["findings"]

_FIXES = (
    ("Sqrt", "y = torch.sqrt(x + 1e-12)      # its slope at 0 is infinite"),
    ("Norm", "n = torch.sqrt((x * x).sum() + 1e-12)"),
    ("Log", "y = torch.log(x.clamp(min=1e-12))"),
    ("Div", "y = a / (b + 1e-12)"),
    ("Pow", "y = (x + 1e-12) ** 0.5"),
    ("Softmax", "mask[mask.all(-1)] = False     # no row may be masked as a whole"),
    ("Exp", "y = torch.exp(x - x.max())     # or torch.logsumexp"),
)
_OF_TOO_FEW = (
    ("Mean", "if x.numel():                  # the mean of no elements is 0 / 0"),
    ("NllLoss", "if (target != -100).any():     # where all targets are ignored, their mean is 0 / 0"),
    ("Std", "x.std(correction=0)            # of one element n - 1 is 0"),
    ("Var", "x.var(correction=0)            # of one element n - 1 is 0"),
)
"""Of finite numbers these make NaN only where there are too few of them."""
_LARGEST = {"float16": 65504.0, "bfloat16": 3.39e38, "float32": 3.4e38, "float64": 1.79e308}
_NEAR = 1e-3
"""A gradient of more than this part of the largest number may overflow where it is multiplied."""
_STEEP = ("Sqrt", "Norm", "Log", "Div")
_CHECKED = "assert torch.isfinite(x).all()"
_MASKS = frozenset({"WhereBackward0", "MaskedFillBackward0", "MaskedFillBackward1"})
_HALF = frozenset({"float16", "bfloat16"})


def findings(subject: Subject) -> Iterator[Finding]:
    """Of each graph the first forward, and the first of backward that does not come of what forward holds."""
    reported: set[tuple[object, ...]] = set()
    for number, graph in enumerate(subject.graphs):
        odd = nonfinites(graph)
        forward = next(_forward(graph, number, odd), None)
        own = (item for item in _backward(graph, number, odd) if not _holds_any(graph, item.node, odd))
        backward = next(_backward(graph, number, odd) if forward is None else own, None)
        for first in (forward, backward):
            if first is not None and (key := (first.kind, first.lines)) not in reported:
                reported.add(key)
                yield _harmless(first) if _is_absorbed(graph, odd) else _weighed(first, odd)


def _is_absorbed(graph: Graph, odd: NonFinites) -> bool:
    """Whether none of them reaches a result or a gradient, as with scores that a softmax makes 0."""
    results = any((node, slot) in odd.values for node, slot in graph.outputs)
    return bool(graph.passes) and not (results or odd.received or odd.sent)


def _harmless(finding: Finding) -> Finding:
    why = f"{finding.why} None reaches the loss or a gradient: as a mask before softmax, they may be meant."
    return replace(finding, level="note", why=why)


def _weighed(finding: Finding, odd: NonFinites) -> Finding:
    """An error where gradients are NaN: the next step puts that into a parameter."""
    if finding.level == "error" or not any(mark.nan for mark in odd.received.values()):
        return finding
    return replace(finding, level="error", why=f"{finding.why} There is NaN in backward too.")


def _forward(graph: Graph, number: int, odd: NonFinites) -> Iterator[Finding]:
    passing = len({node for (node, _), mark in odd.values.items() if not mark.begins and not mark.given})
    for (node_id, slot), mark in odd.values.items():
        if not mark.begins:
            continue
        node = graph.node(node_id)
        if node.kind != "operation":
            what = f"{graph.title(node_id)} holds {_count(mark)} already where the graph begins"
            why = (
                "How a leaf or a constant came to be is not in the graph; what the graph computes from it "
                "may hold such numbers too."
            )
            yield Finding(
                "nonfinite-input",
                "warning",
                what,
                lines_of(("used here", _use_of(graph, node_id))),
                why,
                _CHECKED,
                node_id,
                number,
            )
            continue
        facts = node.values[slot]
        half = facts is not None and facts.dtype in _HALF and not mark.nan
        kind = "overflow-in-half-precision" if half else "nan-forward" if mark.nan else "inf-forward"
        given, title = _nonfinite_input(graph, node_id, odd), graph.title(node_id)
        if given is None:
            why = f"{graph.title(node_id)} is the first that has any; nothing it was computed from has."
        else:
            why = f"{given} already holds numbers that are not finite; {title} is computed from them."
        if passing:
            why += f" {_amount(passing)} after it only {'passes' if passing == 1 else 'pass'} them on."
        if half:
            why += (
                f" The largest number of {facts.dtype if facts else ''} is "
                + ("65504" if facts and facts.dtype == "float16" else "3.4e38")
                + ": what is larger becomes inf."
            )
        what = f"{_count(mark)} in the forward pass, first made by {graph.title(node_id)}"
        yield Finding(
            kind,
            "error" if mark.nan else "warning",
            what,
            lines_of(("made here", graph.line(node_id))),
            why,
            _forward_fix(node.grad_fn, nan=bool(mark.nan), half=half)
            if given is None or "Softmax" in node.grad_fn
            else _CHECKED,
            node_id,
            number,
        )


def _backward(graph: Graph, number: int, odd: NonFinites) -> Iterator[Finding]:
    carriers = {node for node, _ in odd.received}
    users: dict[str, list[str]] = {}
    for edge in graph.select("forward"):
        users.setdefault(edge.src, []).append(edge.dst)
    for (node_id, _), mark in odd.sent.items():
        if not mark.begins:
            continue
        node = graph.node(node_id)
        mask = next((user for user in users.get(node_id, ()) if graph.node(user).grad_fn in _MASKS), None)
        lines = lines_of(("made here", graph.line(node_id)))
        what = f"the backward of {graph.title(node_id)} is the first to send {_count(mark)}"
        rest = f" {_amount(len(carriers))} after it received them."
        if mask is not None:
            why = (
                "The values that where() threw away were computed all the same. Their gradient is 0 when "
                "it comes out of "
                f"where(), and {graph.title(node_id)} multiplies it by its slope, which is infinite there: "
                f"0 · inf is NaN. "
                "Choose the input, not the result: let the function never see the number at which its "
                "slope is infinite." + rest
            )
            fix = "safe = torch.where(mask, x, 1.0)\ny = torch.where(mask, torch.sqrt(safe), 0.0)"
            lines = (*lines, *lines_of(("masked here", graph.line(mask))))
            yield Finding("nan-beside-where", "error", what, lines, why, fix, node_id, number)
            continue
        given, title = _nonfinite_input(graph, node_id, odd), graph.title(node_id)
        if given is not None:
            why = f"{given} holds numbers that are not finite, and the slope of {title} is made of them."
        elif _holds_any(graph, node_id, odd):
            why = f"{graph.title(node_id)} has values that are not finite itself, and so has its slope."
        else:
            why = (
                f"All its values are finite, but its slope is not: {graph.title(node_id)} multiplies the "
                "gradient that comes in by the slope at its input, and that is infinite or undefined there."
            )
        kind = "nan-backward" if mark.nan else "inf-backward"
        fix = _fix(node.grad_fn) if given is None else _CHECKED
        large = None if mark.nan or _holds_any(graph, node_id, odd) else _large(graph, node_id)
        if large is not None:
            most, dtype = large
            why = (
                f"All its values are finite. The gradient that comes in is as large as {number_text(most)}; "
                f"what {title} makes of it is beyond the largest number of {dtype}, "
                f"{number_text(_LARGEST[dtype])}, or its slope is infinite there. A GradScaler leaves "
                "out such a step and lowers its factor."
            )
            if most > _LARGEST[dtype] or not any(name in node.grad_fn for name in _STEEP):
                fix = "loss = loss / 1000             # smaller gradients; a scaler finds its factor itself"
        yield Finding(
            kind, "error" if large is None else "warning", what, lines, why + rest, fix, node_id, number
        )


def _large(graph: Graph, node_id: str) -> tuple[float, str] | None:
    """The largest number that a node received, and the type of what it sent, if that may overflow."""
    for _, step in graph.numbered_steps():
        if step.node == node_id:
            bounds = [
                abs(bound)
                for facts in step.received
                if facts is not None and facts.stats is not None
                for bound in (facts.stats.min, facts.stats.max)
                if isinstance(bound, int | float)
            ]
            dtypes = [facts.dtype for facts in step.sent if facts is not None and facts.dtype in _LARGEST]
            most = max(bounds, default=0.0)
            if dtypes and most > _LARGEST[dtypes[0]] * _NEAR:
                return most, dtypes[0]
    return None


def _nonfinite_input(graph: Graph, node_id: str, odd: NonFinites) -> str | None:
    """What goes into a node and is not finite already, as it is called; ``None`` if all of it is finite."""
    carriers = {node for node, _ in odd.values}
    sources = (edge.src for edge in graph.select("forward") if edge.dst == node_id)
    return next((graph.title(source) for source in sources if source in carriers), None)


def _holds_any(graph: Graph, node_id: str, odd: NonFinites) -> bool:
    """Whether what goes into a node or comes out of it is not finite in the forward pass."""
    return _nonfinite_input(graph, node_id, odd) is not None or any(node == node_id for node, _ in odd.values)


def _use_of(graph: Graph, node_id: str) -> SourceLine | None:
    """The first line that uses a leaf or a constant."""
    users = (edge.dst for edge in graph.select("forward") if edge.src == node_id)
    return next((line for user in users if (line := graph.line(user)) is not None), graph.line(node_id))


def _count(mark: NonFinite) -> str:
    parts = [f"{count} {name}" for count, name in ((mark.nan, "NaN"), (mark.inf, "Inf")) if count]
    return (
        f"{' and '.join(parts)} among {mark.total} numbers" if mark.total > 1 else parts[0].partition(" ")[2]
    )


def _amount(count: int) -> str:
    return "1 node" if count == 1 else f"{count} nodes"


def _forward_fix(grad_fn: str, *, nan: bool, half: bool) -> str:
    few = (fix for word, fix in _OF_TOO_FEW if nan and word in grad_fn)
    return next(few, None) or _fix(grad_fn, half=half)


def _fix(grad_fn: str, *, half: bool = False) -> str:
    if half:
        return "x = x.float()                  # or bfloat16, which has the range of float32"
    return next(
        (fix for word, fix in _FIXES if word in grad_fn),
        "x = x.clamp(min=1e-12)         # keep away from there",
    )
