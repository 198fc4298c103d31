"""The page: one HTML file to step through backward in, offline, without anything to install."""

from __future__ import annotations

from collections.abc import Mapping

from autograd_tour.formats.base import Format, Settings
from autograd_tour.record.trace import Trace

__all__ = ["writer"]


class Html(Format):
    """One file with the picture, every step, the code, all facts and the ledger."""

    name = "html"
    summary = "a page to step through backward in the browser, in one file"

    def files(self, stem: str, trace: Trace, settings: Settings) -> Mapping[str, str]:
        """``STEM.html``."""
        from autograd_tour.formats.page.document import page  # jinja2 takes its time

        return {f"{stem}.html": page(stem, trace, settings)}


writer = Html()
