"""Which call of which function, or of which module, runs: ``lstm_cell`` for the third time.

A frame may get the place of one that is gone, so its ``id`` does not tell two calls apart. Each frame of the
program that is met gets a mark, in ``f_trace``, which Python looks at only while it is traced, and which goes
with the frame. Where a debugger has put its own there, that function is not told apart from what called it.
"""

from __future__ import annotations

from collections.abc import Iterable
from types import CodeType, FrameType

from autograd_tour.record.graph import Scope
from autograd_tour.tracer.listen.frames import home, is_library
from autograd_tour.tracer.listen.modules import ModuleKey, ModuleRecord, ModuleRun

__all__ = ["FunctionRun", "FunctionRuns"]


class FunctionRun:
    """A call of a function of the program, ``number`` counts those of it in ``outer`` and one module.

    Without a ``function`` it is a call of that module.
    """

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
        self.counts: dict[tuple[CodeType | None, ModuleKey | None], int] = {}

    def __call__(self, *_: object) -> None:
        """Nothing: a debugger that starts meanwhile may take the mark for a function of its own."""


class FunctionRuns:
    """The calls of a program's own functions up to the frame of ``stop``.

    ``scopes`` are those of one graph that were asked for since it began.
    """

    def __init__(self, stop: CodeType, modules: ModuleRecord) -> None:
        self.stop = stop
        self.modules = modules
        self.scopes: list[Scope] = []
        self._program = FunctionRun(self, "", 0, None, None)
        self._numbers: dict[FunctionRun, int] = {}
        self._of_modules: dict[int, FunctionRun] = {}
        self._again: dict[FunctionRun, int] = {}
        self._home: str | None = None

    def of(self, frame: FrameType | None) -> FunctionRun:
        """The call that runs in ``frame``; the program itself, which is none, has no name."""
        unmarked: list[tuple[FrameType | ModuleRun, ModuleKey | None]] = []
        module = self.modules.run
        run = self._program
        while frame is not None and frame.f_code is not self.stop:
            if module is not None and frame is module.frame:
                if module.number in self._of_modules:
                    run = self._of_modules[module.number]
                    break
                unmarked.append((module, module.module_key))
                module = module.outer
            mark = frame.f_trace
            if isinstance(mark, FunctionRun) and mark.record is self:
                run = mark
                break
            if mark is None and not is_library(frame.f_code.co_filename):
                unmarked.append((frame, module.module_key if module is not None else None))
            frame = frame.f_back
        for inner, module_key in reversed(unmarked):
            if isinstance(inner, ModuleRun):
                run = self._of_modules[inner.number] = self._call_of_module(run, inner)
                continue
            self._home = self._home or home(inner.f_code.co_filename)  # the outermost is the program's own
            run = self._within(run, inner, module_key)
            inner.f_trace = run
        return run

    def _call_of_module(self, run: FunctionRun, module: ModuleRun) -> FunctionRun:
        """The call of ``module`` in ``run``."""
        key = module.module_key
        number = run.counts.get((None, key), 0)
        run.counts[None, key] = number + 1
        return FunctionRun(self, "", number, run, key)

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

    def begin(self, runs: Iterable[FunctionRun]) -> None:
        """The graph that is told next was made by ``runs``: which modules were called more than once for it.

        A model that is called once in every iteration of a training is called once for each of its graphs.
        """
        self.scopes, self._numbers, self._again = [], {}, {}
        calls: dict[tuple[FunctionRun, ModuleKey | None], list[FunctionRun]] = {}
        seen: set[FunctionRun] = set()
        for inner in runs:
            run = inner
            while run.outer is not None and run not in seen:
                seen.add(run)
                if not run.function:
                    calls.setdefault((run.outer, run.module_key), []).append(run)
                run = run.outer
        for several in calls.values():
            if len(several) > 1:
                several.sort(key=lambda call: call.number)
                self._again |= {call: position for position, call in enumerate(several)}
        self.modules.name_repeated(call.module_key for call in self._again)

    def number(self, run: FunctionRun | None) -> int | None:
        """The position of ``run`` in ``scopes``, ``None`` for the program itself.

        That a module was called says its path; only of one called again its calls are told apart. A model
        that has no path is the program to its reader.
        """
        if run is None or run.outer is None:
            return None
        group = self.modules.path(run.module_key)
        if not run.function and (run not in self._again or not group):
            return self.number(run.outer)
        if run not in self._numbers:
            outer, number = self.number(run.outer), self._again.get(run, run.number)
            self._numbers[run] = len(self.scopes)
            self.scopes.append(Scope(run.function, number, outer, group))
        return self._numbers[run]
