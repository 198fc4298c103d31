"""``autograd-tour quiz``: predict, then see; questions from one's own program, in the terminal."""

from __future__ import annotations

import json
import sys
from collections import Counter
from typing import TYPE_CHECKING

import click

from autograd_tour.cli.common import TourCommand, answer, check_stdout, writing_stdout
from autograd_tour.cli.options import set_option, timeout_option
from autograd_tour.cli.stderr import printable, say
from autograd_tour.errors import ProgramError, TourError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from autograd_tour.cli.targets import TargetRecord
    from autograd_tour.questions import Judgement, Question

__all__ = ["ask_question", "command", "look_again"]

TRIES = 2
CEILING = 256.0
"""MB of tensors that are kept of a program that fails."""


@click.command(
    "quiz",
    cls=TourCommand,
    examples=(
        ("autograd-tour quiz thermometer", "questions about a built-in"),
        ("autograd-tour quiz training", "about zeroing and steps"),
        ("autograd-tour quiz net.py:loss", "about your own program"),
        ("autograd-tour quiz trace.json --questions 3", "three, about a saved trace"),
        ("autograd-tour quiz thermometer --set w=2", "with another w"),
        ("autograd-tour quiz net.py:loss --json", "all of it as JSON, nothing is asked"),
        ("autograd-tour render net.py:loss -f quiz", "as sheets to print, and as JSON"),
    ),
)
@click.argument("target", metavar="TARGET")
@click.option(
    "--questions", "most", metavar="N", type=click.IntRange(1, 1000), default=None, help="Ask N at most."
)
@set_option
@timeout_option("a program, and for making the questions (default: 600)")
@click.option(
    "-f",
    "--format",
    "formats",
    multiple=True,
    hidden=True,
    help="Of render; this command asks and writes no file.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the questions with their answers as JSON.")
def command(
    target: str,
    most: int | None,
    given: tuple[str, ...],
    timeout: float | None,
    formats: tuple[str, ...],
    as_json: bool,
) -> None:
    """Ask about a program: predict a number, then see what autograd did.

    TARGET is what render takes: a built-in, file.py:name, or a trace saved as .json. Type a number
    (4517.3, 1/11, None) or the number of a choice; Enter alone shows the answer; Ctrl-D ends it.
    """
    from autograd_tour.cli.guard import PROGRAM_SECONDS, limited
    from autograd_tour.formats import Settings
    from autograd_tour.formats.base import simplified

    if formats:
        form = formats[0] if formats[0] in ("quiz", "jupyterquiz") else "quiz"
        hint = f"autograd-tour render {target} -f {form} writes the questions"
        raise UsageError("quiz asks in the terminal and writes no file", hint)
    if target == "-" and not as_json:
        raise UsageError("stdin is where answers come from", "Save the trace to a file, or add --json")
    if sys.stdin is None and not as_json:
        raise UsageError("there is no stdin to read answers from", "--json prints the questions with theirs")
    check_stdout()  # before a program runs for minutes

    from autograd_tour.cli.targets import find

    settings = Settings(formats=("quiz",))
    seconds = PROGRAM_SECONDS if timeout is None else timeout
    from autograd_tour.questions import ask, listing

    try:
        record = find(target, settings, seconds, ledger=True, given=given)
    except ProgramError as failure:
        questions = _about_failure(target, seconds, failure)
    else:
        for note in record.notes:
            say(f"note: {note}")
        with limited(seconds, f"asking about {record.name}", "Ask about a smaller program"):
            questions = ask(
                simplified(record.trace, settings).trace, _about_faults(target, seconds, record, given)
            )
    questions = questions[:most]
    if as_json:
        answer(json.dumps(listing(questions), indent=2, ensure_ascii=False))
    elif not questions:
        say("there is nothing to ask about this run: it has no recorded backward and no small numbers")
    else:
        _ask_all(questions)


def _about_failure(target: str, seconds: float, failure: ProgramError) -> tuple[Question, ...]:
    """Which line breaks a program that fails.

    Raises:
        ProgramError: nobody knows; ``failure`` itself.
    """
    from autograd_tour.cli.targets import explained
    from autograd_tour.questions import breaking

    explanation = explained(target, seconds, CEILING)
    questions = tuple(breaking(explanation.findings, explanation.graphs))
    if not questions:
        raise failure
    say(f"note: {failure.message}")
    return questions


def _about_faults(
    target: str, seconds: float, record: TargetRecord, given: tuple[str, ...]
) -> tuple[Question, ...] | None:
    """What a program that raises nothing does wrong in silence, heard in one run more.

    ``None`` where a run cannot tell more than the record: of a saved trace, and with other numbers.
    """
    from autograd_tour.cli.targets import explained
    from autograd_tour.questions import breaking, effects

    if given or ":" not in target:
        return None
    try:
        explanation = explained(target, seconds, CEILING)
    except TourError:
        return None
    trace, every = record.trace, explanation.findings
    sources = [*trace.graph.source, *(trace.run.source if trace.run is not None else ())]
    return (*effects(every), *breaking(every, explanation.graphs, sources))


def _ask_all(questions: Sequence[Question]) -> None:
    right = asked = 0
    again: Counter[int] = Counter()
    try:
        for number, question in enumerate(questions, start=1):
            answer(f"\n{number} of {len(questions)}  {printable(question.prompt)}")
            if question.given:
                answer(f"   {printable(question.given)}")
            for position, choice in enumerate(question.choices, start=1):
                answer(f"   {position}) {printable(choice)}")
            asked = number
            right += ask_question(question, again)
    except (EOFError, KeyboardInterrupt):
        answer("")
        asked -= 1
    answer(f"\n{right} of {asked} right at the first try.{look_again(again)}")


def look_again(stops: Counter[int]) -> str:
    """Which stops of the tour the first answers point to, the heaviest first; nothing for none."""
    if not stops:
        return ""
    *others, last = (str(stop) for stop, _ in sorted(stops.items(), key=lambda item: (-item[1], item[0])))
    listed = f"stops {', '.join(others)} and {last}" if others else f"stop {last}"
    return f" Look again at {listed} of the tour: autograd-tour lesson {others[0] if others else last}"


def ask_question(question: Question, again: Counter[int], *, surely: bool = False) -> bool:
    """Ask one question until it is right, given up or tried often enough; whether it was right at once.

    The stop of the tour that a wrong first answer points to is counted in ``again``; if it is asked
    ``surely``, how sure one is comes before the feedback, and what was certain and wrong counts most.
    """
    from autograd_tour.questions import betrayed

    tries = 0
    while tries < TRIES:
        with writing_stdout():
            given = input("> ").strip()
        if not given:
            break
        judged = _judged(question, given)
        if judged is None:
            answer(
                f"Type 1 to {len(question.choices)}."
                if question.choices
                else "Type a number (4517.3, 1/11) or None."
            )
            continue
        tries += 1
        weight = _sureness() if surely and tries == 1 else 1
        if judged.right:
            answer(f"Right. {printable(judged.text)}")
            return tries == 1
        if tries == 1 and (stop := betrayed(question, judged)):
            again[stop] += weight
        again_text = "Once more:" if tries < TRIES else ""
        answer(" ".join(word for word in ("Not yet.", printable(judged.text), again_text) if word))
    answer(f"It is {printable(question.answer)}. {printable(question.right)}")
    return False


def _sureness() -> int:
    """How sure, from 1 to 3; Enter alone is a guess."""
    while True:
        answer("How sure are you? 1) a guess  2) rather sure  3) certain")
        with writing_stdout():
            given = input("> ").strip() or "1"
        if given in ("1", "2", "3"):
            return int(given)


def _judged(question: Question, given: str) -> Judgement | None:
    from autograd_tour.questions import judge

    # Numbers, since tensors are called a and b; the number wins over a choice that reads like it.
    if given.isascii() and given.isdigit() and 1 <= int(given) <= len(question.choices):
        given = question.choices[int(given) - 1]
    return judge(question, given)
