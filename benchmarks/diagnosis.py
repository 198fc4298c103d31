"""``python -m benchmarks.diagnosis``: what tools say of the fault programs and near misses of the tests.

Writes the table of ``docs/diagnosis-table.md``. A program is a function without arguments. Peers that take
a model get
one whose forward runs the program up to its first backward, and whose parameters are the leaves that it used.
"""

from __future__ import annotations

import argparse
import inspect
import re
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from benchmarks.library import TimeUp, limited
from benchmarks.peers import has, versions

__all__ = ["TOOLS", "Answer", "Program", "main", "page", "programs"]

ROOT = Path(__file__).resolve().parent.parent
SECONDS = 10
"""A peer has so many for a program."""
PAGE = ROOT / "docs" / "diagnosis-table.md"


class Program(NamedTuple):
    """A program of the tests, the kind of its fault (``""`` for a near miss), and its guilty lines."""

    function: Callable[[], Any]
    kind: str
    lines: frozenset[int]


class Answer(NamedTuple):
    """Whether a tool said that something is wrong, and whether it named a guilty line."""

    symptom: bool = False
    line: bool = False


def programs() -> list[Program]:
    """All small programs with a fault, and all near misses."""
    sys.path.insert(0, str(ROOT / "tests"))
    from programs.faults import again, changed, cut_off, numbers, steps, trained

    files = (cut_off, changed, numbers, trained, steps, again)
    faults = [(item, kind) for file in files for item, kind in file.FAULTS.items()]
    near = [(item, "") for file in files for item in file.NEAR_MISSES]
    return [Program(item, kind, _guilty(item)) for item, kind in [*faults, *near]]


def _guilty(function: Callable[[], Any]) -> frozenset[int]:
    """The lines that are marked in the source, but those where an error was only raised or noticed."""
    lines, start = inspect.getsourcelines(function)
    late = ("the loss without a gradient", "backward begins here", "raised here", "used here")
    marks = [
        (start + n, role.strip())
        for n, line in enumerate(lines)
        for role in re.findall(r"# <- ([^#]*)", line)
    ]
    chosen = [number for number, role in marks if role not in late]
    return frozenset(chosen or [number for number, _ in marks])


# ---- tools -------------------------------------------------------------------------------------------


def _explained(program: Program) -> Answer:
    from autograd_tour import explain

    findings = [item for item in explain(program.function).findings if item.level != "note"]
    named = {item.line.line for finding in findings for item in finding.lines}
    symptom = any(finding.kind == program.kind for finding in findings) if program.kind else bool(findings)
    return Answer(symptom, bool(named & program.lines))


def _run(program: Program) -> None:
    result = program.function()
    if isinstance(result, Tensor):
        scalar = result.numel() == 1 and result.grad_fn is not None
        if scalar or (not result.requires_grad and program.kind == "loss-without-gradient"):
            result.backward()  # type: ignore[no-untyped-call]


def _with_torch(program: Program) -> Answer:
    return _raised(program, lambda: _run(program))


def _with_anomaly(program: Program) -> Answer:
    def run() -> None:
        with torch.autograd.set_detect_anomaly(True):
            _run(program)

    return _raised(program, run)


def _raised(program: Program, run: Callable[[], None]) -> Answer:
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        try:
            run()
        except Exception:
            text = traceback.format_exc() + "".join(str(item.message) for item in heard)
            return Answer(True, _names(text, program))
    return Answer()


def _names(text: str, program: Program) -> bool:
    file = Path(inspect.getfile(program.function)).name
    found = re.findall(rf"{re.escape(file)}\"?,? line (\d+)|{re.escape(file)}:(\d+)", text)
    return bool({int(a or b) for a, b in found} & program.lines)


class _Reached(BaseException):
    def __init__(self, loss: Tensor) -> None:
        self.loss = loss


class _Leaves(TorchFunctionMode):
    def __init__(self) -> None:
        super().__init__()
        self.items: dict[int, Tensor] = {}

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        for item in args:
            if isinstance(item, Tensor) and item.requires_grad and item.is_leaf:
                self.items[id(item)] = item
        return func(*args, **(kwargs or {}))


@contextmanager
def _stopped_at_backward() -> Iterator[None]:
    method = Tensor.backward

    def backward(self: Tensor, *_args: Any, **_kwargs: Any) -> None:
        raise _Reached(self)

    Tensor.backward = backward  # type: ignore[method-assign]
    try:
        yield
    finally:
        Tensor.backward = method  # type: ignore[method-assign]


class _Model(nn.Module):
    """Runs a program up to its first backward; the leaves it used are its parameters, unless ``plain``."""

    def __init__(self, program: Program, *, plain: bool = False) -> None:
        super().__init__()
        self.program, self.plain = program, plain

    def forward(self, _inputs: Any = None) -> Any:
        leaves = _Leaves()
        with nullcontext() if self.plain else leaves:
            try:
                with _stopped_at_backward():
                    result = self.program.function()
            except _Reached as reached:
                result = reached.loss
        self._parameters.update({f"leaf{n}": leaf for n, leaf in enumerate(leaves.items.values())})  # type: ignore[misc]
        return result


def _with_pytest_torch(program: Program) -> Answer:
    from pytest_torch import assert_all_params_receive_grad, assert_gradients_finite

    def run() -> None:
        assert_gradients_finite(_Model(program), (torch.zeros(1),), lambda result: result)
        assert_all_params_receive_grad(_Model(program), (torch.zeros(1),), lambda result: result)

    return _raised(program, run)


def _with_torchlens(program: Program) -> Answer:
    import torchlens

    def run() -> None:
        trace = torchlens.trace(_Model(program, plain=True), torch.zeros(1))
        told = [str(item) for item in getattr(trace.audit(), "findings", ())]
        bad = torchlens.debug.find_nan(_Model(program, plain=True), torch.zeros(1))
        if getattr(bad, "found", False) or told:
            raise AssertionError(f"{told} {bad}")

    return _raised(program, run)


def _asked(ask: Callable[[Program], Answer], program: Program) -> Answer:
    """What a peer says within some seconds; one that goes on and on says nothing."""
    try:
        with limited(SECONDS):
            return ask(program)
    except TimeUp:
        return Answer()


TOOLS: dict[str, tuple[str, Callable[[Program], Answer]]] = {
    "autograd-tour explain": ("", _explained),
    "torch alone": ("", _with_torch),
    "detect_anomaly": ("", _with_anomaly),
    "pytest-torch (two asserts)": ("pytest-torch", _with_pytest_torch),
    "torchlens (audit, find_nan)": ("torchlens", _with_torchlens),
}
"""Name -> package without which it is left out, and what asks it."""


def page(rows: list[tuple[str, list[tuple[Program, Answer]]]]) -> str:
    """The page with the table."""
    lines = [
        "# What tools say of programs with a fault",
        "",
        "`python -m benchmarks.diagnosis` makes this page. The programs are those of the tests: each "
        "with one fault in a",
        "small net (`tests/programs/faults`), and near misses in which nothing is wrong. A *symptom* is "
        "an error, or a word",
        "that something is wrong (of ours, the right kind of finding); a *line* counts if a guilty one "
        "is named. Peers",
        "that take a model get one that runs the program up to its first backward, with the leaves it "
        "used as parameters.",
        "",
        "| tool | symptom | guilty line | said something of near misses |",
        "|---|--:|--:|--:|",
    ]
    for name, answers in rows:
        faults = [answer for program, answer in answers if program.kind]
        near = [answer for program, answer in answers if not program.kind]
        if not answers:
            lines.append(f"| {name} | not installed | | |")
            continue
        lines.append(
            f"| {name} | {sum(item.symptom for item in faults)} of {len(faults)} | "
            f"{sum(item.line for item in faults)} of {len(faults)} | {sum(item.symptom for item in near)} "
            f"of {len(near)} |"
        )
    kinds = sorted({program.kind for _, answers in rows for program, _ in answers if program.kind})
    lines += [
        "",
        "By kind of fault, symptom / line:",
        "",
        "| kind | programs | " + " | ".join(n for n, _ in rows) + " |",
    ]
    lines.append("|---|--:|" + "--:|" * len(rows))
    for kind in kinds:
        cells = []
        for _, answers in rows:
            own = [answer for program, answer in answers if program.kind == kind]
            cells.append(
                f"{sum(item.symptom for item in own)} / {sum(item.line for item in own)}" if own else "–"
            )
        count = sum(program.kind == kind for program, _ in rows[0][1])
        lines.append(f"| `{kind}` | {count} | " + " | ".join(cells) + " |")
    wanted = ("Python", "torch", "torchlens", "pytest-torch")
    lines += ["", "Made with " + ", ".join(f"{n} {v}" for n, v in versions() if n in wanted) + ".", ""]
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    """Ask every tool about every program, and write the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.diagnosis", description=__doc__)
    parser.add_argument(
        "--page", type=Path, default=PAGE, help=f"where the table goes (default: docs/{PAGE.name})"
    )
    parser.add_argument("--only", default="", help="programs whose name has this in it")
    options = parser.parse_args(arguments)
    chosen = [program for program in programs() if options.only in program.function.__name__]
    rows: list[tuple[str, list[tuple[Program, Answer]]]] = []
    for name, (package, ask) in TOOLS.items():
        answers: list[tuple[Program, Answer]] = []
        if not package or has(package):
            for program in chosen:
                torch.manual_seed(0)
                with redirect_stdout(StringIO()), redirect_stderr(StringIO()), warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    answers.append((program, _asked(ask, program) if package else ask(program)))
        rows.append((name, answers))
        print(
            f"{name}: {sum(answer.symptom for program, answer in answers if program.kind)} of {len(answers)}"
        )
        sys.stdout.flush()
    options.page.write_text(page(rows), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
