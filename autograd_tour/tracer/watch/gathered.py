"""From what was watched to plain evidence: every spot becomes a line, every tensor a name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set

from autograd_tour.record.evidence import (
    Conflict,
    CutPoint,
    Evidence,
    Failure,
    FreedNode,
    KeptGraph,
    NonLeafRead,
    OptimizerEvidence,
)
from autograd_tour.record.graph import SourceLine
from autograd_tour.tracer.listen.owned import parameters_of, unregistered_leaves_of
from autograd_tour.tracer.watch.heard import Escape, Root, Stepped
from autograd_tour.tracer.watch.missing import MissingGradients
from autograd_tour.tracer.watch.places import ARRAYS
from autograd_tour.tracer.watch.trained import Trained
from autograd_tour.tracer.watch.watch import Watch

__all__ = ["gathered"]


def gathered(
    watch: Watch, names: Mapping[int, str], failure: Failure | None, deposited: Set[str] = frozenset()
) -> Evidence:
    """All evidence of a program that has ended; ``names`` has those of its leaves by their ``id``.

    ``deposited`` are names of leaves that got a gradient as the record tells.
    """
    return _Gathering(watch, names, deposited).evidence(failure)


class _Gathering:
    def __init__(self, watch: Watch, names: Mapping[int, str], deposited: Set[str]) -> None:
        self.watch = watch
        self.names = names
        self.missing = MissingGradients(watch, names, deposited)
        self.places = self.missing.places
        self.line = self.places.line
        self.items = watch.origins.items
        self.behind = self.missing.behind

    def evidence(self, failure: Failure | None) -> Evidence:
        loss = self._gradless()
        cuts, frozen = self._cuts_of(loss) if loss is not None else ((), 0)
        switched = next(
            (self.line(spot) for number, spot in self.watch.switched if number in self.behind), None
        )
        failed = self.watch.failed if failure is not None else None
        trained = Trained(self.watch, self.names)
        return Evidence(
            failure,
            loss is not None,
            self.line(loss.spot) or self._made_at(loss) if loss is not None else None,
            cuts,
            frozen,
            switched,
            () if loss is not None else tuple(self.missing.leaves()),
            tuple(self._conflicts(failed)),
            self._freed(failed),
            tuple(self._optimizers()),
            tuple(self._reads()),
            tuple(self._kept()),
            tuple(self._clipped_nothing()),
            len(self.watch.roots),
            tuple(trained.unequal()),
            tuple(trained.modes(failed=failure is not None)),
            tuple(trained.unused()) if failure is None or "finished reduction" in failure.text else (),
            tuple(trained.scaler()),
            trained.recomputed(failed=failure is not None and "torch.utils.checkpoint" in failure.text),
            tuple(trained.hooks()),
            tuple(trained.customs()),
            tuple(dict.fromkeys(self._unheld())),
        )

    # ---- a loss without a gradient ---------------------------------------------------------

    def _gradless(self) -> Root | None:
        """The first backward whose loss needs no gradient, or was only told to require one."""
        switched = {number for number, _ in self.watch.switched}
        for root in self.watch.roots:
            if root.origin >= 0 and (not self.items[root.origin].needs or root.origin in switched):
                return root
        return None

    def _made_at(self, root: Root) -> SourceLine | None:
        return self.line(self.items[root.origin].spot)

    def _cuts_of(self, root: Root) -> tuple[tuple[CutPoint, ...], int]:
        behind = self.watch.origins.ancestors([root.origin])
        cuts = list(self.watch.origins.cuts(behind))
        if cuts:  # integers are cut off in sound programs too, as the actions that a policy draws
            return tuple(sorted(self._points(cuts), key=lambda point: point.kind == "integer")), 0
        escapes = self._escapes(behind)
        if escapes:
            return tuple(dict.fromkeys(self.places.point_of_escape(item) for item in escapes)), 0
        frozen = sum(not parameter.requires_grad for _, parameter in self.watch.record.modules.parameters())
        return (), frozen

    def _points(self, cuts: Iterable[int]) -> tuple[CutPoint, ...]:
        """The cuts, those of one line and kind once."""
        return tuple(dict.fromkeys(self.places.point(self.items[number]) for number in cuts))

    def _escapes(self, behind: Iterable[int]) -> list[Escape]:
        """Values that left torch before a tensor was made from none: the last of them that may be in it."""
        born = [n for n in behind if not self.items[n].parents and not self.items[n].needs]
        computed = max((n for n in born if self.items[n].function), default=-1)
        unheard = max(born, default=-1)  # torch.from_numpy is heard by no mode
        before = [
            item
            for item in self.watch.escapes
            if item.moment <= (unheard if item.function in ARRAYS else computed)
        ]
        return before[-1:]

    # ---- saved, changed, freed -------------------------------------------------------------

    def _conflicts(self, failed: Root | None) -> Iterator[Conflict]:
        pairs = [(root, item) for root in self.watch.roots if root.look is not None
                 for item in root.look.conflicts if item.silent or root is failed]  # fmt: skip
        for root, item in pairs:
            function, made_at = self._maker(item.number)
            yield Conflict(
                item.grad_fn,
                item.name,
                function,
                made_at,
                item.call,
                self.line(item.spot),
                self.line(root.spot),
                item.silent,
            )

    def _maker(self, number: int) -> tuple[str, SourceLine | None]:
        """The function that made the node with this number, and its line."""
        maker = self.watch.origins.maker(number)
        if maker is not None:
            return maker.function, self.line(maker.spot)
        call = self.watch.record.maker(number)  # a custom Function is heard by what its forward calls
        return (call.function, self.line(call.site.spot)) if call is not None else ("", None)

    def _freed(self, failed: Root | None) -> FreedNode | None:
        if failed is None or failed.look is None or not failed.look.freed:
            return None
        name, number = failed.look.freed[-1]
        before = self.watch.freed.get(number)
        earlier = self.watch.roots[before] if before is not None else None
        return FreedNode(
            name,
            self._maker(number)[1],
            self.line(earlier.spot) if earlier is not None else None,
            self.line(failed.spot),
            before is not None and failed.computed > before,
            earlier is not None and earlier.origin == failed.origin,
            failed.spot < 0,
        )

    # ---- optimizers, reads, sums -----------------------------------------------------------

    def _optimizers(self) -> Iterator[OptimizerEvidence]:
        held = {id(item) for stepped in self.watch.steppers.first.values() for item in stepped.parameters}
        elsewhere = sum(key not in held for key in self.watch.reached)
        for stepped in self.watch.steppers.first.values():
            reached = sum(id(item) in self.watch.reached for item in stepped.parameters)
            shared, other = self._shared(stepped)
            yield OptimizerEvidence(
                stepped.name,
                self.line(stepped.spot),
                len(stepped.parameters),
                reached,
                elsewhere,
                shared,
                other,
                tuple(dict.fromkeys(self._unregistered(stepped, held))),
            )

    def _unheld(self) -> Iterator[str]:
        """Parameters of models that got gradients, where optimizers step and none of them holds these."""
        first = self.watch.steppers.first.values()
        held = {id(item) for stepped in first for item in stepped.parameters}
        for path, parameter in self.watch.record.modules.parameters() if held else ():
            if id(parameter) in self.watch.reached and id(parameter) not in held:
                yield self.names.get(id(parameter), "") or path

    def _unregistered(self, stepped: Stepped, held: Set[int]) -> Iterator[str]:
        """Leaves of the models of which an optimizer holds parameters that it, and any other, cannot know."""
        mine = {id(item) for item in stepped.parameters}
        for _, root in self.watch.record.modules.roots.values():
            if any(id(parameter) in mine for parameter in parameters_of(root)):
                for path, leaf in unregistered_leaves_of(root):
                    if id(leaf) in self.watch.reached and id(leaf) not in held:
                        yield self.names.get(id(leaf), "") or path

    def _shared(self, stepped: Stepped) -> tuple[int, SourceLine | None]:
        """How many parameters an optimizer before it holds too that steps again after it, and where."""
        turns = self.watch.steppers.turns
        mine = {id(item) for item in stepped.parameters}
        first = turns.index(stepped.optimizer) if stepped.optimizer in turns else len(turns)
        for key in dict.fromkeys(turns[:first]):
            shared = sum(id(item) in mine for item in self.watch.steppers.first[key].parameters)
            if shared and key in turns[first:]:
                return shared, self.line(self.watch.steppers.first[key].spot)
        return 0, None

    def _reads(self) -> Iterator[NonLeafRead]:
        for number, spot in dict.fromkeys(self.watch.reads):
            origin = self.items[number]
            yield NonLeafRead(self.line(spot), self.line(origin.spot), origin.function)

    def _clipped_nothing(self) -> Iterator[SourceLine]:
        """Lines that found no gradient to clip before any of the backward calls."""
        moments: dict[int, set[int]] = {}
        for spot, moment in self.watch.clipped_nothing:
            moments.setdefault(spot, set()).add(moment)
        for spot, before in moments.items():
            line = self.line(spot)
            if line is not None and len(before & set(range(len(self.watch.roots)))) == len(self.watch.roots):
                yield line

    def _kept(self) -> Iterator[KeptGraph]:
        calls: dict[int, set[int]] = {}
        for number, origin in enumerate(self.items):
            if not origin.needs or origin.spot < 0 or origin.stop == origin.start or number in self.behind:
                continue
            for parent in origin.parents:
                before = self.items[parent]
                if (
                    before.spot == origin.spot
                    and origin.direct  # else a library computes much at this one line
                    and before.needs
                    and before.start < before.stop <= origin.start
                    and before.backwards < origin.backwards
                ):
                    calls.setdefault(origin.spot, {before.backwards}).add(origin.backwards)
        for spot, moments in calls.items():
            if (line := self.line(spot)) is not None:
                yield KeptGraph(line, len(moments), *self.watch.growth.kept.get(spot, (None, None)))
