"""From Python: one trace as text, or as one file whose ending says the format."""

from __future__ import annotations

import dataclasses
import warnings
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from autograd_tour.drawing import ThemeName, Turn
from autograd_tour.drawing.room import fits, room_for
from autograd_tour.errors import UsageError
from autograd_tour.findings import strip
from autograd_tour.formats.base import ACCUMULATION, PICTURES, RUN, Format, Settings
from autograd_tour.formats.produce import files_of_trace
from autograd_tour.formats.registry import registry
from autograd_tour.formats.write import write_all
from autograd_tour.record.graph import Graph
from autograd_tour.record.ledger import Ledger
from autograd_tour.record.run import Run
from autograd_tour.record.run_ledger import deposits, ledger_of
from autograd_tour.record.trace import Trace
from autograd_tour.reports import report as report_of
from autograd_tour.views.look import look_for

__all__ = ["dot", "report", "save", "svg"]

STEM = "trace"

ROOMS = ("fit", "width", "min_text", "font_size")
SETTINGS = ("theme", "direction", "engine", "timeout", "scale")
"""Keywords that say what room a picture is made for, and how it is drawn; all others what it shows."""

CALLS = 8
"""Calls in the ledger of a run."""


def save(
    what: Graph | Ledger | Trace | Run,
    path: str | Path,
    *,
    view: str | None = None,
    ledger: Ledger | None = None,
    theme: ThemeName = "auto",
    direction: Turn = "auto",
    engine: str | None = None,
    timeout: float = 60.0,
    scale: float = 2.0,
    fit: str | None = None,
    width: float | None = None,
    min_text: float | None = None,
    font_size: float | None = None,
    **choices: Any,
) -> Path:
    """Write a graph, a ledger, both, or a run to ``path``; its ending says how.

    Endings are ``.svg``, ``.pdf``, ``.png``, ``.html``, ``.dot``, ``.json``, ``.txt``, and those that a
    format has of its own, as ``-jupyterquiz.json``. The file is written whole or not at all. ``ledger``
    goes into the report and the JSON too, and ``scale`` is the number of pixels of a PNG for each px of
    the picture. Without a ``view`` the picture is that of the graph, of a ledger its accumulation, of a run
    what happens event by event.

    The picture is made to ``fit`` a room (``16:9``, ``4:3``, ``a4``, ``a4-landscape``, or a size in px as
    ``1280x720``) or a column of ``width`` px, with text of at least ``min_text`` px there: by default 18 on
    a slide, 12 (9 pt) on paper, 11 in a column. Where that cannot be had, a warning says so. The direction
    ``auto`` is from left to right where that fits, else the one in which text is larger.

    With a ``font_size`` most text of the picture has so many px, whatever its size becomes. ``choices`` say
    what it shows, see :func:`~autograd_tour.views.look.look_for`: ``show=["value", "grad"]``,
    ``hide=["constants", "transposes"]``, ``only="forward"``, ``compact=True``, ``title=``, ``caption=``,
    ``mark="fc1"``.

    Raises:
        UsageError: an unknown ending, room, view or choice, what can only be written as several files (the
            hint says what to call), or a folder that cannot be written to.
        EngineError: the layout failed.
    """
    target = Path(path)
    name = _format_of(target.name)
    settings = Settings(
        theme=theme,
        direction=direction,
        engine=engine,
        timeout=timeout,
        scale=scale,
        room=room_for(fit, width, min_text, font_size),
        look=look_for(**choices),
    )
    content = _content(what, name, view, ledger, settings)
    write_all(target.parent, {target.name: content})
    return target


def svg(what: Graph | Ledger | Trace | Run, *, view: str | None = None, **options: Any) -> str:
    """The picture as SVG text; options as for :func:`save`."""
    return str(_content(what, "svg", view, None, _settings(**options)))


def dot(what: Graph | Trace | Run, *, view: str | None = None, **options: Any) -> str:
    """The graph as DOT text; options as for :func:`save`."""
    return str(_content(what, "dot", view, None, _settings(**options)))


def report(what: Graph | Trace | Run, ledger: Ledger | None = None, *, title: str = "trace") -> str:
    """The text report of a graph and, if there is one, its accumulation ledger, or of a trace or run."""
    trace = _trace(what, ledger)
    return report_of(trace.graph, trace.ledger, trace.run, title=title, strip=strip(trace))


def _trace(what: Graph | Ledger | Trace | Run, ledger: Ledger | None) -> Trace:
    """``what`` as a trace, with ``ledger`` if there is one."""
    if isinstance(what, Ledger):
        return Trace(Graph(), what)
    if isinstance(what, Run):
        what = Trace(what.first_graph, ledger_of(what, CALLS) if deposits(what) else None, what)
    elif isinstance(what, Graph):
        what = Trace(what)
    return what if ledger is None else replace(what, ledger=ledger)


def _usual_view(what: Graph | Ledger | Trace | Run, name: str) -> str:
    return RUN if isinstance(what, Run) and name in PICTURES else "graph"


def _settings(**options: Any) -> Settings:
    rooms, drawing = (
        {name: options.pop(name) for name in names if name in options} for names in (ROOMS, SETTINGS)
    )
    return Settings(**drawing, room=room_for(**rooms), look=look_for(**options))


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
    what: Graph | Ledger | Trace | Run,
    name: str,
    view: str | None,
    ledger: Ledger | None,
    settings: Settings,
) -> str | bytes:
    trace = _trace(what, ledger)
    chosen = ACCUMULATION if isinstance(what, Ledger) else view or _usual_view(what, name)
    with fits() as results:
        files = files_of_trace(STEM, trace, dataclasses.replace(settings, formats=(name,), views=(chosen,)))
    for result in results:
        if result.small:
            warnings.warn(f"{result.summary}, {result.shortfall}", stacklevel=3)
    if not files:
        noun = "run" if chosen == RUN else "ledger"
        raise UsageError(f"a {noun} cannot be written as .{name}", "Use .svg, .pdf, .png, .txt or .json")
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
