"""What a graph keeps in memory until its backward has run, storage by storage. Plain data, free of torch."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

__all__ = ["Block", "Keeper", "Memory", "ModuleWork", "Owner"]

Owner = Literal["graph", "leaf", "buffer", "input"]
"""Who needs a storage: nobody but the graph, which frees it; or a leaf, a module's buffer, or a tensor that
was there before the program ran, all of which live anyway."""


class Keeper(Struct, frozen=True, gc=False, omit_defaults=True):
    """A line and a module in which an operation keeps a storage.

    ``where`` is the place of the line in ``Graph.source``, ``None`` if it is not known, ``group`` the path of
    the module, ``""`` for none. ``checkpointed``: a checkpoint holds it, to run the forward again.
    """

    where: int | None = None
    group: str = ""
    checkpointed: bool = False


class Block(Struct, frozen=True, gc=False, omit_defaults=True):
    """One storage of ``size`` bytes, however many tensors look at it, and its keepers, the first one first.

    ``name`` is what is in it, as the program calls it, ``made_in`` the path of the module that made it.
    """

    size: int
    keepers: tuple[Keeper, ...]
    owner: Owner = "graph"
    name: str = ""
    made_in: str = ""


class ModuleWork(Struct, frozen=True, gc=False, omit_defaults=True):
    """What it would take to run the forward of the module at ``path``, and all inside it, again.

    ``multiply_adds`` are those of its matrix products, convolutions and attention; ``uncounted``: it runs
    something else of that kind, such as an LSTM or compiled code, which is not counted. ``unkept`` are bytes
    of its inputs that nothing keeps now and that a checkpoint of it would keep.
    """

    path: str
    multiply_adds: int = 0
    uncounted: bool = False
    unkept: int = 0


class Memory(Struct, frozen=True, omit_defaults=True):
    """All that a graph keeps. ``work`` has an entry for each module that ran, and one, ``""``, for the whole.

    ``unseen`` counts saved tensors behind pack hooks of the program, whose memory is not known.
    """

    blocks: tuple[Block, ...] = ()
    work: tuple[ModuleWork, ...] = ()
    unseen: int = 0

    def bytes_of(self, owner: Owner) -> int:
        """Bytes of all storages with that owner."""
        return sum(block.size for block in self.blocks if block.owner == owner)
