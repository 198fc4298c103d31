"""What hooks of the program write to while a backward of our own runs: leaves, and optimizers that step."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.grad_mode import _unsafe_preserve_version_counter
from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_pre_hook

__all__ = ["Altered", "contents_restored", "has_late_hook"]


class Altered(NamedTuple):
    """Leaves that hooks of the program wrote to: those put back, and those that were not."""

    restored: list[Tensor]
    lost: list[Tensor]


@contextmanager
def contents_restored(leaves: Iterable[Tensor]) -> Iterator[Altered]:
    """Give back what is in ``leaves`` where hooks of the program change it, and optimizers that they run.

    All leaves are copied if one of them has a hook, those of an optimizer before its step; what some other
    hook wrote to is lost. What this gives is filled when ``with`` is over.
    """
    watched = [leaf for leaf in leaves if leaf.layout is torch.strided and not leaf.is_nested]
    versions = [leaf._version for leaf in watched]
    altered = Altered([], [])
    with ExitStack() as stack:
        originals = _Originals(stack)
        if any(leaf._backward_hooks or has_late_hook(leaf) for leaf in watched):
            originals.note(watched)
        stack.callback(register_optimizer_step_pre_hook(originals.before_step).remove)
        try:
            yield altered
        finally:
            altered.restored.extend(originals.restore())
            altered.lost.extend(
                leaf
                for leaf, version in zip(watched, versions, strict=True)
                if leaf._version != version and not originals.has(leaf)
            )


def has_late_hook(leaf: Tensor) -> bool:
    """Whether a hook of the program runs when the gradient of ``leaf`` has been added."""
    return bool(getattr(leaf, "_post_accumulate_grad_hooks", None))


class _Originals:
    """Copies of what may be written to. When ``stack`` ends, no version counter shows that it was."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._contents: dict[int, tuple[Tensor, Tensor]] = {}
        self._states: dict[int, tuple[Optimizer, dict[Any, Any]]] = {}

    def has(self, leaf: Tensor) -> bool:
        return id(leaf) in self._contents

    def note(self, tensors: Iterable[Tensor]) -> None:
        """``tensors`` may be written to from now on."""
        for tensor in tensors:
            if id(tensor) not in self._contents:
                self._contents[id(tensor)] = tensor, tensor.detach().clone()
                self._stack.enter_context(_unsafe_preserve_version_counter(tensor))

    def before_step(self, optimizer: Optimizer, *_: Any) -> None:
        """A hook of the program has called ``step()``."""
        self.note(parameter for group in optimizer.param_groups for parameter in group["params"])
        if id(optimizer) not in self._states:
            for value in optimizer.state.values():
                self.note(item for item in value.values() if isinstance(item, Tensor))
            # The keys are parameters; they and the tensors stay themselves.
            state = {
                key: {
                    name: copy.copy(item) if isinstance(item, list) else item for name, item in value.items()
                }
                for key, value in optimizer.state.items()
            }
            self._states[id(optimizer)] = optimizer, state

    def restore(self) -> list[Tensor]:
        """Put all back; gives the leaves that had another content."""
        changed = []
        for tensor, content in self._contents.values():
            if not torch.equal(tensor.data, content):
                tensor.data.copy_(content)
                if tensor.requires_grad:
                    changed.append(tensor)
        for optimizer, state in self._states.values():
            optimizer.state.clear()
            optimizer.state.update(state)
        return changed
