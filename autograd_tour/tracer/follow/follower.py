"""Runs a program and hears its own training: backward calls, and through :mod:`changes` all around them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any

import torch
from torch import Tensor
from torch.compiler import is_dynamo_compiling
from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

from autograd_tour.tracer.assemble.walk import number_of_node
from autograd_tour.tracer.compiled import is_compiling, never_compiled
from autograd_tour.tracer.engine.backward import OURS
from autograd_tour.tracer.follow.backward import BackwardCall, Deposits, Graphs, loss_of, walk_from
from autograd_tour.tracer.follow.bindings import Bindings
from autograd_tour.tracer.follow.changes import ProgramChanges
from autograd_tour.tracer.follow.curves import Courses
from autograd_tour.tracer.follow.entries import (
    Attention,
    Emptied,
    backward_replaced,
    swap_replaced,
    zeroing_replaced,
)
from autograd_tour.tracer.follow.log import Log, Spot
from autograd_tour.tracer.follow.met import looked_up, met_leaves
from autograd_tour.tracer.follow.originals import Originals
from autograd_tour.tracer.follow.returned import grads_of_leaves, maker_of, returned_gradients
from autograd_tour.tracer.follow.spots import spot_of
from autograd_tour.tracer.follow.tracks import Tracks
from autograd_tour.tracer.listen.forward import ForwardRecord, sequence_nr
from autograd_tour.tracer.listen.frames import user_frames
from autograd_tour.tracer.listen.listener import Listening
from autograd_tour.tracer.listen.registrations import registrations_heard
from autograd_tour.tracer.listen.run import run_program, tensors_in
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
        self.originals, originals.kept_elsewhere = originals, buffers.has
        self.first = first
        self.log = Log()
        self.tracks = Tracks(request.recorder)
        self.graphs = Graphs(request, self.record, wanted=graphs)
        self.bindings = Bindings(self.tracks, self.log, request.recorder, self.record)
        self.courses = Courses()
        changes = ProgramChanges(self.record, request.recorder, self.tracks, self.log, originals)
        self.changes = changes
        self.listening = Listening(self.record, buffers, changes)
        self._computed: set[int] = set()
        self._spent: set[int] = set()
        self._deposited = False
        self._brief_before = 0
        """While there were fewer backward calls, the next one and what follows it is not told."""
        self._written = 0.0
        self._frame: FrameType | None = None  # where backward was called last
        self._busy = False
        self._telling = False
        self._thread = threading.get_ident()
        self.elsewhere = False
        """Whether another thread called backward, beside those that this one runs."""

    @property
    def certain(self) -> bool:
        """Whether it is sure that the program trains: gradients were deposited, or values changed by them."""
        return self._deposited or self.log.trained

    def trains(self, result: Any) -> bool:
        """Whether the program, which returned ``result``, has run the backward of its loss itself.

        One that only asked for gradients with ``create_graph=True`` or ``torch.autograd.grad``, and returned
        a loss that can be followed, used them to compute it.
        """
        if self.certain or not self.log.backward_calls:
            return self.certain
        losses = [tensor for tensor, _ in tensors_in(result) if tensor.requires_grad]
        return not losses or any(number_of_node(loss) in self._spent for loss in losses)

    def forget_backwards(self) -> None:
        """What was recorded of them is not wanted: they are parts of the loss that the program returned."""
        self.record.sites.spots.forget_lines()
        self.record.modules.forget_expected(self.record.leaves)
        self.request.recorder.give_back(self._written)

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
                frame, self._frame, in_full = self._frame, None, self.listening.active
                if in_full:
                    self.changes.lent.catch_up()
                self.listening.stop()
                if frame is not None:
                    with torch._C.DisableTorchFunction():
                        self.bindings.at_end(frame, in_full=in_full)

    @contextmanager
    def _replaced(self) -> Iterator[None]:
        handles = [
            register_optimizer_step_pre_hook(self._before_step),
            register_optimizer_step_post_hook(self._after_step),
        ]
        try:
            with (
                backward_replaced(self._backward, self._attention, self._counted),
                zeroing_replaced(self._before_zeroing),
                swap_replaced(self._swapping),
                registrations_heard(self._replacing),
            ):
                yield
        finally:
            for handle in handles:
                handle.remove()
            self.changes.steps.end()

    def _before_step(self, optimizer: Optimizer, _args: Any, _kwargs: Any) -> None:
        if is_dynamo_compiling():
            torch._dynamo.graph_break()  # so that the step is heard when it is made
        if threading.get_ident() == self._thread:
            self.changes.steps.before(optimizer, in_full=self.listening.active or self._telling)

    def _after_step(self, optimizer: Optimizer, _args: Any, _kwargs: Any) -> None:
        if threading.get_ident() == self._thread:
            self.changes.steps.after(optimizer)

    def _before_zeroing(self, owner: Emptied, frame: FrameType) -> Callable[[], None] | None:
        heard = threading.get_ident() == self._thread and (self._telling or self.listening.active)
        return self.changes.before_zeroing(owner, frame, in_hook=self._telling) if heard else None

    def _replacing(self, before: Tensor, _name: str, after: Tensor | None, frame: FrameType) -> None:
        if self.listening.active and after is not None and threading.get_ident() == self._thread:
            self.changes.replaced(before, after, frame)

    @contextmanager
    def _swapping(self, first: Tensor, second: Tensor, frame: FrameType) -> Iterator[None]:
        """``first`` and ``second`` are about to swap their contents."""
        self.originals.before_swap(first, second)
        before = self.changes.before_swap((first, second)) if self.listening.active else None
        yield
        self.originals.swapped(first, second)
        self.request.recorder.forget(first)
        self.request.recorder.forget(second)
        if before is not None:
            self.changes.after(before, frame)

    # ---- backward --------------------------------------------------------------------------

    def _attention(self) -> Attention:
        """What is wanted of a backward that is about to run.

        Nothing of one that is part of another which is heard, of our own, or another thread's: a method of a
        tensor calls a function, and a node may run a backward of its own.
        """
        if self._busy or OURS.running:
            return "none"
        if threading.get_ident() != self._thread:
            self.elsewhere = True
            return "none"
        if is_compiling() or torch._C._are_functorch_transforms_active():
            return "none"
        return "brief" if self.log.backward_calls < self._brief_before else "full"

    def _backward(self, backward: BackwardCall, frame: FrameType) -> Any:
        if not backward.sound:
            return backward.call()
        self._busy, self._frame = True, frame
        try:
            self._followed(backward, frame)
        finally:
            self._busy = False
        return backward.result

    def _counted(self, outputs: Any, call: Callable[[], Any], frame: FrameType) -> Any:
        """Run a backward of which only the loss and the norms of ``.grad`` are noted."""
        self._busy, self._frame = True, frame
        try:
            result = call()  # what torch refuses raises here, and is not counted
            self.log.backward_calls += 1
            with torch._C.DisableTorchFunction():
                spot, grads = self.record.sites.number(frame), self.tracks.grads()
                number, loss = self.log.backward_calls, loss_of(outputs)
                unchanged = self.courses.add(spot, number, loss, grads, returned=False)
                if unchanged or self.tracks.any_bound_anew:
                    self._look_up(outputs, spot, unchanged, frame)
        finally:
            self._busy = False
        return result

    def _look_up(self, outputs: Any, spot: int, unchanged: Sequence[int], frame: FrameType) -> None:
        """A backward that is not told, at place ``spot``, left the norms of some leaves ``unchanged``.

        It may have brought gradients to leaves that nobody follows, behind the same names.
        """
        skeleton = walk_from(outputs)
        try:
            looked_up(skeleton, self.bindings, unchanged, frame)
        finally:
            skeleton.release()
        complete = not any(track.astray for track in self.tracks.items)
        self.courses.correct(spot, self.tracks.grads(), complete=complete)

    def _followed(self, backward: BackwardCall, frame: FrameType) -> None:
        heard = self.listening.active
        if heard:
            computed = number_of_node(backward.outputs[0])
            self.changes.before_backward(None if computed + 1 in self._computed else computed)
        self.log.backward_calls += 1
        number, start = self.log.backward_calls, sequence_nr()
        if heard and not self._in_full(number):
            self.bindings.before(frame, computed)
        paused = heard and self.listening.pause()
        if backward.inputs is None:
            self.originals.before_backward()
        try:
            if heard and self._in_full(number):
                left = self.request.recorder.left
                self._in_detail(backward, spot_of(frame, self.record), frame)
                self._written += left - self.request.recorder.left
            else:
                backward.run()
        except BaseException:
            self.log.backward_calls -= 1  # the program may go on without it
            if heard:
                self.listening.start()
            raise
        self._deposited |= backward.inputs is None and not backward.creates_graph
        if not backward.retains_graph and not self.certain:
            self._spent.update(map(number_of_node, backward.outputs))
        if paused:  # the nodes that it made are parts of what is computed from its result
            given = {"gradient": backward.gradients, "inputs": backward.inputs or ()}
            with torch._C.DisableTorchFunction():
                self.record.add(frame, backward.function, start, backward.outputs, given, backward.result)
        with torch._C.DisableTorchFunction():
            returns, is_told = backward.inputs is not None, heard and self._in_full(number)
            if returns and not is_told and self.tracks.any_bound_anew:
                self.bindings.look(frame)
            spot, grads = self.record.sites.number(frame), grads_of_leaves(backward, self.tracks)
            unchanged = self.courses.add(spot, number, backward.loss, grads, returned=returns)
            if not (returns or is_told) and (unchanged or self.tracks.any_bound_anew):
                self._look_up(backward.outputs, spot, unchanged, frame)
        # What follows up to the next backward belongs to this one or to the next.
        wanted = (self._in_full(number) or self._in_full(number + 1)) and not self.log.full
        if heard and not wanted and not self.certain:
            wanted = True  # what is computed may be a loss after all
        self.changes.lent.settle()
        if wanted:
            self.listening.start()
        elif heard and not self.listening.active:
            self.originals.before_silence()
        quiet = self._deposited and number >= self.first and not self.listening.active
        # The call before one that is told in full is the one after which everything is heard.
        self._brief_before = 10 ** len(str(number)) - 2 if quiet else 0

    def _in_full(self, number: int) -> bool:
        return number <= self.first or number in _POWERS

    def _in_detail(self, backward: BackwardCall, spot: Spot, frame: FrameType) -> None:
        if backward.inputs is None:
            self.record.sites.trains(frame)
        with torch._C.DisableTorchFunction():
            skeleton = backward.walked()
            try:
                self.record.modules.expect(reversed(list(user_frames(frame, self.record.stop))))
                self.record.begin(skeleton.numbers())
                inner = met_leaves(skeleton, self.bindings, self.request, frame)
                # Not all that changes them can be heard: numpy writes into their memory.
                self.originals.before_change(track.tensor for track in self.tracks.items)
                only = backward.loss
                loss = None if only is None else self.request.recorder.measure(only.detach())
                forward = self.log.begin("forward", maker_of(backward.outputs[0], self.record))
                event = self.log.begin("backward", spot)
                deposits = Deposits(skeleton, self.tracks, self.request.recorder)
            except BaseException:
                skeleton.release()
                raise
        computed = skeleton.fns[skeleton.roots[0]]._sequence_nr() + 1
        if computed not in self._computed:  # a graph that was kept has been told
            self._computed.add(computed)
            self.log.insert(forward, computed)
        self.log.add(event)  # before what happens inside it
        self.log.inside.append("backward")
        self._telling = True  # an optimizer may step in a hook
        try:
            graph = self.graphs.run(backward, spot.number, skeleton, inner)
        except BaseException:
            self.log.withdraw(forward)
            self.log.withdraw(event)
            self._computed.discard(computed)
            raise
        finally:
            self._telling = False
            self.log.inside.pop()
            deposits.close()
            skeleton.release()
        with torch._C.DisableTorchFunction():
            if backward.inputs is None:
                used = self.changes.steps.used_inside()
                for draft in list(deposits.note(event, used, self.log.since(event))):
                    self.log.add(draft)
            event.returned = tuple(
                returned_gradients(backward, self.tracks, self.request, self.record, frame)
            )
        self.tracks.grads_moved()
        forward.loss = event.loss = loss
        forward.graph = event.graph = graph
        event.retained, event.creates_graph = backward.retains_graph, backward.creates_graph


never_compiled(Follower._before_step, Follower._after_step)
