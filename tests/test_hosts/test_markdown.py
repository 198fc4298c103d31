"""Fences of Python-Markdown, and a site that MkDocs builds."""

from __future__ import annotations

import os
import pickle
import re
import subprocess
import sys

import pytest

markdown = pytest.importorskip("markdown")
superfences = pytest.importorskip("pymdownx.superfences")

from autograd_tour.integrations.markdown import Fence, validator  # noqa: E402

pytestmark = pytest.mark.usefixtures("quick_workers")
SQUARE = "w = torch.tensor(3.0, requires_grad=True)\nw * w"


@pytest.fixture
def convert(tmp_path):
    fence = Fence(cache=str(tmp_path / "cache"), timeout=60)

    def converted(text):
        words = {"name": "autograd", "class": "autograd", "format": fence, "validator": validator}
        extensions = ["pymdownx.superfences"]
        settings = {"pymdownx.superfences": {"custom_fences": [words]}}
        return markdown.markdown(text, extensions=extensions, extension_configs=settings)

    return converted


def test_a_fence_is_a_figure_on_one_line(convert):
    html = convert(f"Before.\n\n```autograd include_source='yes'\n{SQUARE}\n```\n\nAfter.\n")
    assert html.count('<figure class="autograd">') == 1
    assert "data:image/svg+xml;base64," in html
    assert re.search(r'<div class="highlight"><pre><span></span><code>', html)  # as themes style code
    assert "<p>After.</p>" in html


def test_frames_of_a_fence_are_a_picture_each(convert):
    for option in ("format='frames'", "view='steps'"):
        html = convert(f"```autograd {option} alt='A square'\n{SQUARE}\n```\n")
        assert re.findall(r'alt="([^"]*)"', html) == ["A square", "Step 1 of the same", "Step 2 of the same"]


def test_fences_of_one_page_share_a_context(convert):
    first = "```autograd context='d'\nx = torch.ones(2, requires_grad=True)\ny = x.sum()\n```"
    html = convert(f"{first}\n\n```autograd context='d' view='chain'\ny * y\n```\n")
    assert html.count("<figure") == 2


@pytest.mark.parametrize(
    ("fence", "words"),
    [
        ("```autograd\nw = 1\n\nw / 0\n```", "line 3 of the block: ZeroDivisionError"),
        ("```autograd colour='red'\nw = 1\n```", "there is no option colour"),
        ("```autograd depth='many'\nw = 1\n```", "option depth: 'many' is no whole number"),
        ("```autograd view='nothing'\ntorch.ones(1, requires_grad=True).sum()\n```", "nothing"),
        ("```autograd target='net.py:f'\nw = 1\n```", "a block has target and code"),
    ],
)
def test_what_is_wrong_stops_the_build(convert, fence, words):
    with pytest.raises(superfences.SuperFencesException, match="autograd: ") as caught:
        convert(fence)
    assert words in str(caught.value)


def test_paths_of_a_fence_start_where_the_build_runs(convert, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(superfences.SuperFencesException) as caught:
        convert("```autograd trace='none.json'\n```")
    assert str(tmp_path) in caught.value.__cause__.hint
    (tmp_path / "net.py").write_text(
        f"import torch\n\n\ndef f():\n    return {SQUARE.splitlines()[0][4:]}.exp()\n"
    )
    assert "<figure" in convert("```autograd target='net.py:f'\n```")


def test_a_fence_can_be_written_down():
    assert pickle.loads(pickle.dumps(Fence(cache="elsewhere"))) == Fence(cache="elsewhere")


CONFIG = "site_name: t\nmarkdown_extensions:\n  - pymdownx.superfences:\n      custom_fences:\n" + "".join(
    f"        - name: {name}\n          class: {name}\n"
    f"          format: !!python/name:autograd_tour.integrations.markdown.{attribute}\n"
    "          validator: !!python/name:autograd_tour.integrations.markdown.validator\n"
    for name, attribute in (("autograd", "fence"), ("explain", "explain"))
)
WRONG = "w = torch.zeros(2, requires_grad=True)\nw.sqrt().sum()"


@pytest.mark.slow
@pytest.mark.parametrize("builder", ["mkdocs", "zensical"])
def test_a_site_fails_where_a_block_does(tmp_path, builder):
    pytest.importorskip(builder)
    (tmp_path / "docs").mkdir()
    (tmp_path / "mkdocs.yml").write_text(CONFIG)
    page = tmp_path / "docs" / "index.md"
    page.write_text(f"# T\n\n```autograd\n{SQUARE}\n```\n\n```explain\n{WRONG}\n```\n")
    done = built(builder, tmp_path)
    assert done.returncode == 0, done.stderr
    html = (tmp_path / "site/index.html").read_text()
    assert html.count("data:image/svg+xml") == 2
    assert "inf-backward" in html
    page.write_text("# T\n\n```autograd\n1 / 0\n```\n")
    result = built(builder, tmp_path)
    assert result.returncode != 0
    assert "ZeroDivisionError" in result.stdout + result.stderr


def built(builder, folder):
    words = {
        "mkdocs": ("-m", "mkdocs", "build", "--strict", "-q"),
        "zensical": ("-m", "zensical", "build", "--clean", "--strict", "-f", "mkdocs.yml"),
    }
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, *words[builder]]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
