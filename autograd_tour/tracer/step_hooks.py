"""Hooks on a training loop that runs as ever: which gradients arrive, and what each step uses.

No mode and no pack hook is used, and nothing is replaced, so that compiled models, gradient scalers, clipping
and accumulation go on as they do.
"""

from __future__ import annotations

import linecache
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache, partial
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from autograd_tour.errors import UsageError
from autograd_tour.record.graph import SourceLine
from autograd_tour.record.steps import WatchedParameter, WatchedStep
from autograd_tour.tracer.compiled import never_compiled
from autograd_tour.tracer.listen.frames import is_library, relative
from autograd_tour.tracer.references import TensorRef

__all__ = ["StepHooks"]

_WRAPPERS = ("_orig_mod.", "_checkpoint_wrapped_module.", "_fsdp_wrapped_module.")


class StepHooks:
    """Tells ``heard`` of every step of ``optimizer`` from :meth:`start` to :meth:`stop`.

    Raises:
        UsageError: ``model`` is no module, ``optimizer`` is none, or nothing in them requires a gradient.
    """

    def __init__(self, model: Any, optimizer: Any, heard: Callable[[WatchedStep], None]) -> None:
        expected = ((model, nn.Module), (optimizer, Optimizer))
        wrong = [item for item, kind in expected if not isinstance(item, kind)]
        if wrong:
            raise UsageError(
                f"watch() takes a model and its optimizer, not {type(wrong[0]).__name__}",
                "For example: with autograd_tour.watch(model, optimizer) as w:",
            )
        self._optimizer, self._heard = optimizer, heard
        named = list(_parameters(model, optimizer))
        if not named:
            raise UsageError(
                "no parameter of this model or optimizer requires a gradient", "Call requires_grad_() on some"
            )
        held = {id(item) for group in optimizer.param_groups for item in group["params"]}
        owned = {id(item) for item in model.parameters()}
        self._tensors = [tensor for _, tensor in named]
        self.parameters = tuple(
            WatchedParameter(name, tuple(tensor.shape), id(tensor) in held, id(tensor) in owned)
            for name, tensor in named
        )
        self._handles: list[Any] = []
        self._arrived = [False] * len(named)
        self._norms: tuple[float | None, ...] | None = None
        self._number = 0
        self._probe: tuple[int, TensorRef, int] | None = None
        self._unzeroed: SourceLine | None = None
        self._line: SourceLine | None = None

    def start(self) -> None:
        """Begin to listen."""
        try:
            for i, tensor in enumerate(self._tensors):
                hook = partial(self._arrive, i)
                register: Any = tensor.register_post_accumulate_grad_hook
                self._handles.append(register(hook))
            self._handles.append(self._optimizer.register_step_pre_hook(self._before))
            self._handles.append(self._optimizer.register_step_post_hook(self._after))
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Take off every hook; once more does nothing."""
        while self._handles:
            self._handles.pop().remove()
        self._probe = None

    # ---- hooks -----------------------------------------------------------------------------

    def _arrive(self, i: int, tensor: Tensor) -> None:
        self._arrived[i] = True
        probe = self._probe
        if probe is not None and probe[0] == i:
            self._probe = None
            grad = tensor.grad
            # Emptied it would be another tensor, zeroed in place its version would be higher by two.
            if grad is not None and probe[1]() is grad and grad._version == probe[2] + 1:
                self._unzeroed = _line_of(sys._getframe(1))

    def _before(self, _optimizer: Optimizer, _args: Any, _kwargs: Any) -> None:
        self._line = _line_of(sys._getframe(1))
        self._norms = self._measured() if any(self._arrived) else None  # a closure may bring them yet

    def _after(self, optimizer: Optimizer, _args: Any, _kwargs: Any) -> None:
        self._number += 1
        norms = self._norms if self._norms is not None else self._measured()
        scaled = getattr(optimizer, "found_inf", None) is not None
        step = WatchedStep(self._number, norms, tuple(self._arrived), self._line, self._unzeroed, scaled)
        self._arrived = [False] * len(self._tensors)
        self._norms = self._unzeroed = None
        self._probe = self._new_probe(step)
        self._heard(step)

    def _new_probe(self, step: WatchedStep) -> tuple[int, TensorRef, int] | None:
        """The gradient of one parameter as the step leaves it."""
        for i, tensor in enumerate(self._tensors):
            if step.arrived[i] and tensor.grad is not None and not tensor.grad.is_sparse:
                return i, TensorRef(tensor.grad), tensor.grad._version
        return None

    # ---- numbers ---------------------------------------------------------------------------

    def _measured(self) -> tuple[float | None, ...]:
        with torch.no_grad(), torch._C.DisableTorchFunction():
            grads = [(i, tensor.grad) for i, tensor in enumerate(self._tensors) if tensor.grad is not None]
            norms: list[float | None] = [None] * len(self._tensors)
            scale = getattr(self._optimizer, "grad_scale", None)
            factor = 1.0 / float(scale) if isinstance(scale, Tensor | float | int) else 1.0
            by_device: dict[torch.device, list[tuple[int, Tensor]]] = {}
            for i, grad in grads:
                by_device.setdefault(grad.device, []).append((i, grad))
            for items in by_device.values():
                values = torch.stack(
                    _norms([grad for _, grad in items])
                ).tolist()  # the one wait for a device
                for (i, _), value in zip(items, values, strict=True):
                    norms[i] = float(value) * factor
        return tuple(norms)


def _norms(grads: Sequence[Tensor]) -> list[Tensor]:
    norms = []
    for grad in grads:
        content = grad.coalesce().values() if grad.is_sparse else grad
        small = content.dtype in (torch.float16, torch.bfloat16)  # their squares do not fit
        norms.append(torch.linalg.vector_norm(content, dtype=torch.float32 if small else None).double())
    return norms


def _parameters(model: nn.Module, optimizer: Optimizer) -> Iterator[tuple[str, Tensor]]:
    """(path, parameter) in the order of the model, then those that only the optimizer holds."""
    seen: set[int] = set()
    for name, parameter in model.named_parameters():
        seen.add(id(parameter))
        if parameter.requires_grad:
            yield _plain(name), parameter
    for g, group in enumerate(optimizer.param_groups):
        for k, parameter in enumerate(group["params"]):
            if id(parameter) not in seen and parameter.requires_grad:
                seen.add(id(parameter))
                yield f"optimizer.param_groups[{g}].params[{k}]", parameter


def _plain(name: str) -> str:
    for wrapper in _WRAPPERS:
        name = name.replace(wrapper, "")
    return name


def _line_of(frame: FrameType | None) -> SourceLine | None:
    """The line of the program that called."""
    while frame is not None:
        code = frame.f_code
        if not is_library(code.co_filename):
            return _line(code.co_filename, frame.f_lineno, code.co_name)
        frame = frame.f_back
    return None


@lru_cache(maxsize=256)
def _line(file: str, number: int, function: str) -> SourceLine:
    return SourceLine(relative(file), number, linecache.getline(file, number).strip(), function)


never_compiled(StepHooks._before, StepHooks._after, StepHooks._arrive)
