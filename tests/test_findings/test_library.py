"""Models of installed libraries, trained as they should be: nothing is found. Skipped where none is installed."""

from __future__ import annotations

import importlib.util

import pytest

from benchmarks import library

pytestmark = pytest.mark.slow
MOST = 10
"""Models of each library; ``python -m benchmarks.library`` runs all."""


@pytest.mark.parametrize("name", library.LIBRARIES)
def test_a_model_of_a_library_has_no_false_alarm(name) -> None:
    if importlib.util.find_spec(name) is None:
        pytest.skip(f"{name} is not installed")
    verdicts = []
    for candidate in library.candidates(name):
        verdict = library.judged(candidate)
        verdicts += [] if verdict.skipped else [verdict]
        if len(verdicts) == MOST:
            break
    assert verdicts
    assert [text for verdict in verdicts for text in verdict.findings] == []


def test_a_finding_would_be_counted() -> None:
    import torch
    from programs.faults import trained
    from torch import nn

    def judged(loss) -> tuple[str, ...]:
        return library.judged(library.Candidate("", "linear", lambda: (nn.Linear(2, 1), loss))).findings

    assert judged(lambda net: net(trained.x).mean()) == ()
    assert judged(lambda net: torch.sqrt(net(trained.x) * 0).mean()) != ()
