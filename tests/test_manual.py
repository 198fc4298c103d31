"""The manual: its pages are fresh, its examples run, its gallery is true, its links lead somewhere."""

from __future__ import annotations

import doctest
import importlib
import math
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import autograd_tour
from autograd_tour.hosts import Snippet, run
from benchmarks.others import FACTS, TOOLS, page, row
from docs.gallery import PRELUDE, at_kink, code_of, operators
from docs.links import broken
from docs.operator_list import KINKS, Kink
from docs.operator_samples import sample_of

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"


def test_the_page_of_commands_is_what_help_says():
    pytest.importorskip("cogapp")
    command = [sys.executable, "-m", "cogapp", "-I", ".", "--check", "docs/commands.md"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_public_name_is_in_the_page_of_the_api():
    text = (DOCS / "api.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"^\.\. auto\w+:: autograd_tour\.(\w+)$", text, re.MULTILINE))
    assert documented >= set(autograd_tour.__all__) - {"__version__"}


def modules():
    for item in pkgutil.walk_packages(autograd_tour.__path__, "autograd_tour."):
        if not item.name.endswith("__main__") and ">>>" in Path(item.module_finder.path).joinpath(
            f"{item.name.rpartition('.')[2]}{'/__init__' * item.ispkg}.py"
        ).read_text(encoding="utf-8"):
            yield item.name


@pytest.mark.usefixtures("quick_workers")
@pytest.mark.parametrize("name", [*modules(), "autograd_tour"])
def test_examples_in_docstrings_run(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_an_example_in_a_docstring_that_is_wrong_would_fail():
    assert "autograd_tour.hosts" in modules()
    (examples,) = doctest.DocTestFinder(recurse=False).find(importlib.import_module("autograd_tour.hosts"))
    assert len(examples.examples) >= 4


PAGES = [path for path in sorted(DOCS.glob("*.md")) if ">>>" in path.read_text(encoding="utf-8")]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_examples_in_pages_run(path):
    # The fence that ends a block is no output.
    text = re.sub(r"^```$", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    test = doctest.DocTestParser().get_doctest(text, {}, path.name, str(path), 0)
    outcome = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test)
    assert outcome.failed == 0
    assert outcome.attempted


def test_there_are_examples_in_pages():
    assert PAGES


def test_the_gallery_has_operators_enough_and_kinks_of_no_others():
    assert len(operators()) == len(set(operators())) >= 50
    assert set(KINKS) <= set(operators())


QUICK = ("mul", "nn.functional.relu", "amax", "mm")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in QUICK else pytest.mark.slow) for name in operators()]
)
def test_an_operator_of_the_gallery_has_the_gradient_that_gradcheck_finds(name):
    sample = sample_of(name)
    leaves = [leaf.clone().requires_grad_() for leaf in sample.leaves]
    assert torch.autograd.gradcheck(sample.function, leaves)


@pytest.mark.slow
def test_what_the_gallery_records_is_what_torch_computes():
    snippets = [Snippet(code=code_of(sample_of(name)), prelude=PRELUDE, keep=None) for name in operators()]
    for name, snippet, record in zip(operators(), snippets, run(snippets), strict=True):
        names = {}
        exec(f"{snippet.prelude}\n{snippet.code}", names)
        graph = record.trace.graph
        leaves = [names[graph.title(leaf)] for leaf in graph.leaves.values()]
        steps = [graph.step(accumulator)[1] for accumulator in graph.leaves]
        for step, gradient in zip(steps, torch.autograd.grad(names["L"], leaves), strict=True):
            assert step.after.first == tuple(gradient.flatten().tolist()), name


@pytest.mark.parametrize(
    ("kink", "left", "right", "sent"),
    [
        (KINKS["nn.functional.relu"][0], 0.0, 1.0, (0.0,)),
        (KINKS["abs"][0], -1.0, 1.0, (0.0,)),
        (KINKS["amax"][0], 0.0, 1.0, (0.5, 0.5, 0.0)),
        (KINKS["clamp"][1], 1.0, 0.0, (1.0,)),
        (Kink("x * x", (3.0,)), 6.0, 6.0, (6.0,)),
    ],
    ids=lambda item: item.code if isinstance(item, Kink) else None,
)
def test_slopes_beside_a_kink_are_those_of_the_function(kink, left, right, sent):
    at = at_kink(kink)
    assert (at.left, at.right, at.sent) == (left, right, sent)


def test_a_slope_that_grows_without_end_is_infinite_and_one_that_is_not_there_is_nan():
    at = at_kink(KINKS["sqrt"][0])
    assert math.isnan(at.left)
    assert (at.right, at.sent) == (math.inf, (math.inf,))
    assert at_kink(Kink("x * torch.log(x.abs())", (1e-300,))).right == -math.inf


def test_broken_links_are_named(tmp_path):
    (tmp_path / "a.html").write_text(
        '<p id="x"><a href="b.html#y">1</a><a href="b.html#z">2</a><img src="c.svg">'
    )
    (tmp_path / "b.html").write_text(
        '<p id="y"><a href="a.html#x">3</a><a href="https://example.org/no">4</a>'
    )
    assert broken(tmp_path) == ["a.html: b.html#z", "a.html: c.svg"]


@pytest.mark.parametrize(
    "path", [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DOCS.glob("*.md")], ids=lambda path: path.name
)
def test_what_a_page_links_to_is_there(path):
    text = re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"`[^`\n]+`", "", text)
    addresses = re.findall(r'(?:\]\(|(?:src|srcset|href)=")([^)"\s#]+)', text)
    local = [item for item in addresses if not item.startswith("http") and item != "operators/index.md"]
    assert [item for item in local if not (path.parent / item).exists()] == []


@pytest.mark.slow
def test_the_table_of_others_says_of_us_what_is_so():
    cells = row("autograd-tour")
    assert set(cells.values()) == {"yes"}
    line = page({"autograd-tour": cells}).splitlines()
    assert sum("| yes | not installed |" in item for item in line) == len(cells)
    text = (DOCS / "peers.md").read_text(encoding="utf-8")
    for name in FACTS:
        assert re.search(rf"^\| {re.escape(name)} \| yes \|", text, re.MULTILINE), name
    assert all(tool in text for tool in TOOLS)
