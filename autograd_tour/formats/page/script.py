"""The modules of the page as one script: a page from disk may not load others."""

from __future__ import annotations

import re
from importlib.resources.abc import Traversable

__all__ = ["bundled"]

_IMPORT = re.compile(r'^import (\{[^}]*\}) from "\./([a-z]+)\.js";$', re.MULTILINE)
_EXPORT = re.compile(r"^export ((?:async )?(?:function|class|const) (\w+))", re.MULTILINE)


def bundled(folder: Traversable, start: str = "main") -> str:
    """``start`` and every module it imports, each once and after those that it imports itself.

    A module becomes a function that gives back what it exports, so each keeps its own scope. Modules
    import names in braces, from files beside them, and do not import each other in a circle.
    """
    written: dict[str, str] = {}

    def add(name: str) -> None:
        if name in written:
            return
        text = folder.joinpath(f"{name}.js").read_text(encoding="utf-8")
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
