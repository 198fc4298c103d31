"""watch(): a training loop that runs as ever tells what is wrong with its gradients, while it runs."""

from __future__ import annotations

import math
import warnings
from array import array
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from autograd_tour.errors import UsageError
from autograd_tour.findings import Finding
from autograd_tour.findings.steps import StepFindings
from autograd_tour.record.display import amount
from autograd_tour.record.steps import Norms, WatchedStep
from autograd_tour.tracer.step_hooks import StepHooks

__all__ = ["GradientWarning", "Watching", "watch"]

MOST_STEPS = 512
"""Steps whose norms are kept; of more, every second one, and so on."""
NONE = -1.0
"""Stands for no gradient in the table."""


class GradientWarning(UserWarning):
    """Something is wrong with the gradients of a training loop that is watched."""


def watch(
    model: Any,
    optimizer: Any,
    *,
    steps: int | None = None,
    on_finding: Callable[[Finding], object] | None = None,
) -> Watching:
    """Watch the training of ``model`` with ``optimizer``; a context manager.

    >>> with tour.watch(model, optimizer) as w:  # doctest: +SKIP
    ...     for x, y in data:
    ...         train_step(x, y)
    >>> w.findings, w.norms.of("encoder.weight"), w.save("watch.svg")  # doctest: +SKIP

    Only hooks listen: one after each accumulation into ``.grad``, two around each step. All are taken off
    at the end, also after an error, or after so many ``steps``. A finding is a :class:`GradientWarning` as
    it arises, or goes to ``on_finding``. Norms are those that the step uses: clipped, and without the factor
    of a gradient scaler. Each is computed once a step, which costs one look at all gradients.

    Raises:
        UsageError: ``model`` is no ``torch.nn.Module``, ``optimizer`` no ``torch.optim.Optimizer``, nothing
            in them requires a gradient, or ``steps`` is less than 1.
    """
    if steps is not None and steps < 1:
        raise UsageError(f"{steps} steps cannot be watched", "Leave steps out, or use 1 or more")
    return Watching(model, optimizer, steps, on_finding)


class Watching:
    """What :func:`watch` hears: ``findings``, in the order in which they arose, and ``norms``."""

    def __init__(
        self, model: Any, optimizer: Any, steps: int | None, on_finding: Callable[[Finding], object] | None
    ) -> None:
        self._hooks = StepHooks(model, optimizer, self._hear)
        self._judge = StepFindings(self._hooks.parameters)
        self._most, self._on_finding = steps, on_finding
        self.findings: list[Finding] = []
        self._numbers = array("q")
        self._rows: list[array[float]] = []
        self._total, self._stride = 0, 1

    def __enter__(self) -> Watching:
        self._hooks.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._hooks.stop()
        if kind is None:
            self._tell(self._judge.finish())

    @property
    def norms(self) -> Norms:
        """The norm of every parameter's ``.grad``, by step; of a long run some steps, evenly."""
        rows = tuple(tuple(None if norm == NONE else norm for norm in row) for row in self._rows)
        names = tuple(item.name for item in self._hooks.parameters)
        return Norms(names, tuple(self._numbers), rows, self._total, self._stride)

    def save(self, path: str | Path, *, theme: str = "auto") -> Path:
        """Write the norms over depth and steps as a picture; ``path`` ends with .svg, .png or .pdf.

        Raises:
            UsageError: it ends otherwise, there is no such theme, or the folder is not there.
        """
        from autograd_tour.formats.norms import save_norms

        return save_norms(self.norms, Path(path), theme)

    # ---- steps -----------------------------------------------------------------------------

    def _hear(self, step: WatchedStep) -> None:
        self._total = step.number
        if (step.number - 1) % self._stride == 0:
            self._numbers.append(step.number)
            self._rows.append(array("d", [NONE if norm is None else norm for norm in step.norms]))
        if len(self._rows) > MOST_STEPS:
            self._stride *= 2
            self._numbers, self._rows = self._numbers[::2], self._rows[::2]
        if self._most is not None and step.number >= self._most:
            self._hooks.stop()
        self._tell(self._judge.judge(step))

    def _tell(self, findings: list[Finding]) -> None:
        self.findings += findings
        for finding in findings:
            if self._on_finding is not None:
                self._on_finding(finding)
            else:
                line = finding.lines[0].line if finding.lines else None
                where = ("a training loop", 1) if line is None else (line.file, line.line)
                warnings.warn_explicit(f"{finding.brief}. {finding.why}", GradientWarning, *where)

    def __repr__(self) -> str:
        whole = [norm for norm in (self._rows[-1] if self._rows else ()) if norm >= 0]
        size = f", norm of all gradients {math.hypot(*whole):.3g}" if whole else ""
        return f"<watched {amount(self._total, 'step')}: {amount(len(self.findings), 'finding')}{size}>"
