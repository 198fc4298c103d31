"""Records as pictures, each with its size and a text for those who cannot see it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from msgspec import Struct, structs

from autograd_tour.errors import UsageError
from autograd_tour.hosts.cache import Cache
from autograd_tour.hosts.keys import picture_key
from autograd_tour.hosts.outcome import Record
from autograd_tour.hosts.wish import Drawing

if TYPE_CHECKING:
    from autograd_tour.findings.base import Finding
    from autograd_tour.findings.explanation import Explanation
    from autograd_tour.formats.base import Settings

__all__ = ["MEDIA_TYPES", "STEPS", "Files", "Picture", "draw", "draw_finding", "draw_steps", "files"]

MEDIA_TYPES = {"svg": "image/svg+xml", "png": "image/png", "pdf": "application/pdf"}
STEM = "autograd"
STEPS = "steps"
"""The view that is many pictures, one after the other."""


class Picture(Struct, frozen=True):
    """One picture: ``width`` and ``height`` in px as it is to be shown, ``alt`` says what is to be seen."""

    data: bytes
    media_type: str
    width: float
    height: float
    alt: str


class Steps(Struct, frozen=True):
    """One picture for each step."""

    pictures: tuple[Picture, ...]


class Files(Struct, frozen=True):
    """What a format wrote, by file name."""

    files: dict[str, bytes]


def draw(
    record: Record,
    format: str = "svg",  # noqa: A002  what it is called everywhere
    view: str = "graph",
    *,
    settings: Settings | Drawing | None = None,
    cache: Cache | None = None,
) -> Picture:
    """One view of a record as a picture; ``settings`` say how large, how deep and in which theme.

    Raises:
        UsageError: no such view or format, or the record has not what the view shows.
        EngineError: the layout failed.
    """
    if format not in MEDIA_TYPES:
        raise UsageError(f"{format} is no picture", f"Use one of: {', '.join(sorted(MEDIA_TYPES))}")
    settings = settings or Drawing()
    if cache is None or not cache.keeps_pictures:
        return _drawn(record, format, view, settings)
    key = picture_key(record.digest, format, view, settings)
    picture = cache.picture(key, Picture)
    if picture is None:
        picture = _drawn(record, format, view, settings)
        cache.keep_picture(key, picture)
    return picture


def files(
    record: Record,
    format: str,  # noqa: A002  as for draw()
    settings: Settings | Drawing,
    *,
    cache: Cache | None = None,
) -> Mapping[str, bytes]:
    """All files that a format makes of a record, by name.

    Raises:
        UsageError: an unknown format or view.
        EngineError: the layout failed.
    """
    if cache is None or not cache.keeps_pictures:
        return _written(record, format, settings)
    key = picture_key(record.digest, format, settings)
    kept = cache.picture(key, Files)
    if kept is None:
        kept = Files(_written(record, format, settings))
        cache.keep_picture(key, kept)
    return kept.files


def draw_steps(
    record: Record,
    format: str,  # noqa: A002  as for draw()
    settings: Settings | Drawing,
    *,
    cache: Cache | None = None,
) -> tuple[Picture, ...]:
    """A picture of each step of backward, in their order; all follow the reader's theme if they can.

    Raises:
        UsageError: no step was recorded, or there are more than anybody pages through.
        EngineError: the layout failed.
    """
    key = picture_key(record.digest, format, STEPS, settings)
    kept = cache.picture(key, Steps) if cache is not None else None
    if kept is None:
        kept = Steps(_steps(record, format, settings))
        if cache is not None:
            cache.keep_picture(key, kept)
    return kept.pictures


def draw_finding(
    explanation: Explanation,
    finding: Finding,
    format: str = "svg",  # noqa: A002  as for draw()
    *,
    drawing: Drawing | None = None,
    cache: Cache | None = None,
) -> Picture | None:
    """The graph in which one of the findings has its node, with the node marked; ``None`` if it has none.

    Raises:
        EngineError: the layout failed.
    """
    from autograd_tour.record.trace import Trace

    if not finding.node or finding.graph >= len(explanation.graphs):
        return None
    graph = explanation.graphs[finding.graph]
    marked = structs.replace(drawing or Drawing(), mark=graph.card_of(finding.node))
    picture = draw(Record("", Trace(graph)), format, settings=marked, cache=cache)
    return structs.replace(picture, alt=f"{picture.alt} Marked: {graph.node(finding.node).grad_fn}.")


def _steps(record: Record, kind: str, settings: Settings | Drawing) -> tuple[Picture, ...]:
    from autograd_tour.formats.base import chosen_views
    from autograd_tour.formats.frames import frames_of
    from autograd_tour.views.picture import Film

    settings = replace(_settings(settings), formats=(kind,), views=(STEPS,))
    ((_, film),) = chosen_views(record.trace, settings)
    if not isinstance(film, Film):  # two graphs in one picture have no steps
        return (_drawn(record, kind, "graph", settings),)
    frames = [svg.encode() for svg in frames_of(film, settings)]
    contents = frames
    if kind != "svg":
        written = _written(record, kind, settings)
        names = sorted(name for name in written if name.removesuffix(f".{kind}")[-1].isdigit())
        contents = [written[name] for name in names or written]
    sizes = [_size(svg) for svg in frames]
    alts = (record.description, *(f"Step {number} of the same" for number in range(1, len(contents))))
    return tuple(
        Picture(data, MEDIA_TYPES[kind], *size, alt)
        for data, size, alt in zip(contents, sizes, alts, strict=True)
    )


def _settings(settings: Settings | Drawing) -> Settings:
    return settings.settings() if isinstance(settings, Drawing) else settings


def _drawn(record: Record, kind: str, view: str, settings: Settings | Drawing) -> Picture:
    written = _written(record, kind, settings, (view,))
    svg = written if kind == "svg" else _written(record, "svg", settings, (view,))
    width, height = _size(next(iter(svg.values())))
    data = written.get(f"{STEM}-{view}.{kind}") or next(iter(written.values()))
    return Picture(data, MEDIA_TYPES[kind], width, height, record.description)


def _written(
    record: Record, kind: str, settings: Settings | Drawing, views: tuple[str, ...] | None = None
) -> dict[str, bytes]:
    from autograd_tour.formats.produce import files_of_trace

    settings = _settings(settings)
    settings = replace(settings, formats=(kind,), views=settings.views if views is None else views)
    contents = files_of_trace(STEM, record.trace, settings)
    return {name: text.encode() if isinstance(text, str) else text for name, text in contents.items()}


def _size(svg: bytes) -> tuple[float, float]:
    """Width and height of an SVG, px."""
    head = svg[:2000].decode(errors="replace")
    sides = [re.search(rf'\s{side}="([\d.]+)', head) for side in ("width", "height")]
    width, height = (float(side[1]) if side else 0.0 for side in sides)
    return width, height
