"""One document through builders whose output others check: LaTeX, EPUB, slides."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.sites import build, contents, write

pytest.importorskip("sphinx")
pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
JAR = Path("/usr/share/java/epubcheck.jar")
PAGE = """
Title
=====

.. autograd::
   :caption: A square.

   w = torch.tensor(3.0, requires_grad=True)
   w * w

.. autograd::
   :format: frames

   w = torch.tensor(3.0, requires_grad=True)
   (w * 2).exp()

.. autograd-explain::

   w = torch.zeros(2, requires_grad=True)
   w.sqrt().sum()

.. autograd-quiz::

   w = torch.tensor(3.0, requires_grad=True)
   w * w

.. autograd::
   :name: falls

   w = torch.tensor(3.0, requires_grad=True)
   -w.exp()

It falls by :autograd:`falls: w.grad`. Other signs: ∂θ → √x ≤ ∞ ⊗ Aᵀ, λ⁻¹ ≈ σ′.

``∂θ → √x``

.. autograd::
   :caption: Taller than a page.

   w = torch.tensor(0.5, requires_grad=True)
   w.sin().cos().exp().log().sqrt().tan().sin().cos().exp().sin().cos()
"""
SITE = {
    "conf.py": 'project = "t"\nversion = "1"\ncopyright = "2026, t"\nextensions = ["autograd_tour.integrations.sphinx"]\n',
    "index.rst": PAGE,
}


def needed(there, what):
    """Where CI runs, everything that these tests need is installed."""
    if not there:
        assert "CI" not in os.environ, f"{what} is not installed"
        pytest.skip(f"needs {what}")


def ran(*words, folder, seconds=300):
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=seconds, check=False)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    return write(tmp_path_factory.mktemp("site"), SITE)


@pytest.mark.parametrize("kind", ["pdf", "png"])
def test_pdflatex_takes_the_pictures_and_their_text_is_text(site, kind):
    styles = ("fncychap.sty", "titlesec.sty", "tgtermes.sty", "capt-of.sty", "needspace.sty", "tabulary.sty")
    found = shutil.which("kpsewhich") and ran("kpsewhich", *styles, folder=site).returncode == 0
    needed(found and shutil.which("pdflatex"), "pdflatex with what Sphinx asks for")
    result = build(site, "latex", "-W", "-D", f"autograd_latex={kind}")
    assert result.returncode == 0, result.stderr
    folder = site / "_latex"
    done = ran("pdflatex", "-interaction=nonstopmode", "-halt-on-error", "t.tex", folder=folder)
    assert done.returncode == 0, done.stdout[-2000:]
    log = re.sub(r"(?<=.{79})\n", "", (folder / "t.log").read_text(errors="replace"))
    assert "PDF inclusion" not in log  # pictures of a version that pdflatex warns of
    assert "autograd-" in log and f".{kind}" in log
    assert "Float too large" not in log  # as of a picture that leaves its caption no room
    assert not re.findall(r"Overfull \\hbox \((\d{3,})", log)  # as wide as a picture that does not fit
    needed(shutil.which("pdftotext"), "pdftotext")
    text = ran("pdftotext", "t.pdf", "-", folder=folder).stdout
    assert "It falls by −20.0855" in text
    assert "A square." in text
    assert "inf-backward" in text
    assert ("ExpBackward0" in text) == (kind == "pdf")


def test_epubcheck_has_nothing_to_say(site):
    needed(shutil.which("java") and JAR.exists(), "epubcheck")
    result = build(site, "epub", "-W")
    assert result.returncode == 0, result.stderr
    done = ran("java", "-jar", str(JAR), "t.epub", folder=site / "_epub")
    assert "No errors or warnings detected" in done.stdout, done.stdout + done.stderr


def test_the_deck_of_sphinx_shows_a_step_with_each_key(tmp_path):
    pytest.importorskip("sphinx_revealjs")
    source = ROOT / "docs" / "slides" / "sphinx"
    one, four = (write(tmp_path / name, {f.name: f.read_text() for f in source.iterdir()}) for name in "14")
    result = build(one, "revealjs", "-W")
    assert result.returncode == 0, result.stderr
    html = (one / "_revealjs/index.html").read_text()
    (stack,) = re.findall(r'<div class="r-stack[^"]*">(.*?)</div>', html, re.DOTALL)
    images = re.findall(r'<img [^>]*class="([^"]*)"[^>]*src="([^"]+)"', stack)
    assert [kind for kind, _ in images] == ["autograd", *["autograd fragment"] * 3]
    assert all((one / "_revealjs" / path).exists() for _, path in images)
    assert "The gradient is" in html
    # sphinx-revealjs reads in one process and warns of it; what is written is the same.
    assert build(four, "revealjs", "-j4").returncode == 0
    assert contents(four / "_revealjs") == contents(one / "_revealjs")
