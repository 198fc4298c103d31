"""Runs a program and hears its own training: backward calls, and through :mod:`changes` all around them.

The functions ``Tensor.backward`` and ``torch.autograd.backward`` are replaced while it runs. A mode hears
them too, but a mode costs time at every call of a torch function, and cannot be taken away from inside one
that it heard: a loop of thousands of epochs must run as fast as ever between those that are told in full.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator, Set
from contextlib import contextmanager
from functools import wraps
from types import FrameType
from typing import Any

import torch
from torch import Tensor
from torch.compiler import is_dynamo_compiling
from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

from autograd_tour.record.facts import TensorFacts
from autograd_tour.record.run import LeafChange
from autograd_tour.tracer.assemble.walk import Skeleton
from autograd_tour.tracer.engine.backward import OURS
from autograd_tour.tracer.follow.backward import BackwardCall, Deposits, Graphs
from autograd_tour.tracer.follow.changes import ProgramChanges, spot_of
from autograd_tour.tracer.follow.curves import Courses
from autograd_tour.tracer.follow.log import Log, Spot
from autograd_tour.tracer.follow.originals import Originals
from autograd_tour.tracer.follow.tracks import Tracks
from autograd_tour.tracer.listen.forward import ForwardRecord
from autograd_tour.tracer.listen.listener import Listening
from autograd_tour.tracer.listen.run import run_program
from autograd_tour.tracer.measure import Recorder
from autograd_tour.tracer.recording import Request
from autograd_tour.tracer.surroundings import Buffers

__all__ = ["FIRST", "Follower"]

_POWERS = frozenset(10**k for k in range(1, 19))

FIRST = 8
"""So many backward calls are followed in full, and then each whose number is a power of ten."""


class Follower:
    """One program that is followed. ``first`` backward calls are told in full.

    ``graphs``: theirs are recorded. ``forward`` measures what is heard of forward passes, if that is not to
    be in the record.
    """

    def __init__(
        self,
        request: Request,
        buffers: Buffers,
        originals: Originals,
        *,
        first: int = FIRST,
        graphs: bool = True,
        forward: Recorder | None = None,
    ) -> None:
        self.request = request
        self.record = ForwardRecord(forward or request.recorder, run_program.__code__)
        self.originals = originals
        self.first = first
        self.log = Log()
        self.tracks = Tracks(request.recorder)
        self.graphs = Graphs(request, self.record, wanted=graphs)
        self.courses = Courses()
        changes = ProgramChanges(self.record, request.recorder, self.tracks, self.log, originals)
        self.changes = changes
        self.listening = Listening(self.record, buffers, changes)
        self._computed: set[int] = set()
        self._busy = False
        self._telling = False
        self._thread = threading.get_ident()

    @property
    def trains(self) -> bool:
        """Whether the program has called backward."""
        return self.log.backward_calls > 0

    def run(self) -> Any:
        """What the program returns.

        Raises:
            ProgramError: it raised.
        """
        with self._replaced():
            self.listening.start()
            try:
                return run_program(self.request.program, self.request.args)
            finally:
                self.listening.stop()

    @contextmanager
    def _replaced(self) -> Iterator[None]:
        method, function = Tensor.backward, torch.autograd.backward

        @wraps(method)
        def of_tensor(
            tensor: Tensor,
            gradient: Any = None,
            retain_graph: bool | None = None,
            create_graph: bool = False,
            inputs: Any = None,
        ) -> None:
            def call() -> None:
                method(tensor, gradient, retain_graph, create_graph, inputs)  # type: ignore[no-untyped-call]

            self._backward(tensor, gradient, bool(retain_graph), create_graph, call)

        @wraps(function)
        def of_tensors(
            tensors: Any,
            grad_tensors: Any = None,
            retain_graph: bool | None = None,
            create_graph: bool = False,
            grad_variables: Any = None,
            inputs: Any = None,
        ) -> None:
            if self._busy:  # a method of a tensor calls this function
                function(tensors, grad_tensors, retain_graph, create_graph, grad_variables, inputs)
                return

            def call() -> None:
                function(tensors, grad_tensors, retain_graph, create_graph, grad_variables, inputs)

            self._backward(tensors, grad_tensors, bool(retain_graph), create_graph, call)

        handles = [
            register_optimizer_step_pre_hook(self._before_step),
            register_optimizer_step_post_hook(self._after_step),
        ]
        Tensor.backward, torch.autograd.backward = of_tensor, of_tensors  # type: ignore[method-assign]
        try:
            yield
        finally:
            Tensor.backward, torch.autograd.backward = method, function  # type: ignore[method-assign]
            for handle in handles:
                handle.remove()

    def _before_step(self, optimizer: Optimizer, _args: Any, _kwargs: Any) -> None:
        if threading.get_ident() == self._thread:
            self.changes.before_step(optimizer, in_full=self.listening.active or self._telling)

    def _after_step(self, optimizer: Optimizer, _args: Any, _kwargs: Any) -> None:
        if threading.get_ident() == self._thread:
            self.changes.after_step(optimizer)

    # ---- backward --------------------------------------------------------------------------

    def _backward(
        self, outputs: Any, gradients: Any, retained: bool, creates_graph: bool, call: Callable[[], None]
    ) -> None:
        # One that makes a graph is a part of the forward pass of what is computed from .grad.
        if (
            creates_graph
            or self._busy
            or OURS.running
            or threading.get_ident() != self._thread
            or is_dynamo_compiling()
        ):
            call()
            return
        backward = BackwardCall(outputs, gradients, call)
        if not backward.sound:
            call()  # torch says what is wrong with it
            return
        self._busy = True
        try:
            self._followed(backward, retained, sys._getframe(2))
        finally:
            self._busy = False

    def _followed(self, backward: BackwardCall, retained: bool, frame: FrameType) -> None:
        self.log.backward_calls += 1
        number = self.log.backward_calls
        heard = self.listening.active
        if heard:
            self.listening.pause()
        self.originals.before_backward()
        try:
            if heard and self._in_full(number):
                self._in_detail(backward, retained, spot_of(frame, self.record))
            else:
                backward.call()
        except BaseException:
            self.log.backward_calls -= 1  # the program may go on without it
            if heard:
                self.listening.start()
            raise
        with torch._C.DisableTorchFunction():
            spot = self.record.sites.number(frame)
            self.courses.add(spot, number, backward.loss, self.tracks.items)
        # What follows up to the next backward belongs to this one or to the next.
        if (self._in_full(number) or self._in_full(number + 1)) and not self.log.full:
            self.listening.start()

    def _in_full(self, number: int) -> bool:
        return number <= self.first or number in _POWERS

    def _in_detail(self, backward: BackwardCall, retained: bool, spot: Spot) -> None:
        with torch._C.DisableTorchFunction():
            skeleton = backward.walked()
            try:
                inner = self._meet_leaves(skeleton)
                # Not all that changes them can be heard: numpy writes into their memory.
                self.originals.before_change(track.tensor for track in self.tracks.items)
                only = backward.loss
                loss = None if only is None else self.request.recorder.measure(only.detach())
                forward = self.log.begin("forward", self._maker(backward))
                deposits = Deposits(skeleton, self.tracks, self.request.recorder)
            except BaseException:
                skeleton.release()
                raise
        event = self.log.begin("backward", spot)
        computed = skeleton.fns[skeleton.roots[0]]._sequence_nr() + 1
        self.log.inside.append("backward")
        self._telling = True  # an optimizer may step in a hook
        try:
            graph = self.graphs.run(backward, spot.number, skeleton, inner)
        finally:
            self._telling = False
            self.log.inside.pop()
            deposits.close()
            skeleton.release()
        with torch._C.DisableTorchFunction():
            for change in deposits.changes():
                event.add(change)
        self.tracks.grads_moved()
        if computed not in self._computed:  # a graph that was kept has been told
            self._computed.add(computed)
            self.log.insert(forward, computed)
        forward.loss = event.loss = loss
        forward.graph = event.graph = graph
        event.retained = retained
        self.log.add(event)

    def _maker(self, backward: BackwardCall) -> Spot:
        """The place where the loss was computed."""
        producer = self.record.producer(backward.outputs[0])
        return Spot() if producer is None else Spot(producer[0].site.spot, producer[0].site.frame)

    def _meet_leaves(self, skeleton: Skeleton) -> list[Tensor]:
        """Follow the leaves of a graph; gives those that a custom Function may reach besides."""
        leaves = skeleton.leaves()
        inner: list[Tensor] = []
        if any(hasattr(fn, "_forward_cls") for fn in skeleton.fns):
            inner = [leaf for _, leaf in self.record.modules.parameters() if leaf.requires_grad]
        strangers = [leaf for leaf in [*leaves, *inner] if self.tracks.find(leaf) < 0]
        nameless = [track.tensor for track in self.tracks.items if not track.name]
        names = self.request.leaf_names([*strangers, *nameless], self.record)
        for leaf in nameless:
            self.tracks.call(self.tracks.find(leaf), names[id(leaf)])
        present = {id(leaf) for leaf in leaves}
        for leaf in strangers:
            self._meet(leaf, names[id(leaf)], present)
        return inner

    def _meet(self, leaf: Tensor, name: str, present: Set[int]) -> None:
        """A new leaf. Where another of that name is not ``present`` any more, the name was bound anew."""
        number = self.tracks.names.get(name, -1)
        if number < 0 or id(self.tracks[number].tensor) in present:
            self.tracks.call(self.tracks.add(leaf), name)
            return
        track = self.tracks[number]
        if track.successor != id(leaf):
            birth = self.record.birth(leaf)
            before: TensorFacts = self.request.recorder.measure(track.tensor)
            draft = self.log.begin("rebinding", Spot(birth.spot, birth.frame))
            draft.add(LeafChange(number, before, self.request.recorder.measure(leaf)))
            self.log.add(draft)
        self.tracks.rebind(number, leaf)
