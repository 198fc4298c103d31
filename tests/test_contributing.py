"""The recipes of CONTRIBUTING.md, done as they are written, in a copy of the package."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
BLOCKS = [
    (language, *body.split("\n", 1))
    for language, body in re.findall(r"^```(\w+)\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
]
CODE = [(head.removeprefix("# "), body) for language, head, body in BLOCKS if language == "python"]
COMMANDS = [
    (head.split()[2:], body.split())
    for language, head, body in BLOCKS
    if language == "console" and head.startswith("$ autograd-tour")
]


def put(folder: Path, head: str, body: str) -> None:
    """Write a block where its first line says: a file of its own, or a place in one."""
    name, _, place = head.partition(", ")
    path = folder / name
    if not place:
        assert not path.exists(), f"{name} exists by now: the recipe needs another name"
        path.write_text(body, encoding="utf-8")
        return
    text = path.read_text(encoding="utf-8")
    where, _, table = place.partition(" ")
    patterns = {
        "with": r"^(?=from autograd_tour)",
        "above": rf"^(?={table}\b)",
        "in": rf"^{table}\b.*= [({{]",
    }
    changed, count = re.subn(
        patterns[where],
        lambda match: match[0] + "\n" * (where == "in") + body,
        text,
        count=1,
        flags=re.MULTILINE,
    )
    assert count == 1, f"{name} has no such place: {place}"
    path.write_text(changed, encoding="utf-8")


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """``command`` in the copy; another package beside it is in sight too."""
    paths = os.pathsep.join([str(folder), str(folder / "site")])
    return subprocess.run(
        [sys.executable, "-m", *command],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": paths, "PYTHONSAFEPATH": "1"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def copy_of_package(folder: Path) -> Path:
    ignored = shutil.ignore_patterns("*.pyc.*")  # another process may be writing it just now
    shutil.copytree(ROOT / "autograd_tour", folder / "autograd_tour", ignore=ignored)
    shutil.copytree(ROOT / "tests", folder / "tests", ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


@pytest.fixture(scope="module")
def changed(tmp_path_factory):
    """A copy of the package with all recipes in it."""
    folder = copy_of_package(tmp_path_factory.mktemp("copy"))
    for head, body in CODE:
        put(folder, head, body)
    return folder


EACH = """
import json, sys
from pathlib import Path
from tests.commands import answer, script_answer

if __name__ == "__main__":
    *commands, script = json.loads(sys.argv[1])
    answers = [answer(*words, cwd=Path.cwd()) for words in commands] + [script_answer(script, cwd=Path.cwd())]
    print(json.dumps([[item.returncode, item.stdout, item.stderr] for item in answers]))
"""
RULE = """
import torch, autograd_tour as tour
from autograd_tour.questions import ask
from autograd_tour.record.trace import Trace
from autograd_tour.rules.wording import short
from autograd_tour.views.steps import frames

def program():
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    return torch.special.xlog1py(x, 1.5).sum()

graph = tour.trace(program)
for frame in frames(graph):
    for sent in frame.sent:
        if "Xlog1Py" in graph.node(frame.node).grad_fn:
            print(short(sent.edge.rule), "|", sent.worked.text)
(question,) = (question for question in ask(Trace(graph)) if "Xlog1Py" in question.right)
print(*(wrong.answer for wrong in question.wrong))
"""
THEIRS = ["render", "theirs", "-f", "json"]


@pytest.fixture(scope="module")
def answers(changed, their_package):
    """Exit code, stdout and stderr of each command, and of the script RULE, run in the copy, by its words."""
    asked = [*(words for words, _ in COMMANDS), THEIRS, RULE]
    (changed / "each.py").write_text(EACH)
    done = run(changed, "each", json.dumps(asked))
    assert done.returncode == 0, done.stderr
    return dict(zip([" ".join(words) for words in asked[:-1]] + [RULE], json.loads(done.stdout), strict=True))


@pytest.fixture(scope="module")
def their_package(changed):
    """Another package beside the copy, with a lesson that its entry point declares."""
    (declared,) = (body for language, _, body in BLOCKS if language == "toml")
    ((group, entries),) = tomllib.loads(declared)["project"]["entry-points"].items()
    site = changed / "site"
    (site / "my_package").mkdir(parents=True)
    (lesson,) = (body for head, body in CODE if head == "autograd_tour/lessons/newton.py")
    # The copy has a lesson of that name by now, and ours win.
    (site / "my_package/newton.py").write_text(lesson.replace('"newton", "', '"theirs", "'))
    metadata = site / "my_package-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: my_package\nVersion: 1.0\n")
    lines = "".join(f"{name} = {thing}\n" for name, thing in entries.items())
    (metadata / "entry_points.txt").write_text(f"[{group}]\n{lines}")


def test_there_are_six_recipes():
    assert re.findall(r"^## (A .*)$", TEXT, re.MULTILINE) == [
        "A lesson",
        "A stop of the tour",
        "A view",
        "A format",
        "A question",
        "A derivative rule",
    ]
    assert len(CODE) == 10
    assert len(COMMANDS) == 5


def test_what_they_add_has_its_place(changed):
    assert all((changed / head.partition(", ")[0]).is_file() for head, _ in CODE)


@pytest.mark.parametrize(("arguments", "written"), COMMANDS, ids=lambda item: " ".join(item[:4]))
@pytest.mark.slow
def test_a_command_writes_what_stands_below_it(changed, answers, arguments, written):
    code, out, err = answers[" ".join(arguments)]
    assert code == 0, err
    assert out.split() == written
    for name in written:
        assert (changed / name).stat().st_size


@pytest.mark.slow
def test_the_view_and_the_format_say_what_is_true_of_the_thermometer(changed, answers):
    titles = (changed / "outputs/thermometer-titles.svg").read_text()
    assert all(title in titles for title in ("w * t_u", "t_p − t_c", "squared_diffs.mean()", ">b<"))
    table = (changed / "outputs/thermometer-grad.csv").read_text().splitlines()
    assert table[0] == "leaf,elements,norm of .grad"
    assert {row.split(",")[0]: round(float(row.split(",")[2]), 1) for row in table[1:]} == {
        "w": 4517.3,
        "b": 82.6,
    }


@pytest.mark.slow
def test_the_question_is_asked(changed, answers):
    questions = (changed / "outputs/thermometer-quiz.json").read_text()
    assert "w is used in w * t_u. What shape has w.grad?" in questions


@pytest.mark.slow
def test_the_stop_lacks_nothing(changed):
    done = run(
        changed,
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "tests/test_tour/test_stops.py",
        "-k",
        "exponential",
    )
    assert done.returncode == 0, done.stdout
    assert "7 passed" in done.stdout


@pytest.mark.slow
def test_the_rule_is_written_worked_out_and_asked_about(answers):
    code, out, err = answers[RULE]
    assert code == 0, err
    arrow, worked, wrong = re.split(r" \| |\n", out.strip())
    assert f"`{arrow}`" in TEXT
    assert f"`{worked}`" in TEXT
    assert "1" in wrong.split(), "handed on as it came in"


@pytest.mark.slow
def test_a_lesson_of_another_package_is_found_through_its_entry_point(answers):
    _, out, err = answers[" ".join(THEIRS)]
    assert out.split() == ["outputs/theirs.json"], err


@pytest.mark.slow
def test_a_rule_is_missed_until_a_sample_reaches_it_and_holds_then(changed, tmp_path):
    (command,) = re.findall(r'^\$ make test ARGS="(tests/test_rules .*)"$', TEXT, re.MULTILINE)
    bare = copy_of_package(tmp_path)
    for head, body in CODE:
        if "rules/special.py" in head:
            put(bare, head, body)
    before = run(bare, "pytest", *command.split())
    assert before.returncode == 1
    assert "no sample reaches it" in before.stdout
    after = run(changed, "pytest", *command.split())
    assert after.returncode == 0, after.stdout
    assert "1 passed" in after.stdout


@pytest.mark.slow
def test_what_is_added_keeps_the_contract(changed):
    done = run(changed, "pytest", "tests/test_contract.py", "-k", "newton or titles or csv")
    assert done.returncode == 0, done.stdout
    assert "passed" in done.stdout
    questions = run(changed, "pytest", "tests/test_questions", "-k", "sound or every")
    assert questions.returncode == 0, questions.stdout


@pytest.mark.slow
def test_what_is_added_is_clean(changed):
    files = [head.partition(", ")[0] for head, _ in CODE]
    new = [name for name in dict.fromkeys(files) if not (ROOT / name).exists()]
    for command in (["ruff", "check", *new], ["ruff", "format", "--check", *new], ["mypy", *new]):
        done = run(changed, *command)
        assert done.returncode == 0, done.stdout
