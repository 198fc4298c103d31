"""Options of a block as documents write them: words to values, the same in every host."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from autograd_tour.errors import UsageError, suggestion

__all__ = ["COLUMN", "FORMATS", "OPTIONS", "PRELUDE", "read_options"]

FORMATS = ("picture", "frames", "page", "ledger", "report")
COLUMN = 736.0
"""Width of a column of text, px, in the themes that most documents use."""
PRELUDE = "import torch"
"""What runs before the code of a document, unless the document says otherwise."""


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
