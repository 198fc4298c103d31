"""What is known about each node of a skeleton, gathered from the node itself and from the forward pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from typing import Any

import torch
from torch import Tensor

from autograd_tour.record.facts import TensorFacts
from autograd_tour.rules import formulas
from autograd_tour.text import friendly_name
from autograd_tour.tracer.assemble.naming import SourceNames, SourceTitle
from autograd_tour.tracer.assemble.saved import SavedTensorView, read_attributes, read_saved
from autograd_tour.tracer.assemble.walk import Skeleton
from autograd_tour.tracer.listen.calls import CallRecord, Site
from autograd_tour.tracer.listen.forward import ForwardRecord
from autograd_tour.tracer.measure import Recorder, bare, measure_shape

__all__ = ["LARGE", "Draft", "Drafts", "outline", "position", "take_result", "unnamed"]

LARGE = 20_000
"""From this many nodes on only the structure is read: nobody looks at a million saved tensors."""

_NONE: Mapping[str, str] = {}
_RESULTS = frozenset(("result", "output", "result0", "out"))


class Draft:
    """One grad_fn before it becomes a Node.

    ``values`` and ``names`` have one entry per output, ``constants`` are (constant, slot),
    ``texts`` the operands of the label, ``alone`` says that its call made no other node,
    ``makes_result`` that it made what its call returned.
    """

    __slots__ = (
        "alone",
        "attributes",
        "call",
        "constants",
        "expr",
        "makes_result",
        "names",
        "slot_names",
        "texts",
        "values",
        "views",
    )

    def __init__(self, values: tuple[TensorFacts | None, ...], names: tuple[str, ...]) -> None:
        # Nothing here is changed in place: what most nodes lack, all of them share.
        self.values = values
        self.names = names
        self.call: CallRecord | None = None
        self.alone = False
        self.makes_result = False
        self.views: Sequence[SavedTensorView] = ()
        self.attributes: Mapping[str, str] = _NONE
        self.slot_names: tuple[str, ...] = ()
        self.constants: tuple[tuple[int, int], ...] = ()
        self.texts: list[str] | None = None
        self.expr = ""

    def set_output(self, k: int, facts: TensorFacts | None = None, name: str = "") -> None:
        """Note what was learned about output ``k``."""
        if facts is not None:
            self.values = (*self.values[:k], facts, *self.values[k + 1 :])
        if name:
            self.names = (*self.names[:k], name, *self.names[k + 1 :])


class Drafts:
    """The drafts of all nodes of ``skeleton``, in its order."""

    def __init__(
        self,
        skeleton: Skeleton,
        record: ForwardRecord | None,
        recorder: Recorder,
        leaf_names: Mapping[int, str],
        calls: Sequence[CallRecord | None],
    ) -> None:
        self.skeleton = skeleton
        self.record = record
        self.recorder = recorder
        self.leaf_names = leaf_names
        self.titles = SourceNames(record)
        self.thorough = len(skeleton) <= LARGE and recorder.keep != 0
        # A draft says more than a node's own metadata only where there is more to say.
        self.all: Sequence[Draft] = ()
        self.results: dict[int, Draft] = {}
        if self.thorough or record is not None:
            self.all = [self._draft(i, call) for i, call in enumerate(calls)]

    def __getitem__(self, i: int) -> Draft:
        return self.all[i] if self.all else self.results.get(i) or self._draft(i, None)

    def is_leaf(self, i: int) -> bool:
        """Whether node ``i`` is the accumulator of a leaf."""
        return self.skeleton.names[i] == "AccumulateGrad"

    def _draft(self, i: int, call: CallRecord | None) -> Draft:
        fn = self.skeleton.fns[i]
        if self.is_leaf(i):
            leaf = fn.variable
            name = self.leaf_names.get(id(leaf), "")
            draft = Draft((self.recorder.measure(leaf),), (name,))
            draft.expr = name or self.leaf_title(leaf).name
            return draft
        values = outline(fn)
        draft = Draft(values, unnamed(len(values)))
        if self.thorough:
            draft.views = read_saved(fn)
            draft.attributes = dict(read_attributes(fn))
            draft.slot_names = formulas.argument_names(self.skeleton.names[i], len(self.skeleton.next[i]))
        if call is not None:
            draft.call = call
            draft.alone = call.stop - call.start == 1
            if fn._sequence_nr() == call.stop - 1:
                draft.makes_result = True
                _take_outputs(draft, call)
        return draft

    def leaf_title(self, leaf: Tensor) -> SourceTitle:
        """What a leaf is called that has no name."""
        born = self.record.birth(leaf) if self.record is not None else Site()
        kind = "Parameter" if isinstance(leaf, torch.nn.Parameter) else "leaf"
        return self.titles.tensor(id(leaf), born, tuple(leaf.shape), kind)

    def take_output(self, i: int, k: int, tensor: Tensor, name: str = "") -> None:
        """The program returned ``tensor`` as output ``k`` of node ``i``."""
        draft = self.results[i] = self[i]
        if not self.is_leaf(i) and k < len(draft.values):
            known = draft.values[k]
            if known is None or not known.has_values:
                draft.set_output(k, self.recorder.measure(tensor))
            draft.set_output(k, name=draft.names[k] or name)

    def complete_values(self) -> None:
        """Values that composite calls did not show, from what other nodes saved of them."""
        for i, draft in enumerate(self.all):
            for view in draft.views:
                if view.tensor is not None and (home := self.origin(i, view)) is not None:
                    self._offer(*home, view.tensor)
            if self.skeleton.names[i] == "TBackward0":
                # `linear` turns its weight around inside; where that is a leaf, it is at hand.
                j, _ = self.skeleton.next[i][0]
                if j >= 0 and self.is_leaf(j):
                    with torch.no_grad():  # a view of the leaf itself, whose statistics are known
                        self._offer(i, 0, self.skeleton.fns[j].variable.t())

    def _offer(self, i: int, k: int, tensor: Tensor) -> None:
        values = self.all[i].values
        known = values[k] if k < len(values) else None
        if tensor.is_nested or known is None or known.has_values:
            return
        if known.shape == tuple(tensor.shape) and known.dtype == bare(tensor.dtype):
            self.all[i].set_output(k, self.recorder.measure(tensor))

    def origin(self, i: int, view: SavedTensorView) -> tuple[int, int] | None:
        """(node, output) that a saved tensor came from, by the derivative formulas' argument names.

        What a custom Function saved has no such name, but it still knows its own node.
        """
        if view.tensor is not None and hasattr(self.skeleton.fns[i], "_forward_cls"):
            return self._maker(i, view.tensor)
        slot = position(self.all[i].slot_names, view.name)
        if slot < 0:  # the backward of tanh's backward has an argument that is called `output`
            return (i, 0) if view.name in _RESULTS else None
        if slot >= len(self.skeleton.next[i]):
            return None
        j, k = self.skeleton.next[i][slot]
        return (j, k) if j >= 0 else None

    def _maker(self, i: int, tensor: Tensor) -> tuple[int, int] | None:
        for j, k in self.skeleton.next[i]:
            if j >= 0 and self.is_leaf(j) and self.skeleton.fns[j].variable is tensor:
                return j, 0
            if j >= 0 and tensor.grad_fn is self.skeleton.fns[j] and tensor.output_nr == k:
                return j, k
        return (i, tensor.output_nr) if tensor.grad_fn is self.skeleton.fns[i] else None

    def facts(self, i: int, k: int) -> TensorFacts | None:
        """What is known of output ``k`` of node ``i``; ``None`` for a stub."""
        values = self.all[i].values if i >= 0 else ()
        return values[k] if 0 <= k < len(values) else None

    def saved_facts(self, i: int, view: SavedTensorView) -> TensorFacts | None:
        """Facts of a saved tensor: those of its maker if it is unchanged, else measured."""
        if view.tensor is None:
            return None
        home = self.origin(i, view)
        known = self.facts(*home) if home is not None and not view.tensor.is_inference() else None
        unchanged = known is not None and known.has_values and known.version == view.tensor._version
        if unchanged and known is not None and known.shape == tuple(view.tensor.shape):
            return known
        return self.recorder.measure(view.tensor)

    def expr(self, i: int, k: int) -> str:
        """How a label refers to output ``k`` of node ``i``."""
        draft = self.all[i]
        if len(draft.names) > 1:
            name = draft.names[k] if k < len(draft.names) else ""
            function = draft.call.function if draft.call is not None else ""
            return name or f"{function or friendly_name(self.skeleton.names[i])}[{k}]"
        return draft.expr


def _take_outputs(draft: Draft, call: CallRecord) -> None:
    """The last node of a call made its results."""
    if call.one_node_made_all:
        for result, k in enumerate(call.places):
            take_result(draft, k, call, result)


def take_result(draft: Draft, k: int, call: CallRecord, result: int) -> None:
    """Output ``k`` is this result of ``call``; shapes and types must agree before that is believed."""
    facts = call.outputs[result]
    known = draft.values[k] if 0 <= k < len(draft.values) else None
    draft.makes_result = True
    if known is not None and (known.shape, known.dtype) == (facts.shape, facts.dtype):
        draft.set_output(k, facts, call.names[result] if result < len(call.names) else "")


def outline(fn: Any) -> tuple[TensorFacts | None, ...]:
    """Shape and type of each output, which is all that a node knows of them by itself."""
    metadata = fn._input_metadata
    if len(metadata) == 1:
        return _from_metadata(metadata[0])
    return tuple(facts for item in metadata for facts in _from_metadata(item))


def _from_metadata(item: Any) -> tuple[TensorFacts | None]:
    try:
        if item.is_nested_tensor:
            dtype = str(item.dtype).removeprefix("torch.")
            return (TensorFacts((), dtype, str(item.device), "nested", requires_grad=True),)
        return _shape_facts(tuple(item.shape), item.dtype, item.device)
    except (RuntimeError, AttributeError, TypeError):
        return (None,)


@lru_cache(maxsize=4096)
def _shape_facts(shape: torch.Size, dtype: torch.dtype, device: torch.device) -> tuple[TensorFacts | None]:
    """One tuple for all nodes with such an output: a million nodes need only a few."""
    return (measure_shape(shape, dtype, device),)


@cache
def unnamed(count: int) -> tuple[str, ...]:
    """As many names as there are outputs, none of them known."""
    return ("",) * count


def position(names: Sequence[str], name: str) -> int:
    """The place of ``name`` in ``names``, or -1."""
    return names.index(name) if name in names else -1


def strided(tensor: Tensor) -> bool:
    """Whether a tensor has memory of its own to compare places with."""
    return tensor.layout == torch.strided and tensor.numel() > 0
