"""Picture -> SVG: sizes, places, paint."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from autograd_tour.drawing.arrangement import Arrangement, Turn, arrange, arranged_for, best_for, turned
from autograd_tour.drawing.camera import camera_for
from autograd_tour.drawing.chart import ledger_chart
from autograd_tour.drawing.dot import readable_dot
from autograd_tour.drawing.film import Reel, animated, film, fragments
from autograd_tour.drawing.fitting import MOST
from autograd_tour.drawing.listing import listing_chart
from autograd_tour.drawing.room import Room
from autograd_tour.drawing.run import run_chart
from autograd_tour.drawing.sizes import fitted
from autograd_tour.drawing.svg import draw_scene
from autograd_tour.drawing.theme import ThemeName
from autograd_tour.views.pause import collector_paused
from autograd_tour.views.picture import Chart, Direction, Film, Listing, Picture, RunChart, Scene

__all__ = [
    "MOST",
    "Arrangement",
    "Direction",
    "Room",
    "ThemeName",
    "Turn",
    "arrange",
    "arranged_for",
    "best_for",
    "dot",
    "draw",
    "frames",
    "ready",
]


def ready(picture: Scene | Film, direction: Direction = "LR") -> Scene:
    """The scene of a picture for a direction, with every text in the room it may take."""
    return fitted(replace(_scene(picture), direction=direction))


@collector_paused()
def draw(
    picture: Picture,
    *,
    theme: ThemeName = "auto",
    direction: Turn = "auto",
    engine: str | None = None,
    timeout: float = 60.0,
    prefix: str | None = None,
    room: Room | None = None,
) -> str:
    """``picture`` as a standalone SVG document; the frames of a paged film are fragments of reveal.js in it.

    ``prefix`` starts the ids of a scene, chart, run or listing, so that several can stand in one page. In a
    ``room`` the document is as large as that.

    Raises:
        EngineError: no layout engine, it failed, or it took longer than ``timeout`` seconds.
    """
    if isinstance(picture, Chart):
        return ledger_chart(picture, theme=theme, prefix=prefix, room=room)
    if isinstance(picture, RunChart):
        return run_chart(picture, theme=theme, prefix=prefix, room=room)
    if isinstance(picture, Listing):
        return listing_chart(picture, theme=theme, prefix=prefix, room=room)
    if isinstance(picture, Film):
        draw_film = animated if picture.plays else fragments
        return draw_film(_reel(picture, direction, engine, timeout, room), theme=theme)
    arranged = arrange(picture, direction, room=room, engine=engine, timeout=timeout)
    return draw_scene(arranged.scene, arranged.layout, theme=theme, prefix=prefix, room=room)


def frames(
    picture: Film,
    *,
    theme: ThemeName = "auto",
    direction: Turn = "auto",
    engine: str | None = None,
    timeout: float = 60.0,
    room: Room | None = None,
) -> Iterator[str]:
    """An SVG document for each frame of a film, in order; the places and the size are the same in all.

    Where the whole does not fit its ``room`` a camera goes with the card that runs.

    Raises:
        EngineError: see :func:`draw`.
    """
    return film(_reel(picture, direction, engine, timeout, room), theme=theme)


def _reel(picture: Film, turn: Turn, engine: str | None, timeout: float, room: Room | None) -> Reel:
    """A film with its places: as a whole, or with a camera if that would be too small to be read."""
    camera = camera_for(picture.scene, turn, room=room, engine=engine, timeout=timeout)
    if camera is not None:
        return Reel(camera.scene, camera.layout, room, camera)
    arranged = arrange(picture.scene, turn, room=room, engine=engine, timeout=timeout)
    return Reel(arranged.scene, arranged.layout, room)


@collector_paused()
def dot(picture: Scene | Film, direction: Turn = "auto") -> str:
    """DOT with all the text of a picture, for any Graphviz and any editor."""
    return readable_dot(ready(picture, turned(_scene(picture), direction)))


def _scene(picture: Scene | Film) -> Scene:
    return picture.scene if isinstance(picture, Film) else picture
