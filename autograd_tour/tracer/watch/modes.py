"""Which modules ran in training mode, and which in evaluation mode; where the mode was set."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from types import FrameType
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.compiler import is_dynamo_compiling
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.dropout import _DropoutNd

from autograd_tour.tracer.compiled import never_compiled

__all__ = ["DROPOUTS", "Modes", "ModuleCall"]

MOST_CALLS = 10_000
DROPOUTS = frozenset(
    {"dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_alpha_dropout"}
)
_HOOK = -7_000_002
"""The number of both module hooks, always the same, as compiled code looks at it."""


class ModuleCall(NamedTuple):
    """One call of a module that no other module called; ``evaluates``: it was in evaluation mode itself.

    ``evaluating`` and ``training`` name the parts of it that heed the mode and ran in it. ``results`` are
    numbers
    of origins. ``backwards`` counts the backward calls before it. ``always`` is where a dropout ran
    although the
    module evaluates.
    """

    module: nn.Module
    spot: int
    switched: int
    evaluates: bool
    grads: bool
    evaluating: tuple[str, ...]
    training: tuple[str, ...]
    results: tuple[int, ...]
    backwards: int
    always: int


class Modes:
    """Hears the calls of modules and of :meth:`torch.nn.Module.train`."""

    def __init__(self, spot: Callable[[FrameType], int], number: Callable[[Any], tuple[int, ...]]) -> None:
        self.calls: list[ModuleCall] = []
        self._spot = spot
        self._number = number
        self._depth = 0
        self._switching = False
        self._switched: dict[int, int] = {}
        self._start = -1
        self._parts: tuple[dict[str, None], dict[str, None]] = ({}, {})
        self._always = -1
        self._thread = threading.get_ident()

    @contextmanager
    def listening(self, backwards: Callable[[], int]) -> Iterator[None]:
        """Every module that runs inside is heard; ``backwards`` counts the backward calls so far."""
        hooks = torch.nn.modules.module

        def before(module: nn.Module, _args: Any) -> None:
            if not is_dynamo_compiling() and threading.get_ident() == self._thread:
                self._enter(module, sys._getframe(1))

        def after(module: nn.Module, _args: Any, result: Any) -> None:
            if not is_dynamo_compiling() and threading.get_ident() == self._thread:
                self._leave(module, result, backwards())

        never_compiled(before, after)
        hooks._global_forward_pre_hooks[_HOOK] = before
        hooks._global_forward_hooks[_HOOK] = after
        hooks._global_forward_hooks_always_called[_HOOK] = True
        try:
            with self._train_replaced():
                yield
        finally:
            del hooks._global_forward_pre_hooks[_HOOK]
            del hooks._global_forward_hooks[_HOOK]
            del hooks._global_forward_hooks_always_called[_HOOK]

    @contextmanager
    def _train_replaced(self) -> Iterator[None]:
        method = nn.Module.train

        @wraps(method)
        def train(module: nn.Module, mode: bool = True) -> nn.Module:
            if self._switching or is_dynamo_compiling() or threading.get_ident() != self._thread:
                return method(module, mode)
            self._switching = True
            try:
                spot = self._spot(sys._getframe(1))
                self._switched |= dict.fromkeys(map(id, module.modules()), spot)
                return method(module, mode)
            finally:
                self._switching = False

        never_compiled(train)
        nn.Module.train = train  # type: ignore[method-assign, assignment]
        try:
            yield
        finally:
            nn.Module.train = method  # type: ignore[method-assign]

    def _enter(self, module: nn.Module, frame: FrameType) -> None:
        self._depth += 1
        if self._depth == 1:
            self._start = self._spot(frame)
            self._parts = ({}, {})
            self._always = -1
        if _heeds_mode(module):
            self._parts[module.training][type(module).__name__] = None

    def _leave(self, module: nn.Module, result: Any, backwards: int) -> None:
        self._depth = max(self._depth - 1, 0)
        if self._depth or len(self.calls) >= MOST_CALLS:
            return
        evaluating, training = self._parts
        self.calls.append(
            ModuleCall(
                module,
                self._start,
                self._switched.get(id(module), -1),
                not module.training,
                torch.is_grad_enabled(),
                tuple(evaluating),
                tuple(training),
                self._number(result),
                backwards,
                -1 if module.training else self._always,
            )
        )

    def dropped(self, args: Any, kwargs: Any, frame: FrameType) -> None:
        """A function of dropout was called: is it active in a module that evaluates?"""
        if not self._depth or self._always >= 0:
            return
        chance = args[1] if len(args) > 1 else kwargs.get("p", 0.5)
        active = args[2] if len(args) > 2 else kwargs.get("training", True)
        if active and chance and not _is_layer(frame):
            self._always = self._spot(frame)


def _is_layer(frame: FrameType | None) -> bool:
    """Whether a layer of torch made the call, which has a mode of its own."""
    between = ("torch.nn.functional", "torch.overrides", "autograd_tour.")
    while frame is not None and str(frame.f_globals.get("__name__")).startswith(between):
        frame = frame.f_back
    return frame is not None and str(frame.f_globals.get("__name__")).startswith("torch.nn.")


def _heeds_mode(module: nn.Module) -> bool:
    """Whether it computes something else in training than in evaluation."""
    if isinstance(module, _DropoutNd):
        return module.p > 0
    # Without a momentum statistics are gathered on purpose, as when they are made anew after a training.
    return isinstance(module, _NormBase) and module.track_running_stats and module.momentum is not None


def tensors_of(value: Any) -> Iterator[Tensor]:
    """The tensors of what a module returned."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from tensors_of(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from tensors_of(item)
