"""What the graph keeps in memory until its backward: every storage once, with the lines that keep it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import torch
from msgspec.structs import replace
from torch import Tensor

from autograd_tour.record.memory import Block, Keeper, Memory, Owner
from autograd_tour.tracer.assemble.kept import Kept
from autograd_tour.tracer.assemble.material import Material
from autograd_tour.tracer.assemble.readings import Reading
from autograd_tour.tracer.assemble.saved import SavedTensorView
from autograd_tour.tracer.assemble.storages import (
    Storage,
    held_by_checkpoint,
    held_by_ctx,
    raw_tensor,
    storages_of,
)
from autograd_tour.tracer.assemble.titles import Titles
from autograd_tour.tracer.assemble.values import Values
from autograd_tour.tracer.assemble.work import Work, base_of

__all__ = ["kept_memory", "with_lines"]


NUMBER = 16
"""Bytes of the largest Python number that torch wraps as a tensor."""


@dataclass
class _Entry:
    size: int
    owner: Owner
    name: str
    made_in: str
    keepers: dict[Keeper, None] = field(default_factory=dict)


def kept_memory(
    material: Material,
    readings: Sequence[Reading],
    values: Values,
    kept: Sequence[Sequence[Kept]],
    titles: Titles,
    before: Iterable[Tensor],
) -> Memory | None:
    """The memory of the graph, ``None`` where it was not read, or nobody heard how the graph came about.

    ``Keeper.where`` is a spot yet: :func:`with_lines` makes it a line.
    """
    if not material.thorough or material.record is None:
        return None
    with torch._C.DisableTorchFunction(), torch.no_grad():
        search = _Search(material, titles, before)
        for i, reading in enumerate(readings):
            search.read(i, reading, kept[i])
        blocks = tuple(
            Block(entry.size, tuple(entry.keepers), entry.owner, entry.name, entry.made_in)
            for entry in search.entries.values()
        )
        work = Work(material, values).of_modules(search.origins, _produced(material, search))
    return Memory(blocks, work, search.unseen)


def with_lines(memory: Memory | None, material: Material) -> Memory | None:
    """``memory`` with lines where it has spots; made when the nodes have theirs, whose order it keeps."""
    if memory is None:
        return None
    blocks = tuple(
        replace(block, keepers=tuple(dict.fromkeys(_with_line(keeper, material) for keeper in block.keepers)))
        for block in memory.blocks
    )
    return replace(memory, blocks=blocks)


def _with_line(keeper: Keeper, material: Material) -> Keeper:
    return keeper if keeper.where is None else replace(keeper, where=material.line(keeper.where))


def _produced(material: Material, search: _Search) -> frozenset[tuple[int, int]]:
    """The outputs of nodes whose memory something keeps, behind all views of them."""
    return frozenset(base_of(material, *origin) for origin in search.origins)


class _Search:
    """All storages by address, in the order in which nodes keep them."""

    def __init__(self, material: Material, titles: Titles, before: Iterable[Tensor]) -> None:
        assert material.record is not None
        self.material, self.titles = material, titles
        self.entries: dict[int, _Entry] = {}
        self.origins: set[tuple[int, int]] = set()
        self.unseen = 0
        self._checkpoints: set[int] = set()
        self._owners: dict[int, Owner] = {}
        models = [root for _, root in material.record.modules.roots.values()]
        buffers = [buffer for model in models for buffer in model.buffers()]
        leaves = [*material.skeleton.leaves(), *(p for _, p in material.record.modules.parameters())]
        given = [item.ref() for item in material.record.constants if item.given]
        inputs = [*before, *(tensor for tensor in given if tensor is not None)]
        groups: tuple[tuple[Owner, Iterable[Tensor]], ...] = (
            ("input", inputs),
            ("buffer", buffers),
            ("leaf", leaves),
        )
        for owner, tensors in groups:
            self._owners |= {item.address: owner for tensor in tensors for item in storages_of(tensor)}

    def read(self, i: int, reading: Reading, kept: Sequence[Kept]) -> None:
        """Note what node ``i`` keeps."""
        fn = self.material.skeleton.fns[i]
        sources = {item.name: item for item in kept}
        for view in reading.saved:
            if view.state == "recomputed":
                self._checkpoint(i, view)
            elif view.state == "hooked":
                self.unseen += 1
            elif view.state in ("kept", "modified"):
                tensor = view.tensor if view.tensor is not None else raw_tensor(fn, view)
                source = sources.get(view.name)
                if tensor is not None:
                    self._note(i, tensor, source)
        for tensor in held_by_ctx(fn):
            self._note(i, tensor, None)

    def _checkpoint(self, i: int, view: SavedTensorView) -> None:
        earlier, seen = frozenset(self._checkpoints), False
        for checkpoint, tensor in held_by_checkpoint(self.material.skeleton.fns[i], view):
            seen = True
            if checkpoint not in earlier:
                self._checkpoints.add(checkpoint)
                self._note(i, tensor, None, checkpointed=True)
        self.unseen += not seen

    def _note(self, i: int, tensor: Tensor, source: Kept | None, *, checkpointed: bool = False) -> None:
        call = self.material.calls[i]
        spot = call.site.spot if call is not None and call.site.spot >= 0 else None
        keeper = Keeper(spot, self.material.group(i), checkpointed)
        for storage in storages_of(tensor):
            if not storage.size:
                continue
            if storage.address not in self.entries:
                self.entries[storage.address] = self._entry(i, storage, source, checkpointed)
            self.entries[storage.address].keepers[keeper] = None
        if source is not None and source.node >= 0:
            self.origins.add((source.node, source.output))

    def _entry(self, i: int, storage: Storage, source: Kept | None, checkpointed: bool) -> _Entry:
        material = self.material
        owner: Owner = self._owners.get(storage.address, "graph")
        if source is not None and source.node >= 0:
            maker = base_of(material, source.node, source.output)[0]
            return _Entry(storage.size, owner, self.titles.nodes[source.node].op, material.group(maker))
        if source is not None and source.constant >= 0:
            title = self.titles.constants.get(source.constant)
            home = material.home_of_constant(source.constant)[0]
            return _Entry(storage.size, owner, title.op if title is not None else "", home)
        name = "" if checkpointed else self.titles.nodes[i].op
        # A number that torch wrapped as a tensor goes past all hooks: no checkpoint lets go of it.
        outside = checkpointed or storage.size <= NUMBER
        return _Entry(storage.size, owner, name, "" if outside else material.group(i))
