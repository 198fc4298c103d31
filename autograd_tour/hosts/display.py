"""Records as HTML for a notebook: an image by default, the page where it is asked for."""

from __future__ import annotations

import html
from base64 import b64encode

from autograd_tour.errors import TourError
from autograd_tour.findings.base import Finding
from autograd_tour.findings.explanation import Explanation
from autograd_tour.formats.base import ACCUMULATION, RUN, Settings
from autograd_tour.formats.explanation import fragment
from autograd_tour.formats.produce import files_of_trace
from autograd_tour.hosts.cache import Cache
from autograd_tour.hosts.drawn import STEPS, Picture, draw, draw_finding, draw_steps
from autograd_tour.hosts.outcome import Record
from autograd_tour.hosts.wish import Drawing
from autograd_tour.record.display import Displayed
from autograd_tour.record.graph import Graph
from autograd_tour.record.ledger import Ledger
from autograd_tour.record.run import Run
from autograd_tour.record.trace import Trace

__all__ = ["Page", "explained", "html_of", "image", "page"]

_STYLE = (
    "<style>img.autograd{max-width:100%;height:auto}"
    '[data-jp-theme-light="false"] img.autograd,[data-theme="dark"] img.autograd,.dark img.autograd,'
    ".vscode-dark img.autograd{color-scheme:dark}"
    'html[data-theme="dark"] .bd-content img.autograd{filter:none}</style>'
)
"""A notebook tells its theme in one of these ways; where it does not, the picture is light.

pydata makes images darker at night: ours are dark already.
"""


def html_of(what: Displayed, settings: Settings | None = None) -> str | None:
    """The picture of a graph, trace, run or ledger as an ``<img>``, or findings with theirs.

    ``None`` if it cannot be drawn.
    """
    if isinstance(what, Explanation):
        return explained(what)
    trace, view = _trace_and_view(what)
    if view == "graph" and not trace.graph.nodes:
        return None
    try:
        return image(Record("", trace), view, settings)
    except TourError:
        return None


def image(
    record: Record,
    view: str = "graph",
    settings: Settings | Drawing | None = None,
    *,
    alt: str = "",
    cache: Cache | None = None,
) -> str:
    """One view of a record as an ``<img>`` that holds its picture, on one line; of steps one for each.

    Raises:
        UsageError: no such view, or the record has not what it shows.
        EngineError: the layout failed.
    """
    if view == STEPS:
        first, *others = draw_steps(record, "svg", settings or Drawing(), cache=cache)
        return f"{_STYLE}{_tag(first, alt)}{''.join(map(_tag, others))}"
    picture = draw(record, "svg", view, settings=settings, cache=cache)
    return f"{_STYLE}{_tag(picture, alt)}"


def explained(explanation: Explanation, drawing: Drawing | None = None, cache: Cache | None = None) -> str:
    """Findings as HTML, each with its picture where it has one and that can be drawn."""

    def drawn(finding: Finding) -> str:
        try:
            picture = draw_finding(explanation, finding, drawing=drawing, cache=cache)
        except TourError:
            return ""  # the words stand without it
        return "" if picture is None else _tag(picture)

    return f"{_STYLE}{fragment(explanation.findings, drawn)}"


def _tag(picture: Picture, alt: str = "") -> str:
    data = b64encode(picture.data).decode()
    text = html.escape(alt or picture.alt, quote=True)
    return f'<img class="autograd" alt="{text}" src="data:image/svg+xml;base64,{data}">'


class Page:
    """The page that can be stepped through, as a notebook shows it; ``height`` is in px."""

    def __init__(self, trace: Trace, height: int = 640, settings: Settings | None = None) -> None:
        self.trace = trace
        self.height = height
        self.settings = settings or Settings(formats=("html",))

    def __repr__(self) -> str:
        return f"<Page of {self.trace!r}>"

    def _repr_html_(self) -> str:
        """A frame that holds the whole page."""
        (text,) = files_of_trace("trace", self.trace, self.settings).values()
        content = html.escape(str(text), quote=True)
        return f'<iframe srcdoc="{content}" style="width:100%;height:{self.height}px;border:0"></iframe>'


def page(what: Graph | Trace | Run, *, height: int = 640) -> Page:
    """The interactive page of a record, ``height`` px tall, to stand at the end of a cell."""
    return Page(_trace_and_view(what)[0], height)


def _trace_and_view(what: object) -> tuple[Trace, str]:
    """The trace of a record, and the view that shows it best."""
    if isinstance(what, Ledger):
        return Trace(Graph(), what), ACCUMULATION
    if isinstance(what, Run):
        return Trace(what.graphs[0] if what.graphs else Graph(), None, what), RUN
    if isinstance(what, Graph):
        return Trace(what), "graph"
    assert isinstance(what, Trace)
    return what, RUN if what.run is not None and what.run.trains else "graph"
