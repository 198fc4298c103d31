"""The whole trace as JSON: what ``render`` draws again without torch."""

from __future__ import annotations

from collections.abc import Mapping

from autograd_tour.formats.base import Format, Settings
from autograd_tour.record.codec import dumps
from autograd_tour.record.trace import Trace

__all__ = ["writer"]


class Json(Format):
    """Every number at full precision."""

    name = "json"
    summary = "the trace itself, to be drawn again later"

    def files(self, stem: str, trace: Trace, settings: Settings) -> Mapping[str, str]:
        """``STEM.json``."""
        return {f"{stem}.json": dumps(trace)}


writer = Json()
