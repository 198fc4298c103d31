"""Where the own work of an optimizer begins and ends in a step: between the program's hooks around it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

from torch.optim import Optimizer
from torch.utils.hooks import RemovableHandle

__all__ = ["Marks"]

Hook = Callable[[Optimizer, tuple[Any, ...], dict[str, Any]], Any]


class Marks:
    """Hooks of ours on optimizers: the last one before their steps, and the first one after them."""

    def __init__(self) -> None:
        self._handles: WeakKeyDictionary[Optimizer, tuple[RemovableHandle, RemovableHandle]] = (
            WeakKeyDictionary()
        )

    def mark(self, optimizer: Any, begins: Hook, ends: Hook) -> None:
        """Mark the step of ``optimizer`` that is about to begin: a hook of all optimizers is running.

        ``begins`` and ``ends``, those of the first call, are called as torch calls hooks of a step;
        ``begins`` may return other arguments for it.
        """
        if optimizer not in self._handles:
            before = optimizer.register_step_pre_hook(begins)
            self._handles[optimizer] = before, optimizer.register_step_post_hook(ends)
        before, after = self._handles[optimizer]
        optimizer._optimizer_step_pre_hooks.move_to_end(before.id)  # hooks may have come since
        optimizer._optimizer_step_post_hooks.move_to_end(after.id, last=False)

    def release(self, optimizer: Optimizer) -> None:
        """Nothing of ours stays with ``optimizer``; not to be called by a hook of its own."""
        if self._handles:
            for handle in self._handles.pop(optimizer, ()):
                handle.remove()

    def remove(self) -> None:
        """Nothing of ours stays with any optimizer."""
        for optimizer in list(self._handles):
            self.release(optimizer)
