"""Picture -> SVG: sizes, places, paint."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from autograd_tour.drawing.chart import ledger_chart
from autograd_tour.drawing.dot import readable_dot
from autograd_tour.drawing.film import animated, film, fragments
from autograd_tour.drawing.run import run_chart
from autograd_tour.drawing.sizes import fitted
from autograd_tour.drawing.svg import draw_scene
from autograd_tour.drawing.theme import ThemeName
from autograd_tour.views.pause import collector_paused
from autograd_tour.views.picture import Chart, Direction, Film, Picture, RunChart, Scene

__all__ = ["Direction", "ThemeName", "dot", "draw", "frames", "ready"]


def ready(picture: Scene | Film, direction: Direction | None = None) -> Scene:
    """The scene for a direction, ``None`` for its own, with every text in the room it may take."""
    scene = picture.scene if isinstance(picture, Film) else picture
    return fitted(replace(scene, direction=direction or scene.direction))


@collector_paused()
def draw(
    picture: Picture,
    *,
    theme: ThemeName = "auto",
    direction: Direction | None = None,
    engine: str | None = None,
    timeout: float = 60.0,
    prefix: str | None = None,
) -> str:
    """``picture`` as a standalone SVG document; the frames of a paged film are fragments of reveal.js in it.

    ``prefix`` starts the ids of a scene, chart or run, so that several can stand in one page.

    Raises:
        EngineError: no layout engine, it failed, or it took longer than ``timeout`` seconds.
    """
    if isinstance(picture, Chart):
        return ledger_chart(picture, theme=theme, prefix=prefix)
    if isinstance(picture, RunChart):
        return run_chart(picture, theme=theme, prefix=prefix)
    scene = ready(picture, direction)
    if isinstance(picture, Scene):
        return draw_scene(scene, theme=theme, prefix=prefix, engine=engine, timeout=timeout)
    draw_film = animated if picture.plays else fragments
    return draw_film(scene, theme=theme, engine=engine, timeout=timeout)


def frames(
    picture: Film,
    *,
    theme: ThemeName = "auto",
    direction: Direction | None = None,
    engine: str | None = None,
    timeout: float = 60.0,
) -> Iterator[str]:
    """An SVG document for each frame of a film, in order; the places are the same in all.

    Raises:
        EngineError: see :func:`draw`.
    """
    return film(ready(picture, direction), theme=theme, engine=engine, timeout=timeout)


def dot(picture: Scene | Film, direction: Direction | None = None) -> str:
    """DOT with all the text of a picture, for any Graphviz and any editor."""
    return readable_dot(ready(picture, direction))
