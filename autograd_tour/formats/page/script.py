"""The modules of the page as one script: a page from disk may not load others."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Collection
from importlib.resources.abc import Traversable
from typing import Any

import msgspec

__all__ = ["bundled", "dense_style", "digest", "json_text"]

_IMPORT = re.compile(r'^import (\{[^}]*\}) from "\./([a-z]+)\.js";$', re.MULTILINE)
_COMMENT = re.compile(r"^\s*/\*\*.*?\*/|(?:^\s*|(?<=[;{}]) )// [^\n]*", re.MULTILINE | re.DOTALL)
_CONST = re.compile(r"\bconst\b")
_TEXT = re.compile(r'("(?:[^"\\]|\\.)*"|`[^`]*`)')
_NESTED = re.compile(r"`[^`]*\$\{[^}`]*`")
_SPACED = re.compile(r" *([=?:<>&|,;(){}\[\]]+) *|(?<=[\w)\]]) ([-+*%]) (?=[\w(\[])")
_EXPORT = re.compile(r"^export ((?:async )?(?:function|class|const) (\w+))", re.MULTILINE)


def bundled(
    folder: Traversable,
    start: str = "main",
    shared: Traversable | None = None,
    without: Collection[str] = (),
) -> str:
    """``start`` and every module it imports, each once and after those that it imports itself.

    A module becomes a function that gives back what it exports, so each keeps its own scope. Modules
    import names in braces, from files beside them or in ``shared``, and not each other in a circle. One
    ``without`` which a page can do exports nothing, and imports nothing.
    """
    written: dict[str, str] = {}

    def add(name: str) -> None:
        if name in written:
            return
        if name in without:
            written[name] = f"const ${name} = {{}};\n"
            return
        file = folder.joinpath(f"{name}.js")
        if shared is not None and not file.is_file():
            file = shared.joinpath(f"{name}.js")
        text = file.read_text(encoding="utf-8")
        for _, wanted in _IMPORT.findall(text):
            add(wanted)
        text = _IMPORT.sub(r"const \1 = $\2;", text)
        names = ", ".join(name for _, name in _EXPORT.findall(text))
        body = _EXPORT.sub(r"\1", text)
        written[name] = (
            body if name == start else f"const ${name} = (() => {{\n{body}return {{ {names} }};\n}})();\n"
        )

    add(start)
    return "".join(map(_plain, written.values()))


def _plain(text: str) -> str:
    """A module without comments, blank lines and indentation, and without spaces that say nothing.

    No text of a module goes over several lines, and every statement ends with a semicolon or a brace.
    """
    lines = [_dense(line) for line in map(str.strip, _COMMENT.sub("", text).split("\n")) if line]
    following = [*lines[1:], "}"]
    return "".join(line + _between(line, after) for line, after in zip(lines, following, strict=True))


def _between(line: str, after: str) -> str:
    return "" if line[-1] in "{;,([}" or after[0] in ")}].?:" else "\n"


def _dense(line: str) -> str:
    """``line`` without spaces around signs, and with the shorter ``let``.

    Texts stay as they are, and so does what follows a slash or nested templates.
    """
    stops = [line.find("/"), line.find("`") if _NESTED.search(line) else -1]
    end = min((where for where in stops if where >= 0), default=len(line))
    end = next((text.start() for text in _TEXT.finditer(line) if text.start() < end < text.end()), end)
    parts = _TEXT.split(line[:end])
    dense = (
        part if number % 2 else _SPACED.sub(r"\1\2", _CONST.sub("let", part))
        for number, part in enumerate(parts)
    )
    return "".join(dense) + line[end:]


def dense_style(text: str) -> str:
    """A style sheet without comments, newlines and spaces that say nothing."""
    text = re.sub(r"/\*.*?\*/|\n\s*", "", text, flags=re.DOTALL)
    return re.sub(r" *([{};,]) *|: (?=[^{}]*\})", lambda match: match[1] or ":", text).replace(";}", "}")


def json_text(data: Any) -> str:
    """JSON that can stand in a script element: nothing in it ends or opens one."""
    text = msgspec.json.encode(data).decode()
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def digest(text: str) -> str:
    """The source that a Content-Security-Policy names for this script or style."""
    value = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")
    return f"'sha256-{value}'"
