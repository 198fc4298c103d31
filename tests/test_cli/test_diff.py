"""``autograd-tour diff``: what it compares, writes, and answers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

from autograd_tour.record import codec
from autograd_tour.record.graph import Edge, Graph
from autograd_tour.record.node import Node
from tests.commands import answer

PROGRAM = (
    "import torch\n"
    "x = torch.ones(3)\n"
    "def before():\n    w = torch.ones(3, requires_grad=True)\n    return (w * x).sum()\n"
    "def after():\n    w = torch.ones(3, requires_grad=True)\n    print('hello')\n    return (w * x * 2).sum()\n"
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    nodes = (
        Node("n0", "leaf", op="w", names=("w",)),
        Node("n1", "operation", op="w * x", grad_fn="MulBackward0"),
    )
    graph = Graph(nodes, (Edge("n0", "n1", "forward"),), outputs=(("n1", 0),))
    (tmp_path / "a.json").write_text(codec.dumps(graph))
    more = replace(graph, nodes=(*nodes, Node("n2", "operation", op="new", grad_fn="SumBackward0")))
    (tmp_path / "b.json").write_text(codec.dumps(more))
    (tmp_path / "net.py").write_text(PROGRAM)
    return tmp_path


def test_two_programs_give_a_picture_and_a_table(folder: Path) -> None:
    done = answer("diff", "net.py:before", "net.py:after", "-o", "out", cwd=folder)
    assert done.returncode == 0, done.stderr
    stem = os.path.join("out", "net-before-vs-net-after-diff")
    assert done.stdout.splitlines() == [f"{stem}.svg", f"{stem}.txt"]
    assert done.stderr == "hello\n"
    table = (folder / f"{stem}.txt").read_text()
    assert "Nodes: 1 added, 0 gone" in table
    assert table.index("Structure") < table.index("Values")


def test_a_difference_on_paper(folder: Path) -> None:
    done = answer("diff", "a.json", "b.json", "-f", "pdf", "-f", "png", "-o", "out", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert (folder / "out" / "a-vs-b-diff.pdf").read_bytes().startswith(b"%PDF-")
    assert (folder / "out" / "a-vs-b-diff.png").read_bytes().startswith(b"\x89PNG")


def test_a_builtin_a_program_and_a_trace_can_be_compared(folder: Path) -> None:
    assert answer("render", "thermometer", "-f", "json", cwd=folder).returncode == 0
    saved = os.path.join("outputs", "thermometer.json")
    same = answer("diff", saved, "thermometer", "--exit-code", "-q", cwd=folder)
    assert (same.returncode, same.stdout, same.stderr) == (0, "", "")
    assert answer("diff", "thermometer", "net.py:before", "-f", "txt", cwd=folder).returncode == 0


@pytest.mark.parametrize(("pair", "code"), [(("a.json", "b.json"), 1), (("a.json", "a.json"), 0)])
def test_the_exit_code_tells_a_difference_if_asked(folder: Path, pair: tuple[str, str], code: int) -> None:
    assert answer("diff", *pair, "-q", cwd=folder).returncode == 0
    assert answer("diff", *pair, "-q", "--exit-code", cwd=folder).returncode == code


def test_two_saved_traces_load_no_torch(folder: Path) -> None:
    script = (
        "import sys\nfrom autograd_tour.cli import main\nsys.argv[1:] = ['diff', 'a.json', 'b.json', '-q']\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code\n"
        "assert 'torch' not in sys.modules and 'numpy' not in sys.modules\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert (folder / "outputs" / "a-vs-b-diff.svg").read_text().startswith("<svg")


def test_a_saved_comparison_is_drawn_again_the_same(folder: Path) -> None:
    assert answer("diff", "a.json", "b.json", "-f", "json", "-f", "svg", "-q", cwd=folder).returncode == 0
    again = answer(
        "render", os.path.join("outputs", "a-vs-b-diff.json"), "-f", "svg", "-o", "again", cwd=folder
    )
    assert again.returncode == 0, again.stderr
    (picture,) = (folder / "again").iterdir()
    assert picture.read_bytes() == (folder / "outputs" / "a-vs-b-diff.svg").read_bytes()


def test_the_table_goes_to_stdout(folder: Path) -> None:
    done = answer("diff", "a.json", "b.json", "-f", "txt", "-o", "-", cwd=folder)
    assert done.stdout.startswith("autograd-tour diff: a → b\n")
    assert "SumBackward0" in done.stdout
    assert not (folder / "outputs").exists()


BAD = {
    "two stdins": (["-", "-"], 2, "cannot both come from stdin"),
    "no such trace": (["a.json", "c.json"], 2, "there is no file c.json"),
    "one word": (["a.json"], 2, "Missing argument 'B'"),
    "unknown format": (["a.json", "b.json", "-f", "pdff"], 2, "a diff cannot be written as 'pdff'"),
    "two files to stdout": (["a.json", "b.json", "-o", "-"], 2, "this makes 2"),
    "unknown focus": (["a.json", "b.json", "--focus", "zz"], 2, "nothing in this graph is called 'zz'"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line_and_nothing_is_written(folder: Path, case: str) -> None:
    words, code, message = BAD[case]
    done = answer("diff", *words, cwd=folder)
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    assert done.stderr.startswith("error: ")
    assert message in done.stderr.splitlines()[0]
    assert not (folder / "outputs").exists()
