"""What a program may switch of torch, Python and the process: how each is read, and put back."""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

import torch

__all__ = ["Switch", "all_switches_restored", "thread_switches"]

_AUTOCAST = ("cpu", "cuda")
_CLOCK_SLACK = 0.05
"""Seconds by which two readings of an alarm clock may differ."""

_SIGNALS = sorted(map(int, signal.valid_signals()))


class Switch(NamedTuple):
    """``name`` is for people; what ``read`` gives, ``put`` takes."""

    name: str
    read: Callable[[], Any]
    put: Callable[[Any], object]


@contextmanager
def all_switches_restored() -> Iterator[list[str]]:
    """Give back all switches as they were found.

    What could not be put back stands, when ``with`` is over, in the list that it gives: one line each.
    """
    before = [(switch, switch.read()) for switch in _SWITCHES]
    remarks: list[str] = []
    with _timer_restored():
        try:
            yield remarks
        finally:
            for switch, value in before:
                if not _alike(switch.read(), value) and not _put_back(switch, value):
                    remarks.append(f"the program changed {switch.name}, which could not be put back")


def thread_switches() -> Callable[[], Any]:
    """What of this thread a backward depends on, to be set in the thread where it will run."""
    enabled = torch.is_grad_enabled()
    kinds = [kind for kind in _AUTOCAST if torch.is_autocast_enabled(kind)]
    dtypes = {kind: torch.get_autocast_dtype(kind) for kind in kinds}

    @contextmanager
    def switched() -> Iterator[None]:
        with ExitStack() as stack:
            stack.enter_context(torch.set_grad_enabled(enabled))
            for kind, dtype in dtypes.items():
                stack.enter_context(torch.autocast(kind, dtype=dtype))
            yield

    return switched


def _put_back(switch: Switch, value: Any) -> bool:
    try:
        switch.put(value)
    except (OSError, RuntimeError, TypeError, ValueError):
        return False
    return _alike(switch.read(), value)


def _alike(now: Any, before: Any) -> bool:
    # Of objects of the program, such as its own stdout, `==` is not asked.
    plain = isinstance(before, (bool, int, str, tuple, list, dict, torch.dtype, torch.device))
    return now is before or (plain and type(now) is type(before) and now == before)


def _autocast() -> tuple[Any, ...]:
    kinds = tuple((torch.is_autocast_enabled(kind), torch.get_autocast_dtype(kind)) for kind in _AUTOCAST)
    nesting = torch.autocast_increment_nesting() - 1
    torch.autocast_decrement_nesting()
    return kinds, torch.is_autocast_cache_enabled(), nesting


def _put_autocast(value: tuple[Any, ...]) -> None:
    kinds, cache, nesting = value
    for kind, (enabled, dtype) in zip(_AUTOCAST, kinds, strict=True):
        torch.set_autocast_enabled(kind, enabled)
        torch.set_autocast_dtype(kind, dtype)
    torch.set_autocast_cache_enabled(cache)
    while _autocast()[2] > nesting:
        torch.autocast_decrement_nesting()
    while _autocast()[2] < nesting:
        torch.autocast_increment_nesting()
    if not nesting:
        torch.clear_autocast_cache()  # as at the end of the outermost autocast


def _default_device() -> Any:
    # `torch.get_default_device` does not tell "none" from "cpu".
    context = getattr(torch._GLOBAL_DEVICE_CONTEXT, "device_context", None)
    return None if context is None else context.device


def _deterministic() -> tuple[bool, bool]:
    return torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()


def _put_conversion(value: tuple[bool, bool]) -> None:
    torch.__future__.set_swap_module_params_on_conversion(value[0])
    torch.__future__.set_overwrite_module_params_on_conversion(value[1])


def _put_collector(value: tuple[bool, tuple[int, ...], int]) -> None:
    enabled, thresholds, debug = value
    gc.set_threshold(*thresholds)
    gc.set_debug(debug)
    (gc.enable if enabled else gc.disable)()


def _handlers() -> dict[int, Any]:
    return {number: signal.getsignal(number) for number in _SIGNALS}


def _put_handlers(value: dict[int, Any]) -> None:
    for number, handler in value.items():
        if signal.getsignal(number) is not handler:
            signal.signal(number, handler)


@contextmanager
def _timer_restored() -> Iterator[None]:
    """Let the alarm clock of the process ring when it would have: a program's own may end the process."""
    if not hasattr(signal, "getitimer"):
        yield
        return
    (left, interval), began = signal.getitimer(signal.ITIMER_REAL), time.monotonic()
    try:
        yield
    finally:
        now = signal.getitimer(signal.ITIMER_REAL)
        due = left - (time.monotonic() - began)
        if not left and any(now):
            signal.setitimer(signal.ITIMER_REAL, 0)
        elif due > 0 and (now[1] != interval or abs(now[0] - due) > _CLOCK_SLACK):
            signal.setitimer(signal.ITIMER_REAL, due, interval)


def _put_warnings(value: list[Any]) -> None:
    warnings.resetwarnings()  # tells the module too that they change
    filters: Any = warnings.filters
    filters[:] = value


def _folder() -> str:
    try:
        return os.getcwd()
    except OSError:
        return ""  # it is gone


def _put_environment(value: dict[str, str]) -> None:
    for key in os.environ.keys() - value.keys():
        del os.environ[key]
    os.environ.update(value)


_SWITCHES = (
    Switch("grad mode", torch.is_grad_enabled, torch.set_grad_enabled),
    Switch("the default dtype", torch.get_default_dtype, torch.set_default_dtype),
    Switch("the default device", _default_device, torch.set_default_device),
    Switch(
        "anomaly mode",
        lambda: (torch.is_anomaly_enabled(), torch.is_anomaly_check_nan_enabled()),
        lambda value: torch.set_anomaly_enabled(*value),
    ),
    Switch(
        "deterministic algorithms",
        _deterministic,
        lambda value: torch.use_deterministic_algorithms(value[0], warn_only=value[1]),
    ),
    Switch("autocast", _autocast, _put_autocast),
    Switch(
        "how modules are converted",
        lambda: (
            torch.__future__.get_swap_module_params_on_conversion(),
            torch.__future__.get_overwrite_module_params_on_conversion(),
        ),
        _put_conversion,
    ),
    Switch("the number of threads", torch.get_num_threads, torch.set_num_threads),
    Switch("the number of interop threads", torch.get_num_interop_threads, torch.set_num_interop_threads),
    Switch("sys.settrace", sys.gettrace, sys.settrace),
    Switch("sys.setprofile", sys.getprofile, sys.setprofile),
    Switch("threading.settrace", threading.gettrace, threading.settrace),
    Switch("threading.setprofile", threading.getprofile, threading.setprofile),
    Switch(
        "the garbage collector", lambda: (gc.isenabled(), gc.get_threshold(), gc.get_debug()), _put_collector
    ),
    Switch("the recursion limit", sys.getrecursionlimit, sys.setrecursionlimit),
    Switch("signal handlers", _handlers, _put_handlers),
    Switch("sys.stdin", lambda: sys.stdin, lambda value: setattr(sys, "stdin", value)),
    Switch("sys.stdout", lambda: sys.stdout, lambda value: setattr(sys, "stdout", value)),
    Switch("sys.stderr", lambda: sys.stderr, lambda value: setattr(sys, "stderr", value)),
    Switch("the filters of warnings", lambda: list(warnings.filters), _put_warnings),
    Switch("the working folder", _folder, os.chdir),
    Switch("environment variables", lambda: dict(os.environ), _put_environment),
)
