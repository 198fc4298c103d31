"""The leaves of a run: which tensor each stands for now, and which leaf a changed tensor belongs to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

from autograd_tour.record.facts import TensorFacts
from autograd_tour.record.run import RunLeaf
from autograd_tour.tracer.follow.log import Spot
from autograd_tour.tracer.follow.originals import storage_of
from autograd_tour.tracer.listen.names import isinstance_safe
from autograd_tour.tracer.listen.paths import is_leaf
from autograd_tour.tracer.measure import Recorder, measure_shape
from autograd_tour.tracer.references import TensorRef
from autograd_tour.tracer.spans import Span, span_of

__all__ = ["MOST_LEAVES", "Belonging", "Track", "Tracks", "grad_facts", "tensors_among"]

MOST_LEAVES = 256
"""Leaves that are followed; nobody reads the tables of more."""


class Belonging(NamedTuple):
    """What a tensor is to leaf number ``leaf``: its value, or its ``.grad``."""

    leaf: int
    part: Literal["value", "grad"]


class _Part(NamedTuple):
    """Where in memory it lies."""

    span: Span
    belonging: Belonging


class Track:
    """One leaf through the run. ``tensor`` is what its name stands for now."""

    __slots__ = (
        *("astray", "grad", "depth", "home", "moved_at", "moving", "name", "shape"),
        *("succeeded", "successor", "tensor", "value"),
    )

    def __init__(self, tensor: Tensor, recorder: Recorder) -> None:
        self.tensor = tensor
        self.name = ""
        self.shape = tuple(tensor.shape)
        self.value = recorder.measure(tensor)
        self.grad = grad_facts(tensor, recorder)
        self.successor: TensorRef | None = None
        """What the program has put in its place, before it is met there."""
        self.succeeded: TensorFacts | None = None
        """The facts of that, ``None`` if it is no leaf: then the leaf is still the tensor of before."""
        self.moving = False
        """Whether the name stood for another tensor when somebody last looked, in calls that are not told."""
        self.moved_at: Spot | None = None
        """Where a module got another parameter in its place, if that is told when it is looked up."""
        self.depth = -1
        """In whose variables its name led to it: 0 for those of the module, 1 for the outermost function."""
        self.home: tuple[int, str, str] | None = None
        """The same of a parameter: in whose variables, at which path, is the module that has it at a path."""
        self.astray = False
        """Whether nobody knows what the name stands for."""


class Tracks:
    """All leaves in the order in which they were met."""

    def __init__(self, recorder: Recorder) -> None:
        self.items: list[Track] = []
        self.left_out: set[int] = set()
        self._recorder = recorder
        self._by_id: dict[int, int] = {}
        self._replaced: list[tuple[TensorRef, str]] = []
        self.any_bound_anew = False
        self._names: dict[str, int] | None = None
        self._by_memory: dict[int, list[_Part]] | None = None
        """What lies in the same storage, by where that begins."""

    def __getitem__(self, leaf: int) -> Track:
        return self.items[leaf]

    def find(self, tensor: Tensor) -> int:
        """The number of a leaf, -1 if it is not followed."""
        number = self._by_id.get(id(tensor), -1)
        return number if number >= 0 and self.items[number].tensor is tensor else -1

    def holding(self, tensor: Tensor) -> list[Track]:
        """All whose names stand for ``tensor``."""
        return [track for track in self.items if track.tensor is tensor]

    def add(self, tensor: Tensor) -> int:
        """Follow a leaf from now on: its number, -1 if there are too many."""
        number = self.find(tensor)
        if number >= 0:
            return number
        number = self.succeeding(tensor)
        if number >= 0:
            self.rebind(number, tensor)
            return number
        if len(self.items) >= MOST_LEAVES:
            self.left_out.add(id(tensor))
            return -1
        self.items.append(Track(tensor, self._recorder))
        self._by_id[id(tensor)] = len(self.items) - 1
        former = next((name for reference, name in self._replaced if reference() is tensor), "")
        self.call(len(self.items) - 1, former and f"{former} (replaced)")
        self._by_memory = None
        return len(self.items) - 1

    def was_followed(self, tensor: Tensor) -> bool:
        """Whether a name stood for ``tensor`` before another took its place."""
        return any(reference() is tensor for reference, _ in self._replaced)

    @property
    def names(self) -> dict[str, int]:
        """The numbers of the leaves by their names."""
        if self._names is None:
            self._names = {track.name: n for n, track in enumerate(self.items) if track.name}
        return self._names

    def are_there(self, present: Set[int]) -> None:
        """A graph has the leaves with these ``id``: nothing has taken their place."""
        for track in self.items:
            if id(track.tensor) in present:
                track.moving = track.astray = False

    def lose(self) -> None:
        """The program goes on, or ends, and nobody listens: what was moving is somewhere else now."""
        for track in self.items:
            track.astray |= track.moving

    def call(self, leaf: int, name: str) -> None:
        """What the program calls a leaf is known now."""
        if name and not self.items[leaf].name:
            self.items[leaf].name = name
            self._names = None

    def succeed(self, leaf: int, tensor: Tensor, facts: TensorFacts) -> None:
        """The name of ``leaf`` will stand for ``tensor``, once its line is done."""
        track = self.items[leaf]
        track.successor, track.succeeded = TensorRef(tensor), facts if is_leaf(tensor) else None
        self.any_bound_anew = True

    def succeeding(self, tensor: Tensor) -> int:
        """The number of the leaf whose name is to stand for ``tensor``, -1 for none."""
        if not self.any_bound_anew:
            return -1
        successors = (n for n, track in enumerate(self.items) if track.successor is not None)
        return next((n for n in successors if self.is_successor(n, tensor)), -1)

    def owner(self, tensor: Any) -> int:
        """The number of the leaf whose name stands for ``tensor`` or is to stand for it, -1 for none."""
        if not isinstance_safe(tensor, Tensor):
            return -1
        number = self.find(tensor)
        return number if number >= 0 else self.succeeding(tensor)

    def is_successor(self, leaf: int, tensor: object) -> bool:
        """Whether the name of ``leaf`` is to stand for ``tensor``."""
        successor = self.items[leaf].successor
        return successor is not None and tensor is not None and successor() is tensor

    def rebind(self, leaf: int, tensor: Tensor) -> None:
        """The name of ``leaf`` stands for ``tensor`` now."""
        track = self.items[leaf]
        self.any_bound_anew = True
        former = track.tensor
        self._by_id.pop(id(former), None)
        self._replaced.append((TensorRef(former), track.name))
        track.tensor = tensor
        self._by_id |= {id(former): n for n, other in enumerate(self.items) if other.tensor is former}
        track.successor = track.succeeded = None
        track.astray = False
        self._by_id[id(tensor)] = leaf
        self._by_memory = None

    def exchange(self, tensors: Mapping[int, Tensor]) -> None:
        """The names of these leaves stand for other tensors now, maybe for those of each other."""
        if not tensors:
            return
        self.any_bound_anew = True
        for leaf, tensor in tensors.items():
            track = self.items[leaf]
            track.tensor, track.successor, track.succeeded = tensor, None, None
        self._by_id = {id(track.tensor): n for n, track in enumerate(self.items)}
        self._by_memory = None

    def grads(self) -> list[Tensor | None]:
        """The ``.grad`` of each leaf."""
        return [
            track.tensor.grad if track.tensor.is_leaf and not track.astray else None for track in self.items
        ]

    def grads_moved(self) -> None:
        """A ``.grad`` may be another tensor than it was, or lie elsewhere."""
        self._by_memory = None

    def belongings(self, tensor: Tensor) -> list[Belonging]:
        """Of which leaves ``tensor`` is the value or the ``.grad``, or has memory in common with these."""
        if tensor.grad_fn is not None and torch.is_grad_enabled():
            return []  # an operation of the forward pass
        if self._by_memory is None:
            self._by_memory = self._memory()
        storage = storage_of(tensor)
        candidates = self._by_memory.get(storage, []) if storage else []
        if len(candidates) > 1:
            span = span_of(tensor)
            candidates = [item for item in candidates if span.meets(item.span)]
        number = self.find(tensor)
        own = self._grad_itself(tensor) if number < 0 else Belonging(number, "value")
        others = [item.belonging for item in candidates if item.belonging != own]
        return others if own is None else [own, *others]

    def _memory(self) -> dict[int, list[_Part]]:
        parts: dict[int, list[_Part]] = {}
        for n, track in enumerate(self.items):
            grad = track.tensor.grad if track.tensor.is_leaf else None
            value = _Part(span_of(track.tensor), Belonging(n, "value"))
            parts.setdefault(storage_of(track.tensor), []).append(value)
            if grad is not None:
                parts.setdefault(storage_of(grad), []).append(_Part(span_of(grad), Belonging(n, "grad")))
        return parts

    def _grad_itself(self, tensor: Tensor) -> Belonging | None:
        """The leaf whose ``.grad`` is ``tensor``, a sparse one, whose memory begins nowhere."""
        if tensor.layout is torch.strided:
            return None
        owners = (n for n, track in enumerate(self.items) if track.tensor.is_leaf)
        number = next((n for n in owners if self.items[n].tensor.grad is tensor), None)
        return None if number is None else Belonging(number, "grad")

    def value(self, leaf: int) -> TensorFacts:
        """The value of what the name of ``leaf`` stands for; without numbers if nobody knows that."""
        track = self.items[leaf]
        if track.astray:
            return measure_shape(track.shape, track.tensor.dtype, track.tensor.device)
        return track.succeeded or self._recorder.measure(track.tensor)

    def facts(self, belonging: Belonging) -> TensorFacts | None:
        """What is there now."""
        tensor = self.items[belonging.leaf].tensor
        return (
            self._recorder.measure(tensor)
            if belonging.part == "value"
            else grad_facts(tensor, self._recorder)
        )

    def written(self, belonging: Belonging) -> None:
        """The program has written there: what was measured before holds no more."""
        tensor = self.items[belonging.leaf].tensor
        target = tensor if belonging.part == "value" else tensor.grad
        if target is not None:
            self._recorder.forget(target)

    def recorded(self) -> tuple[RunLeaf, ...]:
        """The leaves as the record has them, with what they are at the end.

        Their names are those that the graphs have, which were recorded while the program ran.
        """
        return tuple(
            RunLeaf(
                track.name or f"leaf {n}",
                track.shape,
                track.value,
                track.grad,
                self.value(n - 1),
                self._final_grad(track),
            )
            for n, track in enumerate(self.items, start=1)
        )

    def _final_grad(self, track: Track) -> TensorFacts | None:
        if track.astray:
            return measure_shape(track.shape, track.tensor.dtype, track.tensor.device)
        return grad_facts(track.tensor, self._recorder) if track.succeeded is None else None


def grad_facts(leaf: Tensor, recorder: Recorder) -> TensorFacts | None:
    """Facts of ``leaf.grad``."""
    grad = leaf.grad if leaf.is_leaf else None
    return None if grad is None else recorder.measure(grad, gradient=True)


def tensors_among(values: Iterable[object]) -> list[Tensor]:
    """The tensors among ``values``, those in lists one by one."""
    tensors: list[Tensor] = []
    for value in values:
        if isinstance(value, Tensor):
            tensors.append(value)
        elif isinstance(value, list | tuple):
            tensors += [item for item in value if isinstance(item, Tensor)]
    return tensors
