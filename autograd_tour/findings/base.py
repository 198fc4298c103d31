"""What a finding is, and what it can be drawn from. Plain data, free of torch."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Literal

from msgspec import Struct

from autograd_tour.record.evidence import Evidence
from autograd_tour.record.facts import Number, TensorFacts
from autograd_tour.record.graph import Graph, SourceLine
from autograd_tour.record.run import Event, Run

__all__ = [
    "LEVELS",
    "OPTIMIZERS",
    "Finding",
    "Level",
    "MarkedLine",
    "Subject",
    "is_zero",
    "lines_of",
    "listed",
    "norm",
    "optimizer_line",
]

Level = Literal["error", "warning", "note"]
LEVELS: tuple[Level, ...] = ("error", "warning", "note")
"""From the worst on. A note is true and may well be meant."""

OPTIMIZERS = frozenset(
    {"ASGD", "Adadelta", "Adafactor", "Adagrad", "Adam", "AdamW", "Adamax", "LBFGS", "Muon", "NAdam"}
    | {"RAdam", "RMSprop", "Rprop", "SGD", "SparseAdam"}
)
"""Those of ``torch.optim``."""


class MarkedLine(Struct, frozen=True):
    """A line of the program and its part in what happened: ``saved here``, ``changed here``."""

    role: str
    line: SourceLine


class Finding(Struct, frozen=True, omit_defaults=True):
    """One thing that is wrong with gradients.

    ``seen`` is what happened, in numbers; ``lines`` the guilty ones, the one to change first; ``why`` is a
    paragraph, ``fix`` is code. ``node`` is the card to mark in ``Subject.graphs[graph]``, ``""`` for none.
    ``message`` is torch's own text where there is one, or that of the error which the program raised itself:
    ``own``. ``about`` has the names of the leaves concerned.
    ``depth`` has the layers, from the first to the last, with the gradient of each per element.
    """

    kind: str
    level: Level
    seen: str
    lines: tuple[MarkedLine, ...] = ()
    why: str = ""
    fix: str = ""
    node: str = ""
    graph: int = 0
    message: str = ""
    about: tuple[str, ...] = ()
    depth: tuple[tuple[str, float], ...] = ()
    own: bool = False

    @property
    def speaker(self) -> str:
        """Whose words ``message`` is: ``torch says``, ``the program says``; ``""`` if ``seen`` has them."""
        if not self.message or (self.own and self.message in self.seen):
            return ""
        return "the program says" if self.own else "torch says"

    @property
    def brief(self) -> str:
        """What was seen and the first line, for one line of text."""
        where = f" ({self.lines[0].role}: {self.lines[0].line.position})" if self.lines else ""
        return f"{self.level}: {self.seen}{where}"


class Subject(Struct, frozen=True, dict=True):
    """The graphs of a run, the run if the program trains or was followed, and what was heard beside it."""

    graphs: tuple[Graph, ...] = ()
    run: Run | None = None
    evidence: Evidence = Evidence()

    @cached_property
    def events(self) -> tuple[Event, ...]:
        """The events up to the first of which some are missing before it."""
        if self.run is None:
            return ()
        for number, gap in enumerate(self.run.untold()):
            if gap is not None:
                return self.run.events[:number]
        return self.run.events

    def line(self, event: Event) -> SourceLine | None:
        """The line of an event."""
        return self.run.line(event) if self.run is not None else None

    def node_at(self, line: SourceLine | None, grad_fn: str = "") -> tuple[str, int]:
        """The node that ``line`` made, of that class if one is, and its graph; ``("", 0)`` for none."""
        if line is None:
            return "", 0
        for number, graph in enumerate(self.graphs):
            placed = (node for node in graph.nodes if node.where is not None)
            nodes = [node for node in placed if _same(graph.source[node.where or 0], line)]
            exact = [node for node in nodes if node.grad_fn == grad_fn]
            if exact or nodes:
                return (exact or nodes)[-1].id, number
        return "", 0


def _same(line: SourceLine, other: SourceLine) -> bool:
    return (line.file, line.line) == (other.file, other.line)


def lines_of(*pairs: tuple[str, SourceLine | None]) -> tuple[MarkedLine, ...]:
    """The lines that are known, with their roles."""
    return tuple(MarkedLine(role, line) for role, line in pairs if line is not None)


def listed(names: Iterable[str], most: int = 4) -> str:
    """``a, b and 3 more``."""
    every = [name or "a tensor without a name" for name in names]
    rest = len(every) - most
    return ", ".join(every[:most]) + (f" and {rest} more" if rest > 0 else "")


def optimizer_line(name: str, parameters: str, settings: Iterable[tuple[str, Number]] = ()) -> str:
    """Code that makes an optimizer of class ``name`` anew, with its learning rate if that is known.

    >>> optimizer_line("AdamW", "model.parameters()", [("lr", 0.01), ("eps", 1e-8)])
    'optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)'
    """
    rates = [f", lr={value:g}" for key, value in settings if key == "lr" and isinstance(value, int | float)]
    maker = f"torch.optim.{name}" if name in OPTIMIZERS else name or "torch.optim.SGD"
    return f"optimizer = {maker}({parameters}{''.join(rates)})"


def norm(facts: TensorFacts | None) -> float | None:
    """The Euclidean norm, ``None`` if it is not known or no finite number."""
    if facts is None:
        return None
    if facts.stats is not None and isinstance(facts.stats.norm, int | float):
        return float(facts.stats.norm)
    if facts.numel == len(facts.first) and all(isinstance(item, int | float) for item in facts.first):
        return float(sum(float(item) ** 2 for item in facts.first) ** 0.5)
    return None


def is_zero(facts: TensorFacts | None) -> bool:
    """Whether every element is known to be 0, and there is one."""
    return facts is not None and facts.numel > 0 and norm(facts) == 0
