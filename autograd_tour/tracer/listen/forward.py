"""What was heard of a forward pass: values, source lines, module paths and names, per torch function called.

The sequence numbers before and after a call tell which graph nodes it made, composites included,
without touching one of them.
"""

from __future__ import annotations

import linecache
import os
import sys
import weakref
from collections.abc import Callable, Iterator
from types import CodeType, FrameType
from typing import Any

import torch
from torch import Tensor
from torch._C._functorch import is_functorch_wrapped_tensor as is_wrapped

from autograd_tour.record.graph import SourceLine
from autograd_tour.tracer.listen.calls import CallRecord, Constant, Operand, differentiates, function_name
from autograd_tour.tracer.listen.modules import ModuleRecord
from autograd_tour.tracer.listen.names import assigned_names, find_name, user_frame, user_frames
from autograd_tour.tracer.listen.updates import updated_buffers
from autograd_tour.tracer.measure import Recorder

__all__ = ["ForwardRecord", "sequence_nr"]

sequence_nr: Callable[[], int] = torch._C._autograd._get_sequence_nr

DETAILED = 20_000
"""From this many calls on only function, line and module are noted: nobody looks at a million values."""


class ForwardRecord:
    """All that was heard. ``maker(seq)`` gives the call that made the node with that number."""

    def __init__(self, recorder: Recorder, stop: CodeType) -> None:
        self.recorder = recorder
        self.threads = False
        self.stop = stop
        self.calls: list[CallRecord] = []
        self.source: list[SourceLine] = []
        self.constants: list[Constant] = []
        self.leaf_names: dict[int, str] = {}
        self.leaves: dict[int, Tensor] = {}
        self.modules = ModuleRecord(stop)
        self.files: list[str] = []
        self._lines: dict[tuple[str, int], int] = {}
        self._constant_of: dict[int, int] = {}
        self._made: dict[int, tuple[weakref.ref[Tensor], CallRecord, int]] = {}
        self._cuts: dict[int, tuple[weakref.ref[Tensor], str, CallRecord | None, Tensor | None]] = {}
        self._owner: dict[int, CallRecord] = {}
        self._plain: dict[tuple[str, int | None, tuple[int, str] | None], CallRecord] = {}

    def maker(self, seq: int) -> CallRecord | None:
        """The call that made node number ``seq``, the innermost if calls nest."""
        return self._owner.get(seq)

    def producer(self, tensor: Tensor) -> tuple[CallRecord, int] | None:
        """The call that returned ``tensor`` and the position in its result."""
        made = self._made.get(id(tensor))
        return (made[1], made[2]) if made is not None and made[0]() is tensor else None

    def name_output(self, tensor: Tensor, name: str) -> None:
        """Give a result the name the program uses for it, unless it has one."""
        made = self.producer(tensor)
        if made is None or not name:
            return
        call, position = made
        names = list(call.names) + [""] * (position + 1 - len(call.names))
        names[position] = names[position] or name
        call.names = tuple(names)

    def add(self, frame: FrameType, func: Any, start: int, args: Any, kwargs: Any, result: Any) -> None:
        """Take note of one finished call."""
        stop, function = sequence_nr(), function_name(func)
        if stop == start:
            self._note_cut(function, args, kwargs, result)
            return
        user = user_frame(frame, self.stop)
        where, group = self._where(user), self.modules.current
        if len(self.calls) >= DETAILED:
            plain = self._plain_call(function, where, group)
            plain.second_order = differentiates(func)
            for seq in range(start, stop):
                self._owner[seq] = plain
            return
        call = CallRecord(function, start, stop, where, group)
        call.second_order = differentiates(func)
        tensors = [item for item in _flatten(result) if isinstance(item, Tensor)]
        updated = updated_buffers(func, args, kwargs)
        for buffer in updated:
            self._constant_of.pop(id(buffer), None)  # what was measured before holds no more
        with torch._C.DisableTorchFunction():
            call.operands = [
                operand
                for item in _flatten((args, kwargs))
                if not any(item is buffer for buffer in updated) and (operand := self._operand(item, user))
            ]
            call.outputs = tuple(map(self.recorder.measure, tensors))
            call.places = tuple(tensor.output_nr if tensor.requires_grad else -1 for tensor in tensors)
        call.names = assigned_names(frame, self.stop)[: len(tensors)]
        for position, tensor in enumerate(tensors):
            self._made[id(tensor)] = (weakref.ref(tensor), call, position)
        for seq in range(start, stop):
            self._owner.setdefault(seq, call)
        self.calls.append(call)

    def _plain_call(self, function: str, where: int | None, group: tuple[int, str] | None) -> CallRecord:
        """One record for all calls alike: it has no numbers, operands or results."""
        key = function, where, group
        if key not in self._plain:
            self._plain[key] = CallRecord(function, 0, 0, where, group)
        return self._plain[key]

    @property
    def abridged(self) -> bool:
        """Whether there were so many calls that not all were noted in detail."""
        return bool(self._plain)

    def _operand(self, item: Any, user: FrameType | None) -> Operand | None:
        if isinstance(item, Tensor):
            if not item.requires_grad:
                return Operand("", False, self._constant(item, user), _pointer(item))
            if item.is_leaf:
                return Operand(self._leaf(item, user), True, source=None if is_wrapped(item) else item)
            made = self.producer(item) or self._custom(item, user)
            if made is not None:
                names = made[0].names
                if not (len(names) > made[1] and names[made[1]]) and user is not None:
                    self.name_output(item, find_name(item, [user.f_locals]))
            return (
                Operand("", True, source=made[0], position=made[1]) if made is not None else Operand("", True)
            )
        if isinstance(item, (bool, str)) or item is None:
            return None
        if isinstance(item, (int, float, complex)):
            return Operand("", False, number=item)
        return None

    def _leaf(self, leaf: Tensor, user: FrameType | None) -> str:
        if id(leaf) not in self.leaves:
            self.leaves[id(leaf)] = leaf
            self.modules.notice(leaf, user)
        name = self.leaf_names.get(id(leaf))
        if name is None:
            name = self.leaf_names[id(leaf)] = self._look_up(leaf, user)
        return name

    def _custom(self, tensor: Tensor, user: FrameType | None) -> tuple[CallRecord, int] | None:
        """The call of a custom Function that made ``tensor``. No mode hears it: it is noted at its first use.

        Its node is a Python object anyway, so nothing is changed by looking at it. For the line of the
        call, which is not known, stands that of its ``forward``.
        """
        node = None if is_wrapped(tensor) else tensor.grad_fn
        made_by: Any = getattr(node, "_forward_cls", None)
        code = getattr(getattr(made_by, "forward", None), "__code__", None)
        if node is None or code is None or len(self.calls) >= DETAILED:
            return None
        number = node._sequence_nr()
        call = self._owner.get(number)
        if call is None:
            where = self._line(code.co_filename, _line_of_def(code), code.co_name)
            call = self._owner[number] = CallRecord(
                made_by.__name__, number, number + 1, where, self.modules.current
            )
            call.operands = [Operand("", True)]
            self.calls.append(call)
            for before, _ in node.next_functions:
                if isinstance(leaf := getattr(before, "variable", None), Tensor):
                    self._leaf(leaf, user)
        elif call.function != made_by.__name__ or call.stop - call.start != 1:
            return None
        call.outputs = (*call.outputs, self.recorder.measure(tensor))
        call.places = (*call.places, tensor.output_nr)
        position = len(call.outputs) - 1
        self._made[id(tensor)] = (weakref.ref(tensor), call, position)
        return call, position

    def _constant(self, tensor: Tensor, user: FrameType | None) -> int:
        known = self._constant_of.get(id(tensor), -1)
        if known >= 0 and self.constants[known].ref() is tensor:
            facts = self.constants[known].facts
            if tensor.is_inference() or facts.version == tensor._version:
                return known
        made = Constant(tensor, self.recorder.measure(tensor), self._look_up(tensor, user))
        cut = self._cuts.get(id(tensor))
        if cut is not None and cut[0]() is tensor:
            made.cut_from = cut[1:]
        self._constant_of[id(tensor)] = len(self.constants)
        self.constants.append(made)
        return len(self.constants) - 1

    def _look_up(self, tensor: Tensor, user: FrameType | None) -> str:
        # The outermost name is the one the reader of the program knows; a callee's parameter is not.
        frames = list(user_frames(user, self.stop))
        used = ({n: f.f_globals[n] for n in f.f_code.co_names if n in f.f_globals} for f in frames)
        return find_name(tensor, [frame.f_locals for frame in reversed(frames)]) or find_name(tensor, used)

    def _note_cut(self, function: str, args: Any, kwargs: Any, result: Any) -> None:
        """A result without gradient from an argument with one: the graph was cut here."""
        if not isinstance(result, Tensor) or result.requires_grad or not result.is_floating_point():
            return
        if function.endswith("_like") or function.startswith("new_"):
            return  # only the shape was asked for
        for item in _flatten((args, kwargs)):
            if isinstance(item, Tensor) and item.requires_grad:
                made = self.producer(item)
                leaf = item if item.is_leaf else None
                self._cuts[id(result)] = (weakref.ref(result), function, made[0] if made else None, leaf)
                return

    def _where(self, user: FrameType | None) -> int | None:
        if user is None:
            return None
        return self._line(user.f_code.co_filename, user.f_lineno, user.f_code.co_name, user.f_globals)

    def _line(self, file: str, line: int, function: str, space: dict[str, Any] | None = None) -> int:
        key = (file, line)
        if key not in self._lines:
            self._lines[key] = len(self.source)
            text = linecache.getline(file, line, space).strip()
            self.source.append(SourceLine(_relative(file), line, text, function))
        return self._lines[key]


def _line_of_def(code: CodeType) -> int:
    """The line with the ``def`` of a function; its code begins with its decorators."""
    for line in range(code.co_firstlineno, code.co_firstlineno + 8):
        if linecache.getline(code.co_filename, line).lstrip().startswith(("def ", "async def ")):
            return line
    return code.co_firstlineno


def _flatten(value: Any, depth: int = 0) -> Iterator[Any]:
    if isinstance(value, (list, tuple)) and depth < 4:
        for item in value:
            yield from _flatten(item, depth + 1)
    elif isinstance(value, dict) and depth < 4:
        for item in value.values():
            yield from _flatten(item, depth + 1)
    else:
        yield value


def _pointer(tensor: Tensor) -> int:
    try:
        return tensor.data_ptr()
    except RuntimeError:
        return 0  # sparse, fake, functorch: nothing to point at


def _relative(filename: str) -> str:
    """A path that is the same on every machine: from the import root, or the bare file name."""
    if filename.startswith("<"):
        return filename
    full = os.path.abspath(filename)
    for root in sorted((os.path.abspath(entry or ".") for entry in sys.path), key=len, reverse=True):
        if "site-packages" in root and full.startswith(root + os.sep):
            return os.path.relpath(full, root).replace(os.sep, "/")
    return os.path.basename(full)
