"""The command as a real process, with the real rooms behind it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from autograd_tour.record import codec
from autograd_tour.record.graph import Edge, Graph
from autograd_tour.record.node import Node
from tests.commands import answer, fresh_answer

HEAVY = ("torch", "numpy", "torchviz", "networkx", "sympy", "resvg_py", "typst", "fontTools")


def loaded(words: list[str], cwd: Path) -> set[str]:
    """Which top-level modules the command loads."""
    script = (
        "import sys\nfrom autograd_tour.cli import main\n"
        f"sys.argv[1:] = {words!r}\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        "print('\\n'.join({name.partition('.')[0] for name in sys.modules}), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=cwd, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return set(done.stderr.split())


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    nodes = (
        Node("n0", "leaf", op="w"),
        Node("a0", "accumulate", grad_fn="AccumulateGrad"),
        Node("n1", "operation", op="w * x", grad_fn="MulBackward0", slots=2),
    )
    edges = (
        Edge("n0", "n1", "forward"),
        Edge("n1", "a0", "gradient"),
        Edge("a0", "n0", "gradient"),
    )
    path = tmp_path / "saved.json"
    path.write_text(codec.dumps(Graph(nodes=nodes, edges=edges, outputs=(("n1", 0),))))
    return path


@pytest.mark.parametrize(("ending", "start"), [("pdf", b"%PDF-"), ("png", b"\x89PNG\r\n\x1a\n")])
def test_a_pdf_or_a_png_goes_to_stdout_byte_by_byte(
    trace: Path, tmp_path: Path, ending: str, start: bytes
) -> None:
    words = ["render", "saved.json", "-f", ending, "--view", "graph"]
    done = subprocess.run(
        [sys.executable, "-m", "autograd_tour", *words, "-o", "-"],
        cwd=tmp_path,
        capture_output=True,
        timeout=120,
        check=True,
    )
    assert done.stdout.startswith(start)
    answer(*words, "-o", "out", cwd=tmp_path)
    assert done.stdout == (tmp_path / "out" / f"saved-graph.{ending}").read_bytes()


def test_pdf_without_typst_is_one_line_before_the_program_runs(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text("print('ran')\ndef loss(): raise SystemExit\n")
    hidden = tmp_path / "sitecustomize.py"
    hidden.write_text(
        "import importlib.util as util\nfind = util.find_spec\n"
        "util.find_spec = lambda name, *rest: None if name == 'typst' else find(name, *rest)\n"
    )
    path = os.pathsep.join([str(tmp_path), *sys.path])
    for words in (["render", "net.py:loss"], ["diff", "net.py:loss", "net.py:loss"]):
        done = fresh_answer(*words, "-f", "pdf", cwd=tmp_path, PYTHONPATH=path)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.splitlines() == [
            "error: PDF needs the package typst, which is not installed",
            "hint: pip install typst",
        ]


def test_a_png_that_is_too_large_is_refused_with_a_scale_that_fits(tmp_path: Path) -> None:
    nodes = tuple(Node(f"n{i}", "operation", op=f"op{i}", slots=1) for i in range(300))
    edges = tuple(Edge(f"n{i}", f"n{i + 1}", "forward") for i in range(299))
    (tmp_path / "long.json").write_text(codec.dumps(Graph(nodes=nodes, edges=edges, outputs=(("n299", 0),))))
    words = ("render", "long.json", "--no-fold", "-f", "png", "--view", "graph")
    done = answer(*words, "--scale", "10", cwd=tmp_path)
    assert done.returncode == 2
    assert "pixels is too large to draw" in done.stderr
    assert not (tmp_path / "outputs").exists()
    fits = done.stderr.partition("--scale ")[2].split()[0]
    assert answer(*words, "--scale", fits, cwd=tmp_path).returncode == 0


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["render", "--help"], ["info", "--help"]])
def test_help_loads_nothing_heavy(words: list[str], tmp_path: Path) -> None:
    assert loaded(words, tmp_path).isdisjoint({*HEAVY, "jinja2", "graphviz", "msgspec"})


def test_info_loads_no_torch(tmp_path: Path) -> None:
    assert loaded(["info"], tmp_path).isdisjoint(HEAVY)


def test_a_saved_trace_is_drawn_without_torch_and_graphviz(trace: Path, tmp_path: Path) -> None:
    assert loaded(["render", "saved.json"], tmp_path).isdisjoint({*HEAVY, "graphviz"})
    assert (tmp_path / "outputs" / "saved-graph.svg").read_text().startswith("<")


def test_a_program_file_gives_the_five_kinds_of_file(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(
        "import torch\nnet = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2))\n"
        "x, y = torch.ones(5, 3), torch.tensor([0, 1, 0, 1, 1])\n"
        "def loss():\n    print('hello')\n    return torch.nn.functional.cross_entropy(net(x), y)\n"
    )
    done = fresh_answer("render", "net.py:loss", "-o", "pictures", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    ends = ["-graph.svg", "-chain.svg", "-accumulation.svg", "-report.txt", ".json"]
    assert done.stdout.splitlines() == [os.path.join("pictures", f"net-loss{end}") for end in ends]
    assert set(done.stderr.split()) == {"hello"}
    again = answer("render", "pictures/net-loss.json", "-o", "again", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    for end in ends:
        assert (tmp_path / "again" / f"net-loss{end}").read_bytes() == (
            tmp_path / "pictures" / f"net-loss{end}"
        ).read_bytes(), end


def test_of_what_was_there_before_the_program_nothing_is_looked_through(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(
        "import gc, torch\nw = torch.ones(2, requires_grad=True)\n"
        "print(gc.get_freeze_count() > 10_000, any(item is w for item in gc.get_objects()))\n"
        "def loss():\n    return w.sum()\n"
    )
    done = answer("render", "net.py:loss", "-f", "svg", "--view", "graph", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "True True\n")


FAILING = {
    "needs no grad": ("def loss():\n    return torch.ones(2).sum()\n", 1),
    "not a scalar": ("w = torch.ones(2, requires_grad=True)\ndef loss():\n    return w * 2\n", 1),
    "freed": (
        "w = torch.ones(2, requires_grad=True)\nloss = (w * w).sum()\nloss.backward()\n",
        1,
    ),
    "no tensor": ("def loss():\n    return 'hello'\n", 1),
    "nothing": ("def loss():\n    pass\n", 1),
}


@pytest.mark.parametrize("case", FAILING)
def test_a_loss_that_cannot_be_followed_is_one_line(case: str, tmp_path: Path) -> None:
    source, code = FAILING[case]
    (tmp_path / "net.py").write_text("import torch\n" + source)
    done = answer("render", "net.py:loss", cwd=tmp_path)
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr
    assert "itself failed" not in done.stderr
    assert not (tmp_path / "outputs").exists()


NASTY = {
    "script": "<script>alert(1)</script>",
    "quotes": "\\\"'`]]>-->&amp;",
    "control": "\x00\x1b[2J\x07\ufffe",
    "emoji": "🎈 \u202e Σ",
    "surrogate": "\ud800",
    "dot": "\\N \\G \\l {|} <b>x</b>",
    "long": "x" * 10_000,
}


@pytest.mark.parametrize("case", NASTY)
def test_names_from_a_trace_break_no_picture(case: str, tmp_path: Path) -> None:
    from xml.etree import ElementTree

    name = NASTY[case]
    try:
        text = codec.dumps(
            Graph(nodes=(Node("n0", "leaf", op=name, names=(name,)), Node("n1", "operation", op=name)))
        )
    except UnicodeEncodeError:
        pytest.skip("JSON text cannot hold it, so no trace can bring it")
    (tmp_path / "nasty.json").write_text(text)
    done = answer("render", "nasty.json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    pictures = sorted((tmp_path / "outputs").glob("*.svg"))
    assert pictures
    for picture in pictures:
        tags = {item.tag.rpartition("}")[2] for item in ElementTree.fromstring(picture.read_bytes()).iter()}
        assert "script" not in tags


def test_an_engine_that_is_absent_is_exit_3(trace: Path, tmp_path: Path) -> None:
    done = answer("render", "saved.json", "--engine", "pygraphviz", cwd=tmp_path)
    assert done.returncode == 3, done.stderr
    assert done.stderr.startswith("error: ")
    assert not (tmp_path / "outputs").exists()


def test_an_engine_that_hangs_is_exit_3(trace: Path, tmp_path: Path) -> None:
    stub = tmp_path / "bin" / "dot"
    stub.parent.mkdir()
    stub.write_text("#!/bin/sh\nexec sleep 60\n")
    stub.chmod(0o755)
    path = f"{stub.parent}{os.pathsep}{os.environ['PATH']}"
    words = ("render", "saved.json", "--engine", "dot", "--timeout", "0.5")
    done = answer(*words, cwd=tmp_path, environment={**os.environ, "PATH": path})
    assert done.returncode == 3, done.stderr
    assert "--timeout" in done.stderr
    assert not (tmp_path / "outputs").exists()


@pytest.mark.skipif(os.name == "nt", reason="pipes of another kind")
def test_a_reader_that_leaves_is_no_error(trace: Path, tmp_path: Path) -> None:
    command = f"{sys.executable} -m autograd_tour render --help | true"
    done = subprocess.run(
        ["sh", "-c", command], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stderr == ""


def test_the_accumulation_is_a_view_too(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(
        "import torch\nw = torch.ones(2, requires_grad=True)\ndef loss():\n    return (w * w).sum()\n"
    )
    done = answer("render", "net.py:loss", "--view", "accumulation", "-f", "svg", cwd=tmp_path)
    assert done.stdout.splitlines() == [os.path.join("outputs", "net-loss-accumulation.svg")], done.stderr
