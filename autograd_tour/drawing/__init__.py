"""Graph -> picture: theme, cards, layout, SVG."""

from __future__ import annotations

from typing import Literal

from autograd_tour.drawing.cards import cards_scene
from autograd_tour.drawing.chain import chain_scene
from autograd_tour.drawing.diff import diff_scene
from autograd_tour.drawing.dot import readable_dot
from autograd_tour.drawing.film import animated, film, fragments
from autograd_tour.drawing.pause import collector_paused
from autograd_tour.drawing.scene import Scene
from autograd_tour.drawing.skeleton import skeleton_scene
from autograd_tour.drawing.svg import draw
from autograd_tour.drawing.theme import ThemeName
from autograd_tour.record.graph import Graph

__all__ = ["Direction", "ThemeName", "animated", "film", "fragments", "picture", "readable_dot", "scene_of"]

Direction = Literal["LR", "TB"]

_STYLES = {"cards": cards_scene, "chain": chain_scene, "skeleton": skeleton_scene, "diff": diff_scene}
_FILMS = {"steps": fragments, "animation": animated}


def scene_of(graph: Graph, direction: Direction = "LR") -> Scene:
    """The cards and links of ``graph`` in its own style."""
    return _STYLES.get(graph.style, cards_scene)(graph, direction)


@collector_paused()
def picture(
    graph: Graph,
    *,
    theme: ThemeName = "auto",
    direction: Direction = "LR",
    engine: str | None = None,
    timeout: float = 60.0,
    prefix: str | None = None,
) -> str:
    """``graph`` as a standalone SVG document; the frames of a film are fragments of reveal.js in it.

    Raises:
        EngineError: no layout engine, it failed, or it took longer than ``timeout`` seconds.
    """
    if graph.style in _FILMS:
        return _FILMS[graph.style](graph, theme=theme, direction=direction, engine=engine, timeout=timeout)
    scene = scene_of(graph, direction)
    return draw(scene, theme=theme, prefix=prefix, engine=engine, timeout=timeout)
