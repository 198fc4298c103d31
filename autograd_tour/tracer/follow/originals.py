"""What a program changes that was there before it, to be put back: contents, ``.grad``, hooks, optimizers."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import is_not
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from autograd_tour.tracer.follow.holders import Holders
from autograd_tour.tracer.follow.hooks import Hooks, TensorHooks
from autograd_tour.tracer.follow.silent import Silent
from autograd_tour.tracer.references import TensorRef, swap_contents
from autograd_tour.tracer.surroundings import LiveTensors

__all__ = ["Originals", "storage_of"]


class Originals:
    """Notes what is there when it is made; contents are copied only when they are about to change.

    ``program`` is what runs, with ``args``: what it can reach is put back too.
    """

    def __init__(self, live: LiveTensors, program: object = None, args: Iterable[object] = ()) -> None:
        self._versions: list[tuple[weakref.ref[Tensor], int]] = []
        self._leaves: list[tuple[weakref.ref[Tensor], Tensor | None, bool]] = []
        self._version_of: dict[int, int] = {}
        self._present: dict[int, weakref.ref[Tensor]] = {}
        self._storages: dict[int, Tensor] | None = None
        self._contents: dict[int, tuple[Tensor, Tensor, Tensor]] = {}
        self._grads: dict[int, tuple[Tensor, Tensor]] = {}
        self._grads_noted = False
        self._swaps: list[tuple[Tensor, Tensor]] = []
        self._silent: Silent | None = None
        self.kept_elsewhere: Callable[[Tensor], bool] = _never
        """Whether somebody else has what was in a tensor before, and puts it back."""
        self._stepped: dict[int, list[int]] = {}
        self._generators: dict[int, tuple[torch.Generator, Tensor]] = {}
        self._tensor_hooks = TensorHooks()
        with torch._C.DisableTorchFunction():
            for tensor in live.look():
                self._note(tensor)
            self._holders = Holders(program, args)
            for generator in self._holders.generators:
                self.before_draw(generator)
            for tensor in self._holders.tensors:  # gc.freeze() hides what is alive
                if not self.has(tensor):
                    self._note(tensor)
        modules = [module for reference in live.modules if (module := reference()) is not None]
        self._training = [(module, vars(module).get("training")) for module in modules]
        self._classes = [(module, type(module), _parametrized(module)) for module in modules]
        self._owned = [(owned, dict(owned)) for module in modules for owned in _owned(module)]
        self._hooks = Hooks(modules)
        seen: dict[int, Container] = {}
        stateful = [item for reference in live.stateful if (item := reference()) is not None]
        self._stateful = [noted(vars(item), seen) for item in stateful]

    def _note(self, tensor: Tensor) -> None:
        try:
            if tensor.is_inference():
                return
            reference = TensorRef(tensor)
            self._version_of[id(tensor)] = tensor._version
            self._versions.append((reference, tensor._version))
            self._present[id(tensor)] = reference
            self._tensor_hooks.note(reference, tensor)
            # Of a view that autograd follows this is not asked: torch would make its node anew.
            followed = tensor._is_view() and tensor._base is not None and tensor._base.requires_grad
            if not followed and (tensor.is_leaf or tensor.retains_grad):
                self._leaves.append((reference, tensor.grad, tensor.requires_grad))
        except (RuntimeError, AttributeError, ReferenceError):
            return  # a tensor that cannot be asked cannot be changed by training either

    def has(self, tensor: Tensor) -> bool:
        """Whether ``tensor`` was there before."""
        reference = self._present.get(id(tensor))
        return reference is not None and reference() is tensor

    def leaf_of(self, tensor: Tensor) -> Tensor | None:
        """The leaf of before that ``tensor`` is, or a look at its memory; ``None`` if it is not trained."""
        owner = tensor if self.has(tensor) else self._owner(tensor)
        return owner if owner is not None and owner.is_leaf and owner.requires_grad else None

    def before_change(self, tensors: Iterable[Tensor]) -> None:
        """The contents of ``tensors`` are about to change, or those of what they are views of."""
        with torch._C.DisableTorchFunction(), torch.no_grad():
            for tensor in tensors:
                owner = tensor if self.has(tensor) else self._owner(tensor)
                if owner is None or self.kept_elsewhere(owner):
                    continue
                if id(owner) not in self._contents and (
                    self._silent is None or id(owner) not in self._silent.copied
                ):
                    data = owner.data
                    self._contents[id(owner)] = owner, data, data.clone()

    def before_backward(self) -> None:
        """Gradients are about to be added to every ``.grad``."""
        if self._grads_noted:
            return  # a .grad of later is not to be put back
        self._grads_noted = True
        with torch._C.DisableTorchFunction(), torch.no_grad():
            for _, grad, _ in self._leaves:
                if grad is not None and id(grad) not in self._grads and id(grad) not in self._contents:
                    self._grads[id(grad)] = grad, grad.detach().clone()

    def before_draw(self, generator: torch.Generator) -> None:
        """Random numbers are about to be drawn from ``generator``."""
        if id(generator) not in self._generators:
            self._generators[id(generator)] = generator, generator.get_state()

    def before_swap(self, first: Tensor, second: Tensor) -> None:
        """Two tensors are about to swap all that they are."""
        self.before_change([first, second])

    def swapped(self, first: Tensor, second: Tensor) -> None:
        """They have."""
        self._swaps.append((first, second))

    def before_step(self, optimizer: Optimizer) -> None:
        """``optimizer`` is about to change its parameters and its own state."""
        parameters = [item for group in optimizer.param_groups for item in group["params"]]
        # In a long training this runs for each step: parameters that lie where they lay have been copied.
        try:
            lying = [*map(id, parameters), *map(Tensor.data_ptr, parameters)]
        except (RuntimeError, NotImplementedError):  # one has no memory of its own
            lying = []
        if not lying or self._stepped.get(id(optimizer)) != lying:
            self.before_change([*parameters, *_tensors(optimizer.state.values())])
            self._stepped[id(optimizer)] = lying

    def before_silence(self) -> None:
        """Nobody listens for a while: what is small is copied, of the rest it is noted what is in it."""
        if self._silent is None:
            self.before_backward()
            with torch._C.DisableTorchFunction(), torch.no_grad():
                present = [item for reference in self._present.values() if (item := reference()) is not None]
                own = {storage_of(item) for item in present if id(item) in self._contents}
                self._silent = Silent(item for item in present if storage_of(item) not in own)

    def restore(self, spared: Sequence[Tensor] = ()) -> list[Tensor]:
        """Put everything back; gives the tensors that were changed in a way nobody heard.

        ``spared`` are those that somebody else puts back.
        """
        with torch._C.DisableTorchFunction(), torch.no_grad():
            for first, second in reversed(self._swaps):
                swap_contents(first, second)
            unheard = list(self._changed_unheard(spared))
            if self._silent is not None:
                done = {*self._contents, *self._grads, *map(id, spared)}
                unheard = self._silent.restore(unheard, done, self._restore_version)
            for container in self._stateful:
                container.restore()
            # The last first: memory that two of them share is then as the earlier one knew it.
            for tensor, data, content in reversed(list(self._contents.values())):
                if address_of(tensor) != address_of(data) or tensor.shape != data.shape:
                    tensor.data = data
                tensor.data.copy_(content)
                self._restore_version(tensor)
            for grad, content in self._grads.values():
                grad.data.copy_(content)
            for generator, state in self._generators.values():
                generator.set_state(state)
            self._restore_leaves()
            for tensor in spared:
                self._restore_version(tensor)
            self._holders.restore()
            for owned, items in self._owned:
                if list(owned) != list(items) or any(map(is_not, owned.values(), items.values())):
                    owned.clear()
                    owned.update(items)
            self._hooks.restore()
            self._tensor_hooks.restore()
            for module, kind, properties in self._classes:
                if type(module) is not kind:  # a parametrization makes another of it
                    module.__class__ = kind
                for name, value in properties.items():
                    if vars(kind).get(name) is not value:
                        setattr(kind, name, value)
            for module, training in self._training:
                if vars(module).get("training") is not training:
                    module.training = bool(training)
        self._release()
        return unheard

    def _release(self) -> None:
        """Keep no memory longer than the program does: who holds this is in cycles."""
        self._silent = None
        for kept in (self._contents, self._grads, self._leaves, self._versions, self._present):
            kept.clear()

    def _restore_version(self, tensor: Tensor) -> None:
        """Its contents are as they were, so a graph from before that saved it holds again."""
        version = self._version_of.get(id(tensor))
        if version is not None and self.has(tensor):
            torch._C._autograd._unsafe_set_version_counter((tensor,), (version,))

    def _restore_leaves(self) -> None:
        for reference, had, wanted in self._leaves:
            leaf = reference()
            if leaf is None:
                continue
            if leaf.is_leaf and leaf.requires_grad is not wanted:
                leaf.requires_grad_(wanted)
            if leaf.grad is not had:
                leaf.grad = had

    def _changed_unheard(self, spared: Iterable[Tensor]) -> Iterator[Tensor]:
        done = {*self._contents, *self._grads, *map(id, spared)}
        for reference, version in self._versions:
            item = reference()
            if item is None or id(item) in done or item._version == version:
                continue
            owner = self._owner(item)
            if owner is None or id(owner) not in done:
                yield item

    def _owner(self, tensor: Tensor) -> Tensor | None:
        """The tensor of before whose memory ``tensor`` looks at."""
        if self._storages is None:
            present = [ref() for ref in self._present.values()]
            self._storages = {
                storage: item for item in present if item is not None and (storage := storage_of(item))
            }
        return self._storages.get(storage_of(tensor))


def _never(_tensor: Tensor) -> bool:
    return False


def _parametrized(module: torch.nn.Module) -> dict[str, property]:
    """What a class that torch made for one module computes: to remove a parametrization takes it away."""
    parts = vars(module).get("_modules")
    if not parts or "parametrizations" not in parts:
        return {}
    return {name: value for name, value in vars(type(module)).items() if isinstance(value, property)}


def _owned(module: torch.nn.Module) -> list[dict[str, Any]]:
    """The parameters, the buffers and the parts that a module has of its own, by name."""
    kinds = ["_parameters", "_buffers", "_modules"]
    if issubclass(type(module), torch.nn.ParameterDict):
        kinds.append("_keys")
    return [vars(module)[kind] for kind in kinds if vars(module).get(kind) is not None]


def storage_of(tensor: Tensor) -> int:
    """Where the memory of ``tensor`` begins; 0 if it has none of its own."""
    try:
        return tensor.untyped_storage().data_ptr()
    except (RuntimeError, NotImplementedError):
        return 0


def address_of(tensor: Tensor) -> int:
    """Where the first element of ``tensor`` lies; 0 if it has no memory of its own."""
    try:
        return tensor.data_ptr()
    except (RuntimeError, NotImplementedError):
        return 0


class Container:
    """A list or dict as it is now: its items, and those of the containers among them."""

    def __init__(self, value: list[Any] | dict[Any, Any]) -> None:
        self.value = value
        self.items: dict[Any, Any] = {}
        self._restored = False

    def restore(self) -> Any:
        """The same object, with the items it had."""
        if self._restored:  # it contains itself
            return self.value
        self._restored = True
        items = {
            key: item.restore() if isinstance(item, Container) else item for key, item in self.items.items()
        }
        if isinstance(self.value, dict):
            self.value.clear()
            self.value.update(items)
        else:
            self.value[:] = items.values()
        return self.value


DEEPEST = 20
"""Containers inside each other that are looked into: no optimizer has more."""


def noted(value: Any, seen: dict[int, Container], depth: int = 0) -> Any:
    """What :meth:`Container.restore` needs of a container; anything else is itself."""
    if not (isinstance(value, dict) or type(value) is list) or depth > DEEPEST:
        return value
    container = seen.get(id(value))
    if container is None:
        container = seen[id(value)] = Container(value)
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        container.items = {key: noted(item, seen, depth + 1) for key, item in pairs}
    return container


def _tensors(value: Any) -> list[Tensor]:
    """All tensors in nested state."""
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, str) or not isinstance(value, Iterable):
        return []
    items = value.values() if isinstance(value, dict) else value
    return [tensor for item in items for tensor in _tensors(item)]
