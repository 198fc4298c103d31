"""The tour as files: a site, Markdown, notebooks, text and a handout, from what its stops came to."""

from __future__ import annotations

__all__: list[str] = []
