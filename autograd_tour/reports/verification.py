"""What came out of each check, in a line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from autograd_tour.record.facts import Number
from autograd_tour.record.graph import SourceLine
from autograd_tour.record.verification import (
    Check,
    Deviation,
    Differences,
    Element,
    Gap,
    Gradients,
    Likeness,
    Reason,
    Skipped,
    Sums,
    Suspect,
    Training,
    Unlike,
    Verification,
)
from autograd_tour.text import number

__all__ = ["lines"]

NAMED = 4
"""Nodes, edges, kinks and lines that are named; of more the number is told."""

_REASONS: Mapping[Reason, str] = {
    "saved": "a saved trace has no program to run",
    "structure": "only the structure was recorded",
    "compared": "these are two runs in one",
    "no backward": "no backward was recorded",
    "existing": "part of the graph was there before the program ran, so that moving a leaf does not move it",
    "unrepeatable": "the program gives other numbers in another run, under the same random state",
    "failed": "the program failed when it ran again",
    "too deep": "torchviz calls itself once per node, and Python stopped it; nodes on the longest path",
    "not installed": "torchviz cannot be loaded",
    "unreadable": "the numbers of its leaves cannot be read, as on the device meta",
    "torchviz failed": "torchviz cannot draw this program",
    "not finite": "the loss is not finite",
    "unheard": "no leaf is used where a torch function can be heard, so none can be moved",
    "precision": "the program does not run in float64",
}
_FUNCTIONS = {"grad": "torch.autograd.grad", "backward": "backward(), as torch.autograd.grad is refused here"}


def lines(verification: Verification) -> list[str]:
    """One line for each check: its name, ``ok``, ``differs`` or ``skipped``, and the figures."""
    return [f"{check.name:<13}{check.outcome:<9}{'; '.join(_parts(check))}" for check in verification.checks]


def _parts(check: Check) -> Iterator[str]:
    match check.result:
        case Skipped():
            detail = f": {check.result.detail}" if check.result.detail else ""
            yield _REASONS[check.result.reason] + detail
        case Likeness():
            yield from _likeness(check.result)
        case Gradients():
            yield from _gradients(check.result)
        case Differences():
            yield from _differences(check.result)
        case Sums():
            yield from _sums(check.result)
        case Training():
            yield from _training(check.result)


def _likeness(result: Likeness) -> Iterator[str]:
    same = f"{_count(result.nodes, 'node')} and {_count(result.edges, 'edge')}"
    if result.missing or result.extra or result.renamed:
        if result.missing:
            yield f"only torchviz {result.version} has {_named(result.missing)}"
        if result.extra:
            yield f"only the record has {_named(result.extra)}"
        if result.renamed:
            yield f"another class: {_named(result.renamed)}"
        yield f"the same: {same}"
    else:
        yield f"{same}{_in_graphs(result.graphs)} are those of torchviz {result.version}"
    if result.stubs:
        yield f"not in its picture: {_count(result.stubs, 'slot')} without a gradient"
    if result.inner:
        yield f"{_count(result.inner, 'leaf')} of a Function's own backward not compared"


def _gradients(result: Gradients) -> Iterator[str]:
    function = _FUNCTIONS[result.function]
    for mismatch in result.mismatches[:NAMED]:
        name = _element(mismatch.name, mismatch.index)
        if mismatch.index is None:
            yield f"{name}.grad is another tensor{_used(mismatch.where)}"
        else:
            numbers = (
                f"{_digits(mismatch.recorded)} in the record, {_digits(mismatch.computed)} by {function}"
            )
            yield f"{name}.grad: {numbers}{_used(mismatch.where)}"
    if len(result.mismatches) > NAMED:
        yield f"{_count(len(result.mismatches) - NAMED, 'more leaf')}"
    recorded = _of(result.elements, result.total, "element")
    if not result.mismatches:
        yield f"{_count(result.leaves, 'leaf')}, {recorded}: bit for bit those of {function}"
    if result.inner:
        yield f"{_count(result.inner, 'leaf')} of a Function's own backward not compared"


def _differences(result: Differences) -> Iterator[str]:
    moved = f"{_of(result.elements, result.total, 'element')} of {_count(result.leaves, 'leaf')}"
    worst = result.worst
    if result.mismatches and worst is not None:
        yield f"{_compared(worst)}{_used(worst.where)}"
        yield from map(_suspect, result.suspects[:NAMED])
        yield f"{_count(result.mismatches, 'derivative')} beyond what is allowed"
    yield f"{moved}, and a step through all, in {result.dtype}"
    if worst is not None and not result.mismatches:
        yield f"furthest apart: {_compared(worst)}, {number(worst.tolerance, 2)} is allowed"
    for kink in result.kinks[:NAMED]:
        name = _element(kink.element.name, kink.element.index)
        slopes = f"slopes {number(kink.left, 4)} and {number(kink.right, 4)}"
        backward = _short(kink.element.analytic)
        yield f"at a kink: {name or 'the step through all'}, {slopes}, backward gives {backward}"
    if len(result.kinks) > NAMED:
        yield f"{len(result.kinks) - NAMED} more at kinks"
    if result.infinite:
        yield f"{_count(result.infinite, 'derivative')} infinite or NaN on both sides"
    if result.edges:
        yield f"{_count(result.edges, 'derivative')} not compared: a step away the loss is not finite"
    if result.unheard:
        yield f"{_count(result.unheard, 'leaf')} cannot be moved"
    if result.precision:
        yield f"float64 failed ({result.precision})"
    if result.lopsided:
        elements = _count(result.lopsided, "element")
        yield f"{elements} of gradients finite on one side only, in the record or in {result.dtype}"
    if result.distance is not None:
        yield f"recorded gradients are {_apart(result.distance)}"


def _apart(distance: float) -> str:
    """How far the record is from what was computed in another precision."""
    return f"within {number(distance, 2)} of these, relative to the largest" if distance else "exactly these"


def _compared(element: Element) -> str:
    name = _element(element.name, element.index)
    if element.index is None:
        name = f"a step through {name or 'all'}"
    part = f" ({element.part} part)" if element.part else ""
    return f"{name}{part} {_short(element.analytic)} by backward, {_short(element.numerical)} by differences"


def _suspect(suspect: Suspect) -> str:
    match suspect.kind:
        case "function":
            where = f" at {suspect.backward}" if suspect.backward else ""
            text = f"backward() of {suspect.name}{where} is not the derivative of its forward()"
            used = ", ".join(_line(line) for line in suspect.lines[:NAMED])
            return f"{text}, applied at {used}" if used else text
        case "hook":
            return f"a hook changes the gradient of {suspect.name}{_at(next(iter(suspect.lines), None))}"
        case "triangle":
            where = _at(next(iter(suspect.lines), None))
            return f"{suspect.name} reads one triangle, its derivative is for symmetric matrices{where}"


def _sums(result: Sums) -> Iterator[str]:
    recorded = _of(result.elements, result.total, "element")
    for deviation in result.deviations[:NAMED]:
        yield _deviation(deviation)
    if len(result.deviations) > NAMED:
        yield f"{len(result.deviations) - NAMED} more"
    summed = f"{_count(result.arrivals, 'sum')} at nodes and {result.accumulations:,} of .grad"
    summed += _in_graphs(result.graphs)
    yield f"{summed} {'looked at' if result.deviations else 'close'}, {recorded}"
    if result.hooked:
        yield f"{result.hooked:,} changed by a hook not compared"
    if result.unsent:
        yield f"{result.unsent:,} where the record does not say what backward began with, not compared"


def _training(result: Training) -> Iterator[str]:
    yield from map(_unlike, result.unlike[:NAMED])
    if len(result.unlike) > NAMED:
        yield f"{len(result.unlike) - NAMED:,} more"
    yield from map(_gap, result.gaps[:NAMED])
    if len(result.gaps) > NAMED:
        yield f"{len(result.gaps) - NAMED:,} more changes that no event tells"
    if result.recorded != result.computed:
        yield f"{_count(result.recorded, 'backward call')} in the record, {result.computed:,} alone"
    if result.calls < result.recorded:
        yield f"{result.calls:,} of {_count(result.recorded, 'backward call')} told in full"
    losses = "loss" if result.losses == 1 else "losses"
    figures = (
        f"{result.losses:,} {losses}, {result.gradients:,} .grad after backward, "
        f"{_count(result.values, 'value')} after steps"
    )
    if result.noted_losses or result.noted_norms:
        noted = "loss" if result.noted_losses == 1 else "losses"
        norms = _count(result.noted_norms, "norm")
        figures += f"; of the others {result.noted_losses:,} {noted} and {norms} of gradients"
    same = not result.unlike and result.recorded == result.computed
    yield f"{figures}{': bit for bit those of the program alone' if same else ' looked at'}"

    if result.hooked:
        yield f"{result.hooked:,} .grad that a hook may change during backward not compared"


def _unlike(item: Unlike) -> str:
    what = {
        "loss": "the loss",
        "gradient": f"{item.name}.grad",
        "norm": f"the norm of {item.name}.grad",
        "value": f"the value of {item.name} after a step",
    }
    return f"{what[item.kind]} is another alone, backward call {item.call}{_at(item.where)}"


def _in_graphs(count: int) -> str:
    return f" in {count} graphs" if count > 1 else ""


def _gap(item: Gap) -> str:
    what = f"{item.name}.grad" if item.kind == "gradient" else f"the value of {item.name}"
    after = "" if item.after is None else f", after {_line(item.after)}"
    before = "" if item.before is None else f", before {_line(item.before)}"
    return f"no event tells how {what} changed{after}{before}{' up to the end' if item.at_end else ''}"


def _deviation(deviation: Deviation) -> str:
    name, where = _element(deviation.name, deviation.index), _at(deviation.where)
    call = f" in call {deviation.call} of the ledger" if deviation.call else ""
    if deviation.kind == "received":
        if deviation.index is None:
            return f"{name} received nothing of what was sent{where}"
        return f"{name} received {_digits(deviation.recorded)}, sent was {_digits(deviation.expected)}{where}"
    if deviation.index is None:
        return f"{name}.grad is None after a gradient was added{call}{where}"
    sums = f"before and what is added make {_digits(deviation.expected)}"
    return f"{name}.grad is {_digits(deviation.recorded)}, {sums}{call}{where}"


def _count(amount: int, noun: str) -> str:
    plural = f"{noun[:-1]}ves" if noun.endswith("f") else f"{noun}s"
    return f"{amount:,} {noun if amount == 1 else plural}"


def _of(part: int, whole: int, noun: str) -> str:
    return f"{part:,} of {_count(whole, noun)}"


def _named(texts: Sequence[str]) -> str:
    more = f" and {len(texts) - NAMED} more" if len(texts) > NAMED else ""
    return ", ".join(texts[:NAMED]) + more


def _element(name: str, index: tuple[int, ...] | None) -> str:
    return f"{name}[{', '.join(map(str, index))}]" if index else name


def _line(line: SourceLine) -> str:
    return line.position


def _at(line: SourceLine | None) -> str:
    return f" ({_line(line)})" if line is not None else ""


def _used(line: SourceLine | None) -> str:
    return f" (used at {_line(line)})" if line is not None else ""


def _digits(value: Number | None) -> str:
    """All digits: these numbers may differ in the last."""
    return str(value)


def _short(value: Number) -> str:
    return number(value, 6)
