"""Which line breaks the gradient: asked where findings know it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import PurePath
from typing import NamedTuple

from msgspec.structs import replace

from autograd_tour.findings import Finding, findings
from autograd_tour.findings import Subject as Findings
from autograd_tour.questions.base import Question, Subject, Wrong, mixed
from autograd_tour.questions.silent import effects
from autograd_tour.record.graph import Graph, SourceLine
from autograd_tour.text import one_line

__all__ = ["breaking", "questions"]

CHOICES = 4
_COMMENT = re.compile(r"\s+#\s")


class _Fault(NamedTuple):
    """How a kind of finding is asked about.

    ``role`` is that of the line to blame, ``look`` says what it does, ``stop`` is the tour's stop on it.
    """

    prompt: str
    role: str
    look: str
    stop: int


_IN_PLACE = _Fault(
    "backward stops with an error: a tensor that it needs is no longer what it was. Which line changes it?",
    "changed here",
    "the line that changes it in place after it was saved",
    11,
)
_FREED = _Fault(
    "backward stops with an error: what it needs is freed. Which line frees it?",
    "freed by this backward",
    "the backward that comes first: it frees what it used",
    10,
)
_CUT = _Fault(
    "A leaf that the program uses gets no gradient: its .grad stays None. Which line cuts it off?",
    "cut here",
    "the line whose result has no history",
    18,
)
_BACKWARD = _Fault(
    "All values of forward are as they should be, and yet a gradient is NaN or infinite. Which line is the "
    "first to send one back?",
    "made here",
    "the operation that gets a finite gradient and sends on one that is not",
    20,
)
_FORWARD = _Fault(
    "A value of forward is NaN. Which line makes the first one?",
    "made here",
    "the operation that gets no NaN and makes one",
    20,
)
_INFINITE = _Fault(
    "A value of forward is infinite. Which line makes the first one?",
    "made here",
    "the operation that gets no infinity and makes one",
    20,
)
_STOPPED = _Fault(
    "At one of these lines a gradient comes in, and all that goes on is 0. At which?",
    "stopped here",
    "the operation that is flat where its inputs are",
    19,
)
_LATE = _Fault(
    "No error is raised, and yet the step uses gradients as large as they come. Which line clips at the "
    "wrong moment?",
    "clipped here",
    "the line that clips where there is nothing to clip, or nobody to use it",
    14,
)
_MODE = _Fault(
    "", "evaluation mode set here", "the line that switches the mode: it stays until another does", 7
)
_FAULTS: Mapping[str, _Fault] = {
    "in-place": _IN_PLACE,
    "in-place-step": _IN_PLACE,
    "in-place-on-leaf": _IN_PLACE._replace(
        prompt="The program stops with an error: a leaf that requires a gradient is changed in place. "
        "Which line changes it?",
        look="the line that changes the leaf while autograd records",
    ),
    "changed-in-silence": _IN_PLACE._replace(
        prompt="No error is raised, and yet a gradient is wrong: a saved tensor is changed. "
        "Which line changes it?"
    ),
    "second-backward-same-loss": _FREED,
    "second-backward-two-losses": _FREED,
    "second-backward-carried-over": _FREED,
    "grad-none-cut": _CUT,
    "loss-without-gradient": _CUT._replace(
        prompt="backward cannot begin: the loss does not require a gradient. Which line cuts it off?"
    ),
    "nan-backward": _BACKWARD,
    "inf-backward": _BACKWARD,
    "nan-beside-where": _BACKWARD,
    "nan-forward": _FORWARD,
    "inf-forward": _INFINITE,
    "overflow-in-half-precision": _INFINITE,
    "dead-relu": _STOPPED,
    "rounding": _STOPPED,
    "clamped": _STOPPED,
    "grad-none-beside": _Fault(
        "A leaf that the program uses gets no gradient: what is computed from it leads to no loss. Which "
        "line is the last on its way?",
        "last used here",
        "the line whose result goes no further",
        18,
    ),
    "zero-grad-missing": _Fault(
        "No error is raised, and yet a step uses more than the gradient of its own iteration. Which line "
        "adds to what nobody emptied?",
        "adds to the old .grad here",
        "the backward that finds the .grad of an iteration before",
        6,
    ),
    "clipped-after-step": _LATE,
    "clipped-before-backward": _LATE,
    "evaluation-mode-in-training": _MODE._replace(
        prompt="A module is in evaluation mode in a step that trains it. Which line puts it there?"
    ),
    "training-mode-in-evaluation": _MODE._replace(
        prompt="A module is in training mode where it is evaluated. Which line puts it there?",
        role="training mode set here",
    ),
    "graph-in-evaluation": _Fault(
        "A module is evaluated, and a graph is recorded that no backward uses. Which line records it?",
        "recorded here",
        "the line that calls the module while autograd records",
        7,
    ),
    "unequal-micro-batches": _Fault(
        "Micro-batches of unequal size count the same in .grad. Which line makes a mean of each?",
        "averaged here",
        "the line that divides by the size of one micro-batch",
        15,
    ),
    "zero-grad-before-step": _Fault(
        "The step changes nothing: .grad is empty when it comes. Which line empties it?",
        "emptied here",
        "the line that empties .grad after backward and before the step",
        14,
    ),
    "graph-kept": _Fault(
        "Memory grows with every iteration. Which line holds on to the graphs?",
        "kept here",
        "the line that keeps a loss together with its graph",
        10,
    ),
}


def questions(subject: Subject) -> Iterator[Question]:
    """What the worst faults do that the record shows, and which line causes the worst."""
    run = subject.run
    graphs = (subject.graph,) if run is None else run.graphs
    sources = [*subject.graph.source, *(run.source if run is not None else ())]
    every = findings(Findings(graphs, run))
    for question in (*effects(every), *breaking(every, graphs, sources)):
        ran = {frame.node: frame.number for frame in subject.frames}
        here = question.node in subject.nodes and graphs[0] == subject.graph
        yield _at(question, question.node if here else "", ran.get(question.node, 0) if here else 0)


def _at(question: Question, node: str, frame: int) -> Question:
    return replace(question, node=node, frame=frame)


def breaking(
    worst_first: Iterable[Finding], graphs: Sequence[Graph], sources: Sequence[SourceLine] = ()
) -> Iterator[Question]:
    """One question about the worst of the findings whose guilty line is known."""
    every = list(worst_first)
    for finding in every:
        fault = _FAULTS.get(finding.kind)
        guilty = next((m.line for m in finding.lines if fault is not None and m.role == fault.role), None)
        if fault is None or guilty is None or not guilty.text.strip() or finding.level == "note":
            continue
        suspects = {
            _position(marked.line) for other in every if other is not finding for marked in other.lines
        }
        lines = [*sources, *(line for graph in graphs for line in graph.source)]
        question = _question(finding, fault, guilty, lines, suspects)
        if question is not None:
            yield question
            return


def _position(line: SourceLine) -> tuple[str, int]:
    return line.file, line.line


def _question(
    finding: Finding,
    fault: _Fault,
    guilty: SourceLine,
    lines: Sequence[SourceLine],
    suspects: set[tuple[str, int]],
) -> Question | None:
    several = len({line.file for line in (*lines, guilty)}) > 1

    def text(line: SourceLine) -> str:
        file = f"{one_line(PurePath(line.file).name, 40)}, " if several else ""
        # A comment may say what is wrong.
        return f"{one_line(_COMMENT.split(line.text.strip())[0], 60)} ({file}line {line.line})"

    answer = text(guilty)
    others = {
        text(m.line): f"{_begun(m.role)}: that is its part." for m in finding.lines if m.line.text.strip()
    }
    near = sorted(lines, key=lambda line: (line.file != guilty.file, abs(line.line - guilty.line)))
    for line in near:
        if line.text.strip() and _position(line) not in suspects:
            others.setdefault(text(line), "It is not this one.")
    others.pop(answer, None)
    wrong = tuple(
        Wrong(line, f"{part} Look for {fault.look}.", fault.stop)
        for line, part in list(others.items())[: CHOICES - 1]
    )
    if not wrong:
        return None
    question_id = f"line-{finding.kind}"
    return Question(
        question_id,
        "fault",
        fault.prompt,
        answer,
        one_line(f"{finding.why} Instead: {finding.fix.splitlines()[0] if finding.fix else ''}", 700),
        wrong,
        mixed(question_id, answer, *(item.answer for item in wrong)),
        0.0,
        finding.node,
    )


def _begun(role: str) -> str:
    return f"{role[:1].upper()}{role[1:]}"
