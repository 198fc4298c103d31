"""Findings where pictures are: in a notebook, on a page of Sphinx, in a fence."""

from __future__ import annotations

import base64
import os
import re

import pytest
import torch

import autograd_tour as tour
from autograd_tour.hosts import Cache, Record, Snippet, run
from autograd_tour.hosts.drawn import draw_finding
from tests.sites import build, write

pytestmark = pytest.mark.usefixtures("quick_workers")
IN_PLACE = """w = torch.tensor([1.0, 2.0], requires_grad=True)
y = torch.sigmoid(w)
y += 1
y.sum().backward()
"""


def in_place():
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    y = torch.sigmoid(w)
    y += 1
    y.sum().backward()


@pytest.fixture(scope="module")
def explanation():
    return tour.explain(in_place)


def test_an_explanation_is_a_line_a_text_and_a_picture(explanation):
    assert repr(explanation).startswith("<Explanation: 1 finding; error: ")
    assert len(repr(explanation)) < 200
    bundle = explanation._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "text/markdown", "text/html"}
    assert "```python\ny += 1\n```" in explanation._repr_markdown_().replace("    y", "y")
    (data,) = re.findall(r'src="data:image/svg\+xml;base64,([^"]+)"', bundle["text/html"])
    assert "SigmoidBackward0" in base64.b64decode(data).decode()
    assert set(explanation._repr_mimebundle_({"text/markdown"})) == {"text/markdown"}
    assert "text/markdown" not in explanation._repr_mimebundle_(None, {"text/markdown"})


def test_nothing_wrong_is_a_sentence():
    quiet = tour.explain(lambda: torch.ones(2, requires_grad=True).exp().sum())
    assert "0 findings" in repr(quiet)
    assert "No finding" in quiet._repr_html_()
    assert "No finding" in quiet._repr_markdown_()


def test_a_snippet_is_explained_once_and_kept(tmp_path, monkeypatch):
    cache = Cache(tmp_path / "records")
    snippet = Snippet(code=IN_PLACE, file="a", line=20, explains=True)
    (first,) = run([snippet], cache)
    assert isinstance(first, Record), first
    (finding,) = first.explanation.findings
    assert (finding.kind, finding.lines[0].line.position) == ("in-place", "line 3")
    picture = draw_finding(first.explanation, finding)
    assert "Marked: SigmoidBackward0." in picture.alt
    monkeypatch.setattr("autograd_tour.hosts.process.subprocess.Popen", _forbidden)
    assert run([snippet], cache) == [first]
    # What was written by somebody else is read before it is believed.
    path = tmp_path / "records" / f"{first.key}.json"
    path.write_bytes(path.read_bytes().replace(b'"findings"', b'"fundings"'))
    assert cache.record(first.key) is None


def test_the_same_code_is_traced_or_explained():
    code = "w = torch.zeros(2, requires_grad=True)\nw.sqrt().sum()"
    traced, explained = run([Snippet(code=code), Snippet(code=code, explains=True)])
    assert traced.key != explained.key
    assert traced.trace.graph.nodes
    assert [finding.kind for finding in explained.explanation.findings] == ["inf-backward"]
    assert "inf-backward" in [finding.kind for finding in traced.explanation.findings]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks on this system")
def test_a_child_that_explained_code_forks_answers_nothing():
    code = "w = torch.zeros(2, requires_grad=True)\n{}.sum()"
    forking = Snippet(code=f"import os\nos.fork()\n{code.format('w.sqrt()')}", explains=True)
    _, after = run([forking, Snippet(code=code.format("(w + 1)"), explains=True)])
    assert after.explanation.findings == ()


def test_a_page_has_findings_with_their_lines_and_pictures(tmp_path):
    pytest.importorskip("sphinx")
    block = "\n".join(f"   {line}" for line in IN_PLACE.splitlines())
    page = f"T\n=\n\n.. autograd-explain::\n   :name: wrong\n\n{block}\n\n.. autograd-explain::\n\n   w = (\n"
    conf = 'project = "t"\nextensions = ["autograd_tour.integrations.sphinx"]\n'
    folder = write(tmp_path, {"conf.py": conf, "index.rst": page})
    result = build(folder)
    assert (
        f"index.rst:{page.splitlines().index('   w = (') + 1}: WARNING: this is not valid Python"
        in result.stderr
    )
    html = (folder / "_html/index.html").read_text()
    assert 'class="autograd-finding error' in html
    assert "Changed here, line 3:" in html
    assert 'id="wrong"' in html
    (image,) = re.findall(r'<img alt="[^"]*Marked: SigmoidBackward0\."[^>]*src="([^"]+)"', html)
    assert (folder / "_html" / image).read_bytes().lstrip().startswith(b"<svg")
    assert build(folder, "text").returncode == 0
    assert "What to write instead" in (folder / "_text/index.txt").read_text()


def test_a_fence_has_findings(tmp_path):
    pytest.importorskip("pymdownx")
    import markdown

    from autograd_tour.integrations.markdown import Fence, explain, validator

    assert explain.explains
    fence = Fence(cache=str(tmp_path / "cache"), explains=True)
    words = {"name": "explain", "class": "autograd-explain", "format": fence, "validator": validator}
    settings = {"pymdownx.superfences": {"custom_fences": [words]}}
    html = markdown.markdown(
        f"Before.\n\n```explain\n{IN_PLACE}```\n\nAfter.\n",
        extensions=["pymdownx.superfences"],
        extension_configs=settings,
    )
    assert html.count("<section") == 1
    assert "<b>line 3</b>" in html
    assert "data:image/svg+xml" in html
    assert "<p>After.</p>" in html


def _forbidden(*_, **__):
    raise AssertionError("this is not to be called")
