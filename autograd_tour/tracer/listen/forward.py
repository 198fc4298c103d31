"""What was heard of a forward pass: values, source lines, module paths and names, per torch function called.

The sequence numbers before and after a call tell which graph nodes it made, composites included,
without touching one of them.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable
from types import CodeType, FrameType
from typing import Any

import torch
from torch import Tensor
from torch._C._functorch import is_functorch_wrapped_tensor as is_wrapped

from autograd_tour.tracer.listen.arguments import arguments, flat, is_leaf, pointer, result_names
from autograd_tour.tracer.listen.aside import takes_aside
from autograd_tour.tracer.listen.calls import (
    BASE_OF,
    CallRecord,
    Constant,
    Operand,
    Path,
    Site,
    differentiates,
    function_name,
    in_python,
    writes,
)
from autograd_tour.tracer.listen.cuts import Cuts
from autograd_tour.tracer.listen.frames import user_frames
from autograd_tour.tracer.listen.modules import ModuleRecord
from autograd_tour.tracer.listen.names import assigned_names, find_name, first_name
from autograd_tour.tracer.listen.partial import take_names_off
from autograd_tour.tracer.listen.paths import Patience
from autograd_tour.tracer.listen.scopes import FunctionRun, FunctionRuns
from autograd_tour.tracer.listen.sites import Sites
from autograd_tour.tracer.listen.updates import updated_buffers
from autograd_tour.tracer.measure import Recorder
from autograd_tour.tracer.references import TensorRef

__all__ = ["ForwardRecord", "sequence_nr"]

sequence_nr: Callable[[], int] = torch._C._autograd._get_sequence_nr

DETAILED = 20_000
"""From this many calls on only function, line and module are noted: nobody looks at a million values."""

SEARCHED = 500_000
"""So many tensors in lists, dicts and objects are looked at for the names of constants, in a second or so."""


class ForwardRecord:
    """All that was heard. ``maker(seq)`` gives the call that made the node with that number."""

    def __init__(self, recorder: Recorder, stop: CodeType) -> None:
        self.recorder = recorder
        self.threads = False
        self.aside = False
        self.stop = stop
        self.calls: list[CallRecord] = []
        self.constants: list[Constant] = []
        self.leaf_names: dict[int, str] = {}
        self.leaves: dict[int, Tensor] = {}
        self.modules = ModuleRecord(stop)
        self.sites = Sites(stop, self.modules)
        self.runs = FunctionRuns(stop, self.modules)
        self._constant_of: dict[int, int] = {}
        self._patience = Patience(SEARCHED)
        self._producers: dict[int, tuple[weakref.ref[Tensor], CallRecord, int]] = {}
        self._cuts = Cuts()
        self._owner: dict[int, CallRecord] = {}
        self._plain: dict[tuple[str, Site, tuple[int, str] | None, FunctionRun], CallRecord] = {}
        self._born: dict[
            int, tuple[weakref.ref[Tensor], Site, tuple[int, str] | None, FunctionRun | None]
        ] = {}
        self._born_as: dict[int, tuple[weakref.ref[Tensor], str]] = {}
        self._memories: dict[int, int] = {}
        """Where the numbers of leaves and of results with a gradient lie -> id of a leaf, -1 for a result."""

    def maker(self, seq: int) -> CallRecord | None:
        """The call that made node number ``seq``, the innermost if calls nest."""
        return self._owner.get(seq)

    def producer(self, tensor: Tensor) -> tuple[CallRecord, int] | None:
        """The call that returned ``tensor`` and the position in its result."""
        entry = self._producers.get(id(tensor))
        return (entry[1], entry[2]) if entry is not None and entry[0]() is tensor else None

    def name_output(self, tensor: Tensor, name: str) -> None:
        """Give a result the name the program uses for it, unless it has one."""
        producer = self.producer(tensor)
        if producer is None or not name:
            return
        call, position = producer
        names = list(call.names) + [""] * (position + 1 - len(call.names))
        names[position] = names[position] or name
        call.names = tuple(names)

    def add(self, frame: FrameType, func: Any, start: int, args: Any, kwargs: Any, result: Any) -> None:
        """Take note of one finished call."""
        stop, function = sequence_nr(), function_name(func)
        if stop == start:
            self.aside = self.aside or takes_aside(
                getattr(func, "__name__", ""), flat((args, kwargs)), flat(result)
            )
            if isinstance(result, Tensor) and (not result.requires_grad or is_leaf(result)):
                given = any(item is result for item in flat((args, kwargs)))
                self._note_birth(frame, stop, result, given=given)
                self._cuts.note(function, flat((args, kwargs)), result, self.producer)
            return
        tensors = [item for item in flat(result) if isinstance(item, Tensor)]
        # The indices that a sort or a maximum gives beside its values.
        self.aside = self.aside or not all(tensor.requires_grad for tensor in tensors)
        (site, user), group = self.sites.of_call(frame), self.modules.current
        run = self.runs.of(frame)
        if len(self.calls) >= DETAILED:
            plain = self._plain_call(function, site, group, run)
            plain.second_order = differentiates(func)
            for seq in range(start, stop):
                self._owner[seq] = plain
            return
        call = CallRecord(function, start, stop, site, group)
        call.run = run
        call.method, call.given = "Tensor" in getattr(func, "__qualname__", ""), len(args)
        call.second_order, call.in_python = differentiates(func), in_python(func)
        updated = updated_buffers(func, args, kwargs)
        for buffer in updated:
            self._constant_of.pop(id(buffer), None)  # what was measured before holds no more
        with torch._C.DisableTorchFunction():
            call.operands = [
                operand
                for path, item in arguments(args, kwargs)
                if not any(item is buffer for buffer in updated)
                and (operand := self._operand(item, path, user))
            ]
            call.outputs = tuple(map(self.recorder.measure, tensors))
            call.output_numbers = tuple(
                tensor.output_nr if tensor.requires_grad else -1 for tensor in tensors
            )
            self._memories |= {pointer(tensor): -1 for tensor in tensors if tensor.requires_grad}
        call.writes = writes(func)
        call.base = self._base(args, user) if call.writes else ""
        if function == "einsum" and args and isinstance(args[0], str):
            call.equation = args[0]
        call.names = result_names(assigned_names(frame, self.stop, user), result, len(tensors))
        take_names_off(call.names, args, self.producer, user, self.stop)
        for position, tensor in enumerate(tensors):
            self._producers[id(tensor)] = (TensorRef(tensor), call, position)
        for seq in range(start, stop):
            self._owner.setdefault(seq, call)
        self.calls.append(call)
        if self.modules.run is not None and self.modules.run.owner:
            self.modules.run.calls.append(call)

    def _plain_call(
        self, function: str, site: Site, group: tuple[int, str] | None, run: FunctionRun
    ) -> CallRecord:
        """One record for all calls alike: it has no numbers, operands or results."""
        key = function, site, group, run
        if key not in self._plain:
            self._plain[key] = CallRecord(function, 0, 0, site, group)
            self._plain[key].run = run
        return self._plain[key]

    def leave_module(self, frame: FrameType, result: Any) -> None:
        """The module that runs is done, and gives ``result`` to ``frame``."""
        run = self.modules.leave()
        if run is None:
            return
        self.sites.move_out(run, frame)
        if run.visit == run.number:
            for item in flat(result):
                producer = self.producer(item) if isinstance(item, Tensor) else None
                if producer is not None and producer[0].site.visit == run.number:
                    producer[0].whole = True

    def note_output(self, tensor: Tensor) -> None:
        """The program returns ``tensor``: nothing else may have used it."""
        if self.producer(tensor) is None:
            self._custom(tensor, None)

    def begin(self, nodes: Iterable[int]) -> None:
        """The graph that is told next has the nodes with these numbers."""
        makers = {id(call): call.run for call in map(self.maker, nodes) if call is not None}
        self.runs.begin(run for run in makers.values() if run is not None)

    def settle(self, used: Iterable[CallRecord | None]) -> None:
        """Everything has been heard; ``used`` are the calls that made the graph."""
        self.sites.settle([*self.calls, *self._plain.values()], used)

    def named_at_birth(self, leaf: Tensor) -> str:
        """The variable that the program put a leaf in when it made it, or ``""``."""
        born = self._born_as.get(id(leaf))
        return born[1] if born is not None and born[0]() is leaf else ""

    def birth(self, tensor: Tensor) -> Site:
        """Where a tensor was made that needed no node."""
        born = self._born.get(id(tensor))
        return born[1] if born is not None and born[0]() is tensor else Site()

    @property
    def abridged(self) -> bool:
        """Whether there were so many calls that not all were noted in detail."""
        return bool(self._plain)

    def _operand(self, item: Any, path: Path, user: FrameType | None) -> Operand | None:
        if isinstance(item, Tensor):
            if not item.requires_grad:
                return Operand("", False, self._constant(item, user), pointer(item), path=path)
            if item.is_leaf:
                source = None if is_wrapped(item) else item
                return Operand(self._leaf(item, user), True, source=source, path=path)
            producer = self.producer(item) or self._custom(item, user)
            if producer is None:
                return Operand("", True)
            names = producer[0].names
            if not (len(names) > producer[1] and names[producer[1]]) and user is not None:
                self.name_output(item, find_name(item, [user.f_locals]))
            return Operand("", True, source=producer[0], position=producer[1])
        if isinstance(item, (bool, str)) or item is None:
            return None
        if isinstance(item, (int, float, complex)):
            return Operand("", False, number=item)
        return None

    def _leaf(self, leaf: Tensor, user: FrameType | None) -> str:
        if id(leaf) not in self.leaves:
            self._note_memory(leaf)
            self.leaves[id(leaf)] = leaf
            self.modules.notice(leaf, user)
        name = self.leaf_names.get(id(leaf))
        if name is None:
            # A parameter of a module that was heard of has its path.
            name = "" if self.modules.owns(leaf) else self._look_up(leaf, user)
            self.leaf_names[id(leaf)] = name
        return name

    def _base(self, args: Any, user: FrameType | None) -> str:
        """The name of what a call wrote into a part of: that of a view's base, which gets the node."""
        written = args[0] if args else None
        if not isinstance(written, Tensor):
            return ""
        name, base = self._look_up(written, user), written._base if written._is_view() else None
        if base is None:
            return name
        return self._look_up(base, user) or (f"{BASE_OF}{name}" if name else "")

    def _note_memory(self, tensor: Tensor) -> None:
        """A tensor with the numbers of another one was computed from it, unheard: ``nn.Parameter(w * 2)``."""
        address = pointer(tensor)
        self.aside = self.aside or (address != 0 and self._memories.get(address, id(tensor)) != id(tensor))
        if tensor.requires_grad:
            self._memories[address] = id(tensor)

    def _custom(self, tensor: Tensor, user: FrameType | None) -> tuple[CallRecord, int] | None:
        """The call of a custom Function that made ``tensor``, which no mode hears.

        It was noted if its ``forward`` called a torch function; else it is noted here, at its first use.
        Its node is a Python object anyway, so nothing is changed by looking at it.
        """
        node = None if is_wrapped(tensor) else tensor.grad_fn
        made_by: Any = getattr(node, "_forward_cls", None)
        if node is None or made_by is None or len(self.calls) >= DETAILED:
            return None
        number = node._sequence_nr()
        call = self._owner.get(number) or self._note_apply(
            number, made_by.__name__, self.sites.of_use(user), self.runs.of(user)
        )
        if call.function != made_by.__name__ or call.stop - call.start != 1:
            return None
        if not call.outputs:
            for before, _ in node.next_functions:
                if isinstance(leaf := getattr(before, "variable", None), Tensor):
                    self._leaf(leaf, user)
        call.outputs = (*call.outputs, self.recorder.measure(tensor))
        call.output_numbers = (*call.output_numbers, tensor.output_nr)
        position = len(call.outputs) - 1
        self._producers[id(tensor)] = (TensorRef(tensor), call, position)
        return call, position

    def _note_apply(self, number: int, function: str, site: Site, run: FunctionRun) -> CallRecord:
        call = self._owner[number] = CallRecord(function, number, number + 1, site, self.modules.current)
        call.operands = [Operand("", True)]
        call.run = run
        self.calls.append(call)
        return call

    def _note_birth(self, frame: FrameType, number: int, tensor: Tensor, *, given: bool) -> None:
        """A tensor was made without a node: where. The next node will get the number ``number``.

        In the ``forward`` of a custom Function this tells where it was called. Such a Function takes its
        node's number before it runs ``forward``, so it is the last one given out.
        """
        site, user = self.sites.of_call(frame)
        run = self.runs.of(frame)
        if id(tensor) not in self.leaves:  # what lay there before is gone
            with torch._C.DisableTorchFunction():
                address = pointer(tensor)
            self._memories.pop(address, None)
            if tensor.requires_grad:
                self._memories[address] = id(tensor)
        birth = self._born.get(id(tensor))
        home: tuple[tuple[int, str] | None, FunctionRun | None] = (self.modules.current, run)
        if birth is not None and birth[0]() is tensor:
            home = birth[2:]
        elif given:  # `x.to(...)` may give back what the program was given
            home = (None, None)
        self._born[id(tensor)] = (TensorRef(tensor), site, *home)
        if tensor.requires_grad and len(names := assigned_names(frame, self.stop, user)) == 1:
            self._born_as[id(tensor)] = (TensorRef(tensor), names[0])
        if torch.is_grad_enabled() or number - 1 in self._owner or len(self.calls) >= DETAILED:
            return
        applied = self.sites.of_apply(frame)
        if applied is not None and not torch._C._are_functorch_transforms_active():
            self._note_apply(number - 1, applied[1], applied[0], run)

    def _constant(self, tensor: Tensor, user: FrameType | None) -> int:
        number = self._constant_of.get(id(tensor), -1)
        if number >= 0 and self.constants[number].ref() is tensor:
            facts = self.constants[number].facts
            if tensor.is_inference() or facts.version == tensor._version:
                return number
        self._note_memory(tensor)
        constant = Constant(
            tensor, self.recorder.measure(tensor), self._look_up(tensor, user), self.birth(tensor)
        )
        if number >= 0 and self.constants[number].ref() is tensor:
            constant.earlier = number
        base = tensor._base if tensor._is_view() else None
        owner = tensor if base is None or base.requires_grad else base
        maker = self._born.get(id(owner))
        constant.given = maker is None or maker[0]() is not owner
        if maker is not None and maker[0]() is owner:  # a view belongs where what it looks at was made
            constant.group, constant.run = maker[2:]
        constant.cut_from = self._cuts.of(tensor)
        self._constant_of[id(tensor)] = len(self.constants)
        self.constants.append(constant)
        return len(self.constants) - 1

    def _look_up(self, tensor: Tensor, user: FrameType | None) -> str:
        # The outermost name is the one the reader of the program knows; a callee's parameter is not.
        frames = reversed(list(user_frames(user, self.stop)))
        names = (first_name(tensor, frame, self._patience) for frame in frames)
        return next((name for name in names if name), "")
