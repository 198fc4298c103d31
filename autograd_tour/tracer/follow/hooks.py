"""The hooks of modules and tensors as they are found, so that those a program adds can be taken off again."""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import optimizer

__all__ = ["Hooks", "TensorHooks"]

_OF_TENSORS = ("_backward_hooks", "_post_accumulate_grad_hooks")


class Hooks:
    """Those of modules, and those of all modules and all optimizers."""

    def __init__(self, modules: Iterable[nn.Module]) -> None:
        everywhere = (vars(torch.nn.modules.module), vars(optimizer))
        registries = [
            space[name]
            for space in everywhere
            for name in space
            if name.startswith("_global_") and "hooks" in name
        ]
        self._full: bool | None = torch.nn.modules.module._global_is_full_backward_hook
        self._modules: list[tuple[weakref.ref[nn.Module], dict[str, Any]]] = []
        for module in modules:
            own = {name: value for name, value in vars(module).items() if "_hooks" in name}
            registries += own.values()
            own["_is_full_backward_hook"] = vars(module).get("_is_full_backward_hook")
            self._modules.append((weakref.ref(module), own))
        self._registries = [
            (registry, dict(registry)) for registry in registries if isinstance(registry, dict)
        ]

    def restore(self) -> None:
        """Take off what was added since, put back what was taken off."""
        for registry, items in self._registries:
            _restore(registry, items)
        torch.nn.modules.module._global_is_full_backward_hook = self._full
        for reference, attributes in self._modules:
            module = reference()
            if module is None:
                continue
            for name, value in attributes.items():
                if vars(module).get(name) is not value:
                    vars(module)[name] = value


class TensorHooks:
    """Those of tensors, noted one by one."""

    def __init__(self) -> None:
        self._noted: list[tuple[weakref.ref[Tensor], list[tuple[str, Any, dict[int, Any]]]]] = []

    def note(self, reference: weakref.ref[Tensor], tensor: Tensor) -> None:
        """Note the hooks of ``tensor``, to which ``reference`` leads, as they are now."""
        registries = [(name, getattr(tensor, name)) for name in _OF_TENSORS]
        self._noted.append((reference, [(name, hooks, dict(hooks or ())) for name, hooks in registries]))

    def restore(self) -> None:
        """Take off what was added since, put back what was taken off, once."""
        for reference, registries in self._noted:
            tensor = reference()
            for name, hooks, items in registries if tensor is not None else ():
                now = getattr(tensor, name)
                if now is not hooks:
                    if now is not None:
                        now.clear()  # a node of a graph may hold it too
                    setattr(tensor, name, hooks)
                if hooks is not None:
                    _restore(hooks, items)
        self._noted.clear()


def _restore(registry: dict[Any, Any], items: dict[Any, Any]) -> None:
    if len(registry) != len(items) or any(registry.get(key) is not item for key, item in items.items()):
        registry.clear()
        registry.update(items)
