"""Everything a look must leave as it was: random states, module buffers, ``.grad`` fields."""

from __future__ import annotations

import gc
import random
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

__all__ = ["Buffers", "collector_paused", "grads_restored", "random_state_restored"]


@contextmanager
def random_state_restored() -> Iterator[None]:
    """Give back the random states of torch, Python and (if loaded) NumPy as they were found."""
    cpu = torch.get_rng_state()
    busy = torch.cuda.is_available() and torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
    cuda = torch.cuda.get_rng_state_all() if busy else []
    python = random.getstate()
    numpy: Any = getattr(sys.modules.get("numpy"), "random", None)
    numpy_state = numpy.get_state() if numpy is not None else None
    try:
        yield
    finally:
        torch.set_rng_state(cpu)
        if cuda:
            torch.cuda.set_rng_state_all(cuda)
        random.setstate(python)
        if numpy is not None:
            numpy.set_state(numpy_state)


@contextmanager
def collector_paused() -> Iterator[None]:
    """No garbage collection: it would look through a million new nodes again and again."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


class Buffers:
    """Buffers of the modules that ran (batch norm's running statistics), to be put back afterwards."""

    def __init__(self) -> None:
        self._seen: set[int] = set()
        self._kept: list[tuple[torch.nn.Module, str, Tensor, Tensor]] = []

    def remember(self, module: torch.nn.Module) -> None:
        """Note the buffers of ``module`` when it is about to run for the first time."""
        if id(module) in self._seen:
            return
        self._seen.add(id(module))
        for name, buffer in module._buffers.items():
            if buffer is not None and buffer.device.type != "meta":
                self._kept.append((module, name, buffer, buffer.detach().clone()))

    def restore(self) -> None:
        """Put back names and contents.

        ``.data`` leaves the version counter alone, which a later backward through the buffer checks.
        """
        with torch.no_grad():
            for module, name, buffer, content in self._kept:
                module._buffers[name] = buffer
                if not torch.equal(buffer.data, content):
                    buffer.data.copy_(content)
        self._kept.clear()
        self._seen.clear()


@contextmanager
def grads_restored(leaves: Iterable[Tensor], *, empty: bool = False) -> Iterator[None]:
    """Let a backward run on ``leaves`` and give back every ``.grad`` object, untouched.

    Meanwhile each leaf has a copy of its ``.grad`` (none at all if ``empty``), since the engine adds
    in place. Tensors that asked for ``retain_grad`` are found among the live objects, because the
    graph does not lead to them.
    """
    found = [(leaf, leaf.grad) for leaf in leaves]
    retained = [(tensor, tensor.grad) for tensor in _retaining()]
    try:
        for leaf, grad in found:
            leaf.grad = None if grad is None or empty else grad.detach().clone()
        yield
    finally:
        for tensor, grad in found + retained:
            tensor.grad = grad


def _retaining() -> list[Tensor]:
    kinds, new = {Tensor}, [Tensor]
    while new:
        new = [kind for known in new for kind in type.__subclasses__(known) if kind not in kinds]
        kinds.update(new)
    # `type(...)`, not `isinstance`: the latter runs `__class__` of strangers.
    with torch._C.DisableTorchFunction():
        return [obj for obj in gc.get_objects() if type(obj) in kinds and _retains_grad(obj)]


def _retains_grad(tensor: Tensor) -> bool:
    try:
        return not tensor.is_leaf and tensor.retains_grad
    except (RuntimeError, AttributeError, ReferenceError):
        return False
