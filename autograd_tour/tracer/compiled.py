"""What ``torch.compile`` makes: the memory that its backward may give away, and what it must leave alone.

Compiled code may write its results over what it saved for backward ("donated buffers"), and then refuses a
backward that retains the graph. Every backward of a trace does.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch._guards import _TLS as _THREAD

__all__ = ["donates", "is_compiling", "never_compiled", "no_donation"]


def never_compiled(*functions: Any) -> None:
    """``functions`` of ours, and what they call, are run as they are in the midst of what is compiled too.

    ``torch.compile`` looks at every function that runs between the pieces that it compiled. It may still go
    through these when it compiles one that calls them; they then have to ask ``is_dynamo_compiling()``.
    """
    dynamo: Any = torch._C._dynamo.eval_frame
    if not hasattr(dynamo, "set_code_exec_strategy"):
        return  # an older torch has no word for it: ours is compiled too, which costs time
    skip = dynamo._FrameExecStrategy(dynamo._FrameAction.SKIP, dynamo._FrameAction.SKIP)
    for function in functions:
        dynamo.set_code_exec_strategy(function.__code__, skip)


def is_compiling() -> bool:
    """Whether ``torch.compile`` works now: what runs then is its own way to find out what to make."""
    # `TracingContext.try_get()` without the AttributeError that it lets Python make, and drops, in a thread
    # that has compiled nothing: this is asked before every backward.
    return vars(_THREAD).get("tracing_context") is not None


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
