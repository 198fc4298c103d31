"""Pictures of a stop: of the very code that it shows, and charts of its figures."""

from __future__ import annotations

import warnings
import xml.etree.ElementTree as ET

from msgspec.structs import replace

import autograd_tour
from autograd_tour.drawing import arrange, draw, frames
from autograd_tour.drawing.curves import Panel, curves
from autograd_tour.drawing.multiples import multiples
from autograd_tour.drawing.room import PT, ROOMS, ROUNDING, Room, fits
from autograd_tour.drawing.surface import surface
from autograd_tour.drawing.svg import draw_scene, prefix_for
from autograd_tour.drawing.theme import ThemeName
from autograd_tour.formats.base import ACCUMULATION, RUN, Settings, chosen_views
from autograd_tour.formats.page.pictures import piece, timed
from autograd_tour.formats.tour.content import Illustration
from autograd_tour.formats.tour.handout import PAGES, text_on_paper
from autograd_tour.lessons.tour.base import Chart, Code, Figures, Panels, Picture, Surface
from autograd_tour.lessons.tour.running import Printer
from autograd_tour.record.run_ledger import ledger_of
from autograd_tour.record.trace import Trace
from autograd_tour.views import picture_of
from autograd_tour.views.look import look_for
from autograd_tour.views.movable import Movable, movable
from autograd_tour.views.picture import Film, RunChart, Scene
from autograd_tour.views.picture import Picture as Drawable
from autograd_tour.views.walk import walk

__all__ = ["charted", "compared", "for_slides", "illustrated", "seen_from_above"]

SLIDE = ROOMS["16:9"]
RUN_SHARE = 20 / 18
"""What is said of a column of a run is smaller than most of its text by so much, and is to be read too."""
RUN_SLIDE = replace(SLIDE, least=RUN_SHARE * SLIDE.least)
THEMES: tuple[ThemeName, ThemeName] = ("auto", "light")
"""Of a picture that stands by itself, and of one in a page, which has colours of its own."""
WIDE = 900.0
"""A picture of more px is not made narrower in a page: its smallest text has 11 px."""
CALLS = 8
"""Backward calls in a picture of accumulation."""


def for_slides(picture: Picture | Chart | Surface | Panels, code: Code, figures: Figures) -> tuple[str, ...]:
    """A picture as large as a slide, with its text of 18 px: first for reveal.js, then as pages of a PDF.

    Of a film these are its frames as fragments of one, and one after the other.
    """
    if isinstance(picture, Picture):
        room = RUN_SLIDE if picture.view == RUN else SLIDE
        settings = Settings(views=(picture.view,), room=room, look=look_for(mark=picture.mark))
        ((_, drawn),) = chosen_views(_trace(picture, code), settings)
        svg = draw(drawn, theme="light", room=room)
        return (svg, *(frames(drawn, theme="light", room=room) if isinstance(drawn, Film) else (svg,)))
    if isinstance(picture, Panels):
        svg = _panels(picture, figures, "light", prefix_for(picture.title))
    elif isinstance(picture, Surface):
        svg = _surface(picture, figures, "light", prefix_for(picture.title), SLIDE)
    else:
        svg = _chart(picture, figures, "light", prefix_for(picture.title), SLIDE)
    return svg, svg


def illustrated(picture: Picture, code: Code, number: int, *, paper: bool = False) -> Illustration:
    """The picture of what ``code`` does; ``number`` keeps pictures of one page apart.

    For ``paper`` it is drawn anew where its text would be too small there.

    Raises:
        ProgramError: the code cannot be recorded.
    """
    trace = _trace(picture, code)
    shown_scene = picture_of(trace, picture.view, look_for(mark=picture.mark))
    prefix = prefix_for(f"{number} {picture.view} {picture.title}")
    if isinstance(shown_scene, Film):
        film = _film(shown_scene, picture.title, prefix, movable(trace.graph))
        still = replace(shown_scene.scene, notes=(), captions=())
        return replace(film, printed=_printed(still, film.svg)) if paper else film
    svg = draw(shown_scene, prefix=prefix)
    plan = movable(trace.graph)
    loop = walk(trace.run, trace.graph) if picture.view == RUN and trace.run is not None and plan else None
    document = ET.fromstring(svg)  # noqa: S314 (of our own making)
    return Illustration(
        picture.title,
        document.findtext("{http://www.w3.org/2000/svg}desc", ""),
        svg,
        draw(shown_scene, theme="light", prefix=prefix),
        plan=plan if loop else None,
        walk=loop,
        wide=float(document.get("width", 0)) > WIDE,
        printed=_printed(shown_scene, svg) if paper else "",
    )


def _printed(picture: Drawable, svg: str) -> str:
    """The picture for a page whose text is to have the least size there; ``""`` if that of ``svg`` has it."""
    if text_on_paper(svg) >= PAGES[0].least / PT - ROUNDING:
        return ""
    for page in PAGES if isinstance(picture, Scene) else PAGES[::-1]:  # a chart that is wide says more
        # What is said of a column of a run is smaller than most of its text.
        room = replace(page, least=RUN_SHARE * page.least) if isinstance(picture, RunChart) else page
        with fits() as heard:
            drawn = draw(picture, theme="light", room=room)
        if not any(fit.small for fit in heard):
            return drawn
    return ""


def _trace(picture: Picture, code: Code) -> Trace:
    if picture.from_json:
        return Trace(autograd_tour.loads(str(code(Printer()))).graph)
    if not picture.backward:
        return Trace(autograd_tour.trace(code, Printer(), backward=False))
    if picture.gradient is not None:
        import torch

        start = torch.tensor(picture.gradient)
        return Trace(autograd_tour.trace(code, Printer(), gradient=start))
    with warnings.catch_warnings():  # they are told where the code is
        warnings.simplefilter("ignore")
        run = autograd_tour.follow(code, Printer())
    if run.trains:
        return Trace(run.graphs[0], ledger_of(run, CALLS), run)
    if picture.view == ACCUMULATION:
        return Trace(run.graphs[0], autograd_tour.accumulate(lambda: code(Printer()), calls=4))
    return Trace(run.graphs[0])


def _film(film: Film, title: str, prefix: str, plan: Movable | None) -> Illustration:
    scene = film.scene
    arranged = arrange(replace(scene, notes=()), "auto")
    still = replace(arranged.scene, captions=())
    captions = tuple(
        tuple(tuple(map(piece, line)) for line in caption) for caption in arranged.scene.captions
    )
    running = {card.runs_at: card.id for card in scene.cards if card.runs_at}
    return Illustration(
        title,
        scene.desc,
        draw_scene(still, arranged.layout, prefix=prefix),
        draw_scene(still, arranged.layout, theme="light", prefix=prefix, moment=timed),
        captions,
        tuple(running.get(frame, "") for frame in range(len(captions))),
        plan,
    )


def seen_from_above(chart: Surface, figures: Figures, number: int) -> Illustration:
    """The surface with its paths."""
    prefix = prefix_for(f"{number} {chart.title}")
    whole, staged = (_surface(chart, figures, theme, prefix) for theme in THEMES)
    return Illustration(chart.title, chart.summary, whole, staged)


def compared(panels: Panels, figures: Figures, number: int) -> Illustration:
    """A panel for each path."""
    prefix = prefix_for(f"{number} {panels.title}")
    whole, staged = (_panels(panels, figures, theme, prefix) for theme in THEMES)
    return Illustration(panels.title, panels.summary, whole, staged)


def charted(chart: Chart, figures: Figures, number: int) -> Illustration:
    """The chart of the figures."""
    prefix = prefix_for(f"{number} {chart.title}")
    whole, staged = (_chart(chart, figures, theme, prefix) for theme in THEMES)
    return Illustration(chart.title, chart.summary, whole, staged)


def _surface(
    chart: Surface, figures: Figures, theme: ThemeName, prefix: str, room: Room | None = None
) -> str:
    return surface(
        chart.heights(figures),
        chart.paths(figures),
        chart.window,
        title=chart.title,
        desc=chart.summary,
        labels=("w", "b"),
        theme=theme,
        prefix=prefix,
        room=room,
    )


def _panels(panels: Panels, figures: Figures, theme: ThemeName, prefix: str) -> str:
    return multiples(
        panels.heights(figures),
        panels.walks(figures),
        panels.window,
        title=panels.title,
        desc=panels.summary,
        lowest=panels.lowest(figures),
        notes=panels.notes,
        theme=theme,
        prefix=prefix,
    )


def _chart(chart: Chart, figures: Figures, theme: ThemeName, prefix: str, room: Room | None = None) -> str:
    return curves(
        (Panel(tuple(chart.series(figures)), chart.x_label, chart.log_x, chart.log_y),),
        title=chart.title,
        desc=chart.summary,
        y_label=chart.y_label,
        theme=theme,
        prefix=prefix,
        room=room,
    )
