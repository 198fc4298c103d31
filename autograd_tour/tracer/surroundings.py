"""Everything a look must leave as it was: random states, modes, module buffers, ``.grad`` fields."""

from __future__ import annotations

import gc
import random
import sys
import threading
import weakref
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.nn.parameter import is_lazy
from torch.optim.lr_scheduler import LRScheduler

from autograd_tour.tracer.references import TensorRef
from autograd_tour.tracer.switches import all_switches_restored

__all__ = [
    "ONE_AT_A_TIME",
    "Buffers",
    "LiveTensors",
    "collector_paused",
    "grads_restored",
    "random_state_restored",
    "switches_restored",
    "training_restored",
]


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


ONE_AT_A_TIME = threading.RLock()
"""Held by every trace: module hooks and ``.grad`` fields belong to all threads of the process."""


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


@contextmanager
def training_restored(modules: Iterable[torch.nn.Module]) -> Iterator[None]:
    """Give back ``.training`` of these modules and of all inside them."""
    training = [(module, module.training) for root in modules for module in root.modules()]
    try:
        yield
    finally:
        for module, mode in training:
            module.training = mode


@contextmanager
def switches_restored(modules: Iterable[torch.nn.Module]) -> Iterator[list[str]]:
    """Give back what a program may switch: ``.training`` of these modules, and all of ``switches``.

    What could not be put back stands, when ``with`` is over, in the list that it gives: one line each.
    """
    with training_restored(modules), all_switches_restored() as remarks:
        yield remarks


class Buffers:
    """Buffers of the modules that run (batch norm's running statistics), put back at the end of ``with``.

    That is after backward: checkpoints run modules again there, and what an evaluated batch norm
    saved is its buffer itself.
    """

    def __init__(self) -> None:
        self._seen: set[int] = set()
        self._kept: list[tuple[torch.nn.Module, str, Tensor, Tensor]] = []

    def __enter__(self) -> Buffers:
        return self

    def __exit__(self, *_: object) -> None:
        self.restore()

    def remember_all(self, live: LiveTensors | None = None) -> None:
        """Note the buffers of every live module: a backward may run any of them again.

        Who looks at what is alive besides gives the same ``live``: the objects are gone through once.
        """
        live = live or LiveTensors()
        if not live.looked:
            live.look()
        for reference in live.modules:
            module = reference()
            if module is not None and "_buffers" in module.__dict__:
                self.remember(module)

    def remember(self, module: torch.nn.Module) -> None:
        """Note the buffers of ``module`` and its parts when it is about to run for the first time.

        A part may never be called itself: a fused fake quantisation writes to those of its observer.
        """
        pending = [module]
        while pending:
            part = pending.pop()
            if id(part) in self._seen:
                continue
            self._seen.add(id(part))
            pending += [child for child in vars(part).get("_modules", {}).values() if child is not None]
            for name, buffer in vars(part).get("_buffers", {}).items():
                if buffer is not None and buffer.device.type != "meta" and not is_lazy(buffer):
                    self._kept.append((part, name, buffer, buffer.detach().clone()))

    def has(self, tensor: Tensor) -> bool:
        """Whether ``tensor`` is a buffer that was noted."""
        return any(buffer is tensor for _, _, buffer, _ in self._kept)

    def tensors(self) -> list[Tensor]:
        """The buffers noted so far."""
        return [buffer for _, _, buffer, _ in self._kept]

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
def grads_restored(
    leaves: Iterable[Tensor],
    *,
    empty: bool = False,
    beyond: bool = False,
    live: LiveTensors | None = None,
) -> Iterator[list[Tensor]]:
    """Let a backward run on ``leaves`` and give back every ``.grad`` object, untouched.

    Meanwhile each leaf has a copy of its ``.grad`` (none at all if ``empty``), since the engine adds
    in place. Tensors that asked for ``retain_grad`` and leaves that the graph does not lead to are found
    among the live objects; ``beyond`` says that a Function in the graph may write to the latter. Who calls
    this again and again gives the same ``live``.
    Gives all tensors that are looked after.
    """
    leaf_grads = [(leaf, leaf.grad) for leaf in leaves]
    inside = {id(leaf) for leaf, _ in leaf_grads}
    retained, others = [], []
    for tensor in (live or LiveTensors()).look():
        kind = _keeps_grad(tensor)
        if kind == "retained":
            retained.append((tensor, tensor.grad))
        elif kind == "leaf" and beyond and id(tensor) not in inside:
            others.append((tensor, tensor.grad))
    try:
        for leaf, grad in leaf_grads + others:
            leaf.grad = None if grad is None or (empty and id(leaf) in inside) else grad.detach().clone()
        yield [tensor for tensor, _ in leaf_grads + retained + others]
    finally:
        for tensor, grad in leaf_grads + retained + others:
            tensor.grad = grad


class LiveTensors:
    """All tensors that are alive.

    ``modules`` are those that were at the first look, ``stateful`` the optimizers, schedulers and the like.

    A second look reads only the objects made since the first. Those are in the collector's two young
    generations as long as it has emptied none of these, which it counts.
    """

    def __init__(self) -> None:
        self.modules: list[weakref.ref[torch.nn.Module]] = []
        self.stateful: list[weakref.ref[Any]] = []
        self._references: list[weakref.ref[Tensor]] = []
        self._collections: tuple[int, ...] = ()
        self._first: list[weakref.ref[Tensor]] | None = None

    @property
    def looked(self) -> bool:
        """Whether anybody has looked."""
        return self._first is not None

    def of_before(self) -> list[Tensor]:
        """Those that were alive at the first look and still are; none if nobody has looked."""
        return [tensor for reference in self._first or () if (tensor := reference()) is not None]

    def forget(self) -> None:
        """Nobody will ask any more: no weak reference of ours leads to a tensor of the program."""
        self._references, self._first = [], []

    def look(self) -> list[Tensor]:
        """Those that are alive now."""
        collections = tuple(generation["collections"] for generation in gc.get_stats()[1:])
        if self._collections == collections and sys.version_info < (3, 14):  # then generations are others
            before = [tensor for reference in self._references if (tensor := reference()) is not None]
            seen = set(map(id, before))
            (young,) = _among([*gc.get_objects(0), *gc.get_objects(1)], (Tensor,))
            tensors = before + [tensor for tensor in young if id(tensor) not in seen]
        else:
            tensors, modules, *stateful = _among(gc.get_objects(), _KINDS)
            if not self.looked:
                self.modules = list(map(weakref.ref, modules))
                self.stateful = [weakref.ref(item) for items in stateful for item in items]
        self._collections = collections
        self._references = list(map(TensorRef, tensors))
        if self._first is None:
            self._first = self._references
        return tensors


_KINDS = (Tensor, torch.nn.Module, torch.optim.Optimizer, LRScheduler, torch.amp.GradScaler)


MANY = 20_000
"""To note the types of so many objects takes longer than to go through all subclasses of what is sought."""


def _among(objects: list[Any], wanted_kinds: tuple[type, ...]) -> list[list[Any]]:
    """Of each kind those among ``objects``."""
    # `type(...)`, not `isinstance`: the latter runs `__class__` of strangers. There may be a million
    # objects, and few of them are tensors. A comprehension is quicker here than `compress` and two `map`.
    if len(objects) < MANY:
        kinds = {kind for kind in set(map(type, objects)) if issubclass(kind, wanted_kinds) and _holds(kind)}
    else:
        kinds = set(wanted_kinds)
        new = list(kinds)
        while new:
            subclasses = (kind for base in new for kind in type.__subclasses__(base))
            new = [kind for kind in subclasses if kind not in kinds and _holds(kind)]
            kinds.update(new)
    wanted = [item for item in objects if type(item) in kinds]
    return [[item for item in wanted if issubclass(type(item), kind)] for kind in wanted_kinds]


def _holds(kind: type) -> bool:
    """Those of torch._subclasses stand for tensors while torch.compile thinks, and hold nothing."""
    return not kind.__module__.startswith("torch._subclasses.")


def _keeps_grad(tensor: Tensor) -> str:
    with torch._C.DisableTorchFunction():
        try:
            if tensor.is_leaf:
                return "leaf" if tensor.requires_grad else ""
            return "retained" if tensor.retains_grad else ""
        except (RuntimeError, AttributeError, ReferenceError):
            return ""
