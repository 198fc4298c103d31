"""What we do ourselves keeps to its time too: reading, drawing, comparing, asking."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from autograd_tour import questions
from autograd_tour.formats import comparison
from autograd_tour.record import codec

Run = Callable[..., Result]

pytestmark = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no alarms on this system")


def slow(*_: Any, **__: Any) -> dict[str, str]:
    time.sleep(4)
    return {}


CASES = {
    "drawing saved": (
        ("render", "saved.json"),
        lambda: sys.modules["autograd_tour.formats.produce"],
        "files_of_trace",
    ),
    "drawing thermometer": (("render", "thermometer"), None, ""),
    "reading saved.json": (("render", "saved.json"), lambda: codec, "loads"),
    "comparing saved and saved": (("diff", "saved.json", "saved.json"), lambda: comparison, "files_of_diff"),
    "asking about saved": (("quiz", "saved.json"), lambda: questions, "ask"),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.usefixtures("trace")
def test_our_own_work_is_stopped_when_its_time_is_up(
    case: str, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words, room, name = CASES[case]
    if room is None:
        monkeypatch.setattr("tests.test_cli.conftest.Lesson.files", slow)
    else:
        monkeypatch.setattr(room(), name, slow)
    result = run(*words, "--timeout", "0.3", "-q" if words[0] != "quiz" else "--json")
    assert result.exit_code == 3
    error, hint = result.stderr.splitlines()
    assert error == f"error: {case} took longer than 0.3 s and was stopped"
    assert "--timeout SECONDS" in hint
    if words[0] != "quiz":
        assert ("--keep" if "reading" in case else "--depth N, --focus NAME") in hint
    assert [path.name for path in tmp_path.iterdir()] == ["saved.json"]
