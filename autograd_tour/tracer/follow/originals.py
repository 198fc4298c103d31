"""What a program changes that was there before it, to be put back: contents, ``.grad``, optimizers."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from autograd_tour.tracer.surroundings import LiveTensors

__all__ = ["Originals", "storage_of"]


class Originals:
    """Notes what is there when it is made; contents are copied only when they are about to change."""

    def __init__(self, live: LiveTensors) -> None:
        self._versions: list[tuple[weakref.ref[Tensor], int]] = []
        self._leaves: list[tuple[Tensor, Tensor | None, bool]] = []
        self._present: dict[int, weakref.ref[Tensor]] = {}
        self._storages: dict[int, Tensor] | None = None
        self._contents: dict[int, tuple[Tensor, Tensor, Tensor]] = {}
        self._grads: dict[int, tuple[Tensor, Tensor]] = {}
        self._grads_noted = False
        self._stepped: dict[int, list[tuple[int, int]]] = {}
        self._optimizers: dict[int, tuple[Optimizer, list[dict[str, Any]], dict[Any, Any]]] = {}
        self._stateful: list[tuple[Any, dict[str, Any]]] | None = None
        with torch._C.DisableTorchFunction():
            for tensor in live.look():
                self._note(tensor)
        self._live = live
        modules = [module for reference in live.modules if (module := reference()) is not None]
        self._training = [(module, vars(module).get("training")) for module in modules]

    def _note(self, tensor: Tensor) -> None:
        try:
            if tensor.is_inference():
                return
            self._versions.append((weakref.ref(tensor), tensor._version))
            self._present[id(tensor)] = self._versions[-1][0]
            if not tensor._is_view() and tensor.is_leaf and (tensor.requires_grad or tensor.grad is not None):
                self._leaves.append((tensor, tensor.grad, tensor.requires_grad))
        except (RuntimeError, AttributeError, ReferenceError):
            return  # a tensor that cannot be asked cannot be changed by training either

    def has(self, tensor: Tensor) -> bool:
        """Whether ``tensor`` was there before."""
        reference = self._present.get(id(tensor))
        return reference is not None and reference() is tensor

    def before_change(self, tensors: Iterable[Tensor]) -> None:
        """The contents of ``tensors`` are about to change, or those of what they are views of."""
        with torch._C.DisableTorchFunction(), torch.no_grad():
            for tensor in tensors:
                owner = tensor if self.has(tensor) else self._owner(tensor)
                if owner is not None and id(owner) not in self._contents:
                    data = owner.data
                    self._contents[id(owner)] = owner, data, data.clone()

    def before_backward(self) -> None:
        """Gradients are about to be added to every ``.grad``."""
        if self._grads_noted:
            return  # a .grad of later is not to be put back
        self._grads_noted = True
        with torch._C.DisableTorchFunction(), torch.no_grad():
            for _, grad, _ in self._leaves:
                if grad is not None and id(grad) not in self._grads:
                    self._grads[id(grad)] = grad, grad.detach().clone()

    def before_step(self, optimizer: Optimizer) -> None:
        """``optimizer`` is about to change its parameters and its own state."""
        parameters = _parameters(optimizer)
        # In a long training this runs for each step: parameters that lie where they lay have been copied.
        lying = [(id(parameter), storage_of(parameter)) for parameter in parameters]
        if self._stepped.get(id(optimizer)) != lying:
            self.before_change(parameters)
            self._stepped[id(optimizer)] = lying
        if id(optimizer) in self._optimizers:
            return
        with torch._C.DisableTorchFunction(), torch.no_grad():
            groups = [{**group, "params": list(group["params"])} for group in optimizer.param_groups]
            self._optimizers[id(optimizer)] = optimizer, groups, _copy(dict(optimizer.state))
        if self._stateful is None:
            objects = [item for reference in self._live.stateful if (item := reference()) is not None]
            self._stateful = [(item, _copy(item.state_dict())) for item in objects]

    def restore(self, spared: Iterable[Tensor] = ()) -> list[Tensor]:
        """Put everything back; gives the tensors that were changed in a way nobody heard.

        ``spared`` are those that somebody else puts back.
        """
        with torch._C.DisableTorchFunction(), torch.no_grad():
            unheard = list(self._changed_unheard(spared))
            self._restore_optimizers()
            for tensor, data, content in self._contents.values():
                if tensor.data_ptr() != data.data_ptr() or tensor.shape != data.shape:
                    tensor.data = data
                tensor.data.copy_(content)
            for grad, content in self._grads.values():
                grad.data.copy_(content)
            for leaf, had, wanted in self._leaves:
                if leaf.grad is not had:
                    leaf.grad = had
                if leaf.requires_grad is not wanted and leaf.is_leaf:
                    leaf.requires_grad_(wanted)
            for module, training in self._training:
                if vars(module).get("training") is not training:
                    module.training = bool(training)
        return unheard

    def _restore_optimizers(self) -> None:
        for optimizer, groups, state in self._optimizers.values():
            del optimizer.param_groups[len(groups) :]
            for group, settings in zip(optimizer.param_groups, groups, strict=True):
                group.clear()
                group.update(settings)
            optimizer.state.clear()
            optimizer.state.update(state)
        for item, state in self._stateful or ():
            if not _equal(item.state_dict(), state):
                item.load_state_dict(state)

    def _changed_unheard(self, spared: Iterable[Tensor]) -> Iterator[Tensor]:
        owned = [_tensors(optimizer.state.values()) for optimizer, _, _ in self._optimizers.values()]
        owned += [_tensors(vars(item).values()) for item, _ in self._stateful or ()]
        done = {
            *self._contents,
            *self._grads,
            *map(id, spared),
            *(id(item) for items in owned for item in items),
        }
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


def storage_of(tensor: Tensor) -> int:
    """Where the memory of ``tensor`` begins; 0 if it has none of its own."""
    try:
        return tensor.untyped_storage().data_ptr()
    except (RuntimeError, NotImplementedError):
        return 0


def _parameters(optimizer: Optimizer) -> list[Tensor]:
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


def _copy(value: Any) -> Any:
    """A copy of nested state; the keys, which may be parameters, stay themselves."""
    if isinstance(value, Tensor):
        return value.detach().clone()
    if isinstance(value, dict):
        return {key: _copy(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(map(_copy, value)) if type(value) in (list, tuple) else value
    return value


def _tensors(value: Any) -> list[Tensor]:
    """All tensors in nested state."""
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, str) or not isinstance(value, Iterable):
        return []
    items = value.values() if isinstance(value, dict) else value
    return [tensor for item in items for tensor in _tensors(item)]


def _equal(value: Any, other: Any) -> bool:
    """Whether two nested states are the same."""
    if isinstance(value, Tensor) or isinstance(other, Tensor):
        return isinstance(value, Tensor) and isinstance(other, Tensor) and torch.equal(value, other)
    if isinstance(value, dict) and isinstance(other, dict):
        return value.keys() == other.keys() and all(_equal(value[key], other[key]) for key in value)
    if isinstance(value, list | tuple) and isinstance(other, list | tuple):
        return len(value) == len(other) and all(map(_equal, value, other))
    return bool(value == other)
