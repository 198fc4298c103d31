"""Memory that was freed, given back to the system; and what stands in cycles, freed."""

from __future__ import annotations

import ctypes
import gc
import sys

__all__ = ["free_cycles", "give_back"]


def free_cycles() -> None:
    """Free young objects that stand in cycles, with the weak references of ours among them.

    ``torch.utils.swap_tensors``, which the program may call next, refuses a tensor to which one leads.
    """
    gc.collect(1)


def give_back() -> None:
    """Give what C has freed back to the system, where its library can be asked for it (glibc).

    By itself it gives back only what lies at the end of its heap, and Python's objects never take the room
    of a freed graph: for the peak of the process that graph would still be there.
    """
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
