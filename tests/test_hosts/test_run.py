"""Code of documents: what becomes a record, what fails and where, what is kept from build to build."""

from __future__ import annotations

import os
import pickle
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from autograd_tour.errors import UsageError
from autograd_tour.hosts import Cache, Failure, Record, Snippet, draw, run
from autograd_tour.hosts.drawn import draw_steps
from autograd_tour.hosts.keys import snippet_key
from autograd_tour.hosts.snippet import dedented
from autograd_tour.hosts.wish import Drawing
from autograd_tour.record.trace import Trace

pytestmark = pytest.mark.usefixtures("quick_workers")

SQUARE = "w = torch.tensor(3.0, requires_grad=True)\nw * w"

SNIPPETS = {
    "expression": Snippet(code=f"    {SQUARE}".replace("\n", "\n    "), file="a", line=10),
    "assigned": Snippet(code="w = torch.ones(2, requires_grad=True)\nloss = (w * 3).sum()\n", file="a"),
    "function": Snippet(code="def f():\n    return torch.ones(1, requires_grad=True).exp()\n", file="a"),
    "training": Snippet(
        code="w = torch.ones(1, requires_grad=True)\nopt = torch.optim.SGD([w], 0.1)\n"
        "for _ in range(2):\n    opt.zero_grad()\n    (w * w).sum().backward()\n    opt.step()\n",
        file="a",
    ),
    "first": Snippet(code="w = torch.rand(3, requires_grad=True)\nx = w.sum()", file="b", context="d"),
    "second": Snippet(code="y = torch.rand(3)\nloss = (x * y).sum()", file="b", context="d"),
    "setup only": Snippet(code="n = 3", file="b", line=7, context="e"),
    "after setup": Snippet(code="(torch.ones(n, requires_grad=True) * 2).sum()", file="b", context="e"),
    "raises": Snippet(code="w = 1\n\nw / 0", file="a", line=60),
    "after raising": Snippet(code="1 / 0", file="c", line=4, context="f"),
    "never run": Snippet(code=SQUARE, file="c", line=9, context="f"),
    "no code": Snippet(code="w = (1\n", file="a", line=70),
    "prints": Snippet(code=f"print('hello')\n{SQUARE}", file="a"),
    "forks": Snippet(code=f"import os\nos.fork()\n{SQUARE}", file="a"),
    "asks": Snippet(code=f"input('?')\n{SQUARE}", file="a", line=80),
    "leaves": Snippet(code="exit()", file="a", line=90),
    "dies": Snippet(code="import os\nos._exit(3)", file="a", line=95),
    "draws": Snippet(
        code="import random\n(torch.ones(1, requires_grad=True) * random.random()).sum()", file="a"
    ),
    "loop alone": Snippet(code="for k in range(3):\n    (w * k).sum().backward()", file="b", context="d"),
    "hangs": Snippet(code="while True:\n    pass", file="a", line=100, timeout=0.5),
    "hangs in C": Snippet(code="sum(range(10**12))", file="a", line=110, timeout=0.5),
    "after all": Snippet(code=SQUARE.replace("3.0", "4.0"), file="a"),
    "no such target": Snippet(target="nothing.py:f", folder="/", file="a", line=120),
}


@pytest.fixture(scope="module")
def outcomes():
    return dict(zip(SNIPPETS, run(list(SNIPPETS.values())), strict=True))


@pytest.mark.parametrize(
    ("name", "value", "gradient"),
    [
        ("expression", "w * w", ("w.grad", "6")),
        ("assigned", "loss", ("w.grad", "3, 3")),
        ("prints", "w * w", ("w.grad", "6")),
        ("forks", "w * w", ("w.grad", "6")),
        ("after all", "w * w", ("w.grad", "8")),
    ],
)
def test_a_block_is_about_what_it_ends_with(outcomes, name, value, gradient):
    record = outcomes[name]
    assert isinstance(record, Record), record
    assert record.value(value)
    assert record.value(gradient[0]) == gradient[1]


def test_a_function_is_called_and_a_loop_is_followed(outcomes):
    assert outcomes["function"].trace.graph.nodes
    assert outcomes["training"].trace.run.backward_calls == 2


def test_random_numbers_of_python_are_the_same_in_each_build(outcomes):
    assert f"{random.Random(0).random():.5f}" in outcomes["draws"].description


def test_a_loop_needs_no_result(outcomes):
    assert outcomes["loop alone"].trace.run.backward_calls == 3


def test_blocks_of_a_context_share_names_and_random_numbers(outcomes, tmp_path):
    second = outcomes["second"]
    assert isinstance(second, Record), second
    # Whether the one before was kept or ran makes no difference.
    pair = [SNIPPETS["first"], SNIPPETS["second"]]
    cache = Cache(tmp_path)
    run(pair[:1], cache)
    again = run(pair, cache)
    assert again[1].trace == second.trace
    assert isinstance(outcomes["after setup"], Record)


def test_what_an_earlier_block_made_has_its_name_and_value():
    before = Snippet(code="w = torch.ones(2, requires_grad=True)\ny = w.prod()", file="a", context="d")
    after = Snippet(code="y * y", file="a", context="d")
    record = run([before, after])[1]
    assert [node.name for node in record.trace.graph.nodes if node.grad_fn == "ProdBackward0"] == ["y"]
    assert record.value("y") == "1"


@pytest.mark.parametrize(
    ("name", "line", "words", "kind"),
    [
        ("raises", 62, "ZeroDivisionError", "program"),
        ("no code", 70, "not valid Python", "program"),
        ("asks", 80, "EOFError", "program"),
        ("leaves", 90, "leaves the process", "program"),
        ("dies", 95, "ended the process that ran it (exit code 3)", "program"),
        ("hangs", 100, "longer than 0.5 s", "timeout"),
        ("hangs in C", 110, "longer than 0.5 s", "timeout"),
        ("no such target", 120, "nothing.py", "program"),
        ("setup only", 7, "", "result"),
        ("never run", 9, "not run", "missing"),
    ],
)
def test_a_failure_has_the_line_of_the_document(outcomes, name, line, words, kind):
    failure = outcomes[name]
    assert isinstance(failure, Failure)
    assert (failure.line, failure.kind) == (line, kind)
    assert words in failure.message
    assert failure.file == SNIPPETS[name].file


def test_what_is_kept_is_read_without_a_process(tmp_path, monkeypatch):
    cache = Cache(tmp_path / "records", tmp_path / "pictures")
    snippets = [SNIPPETS["expression"], SNIPPETS["assigned"]]
    first = run(snippets, cache)
    picture = draw(first[0], cache=cache)
    monkeypatch.setattr("autograd_tour.hosts.process.subprocess.Popen", _forbidden)
    moved = [Snippet(code=dedented(s.code), file="elsewhere", line=s.line + 5) for s in snippets]
    again = run(moved, cache)
    assert [record.trace for record in again] == [record.trace for record in first]
    monkeypatch.setattr("autograd_tour.formats.produce.files_of_trace", _forbidden)
    assert draw(again[0], cache=cache) == picture
    assert run(moved, cache, "never") == again


def test_never_runs_nothing_and_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr("autograd_tour.hosts.process.subprocess.Popen", _forbidden)
    (outcome,) = run([SNIPPETS["raises"]], Cache(tmp_path), "never")
    assert isinstance(outcome, Failure)
    assert outcome.kind == "missing"
    assert "commit the records" in outcome.hint


def test_a_damaged_or_foreign_record_is_made_anew(tmp_path):
    cache = Cache(tmp_path)
    (first,) = run([SNIPPETS["expression"]], cache)
    path = tmp_path / f"{first.key}.json"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert cache.record(first.key) is None
    path.write_bytes(whole.replace(b'"torch": "', b'"torch": "0.', 1))
    assert cache.record(first.key) is None
    assert cache.record(first.key, whatever=True) == first
    run([SNIPPETS["expression"]], cache)
    assert path.read_bytes() == whole


def test_a_target_runs_anew_when_a_file_that_it_uses_has_changed(tmp_path):
    (tmp_path / "helper.py").write_text("def twice(x):\n    return 2 * x\n")
    (tmp_path / "net.py").write_text(
        "import torch\nfrom helper import twice\n\n\ndef loss():\n"
        "    w = torch.tensor(3.0, requires_grad=True)\n    return twice(w)\n"
    )
    snippet = Snippet(target="net.py:loss", folder=str(tmp_path), file="a")
    cache = Cache(tmp_path / "records")
    assert run([snippet], cache)[0].value("w.grad") == "2"
    (tmp_path / "helper.py").write_text("def twice(x):\n    return x + x * 2\n")
    assert run([snippet], cache)[0].value("w.grad") == "3"


@pytest.mark.parametrize("words", [{"target": "net.py:loss"}, {"code": "from net import loss\nloss()"}])
def test_a_file_of_the_same_name_in_another_folder_is_another(tmp_path, words):
    program = "import torch\n\n\ndef loss():\n    return torch.tensor(5.0, requires_grad=True) * {}\n"
    for name, factor in (("a", 2), ("b", 30)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "net.py").write_text(program.format(factor))
    cache = Cache(tmp_path / "records")
    snippets = [Snippet(**words, folder=str(tmp_path / name), file=name) for name in ("a", "b")]
    for mode in ("auto", "auto", "never"):
        first, second = (draw(outcome).alt for outcome in run(snippets, cache, mode))
        assert "becomes 2." in first
        assert "becomes 30." in second


def test_a_block_that_needs_no_file_is_kept_wherever_it_stands(tmp_path, monkeypatch):
    cache = Cache(tmp_path / "records")
    run([Snippet(code=SQUARE, folder=str(tmp_path), file="a")], cache)
    monkeypatch.setattr("autograd_tour.hosts.process.Worker.answer", _forbidden)
    (tmp_path / "moved").mkdir()
    (outcome,) = run([Snippet(code=SQUARE, folder=str(tmp_path / "moved"), file="b")], cache)
    assert isinstance(outcome, Record)


def test_an_expected_error_is_made_anew_when_a_file_behind_it_has_changed(tmp_path):
    cache = Cache(tmp_path / "records")
    snippet = Snippet(code="import helper", folder=str(tmp_path), file="a", line=5, expects_error=True)

    def message():
        (outcome,) = run([snippet], cache)
        return outcome.message if isinstance(outcome, Failure) else "it ran"

    assert "No module named 'helper'" in message()
    helper = tmp_path / "helper.py"
    helper.write_text("raise ValueError('one')\n")
    assert message() == "ValueError: one"
    # Of another length: Python takes a file of the same second and length for the same.
    helper.write_text("raise ValueError('another')\n")
    assert message() == "ValueError: another"
    helper.write_text("(\n")
    assert "SyntaxError" in message()
    helper.write_text("import other\n")
    (tmp_path / "other.py").write_text("1 / 0\n")
    assert "ZeroDivisionError" in message()
    (tmp_path / "other.py").write_text("import torch\nw = torch.ones(1, requires_grad=True)\n")
    assert message() == "the block ends with nothing to trace, and calls no backward"


def test_an_expected_error_that_is_kept_runs_nothing(tmp_path, monkeypatch):
    snippet = Snippet(code="1 / 0", file="a", line=5, expects_error=True)
    first = run([snippet], Cache(tmp_path))
    monkeypatch.setattr("autograd_tour.hosts.process.subprocess.Popen", _forbidden)
    assert run([snippet], Cache(tmp_path)) == first


def test_a_record_of_another_hand_is_checked(tmp_path):
    cache = Cache(tmp_path)
    (first,) = run([SNIPPETS["expression"]], cache)
    path = tmp_path / f"{first.key}.json"
    path.write_text(path.read_text().replace('"graph"', '"graf"', 1))
    assert cache.record(first.key) is None
    assert isinstance(run([SNIPPETS["expression"]], cache)[0].trace, Trace)


def test_a_snippet_that_was_written_down_has_the_same_key():
    for snippet in SNIPPETS.values():
        assert snippet_key(pickle.loads(pickle.dumps(snippet))) == snippet_key(snippet)


def test_a_context_keeps_its_imports_while_other_blocks_run(tmp_path):
    (tmp_path / "helper.py").write_text("k = 2\n")
    parts = ["import helper\nw = torch.ones(1, requires_grad=True)\nw * 1", "w * 2", "w * helper.k"]
    blocks = [Snippet(code=code, file="a", folder=str(tmp_path), context="=") for code in parts]
    alone = Snippet(code=SQUARE, file="a", folder=str(tmp_path))
    snippets = [*blocks[:2], alone, blocks[2]]
    cache = Cache(tmp_path / "records")
    assert run(snippets, cache)[-1].value("w.grad") == "2"
    (tmp_path / "helper.py").write_text("k = 30\n")
    assert run(snippets, cache)[-1].value("w.grad") == "30"


def test_torch_that_cannot_be_loaded_says_why(tmp_path, monkeypatch, fresh_workers):
    (tmp_path / "torch.py").write_text("raise RuntimeError('a bad day')\n")
    monkeypatch.syspath_prepend(tmp_path)
    (outcome,) = run([SNIPPETS["expression"]])
    assert isinstance(outcome, Failure)
    assert "exit code 1" in outcome.message
    assert outcome.hint == "RuntimeError: a bad day"


@pytest.mark.skipif(os.geteuid() == 0 if hasattr(os, "geteuid") else True, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_told_once(tmp_path):
    tmp_path.chmod(0o500)
    told: list[str] = []
    run([SNIPPETS["expression"], SNIPPETS["assigned"]], Cache(tmp_path / "records", complain=told.append))
    assert len(told) == 1


def test_a_file_in_the_place_of_the_folder_is_told_once(tmp_path):
    (tmp_path / "records").write_text("")
    words: list[str] = []
    outcomes = run(
        [SNIPPETS["expression"], SNIPPETS["assigned"]], Cache(tmp_path / "records", complain=words.append)
    )
    assert all(isinstance(outcome, Record) for outcome in outcomes)
    assert len(words) == 1


def test_a_value_that_is_not_there_is_an_error(outcomes):
    with pytest.raises(UsageError, match="nothing in the record is called v"):
        outcomes["expression"].value("v.grad")


def test_each_step_is_a_picture_that_follows_its_reader(outcomes):
    first, second, last = draw_steps(outcomes["expression"], "svg", Drawing())
    assert "MulBackward0" in first.alt
    assert (second.alt, last.alt) == ("Step 1 of the same", "Step 2 of the same")
    assert b"Step 1" not in first.data and b"Step 1" in second.data and b"Step 2" in last.data
    assert all(b"prefers-color-scheme" in step.data for step in (first, second, last))
    assert [step.data[:8] for step in draw_steps(outcomes["expression"], "png", Drawing())] == [
        b"\x89PNG\r\n\x1a\n"
    ] * 3


@pytest.mark.parametrize(("kind", "start"), [("svg", b"<svg"), ("png", b"\x89PNG"), ("pdf", b"%PDF-1.")])
def test_a_picture_has_a_size_and_a_text(outcomes, kind, start):
    picture = draw(outcomes["expression"], kind)
    assert picture.data.lstrip().startswith(start)
    assert picture.width > 100
    assert "MulBackward0" in picture.alt


def _forbidden(*_, **__):
    raise AssertionError("this is not to be called")


def test_a_hang_takes_no_longer_than_its_time():
    start = time.monotonic()
    (outcome,) = run([Snippet(code="import time\ntime.sleep(600)\ntorch.ones(1)", timeout=1)])
    assert outcome.kind == "timeout"
    assert time.monotonic() - start < 300


def test_the_worker_is_gone_when_all_is_done(tmp_path, fresh_workers):
    path = Path(tmp_path, "pid")
    run([Snippet(code=f"import os\nopen({str(path)!r}, 'w').write(str(os.getpid()))\n{SQUARE}")])
    with pytest.raises(ProcessLookupError):
        os.kill(int(path.read_text()), 0)


def test_a_process_that_ends_is_told_though_a_child_of_it_lives():
    loud = Snippet(code=f"print('of the block before')\n{SQUARE}")
    left = Snippet(code="import os, time\nif os.fork() == 0:\n    time.sleep(600)\nos._exit(3)")
    _, outcome = run([loud, left])
    assert "exit code 3" in outcome.message
    assert "before" not in outcome.hint


@pytest.mark.slow
def test_a_build_that_is_killed_leaves_no_worker(tmp_path):
    path = tmp_path / "pid"
    code = f"import os\nopen({str(path)!r}, 'w').write(f'{{os.getpid()}}\\n')\nsum(range(10**12))"
    build = f"from autograd_tour.hosts import Snippet, run\nrun([Snippet(code={code!r}, timeout=1000)])"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with subprocess.Popen([sys.executable, "-c", build], env=environment) as process:
        _until(lambda: path.exists() and path.read_text().endswith("\n"))
        process.send_signal(signal.SIGKILL)
    worker = int(path.read_text())
    _until(lambda: not _runs(worker))


def _until(happened, seconds=300):
    """Wait for it, in short naps."""
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)


def _runs(process):
    """Whether a process does anything: one that ended may wait for somebody to hear of it."""
    try:
        os.kill(process, 0)
        return b") Z " not in Path(f"/proc/{process}/stat").read_bytes()
    except (ProcessLookupError, FileNotFoundError):
        return False
