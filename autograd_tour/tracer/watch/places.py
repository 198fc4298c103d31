"""Where a program did what was heard of it: lines, and the points at which values lost their history."""

from __future__ import annotations

from autograd_tour.record.evidence import CutKind, CutPoint
from autograd_tour.record.graph import SourceLine
from autograd_tour.tracer.watch.heard import Escape
from autograd_tour.tracer.watch.origins import Origin
from autograd_tour.tracer.watch.watch import Watch

__all__ = ["ARRAYS", "Places"]

ARRAYS = frozenset({"numpy", "array"})
"""Functions whose result is an array of NumPy."""
_DEREFERENCING = frozenset({"detach", "detach_"})


class Places:
    """Those of one program that was watched."""

    def __init__(self, watch: Watch) -> None:
        self._spots = watch.record.sites.spots

    def line(self, spot: int) -> SourceLine | None:
        """The line of a spot, ``None`` for none."""
        number = self._spots.line(spot)
        return None if number is None else self._spots.lines[number]

    def point(self, origin: Origin) -> CutPoint:
        """The call that cut, with the line that turned gradients off."""
        kind, off = _kind(origin), self.line(origin.off)
        if kind == "checkpoint" and off is not None:  # it is called there, whatever it runs
            return CutPoint(kind, "checkpoint", off)
        if kind == "sample":  # which turned gradients off itself
            return CutPoint(kind, "sample", self.line(origin.spot))
        return CutPoint(kind, origin.function, self.line(origin.spot), off)

    def point_of_escape(self, escape: Escape) -> CutPoint:
        """The call that gave numbers which are no tensor any more."""
        kind: CutKind = "numpy" if escape.function in ARRAYS else "value"
        return CutPoint(kind, escape.function, self.line(escape.spot))


def _kind(origin: Origin) -> CutKind:
    if origin.inference:
        return "inference"
    if origin.checkpointed:
        return "checkpoint"
    if origin.sampled:
        return "sample"
    if origin.function in _DEREFERENCING:
        return "detach"
    if origin.function == "data":
        return "data"
    if not origin.grads:
        return "no_grad"
    return "function" if origin.floating else "integer"
