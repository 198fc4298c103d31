"""Records in what runs notebooks and galleries: each with several on a page."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sites import build, write

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
SETUP = """import torch
import autograd_tour as tour
def loss():
    w = torch.tensor(3.0, requires_grad=True)
    return w * w
def train():
    w = torch.tensor(1.0, requires_grad=True)
    opt = torch.optim.SGD([w], 0.1)
    for _ in range(2):
        (w * w).backward()
        opt.step()
"""
CELLS = (
    SETUP,
    "tour.trace(loss)",
    "tour.follow(train)",
    "tour.accumulate(loss, calls=2)",
    "tour.explain(train)",
    "tour.page(tour.trace(loss))",
)
IMAGE = "data:image/svg+xml;base64,"


def notebook(path: Path) -> Path:
    nbformat = pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
    book.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(book, path)
    return path


def ran(*words, folder, **more):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), **more}
    done = subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done


def test_a_notebook_of_jupyterlab_keeps_a_line_and_a_picture_of_each(tmp_path):
    nbclient = pytest.importorskip("nbclient")
    nbformat = pytest.importorskip("nbformat")
    book = nbformat.read(notebook(tmp_path / "n.ipynb"), as_version=4)
    nbclient.NotebookClient(book, timeout=300).execute()
    nbformat.validate(book)
    outputs = [cell.outputs[-1].data for cell in book.cells[1:]]
    assert [output["text/plain"][:6] for output in outputs[:4]] == ["<Graph", "<Run o", "<Ledge", "<Expla"]
    assert all(IMAGE in output["text/html"] for output in outputs[:3])
    assert "zero-grad-missing" in outputs[3]["text/markdown"]
    assert "<iframe srcdoc=" in outputs[4]["text/html"]


def test_nbconvert_writes_the_pictures(tmp_path):
    pytest.importorskip("nbconvert")
    notebook(tmp_path / "n.ipynb")
    ran("-m", "nbconvert", "--to", "html", "--execute", "n.ipynb", folder=tmp_path)
    html = (tmp_path / "n.html").read_text()
    assert html.count(IMAGE) >= 4
    assert "zero-grad-missing" in html


def test_myst_nb_writes_the_pictures(tmp_path):
    pytest.importorskip("myst_nb")
    write(tmp_path, {"conf.py": "project = 't'\nextensions = ['myst_nb']\nnb_execution_timeout = 300\n"})
    notebook(tmp_path / "index.ipynb")
    result = build(tmp_path)
    assert result.returncode == 0, result.stderr
    html = (tmp_path / "_html/index.html").read_text()
    assert html.count(IMAGE) >= 3
    assert "zero-grad-missing" in html


def test_sphinx_gallery_writes_the_pictures(tmp_path):
    pytest.importorskip("sphinx_gallery")
    conf = (
        "project = 't'\nextensions = ['sphinx_gallery.gen_gallery']\n"
        "sphinx_gallery_conf = {'examples_dirs': 'examples', 'gallery_dirs': 'gallery',\n"
        "    'image_scrapers': (), 'reset_modules': ()}\n"  # both ask for matplotlib by default
    )
    example = (
        '"""\nA square\n========\n\n"""\n\n'
        + SETUP
        + "\ntour.trace(loss)\n\n# %%\n# A run\n\ntour.follow(train)\n\n# %%\n# Findings\n\ntour.explain(train)\n"
    )
    write(
        tmp_path,
        {
            "conf.py": conf,
            "index.rst": "T\n=\n\n.. toctree::\n\n   gallery/index\n",
            "examples/plot_square.py": example,
            "examples/GALLERY_HEADER.rst": "Gallery\n=======\n",
        },
    )
    result = build(tmp_path)
    html = (tmp_path / "_html/gallery/plot_square.html").read_text()
    assert html.count(IMAGE) >= 2, result.stderr
    assert "zero-grad-missing" in html


def test_marimo_writes_the_pictures(tmp_path):
    pytest.importorskip("marimo")
    cells = "\n\n".join(
        f"@app.cell\ndef _({arguments}):\n" + "\n".join(f"    {line}" for line in body.splitlines())
        for arguments, body in (
            ("", SETUP + "return loss, tour, train"),
            ("loss, tour", "tour.trace(loss)\nreturn"),
            ("tour, train", "tour.follow(train)\nreturn"),
            ("tour, train", "tour.explain(train)\nreturn"),
        )
    )
    text = (
        f"import marimo\n\napp = marimo.App()\n\n\n{cells}\n\n\nif __name__ == '__main__':\n    app.run()\n"
    )
    (tmp_path / "n.py").write_text(text)
    ran("-m", "marimo", "export", "html", "n.py", "-o", "n.html", folder=tmp_path)
    html = (tmp_path / "n.html").read_text()
    assert html.count("svg+xml;base64") >= 2
    assert "zero-grad-missing" in html


def test_the_deck_of_quarto_is_what_quarto_reads(tmp_path):
    """Its structure: a header, slides, and cells whose results are pictures. Quarto itself is no Python package."""
    yaml = pytest.importorskip("yaml")
    nbclient = pytest.importorskip("nbclient")
    nbformat = pytest.importorskip("nbformat")
    text = (ROOT / "docs/slides/deck.qmd").read_text()
    _, header, body = text.split("---\n", 2)
    settings = yaml.safe_load(header)
    assert set(settings["format"]) == {"revealjs"}
    assert settings["jupyter"] == "python3"
    slides = body.split("\n## ")[1:]
    assert len(slides) == 3
    cells = [re.findall(r"^```\{python\}\n(.*?)^```$", slide, re.DOTALL | re.MULTILINE) for slide in slides]
    assert [len(codes) for codes in cells] == [1, 1, 1]
    options = [re.findall(r"^#\| (.*)$", codes[0], re.MULTILINE) for codes in cells]
    assert all(isinstance(yaml.safe_load(line), dict) for lines in options for line in lines)
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(codes[0]) for codes in cells])
    nbclient.NotebookClient(book, timeout=300, kernel_name="python3").execute()
    html = [cell.outputs[-1].data["text/html"] for cell in book.cells]
    assert IMAGE in html[0]
    assert "in-place" in html[1]
    assert "<iframe" in html[2]
