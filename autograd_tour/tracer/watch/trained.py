"""From what was heard of batches, modes, scalers, checkpoints and Functions to plain evidence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property

from torch import Tensor

from autograd_tour.record.evidence import (
    CustomBackward,
    HookEvidence,
    Mode,
    ModeEvidence,
    Recomputation,
    ScalerEvidence,
    UnequalBatches,
    UnusedParameters,
)
from autograd_tour.record.graph import SourceLine
from autograd_tour.tracer.listen.owned import named_parameters_of
from autograd_tour.tracer.watch.batches import Reduced
from autograd_tour.tracer.watch.customs import UnsteadyError, arguments_of, disagreement, line_of_backward
from autograd_tour.tracer.watch.modes import ModuleCall
from autograd_tour.tracer.watch.places import Places
from autograd_tour.tracer.watch.recomputed import Computed
from autograd_tour.tracer.watch.watch import Watch

__all__ = ["Trained"]

_NEAR = 1e-4


class Trained:
    """What went on in the steps of a training; ``names`` has those of its leaves by their ``id``."""

    def __init__(self, watch: Watch, names: Mapping[int, str]) -> None:
        self.watch = watch
        self.names = names
        self.items = watch.origins.items
        self.line = Places(watch).line

    @cached_property
    def behind(self) -> set[int]:
        """The origins behind all backward calls."""
        return self.watch.origins.ancestors(root.origin for root in self.watch.roots if root.origin >= 0)

    @cached_property
    def used(self) -> set[int]:
        """The origins behind the backward calls whose gradients a step used."""
        roots = [root for n, root in enumerate(self.watch.roots) if n in self.watch.windows.stepped]
        return self.watch.origins.ancestors(root.origin for root in roots if root.origin >= 0)

    # ---- batches ---------------------------------------------------------------------------

    def unequal(self) -> Iterator[UnequalBatches]:
        """Lines whose means had different numbers of elements and one weight, each once."""
        reported: set[int] = set()
        for window in self.watch.windows.closed:
            lines: dict[int, list[Reduced]] = {}
            for item in window:
                maker = self.watch.origins.maker(item.node)
                if maker is not None and maker.spot >= 0:
                    lines.setdefault(maker.spot, []).append(item)
            for spot, items in lines.items():
                if spot not in reported and _are_unequal(items):
                    reported.add(spot)
                    last = self.watch.roots[items[-1].root]
                    sizes = tuple(int(item.elements) for item in items)
                    yield UnequalBatches(self.line(spot), self.line(last.spot), sizes)

    # ---- modes -----------------------------------------------------------------------------

    def modes(self, *, failed: bool) -> Iterator[ModeEvidence]:
        """Modules in a mode that does not fit, each kind of each module once."""
        trained = {id(call.module) for call in self.watch.modes.calls if self.used.intersection(call.results)}
        several: dict[tuple[int, Mode], list[ModuleCall]] = {}
        for call in self.watch.modes.calls:
            if id(call.module) in trained and (mode := self._mode(call, failed=failed)) is not None:
                several.setdefault((id(call.module), mode), []).append(call)
        for (_, mode), calls in several.items():
            first = calls[0]
            at = first.always if mode == "dropout-always" else first.spot
            parts = first.training if mode == "training-in-evaluation" else first.evaluating
            kind = type(first.module).__name__
            yield ModeEvidence(mode, kind, self.line(at), self.line(first.switched), parts, len(calls))

    def _mode(self, call: ModuleCall, *, failed: bool) -> Mode | None:
        trains = bool(self.used.intersection(call.results))
        if trains:
            alone = call.evaluates and call.evaluating and not call.training
            return "evaluation-in-training" if alone else None
        if self.behind.intersection(call.results) or not self._is_read(call):
            return None
        if call.always >= 0:
            return "dropout-always"
        if not call.grads:
            return "training-in-evaluation" if call.training and not call.evaluates else None
        needs = any(self.items[number].needs for number in call.results)
        return "graph-in-evaluation" if needs and call.evaluates and not failed else None

    @cached_property
    def _parents(self) -> set[int]:
        return {parent for origin in self.items for parent in origin.parents}

    @cached_property
    def _checkpoints(self) -> bool:
        """Whether a function was checkpointed: backward reaches its parameters by a graph of its own."""
        return any(origin.checkpointed or origin.function == "CheckpointFunction" for origin in self.items)

    def _is_read(self, call: ModuleCall) -> bool:
        """Whether the program did anything with the result, and did not call it for its side effects."""
        return any(number in self._parents for number in call.results)

    # ---- parameters ------------------------------------------------------------------------

    def unused(self) -> Iterator[UnusedParameters]:
        """Of each module the first call of which a backward did not reach all parameters.

        Those that were reached ever after, from some call on, may have been frozen before, or not been there.
        """
        roots_of: dict[int, list[int]] = {}
        for n, root in enumerate(self.watch.roots):
            if root.look is not None and root.deposits and root.origin >= 0:
                for number in self.watch.origins.ancestors([root.origin]):
                    roots_of.setdefault(number, []).append(n)
        several: dict[int, list[tuple[ModuleCall, list[int], tuple[str, ...]]]] = {}
        for call in self.watch.modes.calls:
            if call.grads and call.results:
                roots = sorted({n for number in call.results for n in roots_of.get(number, ())})
                if roots:
                    several.setdefault(id(call.module), []).append((call, roots, self._missing(call, roots)))
        for calls in several.values():
            last_missing = {name: n for n, (_, _, missing) in enumerate(calls) for name in missing}
            for call, roots, missing in calls:
                names = tuple(
                    name
                    for name in missing
                    if last_missing[name] == len(calls) - 1
                    or any(name not in earlier for _, _, earlier in calls[: last_missing[name]])
                )
                if names:
                    kind, last = type(call.module).__name__, self.watch.roots[roots[-1]]
                    yield UnusedParameters(kind, names, self.line(call.spot), self.line(last.spot))
                    break

    def _missing(self, call: ModuleCall, roots: list[int]) -> tuple[str, ...]:
        looks = [self.watch.roots[n].look for n in roots]
        reached = {id(leaf) for seen in looks if seen is not None for leaf in seen.leaves}
        if self._checkpoints:
            reached |= self.watch.reached.keys()
        parameters = [(name, item) for name, item in named_parameters_of(call.module) if item.requires_grad]
        if not any(id(item) in reached for _, item in parameters):
            return ()
        return tuple(self._name(item) or name for name, item in parameters if id(item) not in reached)

    def _name(self, tensor: Tensor) -> str:
        return self.names.get(id(tensor), "")

    # ---- scalers, checkpoints, hooks, Functions ----------------------------------------------

    def scaler(self) -> Iterator[ScalerEvidence]:
        """Each fault of each line once."""
        for use in {(use.fault, use.spot): use for use in reversed(self.watch.scalers.uses)}.values():
            root = self.watch.roots[use.root] if use.root < len(self.watch.roots) else None
            yield ScalerEvidence(use.fault, self.line(use.spot), self.line(root.spot) if root else None)

    def recomputed(self, *, failed: bool) -> Recomputation | None:
        """Where a checkpointed function first differed."""
        difference = self.watch.checkpoints.difference(failed=failed)
        if difference is None:
            return None
        first, again = difference.first, difference.again
        return Recomputation(
            first.function if first else "",
            again.function if again else "",
            self._line_of(first),
            self._line_of(again),
            (first.shape if first else "", again.shape if again else ""),
            difference.values,
            difference.reentrant,
        )

    def _line_of(self, call: Computed | None) -> SourceLine | None:
        return self.line(call.spot) if call is not None else None

    def hooks(self) -> Iterator[HookEvidence]:
        """The hooks on tensors, each line once."""
        for number, spot in dict.fromkeys(self.watch.hooks):
            origin, line = self.items[number], self.line(spot)
            if line is not None:
                yield HookEvidence(line, self.line(origin.spot))

    def customs(self) -> Iterator[CustomBackward]:
        """The custom Functions whose backward disagrees with differences."""
        for applied in self.watch.customs.applied.values():
            try:
                apart = disagreement(applied)
            except UnsteadyError:
                self.watch.customs.unsteady.append(applied.function.__name__)
                continue
            if apart is not None:
                yield CustomBackward(
                    applied.function.__name__,
                    self.line(applied.spot),
                    line_of_backward(applied.function),
                    *apart,
                    *arguments_of(applied),
                )


def _are_unequal(items: list[Reduced]) -> bool:
    """Whether batches of different sizes count the same as a whole."""
    sizes = {item.elements for item in items}
    by_root = {item.root for item in items}
    if len(sizes) < 2 or len(by_root) != len(items):
        return False  # several means of one line in one backward: which belongs to which is not known
    first = items[0].weight
    return bool(first) and all(abs(item.weight - first) <= _NEAR * abs(first) for item in items)
