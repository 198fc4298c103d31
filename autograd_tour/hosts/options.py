"""Options of a block as documents write them: words to values, the same in every host."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from autograd_tour.drawing.room import room_for
from autograd_tour.errors import UsageError, suggestion
from autograd_tour.formats.base import Settings
from autograd_tour.hosts.snippet import PRELUDE, Snippet

__all__ = ["FORMATS", "OPTIONS", "Defaults", "Wish", "read_options", "wish_for"]

FORMATS = ("picture", "frames", "page", "ledger", "report")
COLUMN = 736.0
"""Width of a column of text, px, in the themes that most documents use."""


class Defaults(Struct, frozen=True):
    """What a document says once for all of its blocks; ``max_width`` is in px, ``timeout`` in seconds."""

    max_width: float = COLUMN
    timeout: float = 60.0
    prelude: str = PRELUDE


class Wish(Struct, frozen=True):
    """What one block asks for: what to run, how to draw it, and as what it is to stand there."""

    snippet: Snippet
    settings: Settings
    format: str = "picture"
    view: str = "graph"


def _choice(*words: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in words:
            raise ValueError(f"{text!r} is none of {', '.join(words)}")
        return text

    return read


def _whole(least: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise ValueError(f"{text!r} is no whole number") from None
        if value < least:
            raise ValueError(f"{text} is less than {least}")
        return value

    return read


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"{text!r} is no number of seconds") from None
    if not 0 < value < 1e6:
        raise ValueError(f"{text} is no time to wait")
    return value


def _text(text: str) -> str:
    if not text.strip():
        raise ValueError("it needs a value")
    return text.strip()


def _flag(text: str) -> bool:
    if text.strip().lower() not in {"", "yes", "true", "no", "false"}:
        raise ValueError(f"{text!r} is neither yes nor no")
    return text.strip().lower() not in {"no", "false"}


OPTIONS: Mapping[str, Callable[[str], Any]] = {
    "target": _text,
    "trace": _text,
    "view": _text,
    "format": _choice(*FORMATS),
    "depth": _whole(1),
    "focus": _text,
    "no-fold": _flag,
    "direction": _choice("auto", "LR", "TB"),
    "theme": _choice("auto", "light", "dark"),
    "engine": _text,
    "layout": _text,
    "show": _text,
    "hide": _text,
    "mark": _text,
    "compact": _flag,
    "math": _flag,
    "calls": _whole(1),
    "keep": _whole(0),
    "seed": _whole(0),
    "timeout": _seconds,
    "context": str.strip,
    "expect-error": _flag,
    "lineno-start": _whole(1),
}
"""Options that every host has, with what reads each; what reads raises ``ValueError`` if it cannot."""


def wish_for(
    code: str, options: Mapping[str, Any], defaults: Defaults, *, folder: str, file: str, line: int
) -> Wish:
    """What a block with these options asks for; ``options`` are values that :data:`OPTIONS` has read.

    ``folder`` is that of the document, in which its code runs, ``line`` where the code begins.

    Raises:
        UsageError: there is nothing to run, or two things, or options that cannot go together.
    """
    from autograd_tour.views.look import look_for

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
        **{"prelude": defaults.prelude, "timeout": defaults.timeout, **given},
    )
    look = look_for(
        show=options.get("show", ""),
        hide=options.get("hide", ""),
        mark=options.get("mark", ""),
        compact=options.get("compact", False),
        math=options.get("math", False),
    )
    settings = Settings(
        theme=options.get("theme", "auto"),
        direction=options.get("direction", "auto"),
        engine=options.get("engine") or options.get("layout"),
        depth=options.get("depth"),
        focus=options.get("focus"),
        fold=not options.get("no-fold", False),
        room=room_for(width=defaults.max_width),
        look=look,
    )
    view = options.get("view", "graph")
    return Wish(snippet, settings, options.get("format", "picture"), view)


def read_options(words: Mapping[str, str], more: Mapping[str, Callable[[str], Any]] = {}) -> dict[str, Any]:
    """Values of options that are written as words, ``more`` being those of the host alone.

    Raises:
        UsageError: an option that there is not, or a value that it cannot have.
    """
    readers = {**OPTIONS, **more}
    values = {}
    for word, text in words.items():
        name = word.replace("_", "-")  # some hosts take no hyphens
        if name not in readers:
            raise UsageError(f"there is no option {word}", suggestion(name, list(readers), 40))
        try:
            values[name] = readers[name](text)
        except ValueError as error:
            raise UsageError(f"option {name}: {error}") from None
    return values
