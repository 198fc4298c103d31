"""From Python: one trace as text, or as one file whose ending says the format."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from autograd_tour.drawing import Direction, ThemeName
from autograd_tour.errors import UsageError
from autograd_tour.formats.base import ACCUMULATION, Format, Settings
from autograd_tour.formats.produce import files_of_trace
from autograd_tour.formats.registry import registry
from autograd_tour.formats.write import write_all
from autograd_tour.record.graph import Graph
from autograd_tour.record.ledger import Ledger
from autograd_tour.record.trace import Trace
from autograd_tour.reports import report

__all__ = ["dot", "report", "save", "svg"]

STEM = "trace"


def save(
    what: Graph | Ledger | Trace,
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
    """Write a graph, a ledger or both to ``path``; its ending says how.

    Endings are ``.svg``, ``.pdf``, ``.png``, ``.html``, ``.dot``, ``.json``, ``.txt``, and those that a
    format has of its own, as ``-jupyterquiz.json``. The file is written whole or not at all. ``ledger``
    goes into the report and the JSON too, and ``scale`` is the number of pixels of a PNG for each px of
    the picture.

    Raises:
        UsageError: an unknown ending or view, what can only be written as several files (the hint says
            what to call), or a folder that cannot be written to.
        EngineError: the layout failed.
    """
    target = Path(path)
    name = _format_of(target.name)
    content = _content(what, name, view, ledger, theme, direction, engine, timeout, scale)
    write_all(target.parent, {target.name: content})
    return target


def svg(what: Graph | Ledger | Trace, *, view: str = "graph", **options: Any) -> str:
    """The picture as SVG text; options as for :func:`save`."""
    return str(_content(what, "svg", view, None, **_defaults(options)))


def dot(what: Graph | Trace, *, view: str = "graph", **options: Any) -> str:
    """The graph as DOT text; options as for :func:`save`."""
    return str(_content(what, "dot", view, None, **_defaults(options)))


def _defaults(options: dict[str, Any]) -> dict[str, Any]:
    return {"theme": "auto", "direction": "LR", "engine": None, "timeout": 60.0, "scale": 2.0} | options


def _endings(writer: Format) -> tuple[str, ...]:
    return writer.endings or (f".{writer.name}",)


def _format_of(name: str) -> str:
    """The format that a file name asks for: that of the longest ending that fits.

    Raises:
        UsageError: no format ends so.
    """
    every = [(ending, writer.name) for writer in registry().values() for ending in _endings(writer)]
    fitting = [pair for pair in every if name.endswith(pair[0])]
    if not fitting:
        # What has several endings makes several files, and none of them can be saved alone.
        single = [_endings(writer) for writer in registry().values() if len(_endings(writer)) == 1]
        endings = ", ".join(ending for (ending,) in single)
        suffix = Path(name).suffix
        raise UsageError(f"cannot tell the format from the ending {suffix!r}", f"Use one of: {endings}")
    return max(fitting, key=lambda pair: len(pair[0]))[1]


def _content(
    what: Graph | Ledger | Trace,
    name: str,
    view: str,
    ledger: Ledger | None,
    theme: ThemeName,
    direction: Direction,
    engine: str | None,
    timeout: float,
    scale: float,
) -> str | bytes:
    if isinstance(what, Trace):
        trace = what if ledger is None else Trace(what.graph, ledger)
    else:
        trace = Trace(Graph(), what) if isinstance(what, Ledger) else Trace(what, ledger)
    chosen = ACCUMULATION if isinstance(what, Ledger) else view
    settings = Settings((name,), (chosen,), theme, direction, engine, timeout=timeout, scale=scale)
    files = files_of_trace(STEM, trace, settings)
    if not files:
        raise UsageError(f"a ledger cannot be written as .{name}", "Use .svg, .pdf, .png, .txt or .json")
    whole = f"{STEM}-{chosen}.{name}"  # the frames of a film stand beside the film itself
    if len(files) > 1 and whole not in files:
        raise UsageError(
            f"this makes {len(files)} files, and save() writes one: {_listed(list(files))}",
            f"autograd-tour render TARGET -f {name} --view {chosen} writes them all, TARGET being a program "
            "or a trace saved as .json",
        )
    return files.get(whole) or next(iter(files.values()))


def _listed(names: list[str]) -> str:
    return ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
