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

from autograd_tour.hosts.cache import Cache
from autograd_tour.hosts.drawn import Picture, draw, files
from autograd_tour.hosts.outcome import Failure, Outcome, Record
from autograd_tour.hosts.run import Mode, run
from autograd_tour.hosts.snippet import Snippet

__all__ = ["Cache", "Failure", "Mode", "Outcome", "Picture", "Record", "Snippet", "draw", "files", "run"]
