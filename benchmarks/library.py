"""``python -m benchmarks.library``: models of torchvision, timm and transformers, trained as they should be.

``explain`` follows three healthy steps of each; a finding that is no note is a false alarm. What cannot be
built here is counted, with the reason. Verdicts are kept as lines of JSON, so that a run can be ended and
taken up again, and the page ``docs/library.md`` is made of them.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

import torch
from torch import Tensor, nn

from autograd_tour.errors import StopRequest
from benchmarks.library_models import LARGEST, LIBRARIES, Candidate, TooLargeError, candidates
from benchmarks.library_page import PAGE, Remark, Verdict, page
from benchmarks.table import write_page

__all__ = ["LIBRARIES", "Candidate", "TimeUp", "Verdict", "candidates", "judged", "limited", "trained"]

STEPS = 3
SECONDS = 40
"""Of CPU time for a model, a quarter of it for the plain steps."""
LINES = Path("library.jsonl")


class TimeUp(StopRequest):
    """A model or a tool took longer than it may."""


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """What runs inside and takes more CPU time ends with :class:`TimeUp`, however busy the machine is."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise TimeUp("took too long")

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def trained(model: nn.Module, loss_of: Callable[[nn.Module], Tensor]) -> None:
    """Three steps, as they should be."""
    model.train()
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=1e-4)
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = loss_of(model)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()


def judged(candidate: Candidate, seconds: float = SECONDS) -> Verdict:
    """Build, train and explain one model."""
    from autograd_tour import explain

    started = time.process_time()
    torch.manual_seed(0)
    verdict = Verdict(candidate.library, candidate.name)
    try:
        with limited(seconds / 4):
            model, loss_of = candidate.make()
            size = sum(parameter.numel() for parameter in model.parameters())
            verdict = verdict._replace(parameters=size)
            trained(model, loss_of)  # what fails alone says nothing about explain
    except TimeUp:
        return verdict._replace(skip="slow", reason="its plain steps took too long")
    except TooLargeError as error:
        return verdict._replace(skip="large", reason=str(error))
    except Exception as error:
        return verdict._replace(skip="not built", reason=_brief(error))
    try:
        with limited(seconds):
            findings = explain(trained, model, loss_of, keep=4, ceiling=64).findings
    except TimeUp:
        return verdict._replace(skip="slow", reason="explain took too long")
    except Exception as error:
        return verdict._replace(alarms=(Remark("explain failed", _brief(error)),))
    remarks = [(item.level == "note", Remark(item.kind, item.brief)) for item in findings]
    return verdict._replace(
        alarms=tuple(remark for is_note, remark in remarks if not is_note),
        notes=tuple(remark for is_note, remark in remarks if is_note),
        seconds=round(time.process_time() - started, 1),
    )


def _brief(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0][:120]


def _kept(lines: Path) -> dict[tuple[str, str], Verdict]:
    """The verdicts of an earlier run, the last of each model; a line that was cut off is none."""
    verdicts: dict[tuple[str, str], Verdict] = {}
    if lines.exists():
        for line in lines.read_text(encoding="utf-8").splitlines():
            try:
                fields = json.loads(line)
                for level in ("alarms", "notes"):
                    fields[level] = tuple(Remark(*item) for item in fields[level])
                verdict = Verdict(**fields)
            except (ValueError, TypeError, KeyError):
                continue
            verdicts[verdict.library, verdict.name] = verdict
    return verdicts


def _judged_now(chosen: Iterable[Candidate], lines: Path, most: int, enough: int) -> Iterator[Verdict]:
    """Judge one after another, and add a line for each, until so many are trained."""
    done = enough
    for candidate in chosen:
        if most and done >= most:
            return
        verdict = judged(candidate)
        done += not verdict.skip
        with lines.open("a", encoding="utf-8") as file:
            file.write(json.dumps(verdict._asdict()) + "\n")
        yield verdict


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.library", description=__doc__)
    parser.add_argument("libraries", nargs="*", metavar="LIBRARY", help=f"default: {', '.join(LIBRARIES)}")
    parser.add_argument("--only", default="", help="models whose name this expression finds something in")
    parser.add_argument("--most", type=int, default=0, help="so many of each library")
    parser.add_argument(
        "--lines", type=Path, default=LINES, help="verdicts, a line of JSON each; those in it stay"
    )
    parser.add_argument("--again", action="store_true", help="judge again those with an alarm")
    parser.add_argument("--page", type=Path, nargs="?", const=PAGE, help=f"write the page (docs/{PAGE.name})")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Judge the models asked for; 0 if there is no false alarm."""
    options = _options(arguments)
    warnings.simplefilter("ignore")
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    kept = _kept(options.lines)
    if options.again:
        kept = {key: verdict for key, verdict in kept.items() if not verdict.alarms}
    for library in options.libraries or LIBRARIES:
        chosen = [item for item in candidates(library) if re.search(options.only, item.name)]
        new = [item for item in chosen if (library, item.name) not in kept]
        enough = sum(not verdict.skip for key, verdict in kept.items() if key[0] == library)
        for verdict in _judged_now(new, options.lines, options.most, enough):
            kept[library, verdict.name] = verdict
            for remark in verdict.alarms:
                print(f"{library} {verdict.name}: {remark.kind}: {remark.brief}", flush=True)
        own = [verdict for verdict in kept.values() if verdict.library == library]
        skipped = sum(bool(verdict.skip) for verdict in own)
        print(f"{library}: {len(own) - skipped} models trained, {skipped} skipped", flush=True)
    alarms = sum(bool(verdict.alarms) for verdict in kept.values())
    trained_models = sum(not verdict.skip for verdict in kept.values())
    print(f"{trained_models} models trained, {alarms} with a false alarm")
    if options.page is not None:
        today = datetime.now(tz=UTC).date().isoformat()
        every = sorted(kept.values(), key=lambda verdict: [*LIBRARIES].index(verdict.library))
        write_page(options.page, page(every, date=today, largest=LARGEST, seconds=SECONDS))
    return 1 if alarms else 0


if __name__ == "__main__":
    sys.exit(main())
