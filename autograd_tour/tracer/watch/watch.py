"""Hears every torch function of a program, and every backward, beside the record of the same run."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType
from typing import Any

import torch
from torch import Tensor
from torch.compiler import is_dynamo_compiling
from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_pre_hook

from autograd_tour.tracer.compiled import never_compiled
from autograd_tour.tracer.engine.backward import OURS
from autograd_tour.tracer.follow.backward import BackwardCall
from autograd_tour.tracer.follow.entries import backward_replaced
from autograd_tour.tracer.follow.spots import spot_of
from autograd_tour.tracer.listen.arguments import flat, is_leaf
from autograd_tour.tracer.listen.calls import function_name
from autograd_tour.tracer.listen.forward import ForwardRecord, sequence_nr
from autograd_tour.tracer.spans import span_of
from autograd_tour.tracer.watch.batches import Windows
from autograd_tour.tracer.watch.customs import Customs
from autograd_tour.tracer.watch.growth import Growth
from autograd_tour.tracer.watch.heard import (
    ESCAPING,
    SILENT,
    Call,
    Escape,
    Root,
    beyond_modes,
    clips,
    empties_gradients,
    in_checkpoint,
    in_sample,
    in_step,
    is_computed,
    is_ours,
    set_replaced,
)
from autograd_tour.tracer.watch.hearing import HearingMode
from autograd_tour.tracer.watch.modes import DROPOUTS, Modes, tensors_of
from autograd_tour.tracer.watch.origins import Origin, Origins
from autograd_tour.tracer.watch.recomputed import Checkpoints
from autograd_tour.tracer.watch.replaced import Replacements
from autograd_tour.tracer.watch.saves import Look, look
from autograd_tour.tracer.watch.scalers import CLIPPING, Scalers
from autograd_tour.tracer.watch.steppers import Steppers
from autograd_tour.tracer.watch.writes import Mutation, Writes

__all__ = ["Watch"]

LOOKS = 12
"""Backward calls before which saved tensors are looked at."""


class Watch:
    """One program that is watched; ``record`` is that of the same run, whose lines are shared."""

    def __init__(self, record: ForwardRecord) -> None:
        self.record = record
        self.origins = Origins()
        self.escapes: list[Escape] = []
        self.writes = Writes()
        self.roots: list[Root] = []
        self.reads: list[tuple[int, int]] = []
        self.switched: list[tuple[int, int]] = []
        self.clipped_nothing: list[tuple[int, int]] = []
        self.steppers = Steppers()
        self.reached: dict[int, Tensor] = {}
        self.leaves: dict[int, Tensor] = {}
        self.freed: dict[int, int] = {}
        self.failed: Root | None = None
        self.outputs: list[Tensor] = []
        self.hooks: list[tuple[int, int]] = []
        self.growth = Growth(self.origins)
        self.windows = Windows()
        self.modes = Modes(self._spot, self._numbers)
        self.scalers = Scalers(self._spot, self._numbers)
        self.checkpoints = Checkpoints(self._computing_again)
        self.customs = Customs(self._spot, self.writes.applied)
        self.replacements = Replacements(self._spot)
        self._off = -1
        self._busy = False
        self._thread = threading.get_ident()

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Everything that runs inside is heard."""
        handle = register_optimizer_step_pre_hook(self._before_step)
        try:
            with ExitStack() as stack:
                stack.enter_context(backward_replaced(self._backward))
                stack.enter_context(self.modes.listening(lambda: len(self.roots)))
                stack.enter_context(self.scalers.listening())
                stack.enter_context(set_replaced(self._set_storage))
                stack.enter_context(self.customs.listening())
                stack.enter_context(self.checkpoints.reentrants.listening())
                stack.enter_context(self.replacements.listening())
                stack.enter_context(HearingMode(self.hear))
                yield
        finally:
            handle.remove()

    # ---- calls -----------------------------------------------------------------------------

    def hear(self, func: Any, args: Any, kwargs: Any, frame: FrameType) -> Any:
        """Make one call and note what came of it."""
        name = getattr(func, "__name__", "")
        if threading.get_ident() != self._thread or is_ours(frame):
            return func(*args, **kwargs)
        if self.origins.full or self._busy:
            return self._inside_backward(func, args, kwargs, frame)
        self._heed(name, args, kwargs, frame)
        with torch._C.DisableTorchFunction():
            given = [item for item in flat((args, kwargs)) if isinstance(item, Tensor)]
            parents = tuple(dict.fromkeys(self.origins.number(item) for item in given))
            for item in given:
                if item.requires_grad and id(item) not in self.leaves and is_leaf(item):
                    self.leaves[id(item)] = item
            before = [-1 if item.is_inference() else item._version for item in given]
        start = sequence_nr()
        result = func(*args, **kwargs)
        with torch._C.DisableTorchFunction():
            self._note(Call(func, name, given, parents, before, start, args, frame), result)
            self._checkpointed(self.checkpoints.around(), func, result, frame)
        return result

    def _heed(self, name: str, args: Any, kwargs: Any, frame: FrameType) -> None:
        """What a call says before it is made, whatever comes of it."""
        if name == "_set_grad_enabled" and args and not args[0]:
            self._off = self._spot(frame)
        elif name in DROPOUTS:
            self.modes.dropped(args, kwargs, frame)
        elif empties_gradients(name, args, self.leaves.values()):
            self.windows.empty()
        elif name in CLIPPING and self.scalers.waiting and clips(frame):
            self.scalers.clipped(frame)

    def _inside_backward(self, func: Any, args: Any, kwargs: Any, frame: FrameType) -> Any:
        """A call that is no part of the program's own forward: maybe a checkpoint computes again."""
        around = [item for item in self.checkpoints.around() if item[1]] if self._busy else []
        result: Any = ()
        try:
            result = func(*args, **kwargs)
        finally:  # a checkpoint ends its second run inside of a call
            if around:
                with torch._C.DisableTorchFunction():
                    self._checkpointed(around, func, result, frame)
        return result

    def _checkpointed(self, around: list[tuple[Any, bool]], func: Any, result: Any, frame: FrameType) -> None:
        if around and getattr(func, "__name__", "") not in ("__get__", "__set__"):
            spot, results = self._spot(frame), list(flat(result))
            for item in around:
                self.checkpoints.note(item, function_name(func), spot, results)

    def _note(self, call: Call, result: Any) -> None:
        function, frame, parents = function_name(call.func), call.frame, call.parents
        if call.name == "__set__":
            self._set(call.func.__self__.__name__, call.args, frame)
            return
        if call.name == "__get__" and function in SILENT:
            if function == "grad" and result is None and self.roots and is_computed(call.args[0]):
                self.reads.append((self.origins.number(call.args[0]), self._spot(frame)))
            return
        changed = call.changed()
        if changed:
            self._mutated(function, changed, call.start, frame)
        results = [item for item in flat(result) if isinstance(item, Tensor)]
        if call.name == "register_hook":
            self.hooks.append((parents[0], self._spot(frame)))
        if not results and not changed:
            if function in ESCAPING and parents:
                self._escaped(function, call.given[0], parents[0], frame)
            return
        live = any(self.origins.items[parent].live for parent in parents)
        if not live and not any(item.requires_grad for item in results):
            self._add_plain(call, function, results)
        elif call.name == "requires_grad_":
            self._switch(call.args[0], frame)
        else:
            self.growth.weigh(call.given, self._spot(frame), len(self.roots))
            for item in results or changed:
                origin = self._origin(function, parents, item, live, call.start, frame)
                origin.writes = any(item is other for other in changed)
                self.origins.add(item, origin)

    def _add_plain(self, call: Call, function: str, results: list[Tensor]) -> None:
        """Note results that nothing with a gradient went into; one made of no tensor may hold a number."""
        if call.parents or not results:
            spot = self._spot(call.frame) if results else -1
            for item in results:
                self.origins.add(item, Origin(function, spot, call.parents, False, False))
            return
        if function == "tensor" and clips(call.frame):  # its norm of no gradient at all
            self.clipped_nothing.append((self._spot(call.frame), len(self.roots)))
        self.origins.add(results[0], self._origin(function, (), results[0], False, call.start, call.frame))

    def _origin(
        self, function: str, parents: tuple[int, ...], item: Tensor, live: bool, start: int, frame: FrameType
    ) -> Origin:
        grads = torch.is_grad_enabled()
        site, _ = self.record.sites.of_call(beyond_modes(frame))
        return Origin(
            function,
            site.spot,
            parents,
            item.requires_grad,
            live or item.requires_grad,
            grads,
            torch.is_inference_mode_enabled(),
            not grads and in_checkpoint(frame),
            not grads and in_sample(frame),
            item.is_floating_point() or item.is_complex(),
            -1 if grads else self._off,
            start,
            sequence_nr(),
            len(self.roots),
            site.direct,
        )

    def _set(self, attribute: str, args: Any, frame: FrameType) -> None:
        if attribute == "requires_grad" and len(args) > 1 and args[1]:
            self._switch(args[0], frame)
        elif attribute == "data":
            self._mutated("data", [args[0]], sequence_nr(), frame)
        elif attribute == "grad" and len(args) > 1 and args[1] is None:
            self.windows.empty()

    def _set_storage(self, tensor: Tensor, frame: FrameType) -> None:
        if not self._busy and threading.get_ident() == self._thread:
            with torch._C.DisableTorchFunction():
                self._mutated("set_", [tensor], sequence_nr(), frame)

    def _switch(self, tensor: Tensor, frame: FrameType) -> None:
        """``requires_grad`` was set: on a tensor that was computed from what needs a gradient?"""
        if not self.origins.known(tensor) or not tensor.is_leaf:
            return
        number = self.origins.number(tensor)
        origin = self.origins.items[number]
        if origin.function and not origin.needs and not origin.live:
            self.origins.add(tensor, Origin("", -1, (), True, True))
        elif origin.function and not origin.needs:
            self.switched.append((number, self._spot(frame)))

    def _mutated(self, function: str, changed: list[Tensor], moment: int, frame: FrameType) -> None:
        spot = spot_of(frame, self.record)
        call = spot.call if ".step" in spot.call else function
        for item in changed:
            self.writes.mutated(Mutation(call, spot.number, span_of(item), moment, function != "set_"))

    def _escaped(self, function: str, tensor: Tensor, parent: int, frame: FrameType) -> None:
        spot = self._spot(frame)
        if function in ("numpy", "array"):
            self.writes.lent(tensor, spot, sequence_nr())
        if self.origins.items[parent].live:
            self.escapes.append(Escape(function, spot, parent, len(self.origins.items)))

    def _numbers(self, value: Any) -> tuple[int, ...]:
        with torch._C.DisableTorchFunction():
            return tuple(self.origins.number(item) for item in tensors_of(value))

    def _spot(self, frame: FrameType) -> int:
        return self.record.sites.of_call(frame)[0].spot

    # ---- backward and steps ----------------------------------------------------------------

    def _backward(self, backward: BackwardCall, frame: FrameType) -> Any:
        if self._busy or OURS.running or threading.get_ident() != self._thread:
            return backward.call()
        self._busy = True
        handles: list[Any] = []
        try:
            with torch._C.DisableTorchFunction():
                root = self.begin(backward.outputs, self._spot(frame), deposits=backward.inputs is None)
                if backward.inputs is None:
                    handles = self._listen_to_means(root)
            self.failed = root
            backward.run()
            self.succeeded()
            self._note_deposits()
            if root.look is not None and not backward.retains_graph:
                self.freed |= dict.fromkeys(root.look.numbers, len(self.roots) - 1)
        finally:
            self._busy = False
            for handle in handles:
                handle.remove()
        return backward.result

    @contextmanager
    def _computing_again(self) -> Iterator[None]:
        """A checkpoint computes again, in a backward, where torch has put our mode aside."""
        before, self._busy = self._busy, True
        try:
            with HearingMode(self.hear):
                yield
        finally:
            self._busy = before

    def begin(self, outputs: list[Any], spot: int, *, deposits: bool = True) -> Root:
        """A backward is about to begin with ``outputs``: look at the graph behind them."""
        tensors = [item for item in outputs if isinstance(item, Tensor)]
        numbers = [self.origins.number(item) for item in tensors]
        computed = max((self.origins.items[number].backwards for number in numbers), default=0)
        seen: Look | None = None
        sound = [item for item in tensors if item.requires_grad]
        if sound and len(self.roots) < LOOKS:
            seen = look(sound, self.writes)
            self.reached |= {id(leaf): leaf for leaf in seen.leaves}
        self.outputs = sound
        root = Root(numbers[0] if numbers else -1, spot, seen, computed, deposits)
        self.scalers.backward(len(self.roots), lambda: self.origins.ancestors(numbers))
        self.roots.append(root)
        return root

    def _listen_to_means(self, root: Root) -> list[Any]:
        leaves = root.look.leaves if root.look is not None else list(self.leaves.values())
        if all(leaf.grad is None for leaf in leaves if leaf.is_leaf):
            self.windows.empty()  # nothing that it could be added to
        return self.windows.listen(self.outputs, len(self.roots) - 1)

    def _note_deposits(self) -> None:
        """Leaves that have a gradient now: also those that a reentrant checkpoint reaches."""
        with torch._C.DisableTorchFunction():
            candidates = [*self.leaves.values(), *(leaf for _, leaf in self.record.modules.parameters())]
            self.reached |= {id(leaf): leaf for leaf in candidates if leaf.is_leaf and leaf.grad is not None}

    def succeeded(self) -> None:
        """The backward that began last has ended well."""
        self.failed = None
        self.outputs = []

    def _before_step(self, optimizer: Optimizer, _args: Any, _kwargs: Any) -> None:
        if is_dynamo_compiling() or threading.get_ident() != self._thread:
            return
        self.windows.step()
        frame = sys._getframe(1)
        self.scalers.optimizer_steps(frame)
        if not in_step(frame):  # two of which one steps inside the other are one
            self.steppers.note(optimizer, lambda: self._spot(frame))


never_compiled(Watch._before_step, Watch.hear)
