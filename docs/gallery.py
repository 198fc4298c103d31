"""The gallery of operators: `python -m docs.gallery` writes a page for each family into docs/operators.

Values, rules and gradients are read off records of torch's own samples; what stands at kinks is computed.
"""

from __future__ import annotations

import html
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from autograd_tour.hosts import Cache, Failure, Record, Snippet, run
from autograd_tour.record.graph import Graph
from autograd_tour.record.node import Node
from autograd_tour.rules.mathematics import mathml
from autograd_tour.rules.wording import short
from autograd_tour.text import number
from autograd_tour.views.wording import elements
from docs.operator_list import FAMILIES, KINKS, Kink
from docs.operator_samples import Sample, sample_of

__all__ = ["AtKink", "at_kink", "code_of", "main", "operators"]

FOLDER = Path(__file__).parent / "operators"
PRELUDE = "import torch\nimport torch.nn.functional as F"
NEAR, NEARER = 1e-4, 1e-8
"""Steps to either side of a kink: a slope that grows without end between them is infinite."""


class AtKink(NamedTuple):
    """What is computed at a kink: the value, the slopes on both sides of ``x[0]``, what backward sends."""

    value: float
    left: float
    right: float
    sent: tuple[float, ...]


def operators() -> tuple[str, ...]:
    """The names of all operators of the gallery."""
    return tuple(name for names in FAMILIES.values() for name in names.split())


def code_of(sample: Sample) -> str:
    """A program that ends in one number, with a gradient at ``y`` that differs from element to element."""
    y = sample.function(*sample.leaves)
    y, code = (y, sample.code) if isinstance(y, Tensor) else (y.values, f"{sample.code}.values")
    if y.dim() == 0:
        return f"{code}\nL = 2 * y"
    weights = torch.arange(1.0, y.numel() + 1).reshape(y.shape).tolist()
    return f"{code}\nc = torch.tensor({weights}, dtype=torch.float64)\nL = (c * y).sum()"


def at_kink(kink: Kink) -> AtKink:
    """Compute what happens at a kink. Nothing of it is known beforehand."""
    # Stepping beside 1 in steps of 1e-8 takes 64 bits.
    x = torch.tensor(kink.at, dtype=torch.float64, requires_grad=True)
    y = _value(kink, x)
    (sent,) = torch.autograd.grad(y, x)
    left, right = (_slope(kink, x.detach(), y.item(), sign) for sign in (-1, 1))
    return AtKink(y.item(), left, right, tuple(sent.tolist()))


def _value(kink: Kink, x: Tensor) -> Tensor:
    value: Tensor = eval(kink.code, {"torch": torch, "F": F, "x": x})  # noqa: S307 - code of the list beside it
    return value.sum()


def _slope(kink: Kink, x: Tensor, value: float, sign: int) -> float:
    slopes = []
    for step in (NEAR, NEARER):
        moved = x.clone()
        moved[0] += sign * step
        try:
            slopes.append((_value(kink, moved).item() - value) / (sign * step))
        except RuntimeError:  # the operator refuses what is beside the kink
            return float("nan")
    if abs(slopes[1]) > 1.5 * abs(slopes[0]) + 0.01:
        return float("inf") if slopes[1] > 0 else float("-inf")
    return round(slopes[1], 3) + 0.0


def _page(title: str, names: list[str], samples: dict[str, Sample], records: dict[str, Record]) -> str:
    lines = [f"# {title}", ""]
    for name in names:
        lines += [f"## `{samples[name].call}`", ""]
        options = [":include-source:", ":compact:", ":focus: y"]
        lines += ["```{autograd}", *options, "", *code_of(samples[name]).splitlines(), "```", ""]
        lines += [*_facts(records[name].trace.graph, records[name]), ""]
        if name in KINKS:
            lines += [*_kinks(KINKS[name]), ""]
    return "\n".join(lines)


def _facts(graph: Graph, record: Record) -> Iterator[str]:
    yield "| | |"
    yield "|---|---|"
    own = _own(graph)
    value = own[0].values[0]
    yield f"| value | {_plain(elements(value) if value is not None else '')} |"
    for node in own:
        yield f"| `{node.grad_fn}` receives | {_received(graph, node)} |"
        for target, words, formula in _rules(graph, node):
            yield f"| and sends to {_plain(target)} | {_plain(words)} |"
            yield f"| | {formula} |"
    for leaf in graph.leaves.values():
        name = graph.title(leaf)
        yield f"| {name}.grad | {_plain(record.value(f'{name}.grad'))} |"


def _own(graph: Graph) -> list[Node]:
    """The nodes of the operator: those on the line that makes ``y``."""
    return [
        node
        for node in reversed(graph.nodes)
        if node.kind == "operation"
        and node.where is not None
        and graph.source[node.where].text.startswith("y = ")
    ]


def _received(graph: Graph, node: Node) -> str:
    _, step = graph.step(node.id)
    facts = [item for item in (step.received if step else ()) if item is not None]
    return _plain("; ".join(map(elements, facts)))


def _rules(graph: Graph, node: Node) -> Iterator[tuple[str, str, str]]:
    """(where the gradient goes, the rule in words, the rule as mathematics)."""
    for edge in graph.select("gradient"):
        if edge.src != node.id or edge.rule is None:
            continue
        onto = graph.node(edge.dst)
        leaf = graph.leaf_of(onto.id) if onto.kind == "accumulate" else None
        target = graph.title(leaf) if leaf else graph.result_name(onto.id, edge.slot[1])
        results = [graph.result_name(node.id, slot) or "y" for slot in range(max(len(node.values), 1))]
        formula = mathml(edge.rule, target, results).replace("|", "&#124;")
        yield target, short(edge.rule) or "as it is", formula


def _kinks(kinks: tuple[Kink, ...]) -> Iterator[str]:
    yield "| at a point | value | slope below | slope above | backward sends |"
    yield "|---|--:|--:|--:|--:|"
    for kink in kinks:
        at = at_kink(kink)
        place = f"x = {_numbers(kink.at)}"
        cells = [number(at.value, 4), number(at.left, 4), number(at.right, 4), _numbers(at.sent)]
        yield f"| `{kink.code}` at {place} | {' | '.join(cells)} |"


def _numbers(values: tuple[float, ...]) -> str:
    texts = ", ".join(number(value, 4) for value in values)
    return texts if len(values) == 1 else f"[{texts}]"


def _plain(text: str) -> str:
    """``text`` in a cell: nothing in it is Markdown."""
    escaped = html.escape(text, quote=False)
    return "".join(f"&#{ord(sign)};" if sign in "|*_`[]\\~$" else sign for sign in escaped)


def _index(pages: list[str]) -> str:
    head = (Path(__file__).parent / "gallery_head.txt").read_text(encoding="utf-8").rstrip()
    count = len(operators())
    return "\n".join(
        [head.replace("{count}", str(count)), "", "```{toctree}", ":maxdepth: 2", "", *pages, "```", ""]
    )


def main(folder: Path = FOLDER, cache: Cache | None = None) -> None:
    """Write all pages, and only those that changed, so that Sphinx reads no other."""
    samples = {name: sample_of(name) for name in operators()}
    snippets = [Snippet(code=code_of(sample), prelude=PRELUDE, file=name) for name, sample in samples.items()]
    outcomes = run(snippets, cache)
    records: dict[str, Record] = {}
    for name, outcome in zip(samples, outcomes, strict=True):
        if isinstance(outcome, Failure):
            sys.exit(f"{name}: {outcome}")
        records[name] = outcome
    pages = {}
    for title, names in FAMILIES.items():
        pages[title.lower().replace(",", "").replace(" ", "-")] = _page(
            title, names.split(), samples, records
        )
    texts = {"index": _index(list(pages)), **pages}
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        path = folder / f"{name}.md"
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    kept = Path("build/docs/gallery")
    main(cache=Cache(kept / "records", kept / "pictures"))
