"""Parameters of a module, also of one whose own ``parameters()`` raises: the program may never call it."""

from __future__ import annotations

from torch import nn

__all__ = ["named_parameters_of", "parameters_of"]


def named_parameters_of(module: nn.Module, *, recurse: bool = True) -> list[tuple[str, nn.Parameter]]:
    """(path, parameter) of each of them, as ``module`` itself says, or else as torch has registered it."""
    try:
        return list(module.named_parameters(recurse=recurse))
    except Exception:
        return list(nn.Module.named_parameters(module, recurse=recurse))


def parameters_of(module: nn.Module) -> list[nn.Parameter]:
    """The same without paths."""
    try:
        return list(module.parameters())
    except Exception:
        return [parameter for _, parameter in nn.Module.named_parameters(module)]
