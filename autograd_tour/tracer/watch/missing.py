"""Leaves to which no backward brought a gradient, and why: what became of them, also past torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from inspect import unwrap

from msgspec.structs import replace
from torch import Tensor
from torch.nn import Module, Sequential

from autograd_tour.record.evidence import CutPoint, LeafEvidence
from autograd_tour.tracer.listen.frames import home
from autograd_tour.tracer.listen.owned import parameters_of
from autograd_tour.tracer.watch.heard import Stepped
from autograd_tour.tracer.watch.origins import Origin
from autograd_tour.tracer.watch.places import Places
from autograd_tour.tracer.watch.watch import Watch

__all__ = ["MissingGradients"]

MOST_LEAVES = 40
"""Leaves without a gradient that are told."""
_ALIASES = frozenset({"data", "detach"})
_OF_NUMBERS = frozenset({"tensor", "as_tensor", "asarray", "full", "full_like", "scalar_tensor", "fill"})
"""Functions that make a tensor of numbers."""


class MissingGradients:
    """The leaves of a program that has ended. ``names`` has those of leaves by their ``id``.

    ``deposited`` are names of leaves that got a gradient as the record tells.
    """

    def __init__(self, watch: Watch, names: Mapping[int, str], deposited: Set[str]) -> None:
        self.watch = watch
        self.names = names
        self.deposited = deposited
        self.items = watch.origins.items
        self.places = Places(watch)
        self.behind = watch.origins.ancestors(root.origin for root in watch.roots if root.origin >= 0)
        self._holders = {
            id(parameter): stepped
            for stepped in watch.steppers.first.values()
            for parameter in stepped.parameters
        }

    def leaves(self) -> Iterator[LeafEvidence]:
        """Each of them, with what became of it."""
        if not self.watch.roots or self.watch.failed is not None:
            return
        roots = self.watch.record.modules.roots.values()
        wanted: dict[int, Tensor] = {id(item): item for _, root in roots for item in parameters_of(root)}
        for stepped in self.watch.steppers.first.values():
            wanted |= {id(parameter): parameter for parameter in stepped.parameters}
        wanted |= self.watch.leaves
        missing = [leaf for key, leaf in wanted.items() if key not in self.watch.reached]
        for leaf in missing[:MOST_LEAVES]:
            evidence = self._replaced(leaf) or self._leaf(leaf)
            if evidence is not None:
                yield replace(evidence, package=self._package(leaf))

    def _package(self, leaf: Tensor) -> str:
        """The package of the innermost module around ``leaf`` of which other parameters got a gradient."""
        for _, outermost in self.watch.record.modules.roots.values():
            path = next((path for path, item in outermost.named_parameters() if item is leaf), "")
            while path:
                path = path.rpartition(".")[0]
                module = outermost.get_submodule(path)
                forward = type(module).forward
                if forward in (Module.forward, Sequential.forward):
                    continue  # its parts decide, or whoever calls them
                if any(id(item) in self.watch.reached for item in parameters_of(module)):
                    code = getattr(unwrap(forward), "__code__", None)
                    return home(code.co_filename) if code is not None else ""
        return ""

    def _replaced(self, leaf: Tensor) -> LeafEvidence | None:
        """Of a parameter that the optimizer holds and its model does not have any more."""
        stepped = self._holders.get(id(leaf))
        replaced = self.watch.replacements.of(leaf)
        if stepped is None or replaced is None:
            return None
        birth = self.places.line(self.watch.replacements.births.get(stepped.optimizer, -1))
        name = self.names.get(id(replaced.successor), "") or replaced.name
        line = self.places.line(replaced.spot)
        return LeafEvidence(name, "replaced", None, line, stepped.name, birth=birth)

    def _leaf(self, leaf: Tensor) -> LeafEvidence | None:
        stepped = self._holders.get(id(leaf))
        holder = stepped.name if stepped is not None else ""
        name = self.names.get(id(leaf), "")
        if leaf.requires_grad and (leaf.grad is not None or name in self.deposited):
            return None  # inside a checkpoint, for instance
        if not name and stepped is not None:
            name = _place_in(stepped, leaf)
        if not leaf.requires_grad:
            return LeafEvidence(name, "frozen", optimizer=holder) if holder else None
        if not self.watch.origins.known(leaf):
            return LeafEvidence(name, "unused", optimizer=holder)
        if not name:
            return None  # torch's own, or one that the program has dropped
        number = self.watch.origins.number(leaf)
        trail = self.watch.origins.descendants(number)
        last = self.places.line(self.items[max(trail)].spot)
        cuts = list(self.watch.origins.cuts(trail & self.behind))
        if not holder and (write := self._copied_into(number, trail)) is not None:
            return LeafEvidence(name, "copy", None, self.places.line(write.spot))
        if cuts:
            return LeafEvidence(name, "cut", self.places.point(self.items[cuts[0]]), last, holder)
        if (point := self._left(trail)) is not None:
            reason = "cut" if self._came_back(trail) or point.kind == "written" else "left"
            return LeafEvidence(name, reason, point, last, holder)  # type: ignore[arg-type]
        return LeafEvidence(name, "unused" if len(trail) == 1 else "beside", None, last, holder)

    # ---- what became of it -----------------------------------------------------------------

    def _copied_into(self, number: int, trail: Set[int]) -> Origin | None:
        """The last call that wrote into the leaf, without gradients, what was computed from other leaves."""
        writes: list[Origin] = []
        own = number
        while (origin := self.items[own]).writes and origin.parents:
            writes.append(origin)
            own = origin.parents[0]
        through = (n for n in sorted(trail, reverse=True) if number in self._written_through(n))
        writes += [self.items[n] for n in through if self.items[n].writes]
        live = (origin for origin in writes if sum(self.items[n].live for n in origin.parents) > 1)
        return next(live, None)

    def _written_through(self, number: int) -> Iterator[int]:
        """The tensors into whose memory an in-place call wrote through ``.data`` or ``detach()``."""
        alias = False
        while self.items[number].parents:
            alias = alias or self.items[number].function in _ALIASES
            number = self.items[number].parents[0]
            if alias:
                yield number

    def _left(self, trail: Set[int]) -> CutPoint | None:
        """Where what was computed from it left torch, if nothing more was computed after that."""
        for number in sorted(trail):
            if self.items[number].writes and not self.behind.isdisjoint(self._written_through(number)):
                return CutPoint("written", "data", self.places.line(self.items[number].spot))
        escapes = [item for item in self.watch.escapes if item.parent in trail]
        if not escapes:
            return None
        before = [item for item in escapes if item.moment <= self._born]
        if not before and escapes[-1].moment <= max(trail):
            return None
        return self.places.point_of_escape((before or escapes)[-1])

    @property
    def _born(self) -> int:
        """The last tensor in a loss that was made of numbers."""
        return max((n for n in self.behind if self._is_of_numbers(self.items[n])), default=-1)

    def _is_of_numbers(self, origin: Origin) -> bool:
        return origin.function in _OF_NUMBERS and not origin.parents

    def _came_back(self, trail: Set[int]) -> bool:
        """Whether a loss has a tensor that was made of numbers after some of this leaf had left torch."""
        return any(item.parent in trail and item.moment <= self._born for item in self.watch.escapes)


def _place_in(stepped: Stepped, leaf: Tensor) -> str:
    """What a parameter is called that no model in sight has: its place in the optimizer."""
    position = next(n for n, item in enumerate(stepped.parameters) if item is leaf)
    shape = " × ".join(map(str, leaf.shape)) or "a scalar"
    return f"parameter {position + 1} of {stepped.name} ({shape})"
