"""How the program itself names its tensors: local variables, closures, parameters of modules.

A result is named by what the bytecode does next with it: after ``t_p = model(...)`` comes a
``STORE_FAST t_p``. An input that was made before the trace is looked up by identity in the frames
of the program.
"""

from __future__ import annotations

import dis
import sys
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from functools import lru_cache
from types import CodeType, FrameType, ModuleType
from typing import Any, TypeGuard

from torch import Tensor, nn

from autograd_tour.tracer.listen.frames import is_library
from autograd_tour.tracer.listen.owned import (
    MANY,
    named_modules_of,
    named_parameters_of,
    unregistered_leaves_of,
)
from autograd_tour.tracer.listen.paths import Patience, path_to, paths_to

__all__ = [
    "assigned_names",
    "find_name",
    "find_names",
    "first_name",
    "function_of",
    "is_module",
    "is_numbered",
    "modules_held",
    "namespaces_of",
    "parameter_names",
    "plain_path",
]

_PLAIN = (str, bytes, int, float, complex, bool, type(None), Tensor, CodeType, FrameType)
"""What holds no modules."""

# Frames that hand the result of what they call straight on to their own caller.
_TRANSPARENT = {
    "__torch_function__",
    "_call_impl",
    "_wrapped_call_impl",
    "fn",
    "handle_torch_function",
    "inner",
    "wrapped",
}


@lru_cache(maxsize=1024)
def _sinks(code: CodeType) -> tuple[list[int], dict[int, tuple[str, ...] | None]]:
    """Offsets of all instructions; offset -> names that its result goes to, ``None`` if it is returned."""
    instructions = [item for item in dis.get_instructions(code) if item.opname not in ("CACHE", "NOP")]
    sinks: dict[int, tuple[str, ...] | None] = {}
    for here, item in enumerate(instructions[:-1]):
        names: list[str] = []
        if item.opname == "PRECALL":  # Python 3.11 may make the whole call from here
            here += 1  # noqa: PLW2901
        if here + 1 >= len(instructions):
            break
        nxt = instructions[here + 1]
        if nxt.opname == "RETURN_VALUE":
            sinks[item.offset] = None
            continue
        after, count, apart = here + 1, 1, False
        if nxt.opname in ("UNPACK_SEQUENCE", "UNPACK_EX"):
            # Of `first, *rest` only what stands before the star has one tensor each.
            after, count, apart = here + 2, int(nxt.arg or 0) & 0xFF, True
        while len(names) < count and after < len(instructions):
            stored = instructions[after]
            if not stored.opname.startswith("STORE_") or stored.opname in ("STORE_SUBSCR", "STORE_SLICE"):
                break
            value = stored.argval
            # From Python 3.13 on one instruction may store twice, or store and load.
            parts = list(value) if isinstance(value, tuple) else [value]
            names.extend(map(str, parts[:1] if stored.opname == "STORE_FAST_LOAD_FAST" else parts))
            after += 1
        names = names[:count]
        if names:
            alone = apart and len(names) == 1  # `(a,) = …` and `a, *_ = …` are not `a = …`
            sinks[item.offset] = (*names, "") if alone else tuple(names)
    return [item.offset for item in instructions], sinks


def _sink(code: CodeType, last: int) -> tuple[str, ...] | None:
    offsets, sinks = _sinks(code)
    # A caller may stand in the inline cache of its call: the instruction begins before that.
    return sinks.get(offsets[bisect_right(offsets, last) - 1], ()) if offsets else ()


def assigned_names(frame: FrameType | None, stop: CodeType, program: FrameType | None) -> tuple[str, ...]:
    """Names that the program is about to give to what the call running in ``frame`` returns.

    What a function inside of ``program`` calls it is that function's own affair.
    """
    inside = program is not None
    while frame is not None and frame.f_code is not stop:
        code = frame.f_code
        inside = inside and frame is not program
        if not (is_library(code.co_filename) and code.co_name in _TRANSPARENT):
            names = _sink(code, frame.f_lasti)
            if names is not None:
                return () if inside or is_library(code.co_filename) else names
        frame = frame.f_back
    return ()


def find_name(
    tensor: object,
    spaces: Iterable[Mapping[str, Any]],
    *,
    deep: bool = False,
    patience: Patience | None = None,
) -> str:
    """The name of ``tensor`` in the first of the namespaces that has one, or ``""``.

    Of several names the first counts, and a tensor in a list, tuple or dict is met too: ``layers[0]``; if
    ``deep`` one in an object, or one step further inside, too, as long as there is ``patience``.
    """
    paths = (path_to(tensor, space, deep=deep, patience=patience) for space in spaces)
    return next((path for path in paths if path), "")


def find_names(tensors: Iterable[object], spaces: Iterable[Mapping[str, Any]]) -> dict[int, str]:
    """``id`` -> what a deep ``find_name`` gives, of each tensor with a name; one search for all."""
    names: dict[int, str] = {}
    rest = list(tensors)
    for space in spaces:
        names |= paths_to(rest, space)
        rest = [tensor for tensor in rest if id(tensor) not in names]
    return names


def first_name(tensor: object, frame: FrameType, patience: Patience | None = None) -> str:
    """What ``frame`` called ``tensor`` first: a variable from outside, an argument, or one of its own."""
    return find_name(tensor, [variables(frame)], deep=True, patience=patience)


def variables(frame: FrameType) -> dict[str, Any]:
    """What the names in ``frame`` stand for, in the order in which it met them."""
    given, own = frame.f_locals, frame.f_globals
    return {
        name: given[name] if name in given else own[name]
        for name in _order(frame.f_code)
        if name in given or name in own
    } | given


@lru_cache(maxsize=1024)
def _order(code: CodeType) -> tuple[str, ...]:
    """All names of a function: those from outside, its arguments, then its own as they are first stored."""
    arguments = code.co_argcount + code.co_kwonlyargcount + bool(code.co_flags & 4) + bool(code.co_flags & 8)
    stored = [
        str(item.argval)
        for item in dis.get_instructions(code)
        if item.opname in ("STORE_FAST", "STORE_DEREF", "STORE_NAME", "STORE_GLOBAL")
    ]
    own = {*code.co_varnames, *code.co_cellvars, *stored}
    outside = (*code.co_freevars, *(name for name in code.co_names if name not in own))
    return tuple(dict.fromkeys([*outside, *code.co_varnames[:arguments], *stored]))


def function_of(program: object) -> Any:
    """The function that a callable runs, ``None`` if it is a module or has none in Python."""
    if isinstance(program, nn.Module):
        return None
    function: Any = getattr(program, "__func__", program)
    function = getattr(function, "func", function)  # functools.partial
    return function if hasattr(function, "__code__") else None


def namespaces_of(program: object) -> list[dict[str, Any]]:
    """Where a callable's tensors may have names: its closure, its defaults, its module's globals."""
    function = function_of(program)
    if function is None:
        return []
    code = function.__code__
    closure: dict[str, Any] = {}
    for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=False):
        try:
            closure[name] = cell.cell_contents
        except ValueError:
            continue  # not assigned yet
    used = {name: function.__globals__[name] for name in code.co_names if name in function.__globals__}
    return [closure, used, function.__globals__]


def parameter_names(
    spaces: Iterable[Mapping[str, Any]],
    extra: Iterable[tuple[str, nn.Module]],
    wanted: Set[int],
    repeated: Set[int] = frozenset(),
) -> dict[int, str]:
    """Id of a parameter or buffer -> its path, for all modules in sight that own one of ``wanted``.

    With one such module the path is that of ``named_parameters``; with several, of a module whose ``id`` is
    among ``repeated``, or where it would begin with a number (``0.weight``), it starts with the variable that
    holds the module.
    """
    modules = {id(module): (name, module) for name, module in extra}
    for space in spaces:
        for name, value in list(space.items()):
            if is_module(value) and (id(value) not in modules or not modules[id(value)][0]):
                modules[id(value)] = (name, value)
    inside = {
        id(child) for _, root in modules.values() for _, child in named_modules_of(root) if child is not root
    }
    owned: list[tuple[str, nn.Module, dict[int, str]]] = []
    for key, (name, root) in modules.items():
        tensors = [
            (plain_path(path), tensor)
            for path, tensor in (
                *named_parameters_of(root),
                *root.named_buffers(),
                *unregistered_leaves_of(root),
            )
        ]
        if key not in inside and any(id(tensor) in wanted for _, tensor in tensors):
            owned.append((name, root, {id(tensor): path for path, tensor in reversed(tensors)}))
    full_paths: dict[int, str] = {}
    for name, root, paths in owned:
        prefix = f"{name}." if name and len(owned) > 1 else ""
        numbered = prefix or f"{name or type(root).__name__}."
        full_paths |= {
            key: (numbered if id(root) in repeated or is_numbered(path) else prefix) + path
            for key, path in paths.items()
            if key not in full_paths
        }
    return full_paths


def is_numbered(path: str) -> bool:
    """Whether a path begins with a number, as in a ``Sequential``: ``x @ 0.weight`` would be misread."""
    return path.partition(".")[0].isdecimal()


def plain_path(path: str) -> str:
    """A path without the steps that ``torch.compile`` puts in: the module that it wraps is ``_orig_mod``."""
    return ".".join(step for step in path.split(".") if step != "_orig_mod") if "_orig_mod" in path else path


def modules_held(frames: Iterable[FrameType]) -> Iterator[tuple[str, nn.Module]]:
    """All modules that variables of ``frames`` hold, also in a list, a dict or an object, or one in such.

    So they are called ``net``, ``nets[0]``, ``agent.net``, ``agent.heads[0]`` or ``agents[0].net``; inside a
    method of ``agent``, ``net`` and ``heads[0]``. No code of what the variables hold is run.
    """
    for frame in frames:
        for name, value in variables(frame).items():
            rest: list[tuple[str, Any]] = []
            for key, item in _parts(value):
                if is_module(item):
                    yield _path(name, value, key), item
                elif key is not None and not isinstance_safe(item, _PLAIN):
                    rest.append((_path(name, value, key), item))
            for path, part in rest:
                yield from ((_path(path, part, key), item) for key, item in _parts(part) if is_module(item))


def _parts(value: Any) -> Iterable[tuple[Any, object]]:
    """(key, part) of a small collection or object; of anything else itself, with the key ``None``."""
    if type(value) in (list, tuple):
        return list(enumerate(value)) if len(value) <= MANY else ()
    if isinstance_safe(value, (nn.Module, ModuleType, type)):
        return ((None, value),)
    if type(value) is not dict:
        # A proxy computes its `__dict__`, and one that is a method wrapper has none.
        try:
            value = object.__getattribute__(value, "__dict__")
        except Exception:
            return ()
    return list(value.items()) if type(value) is dict and len(value) <= MANY else ()


def _path(name: str, value: object, key: Any) -> str:
    if isinstance_safe(value, nn.Module):
        return name
    if type(value) in (list, tuple, dict):
        return f"{name}[{key!r}]" if type(key) in (int, str) else f"{name}[{type(key).__name__}]"
    return str(key) if name == "self" else f"{name}.{key}"  # methods speak of `actor`, not of which object


def isinstance_safe(value: object, kind: type | tuple[type, ...]) -> bool:
    """``isinstance`` by real type: a stranger's ``__class__`` property is not run."""
    return issubclass(type(value), kind)


def is_module(value: object) -> TypeGuard[nn.Module]:
    """Whether it is a module that can be looked into: not one before the end of its own ``__init__``."""
    return isinstance_safe(value, nn.Module) and "_modules" in vars(value)


def arguments_by_name(program: Callable[..., Any], args: tuple[Any, ...]) -> dict[str, Any]:
    """The positional arguments by the names of the callable's parameters, as far as they go."""
    target: Any = program.forward if isinstance(program, nn.Module) else program
    code = getattr(getattr(target, "__func__", target), "__code__", None)
    if code is None:
        return {}
    first = 1 if hasattr(target, "__self__") else 0
    return dict(zip(code.co_varnames[first : code.co_argcount], args, strict=False))


def caller_namespaces(depth: int) -> list[dict[str, Any]]:
    """Locals, then globals, of the frame ``depth`` levels above the caller of this function."""
    frame = sys._getframe(depth + 1)
    return [variables(frame), frame.f_globals]
