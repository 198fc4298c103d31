"""Running the program under trace: its outputs, its names, its failures."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial
from typing import Any

from torch import Tensor, nn

from autograd_tour.errors import ProgramError, StopRequest, TourError, UsageError
from autograd_tour.tracer.limits import recursion_limit_kept
from autograd_tour.tracer.listen.failures import described, exit_text, place_of
from autograd_tour.tracer.listen.forward import ForwardRecord
from autograd_tour.tracer.listen.listener import listening
from autograd_tour.tracer.listen.names import (
    arguments_by_name,
    find_names,
    is_module,
    namespaces_of,
    parameter_names,
)
from autograd_tour.tracer.listen.warned import warnings_placed
from autograd_tour.tracer.measure import Recorder
from autograd_tour.tracer.surroundings import Buffers

__all__ = [
    "LeafNames",
    "check_outputs",
    "modules_in_sight",
    "outputs_in",
    "run_forward",
    "run_program",
    "tensors_in",
]


def run_forward(
    program: Callable[..., Any], args: tuple[Any, ...], recorder: Recorder, buffers: Buffers
) -> tuple[ForwardRecord, list[tuple[Tensor, str]]]:
    """Call ``program(*args)`` while listening; its tensors with the names they have in its result.

    Raises:
        ProgramError: the program raised; the message has the line where.
    """
    record = ForwardRecord(recorder, run_program.__code__)
    with listening(record, buffers):
        result = run_program(program, args)
    return record, outputs_in(result, record)


def run_program(program: Callable[..., Any], args: tuple[Any, ...]) -> Any:
    """What ``program(*args)`` returns. Its frames are those above this function's.

    Raises:
        ProgramError: the program raised; the message has the line where.
    """
    try:
        with recursion_limit_kept(), warnings_placed(run_program.__code__):
            return program(*args)
    except (TourError, KeyboardInterrupt, StopRequest):
        raise  # whoever loaded the program has told where it failed
    except SystemExit as error:
        raise ProgramError(
            f"the program called sys.{exit_text(error)} instead of returning a loss{place_of(error)}",
            "Take the call out of the program, or trace a function that does not come to it",
        ) from error
    except BaseException as error:
        raise _failure(error) from error


def outputs_in(result: Any, record: ForwardRecord) -> list[tuple[Tensor, str]]:
    """The tensors of what the program returned that need a gradient, with their names in it.

    Raises:
        ProgramError: there is none.
    """
    outputs = check_outputs(result)
    for tensor, _ in outputs:
        record.note_output(tensor)
    return outputs


def _failure(error: BaseException) -> ProgramError:
    hint = "Run the program by itself to see the whole traceback"
    if type(error).__module__.startswith("torch._dynamo"):
        return ProgramError(
            f"torch.compile refuses a part of the program{place_of(error)}: {described(error)}",
            "What is followed cannot be compiled whole: leave out fullgraph=True, or follow the program "
            'without torch.compile: torch.compiler.set_stance("force_eager")',
        )
    return ProgramError(f"the program raised {described(error)}{place_of(error)}", hint)


def modules_in_sight(program: Any, args: tuple[Any, ...]) -> list[nn.Module]:
    """The modules that a program can reach by a name, an argument, or being one."""
    candidates = [program, *args, *(value for space in namespaces_of(program) for value in space.values())]
    return [item for item in candidates if is_module(item)]


def check_outputs(result: Any) -> list[tuple[Tensor, str]]:
    """The tensors of a result that need a gradient.

    Raises:
        ProgramError: no tensor at all, or none with a gradient.
    """
    named_tensors = list(tensors_in(result))
    if inspect.iscoroutine(result):
        result.close()  # or Python warns that nobody awaited it
    if inspect.iscoroutine(result) or inspect.isgenerator(result) or inspect.isasyncgen(result):
        raise ProgramError(
            f"the program returned a {_kind(result)}, so none of it has run",
            "Trace a plain function that returns the loss: one without async and yield",
        )
    if not named_tensors:
        raise ProgramError(
            f"the program returned {_kind(result)}, not a tensor",
            "Return the loss from the program: `return loss`",
        )
    wanted = [(tensor, name) for tensor, name in named_tensors if tensor.requires_grad]
    if not wanted:
        raise ProgramError(
            "the loss needs no grad: nothing it was computed from has requires_grad=True",
            "Set requires_grad=True on what you train; no_grad(), detach() and .item() cut the graph",
        )
    return wanted


def _kind(value: object) -> str:
    return "None" if value is None else f"{type(value).__name__}"


def tensors_in(value: Any, name: str = "", depth: int = 0) -> Iterator[tuple[Tensor, str]]:
    """The tensors in a nest of lists, tuples, dicts and plain objects (dataclasses, model outputs)."""
    if isinstance(value, Tensor):
        yield value, name
    elif depth > 8:
        return
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from tensors_in(item, str(key), depth + 1)
    elif isinstance(value, (list, tuple)):
        fields = getattr(value, "_fields", ())
        for i, item in enumerate(value):
            yield from tensors_in(item, fields[i] if i < len(fields) else name, depth + 1)
    elif hasattr(value, "__dataclass_fields__"):
        for key in value.__dataclass_fields__:
            yield from tensors_in(getattr(value, key, None), key, depth + 1)


class LeafNames(Mapping[int, str]):
    """id of a leaf -> its name, from the first source that has one.

    In this order: ``names=``, paths of parameters, the program's arguments, local variables seen in
    the forward pass, the closure and globals of the program, the frame that called ``trace``.
    """

    def __init__(
        self,
        leaves: list[Tensor],
        names: Mapping[str, Tensor] | None,
        program: Any,
        args: tuple[Any, ...],
        record: ForwardRecord | None,
        caller: list[dict[str, Any]],
    ) -> None:
        if names is not None and not all(isinstance(tensor, Tensor) for tensor in names.values()):
            raise UsageError("names= must map a name to a tensor", "For example names={'w': w, 'b': b}")
        given = {id(tensor): name for name, tensor in (names or {}).items()}
        arguments = arguments_by_name(program, args) if callable(program) and record is not None else {}
        spaces = namespaces_of(program) if record is not None else []
        if record is not None:
            record.modules.name_roots([arguments, *spaces, *caller])
        extra = list(record.modules.roots.values()) if record is not None else []
        if isinstance(program, nn.Module):
            extra.insert(0, ("", program))
        heard = record.leaf_names if record is not None else {}
        wanted = {id(leaf) for leaf in leaves}
        if record is not None:  # several models keep their names, also where one of them gets no gradient
            wanted |= record.modules.parameter_ids
        repeated = record.modules.repeated if record is not None else frozenset()
        every_space = [arguments, *spaces, *caller]
        self._paths = cache(partial(parameter_names, every_space, extra, wanted, repeated))
        self._names = dict(given)
        self._names |= {id(leaf): self._paths().get(id(leaf), "") for leaf in leaves if id(leaf) not in given}
        nameless = [leaf for leaf in leaves if not self._names[id(leaf)]]
        arrived = find_names(nameless, [arguments])
        around = find_names([leaf for leaf in nameless if not heard.get(id(leaf))], [*spaces, *caller])
        for leaf in nameless:
            key = id(leaf)
            self._names[key] = (
                arrived.get(key)
                or heard.get(key)
                or around.get(key)
                or (record.named_at_birth(leaf) if record is not None else "")
            )

    def __getitem__(self, key: int) -> str:
        return self._names[key] if key in self._names else self._paths()[key]

    def __iter__(self) -> Iterator[int]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)
