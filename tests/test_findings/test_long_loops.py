"""The same faults in a training loop as people write it, of 60 lines or more."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from programs.faults import again, changed, cut_off, long_faults, numbers, steps, trained

from autograd_tour import explain

pytestmark = pytest.mark.slow


def loaded(folder: Path, name: str, changes: dict[str, str]) -> Callable[[], Any]:
    path = folder / f"{name}.py"
    path.write_text(long_faults.written(changes))
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.train


def marked(text: str) -> set[tuple[str, int]]:
    return {
        (role.strip(), number)
        for number, line in enumerate(text.splitlines(), 1)
        for role in re.findall(r"# <- ([^#]*)", line)
    }


@pytest.mark.parametrize("name", long_faults.FAULTS)
def test_a_fault_is_found_in_a_long_loop(name, tmp_path) -> None:
    kind, changes = long_faults.FAULTS[name]
    findings = explain(loaded(tmp_path, name, changes)).findings
    worst = [finding for finding in findings if finding.level != "note"]
    assert [finding.kind for finding in worst[:1]] == [kind], [item.brief for item in worst]
    marks = marked((tmp_path / f"{name}.py").read_text())
    assert {(item.role, item.line.line) for item in worst[0].lines} >= marks
    assert {finding.kind for finding in worst} == {kind}


@pytest.mark.parametrize("name", long_faults.NEAR_MISSES)
def test_nothing_is_wrong_with_a_long_loop(name, tmp_path) -> None:
    program = loaded(tmp_path, name, long_faults.NEAR_MISSES[name])
    assert [item.brief for item in explain(program).findings if item.level != "note"] == []


def test_the_loop_is_long_and_half_of_the_faults_are_in_it() -> None:
    code = [line for line in long_faults.written({}).splitlines() if line.strip()]
    assert len(code) >= 60
    files = (cut_off, changed, numbers, trained, steps, again)
    small = sum(len(file.FAULTS) for file in files)
    assert len(long_faults.FAULTS) >= small / 2
    near = sum(len(file.NEAR_MISSES) for file in files)
    assert near >= small
    assert len(long_faults.FAULTS) + small >= 40
