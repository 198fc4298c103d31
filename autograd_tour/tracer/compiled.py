"""What ``torch.compile`` makes: the memory that its backward may give away.

Compiled code may write its results over what it saved for backward ("donated buffers"), and then refuses a
backward that retains the graph. Every backward of a trace does.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["donates", "no_donation"]


@contextmanager
def no_donation() -> Iterator[None]:
    """What is compiled in here gives no buffer away, and what was so compiled is believed it."""
    from torch._functorch import config

    switch: Any = config
    # Not its own `patch`, which must end in the context (of asyncio, say) in which it began.
    before, switch.donated_buffer = switch.donated_buffer, False
    try:
        yield
    finally:
        switch.donated_buffer = before


def donates(fn: Any) -> bool:
    """Whether the node ``fn`` runs code that was compiled before, and gives buffers away."""
    metadata = getattr(getattr(fn, "_forward_cls", None), "metadata", None)
    return bool(getattr(metadata, "bw_donated_idxs", None))
