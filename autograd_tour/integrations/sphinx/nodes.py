"""What stands in a document until its pictures are there."""

from __future__ import annotations

from typing import Any

from docutils import nodes
from sphinx.util.docutils import SphinxTranslator

__all__ = ["AutogradBlock", "AutogradValue", "nothing"]


class AutogradBlock(nodes.General, nodes.Element):
    """A block that becomes a picture: block ``number`` of the document ``docname``."""


class AutogradValue(nodes.Inline, nodes.Element):
    """A value that becomes text: that of the tensor ``wanted`` in block ``number`` of ``docname``."""


def nothing() -> dict[str, Any]:
    """Visitors of nodes that no writer meets, since they are replaced before."""
    return dict.fromkeys(("html", "latex", "text", "man", "texinfo"), (_skip, None))


def _skip(_: SphinxTranslator, __: nodes.Element) -> None:
    raise nodes.SkipNode
