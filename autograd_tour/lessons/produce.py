"""A program -> its trace and ledger -> files in memory."""

from __future__ import annotations

from collections.abc import Callable

from autograd_tour.errors import ProgramError, message_of
from autograd_tour.formats import Settings
from autograd_tour.formats.base import ACCUMULATION, DEFAULT_FORMATS, DEFAULT_VIEWS, PICTURES
from autograd_tour.formats.produce import files_of_trace
from autograd_tour.record.trace import Trace
from autograd_tour.tracer import accumulate, trace

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
    graph = trace(program, keep=settings.keep, ceiling=settings.ceiling)
    if not ledger or not (drawn or written):
        return Trace(graph)
    try:
        book = accumulate(program, calls=settings.calls, keep=settings.keep, ceiling=settings.ceiling)
    except (
        RuntimeError
    ) as error:  # a .grad that torch made, and lets nobody put back: of a sparse leaf in rows
        raise ProgramError(
            f"what happens to .grad in several calls cannot be followed: {message_of(error)}",
            "The graph alone can be drawn: -f svg --view graph",
        ) from error
    return Trace(graph, book)
