"""A program -> its trace and ledger -> files in memory."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from autograd_tour.errors import ProgramError
from autograd_tour.formats import Settings
from autograd_tour.formats.base import ACCUMULATION, DEFAULT_FORMATS, DEFAULT_VIEWS, PICTURES
from autograd_tour.formats.produce import files_of_trace
from autograd_tour.progress import doing
from autograd_tour.record.ledger import Ledger
from autograd_tour.record.run import Run
from autograd_tour.record.run_ledger import deposits, ledger_of
from autograd_tour.record.trace import Trace
from autograd_tour.tracer import accumulate, follow

__all__ = ["files_of_program", "traced"]


def files_of_program(name: str, program: Callable[[], object], settings: Settings) -> dict[str, str | bytes]:
    """Trace ``program``, follow its accumulation where a chosen file shows it, and draw both.

    Raises:
        ProgramError: the program failed, or has nothing to trace.
        UsageError: an unknown format or view.
        EngineError: the layout failed.
    """
    return files_of_trace(name, traced(program, settings), settings)


def traced(program: Callable[[], object], settings: Settings, *, ledger: bool = True) -> Trace:
    """The trace of ``program``, with its ledger where a chosen file shows it and ``ledger`` asks for one.

    Raises:
        ProgramError: the program failed, has nothing to trace, or its .grad cannot be followed.
    """
    formats = set(settings.formats or DEFAULT_FORMATS)
    drawn = bool(formats & PICTURES) and ACCUMULATION in (settings.views or DEFAULT_VIEWS)
    written = bool(formats & {"json", "txt"}) or bool(formats - PICTURES - {"dot"})
    with doing("tracing"):
        run = follow(program, keep=settings.keep, ceiling=settings.ceiling)
    graph = run.first_graph
    wanted = ledger and (drawn or written)
    if run.trains:
        book = _own_ledger(program, run, settings) if wanted else None
        return Trace(graph, book, run)
    if not wanted:
        return Trace(graph)
    try:
        with doing("calling backward again"):
            book = accumulate(program, calls=settings.calls, keep=settings.keep, ceiling=settings.ceiling)
    except ProgramError as error:
        if ACCUMULATION in settings.views:
            raise
        # The graph is whole, and worth having.
        note = f"backward could not be followed again and again: {error.message}"
        return Trace(replace(graph, meta=replace(graph.meta, notes=(*graph.meta.notes, note))))
    return Trace(graph, book)


def _own_ledger(program: Callable[[], object], run: Run, settings: Settings) -> Ledger | None:
    """The ledger of a program that calls backward itself: from its run, if it is a loop.

    ``None`` where nothing is added to ``.grad``, unless a picture of that is asked for.
    """
    if not deposits(run) and ACCUMULATION not in settings.views:
        return None
    if run.backward_calls > 1:
        return ledger_of(run, settings.calls)
    return accumulate(program, calls=settings.calls, keep=settings.keep, ceiling=settings.ceiling)
