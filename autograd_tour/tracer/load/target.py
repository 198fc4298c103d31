"""``file.py:name`` or ``package.module:name``: from a target's text to something that can be traced.

What ``name`` may be:

- a function that can be called without arguments, and returns a loss;
- a ``torch.nn.Module`` instance, or a subclass that can be built without arguments, with a function
  ``example()`` beside it (in the same file, or a method of the module) that gives inputs: a tensor,
  a tuple of arguments, or a dict of named arguments;
- a tensor that exists at module level;
- ``__main__``: the file or module itself, which then runs as a script, as often as it is asked for.

What a module returns is traced as it is if it is a scalar. If it is not, a function ``loss(output)``
beside it makes one; without it the sum of the output is traced, and :attr:`Target.notes` says so.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import update_wrapper
from typing import Any

import torch
from torch import Tensor, nn

from autograd_tour.errors import UsageError
from autograd_tour.tracer.load.program import SCRIPT, Loaded, close_matches, find_object, load, script

__all__ = ["Target", "resolve"]

_FORM = "Write file.py:name or package.module:name, for instance net.py:loss"
_MAX_STEM = 60
_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\.|$)")


@dataclass(frozen=True)
class Target:
    """Something to trace: ``name`` is safe as the start of a file name, ``program()`` gives the loss.

    ``inspect.unwrap(program)`` is the user's own function or module. ``notes`` fills while the
    program runs: remarks for the reader, each once.
    """

    name: str
    program: Callable[[], object]
    notes: list[str] = field(default_factory=list, compare=False)


def resolve(text: str) -> Target:
    """The target named by ``text``. A file is run once, with its folder importable.

    ``torch.manual_seed(0)`` comes first, so that a network with random weights gives the same
    picture every time. Inputs from ``example()`` are made once and used by every call.

    Raises:
        UsageError: wrong form, no such file, module or name, or nothing that can be traced
            (:attr:`~autograd_tour.errors.TourError.hint` says what comes close).
        ProgramError: the file itself failed while it was loaded, as ``program()`` does later if
            the program raises.
    """
    location, colon, name = text.rpartition(":")
    if not colon or not location or not all(part.isidentifier() for part in name.split(".")):
        raise UsageError(f"{text!r} names no object in a file", _FORM)
    torch.manual_seed(0)
    if name == SCRIPT:
        stem, program = script(location)
        return Target(safe_stem(stem, stem), program)
    loaded = load(location)
    candidate = find_object(loaded, name, traceable=is_traceable)
    notes: list[str] = []
    return Target(safe_stem(loaded.stem, name), _program(loaded, name, candidate, notes), notes)


def is_traceable(thing: object) -> bool:
    """Whether ``thing`` looks like something to trace: a function, a module, or a tensor with a past."""
    if isinstance(thing, Tensor):
        return thing.requires_grad
    if isinstance(thing, type):
        return issubclass(thing, nn.Module)
    return isinstance(thing, nn.Module) or (inspect.isroutine(thing) and not required_arguments(thing))


def safe_stem(stem: str, name: str) -> str:
    """``net`` and ``loss`` to ``net-loss``: letters, digits, ``-``, ``_`` and ``.`` only."""
    parts = [stem] if stem == name else [stem, name]
    text = "-".join(re.sub(r"[^\w.-]+", "-", part).strip("-.") for part in parts).strip("-.")
    while len(text.encode()) > _MAX_STEM:
        text = text[:-1]
    return f"{text}-" if _RESERVED.match(text) else text or "program"


def required_arguments(function: Callable[..., object]) -> list[str]:
    """Names of the arguments that ``function`` cannot do without."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # made in C: calling it will tell
        return []
    free = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [p.name for p in parameters if p.default is p.empty and p.kind not in free]


def _program(loaded: Loaded, name: str, candidate: Any, notes: list[str]) -> Callable[[], object]:
    if isinstance(candidate, Tensor):
        return lambda: candidate
    if isinstance(candidate, type) and issubclass(candidate, nn.Module):
        missing = required_arguments(candidate)
        if missing:
            raise UsageError(
                f"{name} of {loaded.display_name} needs arguments to be built: {', '.join(missing)}",
                f"Build one in the file, net = {name}(...), and render {loaded.display_name}:net",
            )
        with loaded.running(f"building {name}"):
            candidate = candidate()
    if isinstance(candidate, nn.Module):
        return _module_program(loaded, name, candidate, notes)
    if isinstance(candidate, type) or not callable(candidate):
        others = close_matches(name, [n for n, v in vars(loaded.module).items() if is_traceable(v)])
        raise UsageError(
            f"{name} of {loaded.display_name} is {_kind(candidate)}, which cannot be traced",
            others + "Name a function without arguments, a torch.nn.Module or a tensor",
        )
    missing = required_arguments(candidate)
    if missing:
        raise UsageError(
            f"{name} of {loaded.display_name} needs arguments: {', '.join(missing)}",
            "Add a function without arguments that calls it and returns the loss, and name that one",
        )

    def program() -> object:
        with loaded.running(name):
            return candidate()

    return _wrapping(program, candidate)


def _module_program(loaded: Loaded, name: str, module: nn.Module, notes: list[str]) -> Callable[[], object]:
    arguments, named = _inputs(loaded, name, module)
    loss = _loss_beside(loaded, module)

    def program() -> object:
        with loaded.running(name):
            output = module(*arguments, **named)
            if isinstance(output, Tensor) and output.numel() == 1 and loss is None:
                return output
            if loss is not None:
                return loss(output)
            if not isinstance(output, Tensor):
                return output
            note = (
                f"{name} returns shape {tuple(output.shape)}, not a scalar: its sum is traced. "
                "For a loss of your own put loss(output) beside it."
            )
            if note not in notes:
                notes.append(note)
            return output.sum()

    return _wrapping(program, module)


def _wrapping(program: Callable[[], object], inner: object) -> Callable[[], object]:
    """``program`` with ``inner`` as ``__wrapped__``, for whoever looks for names and parameters."""
    update_wrapper(program, inner, assigned=("__name__", "__doc__"), updated=())  # type: ignore[arg-type]
    return program


def _beside(loaded: Loaded, module: nn.Module, name: str) -> Callable[..., object] | None:
    """The function ``name`` of the module itself, of the target's file, or of the class's own file."""
    inspect_home = inspect.getmodule(type(module))
    for namespace in (module, loaded.module, inspect_home):
        function = getattr(namespace, name, None)
        if callable(function) and not isinstance(function, type):
            return function  # type: ignore[no-any-return]
    return None


def _loss_beside(loaded: Loaded, module: nn.Module) -> Callable[[object], object] | None:
    loss = _beside(loaded, module, "loss")
    if loss is None:
        return None
    try:  # a `loss()` or `loss(x, y)` in the file is something else
        inspect.signature(loss).bind(None)
    except (TypeError, ValueError):
        return None
    return loss


def _inputs(loaded: Loaded, name: str, module: nn.Module) -> tuple[tuple[object, ...], dict[str, object]]:
    example = _beside(loaded, module, "example")
    if example is None:
        missing = required_arguments(module.forward)
        if not missing:
            return (), {}
        raise UsageError(
            f"{name} of {loaded.display_name} is a module, "
            f"and nothing says what to feed it ({', '.join(missing)})",
            "Put a function beside it that gives inputs: def example(): return torch.ones(4, 3)",
        )
    missing = required_arguments(example)
    if missing:
        raise UsageError(
            f"example() of {loaded.display_name} needs arguments: {', '.join(missing)}",
            "Let it give the inputs of the module without being told anything",
        )
    with loaded.running("example()"):
        given = example()
    if isinstance(given, dict):
        return (), {str(key): value for key, value in given.items()}
    return (given if isinstance(given, tuple) else (given,)), {}


def _kind(thing: object) -> str:
    if inspect.ismodule(thing):
        return "a Python module"
    if isinstance(thing, type):
        return "a class"
    return f"of type {type(thing).__name__}"
