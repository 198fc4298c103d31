"""One backward call of the program itself: what it brought to each leaf, and its graph if that is new."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from msgspec.structs import replace
from torch import Tensor

from autograd_tour.record.facts import TensorFacts
from autograd_tour.record.graph import Graph
from autograd_tour.record.run import OF_GRAD, LeafChange
from autograd_tour.tracer.assemble.walk import Skeleton, root_of, walk
from autograd_tour.tracer.engine.backward import OwnBackward
from autograd_tour.tracer.follow.lent import same
from autograd_tour.tracer.follow.log import Draft, Spot
from autograd_tour.tracer.follow.tracks import Tracks, grad_facts
from autograd_tour.tracer.listen.forward import ForwardRecord, sequence_nr
from autograd_tour.tracer.measure import Recorder
from autograd_tour.tracer.recording import Request, record_of

__all__ = ["MOST_GRAPHS", "BackwardCall", "Deposits", "Graphs", "loss_of", "walk_from"]

MOST_GRAPHS = 6
"""Graphs of different structure that are stored."""

Structure = tuple[int, tuple[str, ...], tuple[tuple[tuple[int, int], ...], ...]]


class BackwardCall:
    """What the program hands to backward: ``outputs``, the gradients they start with, and the call itself.

    ``function`` is torch's own. ``inputs`` are those to which it returns gradients, ``None`` where it
    deposits them; ``result`` is what it returned.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        outputs: Any,
        gradients: Any,
        call: Callable[[], Any],
        retain_graph: bool | None = None,
        create_graph: bool = False,
    ) -> None:
        self.function = function
        self.outputs = _listed(outputs)
        self._given = gradients
        self.call = call
        self.creates_graph = bool(create_graph)
        self.retains_graph = bool(create_graph if retain_graph is None else retain_graph)
        self.inputs: list[Any] | None = None
        self.batched = False
        self.result: Any = None

    @property
    def gradients(self) -> list[Tensor | None]:
        """What each output starts with, ``None`` for 1."""
        given = _listed(self._given)
        return given if len(given) == len(self.outputs) else [None] * len(self.outputs)

    def returns_to(self, inputs: Any, *, batched: bool) -> None:
        """It returns the gradients of ``inputs``; ``batched``: of several starts at once."""
        self.inputs, self.batched = _listed(inputs), bool(batched)

    def run(self) -> None:
        """Run it."""
        self.result = self.call()

    @property
    def returned(self) -> list[tuple[Any, Tensor | None]]:
        """Each input with the gradient that was returned for it; none of a backward that deposits them."""
        return list(zip(self.inputs or (), _listed(self.result), strict=False))

    @property
    def sound(self) -> bool:
        """Whether torch will accept it: what it refuses is not looked at."""
        for output, gradient in zip(self.outputs, self.gradients, strict=True):
            if not isinstance(output, Tensor) or not output.requires_grad:
                return False
            if gradient is None and output.numel() != 1:
                return False
        return bool(self.outputs)

    @property
    def loss(self) -> Tensor | None:
        """The scalar it starts from; ``None`` if it starts from several tensors, or from no scalar."""
        return loss_of(self.outputs)

    def walked(self) -> Skeleton:
        """The graph behind it; to be released."""
        return walk_from(self.outputs)


def walk_from(outputs: Any) -> Skeleton:
    """The graph behind ``outputs``, which may be spent; to be released."""
    return walk(root_of(output)[0] for output in _listed(outputs))


def loss_of(outputs: Any) -> Tensor | None:
    """The scalar that a backward of ``outputs`` starts from, ``None`` if there are several, or no scalar."""
    if isinstance(outputs, Tensor):
        return outputs if outputs.numel() == 1 else None
    listed = _listed(outputs)
    return loss_of(listed[0]) if len(listed) == 1 and isinstance(listed[0], Tensor) else None


def _listed(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return list(value) if isinstance(value, list | tuple) else [value]


class Graphs:
    """The graphs of a run, each structure once."""

    def __init__(self, request: Request, record: ForwardRecord, *, wanted: bool) -> None:
        self.items: list[Graph] = []
        self._request = request
        self._record = record
        self._numbers: dict[Structure, int | None] = {}
        self._most = MOST_GRAPHS if wanted else 0

    def run(
        self, backward: BackwardCall, spot: int, skeleton: Skeleton, leaves: Sequence[Tensor]
    ) -> int | None:
        """Run ``backward``, made at place ``spot``: the number of its graph, ``None`` if it is not stored."""
        structure: Structure = spot, tuple(skeleton.names), tuple(skeleton.next)
        # Of several starts at once the nodes receive what only torch can read.
        if structure in self._numbers or len(self.items) >= self._most or backward.batched:
            backward.run()
            return self._numbers.get(structure)
        own = OwnBackward(backward.gradients, backward.run, list(leaves))
        outputs = [(output, "") for output in backward.outputs]
        self.items.append(record_of(self._request, self._record, outputs, backward=True, own=own))
        self._numbers[structure] = len(self.items) - 1
        return self._numbers[structure]


class Deposits:
    """What a backward does to ``.grad`` of the leaves that are followed."""

    def __init__(self, skeleton: Skeleton, tracks: Tracks, recorder: Recorder) -> None:
        self._recorder = recorder
        self._brought: dict[int, list[TensorFacts | None]] = {}
        self._handles = []
        self._values = [
            (number, track.tensor, recorder.measure(track.tensor), track.tensor._version)
            for number, track in enumerate(tracks.items)
            if not track.tensor.is_inference()
        ]
        self._before: list[tuple[int, Tensor, Tensor | None, int, TensorFacts | None]] = []
        for fn, name in zip(skeleton.fns, skeleton.names, strict=True):
            number = tracks.find(fn.variable) if name == "AccumulateGrad" else -1
            if number >= 0:
                self._handles.append(fn.register_prehook(self._hook(number)))
        for number, track in enumerate(tracks.items):
            grad = track.tensor.grad if track.tensor.is_leaf else None
            version = -1 if grad is None else grad._version
            self._before.append((number, track.tensor, grad, version, grad_facts(track.tensor, recorder)))

    def _hook(self, number: int) -> Callable[[Sequence[Tensor | None]], None]:
        def hook(received: Sequence[Tensor | None]) -> None:
            came = received[0]
            facts = None if came is None else self._recorder.measure(came, gradient=True)
            self._brought.setdefault(number, []).append(facts)

        return hook

    def changes(self) -> list[LeafChange]:
        """The leaves whose ``.grad`` was reached or changed."""
        changes = []
        for number, leaf, grad, version, before in self._before:
            brought = self._brought.get(number)
            now = leaf.grad if leaf.is_leaf else None
            if brought is None and now is grad and (now is None or now._version == version):
                continue
            # Two deposits (a reentrant checkpoint's and the graph's own) have no single contribution.
            contribution = brought[0] if brought is not None and len(brought) == 1 else None
            changes.append(LeafChange(number, before, grad_facts(leaf, self._recorder), contribution))
        return changes

    def note(self, event: Draft, used: Mapping[int, TensorFacts], inside: Sequence[Draft]) -> Iterator[Draft]:
        """Write them to ``event``, the backward; ``inside`` are the events that its hooks told.

        ``used`` has what steps in hooks used. What hooks did besides is in the events that are given: values
        that they changed by hand, and what steps emptied afterwards.
        """
        emptied_in_hooks: dict[int, TensorFacts | None] = {}
        for draft in inside:
            for leaf, zeroing in draft.changes.items() if draft.kind == "zeroing" else ():
                emptied_in_hooks.setdefault(leaf, zeroing.before)
        updated = Draft("update", Spot(), event.backward_call, sequence_nr(), "backward")
        for number, tensor, value, version in self._values:
            if tensor._version == version:
                continue
            changes = [draft.changes.get(number) for draft in inside if draft.kind not in OF_GRAD]
            before = next((change.after for change in reversed(changes) if change is not None), value)
            self._recorder.forget(tensor)
            after = self._recorder.measure(tensor)
            if not same(before, after):
                updated.add(LeafChange(number, before, after))
        emptied = Draft("zeroing", Spot(), event.backward_call, sequence_nr(), "backward")
        for change in self.changes():
            at_step = used.get(change.leaf)
            if change.leaf in emptied_in_hooks:
                there = emptied_in_hooks[change.leaf] if at_step is None else at_step
                if change.contribution is not None or not same(change.before, there):
                    event.add(replace(change, after=there))
                continue
            if at_step is None or change.after is not None:
                event.add(change)
                continue
            event.add(replace(change, after=at_step))
            emptied.add(LeafChange(change.leaf, at_step, None))
        yield from (draft for draft in (updated, emptied) if draft.changes)

    def close(self) -> None:
        """Take the hooks away."""
        for handle in self._handles:
            handle.remove()
