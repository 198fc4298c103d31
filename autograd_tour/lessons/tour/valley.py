"""The surface of the thermometer's loss over w and b: a valley whose lines of one height are ellipses."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor

from autograd_tour.drawing.surface import Height
from autograd_tour.lessons.optimizers import best_fit

__all__ = ["heights"]

POINTS = 240


def heights(t_u: Tensor, t_c: Tensor, values: Sequence[float]) -> tuple[Height, ...]:
    """The lines at which the mean of squared differences has ``values``; ``t_u`` and ``t_c`` have shape (N).

    The loss is a parabola in (w, b): its second derivatives are the same everywhere, and an ellipse has the
    axes of their matrix.
    """
    best = best_fit(t_u.double(), t_c.double())
    (w, b), least = best.params, best.loss
    count, total, squares = len(t_u), t_u.double().sum().item(), t_u.double().square().sum().item()
    ww, wb, bb = 2 * squares / count, 2 * total / count, 2.0
    mean, half = (ww + bb) / 2, math.hypot((ww - bb) / 2, wb)
    steep, flat = mean + half, (ww * bb - wb * wb) / (mean + half)  # the small one without cancellation
    angle = math.atan2(wb, steep - bb)
    across, along = (math.cos(angle), math.sin(angle)), (-math.sin(angle), math.cos(angle))

    def ring(value: float) -> tuple[tuple[float, float], ...]:
        radius = math.sqrt(2 * (value - least))
        turns = [2 * math.pi * step / POINTS for step in range(POINTS)]
        legs = [
            (radius * math.cos(t) / math.sqrt(steep), radius * math.sin(t) / math.sqrt(flat)) for t in turns
        ]
        return tuple((w + s * across[0] + f * along[0], b + s * across[1] + f * along[1]) for s, f in legs)

    return tuple(Height(value, ring(value)) for value in values if value > least)
