"""From Python: one trace as text, or as one file whose ending says the format."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from autograd_tour.drawing import Direction, ThemeName
from autograd_tour.errors import UsageError
from autograd_tour.formats.base import ACCUMULATION, Settings
from autograd_tour.formats.produce import files_of_trace
from autograd_tour.formats.registry import registry
from autograd_tour.formats.write import write_all
from autograd_tour.record.graph import Graph
from autograd_tour.record.ledger import Ledger
from autograd_tour.record.trace import Trace
from autograd_tour.reports import report

__all__ = ["dot", "report", "save", "svg"]


def save(
    what: Graph | Ledger,
    path: str | Path,
    *,
    view: str = "graph",
    ledger: Ledger | None = None,
    theme: ThemeName = "auto",
    direction: Direction = "LR",
    engine: str | None = None,
    timeout: float = 60.0,
    scale: float = 2.0,
) -> Path:
    """Write a graph or a ledger to ``path``; its ending says how: svg, pdf, png, html, dot, json, txt.

    The file is written whole or not at all. ``ledger`` goes into the report and the JSON too, and
    ``scale`` is the number of pixels of a PNG for each px of the picture.

    Raises:
        UsageError: an unknown ending or view, or a folder that cannot be written to.
        EngineError: the layout failed.
    """
    target = Path(path)
    content = _content(
        what, target.suffix.removeprefix("."), view, ledger, theme, direction, engine, timeout, scale
    )
    write_all(target.parent, {target.name: content})
    return target


def svg(what: Graph | Ledger, *, view: str = "graph", **options: Any) -> str:
    """The picture as SVG text; options as for :func:`save`."""
    return str(_content(what, "svg", view, None, **_defaults(options)))


def dot(what: Graph, *, view: str = "graph", **options: Any) -> str:
    """The graph as DOT text; options as for :func:`save`."""
    return str(_content(what, "dot", view, None, **_defaults(options)))


def _defaults(options: dict[str, Any]) -> dict[str, Any]:
    return {"theme": "auto", "direction": "LR", "engine": None, "timeout": 60.0, "scale": 2.0} | options


def _content(
    what: Graph | Ledger,
    ending: str,
    view: str,
    ledger: Ledger | None,
    theme: ThemeName,
    direction: Direction,
    engine: str | None,
    timeout: float,
    scale: float,
) -> str | bytes:
    if ending not in registry():
        known = ", ".join(f".{name}" for name in registry())
        raise UsageError(
            f"cannot tell the format from the ending {'.' + ending if ending else ''!r}",
            f"Use one of: {known}",
        )
    trace = Trace(Graph(), what) if isinstance(what, Ledger) else Trace(what, ledger)
    name = ACCUMULATION if isinstance(what, Ledger) else view
    settings = Settings((ending,), (name,), theme, direction, engine, timeout=timeout, scale=scale)
    files = files_of_trace("trace", trace, settings)
    if not files:
        raise UsageError(f"a ledger cannot be written as .{ending}", "Use .svg, .pdf, .png, .txt or .json")
    return next(iter(files.values()))
