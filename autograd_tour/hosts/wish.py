"""What a block of a document asks for: what to run, how to draw it, as what it is to stand there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from autograd_tour.errors import UsageError
from autograd_tour.hosts.options import COLUMN, PRELUDE
from autograd_tour.hosts.snippet import Snippet

if TYPE_CHECKING:
    from autograd_tour.formats.base import Settings

__all__ = ["Defaults", "Drawing", "Wish", "wish_for"]


class Defaults(Struct, frozen=True):
    """What a document says once for all of its blocks; ``max_width`` is in px, ``timeout`` in seconds."""

    max_width: float = COLUMN
    timeout: float = 60.0
    prelude: str = PRELUDE


class Drawing(Struct, frozen=True, omit_defaults=True):
    """How to draw, in plain words: what is drawn already is told by them, and nothing that draws is loaded.

    They are those of the command; ``width`` is that of the column, px, and ``None`` leaves a picture as large
    as it is. ``views`` are empty for the usual ones.
    """

    views: tuple[str, ...] = ()
    theme: str = "auto"
    direction: str = "auto"
    engine: str | None = None
    depth: int | None = None
    focus: str | None = None
    fold: bool = True
    width: float | None = None
    show: str = ""
    hide: str = ""
    mark: str = ""
    compact: bool = False
    math: bool = False

    def settings(self) -> Settings:
        """The same for :mod:`autograd_tour.formats`.

        Raises:
            UsageError: there is nothing of that name to show or to hide, or the column is too narrow or wide.
        """
        from autograd_tour.drawing.room import room_for
        from autograd_tour.formats.base import Settings
        from autograd_tour.views.look import look_for

        return Settings(
            views=self.views,
            theme=self.theme,  # type: ignore[arg-type]
            direction=self.direction,  # type: ignore[arg-type]
            engine=self.engine,
            depth=self.depth,
            focus=self.focus,
            fold=self.fold,
            room=None if self.width is None else room_for(width=self.width),
            look=look_for(
                show=self.show, hide=self.hide, mark=self.mark, compact=self.compact, math=self.math
            ),
        )


_DRAWN = ("theme", "direction", "engine", "depth", "focus", "show", "hide", "mark", "compact", "math")
"""Options of a block that are those of a drawing, by the same name."""


class Wish(Struct, frozen=True):
    """What one block asks for: what to run, how to draw it, and as what it is to stand there."""

    snippet: Snippet
    drawing: Drawing
    format: str = "picture"
    view: str = "graph"


def wish_for(
    code: str,
    options: Mapping[str, Any],
    defaults: Defaults,
    *,
    folder: str,
    file: str,
    line: int,
    explains: bool = False,
) -> Wish:
    """What a block with these options asks for; ``options`` are values that :data:`OPTIONS` has read.

    ``folder`` is that of the document, in which its code runs, ``line`` where the code begins. Where it
    ``explains``, findings are to stand there.

    Raises:
        UsageError: there is nothing to run, or there are two things.
    """
    sources = [name for name in ("target", "trace") if name in options]
    if code.strip():
        sources.append("code")
    if len(sources) != 1:
        has = " and ".join(sources) if sources else "nothing to draw"
        raise UsageError(f"a block has {has}", "Give it code, or a target, or a trace")
    context = options.get("context")
    given = {name: options[name] for name in ("calls", "keep", "seed", "timeout") if name in options}
    snippet = Snippet(
        code=code,
        target=options.get("target", ""),
        trace=options.get("trace", ""),
        folder=folder,
        file=file,
        line=line,
        first_line=options.get("lineno-start", 1),
        context="" if context is None or not code.strip() else f"={context}",
        expects_error=options.get("expect-error", False),
        explains=explains,
        **{"prelude": defaults.prelude, "timeout": defaults.timeout, **given},
    )
    words = {name: options[name] for name in _DRAWN if name in options}
    if "layout" in options:
        words.setdefault("engine", options["layout"])
    drawing = Drawing(width=defaults.max_width, fold=not options.get("no-fold", False), **words)
    return Wish(snippet, drawing, options.get("format", "picture"), options.get("view", "graph"))
