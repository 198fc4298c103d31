"""Means over batches whose gradients are added up before a step: over how many elements, with what weight."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from torch import Tensor

from autograd_tour.tracer.assemble.saved import read_saved
from autograd_tour.tracer.assemble.walk import root_of

__all__ = ["Reduced", "Windows"]

MOST = 64
"""Nodes between a loss and its means that are looked at."""
CALLS = 200
"""Backward calls whose means are noted."""

_LOSSES = frozenset(
    {
        "MseLossBackward0",
        "SmoothL1LossBackward0",
        "HuberLossBackward0",
        "BinaryCrossEntropyBackward0",
        "BinaryCrossEntropyWithLogitsBackward0",
        "NllLossBackward0",
        "NllLoss2DBackward0",
        "NllLossNdBackward0",
    }
)
_MEANS = frozenset({"MeanBackward0", "MeanBackward1"})
_SUMS = frozenset({"SumBackward0", "SumBackward1"})
_MEAN = 1
"""Of ``reduction`` in torch's own numbers; 2 is a sum."""


class Reduced(NamedTuple):
    """One mean or sum in one backward: its node, how many elements it has, and the weight of all together."""

    node: int
    elements: float
    weight: float
    root: int


class Windows:
    """Listens to the means of each backward, and sorts them by the step for which they are added up."""

    def __init__(self) -> None:
        self.closed: list[list[Reduced]] = []
        self.stepped: set[int] = set()
        self._open: list[Reduced] = []
        self._roots: list[int] = []

    def listen(self, outputs: Iterable[Tensor], root: int) -> list[Any]:
        """Listen to the means behind ``outputs`` in the backward that begins now; gives handles to remove."""
        self._roots.append(root)
        if root >= CALLS:
            return []
        return [
            fn.register_prehook(self._hook(fn._sequence_nr(), elements, root, mean=mean))
            for output in outputs
            for fn, elements, mean in _reductions(output)
        ]

    def _hook(self, node: int, elements: float, root: int, *, mean: bool) -> Any:
        def hear(gradients: Any) -> None:
            gradient = gradients[0]
            if isinstance(gradient, Tensor):
                weight = float(gradient.detach().sum())
                self._open.append(Reduced(node, elements, weight if mean else weight * elements, root))

        return hear

    def step(self) -> None:
        """An optimizer is about to use what was added up."""
        self.stepped.update(self._roots)
        self._close()

    def empty(self) -> None:
        """Gradients are emptied: what was added up has been used by hand, or is thrown away."""
        self._close()

    def _close(self) -> None:
        if len({item.root for item in self._open}) > 1:
            self.closed.append(self._open)
        self._open, self._roots = [], []


def _reductions(output: Tensor) -> Iterator[tuple[Any, float, bool]]:
    """The nodes that make one number of many, as near to ``output`` as they are."""
    pending, seen = [root_of(output)[0]], 0
    while pending and seen < MOST:
        fn = pending.pop()
        seen += 1
        name = fn.name()
        if name == "torch::autograd::AccumulateGrad" or not _is_single(fn):
            continue
        count = _count(fn, name)
        if count is None:
            pending += [before for before, _ in fn.next_functions if before is not None]
        elif count[0] > 0:
            yield fn, *count


def _is_single(fn: Any) -> bool:
    metadata = getattr(fn, "_input_metadata", None)
    if not metadata or getattr(metadata[0], "is_nested_tensor", False):
        return False
    size = 1
    for length in metadata[0].shape:
        size *= int(length)
    return size == 1


def _count(fn: Any, name: str) -> tuple[float, bool] | None:
    """Over how many elements the node reduces, and whether by a mean; ``None`` if it does not."""
    if name in _MEANS or name in _SUMS:
        size = 1
        for length in fn._saved_self_sym_sizes:
            size *= int(length)
        return float(size), name in _MEANS
    if name not in _LOSSES:
        return None
    saved = {view.name: view.tensor for view in read_saved(fn) if view.state == "kept"}
    mean = int(fn._saved_reduction) == _MEAN
    total, values = saved.get("total_weight"), saved.get("target", saved.get("self"))
    if mean and total is not None and total.numel() == 1:
        return float(total.detach()), mean
    return (float(values.numel()), mean) if values is not None else (0.0, mean)
