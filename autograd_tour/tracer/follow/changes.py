"""What a program does to leaves between backward calls: zeroing, clipping, steps, updates, rebinding.

All of it is heard as calls of torch functions that change a tensor, and from the hooks that every optimizer
runs around its step.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from types import FrameType
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.optim import Optimizer

from autograd_tour.record.facts import Number, TensorFacts
from autograd_tour.record.run import EventKind, LeafChange, StateChange
from autograd_tour.tracer.follow.lent import LENDING, Lent, same
from autograd_tour.tracer.follow.log import Draft, Log, Spot
from autograd_tour.tracer.follow.originals import Originals
from autograd_tour.tracer.follow.tracks import Belonging, Tracks, grad_facts, tensors_among
from autograd_tour.tracer.listen.forward import ForwardRecord
from autograd_tour.tracer.listen.names import assigned_names
from autograd_tour.tracer.measure import Recorder

__all__ = ["ProgramChanges", "spot_of"]

_WRAPPERS = frozenset(
    {"wrapper", "_no_grad_wrapper", "decorate_context", "_use_grad", "inner", "_fn", "wrapped"}
)
_ALIASES = {"_clip_grads_with_norm_": "clip_grads_with_norm_"}
"""Public names of torch's functions that are defined under private ones."""

_ZEROING = "Optimizer.zero_grad#"
_EMPTYING = frozenset({"zero_", "_foreach_zero_"})
_SETTINGS = ("lr", "momentum", "weight_decay", "betas", "alpha", "eps", "nesterov", "maximize")
MOST_STATE = 4
"""What an optimizer remembers of a leaf that is written down: as many entries."""


class Heard(NamedTuple):
    """A call that is about to change these leaves, and what they are before."""

    kind: EventKind | None
    before: list[tuple[Belonging, TensorFacts | None]]


class Parameter(NamedTuple):
    """One leaf before a step, with what the optimizer remembers of it."""

    leaf: int
    tensor: Tensor
    value: TensorFacts
    grad: TensorFacts | None
    state: dict[str, TensorFacts]


class Stepping(NamedTuple):
    """A step that is about to be made, and the leaves before it."""

    optimizer: Optimizer
    draft: Draft
    before: list[Parameter]


class ProgramChanges:
    """Hears them and writes them to the log; what they change of before is noted in ``originals`` first."""

    def __init__(
        self, record: ForwardRecord, recorder: Recorder, tracks: Tracks, log: Log, originals: Originals
    ) -> None:
        self._record = record
        self._recorder = recorder
        self._tracks = tracks
        self._log = log
        self._originals = originals
        self._steps: list[Stepping | Optimizer] = []
        self._used_inside: dict[int, TensorFacts] = {}
        self.lent = Lent(tracks, log)

    # ---- calls that change tensors ---------------------------------------------------------

    def before(self, name: str, func: Any, args: Any, kwargs: Any) -> Heard | None:
        """A call that may change its arguments is about to be made; ``None`` if it concerns no leaf."""
        if name == "_record_function_enter_new":
            zeroing = isinstance(args[0], str) and args[0].startswith(_ZEROING)
            return Heard("zeroing", []) if zeroing else None
        if name in LENDING:
            self._before_lending(args)
            return None
        self.lent.catch_up()
        if name in ("__set__", "__delete__"):
            return self._before_setting(func.__self__.__name__, args)
        named = [kwargs.get(key) for key in ("out", "tensor", "input")]  # torch.nn.init names its tensor
        targets = tensors_among([*args[:1], *named])
        with torch._C.DisableTorchFunction():
            targets = [item for item in targets if item.grad_fn is None or not torch.is_grad_enabled()]
            if name == "requires_grad_" or not targets:
                return None
            kind: EventKind | None = "zeroing" if name in _EMPTYING else None
            if self._steps and kind is None:
                return None  # the optimizer's own affair, told when its step is done
            self._originals.before_change(targets)
            for item in targets:
                leaf = self._originals.leaf_of(item)
                if leaf is not None:
                    self._tracks.add(leaf)  # from before it changes for the first time
            return self._about(kind, [self._tracks.belonging(item) for item in targets])

    def _before_lending(self, args: Any) -> None:
        tensor = args[0] if args else None
        if isinstance(tensor, Tensor):
            with torch._C.DisableTorchFunction():
                self._originals.before_change([tensor])
                leaf = self._originals.leaf_of(tensor)
                if leaf is not None:
                    self._tracks.add(leaf)
                self.lent.lend(tensor, spot_of(sys._getframe(3), self._record))

    def _before_setting(self, attribute: str, args: Any) -> Heard | None:
        target, value = args[0], args[1] if len(args) > 1 else None
        if attribute not in ("grad", "data") or not isinstance(target, Tensor):
            return None
        if attribute == "grad" and value is not None and value is target.grad:
            return None  # the end of `p.grad /= 2`, which was heard already
        with torch._C.DisableTorchFunction():
            if attribute == "data":
                self._originals.before_change([target])
                number = self._tracks.find(target)
                return self._about(None, [Belonging(number, "value") if number >= 0 else None])
            if not target.is_leaf:
                return None
            number = self._tracks.add(target) if target.requires_grad else -1
            kind: EventKind | None = "zeroing" if value is None else None
            return self._about(kind, [Belonging(number, "grad") if number >= 0 else None])

    def before_swap(self, tensors: Iterable[Tensor]) -> Heard | None:
        """``tensors`` are about to get other contents; ``None`` if none of them is a leaf."""
        with torch._C.DisableTorchFunction():
            numbers = [self._tracks.find(tensor) for tensor in tensors]
            return self._about(None, [Belonging(number, "value") for number in numbers if number >= 0])

    def _about(self, kind: EventKind | None, belongings: list[Belonging | None]) -> Heard | None:
        concerned = [item for item in belongings if item is not None]
        if not concerned:
            return None
        return Heard(kind, [(item, self._tracks.facts(item)) for item in concerned])

    def after(self, before: Heard, frame: FrameType) -> None:
        """The call has been made, in ``frame``."""
        spot = spot_of(frame, self._record)
        if not before.before:
            self._log.last("zeroing", spot)  # zero_grad() with nothing to empty
            return
        with torch._C.DisableTorchFunction():
            self._tracks.grads_moved()
            for belonging, facts in before.before:
                kind = before.kind or _kind(belonging, spot)
                if kind == "zeroing" and belonging.part == "value":
                    kind = "update"
                self._tracks.written(belonging)
                after = self._tracks.facts(belonging)
                if kind == "zeroing" or not same(facts, after):
                    self._log.last(kind, spot).add(LeafChange(belonging.leaf, facts, after))
                elif kind == "clipping":
                    self._log.last(kind, spot)  # a norm below the limit
        self.lent.settle()

    def draws(self, generator: Any) -> None:
        """A call is about to draw random numbers from ``generator``."""
        if isinstance(generator, torch.Generator):
            self._originals.before_draw(generator)

    def result(self, frame: FrameType, result: Any) -> None:
        """A call gave ``result``: maybe it is what the name of a leaf stands for from now on."""
        names = self._tracks.names
        if not names or self._steps or not isinstance(result, Tensor):
            return
        spot, user = self._record.sites.of_call(frame)
        if user is None:
            return
        for name in assigned_names(frame, self._record.stop, user)[:1]:
            number = names.get(name, -1)
            if number < 0:
                continue
            track = self._tracks[number]
            if (
                result is track.tensor
                or user.f_locals.get(name, user.f_globals.get(name)) is not track.tensor
            ):
                continue
            self._rebound(number, result, Spot(spot.spot, spot.frame))

    def replaced(self, before: Tensor, after: Tensor, frame: FrameType) -> None:
        """A module is about to have ``after`` where it had the parameter ``before``."""
        number = self._tracks.find(before)
        if number >= 0 and after.is_leaf and after.requires_grad:
            self._rebound(number, after, spot_of(frame, self._record))
            self._tracks.rebind(number, after)

    def _rebound(self, number: int, successor: Tensor, spot: Spot) -> None:
        with torch._C.DisableTorchFunction():
            track = self._tracks[number]
            track.successor = id(successor)
            before, after = self._recorder.measure(track.tensor), self._recorder.measure(successor)
            self._log.last("rebinding", spot).add(LeafChange(number, before, after))

    # ---- optimizers ------------------------------------------------------------------------

    def before_step(self, optimizer: Optimizer, *, in_full: bool) -> None:
        """``optimizer.step()`` is about to change its parameters."""
        self._originals.before_step(optimizer)
        call = f"{type(optimizer).__name__}.step"
        if not in_full:
            self._steps.append(optimizer)
            self._log.inside.append(call)
            return
        self.lent.catch_up()
        spot = spot_of(sys._getframe(1), self._record)
        draft = self._log.begin("step", Spot(spot.number, spot.frame, call))
        self._log.inside.append(call)
        with torch._C.DisableTorchFunction():
            before: list[Parameter] = []
            for parameter in (item for group in optimizer.param_groups for item in group["params"]):
                number = self._tracks.add(parameter)
                if number >= 0:
                    value, grad = self._recorder.measure(parameter), grad_facts(parameter, self._recorder)
                    before.append(
                        Parameter(number, parameter, value, grad, self._state(optimizer, parameter))
                    )
            self._steps.append(Stepping(optimizer, draft, before))

    def used_inside(self) -> dict[int, TensorFacts]:
        """The ``.grad`` that steps in hooks of the last backward used, by leaf."""
        used, self._used_inside = self._used_inside, {}
        return used

    def after_step(self, optimizer: Optimizer) -> None:
        """It has been made."""
        while self._steps:
            step = self._steps.pop()
            self._log.inside.pop()
            if step is optimizer:
                return
            if isinstance(step, Stepping) and step.optimizer is optimizer:
                with torch._C.DisableTorchFunction():
                    self._finish(step)
                return

    def _finish(self, step: Stepping) -> None:
        if step.draft.inside == "backward":
            self._used_inside |= {item.leaf: item.grad for item in step.before if item.grad is not None}
        closed = step.draft.backward_call == self._log.backward_calls
        step.draft.backward_call = self._log.backward_calls  # a closure may have called some
        for number, parameter, value, grad, state in step.before:
            self._tracks.written(Belonging(number, "value"))
            after = self._recorder.measure(parameter)
            now = self._state(step.optimizer, parameter)
            if after == value and grad is None:
                continue
            entries = tuple(StateChange(name, state.get(name), facts) for name, facts in now.items())
            step.draft.add(LeafChange(number, value, after, grad=grad if closed else None, state=entries))
        step.draft.settings = _settings(step.optimizer)
        self._log.add(step.draft)
        self.lent.settle()

    def _state(self, optimizer: Optimizer, parameter: Tensor) -> dict[str, TensorFacts]:
        """What the optimizer keeps of ``parameter``: tensors of any shape, and numbers."""
        entries = [
            (str(name), value if isinstance(value, Tensor) else _as_tensor(value))
            for name, value in optimizer.state.get(parameter, {}).items()
            if isinstance(value, Tensor | int | float) and not isinstance(value, bool)
        ]
        return {name: self._recorder.measure(value, gradient=True) for name, value in entries[:MOST_STATE]}


def spot_of(frame: FrameType | None, record: ForwardRecord) -> Spot:
    """Where the program stands, and the function its line called, which is not the program's."""
    if frame is None:
        return Spot()
    site, user = record.sites.of_call(frame)
    call = ""
    while frame is not None and frame is not user:
        code = frame.f_code
        if code.co_name not in _WRAPPERS and not code.co_name.startswith("<"):
            owner = frame.f_locals.get("self") if code.co_varnames[:1] == ("self",) else None
            call = code.co_name if owner is None else f"{type(owner).__name__}.{code.co_name}"
        frame = frame.f_back
    call = _ALIASES.get(call, call)
    return Spot(site.spot, site.frame, "" if call.startswith("_") else call)


def _kind(belonging: Belonging, spot: Spot) -> EventKind:
    if belonging.part == "value":
        return "update"
    return "clipping" if spot.call.startswith("clip_grad") else "gradient"


def _as_tensor(value: float) -> Tensor:
    return torch.tensor(value, dtype=torch.int64 if isinstance(value, int) else torch.float64)


def _settings(optimizer: Optimizer) -> tuple[tuple[str, Number], ...]:
    """Its settings as far as they are numbers; where groups of parameters differ, that of each group."""
    by_group = [dict(_numbers(group)) for group in optimizer.param_groups]
    settings: list[tuple[str, Number]] = []
    for name in dict.fromkeys(name for numbers in by_group for name in numbers):
        values = [numbers.get(name) for numbers in by_group]
        if all(value == values[0] for value in values):
            settings.append((name, values[0] or 0))
        else:
            settings += [
                (f"{name} of group {n}", value) for n, value in enumerate(values, 1) if value is not None
            ]
    return tuple(settings)


def _numbers(group: dict[str, Any]) -> Iterator[tuple[str, Number]]:
    for name in _SETTINGS:
        value = group.get(name)
        if isinstance(value, Tensor) and value.numel() == 1:
            value = value.item()
        if isinstance(value, tuple):
            numbers = enumerate(value)  # Adafactor's first eps is None
            yield from ((f"{name}[{n}]", float(item)) for n, item in numbers if item is not None)
        elif isinstance(value, bool):
            if value:
                yield name, value
        elif isinstance(value, int | float) and (value or name == "lr"):
            yield name, value
