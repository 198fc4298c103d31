"""What is heard of a training loop that is watched while it runs: plain numbers of every step."""

from __future__ import annotations

from msgspec import Struct

from autograd_tour.record.graph import SourceLine

__all__ = ["Norms", "WatchedParameter", "WatchedStep"]


class WatchedParameter(Struct, frozen=True, gc=False):
    """A parameter: its path in the model, its shape, whether the optimizer holds it, and the model has it."""

    name: str
    shape: tuple[int, ...] = ()
    held: bool = True
    owned: bool = True

    @property
    def numel(self) -> int:
        """Number of elements."""
        total = 1
        for extent in self.shape:
            total *= extent
        return total


class WatchedStep(Struct, frozen=True):
    """One call of ``optimizer.step()``, counted from 1.

    ``norms`` has the Euclidean norm of each parameter's ``.grad`` as the step uses it, ``None`` where it has
    none; NaN and Inf stay what they are. ``arrived`` says of each whether a backward brought it a gradient
    since the step before. ``unzeroed`` is the line of a backward that added to gradients of before that step.
    ``scaled``: a gradient scaler looks for Inf itself and leaves such a step out.
    """

    number: int
    norms: tuple[float | None, ...]
    arrived: tuple[bool, ...]
    line: SourceLine | None = None
    unzeroed: SourceLine | None = None
    scaled: bool = False


class Norms(Struct, frozen=True):
    """The norm of each parameter's ``.grad`` by step: ``rows[k][i]`` is that of ``names[i]`` in ``steps[k]``.

    ``None`` stands for no gradient. Of a long run every ``stride``-th step is kept, of ``total``.
    """

    names: tuple[str, ...]
    steps: tuple[int, ...]
    rows: tuple[tuple[float | None, ...], ...]
    total: int = 0
    stride: int = 1

    def of(self, name: str) -> tuple[float | None, ...]:
        """The norms of one parameter, a number for each of ``steps``.

        Raises:
            KeyError: there is no such parameter.
        """
        if name not in self.names:
            raise KeyError(name)
        i = self.names.index(name)
        return tuple(row[i] for row in self.rows)
