"""What a program does to leaves between backward calls: zeroing, clipping, steps, updates, rebinding.

All of it is heard as calls of torch functions that change a tensor; steps are heard by :mod:`steps`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from types import FrameType
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.optim import Optimizer

from autograd_tour.record.facts import TensorFacts
from autograd_tour.record.run import RENORMING, EventKind, LeafChange
from autograd_tour.tracer.follow.entries import Emptied
from autograd_tour.tracer.follow.lent import LENDING, Lent, is_zero, same
from autograd_tour.tracer.follow.log import Log, Spot
from autograd_tour.tracer.follow.originals import Originals
from autograd_tour.tracer.follow.spots import is_clipping, spot_of
from autograd_tour.tracer.follow.steps import Steps
from autograd_tour.tracer.follow.tracks import Belonging, Tracks, grad_facts, tensors_among
from autograd_tour.tracer.listen.forward import ForwardRecord
from autograd_tour.tracer.listen.frames import user_frames
from autograd_tour.tracer.listen.names import assigned_names
from autograd_tour.tracer.listen.paths import is_leaf
from autograd_tour.tracer.measure import Recorder

__all__ = ["ProgramChanges"]

_ZEROING = "Optimizer.zero_grad#"
_EMPTYING = frozenset({"zero_", "_foreach_zero_"})


class Heard(NamedTuple):
    """A call that is about to change these leaves, and what they are before.

    ``call`` is the function that does so inside it, where the program calls another.
    """

    kind: EventKind | None
    before: list[tuple[Belonging, TensorFacts | None]]
    call: str = ""


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
        self.lent = Lent(tracks, log)
        self.steps = Steps(record, recorder, tracks, log, originals, self.lent)

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
        if "max_norm" in kwargs:  # of the numbers looked up, and the weight
            targets = tensors_among(args[1:2])
        else:  # torch.nn.init names its tensor
            targets = tensors_among([*args[:1], *map(kwargs.get, ("out", "tensor", "input"))])
        with torch._C.DisableTorchFunction():
            targets = [item for item in targets if item.grad_fn is None or not torch.is_grad_enabled()]
            if name == "requires_grad_" or not targets:
                return None
            for item in targets:
                self._confirm(item)
            kind: EventKind | None = "zeroing" if name in _EMPTYING else None
            if self.steps.own_work and kind is None:
                return self._inside_step(targets)
            self._originals.before_change(targets)
            for item in targets:
                leaf = self._originals.leaf_of(item)
                if leaf is not None:
                    self._tracks.add(leaf)  # from before it changes for the first time
            heard = self._about(kind, self._belongings(targets))
            return heard._replace(call=RENORMING) if heard is not None and "max_norm" in kwargs else heard

    def before_backward(self, computed: int | None) -> None:
        """A backward is about to run, of a loss that was there after ``computed`` nodes."""
        self.lent.catch_up(computed)
        self.steps.before_backward()

    def _belongings(self, targets: Iterable[Tensor]) -> list[Belonging]:
        return list(dict.fromkeys(part for item in targets for part in self._tracks.belongings(item)))

    def _inside_step(self, targets: list[Tensor]) -> Heard | None:
        """What an optimizer does to values is told when its step is done, what it does to ``.grad`` now."""
        belongings = self._belongings(targets)
        if any(item.part == "value" for item in belongings):
            self.steps.values_changed(spot_of(sys._getframe(2), self._record))
        grads = [item for item in belongings if item.part == "grad"]
        if grads:
            self._originals.before_change(targets)
        return self._about(None, grads)

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
            self._confirm(target)
            if attribute == "data":
                self._originals.before_change([target])
                belongings = self._tracks.belongings(target)
                if self.steps.own_work and any(item.part == "value" for item in belongings):
                    self.steps.values_changed(spot_of(sys._getframe(2), self._record))
                    return None
                return self._about(None, belongings)
            if not target.is_leaf:
                return None
            number = self._tracks.add(target) if target.requires_grad else self._tracks.find(target)
            kind: EventKind | None = "zeroing" if value is None else None
            return self._about(kind, [Belonging(number, "grad")] if number >= 0 else [])

    def before_swap(self, tensors: Iterable[Tensor]) -> Heard | None:
        """``tensors`` are about to get other contents; ``None`` if none of them is a leaf."""
        with torch._C.DisableTorchFunction():
            numbers = [number for tensor in tensors if (number := self._tracks.find(tensor)) >= 0]
            values = [Belonging(number, "value") for number in numbers]
            return self._about(None, [*values, *(Belonging(number, "grad") for number in numbers)])

    def _about(self, kind: EventKind | None, belongings: list[Belonging]) -> Heard | None:
        if not belongings:
            return None
        return Heard(kind, [(item, self._tracks.facts(item)) for item in belongings])

    def after(self, before: Heard, frame: FrameType) -> None:
        """The call has been made, in ``frame``."""
        spot = spot_of(frame, self._record)
        if before.call:
            spot = replace(spot, call=before.call)
        if not before.before:
            self._log.last("zeroing", spot)  # zero_grad() with nothing to empty
            return
        with torch._C.DisableTorchFunction():
            self._tracks.grads_moved()
            of_grad: EventKind = "clipping" if is_clipping(frame, self._record) else "gradient"
            for belonging, facts in before.before:
                kind = before.kind or ("update" if belonging.part == "value" else of_grad)
                if kind == "zeroing" and belonging.part == "value":
                    kind = "update"
                self._tracks.written(belonging)
                after = self._tracks.facts(belonging)
                if kind == "gradient" and is_zero(after) and not is_zero(facts):
                    kind = "zeroing"  # `w.grad = torch.zeros_like(w.grad)`, or times 0
                if kind == "zeroing" or not same(facts, after):
                    if belonging.part == "grad":
                        self.steps.grad_changed(belonging.leaf)
                    self._log.last(kind, spot).add(LeafChange(belonging.leaf, facts, after))
                elif kind == "clipping":
                    self._log.last(kind, spot)  # a norm below the limit
        self.lent.settle()

    def before_zeroing(self, owner: Emptied, frame: FrameType, *, in_hook: bool) -> Callable[[], None] | None:
        """``owner.zero_grad()`` has been called in ``frame``. What is given is to be called afterwards.

        ``in_hook``: by a hook of a backward, in which no other calls are heard.
        """
        if not in_hook:
            if not isinstance(owner, Optimizer):  # of that a call is heard
                self.lent.catch_up()
                self._log.last("zeroing", spot_of(frame, self._record))
            return None
        with torch._C.DisableTorchFunction():
            if isinstance(owner, Optimizer):
                parameters = [item for group in owner.param_groups for item in group["params"]]
            else:
                parameters = list(owner.parameters())
            numbers = [self._tracks.find(item) for item in parameters if item.grad is not None]
            before = self._about("zeroing", [Belonging(number, "grad") for number in numbers if number >= 0])
        return None if before is None else partial(self.after, before, frame)

    def draws(self, generator: Any) -> None:
        """A call is about to draw random numbers from ``generator``."""
        if isinstance(generator, torch.Generator):
            self._originals.before_draw(generator)

    def result(self, frame: FrameType, result: Any) -> None:
        """A call gave ``result``: maybe it is what the name of a leaf stands for from now on."""
        names = self._tracks.names
        if not names or self.steps.own_work or not isinstance(result, Tensor):
            return
        spot, user = self._record.sites.of_call(frame)
        if user is None:
            return
        for name in assigned_names(frame, self._record.stop, user)[:1]:
            number = names.get(name, -1)
            if number < 0:
                continue
            current: Any = user.f_locals.get(name, user.f_globals.get(name))
            with torch._C.DisableTorchFunction():
                if self._tracks.owner(current) != number:
                    continue
                if is_leaf(current) and current is not self._tracks[number].tensor:
                    self._tracks.rebind(number, current)
                if result is not self._tracks[number].tensor:
                    self._rebound(number, current, result, Spot(spot.spot, spot.frame))

    def replaced(self, before: Tensor, after: Tensor, frame: FrameType) -> None:
        """A module is about to have ``after`` where it had the parameter ``before``."""
        number = self._tracks.find(before)
        if number < 0 or not after.is_leaf or not after.requires_grad:
            return
        spot, owners = spot_of(frame, self._record), self._tracks.holding(before)
        if len(owners) > 1:  # which of them it is is seen where their names lead to
            for track in owners:
                track.moved_at = spot
            return
        with torch._C.DisableTorchFunction():
            self._rebound(number, before, after, spot)
        self._tracks.rebind(number, after)

    def _rebound(self, number: int, before: Tensor, after: Tensor, spot: Spot) -> None:
        facts = self._recorder.measure(after)
        self._tracks.succeed(number, after, facts)
        change = LeafChange(
            number, self._recorder.measure(before), facts, grad=grad_facts(after, self._recorder)
        )
        self._log.last("rebinding", spot).add(change)

    def _confirm(self, tensor: Tensor) -> None:
        """``tensor`` is about to be changed: maybe a name that was bound anew stands for it by now."""
        number = self._tracks.succeeding(tensor)
        if number < 0 or not is_leaf(tensor):
            return
        name, frames = self._tracks[number].name, user_frames(sys._getframe(1), self._record.stop)
        if any(frame.f_locals.get(name, frame.f_globals.get(name)) is tensor for frame in frames):
            self._tracks.rebind(number, tensor)
