"""A trace and the reader's choices -> files in memory, none of them written yet."""

from __future__ import annotations

from autograd_tour.formats.base import DEFAULT_FORMATS, Settings
from autograd_tour.formats.registry import registry
from autograd_tour.progress import doing
from autograd_tour.record.trace import Trace
from autograd_tour.registry import pick

__all__ = ["files_of_trace"]


def files_of_trace(name: str, trace: Trace, settings: Settings) -> dict[str, str | bytes]:
    """File name -> content for one trace, every name starting with ``name``.

    Raises:
        UsageError: an unknown format or view.
        EngineError: the layout failed.
    """
    formats = registry()
    wanted = [pick("format", choice, formats) for choice in settings.formats or DEFAULT_FORMATS]
    files: dict[str, str | bytes] = {}
    for choice in dict.fromkeys(wanted):
        with doing(choice):
            files |= formats[choice].files(name, trace, settings)
    return files
