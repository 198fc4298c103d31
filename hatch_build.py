"""What the package index shows: addresses that lead to the repository, once it has one.

`repository` in `[tool.hatch.metadata.hooks.custom]` of pyproject.toml, or AUTOGRAD_TOUR_REPOSITORY in the
environment, is its address, and `files` where its files are served. Without one there are no addresses in the
metadata, since any would lead nowhere; the README then has its relative ones.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

__all__ = ["RepositoryHook", "absolute", "urls"]

LINK = re.compile(r'(\]\(|\b(?:src|srcset|href)=")(?!https?://|#)([^)"\s]+)')
"""A Markdown link or picture, or an attribute of HTML, whose address is a path of the repository."""


def absolute(text: str, repository: str, files: str) -> str:
    """``text`` with an address for each path: pictures as they are served, anything else as it is shown."""

    def address(match: re.Match[str]) -> str:
        base = files if match[2].endswith((".svg", ".png")) else f"{repository}/blob/main"
        return f"{match[1]}{base}/{match[2]}"

    return LINK.sub(address, text)


def urls(repository: str) -> dict[str, str]:
    """What stands beside the description on the package index."""
    return {
        "Repository": repository,
        "Documentation": f"{repository}/blob/main/docs/index.md",
        "Changelog": f"{repository}/blob/main/CHANGELOG.md",
        "Issues": f"{repository}/issues",
    }


class RepositoryHook(MetadataHookInterface):
    """Fills in ``readme`` and ``urls``."""

    PLUGIN_NAME = "custom"

    def update(self, metadata: dict[str, Any]) -> None:
        """Called by hatchling."""
        text = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        repository = (os.environ.get("AUTOGRAD_TOUR_REPOSITORY") or self.config["repository"]).rstrip("/")
        if repository:
            files = self.config["files"].replace("{repository}", repository)
            text = absolute(text, repository, files)
            metadata["urls"] = urls(repository)
        metadata["readme"] = {"content-type": "text/markdown", "text": text}
