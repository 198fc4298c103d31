"""Hears a gradient scaler: what it scaled and unscaled, and what was done to gradients in between."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Set
from contextlib import contextmanager
from functools import wraps
from types import FrameType
from typing import Any, NamedTuple

from torch.amp.grad_scaler import GradScaler

from autograd_tour.record.evidence import ScalerFault

__all__ = ["ScalerUse", "Scalers"]

CLIPPING = frozenset(
    {"_foreach_norm", "vector_norm", "linalg_vector_norm", "norm", "clamp_", "_foreach_clamp_min_"}
)
"""With one of these torch's functions for clipping begin."""


class ScalerUse(NamedTuple):
    """One thing done in the wrong order: where, and the backward call before it."""

    fault: ScalerFault
    spot: int
    root: int


class Scalers:
    """All gradient scalers of a program; where there is none, nothing is looked at."""

    def __init__(self, spot: Callable[[FrameType], int], number: Callable[[Any], tuple[int, ...]]) -> None:
        self.uses: list[ScalerUse] = []
        self.scaled: set[int] = set()
        self._spot = spot
        self._number = number
        self._scaled_root = -1
        self._plain_root = -1
        self._unscaled = False
        self._clipped = -1
        self._stepping = False

    @property
    def waiting(self) -> bool:
        """Whether gradients are scaled now, and nobody has unscaled them."""
        return self._scaled_root >= 0 and not self._unscaled

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Every scaler that is used inside is heard."""
        methods = {name: GradScaler.__dict__[name] for name in ("scale", "unscale_", "step", "update")}
        for name, method in methods.items():
            setattr(GradScaler, name, self._heard(name, method))
        try:
            yield
        finally:
            for name, method in methods.items():
                setattr(GradScaler, name, method)

    def _heard(self, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(method)
        def call(scaler: Any, *args: Any, **kwargs: Any) -> Any:
            if not scaler.is_enabled():
                return method(scaler, *args, **kwargs)
            if name == "step":
                return self._step(sys._getframe(1), lambda: method(scaler, *args, **kwargs))
            result = method(scaler, *args, **kwargs)
            if name == "scale":
                self.scaled.update(self._number(result))
            elif name == "unscale_":
                self._unscaled = True
            else:
                self._forget()
            return result

        return call

    def _step(self, frame: FrameType, step: Callable[[], Any]) -> Any:
        if self._clipped >= 0 and not self._unscaled:
            self.uses.append(ScalerUse("clipped", self._clipped, self._scaled_root))
        if self._plain_root >= 0 and self._scaled_root < 0:
            self.uses.append(ScalerUse("unscaled", self._spot(frame), self._plain_root))
        self._stepping, before = True, self._stepping
        try:
            return step()
        finally:
            self._stepping = before

    def _forget(self) -> None:
        self._scaled_root, self._plain_root, self._unscaled, self._clipped = -1, -1, False, -1

    def backward(self, root: int, ancestors: Callable[[], Set[int]]) -> None:
        """A backward call begins; ``ancestors`` are all origins of its loss."""
        if not self.scaled:
            return
        if ancestors() & self.scaled:
            self._scaled_root = root
        else:
            self._plain_root = root

    def clipped(self, frame: FrameType) -> None:
        """Gradients are clipped."""
        if self.waiting and self._clipped < 0:
            self._clipped = self._spot(frame)

    def optimizer_steps(self, frame: FrameType) -> None:
        """An optimizer is about to step, maybe by itself."""
        if self.waiting and not self._stepping:
            self.uses.append(ScalerUse("stepped", self._spot(frame), self._scaled_root))
