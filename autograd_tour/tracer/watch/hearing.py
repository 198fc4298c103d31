"""The mode that hears every torch function of a program that is watched."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

from torch.compiler import is_dynamo_compiling
from torch.overrides import TorchFunctionMode

from autograd_tour.tracer.compiled import never_compiled

__all__ = ["HearingMode"]


class HearingMode(TorchFunctionMode):
    """Hands each call, with the frame that makes it, to ``hear``, which makes it."""

    def __init__(self, hear: Callable[[Any, Any, Any, FrameType], Any]) -> None:
        super().__init__()
        self.hear = hear

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if is_dynamo_compiling():
            return func(*args, **kwargs)
        return self.hear(func, args, kwargs, sys._getframe(1))


never_compiled(HearingMode.__torch_function__)
