"""What the passes start from: the walked graph and what was heard of the program that made it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from torch import Tensor
from torch._C._functorch import is_functorch_wrapped_tensor as is_wrapped

from autograd_tour.tracer.assemble.attribution import attribute
from autograd_tour.tracer.assemble.walk import Skeleton
from autograd_tour.tracer.listen.calls import CallRecord, Constant
from autograd_tour.tracer.listen.forward import ForwardRecord
from autograd_tour.tracer.measure import Recorder

__all__ = ["LARGE", "Material", "Result"]

LARGE = 20_000
"""From this many nodes on only the structure is read: nobody looks at a million saved tensors."""


class Result(NamedTuple):
    """A tensor that the program returned: output ``slot`` of node ``node``, and its name if it has one."""

    node: int
    slot: int
    tensor: Tensor
    name: str


@dataclass(frozen=True, slots=True)
class Material:
    """``calls`` has the call that made each node of ``skeleton``, ``None`` where it is not known.

    It is empty where only the structure is read. ``earlier`` are results that were there before the program
    ran, and that it has a name for. ``leaf_names`` is by ``id`` of the leaf. Nodes are
    spoken of by their index in ``skeleton``, constants by their index in ``record.constants``.
    """

    skeleton: Skeleton
    record: ForwardRecord | None
    recorder: Recorder
    leaf_names: Mapping[int, str]
    calls: Sequence[CallRecord | None]
    results: Sequence[Result]
    earlier: Sequence[Result] = ()

    @classmethod
    def gather(
        cls,
        skeleton: Skeleton,
        record: ForwardRecord | None,
        recorder: Recorder,
        leaf_names: Mapping[int, str],
        results: Iterable[Result],
        spaces: Iterable[Mapping[str, Any]] = (),
    ) -> Material:
        """The material, with the calls attributed to the nodes; ``spaces`` are the program's surroundings."""
        results = tuple(results)
        material = cls(skeleton, record, recorder, leaf_names, (), results)
        if material.structure_only:
            return material
        calls = attribute(skeleton, record, [(result.node, result.tensor) for result in results])
        if record is not None:
            record.settle(calls)
        unheard = {
            id(fn): i
            for i, (fn, call) in enumerate(zip(skeleton.fns, calls, strict=True))
            if call is None and not material.is_leaf(i)
        }
        earlier = tuple(_earlier(unheard, spaces)) if unheard and record is not None else ()
        return replace(material, calls=calls, earlier=earlier)

    def __len__(self) -> int:
        return len(self.skeleton)

    @property
    def thorough(self) -> bool:
        """Whether saved tensors and local rules are read too."""
        return len(self.skeleton) <= LARGE and self.recorder.keep != 0

    @property
    def structure_only(self) -> bool:
        """Whether nothing is known but the graph itself: there may be a million nodes."""
        return not self.thorough and self.record is None

    def is_leaf(self, i: int) -> bool:
        """Whether node ``i`` is the accumulator of a leaf."""
        return self.skeleton.names[i] == "AccumulateGrad"

    def constant(self, number: int) -> Constant:
        """The constant with that number."""
        assert self.record is not None
        return self.record.constants[number]

    def line(self, spot: int) -> int | None:
        """The number of the source line with a place of the program."""
        return self.record.sites.spots.line(spot) if self.record is not None else None

    def constant_name(self, number: int) -> str:
        """Its name in the program, or its path if it is a module's buffer."""
        constant = self.constant(number)
        return constant.name or self.leaf_names.get(id(constant.ref()), "")

    def makes_result(self, i: int) -> bool:
        """Whether node ``i`` is the last that its call made, and so made its result."""
        call = self.calls[i]
        if call is None or call.second_order or self.is_leaf(i):
            return False
        number: int = self.skeleton.fns[i]._sequence_nr()
        return number == call.stop - 1

    def group(self, i: int) -> str:
        """The path of the module in which node ``i`` was made."""
        call = self.calls[i]
        return self.record.modules.path(call.group) if call is not None and self.record is not None else ""

    def scope(self, i: int) -> int | None:
        """The number of the call of a function in which node ``i`` was made."""
        call = self.calls[i]
        return self.record.runs.number(call.run) if call is not None and self.record is not None else None

    def home_of_constant(self, number: int) -> tuple[str, int | None]:
        """The module that has a constant as a buffer, or made it, and the call of a function that made it."""
        assert self.record is not None
        constant, modules = self.constant(number), self.record.modules
        buffer = self.leaf_names.get(id(constant.ref()), "")
        group = buffer.rpartition(".")[0] or modules.path(constant.group)
        return group, self.record.runs.number(constant.run)


def _earlier(unheard: Mapping[int, int], spaces: Iterable[Mapping[str, Any]]) -> Iterator[Result]:
    """Tensors in ``spaces`` that nodes made of which no call was heard; of several names the first counts."""
    seen: set[tuple[int, int]] = set()
    for space in spaces:
        for name, value in list(space.items()):
            if not isinstance(value, Tensor) or is_wrapped(value) or value.grad_fn is None:
                continue
            output = unheard.get(id(value.grad_fn), -1), value.output_nr
            if output[0] >= 0 and output not in seen:
                seen.add(output)
                yield Result(*output, value, name)
