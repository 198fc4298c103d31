"""Where the program stands when something is heard, and what it called there."""

from __future__ import annotations

from types import FrameType

from autograd_tour.tracer.follow.log import Spot
from autograd_tour.tracer.listen.forward import ForwardRecord

__all__ = ["is_clipping", "spot_of"]

_WRAPPERS = frozenset(
    {"wrapper", "_no_grad_wrapper", "decorate_context", "_use_grad", "inner", "_fn", "wrapped"}
)
_ALIASES = {"_clip_grads_with_norm_": "clip_grads_with_norm_"}
"""Public names of torch's functions that are defined under private ones."""

_CLIPPING = "torch.nn.utils.clip_grad"
"""The module whose functions clip gradients."""


def spot_of(frame: FrameType | None, record: ForwardRecord) -> Spot:
    """Where the program stands, and the function its line called, which is not the program's."""
    if frame is None:
        return Spot()
    site, user = record.sites.of_call(frame)
    call = ""
    while frame is not None and frame is not user:
        code = frame.f_code
        if code.co_name not in _WRAPPERS and not code.co_name.startswith("<"):
            owner = frame.f_locals.get("self") if code.co_varnames[:1] == ("self",) else None
            call = code.co_name if owner is None else f"{type(owner).__name__}.{code.co_name}"
        frame = frame.f_back
    call = _ALIASES.get(call, call)
    return Spot(site.spot, site.frame, "" if call.startswith("_") else call)


def is_clipping(frame: FrameType | None, record: ForwardRecord) -> bool:
    """Whether one of torch's functions that clip gradients is at work, called by the program or a library."""
    if frame is None:
        return False
    _, user = record.sites.of_call(frame)
    while frame is not None and frame is not user:
        if frame.f_globals.get("__name__") == _CLIPPING:
            return True
        frame = frame.f_back
    return False
