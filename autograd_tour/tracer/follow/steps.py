"""Steps of optimizers: the leaves before and after each, and what of it is the optimizer's own work.

A step may run code of the program: hooks around it, and the closure that computes the loss anew. What that
does to leaves is told as anywhere else; only what the optimizer does itself is told as the step.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.optim import Optimizer

from autograd_tour.record.facts import TensorFacts
from autograd_tour.record.run import LeafChange, StateChange
from autograd_tour.tracer.compiled import never_compiled
from autograd_tour.tracer.follow.lent import Lent, is_zero, same
from autograd_tour.tracer.follow.log import Draft, Log, Spot
from autograd_tour.tracer.follow.marks import Marks
from autograd_tour.tracer.follow.originals import Originals
from autograd_tour.tracer.follow.settings import settings_of
from autograd_tour.tracer.follow.spots import spot_of
from autograd_tour.tracer.follow.tracks import Belonging, Tracks, grad_facts
from autograd_tour.tracer.listen.forward import ForwardRecord, sequence_nr
from autograd_tour.tracer.measure import Recorder

__all__ = ["Steps"]

_STEPPING = "torch.optim.optimizer"
"""The module whose function runs every step, and the hooks around it."""
MOST_STATE = 4
"""What an optimizer remembers of a leaf that is written down: as many entries."""


class _Parameter(NamedTuple):
    """One leaf before a step, with what the optimizer remembers of it."""

    leaf: int
    tensor: Tensor
    value: TensorFacts
    grad: TensorFacts | None
    state: dict[str, TensorFacts]


@dataclass(slots=True)
class _Step:
    """A step that is being made. ``draft`` is ``None`` for one that is not told.

    ``own``: the optimizer itself is at work, and no hook or closure of the program.
    """

    optimizer: Optimizer
    draft: Draft | None = None
    before: list[_Parameter] = field(default_factory=list)
    own: bool = True
    closures: int = 0
    """Calls of its closure."""
    uses_closure: bool = False
    """Whether the step uses the gradients that its closure's only call left, and ``before`` is after that."""
    unsure: set[int] = field(default_factory=set)
    """Leaves whose ``.grad`` the optimizer itself changes: nobody knows which one it used."""
    inner: set[int] = field(default_factory=set)
    """Leaves of which a part of their change has been told before the step is done."""
    written: Spot = field(default_factory=Spot)
    """Where the optimizer itself last changed values."""
    position: int = 0
    """How many events had been told then."""
    moment: int = 0
    """How many nodes there were."""
    parted: set[int] = field(default_factory=set)
    """Leaves that the optimizer itself changed before a backward inside the step computed with them."""
    wraps: bool = False
    """Whether another optimizer stepped inside."""


class Steps:
    """Those that are being made, the innermost last. All of it is heard from hooks that optimizers run."""

    def __init__(
        self,
        record: ForwardRecord,
        recorder: Recorder,
        tracks: Tracks,
        log: Log,
        originals: Originals,
        lent: Lent,
    ) -> None:
        self._record = record
        self._recorder = recorder
        self._tracks = tracks
        self._log = log
        self._originals = originals
        self._lent = lent
        self._steps: list[_Step] = []
        self._used_inside: dict[int, TensorFacts] = {}
        self._marks = Marks()

    @property
    def own_work(self) -> bool:
        """Whether what happens now is an optimizer's own work, told when its step is done."""
        return bool(self._steps) and self._steps[-1].own

    def grad_changed(self, leaf: int) -> None:
        """The ``.grad`` of ``leaf`` has been changed."""
        if self.own_work:
            self._steps[-1].unsure.add(leaf)

    def _works(self, step: _Step) -> None:
        """From here on the optimizer of ``step`` itself is at work."""
        step.own, step.written = True, Spot()
        step.position, step.moment = len(self._log.drafts), sequence_nr()

    def values_changed(self, spot: Spot) -> None:
        """The optimizer that is at work has changed values at ``spot``."""
        step = self._steps[-1]
        step.written, step.position, step.moment = spot, len(self._log.drafts), sequence_nr()

    def used_inside(self) -> dict[int, TensorFacts]:
        """The ``.grad`` that steps in hooks of the last backward used, by leaf."""
        used, self._used_inside = self._used_inside, {}
        return used

    def before(self, optimizer: Optimizer, *, in_full: bool) -> None:
        """``optimizer.step()`` has been called; hooks of the program may come first."""
        if self._steps and _runs_of(optimizer) < 2:
            self.after(optimizer)  # an earlier one may have raised
        self._originals.before_step(optimizer)
        call = f"{type(optimizer).__name__}.step"
        step = _Step(optimizer)
        if in_full:
            self._lent.catch_up()
            if self.own_work:
                self._tell_so_far(self._steps[-1])
                self._steps[-1].wraps = True
            spot = spot_of(sys._getframe(1), self._record)
            step.draft = self._log.begin("step", Spot(spot.number, spot.frame, call))
            step.own = False
            self._marks.mark(optimizer, self._begins, self._ends)
        self._steps.append(step)
        self._log.inside.append(call)

    def before_backward(self) -> None:
        """A backward is about to run, with the values that an optimizer at work has left by now."""
        if self.own_work and self._steps[-1].draft is not None:
            self._tell_so_far(self._steps[-1])
            self._works(self._steps[-1])

    def after(self, optimizer: Optimizer) -> None:
        """It has been made, and all hooks have run."""
        while any(step.optimizer is optimizer for step in self._steps):
            step = self._steps.pop()
            self._log.inside.pop()
            if step.optimizer is optimizer:
                break
        if all(step.optimizer is not optimizer for step in self._steps):
            self._marks.release(optimizer)  # the program sees its own hooks only

    def end(self) -> None:
        """Nothing of ours stays with the optimizers."""
        self._marks.remove()

    # ---- where the optimizer's own work begins and ends -------------------------------------

    def _begins(self, optimizer: Optimizer, args: Any, kwargs: Any) -> Any:
        step = self._innermost(optimizer)
        if step is None or step.draft is None:
            return None
        self._lent.catch_up()
        with torch._C.DisableTorchFunction():
            step.before = list(self._parameters(optimizer))
        self._works(step)
        if len(args) > 1 and callable(args[1]):
            return (args[0], self._closure(step, args[1]), *args[2:]), kwargs
        if callable(kwargs.get("closure")):
            return args, {**kwargs, "closure": self._closure(step, kwargs["closure"])}
        return None

    def _closure(self, step: _Step, closure: Callable[..., Any]) -> Callable[..., Any]:
        """``closure``, which the optimizer calls in ``step``: what it does is the program's work."""

        @wraps(closure)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            with torch._C.DisableTorchFunction():
                step.uses_closure = not step.closures and self._as_before(step)
                if self._innermost(step.optimizer) is step:
                    self._tell_so_far(step)
            step.closures += 1
            step.own = False
            try:
                result = closure(*args, **kwargs)
            except BaseException:
                self.after(step.optimizer)  # it ends the step
                raise
            self._lent.catch_up()
            self._works(step)
            if step.uses_closure:
                with torch._C.DisableTorchFunction():
                    self._look_again(step)
            return result

        never_compiled(wrapped)
        return wrapped

    def _look_again(self, step: _Step) -> None:
        """The closure has left other gradients; what the optimizer keeps is as it was when the step began."""
        states = {item.leaf: item.state for item in step.before}
        step.before = [
            item._replace(state=states.get(item.leaf, item.state))
            for item in self._parameters(step.optimizer)
        ]

    def _as_before(self, step: _Step) -> bool:
        """Whether no value has been changed since ``step`` began."""
        return all(self._recorder.measure(item.tensor) == item.value for item in step.before)

    def _ends(self, optimizer: Optimizer, _args: Any, _kwargs: Any) -> None:
        step = self._innermost(optimizer)
        if step is not None and step.draft is not None:
            with torch._C.DisableTorchFunction():
                self._finish(step, step.draft)
            step.own = False

    def _innermost(self, optimizer: Optimizer) -> _Step | None:
        if self._steps and self._steps[-1].optimizer is optimizer:
            return self._steps[-1]
        return None

    # ---- what is told of a step -------------------------------------------------------------

    def _parameters(self, optimizer: Optimizer) -> Iterator[_Parameter]:
        for parameter in (item for group in optimizer.param_groups for item in group["params"]):
            number = self._tracks.add(parameter)
            if number >= 0:
                value, grad = self._recorder.measure(parameter), grad_facts(parameter, self._recorder)
                yield _Parameter(number, parameter, value, grad, self._state(optimizer, parameter))

    def _finish(self, step: _Step, draft: Draft) -> None:
        if draft.inside == "backward":
            self._used_inside |= {item.leaf: item.grad for item in step.before if item.grad is not None}
        # Of several backward calls inside nobody knows which one's gradients were used for what.
        sure = step.uses_closure or draft.backward_call == self._log.backward_calls
        draft.backward_call = self._log.backward_calls
        for number, parameter, value, grad, state in step.before:
            self._tracks.written(Belonging(number, "value"))
            after = self._recorder.measure(parameter)
            now = self._state(step.optimizer, parameter)
            kept = number in step.parted and not step.wraps
            if same(value, after) and (grad is None or number in step.inner) and not kept:
                continue
            used = grad if sure and number not in step.unsure | step.inner else None
            if used is not None and same(value, after) and now == state and not is_zero(used):
                used = None  # maybe it steps at every second call only
            draft.add(LeafChange(number, value, after, grad=used, state=_changes(state, now)))
        draft.settings = settings_of(step.optimizer)
        if draft.changes or not step.inner:
            self._log.add(draft)
        for outer in self._steps[:-1]:
            _tell(outer, draft.changes)
            outer.written, outer.position, outer.moment = Spot(), len(self._log.drafts), sequence_nr()
        self._lent.settle()

    def _tell_so_far(self, step: _Step) -> None:
        """What the optimizer of ``step`` has done to values, before other code runs inside it."""
        if self._log.full:
            return
        draft = self._log.begin("update", step.written)
        with torch._C.DisableTorchFunction():
            for n, item in enumerate(step.before):
                self._tracks.written(Belonging(item.leaf, "value"))
                now = self._recorder.measure(item.tensor)
                if not same(item.value, now):
                    state = self._state(step.optimizer, item.tensor)
                    draft.add(LeafChange(item.leaf, item.value, now, state=_changes(item.state, state)))
                    step.inner.add(item.leaf)
                    step.parted.add(item.leaf)
                    step.before[n] = item._replace(value=now, state=state)
        if draft.changes:
            draft.moment = step.moment
            self._log.drafts.insert(step.position, draft)

    def _state(self, optimizer: Optimizer, parameter: Tensor) -> dict[str, TensorFacts]:
        """What the optimizer keeps of ``parameter``: tensors of any shape, and numbers."""
        entries = [
            (str(name), value if isinstance(value, Tensor) else _as_tensor(value))
            for name, value in optimizer.state.get(parameter, {}).items()
            if isinstance(value, Tensor | int | float) and not isinstance(value, bool)
        ]
        return {name: self._recorder.measure(value, gradient=True) for name, value in entries[:MOST_STATE]}


never_compiled(Steps._begins, Steps._ends)


def _changes(before: Mapping[str, TensorFacts], after: Mapping[str, TensorFacts]) -> tuple[StateChange, ...]:
    """What an optimizer keeps of a leaf, before and after."""
    return tuple(StateChange(name, before.get(name), facts) for name, facts in after.items())


def _runs_of(optimizer: Optimizer) -> int:
    """How many steps of ``optimizer`` are under way: that of a class may call the one that it extends."""
    count, frame = 0, sys._getframe(1)
    while (outer := frame.f_back) is not None:
        frame = outer
        if frame.f_code.co_name == "wrapper" and frame.f_globals.get("__name__") == _STEPPING:
            count += frame.f_locals.get("self") is optimizer
    return count


def _tell(outer: _Step, changes: Mapping[int, LeafChange]) -> None:
    """A step inside of ``outer`` has told ``changes``: what ``outer`` did by itself begins after them."""
    for n, item in enumerate(outer.before):
        change = changes.get(item.leaf)
        if change is not None and change.after is not None and same(change.before, item.value):
            outer.before[n] = item._replace(value=change.after)
            outer.inner.add(item.leaf)


def _as_tensor(value: float) -> Tensor:
    return torch.tensor(value, dtype=torch.int64 if isinstance(value, int) else torch.float64)
