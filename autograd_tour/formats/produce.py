"""A trace and the reader's choices -> files in memory, none of them written yet."""

from __future__ import annotations

from dataclasses import replace

from autograd_tour.drawing.extents import picture_sizes
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
    files: dict[str, dict[str, str | bytes]] = {choice: {} for choice in wanted}
    with picture_sizes() as sizes:
        for choice in sorted(files, key=lambda choice: formats[choice].tells_sizes):
            with doing(choice):
                informed = replace(settings, pictures=tuple(sizes))
                files[choice] = dict(formats[choice].files(name, trace, informed))
    return {name: content for contents in files.values() for name, content in contents.items()}
