"""What a reader wants to see of a picture: rows and parts, what is marked, what stands above and below."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace

from autograd_tour.errors import UsageError, suggestion
from autograd_tour.record.graph import Graph
from autograd_tour.views.focus import called
from autograd_tour.views.joined import JOINED
from autograd_tour.views.picture import Card, Chart, Film, Listing, Picture, RunChart, Scene
from autograd_tour.views.units import paths_around

__all__ = ["ALL", "HIDEABLE", "PARTS", "Look", "dressed", "dressed_scene", "look_for", "marks_in_sight"]

PARTS = ("value", "shape", "grad", "rule", "line", "saved")
"""What cards and arrows show: ``grad`` are gradients and ``.grad``, ``line`` is that of the program."""

HIDEABLE = ("constants", "cuts", *JOINED)
"""Cards that can be left out; a cut is a constant that ``detach`` or ``no_grad`` made."""

OPTIONS = ("show", "hide", "only", "compact", "math", "title", "caption", "mark")

LONGEST = {"title": 300, "caption": 2000}
"""Characters that have room above and below a picture."""

_ONLY_OF = {"forward": ("grad", "rule"), "backward": ("value",), "": ()}
"""What goes where a picture shows one direction alone."""
_COMPACT = ("line", "saved")


class Look(Struct, frozen=True):
    """The choices of a reader; see :func:`look_for`. By default all is shown and nothing is added.

    ``brief`` is none of them, but of the room: first ``numbers`` of tensors only, or a line for each card.
    Nor is ``apart``, of the page, which hides texts one by one: names, shapes and numbers stand apart.
    """

    show: tuple[str, ...] = ()
    hide: tuple[str, ...] = ()
    only: Literal["", "forward", "backward"] = ""
    compact: bool = False
    math: bool = False
    title: str = ""
    caption: str = ""
    mark: tuple[str, ...] = ()
    brief: Literal["", "numbers", "lines"] = ""
    apart: bool = False

    @property
    def chooses_rows(self) -> bool:
        """Whether rows or arrows are left out, which only some views can do."""
        return bool(self.show or self.only or self.compact or self.math or self.brief)

    @property
    def joined(self) -> tuple[str, ...]:
        """The kinds of operations across which arrows are joined."""
        return tuple(kind for kind in self.hide if kind in JOINED)

    def shows(self, part: str) -> bool:
        """Whether ``part`` of :data:`PARTS` is shown, or ``note``, a remark on an operation."""
        if self.show and part not in self.show:
            return False
        return part not in _ONLY_OF[self.only] and not (self.compact and part in (*_COMPACT, "note"))

    def hides(self, kind: str) -> bool:
        """Whether cards of ``kind`` of :data:`HIDEABLE` are left out. No gradient goes to a constant."""
        return kind in self.hide or (self.only == "backward" and kind in ("constants", "cuts"))


ALL = Look()
"""Everything, and nothing added."""


def look_for(
    show: Iterable[str] | str = (),
    hide: Iterable[str] | str = (),
    only: str | None = None,
    mark: Iterable[str] | str = (),
    **others: Any,
) -> Look:
    """The :class:`Look` that a reader asks for; several words are a list, or one text with commas.

    ``show`` these rows only, of :data:`PARTS`; ``hide`` cards, of :data:`HIDEABLE`; ``only`` ``forward`` or
    ``backward``; ``compact``: no lines of code, saved tensors and remarks; ``math``: rules as equations;
    ``title`` above the picture and ``caption`` below it; ``mark`` the cards of these names (one text is one
    name).

    Raises:
        UsageError: an unknown word; the hint says which there are. Or a title or caption is too long.
    """
    if only not in (None, "", "forward", "backward"):
        raise UsageError(f"a picture cannot show only {only[:60]!r}", "Use forward or backward")
    wrong = next((name for name in others if name not in ("compact", "math", "title", "caption")), "")
    if wrong:
        raise UsageError(f"there is no option {wrong[:60]!r} of a picture", suggestion(wrong, OPTIONS))
    for name, most in LONGEST.items():
        text = others.get(name) or ""
        if len(text) > most:
            raise UsageError(
                f"a {name} of {len(text)} characters has no room in a picture", f"Use at most {most}"
            )
    marks = (mark,) if isinstance(mark, str) else tuple(mark)
    return Look(
        show=_words("show", show, PARTS),
        hide=_words("hide", hide, HIDEABLE),
        only=only or "",  # type: ignore[arg-type]
        mark=tuple(name for name in marks if name),
        **{name: value for name, value in others.items() if value is not None},
    )


def _words(verb: str, given: Iterable[str] | str, choices: tuple[str, ...]) -> tuple[str, ...]:
    pieces = [given] if isinstance(given, str) else list(given)
    words = [word.strip() for piece in pieces for word in piece.split(",")]
    for word in filter(None, words):
        if word not in choices:
            raise UsageError(f"a picture has no {word[:60]!r} to {verb}", suggestion(word, choices))
    return tuple(word for word in choices if word in words)


def dressed(picture: Picture, graph: Graph, look: Look) -> Picture:
    """``picture`` of ``graph`` with title, caption, marks, and without the constants that are hidden.

    Raises:
        UsageError: nothing is called as ``look.mark`` says.
    """
    if isinstance(picture, Chart | RunChart | Listing):
        return replace(picture, title=look.title) if look.title else picture
    if isinstance(picture, Film):
        return replace(picture, scene=dressed_scene(picture.scene, graph, look))
    return dressed_scene(picture, graph, look)


def marks_in_sight(graph: Graph, look: Look) -> Look:
    """``look`` without the marks of what is not in ``graph``, nor in one of its cards."""

    def is_in(name: str) -> bool:
        try:
            return bool(_marked(graph, name))
        except UsageError:
            return False

    return replace(look, mark=tuple(filter(is_in, look.mark)))


def dressed_scene(scene: Scene, graph: Graph, look: Look) -> Scene:
    """The same for a scene."""
    hidden = {card.id for card in scene.cards if card.shape == "constant" and look.hides(_kind(card))}
    marked = {graph.card_of(node) for name in look.mark for node in _marked(graph, name)}
    marked |= {graph.accumulator_of(node) for node in marked}
    cards = [
        replace(card, emphasis="strong") if card.id in marked else card
        for card in scene.cards
        if card.id not in hidden
    ]
    links = [link for link in scene.links if not {link.src, link.dst} & hidden]
    return replace(
        scene,
        cards=tuple(cards),
        links=tuple(links),
        title=look.title or scene.title,
        heading=look.title,
        caption=look.caption,
    )


def _marked(graph: Graph, name: str) -> set[str]:
    """The nodes called ``name``, or the card of the module that it stands in, if that is one card."""
    try:
        return called(graph, name)
    except UsageError as error:
        around = {path: i for i, path in enumerate(paths_around(name))}
        cards = [node for node in graph.nodes if node.kind == "group" and node.group in around]
        if not cards:
            hint = "It may be inside a folded card: --no-fold draws every operation"
            raise UsageError(error.message, error.hint or hint) from None
        deepest = max(around[node.group] for node in cards)
        return {node.id for node in cards if around[node.group] == deepest}


def _kind(card: Card) -> str:
    return "cuts" if any(row.mark == "cut" for row in card.rows) else "constants"
