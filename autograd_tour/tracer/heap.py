"""Memory that was freed, given back to the system; and what stands in cycles, freed."""

from __future__ import annotations

import ctypes
import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["cycles_freed", "free_cycles", "give_back"]


@contextmanager
def cycles_freed() -> Iterator[None]:
    """What is made inside and stands in cycles is freed at the end, with weak references of ours among it.

    ``torch.utils.swap_tensors``, which the program may call next, refuses a tensor to which one leads. As no
    collection makes them older, it is enough to go through the youngest objects.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
        gc.collect(0)
    finally:
        if enabled:
            gc.enable()


def free_cycles() -> None:
    """The same of all objects, where many runs were made."""
    gc.collect()


def give_back() -> None:
    """Give what C has freed back to the system, where its library can be asked for it (glibc).

    By itself it gives back only what lies at the end of its heap, and Python's objects never take the room
    of a freed graph: for the peak of the process that graph would still be there.
    """
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
