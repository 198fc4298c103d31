"""For tests: a loss or a training step whose gradients do not reach every parameter is a failed test.

>>> from autograd_tour.testing import assert_gradients_flow
>>> assert_gradients_flow(lambda: loss_fn(model(x), y))  # doctest: +SKIP

pytest has it as the fixture ``assert_gradients_flow`` too. Importing this loads neither torch nor pytest.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from autograd_tour.errors import UsageError

if TYPE_CHECKING:
    from autograd_tour.findings import Finding
    from autograd_tour.record.graph import Graph

__all__ = ["assert_gradients_flow"]

NOT_OF_FLOW = ("graph-kept",)
"""Findings of the level warning that say nothing of gradients."""
MEANT = ("grad-none-frozen", "grad-none-copy")
MOST_NAMES = 8


def assert_gradients_flow(program: Any, *args: Any, ignore: str | Iterable[str] = ()) -> None:
    """Nothing, if every parameter that ``program(*args)`` uses gets a finite gradient that is not all zero.

    ``program`` returns a loss, or trains for a step or more; it is followed once, as
    :func:`autograd_tour.explain` does it, and everything is put back. ``ignore`` has names of parameters,
    with ``*`` for any letters (``"head.*"``), and kinds of findings (``"vanishing"``). Frozen parameters are
    meant.

    Raises:
        AssertionError: a gradient is missing, zero, NaN, or wrong, or backward failed. The message says of
            which parameter, why, and which line caused it.
        ProgramError: the program never came to call torch.
        UsageError: ``program`` is not callable.
    """
    __tracebackhide__ = True
    from autograd_tour.diagnosis import explain

    if not callable(program):
        raise UsageError(
            f"assert_gradients_flow() takes a callable, not {type(program).__name__}",
            "For example assert_gradients_flow(lambda: loss_fn(model(x), y))",
        )
    ignored = (ignore,) if isinstance(ignore, str) else tuple(ignore)
    explanation = explain(program, *args)
    faults = [text for finding in explanation.findings if (text := _fault(finding, ignored))]
    explained = {name for finding in explanation.findings for name in finding.about}
    faults += _zeros(explanation.graphs, ignored, explained)
    if faults:
        raise AssertionError("\n".join(["gradients do not flow", *faults]))


def _fault(finding: Finding, ignored: tuple[str, ...]) -> str:
    """What a finding says in a few lines; ``""`` for one that is no fault here, or is ignored."""
    missing = finding.kind.startswith("grad-none-") and finding.kind not in MEANT
    if finding.kind in (*NOT_OF_FLOW, *ignored) or (finding.level == "note" and not missing):
        return ""
    concerned = [name for name in finding.about if not _matches(name, ignored)]
    if finding.about and not concerned:
        return ""
    parameters = _listed(concerned) if missing and concerned else ""
    seen = f"{parameters}: .grad is None after backward" if parameters else finding.seen
    lines = [f"  {seen}  [{finding.kind}]"]
    lines += [f"    {item.role}: {item.line.position}: {item.line.text}" for item in finding.lines]
    if not finding.lines and missing:
        lines.append("    no line of the program uses it on the way to the loss")
    if finding.speaker:
        lines.append(f"    {finding.speaker}: {' '.join(finding.message.split())[:300]}")
    return "\n".join([*lines, f"    why: {_first_sentence(finding.why)}"])


def _zeros(graphs: Iterable[Graph], ignored: tuple[str, ...], explained: set[str]) -> Iterator[str]:
    """Leaves whose gradient arrived in every graph that has them, and was zero in every element."""
    from autograd_tour.findings.base import is_zero

    zero: dict[str, str] = {}
    alive: set[str] = set()
    for graph in graphs:
        for accumulator, leaf in graph.leaves.items():
            name, (_, step) = graph.title(leaf), graph.step(accumulator)
            if step is None or not step.received:
                continue
            if not is_zero(step.received[0]):
                alive.add(name)
            elif name not in zero:
                line = graph.line(leaf)
                zero[name] = "" if line is None else f"\n    first used: {line.position}: {line.text}"
    together: dict[str, list[str]] = {}
    for name, where in zero.items():
        if name not in alive | explained and not _matches(name, ignored):
            together.setdefault(where, []).append(name)
    for where, names in together.items():
        yield f"  {_listed(names)}: the gradient arrives and is 0 in every element{where}"


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _listed(names: list[str]) -> str:
    rest = len(names) - MOST_NAMES
    return ", ".join(names[:MOST_NAMES]) + (f" and {rest} more" if rest > 0 else "")


def _first_sentence(text: str) -> str:
    end = text.find(". ")
    return text if end < 0 else text[: end + 1]
