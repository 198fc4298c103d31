r"""Where pictures live: what documentation builders, notebooks and sites share.

Code of a document becomes records (:func:`run`), kept from build to build, and a record becomes pictures
with a size and a text for those who cannot see them (:func:`draw`). Nothing here loads torch: code runs in
a process of its own.

>>> from autograd_tour.hosts import Snippet, draw, run
>>> (record,) = run([Snippet(code="w = torch.tensor(3.0, requires_grad=True)\nw * w")])
>>> record.value("w.grad")
'6'
>>> draw(record).media_type
'image/svg+xml'
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from autograd_tour.hosts.batch import Mode, run
    from autograd_tour.hosts.cache import Cache
    from autograd_tour.hosts.drawn import Picture, draw, files
    from autograd_tour.hosts.outcome import Failure, Outcome, Record
    from autograd_tour.hosts.snippet import Snippet
    from autograd_tour.hosts.wish import Drawing

__all__ = [
    "Cache",
    "Drawing",
    "Failure",
    "Mode",
    "Outcome",
    "Picture",
    "Record",
    "Snippet",
    "draw",
    "files",
    "run",
]

# A build in which nothing changed loads none of them.
_FILES = {
    "batch": ("Mode", "run"),
    "cache": ("Cache",),
    "drawn": ("Picture", "draw", "files"),
    "outcome": ("Failure", "Outcome", "Record"),
    "snippet": ("Snippet",),
    "wish": ("Drawing",),
}
_HOME = {name: file for file, names in _FILES.items() for name in names}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value
