"""Models of installed libraries, trained as they should be: nothing is found. Skipped where none is installed."""

from __future__ import annotations

import importlib.util
import json
import time

import pytest
import torch
from programs.faults import trained
from torch import nn

from benchmarks import library
from benchmarks.library_page import PAGE, Remark, Verdict, page

MOST = 5
"""Models of each library; ``python -m benchmarks.library`` runs all."""


@pytest.mark.slow
@pytest.mark.parametrize("name", library.LIBRARIES)
def test_a_model_of_a_library_has_no_false_alarm(name) -> None:
    if importlib.util.find_spec(name) is None:
        pytest.skip(f"{name} is not installed")
    verdicts = []
    for candidate in library.candidates(name):
        verdict = library.judged(candidate)
        verdicts += [] if verdict.skip else [verdict]
        if len(verdicts) == MOST:
            break
    assert verdicts
    assert [remark for verdict in verdicts for remark in verdict.alarms] == []


def candidate(name, loss, net=nn.Linear) -> library.Candidate:
    return library.Candidate("torchvision", name, lambda: (net(2, 1), loss))


def healthy(net):
    return net(trained.x).mean()


def dead(net):
    return torch.relu(net(trained.x) - 1000).mean()


def test_a_finding_would_be_counted() -> None:
    assert library.judged(candidate("healthy", healthy)).alarms == ()
    assert [item.kind for item in library.judged(candidate("dead", dead)).alarms] == ["dead-relu"]


def test_a_remark_that_may_be_meant_is_no_alarm() -> None:
    class Two(nn.Module):
        def __init__(self, *size: int) -> None:
            super().__init__()
            self.used, self.frozen = nn.Linear(*size), nn.Linear(*size).requires_grad_(False)

        def forward(self, value: torch.Tensor) -> torch.Tensor:
            h = self.used(value) + self.frozen(value)
            h.register_hook(lambda gradient: gradient * 2)
            return h

    verdict = library.judged(candidate("two", healthy, Two))
    assert (verdict.alarms, [item.kind for item in verdict.notes]) == ((), ["hook-changes-gradient"])


def test_what_takes_too_long_is_skipped_and_says_why() -> None:
    def endless(net):
        while True:
            healthy(net)

    verdict = library.judged(candidate("endless", endless), seconds=0.4)
    assert (verdict.skip, verdict.reason) == ("slow", "its plain steps took too long")


def test_time_in_which_nothing_is_computed_does_not_count() -> None:
    with library.limited(0.05):
        time.sleep(0.1)


def test_a_run_goes_on_where_it_ended(tmp_path, monkeypatch, capsys) -> None:
    built = []

    def make(name, loss):
        def build():
            built.append(name)
            return nn.Linear(2, 1), loss

        return library.Candidate("torchvision", name, build)

    every = [make("healthy", healthy), make("dead", dead)]
    monkeypatch.setattr(library, "candidates", lambda _: every)
    lines, out = tmp_path / "lines.jsonl", tmp_path / "page.md"
    assert library.main(["torchvision", "--lines", str(lines), "--most", "1"]) == 0
    with lines.open("a") as file:
        file.write(lines.read_text()[:40])  # it was ended while it wrote
    lines.write_text(lines.read_text() + "\n")
    assert library.main(["torchvision", "--lines", str(lines), "--page", str(out)]) == 1
    assert built == ["healthy", "dead"]
    assert "torchvision dead: dead-relu" in capsys.readouterr().out
    assert "| torchvision | 2 | 1 | 0 | 0 | 0 | 0 |" in out.read_text()
    assert "- dead: warning: " in out.read_text()
    assert library.main(["torchvision", "--lines", str(lines), "--again"]) == 1
    assert built == ["healthy", "dead", "dead"]
    assert json.loads(lines.read_text().splitlines()[-1])["name"] == "dead"


def test_the_page_has_counts_notes_and_reasons() -> None:
    remark = Remark("grad-none-unused", "note: .grad of a|b is None after backward")
    verdicts = [
        Verdict("timm", "small", notes=(remark, remark)),
        Verdict("timm", "huge", skip="large", reason="9 parameters"),
        Verdict("timm", "odd", skip="not built", reason="TypeError: `x`"),
        Verdict("transformers", "slow", skip="slow"),
    ]
    text = page(verdicts, date="2026-11-27", largest=30_000_000, seconds=40)
    assert "| timm | 1 | 0 | 1 | 1 | 0 | 1 |" in text
    assert "| together | 1 | 0 | 1 | 1 | 1 | 1 |" in text
    assert r"| `grad-none-unused` | 1 | small: note: .grad of a\|b is None after backward |" in text
    assert "False alarms" not in text
    assert "- odd: `TypeError: 'x'`" in text
    assert "more than 30 million parameters" in " ".join(text.split())
    assert "more than 10 s of CPU time" in " ".join(text.split())


def test_the_committed_page_has_two_hundred_models_and_no_false_alarm() -> None:
    (row,) = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| together")]
    models, alarms = [int(cell) for cell in row.strip("| ").split(" | ")[1:3]]
    assert models >= 200
    assert alarms == 0
    assert "more than two hundred healthy models" in (PAGE.parent / "explain.md").read_text(encoding="utf-8")
