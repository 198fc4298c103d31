"""The modules of the page as one script: a page from disk may not load others."""

from __future__ import annotations

import base64
import hashlib
import re
from importlib.resources.abc import Traversable
from typing import Any

import msgspec

__all__ = ["bundled", "digest", "json_text"]

_IMPORT = re.compile(r'^import (\{[^}]*\}) from "\./([a-z]+)\.js";$', re.MULTILINE)
_EXPORT = re.compile(r"^export ((?:async )?(?:function|class|const) (\w+))", re.MULTILINE)


def bundled(folder: Traversable, start: str = "main", shared: Traversable | None = None) -> str:
    """``start`` and every module it imports, each once and after those that it imports itself.

    A module becomes a function that gives back what it exports, so each keeps its own scope. Modules
    import names in braces, from files beside them or in ``shared``, and not each other in a circle.
    """
    written: dict[str, str] = {}

    def add(name: str) -> None:
        if name in written:
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
    return "".join(written.values())


def json_text(data: Any) -> str:
    """JSON that can stand in a script element: nothing in it ends or opens one."""
    text = msgspec.json.encode(data).decode()
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def digest(text: str) -> str:
    """The source that a Content-Security-Policy names for this script or style."""
    value = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")
    return f"'sha256-{value}'"
