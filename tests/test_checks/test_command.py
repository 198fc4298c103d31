"""``autograd-tour verify``: a line for each check, exit codes, JSON, and what it loads."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

import autograd_tour as tour
from autograd_tour.lessons.thermometer import thermometer
from autograd_tour.record import codec
from autograd_tour.record.graph import BackwardPass, SourceLine
from autograd_tour.record.verification import (
    Check,
    Deviation,
    Differences,
    Element,
    Gradients,
    Kink,
    Likeness,
    Mismatch,
    Skipped,
    Sums,
    Suspect,
    Verification,
)
from autograd_tour.reports.verification import lines
from tests.commands import answer, script_answer

PROGRAM = """
import torch

class Cube(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        return grad * 2 * x**2  # 3 would be right

x = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)

def loss():
    print("a word from the program")
    y = Cube.apply(x)
    return y.sum()

def fails():
    raise ValueError("no")

def slow():
    while True:
        pass
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "net.py").write_text(PROGRAM)
    graph = tour.trace(thermometer)
    (tmp_path / "good.json").write_text(codec.dumps(tour.Trace(graph, tour.accumulate(thermometer))))
    steps = [
        replace(s, after=s.received[0] and replace(s.received[0], first=(1.5,), last=1.5)) if s.after else s
        for s in graph.passes[0].steps
    ]
    bad = replace(graph, passes=(BackwardPass(tuple(steps)),))
    (tmp_path / "bad.json").write_text(codec.dumps(bad))
    return tmp_path


def names(text: str) -> list[tuple[str, str]]:
    return [tuple(line.split()[:2]) for line in text.splitlines()]  # type: ignore[misc]


def test_a_builtin_holds(folder: Path) -> None:
    done = answer("verify", "thermometer", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert names(done.stdout) == [(name, "ok") for name in ("torchviz", "autograd", "differences", "sums")]
    assert "7 nodes and 8 edges are those of torchviz 0.0.3" in done.stdout
    assert "2 leaves, 2 of 2 elements: bit for bit those of torch.autograd.grad" in done.stdout


def test_a_wrong_backward_is_told_with_its_line_and_an_exit_code(folder: Path) -> None:
    done = answer("verify", "net.py:loss", cwd=folder)
    assert done.returncode == 5
    assert [outcome for _, outcome in names(done.stdout)] == ["ok", "ok", "differs", "ok"]
    line = done.stdout.splitlines()[2]
    assert "x[2] 18 by backward, 27 by differences (used at net.py:19)" in line
    assert (
        "backward() of Cube at net.py:11 is not the derivative of its forward(), applied at net.py:19" in line
    )
    assert "a word from the program" in done.stderr
    assert "a word" not in done.stdout


def test_the_readme_shows_what_is_said() -> None:
    root = Path(__file__).parents[2]
    done = answer("verify", "docs/programs/cube.py:loss", cwd=root)
    assert done.returncode == 5
    readme = (root / "README.md").read_text(encoding="utf-8")
    assert f"$ autograd-tour verify docs/programs/cube.py:loss\n{done.stdout}```" in readme


def test_json_has_all_figures(folder: Path) -> None:
    done = answer("verify", "net.py:loss", "--json", cwd=folder)
    assert done.returncode == 5
    told = json.loads(done.stdout)
    assert (told["target"], told["holds"]) == ("net.py:loss", False)
    differences = next(check for check in told["checks"] if check["name"] == "differences")
    assert differences["result"]["worst"]["index"] == [2]
    assert differences["result"]["suspects"][0]["name"] == "Cube"


def test_a_saved_trace_is_held_to_its_sums_without_torch(folder: Path) -> None:
    script = (
        "import sys\nfrom autograd_tour.cli import main\nsys.argv[1:] = ['verify', 'good.json']\n"
        "try:\n    main()\nexcept SystemExit as done:\n    assert not done.code, done.code\n"
        "print([name for name in ('torch', 'torchviz') if name in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=folder, capture_output=True, text=True, timeout=120, check=True
    )
    *checks, loaded = done.stdout.splitlines()
    assert [line.split()[1] for line in checks] == ["skipped"] * 3 + ["ok"]
    assert "a saved trace has no program to run" in checks[0]
    assert loaded == "[]"
    bad = answer("verify", "bad.json", cwd=folder)
    assert bad.returncode == 5
    assert "w.grad is 1.5, before and what is added make 4517.296875" in bad.stdout
    assert bad.stderr == ""


def test_torchviz_is_loaded_by_this_command_alone(folder: Path) -> None:
    script = (
        "import sys\nfrom autograd_tour.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\nprint('torchviz' in sys.modules, file=sys.stderr)\n"
    )

    def loads(*words: str) -> bool:
        done = script_answer(script, *words, cwd=folder)
        assert done.returncode == 0, done.stderr
        return done.stderr.splitlines()[-1] == "True"

    assert loads("verify", "thermometer")
    assert not loads(
        "render", "thermometer", "-f", "svg", "-f", "html", "--view", "torchviz", "--view", "graph"
    )
    assert not loads("quiz", "thermometer", "--json")
    assert not loads("diff", "good.json", "thermometer", "-f", "txt")
    assert not loads("info")


def test_a_whole_script_that_trains_is_held_against_itself(folder: Path) -> None:
    script = (
        "import sys, torch",
        "w = torch.ones(3, requires_grad=True)",
        "optimizer = torch.optim.SGD([w], lr=0.1)",
        "if __name__ == '__main__':",
        "    for _ in range(2):",
        "        optimizer.zero_grad()",
        "        (w * w).sum().backward()",
        "        optimizer.step()",
        "    sys.exit(0)",
    )
    (folder / "train.py").write_text("\n".join(script))
    done = answer("verify", "train.py:__main__", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    line = "2 losses, 2 .grad after backward, 2 values after steps: bit for bit those of the program alone"
    first, *others = done.stdout.splitlines()
    assert first.split(maxsplit=2) == ["run", "ok", line]
    assert [text.split()[:2] for text in others] == [["torchviz", "ok"], ["sums", "ok"]]


def test_errors_have_their_own_codes(folder: Path) -> None:
    assert answer("verify", "net.py:fails", cwd=folder).returncode == 1
    assert answer("verify", "nothing", cwd=folder).returncode == 2
    (folder / "torn.json").write_text("{")
    assert answer("verify", "torn.json", cwd=folder).returncode == 4
    late = answer("verify", "net.py:slow", "--timeout", "1", cwd=folder)
    assert late.returncode == 1
    assert "longer than 1 s" in late.stderr


def test_nothing_is_written(folder: Path) -> None:
    before = sorted(os.listdir(folder))
    answer("verify", "net.py:loss", "--elements", "1", cwd=folder)
    assert sorted(os.listdir(folder)) == before


def test_every_outcome_has_its_words() -> None:
    where = SourceLine("net.py", 7)
    element = Element("w", (1,), 0.0, 0.5, 1e-6, where=where)
    differs = Differences(
        "float32", 1e-2, 2, 3, 9, element, 2, (Kink(element, -1.0, 1.0),), 1, 1,
        (Suspect("hook", "h", "", (where,)), Suspect("triangle", "eigh(m)", "", (where,))), 0.0, "no double",
    )  # fmt: skip
    verification = Verification(
        (
            Check("torchviz", "differs", Likeness("0.0.3", 3, 1, ("A → B",), ("C → D",), ("E is F",), 1, 1)),
            Check(
                "autograd",
                "differs",
                Gradients("backward", 2, 5, 9, (Mismatch("w", (0,), 1.0, 2.0, where),), 1),
            ),
            Check("differences", "differs", differs),
            Check(
                "sums",
                "differs",
                Sums(4, 1, 5, 9, (Deviation("w", "received", (0,), 1.0, 2.0, where),), 1, 2),
            ),
            Check("differences", "ok", replace(differs, mismatches=0, suspects=(), distance=1e-8)),
            Check("sums", "skipped", Skipped("failed", "ValueError: no")),
        )
    )
    assert not verification.holds
    assert lines(verification) == [
        "torchviz     differs  only torchviz 0.0.3 has A → B; only the record has C → D; another class: E is F; "
        "the same: 3 nodes and 1 edge; not in its picture: 1 slot without a gradient; "
        "1 leaf of a Function's own backward not compared",
        "autograd     differs  w[0].grad: 1.0 in the record, 2.0 by backward(), as torch.autograd.grad is refused here "
        "(used at net.py:7); 1 leaf of a Function's own backward not compared",
        "differences  differs  w[1] 0 by backward, 0.5 by differences (used at net.py:7); "
        "a hook changes the gradient of h (net.py:7); "
        "eigh(m) reads one triangle, its derivative is for symmetric matrices (net.py:7); "
        "2 derivatives beyond what is allowed; 3 of 9 elements of 2 leaves, and a step through all, in float32; "
        "at a kink: w[1], slopes −1 and 1, backward gives 0; 1 derivative infinite or NaN on both sides; "
        "1 leaf cannot be moved; float64 failed (no double); recorded gradients are exactly these",
        "sums         differs  w[0] received 2.0, sent was 1.0 (net.py:7); "
        "4 sums at nodes and 1 of .grad looked at, 5 of 9 elements; 1 changed by a hook not compared; "
        "2 where the record does not say what backward began with, not compared",
        "differences  ok       3 of 9 elements of 2 leaves, and a step through all, in float32; "
        "furthest apart: w[1] 0 by backward, 0.5 by differences, 1e−6 is allowed; "
        "at a kink: w[1], slopes −1 and 1, backward gives 0; 1 derivative infinite or NaN on both sides; "
        "1 leaf cannot be moved; float64 failed (no double); "
        "recorded gradients are within 1e−8 of these, relative to the largest",
        "sums         skipped  the program failed when it ran again: ValueError: no",
    ]
