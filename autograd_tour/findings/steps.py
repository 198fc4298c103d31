"""What is wrong in a training loop that is watched, found while it runs: step by step, each fault once."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Sequence
from statistics import median

from autograd_tour.findings.base import Finding, lines_of, listed
from autograd_tour.findings.depth import changes_along
from autograd_tour.record.steps import WatchedParameter, WatchedStep

__all__ = ["StepFindings"]

PATIENCE = 3
"""Steps in a row in which a gradient is missing or zero before that is told."""
EXPLODED = 100.0
"""How many times the usual norm of all gradients together is an explosion."""
USUAL = 50
LEAST_USUAL = 10
"""Steps that the usual norm is the median of, at most and at least."""
LAYERS = 5
VANISHED = 1e-6
"""As in a record: the gradient per element of the first weight by that of the last, of so many at least."""
LOOK_CLOSER = (
    "\nautograd-tour explain FILE.py:FUNCTION   # follows a few steps of the program and names the line"
)

_CUT_OFF = (
    "The loss does not depend on it, or was cut off from it: detach, no_grad, a part of the model that is "
    "not used.",
    LOOK_CLOSER.strip(),
)
_NOT_ITS_OWN = (
    "The optimizer holds it, and the model that is watched does not have it: a layer was replaced after the "
    "optimizer was made, or the optimizer is of another model.",
    "optimizer = torch.optim.SGD(model.parameters(), lr=0.1)   # after the model is complete",
)
"""Why a gradient is missing, and what to write: of a parameter of the model, and of any other."""


class StepFindings:
    """Judges the steps in their order; ``parameters`` are those whose norms they have."""

    def __init__(self, parameters: Sequence[WatchedParameter]) -> None:
        self._parameters = parameters
        self._missing = [0] * len(parameters)
        self._zero = [0] * len(parameters)
        self._usual: deque[float] = deque(maxlen=USUAL)
        self._told: set[tuple[str, int]] = set()
        self._last: WatchedStep | None = None

    def judge(self, step: WatchedStep) -> list[Finding]:
        """What this step shows that was not told before."""
        self._last = step
        return [
            *self._without_gradient(step),
            *self._unzeroed(step),
            *self._nonfinite(step),
            *self._counted(step, PATIENCE),
            *self._by_depth(step),
            *self._exploded(step),
        ]

    def finish(self) -> list[Finding]:
        """What is sure when no more steps come: of few steps a gradient that was missing in all of them."""
        step = self._last
        if step is None or step.number >= PATIENCE:
            return []
        return list(self._told_missing(step, step.number))

    def _first(self, kind: str, parameters: Sequence[int] = (-1,)) -> list[int]:
        """Those of which this kind was not told before."""
        new = [i for i in parameters if (kind, i) not in self._told]
        self._told.update((kind, i) for i in new)
        return new

    def _names(self, parameters: Sequence[int]) -> str:
        return listed([self._parameters[i].name for i in parameters])

    def _about(self, parameters: Sequence[int]) -> tuple[str, ...]:
        return tuple(self._parameters[i].name for i in parameters)

    # ---- kinds -----------------------------------------------------------------------------

    def _without_gradient(self, step: WatchedStep) -> Iterator[Finding]:
        held = [item.held for item in self._parameters]
        arrived = [i for i, flag in enumerate(step.arrived) if flag]
        where = lines_of(("the step", step.line))
        if arrived and not any(held[i] for i in arrived) and self._first("optimizer-of-other-parameters"):
            yield Finding(
                "optimizer-of-other-parameters",
                "error",
                f"no parameter of the optimizer got a gradient before step {step.number}",
                where,
                "Gradients arrived at other parameters of the model, which this optimizer does not hold, so "
                "its steps change nothing. ",
                "optimizer = torch.optim.SGD(model.parameters(), lr=0.1)   # of the model that is trained",
                about=self._about(arrived),
            )
        elif not arrived and self._first("step-without-gradient"):
            yield Finding(
                "step-without-gradient",
                "warning",
                f"no backward brought a gradient before step {step.number}",
                where,
                "The step used what lay in .grad from before, or nothing at all.",
                "optimizer.zero_grad()\nloss.backward()\noptimizer.step()",
            )

    def _unzeroed(self, step: WatchedStep) -> Iterator[Finding]:
        if step.unzeroed is not None and self._first("zero-grad-missing"):
            yield Finding(
                "zero-grad-missing",
                "warning",
                f"step {step.number} used gradients to which those of an earlier step were added",
                lines_of(("adds to the old .grad here", step.unzeroed), ("used here", step.line)),
                "backward() adds to .grad, it does not replace it, and nothing emptied .grad after the "
                "step before.",
                "optimizer.zero_grad()   # at the start of every iteration\n"
                "loss.backward()\noptimizer.step()",
            )

    def _nonfinite(self, step: WatchedStep) -> Iterator[Finding]:
        odd = [i for i, norm in enumerate(step.norms) if norm is not None and not math.isfinite(norm)]
        new = [] if step.scaled else self._first("nonfinite-gradient", odd)
        if new:
            yield Finding(
                "nonfinite-gradient",
                "error",
                f"the gradient of {self._names(new)} has NaN or Inf in step {step.number}",
                lines_of(("used here", step.line)),
                "The step writes it into the parameters, and from then on every loss is NaN.",
                "if torch.isfinite(loss):   # and find where it is made:" + LOOK_CLOSER,
                about=self._about(new),
            )

    def _counted(self, step: WatchedStep, patience: int) -> Iterator[Finding]:
        if not any(step.arrived):
            return
        for i, norm in enumerate(step.norms):
            self._missing[i] = self._missing[i] + 1 if norm is None else 0
            self._zero[i] = self._zero[i] + 1 if norm == 0 else 0
        yield from self._told_missing(step, patience)
        zero = [i for i, count in enumerate(self._zero) if count >= patience]
        if new := self._first("gradient-zero", zero):
            yield Finding(
                "gradient-zero",
                "warning",
                f"the gradient of {self._names(new)} is 0 in every element, {patience} steps in a row",
                lines_of(("the step", step.line)),
                "A gradient arrives, and it is 0: something multiplies it by 0 (a ReLU that is below 0 for "
                "all data, a mask, a weight of 0), or what the samples bring cancels.",
                LOOK_CLOSER.strip(),
                about=self._about(new),
            )

    def _told_missing(self, step: WatchedStep, patience: int) -> Iterator[Finding]:
        missing = [i for i, count in enumerate(self._missing) if count >= patience]
        new = self._first("grad-none", missing)
        for parameters, (why, fix) in (
            ([i for i in new if self._parameters[i].owned], _CUT_OFF),
            ([i for i in new if not self._parameters[i].owned], _NOT_ITS_OWN),
        ):
            if parameters:
                steps = "step 1" if patience == 1 else f"the last {patience} steps"
                yield Finding(
                    "grad-none",
                    "warning",
                    f".grad of {self._names(parameters)} is None in {steps}",
                    lines_of(("the step", step.line)),
                    why,
                    fix,
                    about=self._about(parameters),
                )

    def _by_depth(self, step: WatchedStep) -> Iterator[Finding]:
        layers = [
            (i, norm / self._parameters[i].numel ** 0.5)
            for i, norm in enumerate(step.norms)
            if norm and math.isfinite(norm) and len(self._parameters[i].shape) > 1
        ]
        if len(layers) < LAYERS:
            return
        (first, least), (last, most) = layers[0], layers[-1]
        if VANISHED < least / most < 1 / VANISHED or not changes_along([size for _, size in layers]):
            return
        if not self._first("by-depth"):
            return
        vanished = least < most
        yield Finding(
            "vanishing" if vanished else "exploding",
            "warning",
            f"the gradient per element is {least:.2g} in {self._parameters[first].name} and {most:.2g} in "
            f"{self._parameters[last].name}, in step {step.number}",
            lines_of(("the step", step.line)),
            f"Every layer multiplies the gradient on its way back, here by factors well "
            f"{'below' if vanished else 'above'} 1.",
            "x = x + block(x)   # a residual connection; or relu with He initialisation, LayerNorm"
            if vanished
            else "torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)   # and a smaller initialisation",
            about=self._about([first, last]),
        )

    def _exploded(self, step: WatchedStep) -> Iterator[Finding]:
        whole = math.hypot(*(norm for norm in step.norms if norm is not None))
        if not math.isfinite(whole):
            return
        usual = median(self._usual) if len(self._usual) >= LEAST_USUAL else math.inf
        self._usual.append(whole)
        if usual > 0 and whole > EXPLODED * usual and self._first("gradient-spike"):
            largest = max(range(len(step.norms)), key=lambda i: step.norms[i] or 0.0)
            yield Finding(
                "gradient-spike",
                "warning",
                f"the norm of all gradients is {whole:.3g} in step {step.number}, and was {usual:.3g} before",
                lines_of(("used here", step.line)),
                f"Most of it is in {self._parameters[largest].name}. A batch that is unlike the others does "
                "that, or a step that was too large.",
                "torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)   # between backward and step",
                about=self._about([largest]),
            )
