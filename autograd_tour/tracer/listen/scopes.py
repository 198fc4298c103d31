"""Which call of which function of the program runs: ``lstm_cell`` for the third time.

A frame may get the place of one that is gone, so its ``id`` does not tell two calls apart. Each frame of the
program that is met gets a mark, in ``f_trace``, which Python looks at only while it is traced, and which goes
with the frame. Where a debugger has put its own there, that function is not told apart from what called it.
"""

from __future__ import annotations

from types import CodeType, FrameType

from autograd_tour.record.graph import Scope
from autograd_tour.tracer.listen.frames import home, is_library
from autograd_tour.tracer.listen.modules import ModuleKey, ModuleRecord

__all__ = ["FunctionRun", "FunctionRuns"]


class FunctionRun:
    """A call of a function of the program, ``number`` counts those of it in ``outer`` and one module."""

    __slots__ = ("counts", "function", "module_key", "number", "outer", "record")

    def __init__(
        self,
        record: FunctionRuns,
        function: str,
        number: int,
        outer: FunctionRun | None,
        module_key: ModuleKey | None,
    ) -> None:
        self.record = record
        self.function = function
        self.number = number
        self.outer = outer
        self.module_key = module_key
        self.counts: dict[tuple[CodeType, ModuleKey | None], int] = {}

    def __call__(self, *_: object) -> None:
        """Nothing: a debugger that starts meanwhile may take the mark for a function of its own."""


class FunctionRuns:
    """The calls of a program's own functions up to the frame of ``stop``; ``scopes`` are those asked for."""

    def __init__(self, stop: CodeType, modules: ModuleRecord) -> None:
        self.stop = stop
        self.modules = modules
        self.scopes: list[Scope] = []
        self._program = FunctionRun(self, "", 0, None, None)
        self._numbers: dict[FunctionRun, int] = {}
        self._home: str | None = None

    def of(self, frame: FrameType | None) -> FunctionRun:
        """The call that runs in ``frame``; the program itself, which is none, has no name."""
        unmarked: list[tuple[FrameType, ModuleKey | None]] = []
        module = self.modules.run
        run = self._program
        while frame is not None and frame.f_code is not self.stop:
            if module is not None and frame is module.frame:
                module = module.outer
            mark = frame.f_trace
            if isinstance(mark, FunctionRun) and mark.record is self:
                run = mark
                break
            if mark is None and not is_library(frame.f_code.co_filename):
                unmarked.append((frame, module.module_key if module is not None else None))
            frame = frame.f_back
        if unmarked and self._home is None:  # the outermost is the program's own
            self._home = home(unmarked[-1][0].f_code.co_filename)
        for inner, module_key in reversed(unmarked):
            run = self._within(run, inner, module_key)
            inner.f_trace = run
        return run

    def _within(self, run: FunctionRun, frame: FrameType, module_key: ModuleKey | None) -> FunctionRun:
        """What runs in ``frame``, which ``run`` called, maybe through code that is not the program's."""
        code, back = frame.f_code, frame.f_back
        name = code.co_name
        while back is not None and back.f_code is not self.stop and is_library(back.f_code.co_filename):
            back = back.f_back
        outermost = back is None or back.f_code is self.stop
        # A module's forward is that module's; what Python calls <listcomp> is no function of the reader's.
        if outermost or name in ("forward", "__call__") or name.startswith("<"):
            return run
        if home(code.co_filename) != self._home:
            return run
        number = run.counts.get((code, module_key), 0)
        run.counts[code, module_key] = number + 1
        return FunctionRun(self, name, number, run, module_key)

    def number(self, run: FunctionRun | None) -> int | None:
        """The position of ``run`` in ``scopes``, ``None`` for the program itself."""
        if run is None or run.outer is None:
            return None
        if run not in self._numbers:
            outer = self.number(run.outer)
            self._numbers[run] = len(self.scopes)
            self.scopes.append(Scope(run.function, run.number, outer, self.modules.path(run.module_key)))
        return self._numbers[run]
