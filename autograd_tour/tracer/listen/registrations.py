"""Parameters of a module that another takes the place of: torch tells before it happens."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from torch import Tensor, nn
from torch.compiler import is_dynamo_compiling
from torch.nn.modules.module import (
    register_module_module_registration_hook,
    register_module_parameter_registration_hook,
)

from autograd_tour.tracer.listen.owned import named_parameters_of

__all__ = ["registrations_heard"]

Replacing = Callable[[Tensor, str, Tensor | None, FrameType], None]
"""Gets a parameter, its name in the module, what takes its place (``None``: nothing), and the frame below."""


@contextmanager
def registrations_heard(replacing: Replacing) -> Iterator[None]:
    """``replacing`` is called for each parameter that a module inside gives up, also with a part of it."""

    def of_part(module: nn.Module, name: str, part: nn.Module | None) -> None:
        before = module._modules.get(name)
        if before is None or before is part or is_dynamo_compiling():
            return
        after = dict(named_parameters_of(part)) if part is not None else {}
        kept = {id(parameter) for parameter in after.values()}  # a part may be wrapped, as adapters do
        for path, parameter in named_parameters_of(before):
            if id(parameter) not in kept:
                replacing(parameter, f"{name}.{path}", after.get(path), sys._getframe(1))

    def of_parameter(module: nn.Module, name: str, parameter: Tensor | None) -> None:
        before = module._parameters.get(name)
        if before is not None and before is not parameter and not is_dynamo_compiling():
            replacing(before, name, parameter, sys._getframe(1))

    handles = [
        register_module_module_registration_hook(of_part),
        register_module_parameter_registration_hook(of_parameter),
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
