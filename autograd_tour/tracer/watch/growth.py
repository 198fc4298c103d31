"""What lines keep that add to a sum again and again: ``total += loss``."""

from __future__ import annotations

from torch import Tensor

from autograd_tour.tracer.watch.origins import Origins
from autograd_tour.tracer.watch.saves import kept_behind

__all__ = ["Growth"]


class Growth:
    """``kept``: spot of such a line -> what its new terms keep, as :func:`kept_behind` tells it."""

    def __init__(self, origins: Origins) -> None:
        self.kept: dict[int, tuple[int, int]] = {}
        self._origins = origins

    def weigh(self, given: list[Tensor], spot: int, backwards: int) -> None:
        """A line adds to a sum from before the last of ``backwards`` calls: weigh the terms that are new."""
        if spot in self.kept or spot < 0:
            return
        needing = [item for item in given if item.requires_grad]
        sources = [self._origins.items[self._origins.number(item)] for item in needing]
        carried = [item.spot == spot and item.backwards < backwards for item in sources]
        if any(carried) and not all(carried):
            self.kept[spot] = kept_behind(
                [item for item, old in zip(needing, carried, strict=True) if not old]
            )
