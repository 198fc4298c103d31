"""``autograd-tour explain`` as its user meets it, and the lines that `render` begins with."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch

import autograd_tour as tour
from autograd_tour.formats import explanation
from autograd_tour.views import kept
from tests.commands import answer, fresh_answer

PROGRAM = """
import torch

x = torch.tensor([1.0, 2.0])

def healthy():
    w = torch.ones(2, requires_grad=True)
    return (w * x).sum()

def in_place():
    w = torch.ones(2, requires_grad=True)
    h = torch.sigmoid(w)
    h += 1
    h.sum().backward()

def dead():
    w = torch.tensor([-1.0, -2.0], requires_grad=True)
    v = torch.ones(2, requires_grad=True)
    return (torch.relu(w) + v).sum()

def teacher():
    w = torch.ones(2, requires_grad=True)
    v = torch.ones(2, requires_grad=True)
    with torch.no_grad():
        target = v * x
    return (w * x - target).sum()

def hostile():
    w = torch.tensor([-1.0], requires_grad=True)
    return (torch.relu(w) + torch.relu(w)).sum(), "</section><script>alert(1)</script>"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "net.py").write_text(PROGRAM)
    return tmp_path


def test_a_healthy_program_has_no_finding_and_leaves_with_0(folder: Path) -> None:
    done = answer("explain", "net.py:healthy", cwd=folder)
    assert done.returncode == 0
    assert done.stdout.startswith("No finding")


def test_both_lines_of_an_error_are_told_with_torchs_words_and_a_fix(folder: Path) -> None:
    done = answer("explain", "net.py:in_place", cwd=folder)
    assert done.returncode == 1
    assert "changed here          net.py:13: h += 1" in done.stdout
    assert "saved here            net.py:12: h = torch.sigmoid(w)" in done.stdout
    assert "torch says: one of the variables needed for gradient computation" in done.stdout
    assert "What to write instead:" in done.stdout


SCRIPT = """
import torch

w = torch.tensor(0.5, requires_grad=True)
loss = (w * 2 - 1) ** 2
loss.backward()

def train():
    loss = (w * 2 - 1) ** 2
    loss.backward()

def asked():
    square = w * w
    torch.autograd.grad(square, w)
    return square * 2
"""


@pytest.mark.parametrize(
    ("name", "roles", "fix"),
    [
        ("loss", [], "explain FILE.py:train"),
        ("asked", ["computed here", "freed by this backward"], "retain_graph=True"),
    ],
)
def test_a_loss_that_was_differentiated_is_told_as_render_tells_it(tmp_path, name, roles, fix) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    (finding,) = json.loads(answer("explain", f"script.py:{name}", "--json", cwd=tmp_path).stdout)["findings"]
    assert finding["kind"] == "second-backward-of-result"
    assert [item["role"] for item in finding.get("lines", ())] == roles
    assert fix in finding["fix"]
    rendered = answer("render", f"script.py:{name}", "-f", "txt", cwd=tmp_path)
    assert f"error: {finding['seen']}" in rendered.stderr


def test_what_calls_backward_itself_is_explained_as_it_is(tmp_path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    done = answer("explain", "script.py:train", cwd=tmp_path)
    assert (done.returncode, done.stdout.splitlines()[0][:11]) == (0, "No finding:"), done.stdout


def test_json_has_all_of_it(folder: Path) -> None:
    done = answer("explain", "net.py:in_place", "--json", cwd=folder)
    (finding,) = json.loads(done.stdout)["findings"]
    assert finding["kind"] == "in-place"
    assert finding["level"] == "error"
    assert [item["line"]["line"] for item in finding["lines"]] == [13, 12, 14]


def test_the_level_that_fails_is_chosen(folder: Path) -> None:
    assert answer("explain", "net.py:dead", cwd=folder).returncode == 1
    assert answer("explain", "net.py:dead", "--fail-on", "error", cwd=folder).returncode == 0
    assert answer("explain", "net.py:in_place", "--fail-on", "never", cwd=folder).returncode == 0
    assert answer("explain", "net.py:teacher", cwd=folder).returncode == 0
    assert answer("explain", "net.py:teacher", "--fail-on", "note", cwd=folder).returncode == 1


def test_a_name_chooses_what_is_about_it(folder: Path) -> None:
    about = answer("explain", "net.py:teacher", "v", "--json", cwd=folder)
    assert [item["kind"] for item in json.loads(about.stdout)["findings"]] == ["grad-none-cut"]
    assert json.loads(answer("explain", "net.py:teacher", "w", "--json", cwd=folder).stdout)["findings"] == []


def test_a_name_that_nothing_has_is_an_error_with_the_closest(folder: Path) -> None:
    done = answer("explain", "net.py:dead", "ww", cwd=folder)
    assert done.returncode == 2
    assert done.stderr.splitlines()[0] == "error: nothing in this graph is called 'ww'"


def test_documents_and_pictures_mark_the_guilty_node(folder: Path) -> None:
    words = ("explain", "net.py:dead", "-f", "html", "-f", "md", "-f", "svg", "-o", "out")
    done = answer(*words, cwd=folder)
    assert done.returncode == 1
    assert sorted(path.name for path in (folder / "out").iterdir()) == [
        "net-dead-explain-1-dead-relu.svg",
        "net-dead-explain.html",
        "net-dead-explain.md",
    ]
    assert "data:image/svg+xml;base64," in (folder / "out/net-dead-explain.html").read_text()
    assert (
        "```python\nreturn (torch.relu(w) + v).sum()\n```" in (folder / "out/net-dead-explain.md").read_text()
    )


def test_a_document_can_go_to_stdout(folder: Path) -> None:
    done = answer("explain", "net.py:in_place", "-f", "md", "-o", "-", cwd=folder)
    assert done.stdout.startswith("# net-in\\_place: what is wrong with its gradients")


def test_without_a_node_there_is_no_picture_and_it_says_so(folder: Path) -> None:
    done = answer("explain", "net.py:healthy", "-f", "svg", cwd=folder)
    assert done.returncode == 2
    assert "there is no picture" in done.stderr


def test_json_and_a_format_are_refused_together(folder: Path) -> None:
    assert answer("explain", "net.py:dead", "--json", "-f", "md", cwd=folder).returncode == 2


def test_what_returns_no_tensor_is_an_error_of_the_command(folder: Path) -> None:
    (folder / "none.py").write_text("def loss():\n    return 3\n")
    done = answer("explain", "none.py:loss", cwd=folder)
    assert done.returncode == 1
    assert done.stderr.startswith("error: the program returned int, not a tensor")


def test_a_saved_trace_is_explained_without_torch(folder: Path) -> None:
    answer("render", "net.py:dead", "-f", "json", "-o", ".", cwd=folder)
    (folder / "torch.py").write_text("raise ModuleNotFoundError('no torch here', name='torch')\n")
    done = fresh_answer("explain", "net-dead.json", cwd=folder, PYTHONPATH=f"{folder}:{Path.cwd()}")
    assert done.returncode == 1
    assert "[dead-relu]" in done.stdout
    assert done.stderr.startswith("note: a saved trace tells numbers only")


def test_render_says_what_is_wrong_in_a_line_and_writes_it_into_report_and_page(folder: Path) -> None:
    done = answer("render", "net.py:dead", "-f", "txt", "-f", "html", "-o", ".", cwd=folder)
    line = "warning: torch.relu(w) sends 0 for all of its 2 elements, and receives a gradient of norm 1.41"
    assert done.returncode == 0
    for text in (
        done.stderr,
        (folder / "net-dead-report.txt").read_text(),
        (folder / "net-dead.html").read_text(),
    ):
        assert line in text
        assert "autograd-tour explain says more" in text
    assert answer("render", "net.py:dead", "-q", "-f", "txt", cwd=folder).stderr == ""


def test_one_element_is_the_only_one(folder: Path) -> None:
    (folder / "single.py").write_text(
        "import torch\n\n\ndef loss():\n    w = torch.tensor(-1.0, requires_grad=True)\n    return torch.relu(w)\n"
    )
    done = answer("explain", "single.py:loss", cwd=folder)
    assert "sends 0 for its only element, and receives" in done.stdout


def test_the_only_element_of_a_step_function_too(folder: Path) -> None:
    (folder / "step.py").write_text(
        "import torch\n\n\ndef loss():\n    w = torch.tensor(1.5, requires_grad=True)\n    return w.floor()\n"
    )
    assert "sends 0 for its only element" in answer("explain", "step.py:loss", cwd=folder).stdout


def test_render_of_a_healthy_program_says_nothing_of_it(folder: Path) -> None:
    done = answer("render", "net.py:healthy", "-f", "txt", "-o", ".", cwd=folder)
    assert "explain" not in done.stderr + (folder / "net-healthy-report.txt").read_text()


def test_what_the_documentation_shows_is_what_the_command_says() -> None:
    root = Path(__file__).resolve().parents[2]
    done = answer("explain", "docs/programs/encoder.py:train", cwd=root)
    whole = f"$ autograd-tour explain docs/programs/encoder.py:train\n{done.stdout}```"
    assert whole in (root / "docs/explain.md").read_text()
    assert "\n2. " + done.stdout.split("\n2. ")[1].split("\n\n3. ")[0] in (root / "README.md").read_text()


def test_every_kind_of_finding_is_in_the_documentation() -> None:
    root = Path(__file__).resolve().parents[2]
    text = (root / "docs/explain.md").read_text()
    files = (root / "autograd_tour/findings").glob("*.py")
    kinds = {kind for file in files for kind in re.findall(r'"([a-z]+(?:-[a-z]+)+)",', file.read_text())}
    short = {kind.replace("second-backward", "") for kind in kinds}
    assert {kind for kind in short if f"`{kind}`" not in text} == set()


@pytest.mark.parametrize(
    ("kind", "result"),
    [
        ("loss-without-gradient", lambda: torch.ones(2).sum()),
        ("loss-not-scalar", lambda: torch.ones(2, requires_grad=True) * 2),
    ],
)
def test_what_is_our_own_word_is_not_told_as_that_of_torch(kind, result):
    (finding,) = tour.explain(result).findings
    assert (finding.kind, finding.message) == (kind, "")
    assert "ProgramError" not in finding.seen


def test_memory_stands_at_the_end_where_it_is_a_megabyte_or_more() -> None:
    def loss(size: int):
        w = torch.ones(size, requires_grad=True)
        return lambda: (w * 2).exp().sum()

    small, large = (tour.explain(loss(size)).graphs for size in (10, 250_000))
    assert not any(line.startswith("Memory") for line in explanation.terminal((), small))
    lines = list(explanation.terminal((), large))
    start = next(i for i, line in enumerate(lines) if line.startswith("Memory"))
    assert "keeps 1 MB in 2 storages" in lines[start]
    assert "return lambda: (w * 2).exp().sum()" in lines[start + 1]
    assert "## Memory" in explanation.markdown("net", (), large)
    assert 'alt="What each line keeps"' in explanation.document("net", (), large)
    assert kept.largest((*small, *large)) == large[0]
