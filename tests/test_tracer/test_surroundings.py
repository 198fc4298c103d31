"""Whatever a program switches while it is traced is put back, also when it raises."""

from __future__ import annotations

import gc
import io
import os
import shutil
import signal
import sys
import threading
import warnings

import pytest
import torch

import autograd_tour as tour
from autograd_tour.errors import ProgramError
from autograd_tour.tracer.engine.stepper import stepper
from tests.commands import script_answer


def nothing(*_):
    return None


def autocast():
    kinds = [(torch.is_autocast_enabled(kind), torch.get_autocast_dtype(kind)) for kind in ("cpu", "cuda")]
    nesting = torch.autocast_increment_nesting()
    torch.autocast_decrement_nesting()
    return kinds, torch.is_autocast_cache_enabled(), nesting


def set_autocast():
    torch.set_autocast_enabled("cpu", True)
    torch.set_autocast_dtype("cpu", torch.float16)
    torch.set_autocast_cache_enabled(False)


def handlers():
    return signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGUSR1)


def set_environment():
    os.environ["AUTOGRAD_TOUR_TEST_NEW"] = "1"
    os.environ["AUTOGRAD_TOUR_TEST_OLD"] = "changed"
    os.environ.pop("AUTOGRAD_TOUR_TEST_GONE", None)


SWITCHES = {
    "grad mode": (torch.is_grad_enabled, lambda: torch.set_grad_enabled(False)),
    "dtype": (torch.get_default_dtype, lambda: torch.set_default_dtype(torch.float64)),
    "device": (
        lambda: (torch.get_default_device(), torch._C._len_torch_function_stack()),
        lambda: torch.set_default_device("meta"),
    ),
    "anomaly": (
        lambda: (torch.is_anomaly_enabled(), torch.is_anomaly_check_nan_enabled()),
        lambda: torch.autograd.set_detect_anomaly(True, check_nan=False),
    ),
    "deterministic": (
        lambda: (
            torch.are_deterministic_algorithms_enabled(),
            torch.is_deterministic_algorithms_warn_only_enabled(),
        ),
        lambda: torch.use_deterministic_algorithms(True, warn_only=True),
    ),
    "autocast": (autocast, set_autocast),
    "autocast entered": (autocast, lambda: torch.autocast("cpu", dtype=torch.bfloat16).__enter__()),
    "threads": (torch.get_num_threads, lambda: torch.set_num_threads(torch.get_num_threads() + 1)),
    "settrace": (sys.gettrace, lambda: sys.settrace(nothing)),
    "setprofile": (sys.getprofile, lambda: sys.setprofile(nothing)),
    "threading.settrace": (threading.gettrace, lambda: threading.settrace(nothing)),
    "threading.setprofile": (threading.getprofile, lambda: threading.setprofile(nothing)),
    "gc disabled": (gc.isenabled, gc.disable),
    "gc thresholds": (gc.get_threshold, lambda: gc.set_threshold(7, 8, 9)),
    "recursion limit": (sys.getrecursionlimit, lambda: sys.setrecursionlimit(3210)),
    "signals": (
        handlers,
        lambda: (signal.signal(signal.SIGINT, signal.SIG_IGN), signal.signal(signal.SIGUSR1, nothing)),
    ),
    "alarm": (lambda: signal.getitimer(signal.ITIMER_REAL), lambda: signal.alarm(1000)),
    "stdout": (lambda: sys.stdout, lambda: setattr(sys, "stdout", io.StringIO())),
    "stderr": (lambda: sys.stderr, lambda: setattr(sys, "stderr", io.StringIO())),
    "warnings": (lambda: list(warnings.filters), lambda: warnings.simplefilter("error")),
    "folder": (os.getcwd, lambda: os.chdir("/")),
    "environment": (lambda: dict(os.environ), set_environment),
}


@pytest.fixture(autouse=True)
def _put_back_whatever_happens(monkeypatch):
    """A test that fails must not make others fail."""
    monkeypatch.setenv("AUTOGRAD_TOUR_TEST_OLD", "as it was")
    monkeypatch.setenv("AUTOGRAD_TOUR_TEST_GONE", "")
    stdout, stderr, folder, trace = sys.stdout, sys.stderr, os.getcwd(), sys.gettrace()
    before = handlers(), gc.get_threshold(), torch.get_num_threads(), sys.getrecursionlimit()
    with warnings.catch_warnings():
        yield
    sys.stdout, sys.stderr = stdout, stderr
    sys.settrace(trace)
    sys.setprofile(None)
    threading.settrace(None)
    threading.setprofile(None)
    os.chdir(folder)
    os.environ.pop("AUTOGRAD_TOUR_TEST_NEW", None)
    gc.enable()
    for number, handler in zip((signal.SIGINT, signal.SIGUSR1), before[0], strict=True):
        signal.signal(number, handler)
    gc.set_threshold(*before[1])
    torch.set_num_threads(before[2])
    sys.setrecursionlimit(before[3])
    signal.alarm(0)
    torch.set_default_device(None)
    torch.set_default_dtype(torch.float32)
    torch.set_grad_enabled(True)
    torch.set_anomaly_enabled(False)
    torch.use_deterministic_algorithms(False)
    torch.set_autocast_enabled("cpu", False)
    torch.set_autocast_dtype("cpu", torch.bfloat16)
    torch.set_autocast_cache_enabled(True)


def program_that(change, *, raises=False):
    """A program that does ``change`` when all else is done."""

    def program():
        w = torch.tensor([1.0, 2.0], requires_grad=True)
        loss = (w * 3).sum()
        change()
        if raises:
            raise ValueError("not today")
        return loss

    return program


@pytest.mark.parametrize("raises", [False, True], ids=["returns", "raises"])
@pytest.mark.parametrize(
    "look", [tour.trace, lambda p: tour.accumulate(p, calls=1)], ids=["trace", "accumulate"]
)
def test_what_a_program_switches_is_put_back(look, raises):
    left = {}
    for name, (read, change) in SWITCHES.items():
        before = read()
        if raises:
            with pytest.raises(ProgramError, match="not today"):
                look(program_that(change, raises=True))
        else:
            record = look(program_that(change))
            assert not any("put back" in note for note in getattr(record, "meta", record).notes)
        if read() != before:
            left[name] = read()
    assert left == {}


def test_the_switches_between_two_steps_are_the_readers():
    left = {}
    for name in ("deterministic", "threads", "signals", "stdout", "warnings", "folder", "environment"):
        read, change = SWITCHES[name]
        before = read()
        steps = stepper(program_that(change))
        next(steps)
        if read() != before:
            left[name] = read()
        change()
        changed = read()
        list(steps)
        if read() != changed:
            left[f"{name}, by the reader"] = read()
    assert left == {}


def test_a_record_is_as_true_with_another_default_device_and_dtype():
    def change():
        torch.set_default_device("meta")
        torch.set_default_dtype(torch.float64)

    assert tour.trace(program_that(change)).passes == tour.trace(program_that(nothing)).passes


def test_a_default_device_that_was_set_before_is_set_again():
    torch.set_default_device("meta")
    tour.trace(lambda: torch.set_default_device("cpu") or torch.ones(2, requires_grad=True).sum())
    assert torch.get_default_device() == torch.device("meta")


def test_an_alarm_of_the_reader_rings_when_it_would_have():
    signal.alarm(500)
    tour.trace(program_that(lambda: signal.alarm(0)))
    assert 490 < signal.getitimer(signal.ITIMER_REAL)[0] <= 500


def test_what_cannot_be_put_back_is_said(tmp_path, monkeypatch):
    folder = tmp_path / "gone"
    folder.mkdir()
    monkeypatch.chdir(folder)

    def leave():
        os.chdir("/")
        shutil.rmtree(folder, ignore_errors=True)

    (note,) = [note for note in tour.trace(program_that(leave)).meta.notes if "put back" in note]
    assert note == "the program changed the working folder, which could not be put back"


def test_what_torch_lets_nobody_set_twice_is_said_in_accumulation_too(tmp_path):
    script = """
import torch, autograd_tour as tour
torch.get_num_interop_threads()
first = [True]
def program():
    if first and first.pop():
        torch.set_num_interop_threads(torch.get_num_interop_threads() + 1)
    return (torch.ones(2, requires_grad=True) * 2).sum()
print(*tour.accumulate(program).notes, sep="\\n")
"""
    run = script_answer(script, cwd=tmp_path)
    assert run.stdout.splitlines() == [
        "the program changed the number of interop threads, which could not be put back"
    ]


def test_a_mode_that_a_program_leaves_entered_hears_nothing_afterwards():
    class Counting(torch.overrides.TorchFunctionMode):
        count = 0

        def __torch_function__(self, func, types, args=(), kwargs=None):
            Counting.count += 1
            return func(*args, **(kwargs or {}))

    tour.trace(program_that(Counting().__enter__))
    assert torch._C._len_torch_function_stack() == 0
    before = Counting.count
    torch.ones(2) + 1
    assert Counting.count == before


def test_a_long_error_of_torch_ends_with_an_ellipsis():
    def program():
        y = torch.ones(3, requires_grad=True).exp()
        y.zero_()
        return y.sum()

    with pytest.raises(ProgramError, match=r"was modified in place: .{299}…"):
        tour.trace(program)
